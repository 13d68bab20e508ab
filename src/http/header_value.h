// Values of headers: a first word and parameters (RFC 9110 5.6.6), read strictly.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace galen {

std::string Lowered(std::string_view text);           // of ASCII letters
std::string_view Trimmed(std::string_view text);      // of spaces and tabs
bool IsHeaderToken(std::string_view text);            // RFC 9110, 5.6.2
bool IsMultipartBoundary(std::string_view boundary);  // RFC 2046, 5.1.1

// "form-data; name=\"file\"; filename=\"a b.pdf\"": the first word in lower case, and the
// parameters.
class HeaderValue {
 public:
  // False: parameters that are none, or one that comes twice.
  static bool Parse(std::string_view text, HeaderValue* value);

  const std::string& word() const { return word_; }
  // Null: there is none; names in lower case.
  const std::string* Find(std::string_view name) const;

 private:
  std::string word_;
  std::vector<std::pair<std::string, std::string>> parameters_;
};

}  // namespace galen
