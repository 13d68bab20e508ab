// What is measured: names, the unit in which galen compares, and what turns mass into amount.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "extract/units/unit.h"

namespace galen::extract {

// A rule: values below low or above high break it.
struct Limits {
  std::string id;      // "plausible.glucose"
  std::string source;  // what it rests on
  std::string unit;    // UCUM code of the borders
  std::optional<double> low, high;
  bool border_breaks = false;  // low and high themselves break it, too
};
// -1: below, +1: above, 0: within. value in limits.unit.
int Outside(double value, const Limits& limits);

// One entry of configs/rules/analytes.json.
struct Analyte {
  std::string id;
  // Codes by what the unit measures; empty: none chosen.
  std::string loinc, loinc_mass, loinc_moles;
  std::string display;             // for people
  std::vector<std::string> names;  // folded (FoldName)
  std::string unit;                // UCUM code in which values are compared
  double grams_per_mole = 0;       // 0: not defined (mixtures, activities)
  double charge = 0;               // equivalents per mole; 0: none
  double moles_per_iu = 0;         // 0: none
  bool hba1c = false;              // % of NGSP and mmol/mol of IFCC differ by the master equation
  std::optional<Limits> plausible, critical;
};

// Sorted as in the file.
const std::vector<Analyte>& Analytes();
// By a printed name ("Glucose, fasting", "S-Kreatinin"), or null. Words that say where and when
// (serum, fasting, ...) and text in brackets do not matter. Of several with one name (counts and
// percentages of cells), the first that is measured in the unit (a UCUM code), else the first.
const Analyte* FindAnalyte(std::string_view printed, std::string_view unit = "");
const Analyte* AnalyteById(std::string_view id);

// Letters and digits in lower case, other characters as single spaces.
std::string FoldName(std::string_view printed);

// The value in another unit. analyte may be null: then only units of the same dimensions convert.
// InvalidArgument: an unknown unit, or units that this analyte does not join.
Result<double> Convert(double value, std::string_view from, std::string_view to,
                       const Analyte* analyte);

// The same for a printed decimal: the result has as many significant digits as the input and two
// more, so that converting it back and rounding to the digits given yields the input again.
Result<std::string> ConvertText(std::string_view value, std::string_view from, std::string_view to,
                                const Analyte* analyte);

}  // namespace galen::extract
