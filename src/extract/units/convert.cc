#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "extract/units/analyte.h"

namespace galen::extract {
namespace {

// NGSP = 0.09148 * IFCC + 2.152: Hoelzel et al., Clin Chem 2004;50:166-174; ngsp.org/ifccngsp.asp.
constexpr double kNgspSlope = 0.09148;
constexpr double kNgspOffset = 2.152;
constexpr double kPermille = 1e-3;
constexpr double kPercent = 1e-2;

// One litre of solution has 1e-3 m3, so that factors cancel; the exponents decide.
double Base(double value, const Unit& unit) { return value * unit.factor + unit.offset; }

// Exchanges `count` powers of one dimension for another.
Unit Exchange(Unit unit, Dimension from, Dimension to, double factor) {
  const int count = unit.exponents[from];
  unit.exponents[to] = static_cast<int8_t>(unit.exponents[to] + count);
  unit.exponents[from] = 0;
  unit.factor *= std::pow(factor, count);
  return unit;
}

// Everything that the analyte turns into moles. Mass of the whole (mg/kg body weight) is not meant:
// only concentrations and plain amounts of the substance are converted.
Unit InMoles(const Unit& unit, const Analyte& analyte) {
  Unit moles = unit;
  if (analyte.grams_per_mole > 0 && moles.exponents[kMass] == 1) {
    moles = Exchange(moles, kMass, kAmount, 1 / analyte.grams_per_mole);
  }
  if (analyte.charge > 0) moles = Exchange(moles, kEquivalents, kAmount, 1 / analyte.charge);
  if (analyte.moles_per_iu > 0) moles = Exchange(moles, kArbitrary, kAmount, analyte.moles_per_iu);
  return moles;
}

bool IsPercent(const Unit& unit) {
  return unit.exponents == Unit().exponents && unit.factor == kPercent;
}
// mmol/mol; the exponents cancel.
bool IsPermille(const Unit& unit) {
  return unit.exponents == Unit().exponents && std::abs(unit.factor / kPermille - 1) < 1e-9;
}

int SignificantDigits(std::string_view text) {
  int digits = 0;
  bool leading = true;
  for (const char c : text) {
    if (c == 'e' || c == 'E') break;
    if (c < '0' || c > '9') continue;
    leading = leading && c == '0';
    digits += leading ? 0 : 1;
  }
  return std::max(digits, 1);
}

}  // namespace

Result<double> Convert(double value, std::string_view from, std::string_view to,
                       const Analyte* analyte) {
  ASSIGN_OR_RETURN(Unit source, ParseUnit(from));
  ASSIGN_OR_RETURN(Unit target, ParseUnit(to));
  if (analyte != nullptr && analyte->hba1c) {
    if (IsPercent(source) && IsPermille(target)) return (value - kNgspOffset) / kNgspSlope;
    if (IsPermille(source) && IsPercent(target)) return value * kNgspSlope + kNgspOffset;
  }
  if (!source.SameDimensions(target) && analyte != nullptr) {
    source = InMoles(source, *analyte);
    target = InMoles(target, *analyte);
  }
  if (!source.SameDimensions(target)) {
    return InvalidArgument(
        "units of different dimensions, which nothing known of the analyte joins");
  }
  return (Base(value, source) - target.offset) / target.factor;
}

Result<std::string> ConvertText(std::string_view value, std::string_view from, std::string_view to,
                                const Analyte* analyte) {
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || !std::isfinite(number)) {
    return InvalidArgument("the value is no decimal number");
  }
  ASSIGN_OR_RETURN(const double converted, Convert(number, from, to, analyte));
  // Two more digits than given hold the rounding below half of the last digit given; where an
  // offset cancels leading digits (degrees), two decimals more than given do.
  char text[64];
  const int digits = std::min(SignificantDigits(value) + 2, 17);
  const size_t point = value.find('.');
  const int decimals = point == value.npos ? 0 : static_cast<int>(value.size() - point - 1);
  const bool offset = std::abs(converted) < std::abs(number) * 1e-1 &&
                      ParseUnit(from)->offset != ParseUnit(to)->offset;
  std::snprintf(text, sizeof(text), offset ? "%.*f" : "%.*g", offset ? decimals + 2 : digits,
                converted);
  return std::string(text);
}

}  // namespace galen::extract
