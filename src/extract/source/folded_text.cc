#include "extract/source/index.h"

namespace galen::extract {
namespace {

bool Digit(char c) { return c >= '0' && c <= '9'; }

// Signs that other signs stand for; "" leaves out, though it separates.
constexpr std::pair<std::string_view, std::string_view> kSame[] = {
    {"µ", "u"}, {"μ", "u"}, {"≤", "<="},  {"≥", ">="},    {"ﬁ", "fi"},    {"ﬂ", "fl"}, {"¹", "1"},
    {"²", "2"}, {"³", "3"}, {"⁴", "4"},   {"⁵", "5"},     {"⁶", "6"},     {"⁷", "7"},  {"⁸", "8"},
    {"⁹", "9"}, {"⁰", "0"}, {"½", "1|2"}, {"\u00a0", ""}, {"\u00ad", ""}, {"·", ""},   {"×", ""},
    {"«", ""},  {"»", ""},  {"º", ""},    {"°", ""},      {"−", ""},      {"•", ""}};

}  // namespace

void FoldedText::Put(char c, size_t owner) {
  if (apart_ && Digit(c) && !text_.empty() && Digit(text_.back())) {
    text_ += '|';
    owners_.push_back(owner);
    boundaries_.push_back(true);
  }
  text_ += c;
  owners_.push_back(owner);
  boundaries_.push_back(apart_);
  apart_ = false;
}

void FoldedText::Append(std::string_view word, size_t owner) {
  apart_ = true;
  for (size_t i = 0; i < word.size(); ++i) {
    const char c = word[i];
    const auto byte = static_cast<unsigned char>(c);
    if (c == '.' || c == ',') {
      const bool inside = i > 0 && Digit(word[i - 1]) && i + 1 < word.size() && Digit(word[i + 1]);
      if (inside) {
        Put('.', owner);
      } else {
        apart_ = true;
      }
      continue;
    }
    if (byte < 0x80) {
      const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || Digit(c);
      if (letter) {
        Put(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c, owner);
      } else if (c == '<' || c == '>' || c == '=' || c == '%' || c == '+') {
        apart_ = true;
        Put(c, owner);
        apart_ = true;
      } else {
        apart_ = true;
      }
      continue;
    }
    bool replaced = false;
    for (const auto& [from, to] : kSame) {
      if (!word.substr(i).starts_with(from)) continue;
      if (to.empty()) apart_ = true;
      for (const char t : to) Put(t, owner);
      i += from.size() - 1;
      replaced = true;
      break;
    }
    if (replaced) continue;
    // General punctuation, U+2000 to U+203F: spaces, dashes, quotation marks.
    if (byte == 0xE2 && i + 2 < word.size() && static_cast<unsigned char>(word[i + 1]) == 0x80) {
      apart_ = true;
      i += 2;
      continue;
    }
    // Capitals of Latin-1: À to Þ without the multiplication sign.
    const bool after_c3 = i > 0 && static_cast<unsigned char>(word[i - 1]) == 0xC3;
    Put(after_c3 && byte >= 0x80 && byte <= 0x9E && byte != 0x97 ? static_cast<char>(byte + 0x20)
                                                                 : c,
        owner);
  }
}

std::string FoldText(std::string_view text) {
  FoldedText folded;
  folded.Append(text, 0);
  return folded.text();
}

std::string CanonicalNumber(std::string_view text) {
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  std::string whole, part;
  bool point = false;
  for (const char c : text) {
    if (c == '.' && !point) {
      point = true;
    } else if (Digit(c)) {
      (point ? part : whole) += c;
    } else {
      return "";
    }
  }
  if (whole.empty() && part.empty()) return "";
  whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
  const size_t last = part.find_last_not_of('0');
  part.erase(last == part.npos ? 0 : last + 1);
  if (whole.empty()) whole = "0";
  std::string number = part.empty() ? whole : whole + "." + part;
  return negative && number != "0" ? "-" + number : number;
}

}  // namespace galen::extract
