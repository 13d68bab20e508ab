#!/usr/bin/env python3
"""Writes pairs.csv: clinical values in two units each, from published conversion factors and guidelines (never from galen's own
molar masses). tolerance: what the printed digits leave open.

A row: analyte, value, unit, other, other_unit, tolerance, source.
"""

from decimal import Decimal
from pathlib import Path

JAMA = "AMA Manual of Style, 11th ed., table of conventional and SI units"
NGSP = "NGSP: IFCC standardisation of HbA1c, table of NGSP and IFCC units"
ADA = "American Diabetes Association, Standards of Care in Diabetes 2024"
NCEP = "NCEP ATP III 2001 and ESC/EAS dyslipidaemia guidelines 2019"
NIST = "NIST Special Publication 811 (2008), appendix B"
WHO = "WHO: insulin standard 66/304, 1 mIU = 6.0 pmol"

# analyte, unit, SI unit, published factor, values
FACTORS = [
    ("glucose", "mg/dL", "mmol/L", "0.0555", [54, 100, 126, 400]),
    ("creatinine", "mg/dL", "umol/L", "88.4", ["0.6", "1.0", "1.4", "7.5"]),
    ("urea_nitrogen", "mg/dL", "mmol/L", "0.357", [7, 20, 45, 110]),
    ("sodium", "meq/L", "mmol/L", "1.0", [118, 135, 145, 161]),
    ("potassium", "meq/L", "mmol/L", "1.0", ["2.4", "3.5", "5.1", "6.8"]),
    ("chloride", "meq/L", "mmol/L", "1.0", [80, 98, 107, 121]),
    ("bicarbonate", "meq/L", "mmol/L", "1.0", [9, 22, 29, 41]),
    ("calcium", "mg/dL", "mmol/L", "0.250", ["6.0", "8.5", "10.5", "13.0"]),
    ("calcium", "meq/L", "mmol/L", "0.500", ["3.0", "4.3", "5.3", "6.5"]),
    ("magnesium", "mg/dL", "mmol/L", "0.411", ["1.0", "1.6", "2.6", "9.0"]),
    ("magnesium", "meq/L", "mmol/L", "0.500", ["0.8", "1.3", "2.1", "4.0"]),
    ("phosphate", "mg/dL", "mmol/L", "0.323", ["1.0", "2.5", "4.5", "9.0"]),
    ("cholesterol", "mg/dL", "mmol/L", "0.0259", [120, 199, 240, 310]),
    ("hdl", "mg/dL", "mmol/L", "0.0259", [25, 40, 60, 95]),
    ("ldl", "mg/dL", "mmol/L", "0.0259", [55, 100, 130, 190]),
    ("triglycerides", "mg/dL", "mmol/L", "0.0113", [50, 150, 500, 1000]),
    ("bilirubin", "mg/dL", "umol/L", "17.104", ["0.3", "1.2", "5.0", "15.0"]),
    ("direct_bilirubin", "mg/dL", "umol/L", "17.104", ["0.1", "0.3", "2.0", "8.0"]),
    ("albumin", "g/dL", "g/L", "10.0", ["2.1", "3.5", "4.7", "5.5"]),
    ("total_protein", "g/dL", "g/L", "10.0", ["4.5", "6.0", "8.0", "10.2"]),
    ("urate", "mg/dL", "umol/L", "59.48", ["2.5", "4.0", "7.2", "11.0"]),
    ("ammonia", "ug/dL", "umol/L", "0.587", [20, 50, 120, 340]),
    ("lactate", "mg/dL", "mmol/L", "0.111", [5, 15, 36, 90]),
    ("iron", "ug/dL", "umol/L", "0.179", [20, 60, 150, 500]),
    ("b12", "pg/mL", "pmol/L", "0.738", [120, 200, 600, 1500]),
    ("folate", "ng/mL", "nmol/L", "2.27", [2, 4, 10, 20]),
    ("vitamin_d", "ng/mL", "nmol/L", "2.496", [8, 20, 30, 100]),
    ("haemoglobin", "g/dL", "g/L", "10.0", ["6.0", "11.9", "15.5", "20.0"]),
    ("haematocrit", "%", "L/L", "0.01", [18, 36, 46, 60]),
    ("wbc", "10*3/uL", "10*9/L", "1.0", ["0.9", "4.0", "11.0", "98.0"]),
    ("rbc", "10*6/uL", "10*12/L", "1.0", ["2.1", "3.9", "5.5", "7.0"]),
    ("platelets", "10*3/uL", "10*9/L", "1.0", [12, 150, 450, 1020]),
    ("fibrinogen", "mg/dL", "g/L", "0.01", [80, 200, 400, 900]),
    ("free_t4", "ng/dL", "pmol/L", "12.87", ["0.4", "0.8", "1.8", "5.1"]),
    ("free_t3", "pg/dL", "pmol/L", "0.0154", [130, 230, 420, 900]),
    ("t4", "ug/dL", "nmol/L", "12.87", ["3.0", "5.0", "12.0", "18.0"]),
    ("t3", "ng/dL", "nmol/L", "0.0154", [40, 80, 190, 400]),
    ("cortisol", "ug/dL", "nmol/L", "27.59", [3, 5, 25, 60]),
    ("testosterone", "ng/dL", "nmol/L", "0.0347", [20, 300, 950, 1500]),
    ("estradiol", "pg/mL", "pmol/L", "3.671", [15, 50, 200, 2500]),
    ("progesterone", "ng/mL", "nmol/L", "3.18", ["0.5", "3.0", "15.0", "45.0"]),
    ("insulin", "u[IU]/mL", "pmol/L", "6.0", [2, 5, 20, 110]),
    ("c_peptide", "ng/mL", "nmol/L", "0.331", ["0.5", "0.9", "2.0", "7.1"]),
    ("homocysteine", "mg/L", "umol/L", "7.397", ["0.5", "1.0", "2.0", "10.0"]),
    ("copper", "ug/dL", "umol/L", "0.157", [30, 70, 140, 300]),
    ("zinc", "ug/dL", "umol/L", "0.153", [40, 75, 120, 200]),
    ("lead", "ug/dL", "umol/L", "0.0483", [3, 5, 25, 80]),
    ("lithium", "meq/L", "mmol/L", "1.0", ["0.4", "0.6", "1.2", "2.5"]),
    ("phenytoin", "ug/mL", "umol/L", "3.96", [5, 10, 20, 40]),
    ("valproate", "ug/mL", "umol/L", "6.93", [30, 50, 100, 150]),
    ("carbamazepine", "ug/mL", "umol/L", "4.23", [2, 4, 12, 18]),
    ("theophylline", "ug/mL", "umol/L", "5.55", [5, 10, 20, 35]),
    ("paracetamol", "ug/mL", "umol/L", "6.62", [10, 30, 150, 300]),
    ("salicylate", "mg/dL", "mmol/L", "0.0724", [10, 20, 30, 90]),
    ("ethanol", "mg/dL", "mmol/L", "0.217", [50, 80, 100, 400]),
    ("vancomycin", "ug/mL", "umol/L", "0.690", [5, 10, 20, 45]),
    ("alt", "U/L", "ukat/L", "0.0167", [10, 40, 300, 2000]),
]

