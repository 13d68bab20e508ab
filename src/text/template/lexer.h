// Template source to tokens. Whitespace control, trim_blocks and lstrip_blocks are settled here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace galen::jinja {

enum class TokenKind {
  kText,
  kOutputBegin,  // {{
  kOutputEnd,
  kBlockBegin,  // {%
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  int line = 1;
  std::string text;  // text, name, decoded string, operator
  int64_t integer = 0;
  double real = 0;

  bool Is(std::string_view op) const { return kind == TokenKind::kOperator && text == op; }
  bool IsName(std::string_view name) const { return kind == TokenKind::kName && text == name; }
};

// The last token is kEnd. Fails with kInvalidArgument and the line.
Result<std::vector<Token>> Tokenize(std::string_view source);

Status SyntaxError(int line, std::string_view message);

// How a message names a token: its text, "end of print statement", ...
std::string Describe(const Token& token);

}  // namespace galen::jinja
