#include "text/tokenizer/charsmap.h"

#include <unicode/uchar.h>

#include <cstring>

#include "text/tokenizer/unicode.h"

namespace galen::text {
namespace {

// Fields of a darts-clone unit.
bool HasLeaf(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t Label(uint32_t unit) { return unit & (1u << 31 | 0xFF); }
uint32_t Offset(uint32_t unit) { return (unit >> 10) << ((unit & 1u << 9) >> 6); }

int Break(char32_t c) {
  return u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_GRAPHEME_CLUSTER_BREAK);
}

bool IsPictographic(char32_t c) {
  return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_EXTENDED_PICTOGRAPHIC);
}

}  // namespace

Result<Charsmap> Charsmap::Parse(std::string_view blob) {
  uint32_t trie_bytes = 0;
  if (blob.size() < sizeof trie_bytes)
    return DataLoss("precompiled charsmap: " + std::to_string(blob.size()) + " bytes");
  std::memcpy(&trie_bytes, blob.data(), sizeof trie_bytes);
  blob.remove_prefix(sizeof trie_bytes);
  if (trie_bytes == 0 || trie_bytes % sizeof(uint32_t) != 0 || trie_bytes > blob.size()) {
    return DataLoss("precompiled charsmap: a trie of " + std::to_string(trie_bytes) + " bytes in " +
                    std::to_string(blob.size()));
  }
  Charsmap map;
  map.units_.resize(trie_bytes / sizeof(uint32_t));
  std::memcpy(map.units_.data(), blob.data(), trie_bytes);
  map.replacements_ = blob.substr(trie_bytes);
  if (ValidUtf8Prefix(map.replacements_) != map.replacements_.size()) {
    return DataLoss("precompiled charsmap: replacements are not UTF-8");
  }
  map.replacements_.push_back('\0');
  return map;
}

Charsmap::Match Charsmap::Find(std::string_view text, bool shortest) const {
  Match match;
  size_t node = Offset(units_[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte == 0) break;
    node ^= byte;
    if (node >= units_.size() || Label(units_[node]) != byte) break;
    const uint32_t unit = units_[node];
    node ^= Offset(unit);
    if (node >= units_.size()) break;
    if (!HasLeaf(unit)) continue;
    const uint32_t at = units_[node] & 0x7FFFFFFF;
    if (at >= replacements_.size() || (replacements_[at] & 0xC0) == 0x80) break;  // a corrupt table
    match = {i + 1, std::string_view(replacements_.data() + at)};
    if (shortest) break;
  }
  return match;
}

void Charsmap::NormalizeClusters(std::string_view text, std::string* out) const {
  while (!text.empty()) {
    const std::string_view cluster = text.substr(0, GraphemeLength(text));
    text.remove_prefix(cluster.size());
    if (cluster.size() < 6) {
      const Match match = Shortest(cluster);
      if (match.length != 0) {
        out->append(match.replacement);
        continue;
      }
    }
    for (size_t i = 0; i < cluster.size();) {
      const std::string_view c = cluster.substr(i, Utf8Length(cluster[i]));
      const Match match = Shortest(c);
      out->append(match.length != 0 ? match.replacement : c);
      i += c.size();
    }
  }
}

size_t GraphemeLength(std::string_view text) {
  char32_t c = CharAt(text, 0);
  size_t i = Utf8Length(text[0]);
  if (i == text.size()) return i;
  char32_t next = CharAt(text, i);
  if (c == '\r') return next == '\n' ? 2 : 1;
  if (c < 0x300 && next < 0x300 && next != 0xAD)
    return i;  // no marks there; U+00AD is a control as well
  int kind = Break(c);
  // Rules GB3 to GB13 of UAX #29. State: is c the end of ExtPict Extend*, and how many regional
  // indicators end at c.
  bool pictographic = IsPictographic(c);
  bool zwj_after_pictographic = false;
  bool odd_regional = kind == U_GCB_REGIONAL_INDICATOR;
  while (i < text.size()) {
    next = CharAt(text, i);
    const int to = Break(next);
    const bool joiner = JoinsCluster(next);  // newer than ICU's properties
    const bool control = kind == U_GCB_CONTROL || kind == U_GCB_CR || kind == U_GCB_LF;
    const bool to_control = to == U_GCB_CONTROL || to == U_GCB_CR || to == U_GCB_LF;
    bool join = false;
    if (control || to_control) {
      join = false;
    } else if (kind == U_GCB_L &&
               (to == U_GCB_L || to == U_GCB_V || to == U_GCB_LV || to == U_GCB_LVT)) {
      join = true;
    } else if ((kind == U_GCB_LV || kind == U_GCB_V) && (to == U_GCB_V || to == U_GCB_T)) {
      join = true;
    } else if ((kind == U_GCB_LVT || kind == U_GCB_T) && to == U_GCB_T) {
      join = true;
    } else if (joiner || kind == U_GCB_PREPEND) {
      join = true;
    } else if (zwj_after_pictographic && IsPictographic(next)) {
      join = true;
    } else if (odd_regional && to == U_GCB_REGIONAL_INDICATOR) {
      join = true;
    }
    if (!join) break;
    zwj_after_pictographic = pictographic && to == U_GCB_ZWJ;
    pictographic = IsPictographic(next) ||
                   (pictographic && joiner && to != U_GCB_ZWJ && to != U_GCB_SPACING_MARK);
    odd_regional = to == U_GCB_REGIONAL_INDICATOR && !odd_regional;
    kind = to;
    c = next;
    i += Utf8Length(text[i]);
  }
  return i;
}

}  // namespace galen::text
