#include "grammar/number.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

#include "grammar/regex.h"

namespace galen::grammar {
namespace {

constexpr int64_t kMaxDigits = 400;
constexpr int64_t kMaxDivisor = 20000;  // of its digits without the point

Dfa Regex(std::string_view pattern) { return *CompileRegex(pattern, RegexMatch::kWhole); }

const Dfa& CanonicalDecimals() {
  static const Dfa dfa =
      *Combine(Regex("-?(0|[1-9][0-9]*)(\\.[0-9]+)?"), Regex("-0(\\.0+)?"), Combination::kMinus);
  return dfa;
}

// The magnitude automaton of Compared, one state per situation.
class MagnitudeComparer {
 public:
  MagnitudeComparer(const Decimal& c, bool less, bool equal, bool greater) : c_(c) {
    accept_[0] = less, accept_[1] = equal, accept_[2] = greater;
  }

  // Adds the states that read a magnitude to the builder and returns how its first digit leads on.
  void Build(DfaBuilder* builder, int from) {
    builder_ = builder;
    const int digits = static_cast<int>(c_.integer.size());
    for (char digit = '0'; digit <= '9'; ++digit) {
      const int order = Order(digit, c_.integer[0]);
      builder->Set(from, digit, digit,
                   digit == '0' ? Zero() : Integer(1, digits == 1 || order != 1 ? order : 1));
    }
  }

 private:
  static int Order(char a, char b) { return a < b ? 0 : a > b ? 2 : 1; }

  // What the text is beside c if its integer part ends after `read` digits of which the order is
  // `order`.
  int AtEnd(int read, int order) const {
    const int digits = static_cast<int>(c_.integer.size());
    return read < digits ? 0 : read > digits ? 2 : order;
  }
  bool AcceptsAt(int order, size_t fraction_read) const {
    if (order == 1 && fraction_read < c_.fraction.size()) order = 0;
    return accept_[order];
  }

  int Zero() {
    const int order = AtEnd(1, Order('0', c_.integer[0]));
    const int state = builder_->AddState(AcceptsAt(order, 0));
    builder_->Set(state, '.', '.', Fraction(order, 0, false));
    return state;
  }

  int Integer(int read, int order) {
    const int digits = static_cast<int>(c_.integer.size());
    read = std::min(read, digits + 1);
    if (read > digits) order = 2;
    const auto [it, is_new] = integers_.try_emplace({read, order}, 0);
    if (!is_new) return it->second;
    const int end = AtEnd(read, order);
    const int state = it->second = builder_->AddState(AcceptsAt(end, 0));
    for (char digit = '0'; digit <= '9'; ++digit) {
      int next = order;
      if (read < digits && order == 1) next = Order(digit, c_.integer[read]);
      builder_->Set(state, digit, digit, Integer(read + 1, next));
    }
    builder_->Set(state, '.', '.', Fraction(end, 0, false));
    return state;
  }

  int Fraction(int order, size_t read, bool any) {
    if (order != 1) read = 0;
    read = std::min(read, c_.fraction.size());
    const auto [it, is_new] = fractions_.try_emplace({order, read, any}, 0);
    if (!is_new) return it->second;
    const int state = it->second = builder_->AddState(any && AcceptsAt(order, read));
    for (char digit = '0'; digit <= '9'; ++digit) {
      int next = order;
      if (order == 1) next = Order(digit, read < c_.fraction.size() ? c_.fraction[read] : '0');
      const int to = Fraction(next, read + 1, true);
      builder_->Set(state, digit, digit, to);
    }
    return state;
  }