# Printed side by side by their sources.
PAIRS = [("hba1c", ngsp, "%", ifcc, "mmol/mol", "0.5", NGSP) for ngsp, ifcc in (
    ("4.0", "20"), ("5.0", "31"), ("6.0", "42"), ("6.5", "48"), ("7.0", "53"), ("7.5", "58"), ("8.0", "64"), ("8.5", "69"),
    ("9.0", "75"), ("9.5", "80"), ("10.0", "86"), ("11.0", "97"), ("12.0", "108"), ("13.0", "119"), ("14.0", "130"))]
PAIRS += [("glucose", mg, "mg/dL", mmol, "mmol/L", "0.05", ADA) for mg, mmol in (
    ("54", "3.0"), ("70", "3.9"), ("80", "4.4"), ("100", "5.6"), ("125", "6.9"), ("126", "7.0"), ("130", "7.2"), ("140", "7.8"),
    ("180", "10.0"), ("199", "11.0"), ("200", "11.1"), ("250", "13.9"))]
PAIRS += [("ldl", mg, "mg/dL", mmol, "mmol/L", "0.05", NCEP) for mg, mmol in (
    ("55", "1.4"), ("70", "1.8"), ("100", "2.6"), ("116", "3.0"), ("190", "4.9"))]
PAIRS += [("temperature", f, "[degF]", c, "Cel", "0.05", NIST) for f, c in (
    ("32", "0.0"), ("95.0", "35.0"), ("98.6", "37.0"), ("100.4", "38.0"), ("104.0", "40.0"), ("107.6", "42.0"))]
PAIRS += [("weight", "150", "[lb_av]", "68.04", "kg", "0.005", NIST), ("height", "70", "[in_i]", "177.8", "cm", "0.05", NIST),
          ("pco2", "40", "mm[Hg]", "5.33", "kPa", "0.005", NIST), ("po2", "60", "mm[Hg]", "8.00", "kPa", "0.005", NIST)]


def main():
    rows = []
    for analyte, unit, si, factor, values in FACTORS:
        f = Decimal(factor)
        half = Decimal(1).scaleb(f.as_tuple().exponent) / 2
        source = WHO if analyte == "insulin" else JAMA
        for value in values:
            v = Decimal(str(value))
            # A factor that is exact leaves nothing open but the arithmetic.
            exact = f in (Decimal(1), Decimal(10), Decimal("0.01"))
            tolerance = Decimal("1e-9") if exact else half * v
            rows.append((analyte, str(value), unit, str(v * f), si, f"{tolerance:f}", source))
    rows += PAIRS
    with open(Path(__file__).with_name("pairs.csv"), "w", encoding="utf-8") as out:
        out.write("analyte,value,unit,other,other_unit,tolerance,source\n")
        for row in rows:
            out.write(",".join(f'"{cell}"' if "," in cell else cell for cell in row) + "\n")


if __name__ == "__main__":
    main()
