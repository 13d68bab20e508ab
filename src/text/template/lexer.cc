#include "text/template/lexer.h"

#include <charconv>
#include <cstdlib>
#include <optional>

#include "text/template/text_util.h"

namespace galen::jinja {
namespace {

// One kind of line end, and no line end at the very end.
std::string NormalizeLineEnds(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

int CountLines(std::string_view s) {
  int lines = 0;
  for (const char c : s) lines += c == '\n';
  return lines;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
 public:
  explicit Lexer(std::string source) : source_(std::move(source)), s_(source_) {}

  Result<std::vector<Token>> Run() {
    while (pos_ < s_.size()) RETURN_IF_ERROR(Root());
    Push(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  Status Root();
  Status Comment();
  Status Raw();
  Status Tag(TokenKind end);
  Status Number();
  Status String();
  Status Operator();
  void Text(std::string_view text, char sign, bool is_output);

  bool At(std::string_view what, size_t at) const { return s_.substr(at, what.size()) == what; }
  size_t SkipSpace(size_t at) const {
    while (at < s_.size()) {
      size_t next = at;
      if (!IsSpace(NextChar(s_, &next))) break;
      at = next;
    }
    return at;
  }
  // End of a raw marker "{%- raw %}" that begins at `at`; nothing where there is none.
  std::optional<size_t> RawBegin(size_t at, char* sign) const;
  // End of a closing marker at `at`: "-%}" with the whitespace after it, "+%}", or "%}" with one
  // line end.
  std::optional<size_t> Close(std::string_view marker, size_t at) const;
  void Push(TokenKind kind, std::string text) {
    Token token;
    token.kind = kind;
    token.line = line_;
    token.text = std::move(text);
    tokens_.push_back(std::move(token));
  }
  // Moves to `end`; the text passed counts for lines and for the question whether a line begins
  // here.
  void Advance(size_t end) {
    line_ += CountLines(s_.substr(pos_, end - pos_));
    if (end > pos_) line_starting_ = s_[end - 1] == '\n';
    pos_ = end;
  }

  const std::string source_;
  const std::string_view s_;
  size_t pos_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

std::optional<size_t> Lexer::RawBegin(size_t at, char* sign) const {
  size_t i = at + 2;
  *sign = 0;
  if (i < s_.size() && (s_[i] == '-' || s_[i] == '+')) *sign = s_[i++];
  i = SkipSpace(i);
  if (!At("raw", i)) return std::nullopt;
  i = SkipSpace(i + 3);
  if (At("-%}", i)) return SkipSpace(i + 3);
  if (At("%}", i)) return i + 2;
  return std::nullopt;
}

std::optional<size_t> Lexer::Close(std::string_view marker, size_t at) const {
  if (at >= s_.size()) return std::nullopt;
  const bool output = marker == "}}";
  if (s_[at] == '-' && At(marker, at + 1)) return SkipSpace(at + 3);
  if (s_[at] == '+' && !output && At(marker, at + 1)) return at + 3;
  if (!At(marker, at)) return std::nullopt;
  const size_t end = at + 2;
  return !output && end < s_.size() && s_[end] == '\n' ? end + 1 : end;
}

// Emits the text before a tag, after what the tag's sign and lstrip_blocks take from its end.
void Lexer::Text(std::string_view text, char sign, bool is_output) {
  std::string_view kept = text;
  if (sign == '-') {
    kept = StripRight(text);
  } else if (sign != '+' && !is_output) {
    const size_t newline = text.rfind('\n');
    const size_t line = newline == std::string_view::npos ? 0 : newline + 1;
    if ((line > 0 || line_starting_) && StripLeft(text.substr(line)).empty())
      kept = text.substr(0, line);
  }
  if (!kept.empty()) Push(TokenKind::kText, std::string(kept));
}

Status Lexer::Root() {
  size_t at = pos_;
  for (; at < s_.size(); ++at) {
    at = s_.find('{', at);
    if (at == std::string_view::npos || at + 1 >= s_.size()) {
      at = s_.size();
      break;
    }
    if (s_[at + 1] == '{' || s_[at + 1] == '%' || s_[at + 1] == '#') break;
  }
  if (at >= s_.size()) {
    Push(TokenKind::kText, std::string(s_.substr(pos_)));
    Advance(s_.size());
    return OkStatus();
  }
  const char type = s_[at + 1];
  const std::string_view text = s_.substr(pos_, at - pos_);
  char sign = 0;
  if (type == '%') {
    if (const auto end = RawBegin(at, &sign)) {
      Text(text, sign, false);
      Advance(*end);
      return Raw();
    }
  }
  size_t end = at + 2;
  sign = 0;
  if (end < s_.size() && (s_[end] == '-' || s_[end] == '+')) sign = s_[end++];
  Text(text, sign, type == '{');
  Advance(end);
  if (type == '#') return Comment();
  Push(type == '{' ? TokenKind::kOutputBegin : TokenKind::kBlockBegin, "");
  return Tag(type == '{' ? TokenKind::kOutputEnd : TokenKind::kBlockEnd);
}

Status Lexer::Comment() {
  for (size_t at = pos_; at < s_.size(); ++at) {
    if (const auto end = Close("#}", at)) {
      Advance(*end);
      return OkStatus();
    }
  }
  return SyntaxError(line_, "Missing end of comment tag");
}

Status Lexer::Raw() {
  for (size_t at = pos_; (at = s_.find("{%", at)) != std::string_view::npos; ++at) {
    size_t i = at + 2;
    char sign = 0;
    if (i < s_.size() && (s_[i] == '-' || s_[i] == '+')) sign = s_[i++];
    i = SkipSpace(i);
    if (!At("endraw", i)) continue;
    if (const auto end = Close("%}", SkipSpace(i + 6))) {
      Text(s_.substr(pos_, at - pos_), sign, false);
      Advance(*end);
      return OkStatus();
    }
  }
  return SyntaxError(line_, "Missing end of raw directive");
}

Status Lexer::Tag(TokenKind end_kind) {
  const std::string_view marker = end_kind == TokenKind::kOutputEnd ? "}}" : "%}";
  std::string open;  // brackets that wait for their partner
  while (pos_ < s_.size()) {
    if (open.empty()) {
      if (const auto end = Close(marker, pos_)) {
        Push(end_kind, "");
        Advance(*end);
        return OkStatus();
      }
    }
    const size_t after_space = SkipSpace(pos_);
    if (after_space != pos_) {
      Advance(after_space);
      continue;
    }
    const char c = s_[pos_];
    size_t next = pos_;
    if (IsDigit(c)) {
      RETURN_IF_ERROR(Number());
    } else if (const char32_t first = NextChar(s_, &next); IsIdentifierPart(first)) {
      if (!IsIdentifierStart(first)) return SyntaxError(line_, "Invalid character in identifier");
      size_t end = next;
      while (end < s_.size()) {
        next = end;
        if (!IsIdentifierPart(NextChar(s_, &next))) break;
        end = next;
      }
      Push(TokenKind::kName, std::string(s_.substr(pos_, end - pos_)));
      Advance(end);
    } else if (c == '\'' || c == '"') {
      RETURN_IF_ERROR(String());
    } else {
      if (c == '(') open += ')';
      if (c == '[') open += ']';
      if (c == '{') open += '}';
      if (c == ')' || c == ']' || c == '}') {
        if (open.empty()) return SyntaxError(line_, std::string("unexpected '") + c + "'");
        if (open.back() != c) {
          return SyntaxError(line_,
                             std::string("unexpected '") + c + "', expected '" + open.back() + "'");
        }
        open.pop_back();
      }
      RETURN_IF_ERROR(Operator());
    }
  }
  return OkStatus();  // the parser says what is missing
}

Status Lexer::Operator() {
  for (const std::string_view op : {"//", "**", "==", "!=", ">=", "<="}) {
    if (At(op, pos_)) {
      Push(TokenKind::kOperator, std::string(op));
      Advance(pos_ + 2);
      return OkStatus();
    }
  }
  if (std::string_view("+-/*%~[](){}><=.:|,;").find(s_[pos_]) == std::string_view::npos) {
    size_t next = pos_;
    NextChar(s_, &next);
    return SyntaxError(line_, "unexpected char " + ReprText(s_.substr(pos_, next - pos_)));
  }
  Push(TokenKind::kOperator, std::string(1, s_[pos_]));
  Advance(pos_ + 1);
  return OkStatus();
}

// Reads "1_000", "1.5e-3", "0x1F" and the like.
Status Lexer::Number() {
  // Digits with single underscores between them; the position behind them.
  const auto digits = [&](size_t at, auto is_digit) {
    size_t end = at;
    while (end < s_.size()) {
      if (is_digit(s_[end])) {
        ++end;
      } else if (s_[end] == '_' && end > at && end + 1 < s_.size() && is_digit(s_[end + 1])) {
        end += 2;
      } else {
        break;
      }
    }
    return end;
  };
  const auto plain = [&](size_t begin, size_t end) {
    std::string text;
    for (size_t i = begin; i < end; ++i) {
      if (s_[i] != '_') text += s_[i];
    }
    return text;
  };
  const size_t whole = digits(pos_, IsDigit);
  const bool after_dot = pos_ > 0 && s_[pos_ - 1] == '.';
  size_t end = whole;
  if (!after_dot) {
    if (end + 1 < s_.size() && s_[end] == '.' && IsDigit(s_[end + 1]))
      end = digits(end + 1, IsDigit);
    if (end < s_.size() && (s_[end] == 'e' || s_[end] == 'E')) {
      size_t exponent = end + 1;
      if (exponent < s_.size() && (s_[exponent] == '+' || s_[exponent] == '-')) ++exponent;
      if (exponent < s_.size() && IsDigit(s_[exponent])) end = digits(exponent, IsDigit);
    }
  }
  if (end > whole) {
    Push(TokenKind::kFloat, plain(pos_, end));
    tokens_.back().real = std::strtod(tokens_.back().text.c_str(), nullptr);
    Advance(end);
    return OkStatus();
  }
  int base = 10;
  size_t begin = pos_;
  if (s_[pos_] == '0') {
    const char x = pos_ + 1 < s_.size() ? static_cast<char>(s_[pos_ + 1] | 0x20) : '0';
    base = x == 'x' ? 16 : x == 'o' ? 8 : x == 'b' ? 2 : 10;
    const auto in_base = [base](char c) {
      const char l = static_cast<char>(c | 0x20);
      return (c >= '0' && c < '0' + (base < 10 ? base : 10)) ||
             (base == 16 && l >= 'a' && l <= 'f');
    };
    size_t first = pos_ + 2;
    if (first < s_.size() && s_[first] == '_') ++first;
    if (base != 10 && digits(first, in_base) > first) {
      begin = first;
      end = digits(first, in_base);
    } else {
      base = 10;
      end = digits(pos_, [](char c) { return c == '0'; });
    }
  }
  Push(TokenKind::kInteger, plain(begin, end));
  Token& token = tokens_.back();
  const auto parsed = std::from_chars(token.text.data(), token.text.data() + token.text.size(),
                                      token.integer, base);
  if (parsed.ec != std::errc())
    return SyntaxError(line_, "integer " + token.text + " does not fit into 64 bits");
  Advance(end);
  return OkStatus();
}

// Reads a quoted string with Python's escapes; an unknown escape keeps its backslash.
Status Lexer::String() {
  const char quote = s_[pos_];
  std::string out;
  size_t i = pos_ + 1;
  const auto hex = [&](int count, const char* name) -> Result<char32_t> {
    char32_t value = 0;
    for (int k = 0; k < count; ++k, ++i) {
      const char c = i < s_.size() ? s_[i] : 0;
      const char l = static_cast<char>(c | 0x20);
      if (!IsDigit(c) && !(l >= 'a' && l <= 'f'))
        return SyntaxError(line_, std::string("truncated ") + name + " escape");
      value = value * 16 + static_cast<char32_t>(IsDigit(c) ? c - '0' : l - 'a' + 10);
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
      return SyntaxError(line_, std::string("a ") + name + " escape is no Unicode character");
    }
    return value;
  };
  for (; i < s_.size() && s_[i] != quote;) {
    if (s_[i] != '\\') {
      out += s_[i++];
      continue;
    }
    if (++i >= s_.size()) break;
    const char c = s_[i++];
    switch (c) {
      case '\n':
        break;
      case '\\':
      case '\'':
      case '"':
        out += c;
        break;
      case 'a':
        out += '\a';
        break;
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'v':
        out += '\v';
        break;
      case 'x':
      case 'u':
      case 'U': {
        const int count = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        ASSIGN_OR_RETURN(const char32_t value, hex(count, c == 'x'   ? "\\xXX"
                                                          : c == 'u' ? "\\uXXXX"
                                                                     : "\\UXXXXXXXX"));
        AppendChar(value, &out);
        break;
      }
      case 'N':
        return SyntaxError(line_, "\\N{...} escapes are not supported");
      default:
        if (c >= '0' && c <= '7') {
          char32_t value = static_cast<char32_t>(c - '0');
          for (int k = 0; k < 2 && i < s_.size() && s_[i] >= '0' && s_[i] <= '7'; ++k, ++i) {
            value = value * 8 + static_cast<char32_t>(s_[i] - '0');
          }
          AppendChar(value, &out);
        } else {
          out += {'\\', c};
        }
    }
  }
  if (i >= s_.size())
    return SyntaxError(line_, std::string("unexpected char ") + ReprText(std::string(1, quote)));
  Push(TokenKind::kString, std::move(out));
  Advance(i + 1);
  return OkStatus();
}

}  // namespace

Status SyntaxError(int line, std::string_view message) {
  return InvalidArgument("chat template, line " + std::to_string(line) + ": " +
                         std::string(message));
}

std::string Describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::kText:
      return "template data / text";
    case TokenKind::kOutputBegin:
      return "begin of print statement";
    case TokenKind::kOutputEnd:
      return "end of print statement";
    case TokenKind::kBlockBegin:
      return "begin of statement block";
    case TokenKind::kBlockEnd:
      return "end of statement block";
    case TokenKind::kString:
      return "string";
    case TokenKind::kInteger:
      return "integer";
    case TokenKind::kFloat:
      return "float";
    case TokenKind::kEnd:
      return "end of template";
    case TokenKind::kName:
    case TokenKind::kOperator:
      break;
  }
  return token.text;
}

Result<std::vector<Token>> Tokenize(std::string_view source) {
  if (!IsValidUtf8(source)) return DataLoss("the chat template is not valid UTF-8");
  return Lexer(NormalizeLineEnds(source)).Run();
}

}  // namespace galen::jinja
