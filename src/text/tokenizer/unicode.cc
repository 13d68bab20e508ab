#include "text/tokenizer/unicode.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace galen::text {
namespace {

struct LowerRun {
  uint32_t first, last, step;
  int32_t distance;
};

#include "text/tokenizer/unicode_tables.inc"

template <size_t N>
bool InTable(const CodeRange (&table)[N], char32_t c) {
  const auto* end = table + N;
  const auto* it =
      std::lower_bound(table, end, c, [](const CodeRange& r, char32_t v) { return r.last < v; });
  return it != end && it->first <= c;
}

// The length of the well-formed character at s[i], or 0; then *bad is the length of the maximal
// ill-formed part and *truncated tells whether it only lacks bytes behind the end of s.
size_t WellFormed(std::string_view s, size_t i, size_t* bad, bool* truncated) {
  const auto at = [&](size_t k) { return static_cast<unsigned char>(s[k]); };
  *bad = 1;
  *truncated = false;
  const unsigned lead = at(i);
  size_t length;
  unsigned low = 0x80, high = 0xBF;
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  for (size_t k = 1; k < length; ++k) {
    if (i + k >= s.size()) {
      *bad = k;
      *truncated = true;
      return 0;
    }
    if (at(i + k) < low || at(i + k) > high) {
      *bad = k;
      return 0;
    }
    low = 0x80;
    high = 0xBF;
  }
  return length;
}

}  // namespace

char32_t CharAt(std::string_view s, size_t i) {
  const auto at = [&](size_t k) { return static_cast<unsigned char>(s[i + k]); };
  const unsigned lead = at(0);
  if (lead < 0x80) return lead;
  const size_t left = s.size() - i;
  if (lead < 0xE0) return left < 2 ? lead : (lead & 0x1F) << 6 | (at(1) & 0x3F);
  if (lead < 0xF0)
    return left < 3 ? lead : (lead & 0x0F) << 12 | (at(1) & 0x3F) << 6 | (at(2) & 0x3F);
  return left < 4
             ? lead
             : (lead & 0x07) << 18 | (at(1) & 0x3F) << 12 | (at(2) & 0x3F) << 6 | (at(3) & 0x3F);
}

char32_t CharBefore(std::string_view s, size_t end, size_t* start) {
  size_t i = end - 1;
  while (i > 0 && (s[i] & 0xC0) == 0x80) --i;
  *start = i;
  return CharAt(s, i);
}

void AppendUtf8(char32_t c, std::string* out) {
  if (c < 0x80) {
    out->push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    const char b[] = {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 0x3F))};
    out->append(b, 2);
  } else if (c < 0x10000) {
    const char b[] = {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3F)),
                      static_cast<char>(0x80 | (c & 0x3F))};
    out->append(b, 3);
  } else {
    const char b[] = {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3F)),
                      static_cast<char>(0x80 | (c >> 6 & 0x3F)),
                      static_cast<char>(0x80 | (c & 0x3F))};
    out->append(b, 4);
  }
}

size_t CountChars(std::string_view s) {
  return std::count_if(s.begin(), s.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

size_t ValidUtf8Prefix(std::string_view s) {
  size_t i = 0;
  while (i < s.size()) {
    uint64_t word;
    if (i + 8 <= s.size() &&
        (std::memcpy(&word, s.data() + i, 8), (word & 0x8080808080808080u) == 0)) {
      i += 8;
      continue;
    }
    size_t bad;
    bool truncated;
    const size_t length = WellFormed(s, i, &bad, &truncated);
    if (length == 0) return i;
    i += length;
  }
  return i;
}

size_t AppendLossy(std::string_view s, bool hold_tail, std::string* out) {
  for (;;) {
    const size_t good = ValidUtf8Prefix(s);
    out->append(s.substr(0, good));
    s.remove_prefix(good);
    if (s.empty()) return 0;
    size_t bad;
    bool truncated;
    WellFormed(s, 0, &bad, &truncated);
    if (truncated && hold_tail) return s.size();
    out->append(kReplacement);
    s.remove_prefix(bad);
  }
}

bool IsWhitespace(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool IsWord(char32_t c) { return InTable(kWordChars, c); }
bool IsNumeric(char32_t c) { return InTable(kNumericChars, c); }
bool IsPunctuation(char32_t c) { return InTable(kPunctuationChars, c); }
bool IsStrippedMark(char32_t c) { return c >= 0x300 && InTable(kStrippedMarks, c); }
bool JoinsCluster(char32_t c) { return c >= 0x300 && InTable(kClusterJoiners, c); }

void AppendLower(char32_t c, std::string* out) {
  if (c < 0x80) {
    out->push_back(static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c));
    return;
  }
  if (c == 0x130) {
    out->append("i\xCC\x87");
    return;
  }
  // Runs do not overlap, so only the last one that starts at or before c can hold it.
  const auto* it = std::upper_bound(std::begin(kLowerRuns), std::end(kLowerRuns), c,
                                    [](char32_t v, const LowerRun& r) { return v < r.first; });
  if (it != std::begin(kLowerRuns)) {
    --it;
    if (c <= it->last && (c - it->first) % it->step == 0)
      c = static_cast<char32_t>(static_cast<int32_t>(c) + it->distance);
  }
  AppendUtf8(c, out);
}

std::span<const CodeRange> NewInCategory(std::string_view category) {
  struct Entry {
    std::string_view name;
    std::span<const CodeRange> ranges;
  };
  static constexpr Entry kEntries[] = {{"Lu", kNewLu}, {"Ll", kNewLl}, {"Lm", kNewLm},
                                       {"Lo", kNewLo}, {"Mn", kNewMn}, {"Mc", kNewMc},
                                       {"Nd", kNewNd}, {"No", kNewNo}, {"Pd", kNewPd},
                                       {"Po", kNewPo}, {"Sm", kNewSm}, {"So", kNewSo}};
  for (const Entry& entry : kEntries) {
    if (entry.name == category) return entry.ranges;
  }
  return {};
}

std::span<const CodeRange> WordExtra() { return kWordExtra; }

}  // namespace galen::text
