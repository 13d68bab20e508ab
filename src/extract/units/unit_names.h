// Units as documents print them, to UCUM codes.
#pragma once

#include <string>
#include <string_view>

namespace galen::extract {

// "mg/dl", "x10^9/L", "µg", "mmHg", "°C", "K/µL" to "mg/dL", "10*9/L", "ug", "mm[Hg]", "Cel",
// "10*3/uL"; a code of the subset stays. Empty: not known. The names are configs/rules/units.json.
std::string UnitCode(std::string_view printed);

// Spelling without what does not matter: no spaces, "u" for both micro signs, plain digits for
// superscripts and "^".
std::string FoldUnit(std::string_view printed);

}  // namespace galen::extract
