"""Texts and prompts for real weights. Written for galen; the same on every machine."""

import random

DRUGS = ("metoprolol", "amlodipine", "ramipril", "apixaban", "metformin", "insulin glargine", "pantoprazole", "levothyroxine",
         "prednisolone", "ceftriaxone", "furosemide", "atorvastatin", "sertraline", "salbutamol", "paracetamol", "heparin")
FINDINGS = ("mild pitting oedema of both ankles", "a soft systolic murmur over the apex", "fine crackles at the left base",
            "tenderness in the right lower quadrant", "no neck stiffness", "a well-healed midline scar", "reduced vibration sense",
            "an irregular pulse of 96 per minute", "pale conjunctivae", "no palpable lymph nodes", "clear breath sounds throughout",
            "a blanching rash on the trunk", "normal bowel sounds", "slight ptosis on the right", "warm and well perfused limbs")
COMPLAINTS = ("shortness of breath on climbing stairs", "a dry cough for three weeks", "burning pain after meals", "palpitations at night",
              "a fall in the bathroom", "blurred vision since Tuesday", "fever and chills", "numbness of the left hand",
              "swelling of the right calf", "headache that is worse in the morning", "loss of appetite and of 6 kg of weight")
TESTS = (("haemoglobin", "g/dL", 7.1, 16.8), ("creatinine", "mg/dL", 0.5, 3.9), ("potassium", "mmol/L", 2.9, 6.1),
         ("C-reactive protein", "mg/L", 0.4, 214.0), ("sodium", "mmol/L", 124.0, 149.0), ("troponin T", "ng/L", 3.0, 640.0),
         ("ferritin", "ug/L", 6.0, 900.0), ("lactate", "mmol/L", 0.6, 7.4), ("TSH", "mU/L", 0.01, 12.0), ("glucose", "mg/dL", 48.0, 391.0))
PLANS = ("repeat the blood count on {day}", "stop {drug} and watch the pressure", "start {drug} 5 mg once daily",
         "ask the cardiologists for an echocardiogram", "chest radiograph in two planes", "physiotherapy twice a week",
         "discuss the result with the family", "taper {drug} over ten days", "no further imaging unless the pain returns")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NAMES = ("Aalto", "Brandt", "Castro", "Dimitrov", "Eze", "Fontaine", "Grigoryan", "Hoang", "Ivanova", "Jansen", "Kowalski", "Lindqvist")


def note(rng, number):
    day = rng.choice(DAYS)
    lines = [f"Note {number}. {day}, {rng.randint(1, 28)} {rng.choice(('March', 'June', 'October'))}. Patient {rng.choice(NAMES)}, "
             f"{rng.randint(19, 94)} years.",
             f"Came with {rng.choice(COMPLAINTS)}" + rng.choice((".", f", and with {rng.choice(COMPLAINTS)}.", ", for the second time this year.")),
             f"On examination {rng.choice(FINDINGS)}; {rng.choice(FINDINGS)}. Blood pressure {rng.randint(88, 196)}/{rng.randint(48, 112)} mmHg, "
             f"temperature {rng.uniform(35.6, 40.2):.1f} C, saturation {rng.randint(84, 100)} % on air."]
    for name, unit, low, high in rng.sample(TESTS, rng.randint(1, 4)):
        lines.append(f"  - {name}: {rng.uniform(low, high):.1f} {unit}" + rng.choice(("", " (H)", " (L)", ", unchanged")))
    lines.append(f"Takes {', '.join(rng.sample(DRUGS, rng.randint(1, 4)))}.")
    plan = "; ".join(rng.sample(PLANS, rng.randint(1, 3))).format(day=rng.choice(DAYS), drug=rng.choice(DRUGS))
    lines.append(f"Plan: {plan}.")
    return "\n".join(lines) + "\n\n"


def ward_book(notes):
    """Many notes with a fact at the beginning that the end asks for."""
    rng = random.Random(20260301)
    text = "The locker of the night pharmacist opens with the code 7-Quince-4096; nobody else in this book is told it.\n\n"
    for i in range(notes):
        text += note(rng, i + 1)
    return text


QUESTION = "Asked again at the end of the shift: the locker of the night pharmacist opens with the code 7-Quince-4096."

MIXED = """# Übergabe / Handover – 病棟 3B

Der Patient (m, 67 J.) klagt über Dyspnoe seit 3 Tagen; NYHA III, SpO₂ 91 % unter Raumluft. Echo: EF ≈ 35 %, keine Vegetationen.
La patiente présente une éruption « maculo-papuleuse » depuis hier soir ; pas de fièvre. Traitement : cétirizine 10 mg/j.
患者は昨夜から38.4℃の発熱があり、右下腹部に圧痛を認める。白血球 14,200/µL、CRP 8.7 mg/dL。虫垂炎を疑い、外科に相談した。
Пациент жалуется на боль за грудиной при нагрузке; ЭКГ: депрессия ST в V4–V6. Назначен аспирин 75 мг.
المريض مصاب بالسكري من النوع الثاني منذ عشر سنوات، ويتناول الميتفورمين مرتين يومياً.

```python
def creatinine_clearance(age: int, weight_kg: float, creatinine_mg_dl: float, female: bool) -> float:
    \"\"\"Cockcroft and Gault, mL/min.\"\"\"
    value = (140 - age) * weight_kg / (72 * creatinine_mg_dl)
    return value * 0.85 if female else value
```

| test        | value | unit   | range     |
|-------------|------:|--------|-----------|
| HbA1c       |   8.1 | %      | 4.0 - 6.0 |
| eGFR        |    47 | mL/min | > 60      |

{"resourceType": "Observation", "status": "final", "code": {"text": "Potassium"}, "valueQuantity": {"value": 5.9, "unit": "mmol/L"}}
"""

PROMPTS = (
    "The patient was admitted to the hospital because", "A healthy diet for people with diabetes should",
    "The three most common causes of chest pain are", "Dear colleague, thank you for sending this patient",
    "The heart has four chambers. Blood flows from", "List of symptoms of pneumonia in older adults:",
    "When a wound becomes infected, the skin around", "The difference between a virus and a bacterium is",
    "Vaccines protect people because the immune system", "In the emergency room the doctor asked the",
    "High blood pressure is often called a silent", "The kidneys filter the blood and remove waste",
    "A good night of sleep helps the brain to", "The nurse checked the temperature and wrote down that",
    "Anaemia means that the blood does not carry", "To measure the blood pressure of a patient, first",
    "The X-ray of the chest shows that both", "Antibiotics should not be taken for a cold because",
    "The history of medicine begins in ancient Egypt, where", "If someone faints, the first thing to do is",
    "Physical exercise lowers the risk of heart disease by", "The operation took four hours. Afterwards the surgeon",
)

SHORT = ". ".join(PROMPTS[:12]) + "."