  const Decimal& c_;
  bool accept_[3];
  DfaBuilder* builder_ = nullptr;
  std::map<std::pair<int, int>, int> integers_;
  std::map<std::tuple<int, size_t, bool>, int> fractions_;
};

// Digits of a number without its point, and how many stand behind it.
Result<std::pair<int64_t, int>> Scaled(const Decimal& d) {
  const std::string digits = d.integer + d.fraction;
  if (digits.size() > 15) return ResourceExhausted("a number of more than 15 digits");
  return std::pair<int64_t, int>{std::strtoll(digits.c_str(), nullptr, 10),
                                 static_cast<int>(d.fraction.size())};
}

}  // namespace

std::string Decimal::Text() const {
  return (negative ? "-" : "") + integer + (fraction.empty() ? "" : "." + fraction);
}

Result<Decimal> DecimalOf(std::string_view json_number) {
  const std::string text(json_number);
  Decimal d;
  const size_t e = text.find_first_of("eE");
  // Beyond this the point is past all digits that are allowed, whatever the others are.
  constexpr int64_t kMostExponent = 1'000'000'000;
  const int64_t exponent = e == text.npos ? 0
                                          : std::clamp<int64_t>(std::atoll(text.c_str() + e + 1),
                                                                -kMostExponent, kMostExponent);
  std::string digits;
  int64_t point = -1;  // digits in front of the point
  for (const char c : text.substr(0, e)) {
    if (c == '-') d.negative = true;
    if (c == '.') point = static_cast<int64_t>(digits.size());
    if (c >= '0' && c <= '9') digits += c;
  }
  if (digits.find_first_not_of('0') == digits.npos) return Decimal{false, "0", ""};
  if (point < 0) point = static_cast<int64_t>(digits.size());
  point += exponent;
  if (std::llabs(point) > kMaxDigits || digits.size() > kMaxDigits)
    return ResourceExhausted("a number of more than " + std::to_string(kMaxDigits) + " digits");
  if (point < 0) digits.insert(0, static_cast<size_t>(-point), '0'), point = 0;
  if (point > static_cast<int64_t>(digits.size()))
    digits.append(static_cast<size_t>(point) - digits.size(), '0');
  d.integer = digits.substr(0, static_cast<size_t>(point));
  d.fraction = digits.substr(static_cast<size_t>(point));
  d.integer.erase(0, std::min(d.integer.find_first_not_of('0'), d.integer.size()));
  if (d.integer.empty()) d.integer = "0";
  d.fraction.erase(d.fraction.find_last_not_of('0') + 1);
  if (d.is_zero()) d.negative = false;
  return d;
}

int Compare(const Decimal& a, const Decimal& b) {
  if (a.negative != b.negative) return a.negative ? -1 : 1;
  int order = 0;
  if (a.integer.size() != b.integer.size())
    order = a.integer.size() < b.integer.size() ? -1 : 1;
  else if (a.integer != b.integer)
    order = a.integer < b.integer ? -1 : 1;
  else if (a.fraction != b.fraction)
    order = a.fraction < b.fraction ? -1 : 1;
  return a.negative ? -order : order;
}

Result<bool> IsMultiple(const Decimal& value, const Decimal& divisor) {
  ASSIGN_OR_RETURN(const auto scaled, Scaled(divisor));
  const auto [n, k] = scaled;
  if (static_cast<int>(value.fraction.size()) > k) return false;
  std::string digits = value.integer + value.fraction;
  digits.append(static_cast<size_t>(k) - value.fraction.size(), '0');
  int64_t rest = 0;
  for (const char c : digits) rest = (rest * 10 + (c - '0')) % n;
  return rest == 0;
}

Dfa AnyNumber() {
  static const Dfa dfa =
      *Combine(CanonicalDecimals(),
               Regex("-?([1-9][0-9]*(\\.[0-9]+)?|0\\.[0-9]*[1-9][0-9]*)[eE][-+]?[0-9]{1,2}"),
               Combination::kOr);
  return dfa;
}

Dfa IntegerTexts() {
  static const Dfa dfa = Regex("0|-?[1-9][0-9]*");
  return dfa;
}

Dfa Decimals() { return CanonicalDecimals(); }

Dfa IntegerValues() {
  static const Dfa dfa =
      *Combine(CanonicalDecimals(), Regex("-?[0-9]+(\\.0+)?"), Combination::kAnd);
  return dfa;
}

Dfa Compared(const Decimal& c, bool less, bool equal, bool greater) {
  DfaBuilder builder;
  const int start = builder.AddState(false);
  const int minus = builder.AddState(false);
  builder.Set(start, '-', '-', minus);
  const Decimal all;  // zero: every magnitude is equal or greater
  if (c.negative) {
    MagnitudeComparer(c, greater, equal, less).Build(&builder, minus);
    MagnitudeComparer(all, greater, greater, greater).Build(&builder, start);
  } else {
    MagnitudeComparer(all, less, less, less).Build(&builder, minus);
    MagnitudeComparer(c, less, equal, greater).Build(&builder, start);
  }
  return *Combine(builder.Build(), CanonicalDecimals(), Combination::kAnd);
}

Result<Dfa> MultiplesOf(const Decimal& divisor) {
  Result<std::pair<int64_t, int>> scaled = Scaled(divisor);
  if (!scaled.ok() || scaled->first * (scaled->second + 1) > kMaxDivisor) {
    return ResourceExhausted("multiples of " + divisor.Text() + " take an automaton of more than " +
                             std::to_string(kMaxDivisor) + " states");
  }
  const auto [n, k] = *scaled;
  const auto divides = [n = n](int64_t rest, int zeros) {
    for (int i = 0; i < zeros; ++i) rest = rest * 10 % n;
    return rest == 0;
  };
  DfaBuilder builder;
  const int start = builder.AddState(false);
  const int minus = builder.AddState(false);
  builder.Set(start, '-', '-', minus);
  // States of the integer part by remainder, of the fraction by remainder and digits read.
  std::vector<int> whole, point;
  std::vector<std::vector<int>> fraction(k + 1);
  for (int64_t r = 0; r < n; ++r) {
    whole.push_back(builder.AddState(divides(r, k)));
    point.push_back(builder.AddState(false));
    for (int j = 1; j <= k; ++j) fraction[j].push_back(builder.AddState(divides(r, k - j)));
  }
  // Behind the last digit that matters come zeros only.
  std::vector<int> zeros;
  if (k == 0) {
    for (int64_t r = 0; r < n; ++r) zeros.push_back(builder.AddState(r == 0));
  }
  for (int64_t r = 0; r < n; ++r) {
    builder.Set(whole[r], '.', '.', point[r]);
    for (int digit = 0; digit <= 9; ++digit) {
      const uint8_t c = static_cast<uint8_t>('0' + digit);
      const int64_t next = (r * 10 + digit) % n;
      builder.Set(whole[r], c, c, whole[next]);
      if (k > 0) builder.Set(point[r], c, c, fraction[1][next]);
      for (int j = 1; j < k; ++j) builder.Set(fraction[j][r], c, c, fraction[j + 1][next]);
    }
    if (k > 0) {
      builder.Set(fraction[k][r], '0', '0', fraction[k][r]);
    } else {
      builder.Set(point[r], '0', '0', zeros[r]);
      builder.Set(zeros[r], '0', '0', zeros[r]);
    }
  }
  for (int digit = 0; digit <= 9; ++digit) {
    const uint8_t c = static_cast<uint8_t>('0' + digit);
    builder.Set(start, c, c, whole[digit % n]);
    builder.Set(minus, c, c, whole[digit % n]);
  }
  return Combine(builder.Build(), CanonicalDecimals(), Combination::kAnd);
}

}  // namespace galen::grammar
