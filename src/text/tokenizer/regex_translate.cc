// Oniguruma (Ruby syntax) to PCRE2. See regex.h.
#include <charconv>
#include <optional>

#include "text/tokenizer/regex.h"
#include "text/tokenizer/unicode.h"

namespace galen::text {
namespace {

constexpr CodeRange kSpaces[] = {
    {9, 13},          {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
    {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};
// Script=Han of Unicode 16 beyond Unicode 14.
constexpr CodeRange kNewHan[] = {{0x2B739, 0x2B739}, {0x2EBF0, 0x2EE5D}, {0x31350, 0x323AF}};

std::string Hex(uint32_t c) {
  char buffer[16];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, c, 16).ptr;
  return "\\x{" + std::string(buffer, end) + "}";
}

void AppendRanges(std::span<const CodeRange> ranges, std::string* out) {
  for (const CodeRange& r : ranges) {
    *out += Hex(r.first);
    if (r.last != r.first) *out += "-" + Hex(r.last);
  }
}

class Translator {
 public:
  explicit Translator(std::string_view pattern) : in_(pattern) {}

  Result<std::string> Run() {
    while (i_ < in_.size()) RETURN_IF_ERROR(One());
    return std::move(out_);
  }

 private:
  Status Refuse(std::string_view what) const {
    return Unsupported(std::string(what) + " at byte " + std::to_string(i_) + " is not understood");
  }
  bool More() const { return i_ < in_.size(); }
  bool Ahead(std::string_view s) const { return in_.substr(i_).substr(0, s.size()) == s; }

  Status One() {
    const char c = in_[i_];
    switch (c) {
      case '\\': {
        ASSIGN_OR_RETURN(const Item item, Escape());
        if (item.anchor) {
          out_ += item.members;
        } else if (item.literal) {
          out_ += Hex(*item.literal);
        } else {
          out_ += (item.negated ? "[^" : "[") + item.members + "]";
        }
        return OkStatus();
      }
      case '[':
        return Class();
      case '(':
        return Group();
      case '^':
        out_ += "(?m:^)";
        break;  // Ruby's anchors always mean lines
      case '$':
        out_ += "(?m:$)";
        break;
      case '{':
        return Interval();
      case '}':
      case ']':
        out_ += Hex(static_cast<unsigned char>(c));
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x80) {
          out_ += Hex(CharAt(in_, i_));
          i_ += Utf8Length(c);
          return OkStatus();
        }
        out_ += c;  // literals and the operators . | ) * + ?, which mean the same
    }
    ++i_;
    return OkStatus();
  }

  Status Group() {
    for (std::string_view head :
         {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:", "(?-i:", "(?i)", "(?-i)"}) {
      if (Ahead(head)) {
        out_ += head;
        i_ += head.size();
        return OkStatus();
      }
    }
    if (Ahead("(?")) return Refuse("the group '" + std::string(in_.substr(i_, 4)) + "'");
    out_ += "(?:";  // nothing refers to captures
    ++i_;
    return OkStatus();
  }

  Status Interval() {
    const size_t close = in_.find('}', i_);
    bool digits = close != std::string_view::npos && close > i_ + 1;
    std::string body;
    if (digits) {
      body = in_.substr(i_ + 1, close - i_ - 1);
      digits = body != "," && body.find_first_not_of("0123456789,") == std::string::npos &&
               body.find(',') == body.rfind(',');
    }
    if (!digits) {
      out_ += Hex('{');
      ++i_;
      return OkStatus();
    }
    if (body[0] == ',') body.insert(0, "0");
    if (close + 1 < in_.size() && in_[close + 1] == '+') return Refuse("a '+' behind an interval");
    out_ += "{" + body + "}";
    i_ = close + 1;
    return OkStatus();
  }

  struct Item {
    std::string members;  // the inside of a PCRE2 class (or, for an anchor, the anchor)
    bool negated = false;
    bool anchor = false;
    std::optional<uint32_t> literal;
  };
  static Item Literal(uint32_t c) {
    Item item;
    item.literal = c;
    return item;
  }

  Result<Item> Escape() {
    ++i_;
    if (!More()) return Refuse("a '\\' at the end");
    const char c = in_[i_];
    Item item;
    switch (c) {
      case 'n':
        ++i_;
        return Literal('\n');
      case 'r':
        ++i_;
        return Literal('\r');
      case 't':
        ++i_;
        return Literal('\t');
      case 'f':
        ++i_;
        return Literal('\f');
      case 'v':
        ++i_;
        return Literal('\v');
      case 'a':
        ++i_;
        return Literal('\a');
      case 'e':
        ++i_;
        return Literal(0x1B);
      case 'x':
      case 'u':
        return HexEscape();
      case 'p':
      case 'P':
        return Property();
      case 'S':
        item.negated = true;
        [[fallthrough]];
      case 's':
        AppendRanges(kSpaces, &item.members);
        break;
      case 'D':
        item.negated = true;
        [[fallthrough]];
      case 'd':
        RETURN_IF_ERROR(Category("Nd", &item.members));
        break;
      case 'H':
        item.negated = true;
        [[fallthrough]];
      case 'h':
        item.members = "0-9a-fA-F";
        break;
      case 'W':
        item.negated = true;
        [[fallthrough]];
      case 'w':
        item.members = "A-Za-z0-9_\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}";
        AppendRanges(WordExtra(), &item.members);
        break;
      case 'A':
      case 'z':
        item.anchor = true;
        item.members = std::string("\\") + c;
        break;
      default:
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
          return Refuse("the escape '\\" + std::string(1, c) + "'");
        }
        item.literal = CharAt(in_, i_);
        i_ += Utf8Length(c);
        return item;
    }
    ++i_;
    return item;
  }

  Result<Item> HexEscape() {
    const bool unicode = in_[i_] == 'u';
    ++i_;
    size_t length = unicode ? 4 : 2;
    size_t skip = 0;
    if (!unicode && More() && in_[i_] == '{') {
      const size_t close = in_.find('}', i_);
      if (close == std::string_view::npos) return Refuse("an open '\\x{'");
      ++i_;
      length = close - i_;
      skip = 1;
    }
    uint32_t value = 0;
    const std::string_view digits = in_.substr(i_, length);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    // Bytes above 0x7F written as \xHH are raw bytes in Oniguruma, not characters.
    const bool raw_byte = !unicode && skip == 0 && value > 0x7F;
    if (digits.size() != length || error != std::errc() || end != digits.data() + digits.size() ||
        raw_byte || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) {
      return Refuse("a hexadecimal escape");
    }
    i_ += length + skip;
    return Literal(value);
  }

  Status Category(std::string_view name, std::string* members) {
    static constexpr std::string_view kTwo[] = {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me",
                                                "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi",
                                                "Pf", "Po", "Sm", "Sc", "Sk", "So"};
    bool known = false;
    for (std::string_view two : kTwo) {
      if (two != name && two.substr(0, 1) != name) continue;
      if (!known) {
        // ASCII first: PCRE2 finds those in a bitmap and need not look up their category.
        if (name == "L") *members += "A-Za-z";
        if (name == "Lu") *members += "A-Z";
        if (name == "Ll") *members += "a-z";
        if (name == "N" || name == "Nd") *members += "0-9";
        *members += "\\p{" + std::string(name) + "}";
      }
      known = true;
      AppendRanges(NewInCategory(two), members);
    }
    static constexpr std::string_view kSame[] = {"Z", "Zs", "Zl", "Zp", "Cc", "Cf", "Co"};
    for (std::string_view same : kSame) {
      if (same != name) continue;
      *members += "\\p{" + std::string(name) + "}";
      return OkStatus();
    }
    static constexpr std::string_view kScripts[] = {
        "Arabic",   "Armenian", "Bengali",  "Bopomofo", "Cyrillic", "Devanagari",
        "Ethiopic", "Georgian", "Greek",    "Gujarati", "Han",      "Hangul",
        "Hebrew",   "Hiragana", "Katakana", "Khmer",    "Lao",      "Latin",
        "Myanmar",  "Tamil",    "Telugu",   "Thai",     "Tibetan"};
    for (std::string_view script : kScripts) {
      if (script != name) continue;
      *members += "\\p{sc:" + std::string(name) + "}";
      if (name == "Han") AppendRanges(kNewHan, members);
      return OkStatus();
    }
    if (!known) return Refuse("the property '" + std::string(name) + "'");
    return OkStatus();
  }

  Result<Item> Property() {
    Item item;
    item.negated = in_[i_] == 'P';
    ++i_;
    const size_t close = in_.find('}', i_);
    if (!More() || in_[i_] != '{' || close == std::string_view::npos)
      return Refuse("a property without braces");
    std::string_view name = in_.substr(i_ + 1, close - i_ - 1);
    if (!name.empty() && name[0] == '^') {
      item.negated = !item.negated;
      name.remove_prefix(1);
    }
    RETURN_IF_ERROR(Category(name, &item.members));
    i_ = close + 1;
    return item;
  }

  // One member of a class; negated sets are allowed only as \S, whose complement is short.
  Result<Item> Member() {
    if (in_[i_] != '\\') {
      const Item item = Literal(CharAt(in_, i_));
      i_ += Utf8Length(in_[i_]);
      return item;
    }
    const bool not_space = Ahead("\\S");
    ASSIGN_OR_RETURN(Item item, Escape());
    if (item.anchor || (item.negated && !not_space)) return Refuse("this escape inside a class");
    if (not_space) {
      item.members.clear();
      item.negated = false;
      uint32_t next = 0;
      for (const CodeRange& r : kSpaces) {
        if (r.first > next) item.members += Hex(next) + "-" + Hex(r.first - 1);
        next = r.last + 1;
      }
      item.members += Hex(next) + "-" + Hex(0xD7FF) + Hex(0xE000) + "-" + Hex(0x10FFFF);
    }
    return item;
  }

  Status Class() {
    ++i_;
    out_ += "[";
    if (More() && in_[i_] == '^') {
      out_ += "^";
      ++i_;
    }
    if (More() && in_[i_] == ']') return Refuse("an empty class");
    while (More() && in_[i_] != ']') {
      if (in_[i_] == '[') return Refuse("a class inside a class");
      if (Ahead("&&")) return Refuse("the intersection '&&'");
      ASSIGN_OR_RETURN(const Item item, Member());
      if (!item.literal) {
        out_ += item.members;
        continue;
      }
      out_ += Hex(*item.literal);
      if (More() && in_[i_] == '-' && i_ + 1 < in_.size() && in_[i_ + 1] != ']') {
        ++i_;
        if (in_[i_] == '[') return Refuse("a class inside a class");
        ASSIGN_OR_RETURN(const Item end, Member());
        if (!end.literal) return Refuse("a range that ends in a set");
        out_ += "-" + Hex(*end.literal);
      }
    }
    if (!More()) return Refuse("a class without ']'");
    out_ += "]";
    ++i_;
    return OkStatus();
  }

  std::string_view in_;
  size_t i_ = 0;
  std::string out_;
};

}  // namespace

Result<std::string> TranslatePattern(std::string_view pattern) { return Translator(pattern).Run(); }

}  // namespace galen::text
