// Texts, numbers and UIDs as DICOM has them.
#include "extract/output/passed_on.h"
#include "extract/output/sr_tree.h"
#include "text/tokenizer/unicode.h"

namespace galen::extract::sr {

std::string UidOfUuid(std::string_view hex) {
  std::string decimal = "0";  // least digit first
  for (const char c : hex) {
    int carry = c <= '9' ? c - '0' : c - 'a' + 10;
    for (char& digit : decimal) {
      carry += 16 * (digit - '0');
      digit = static_cast<char>('0' + carry % 10);
      carry /= 10;
    }
    for (; carry > 0; carry /= 10) decimal += static_cast<char>('0' + carry % 10);
  }
  return "2.25." + std::string(decimal.rbegin(), decimal.rend());
}

std::string ShortText(std::string_view text, size_t most) {
  std::string whole;
  text::AppendLossy(text, false, &whole);
  std::string line;
  size_t chars = 0;
  for (const char c : Clean(whole)) {
    const bool begins = (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    if (begins && ++chars > most) break;
    line += c == '\n' || c == '\t' ? ' ' : c == '\\' ? '/' : c;
  }
  return Clean(line);
}

std::string LongText(std::string_view text) {
  std::string whole, lines;
  text::AppendLossy(text, false, &whole);
  for (const char c : Clean(whole)) lines += c == '\n' ? std::string("\r\n") : std::string(1, c);
  return lines;
}

}  // namespace galen::extract::sr
