// Units of measure: a subset of UCUM (The Unified Code for Units of Measure, version 2.1,
// https://ucum.org/ucum) as far as clinical documents need it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace galen::extract {

// Base dimensions. UCUM counts equivalents and arbitrary units among others; here they stand apart,
// since neither turns into moles without knowing the substance.
enum Dimension : uint8_t {
  kMass,         // g
  kLength,       // m
  kTime,         // s
  kAmount,       // mol
  kTemperature,  // K
  kEquivalents,  // eq
  kOsmoles,      // osm
  kArbitrary,    // [IU]
  kAcidity,      // [pH], a logarithm: converts to itself only
  kNumDimensions,
};

struct Unit {
  double factor = 1;  // value * factor + offset = value in base units
  double offset = 0;  // other than 0 for temperatures alone (Cel, [degF])
  std::array<int8_t, kNumDimensions> exponents{};

  bool SameDimensions(const Unit& other) const { return exponents == other.exponents; }
  // 1 for grams, litres, moles and so on; 0 where the dimension is absent.
  int exponent(Dimension dimension) const { return exponents[dimension]; }
};

// A UCUM code, case sensitive: "mmol/L", "10*9/L", "ug/kg/min", "mm[Hg]", "/min", "m[IU]/L".
// Annotations in braces count as 1. InvalidArgument: no code of the subset (the message does not
// repeat it: units come from documents).
Result<Unit> ParseUnit(std::string_view code);

}  // namespace galen::extract
