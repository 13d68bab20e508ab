#include "extract/units/unit.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace galen::extract {
namespace {

constexpr size_t kMaxLength = 64;
constexpr int kMaxExponent = 9;

struct Atom {
  std::string_view code;
  double factor;
  std::array<int8_t, kNumDimensions> exponents;
  bool prefixes;  // metric in UCUM's sense
  double offset = 0;
};

// UCUM tables 1 to 5 and 8. One litre is 1e-3 m3; pressures have g/(m s2).
//                          mass length time amount temperature eq osm arbitrary acidity
constexpr std::array<int8_t, kNumDimensions> kNone = {};
constexpr std::array<int8_t, kNumDimensions> kPressure = {1, -1, -2};
constexpr double kPascal = 1000;  // g/(m s2)
constexpr double kDay = 86400;
constexpr Atom kAtoms[] = {
    {"g", 1, {1}, true},
    {"m", 1, {0, 1}, true},
    {"s", 1, {0, 0, 1}, true},
    {"min", 60, {0, 0, 1}, false},
    {"h", 3600, {0, 0, 1}, false},
    {"d", kDay, {0, 0, 1}, false},
    {"wk", 7 * kDay, {0, 0, 1}, false},
    {"mo", 30.4375 * kDay, {0, 0, 1}, false},
    {"a", 365.25 * kDay, {0, 0, 1}, false},
    {"L", 1e-3, {0, 3}, true},
    {"l", 1e-3, {0, 3}, true},
    {"mol", 1, {0, 0, 0, 1}, true},
    {"K", 1, {0, 0, 0, 0, 1}, true},
    {"Cel", 1, {0, 0, 0, 0, 1}, false, 273.15},
    {"[degF]", 5.0 / 9.0, {0, 0, 0, 0, 1}, false, 459.67 * 5.0 / 9.0},
    {"eq", 1, {0, 0, 0, 0, 0, 1}, true},
    {"osm", 1, {0, 0, 0, 0, 0, 0, 1}, true},
    {"[IU]", 1, {0, 0, 0, 0, 0, 0, 0, 1}, true},
    {"[iU]", 1, {0, 0, 0, 0, 0, 0, 0, 1}, true},
    {"U", 1e-6 / 60, {0, 0, -1, 1}, true},
    {"kat", 1, {0, 0, -1, 1}, true},
    {"[pH]", 1, {0, 0, 0, 0, 0, 0, 0, 0, 1}, false},
    {"Pa", kPascal, kPressure, true},
    {"bar", 1e5 * kPascal, kPressure, true},
    {"m[Hg]", 133322.387415 * kPascal, kPressure, true},
    {"m[H2O]", 9806.65 * kPascal, kPressure, true},
    {"Hz", 1, {0, 0, -1}, true},
    {"J", kPascal, {1, 2, -2}, true},
    {"cal", 4.184 * kPascal, {1, 2, -2}, true},
    {"%", 1e-2, kNone, false},
    {"[ppm]", 1e-6, kNone, false},
    {"[in_i]", 0.0254, {0, 1}, false},
    {"[ft_i]", 0.3048, {0, 1}, false},
    {"[lb_av]", 453.59237, {1}, false},
    {"[oz_av]", 28.349523125, {1}, false},
};

struct Prefix {
  char code;
  double factor;
};
constexpr Prefix kPrefixes[] = {{'k', 1e3},  {'M', 1e6},  {'G', 1e9},  {'d', 1e-1},  {'c', 1e-2},
                                {'m', 1e-3}, {'u', 1e-6}, {'n', 1e-9}, {'p', 1e-12}, {'f', 1e-15}};

Status NoUnit() { return InvalidArgument("no unit of the UCUM subset"); }

const Atom* FindAtom(std::string_view code) {
  const auto* found = std::find_if(std::begin(kAtoms), std::end(kAtoms),
                                   [&](const Atom& a) { return a.code == code; });
  return found == std::end(kAtoms) ? nullptr : found;
}

// "mmol", "10*9", "mm[Hg]", without exponent.
bool ReadSymbol(std::string_view s, Unit* unit) {
  if (const Atom* atom = FindAtom(s)) {
    *unit = {atom->factor, atom->offset, atom->exponents};
    return true;
  }
  const Atom* atom = s.size() > 1 ? FindAtom(s.substr(1)) : nullptr;
  if (atom == nullptr || !atom->prefixes) return false;
  for (const Prefix& prefix : kPrefixes) {
    if (prefix.code != s[0]) continue;
    *unit = {prefix.factor * atom->factor, 0, atom->exponents};
    return true;
  }
  return false;
}

// An integer at the end of a component: "m2", "s-1".
std::string_view TakeExponent(std::string_view s, int* exponent) {
  size_t at = s.size();
  while (at > 0 && s[at - 1] >= '0' && s[at - 1] <= '9') --at;
  if (at == s.size() || at == 0) return s;
  if (s[at - 1] == '-' && at > 1) --at;
  const auto [end, error] = std::from_chars(s.data() + at, s.data() + s.size(), *exponent);
  return error == std::errc() && end == s.data() + s.size() ? s.substr(0, at) : s;
}

Result<Unit> ReadComponent(std::string_view s) {
  // Annotations: "{cells}", "mL{total}".
  while (!s.empty() && s.back() == '}') {
    const size_t open = s.rfind('{');
    if (open == s.npos) return NoUnit();
    s = s.substr(0, open);
    if (s.empty()) return Unit();
  }
  if (s == "1") return Unit();
  if (s.substr(0, 3) == "10*" || s.substr(0, 3) == "10^") {
    int power = 0;
    const auto [end, error] = std::from_chars(s.data() + 3, s.data() + s.size(), power);
    if (error != std::errc() || end != s.data() + s.size() || std::abs(power) > 24) return NoUnit();
    Unit unit;
    unit.factor = std::pow(10.0, power);
    return unit;
  }
  Unit unit;
  if (ReadSymbol(s, &unit)) return unit;
  int exponent = 1;
  if (!ReadSymbol(TakeExponent(s, &exponent), &unit) || exponent == 0 || unit.offset != 0 ||
      std::abs(exponent) > 4) {
    return NoUnit();
  }
  unit.factor = std::pow(unit.factor, exponent);
  for (int8_t& e : unit.exponents) e = static_cast<int8_t>(e * exponent);
  return unit;
}

}  // namespace

