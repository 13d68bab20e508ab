// Sets of JSON numbers as automata over their texts. Texts are decimals without an exponent
// ("-12.50"), where a set is more than "all numbers"; zero has no sign.
#pragma once

#include <string>
#include <string_view>

#include "grammar/dfa.h"

namespace galen::grammar {

// An exact decimal number: sign, integer without leading zeros (at least "0"), fraction without
// trailing ones.
struct Decimal {
  bool negative = false;
  std::string integer = "0";
  std::string fraction;

  bool is_zero() const { return integer == "0" && fraction.empty(); }
  bool is_integer() const { return fraction.empty(); }
  std::string Text() const;
};

// Of a JSON number, exponents expanded. ResourceExhausted beyond 400 digits.
Result<Decimal> DecimalOf(std::string_view json_number);
int Compare(const Decimal& a, const Decimal& b);  // -1, 0, 1
// ResourceExhausted for divisors that are no product of at most 15 digits and a power of ten.
Result<bool> IsMultiple(const Decimal& value, const Decimal& divisor);

Dfa AnyNumber();      // with exponents of at most two digits, beside decimals
Dfa IntegerTexts();   // "-12": no fraction
Dfa Decimals();       // "-12.50"
Dfa IntegerValues();  // decimals whose value is whole: "12.0" too
// Decimals whose value is less than, equal to or greater than c, as the flags say.
Dfa Compared(const Decimal& c, bool less, bool equal, bool greater);
// Decimals that are multiples of a positive number.
Result<Dfa> MultiplesOf(const Decimal& divisor);

}  // namespace galen::grammar