Result<Unit> ParseUnit(std::string_view code) {
  if (code.empty() || code.size() > kMaxLength) return NoUnit();
  Unit product;
  double direction = 1;
  bool alone = true;
  size_t at = 0;
  if (code[0] == '/') {
    direction = -1;
    at = 1;
    alone = false;
  }
  while (true) {
    size_t end = at;
    for (bool annotation = false; end < code.size(); ++end) {
      if (code[end] == '{') annotation = true;
      if (code[end] == '}') annotation = false;
      if (!annotation && (code[end] == '/' || code[end] == '.')) break;
    }
    alone = alone && end == code.size();
    ASSIGN_OR_RETURN(const Unit part, ReadComponent(code.substr(at, end - at)));
    // Degrees are points on a scale: "Cel/min" would need differences.
    if (part.offset != 0 && !alone) return NoUnit();
    product.factor *= direction > 0 ? part.factor : 1 / part.factor;
    product.offset = part.offset;
    for (size_t i = 0; i < kNumDimensions; ++i) {
      const int sum = product.exponents[i] + static_cast<int>(direction) * part.exponents[i];
      if (std::abs(sum) > kMaxExponent) return NoUnit();
      product.exponents[i] = static_cast<int8_t>(sum);
    }
    if (end == code.size()) return product;
    direction = code[end] == '/' ? -1 : 1;
    at = end + 1;
  }
}

}  // namespace galen::extract
