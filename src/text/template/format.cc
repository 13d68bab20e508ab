#include "text/template/format.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <utility>

#include "text/template/access.h"
#include "text/template/operators.h"
#include "text/template/stringify.h"
#include "text/template/text_util.h"

namespace galen::jinja {
namespace {

// How one value is to be laid out.
struct Layout {
  std::string fill = " ";
  char align = 0;  // < > ^ =, or 0: the type's own
  char sign = '-';
  bool alternate = false;
  bool zero = false;
  char separator = 0;  // of thousands
  int64_t width = 0;
  int64_t precision = -1;
  char type = 0;
};

bool Digit(char c) { return c >= '0' && c <= '9'; }

// Reads a decimal at s[*i]; a width or precision beyond this is no formatting but an attack.
constexpr int64_t kMaxWidth = 1 << 20;
Result<int64_t> ReadNumber(std::string_view s, size_t* i) {
  int64_t value = 0;
  for (; *i < s.size() && Digit(s[*i]); ++*i) {
    value = value * 10 + (s[*i] - '0');
    if (value > kMaxWidth)
      return ResourceExhausted("a format asks for a width above " + std::to_string(kMaxWidth));
  }
  return value;
}

std::string Pad(const std::string& text, const Layout& layout, char default_align) {
  const int64_t length = CountChars(text);
  if (length >= layout.width) return text;
  const char align = layout.align != 0 ? layout.align : default_align;
  const int64_t missing = layout.width - length;
  const int64_t left = align == '>' || align == '=' ? missing : align == '^' ? missing / 2 : 0;
  std::string out;
  for (int64_t i = 0; i < left; ++i) out += layout.fill;
  out += text;
  for (int64_t i = left; i < missing; ++i) out += layout.fill;
  return out;
}

// Digits with sign and prefix ("0x"), padded between them and the digits where the layout says so.
std::string PadNumber(bool negative, std::string prefix, std::string digits, const Layout& layout) {
  if (negative) {
    prefix.insert(0, "-");
  } else if (layout.sign != '-') {
    prefix.insert(0, 1, layout.sign);
  }
  const bool inside = layout.align == '=' || (layout.zero && layout.align == 0);
  const int64_t length = CountChars(prefix) + static_cast<int64_t>(digits.size());
  if (inside && length < layout.width) {
    std::string fill;
    for (int64_t i = length; i < layout.width; ++i) fill += layout.zero ? "0" : layout.fill;
    return prefix + fill + digits;
  }
  return Pad(prefix + digits, layout, '>');
}

std::string GroupThousands(const std::string& digits, char separator) {
  size_t end = 0;
  while (end < digits.size() && Digit(digits[end])) ++end;
  std::string out;
  for (size_t i = 0; i < end; ++i) {
    if (i > 0 && (end - i) % 3 == 0) out += separator;
    out += digits[i];
  }
  return out + digits.substr(end);
}

std::string Magnitude(int64_t value, int base, bool upper) {
  const uint64_t magnitude =
      value < 0 ? ~static_cast<uint64_t>(value) + 1 : static_cast<uint64_t>(value);
  char buffer[72];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), magnitude, base);
  std::string out(buffer, end.ptr);
  return upper ? ToUpper(out) : out;
}

Result<std::string> FormatInteger(Env& env, int64_t value, const Layout& layout) {
  std::string prefix;
  int base = 10;
  if (layout.type == 'c') {
    if (value < 0 || value > 0x10FFFF) return ValueError("%c arg not in range(0x110000)");
    AppendChar(static_cast<char32_t>(value), &prefix);
    return Pad(prefix, layout, '>');
  }
  switch (layout.type) {
    case 0:
    case 'd':
    case 'i':
    case 'u':
    case 'n':
      break;
    case 'x':
    case 'X':
      base = 16;
      break;
    case 'o':
      base = 8;
      break;
    case 'b':
      base = 2;
      break;
    default:
      return ValueError(std::string("Unknown format code '") + layout.type +
                        "' for object of type 'int'");
  }
  if (layout.alternate && base != 10) prefix = std::string("0") + layout.type;
  std::string digits = Magnitude(value, base, layout.type == 'X');
  if (layout.precision > static_cast<int64_t>(digits.size())) {
    digits.insert(0, static_cast<size_t>(layout.precision) - digits.size(), '0');
  }
  if (layout.separator != 0) digits = GroupThousands(digits, layout.separator);
  RETURN_IF_ERROR(env.Step());
  return PadNumber(value < 0, prefix, digits, layout);
}

Result<std::string> FormatReal(Env& env, double value, const Layout& layout) {
  std::string digits;
  const double magnitude = std::fabs(value);
  switch (layout.type) {
    case '%': {
      ASSIGN_OR_RETURN(digits,
                       FormatDouble(env, magnitude * 100, 'f', layout.precision, layout.alternate));
      digits += '%';
      break;
    }
    case 0: {
      if (layout.precision < 0) {
        digits = ReprDouble(magnitude);
        break;
      }
      // Like 'g', but with a digit behind the point.
      ASSIGN_OR_RETURN(digits,
                       FormatDouble(env, magnitude, 'g', layout.precision, layout.alternate));
      if (digits.find_first_not_of("0123456789") == std::string::npos) digits += ".0";
      break;
    }
    case 'n':
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G': {
      const char type = layout.type == 'n' ? 'g' : layout.type;
      ASSIGN_OR_RETURN(digits,
                       FormatDouble(env, magnitude, type, layout.precision, layout.alternate));
      break;
    }
    default:
      return ValueError(std::string("Unknown format code '") + layout.type +
                        "' for object of type 'float'");
  }
  if (layout.separator != 0) digits = GroupThousands(digits, layout.separator);
  return PadNumber(std::signbit(value), "", digits, layout);
}

std::string Truncated(std::string_view text, int64_t precision) {
  return std::string(precision < 0 ? text : text.substr(0, ByteOffset(text, precision)));
}

// ---- "%s" % x ----

class PercentFormatter {
 public:
  PercentFormatter(Env& env, const Value& format, const Value& arguments)
      : env_(env), s_(format.str()), markup_(format.markup()), arguments_(arguments) {}

  Result<Value> Run() {
    std::string out;
    for (size_t i = 0; i < s_.size();) {
      if (s_[i] != '%') {
        const size_t end = std::min(s_.find('%', i), s_.size());
        out.append(s_.substr(i, end - i));
        i = end;
        continue;
      }
      ++i;
      ASSIGN_OR_RETURN(const std::string piece, Directive(&i));
      out += piece;
      RETURN_IF_ERROR(env_.StepBytes(piece.size()));
      RETURN_IF_ERROR(env_.Room(out.size()));
    }
    const bool mapping =
        arguments_.is(Kind::kDict) || arguments_.is(Kind::kList) || arguments_.undefined();
    const size_t given = arguments_.is(Kind::kTuple) ? arguments_.items().size() : 1;
    if (used_ < given && !mapping && !named_) {
      return TypeError("not all arguments converted during string formatting");
    }
    return env_.String(std::move(out)).WithMarkup(markup_);
  }

 private:
  Result<Value> NextArgument() {
    if (arguments_.is(Kind::kTuple)) {
      if (used_ < arguments_.items().size()) return arguments_.items()[used_++];
    } else if (used_ == 0) {
      ++used_;
      return arguments_;
    }
    return TypeError("not enough arguments for format string");
  }

  Result<Value> Named(size_t* i) {
    int open = 1;
    const size_t begin = ++*i;
    while (*i < s_.size() && open > 0) {
      if (s_[*i] == '(') ++open;
      if (s_[*i] == ')') --open;
      ++*i;
    }
    if (open > 0) return ValueError("incomplete format key");
    if (!arguments_.is(Kind::kDict)) return TypeError("format requires a mapping");
    const std::string_view key = s_.substr(begin, *i - begin - 1);
    const Value* value = arguments_.dict().Find(key);
    if (value == nullptr) return ValueError("the format's key " + ReprText(key) + " is missing");
    named_ = true;
    return *value;
  }

  Result<int64_t> NumberOrStar(size_t* i) {
    if (*i >= s_.size() || s_[*i] != '*') return ReadNumber(s_, i);
    ++*i;
    ASSIGN_OR_RETURN(const Value v, NextArgument());
    if (!v.integral()) return TypeError("* wants int");
    if (v.as_int() < -kMaxWidth || v.as_int() > kMaxWidth) {
      return ResourceExhausted("a format asks for a width above " + std::to_string(kMaxWidth));
    }
    return v.as_int();
  }

  Result<std::string> Directive(size_t* i) {
    Layout layout;
    Value value;
    bool left = false;
    if (*i < s_.size() && s_[*i] == '(') {
      ASSIGN_OR_RETURN(value, Named(i));
    }
    for (; *i < s_.size(); ++*i) {
      if (s_[*i] == '-')
        left = true;
      else if (s_[*i] == '+')
        layout.sign = '+';
      else if (s_[*i] == ' ')
        layout.sign = layout.sign == '+' ? '+' : ' ';
      else if (s_[*i] == '#')
        layout.alternate = true;
      else if (s_[*i] == '0')
        layout.zero = true;
      else
        break;
    }
    ASSIGN_OR_RETURN(layout.width, NumberOrStar(i));
    if (layout.width < 0) {
      left = true;
      layout.width = -layout.width;
    }
    if (*i < s_.size() && s_[*i] == '.') {
      ++*i;
      ASSIGN_OR_RETURN(layout.precision, NumberOrStar(i));
      if (layout.precision < 0) layout.precision = 0;
    }
    while (*i < s_.size() && (s_[*i] == 'l' || s_[*i] == 'h' || s_[*i] == 'L')) ++*i;
    if (*i >= s_.size()) return ValueError("incomplete format");
    layout.type = s_[(*i)++];
    layout.align = left ? '<' : layout.zero ? 0 : '>';
    if (layout.type == '%') return std::string("%");
    if (value.missing()) {
      ASSIGN_OR_RETURN(value, NextArgument());
    }
    return Convert(value, layout);
  }

  Result<std::string> Convert(const Value& value, Layout layout) {
    const std::string type(1, layout.type);
    switch (layout.type) {
      case 's':
      case 'r':
      case 'a': {
        std::string text;
        if (layout.type == 's' && markup_) {
          ASSIGN_OR_RETURN(const Value escaped, Escape(env_, value));
          text = escaped.str();
        } else if (layout.type == 's') {
          RETURN_IF_ERROR(AppendText(env_, value, &text));
        } else {
          RETURN_IF_ERROR(AppendRepr(env_, value, &text));
          if (markup_) {
            ASSIGN_OR_RETURN(const Value escaped, Escape(env_, env_.String(std::move(text))));
            text = escaped.str();
          }
        }
        layout.zero = false;
        return Pad(Truncated(text, layout.precision), layout, '>');
      }
      case 'c': {
        std::string text;
        if (value.integral() && value.as_int() >= 0 && value.as_int() < 0x110000) {
          AppendChar(static_cast<char32_t>(value.as_int()), &text);
        } else if (value.string() && value.string_obj().length == 1) {
          text = value.str();
        } else {
          return TypeError("%c requires int or char");
        }
        layout.zero = false;
        return Pad(text, layout, '>');
      }
      case 'd':
      case 'i':
      case 'u': {
        if (!value.number())
          return TypeError(std::string("%") + type + " format: a real number is required, not " +
                           std::string(TypeName(value)));
        const double d = value.as_double();
        if (value.is(Kind::kFloat) && !(std::fabs(d) < 9.2e18))
          return ValueError("cannot convert float to a 64-bit integer");
        layout.type = 'd';
        return FormatInteger(env_, value.integral() ? value.as_int() : static_cast<int64_t>(d),
                             layout);
      }
      case 'x':
      case 'X':
      case 'o':
        if (!value.integral())
          return TypeError(std::string("%") + type + " format: an integer is required, not " +
                           std::string(TypeName(value)));
        return FormatInteger(env_, value.as_int(), layout);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        if (!value.number())
          return TypeError("must be real number, not " + std::string(TypeName(value)));
        return FormatReal(env_, value.as_double(), layout);
      default:
        return ValueError("unsupported format character " + ReprText(type));
    }
  }

  Env& env_;
  const std::string_view s_;
  const bool markup_;
  const Value arguments_;
  size_t used_ = 0;
  bool named_ = false;
};

// ---- "{}".format(x) ----

class BraceFormatter {
 public:
  BraceFormatter(Env& env, bool markup, const Args& arguments)
      : env_(env), markup_(markup), arguments_(arguments) {}

  Result<std::string> Run(std::string_view s, int nesting) {
    if (nesting > 1) return ValueError("Max string recursion exceeded");
    std::string out;
    for (size_t i = 0; i < s.size();) {
      const char c = s[i];
      if ((c == '{' || c == '}') && i + 1 < s.size() && s[i + 1] == c) {
        out += c;
        i += 2;
      } else if (c == '{') {
        ASSIGN_OR_RETURN(const std::string piece, Field(s, &i, nesting));
        out += piece;
        RETURN_IF_ERROR(env_.StepBytes(piece.size()));
        RETURN_IF_ERROR(env_.Room(out.size()));
      } else if (c == '}') {
        return ValueError("Single '}' encountered in format string");
      } else {
        out += c;
        ++i;
      }
    }
    return out;
  }

 private:
  Result<std::string> Field(std::string_view s, size_t* i, int nesting) {
    const size_t begin = ++*i;
    while (*i < s.size() && s[*i] != '}' && s[*i] != ':' && s[*i] != '!') {
      if (s[*i] == '[') {
        while (*i < s.size() && s[*i] != ']') ++*i;
        if (*i >= s.size()) break;
      }
      if (s[*i] == '{') return ValueError("unexpected '{' in field name");
      ++*i;
    }
    const std::string_view name = s.substr(begin, *i - begin);
    char conversion = 0;
    if (*i < s.size() && s[*i] == '!') {
      if (*i + 2 >= s.size() || (s[*i + 2] != ':' && s[*i + 2] != '}')) {
        return ValueError("expected ':' after conversion specifier");
      }
      conversion = s[*i + 1];
      *i += 2;
    }
    std::string spec;
    if (*i < s.size() && s[*i] == ':') {
      const size_t spec_begin = ++*i;
      int open = 0;
      while (*i < s.size() && (s[*i] != '}' || open > 0)) {
        open += s[*i] == '{' ? 1 : s[*i] == '}' ? -1 : 0;
        ++*i;
      }
      // The field's value is looked up before those of its nested fields, so that automatic numbers
      // agree.
      ASSIGN_OR_RETURN(const Value value, Lookup(name));
      ASSIGN_OR_RETURN(spec, Run(s.substr(spec_begin, *i - spec_begin), nesting + 1));
      if (*i >= s.size()) return ValueError("expected '}' before end of string");
      ++*i;
      return Format(value, conversion, spec);
    }
    if (*i >= s.size()) return ValueError("expected '}' before end of string");
    ++*i;
    ASSIGN_OR_RETURN(const Value value, Lookup(name));
    return Format(value, conversion, spec);
  }

  Result<Value> Lookup(std::string_view name) {
    const size_t end = std::min(name.find_first_of(".["), name.size());
    const std::string_view first = name.substr(0, end);
    Value value;
    const bool number =
        !first.empty() && first.find_first_not_of("0123456789") == std::string_view::npos;
    if (first.empty() || number) {
      int64_t index = 0;
      if (number) {
        if (automatic_ > 0)
          return ValueError(
              "cannot switch from manual field specification to automatic field numbering");
        manual_ = true;
        size_t at = 0;
        ASSIGN_OR_RETURN(index, ReadNumber(first, &at));
      } else {
        if (manual_)
          return ValueError(
              "cannot switch from manual field specification to automatic field numbering");
        index = automatic_++;
      }
      if (index >= static_cast<int64_t>(arguments_.positional.size())) {
        return ValueError("Replacement index " + std::to_string(index) +
                          " out of range for positional args tuple");
      }
      value = arguments_.positional[static_cast<size_t>(index)];
    } else {
      for (const auto& [key, v] : arguments_.named) {
        if (key == first) value = v;
      }
      if (value.missing()) return ValueError("the format's key " + ReprText(first) + " is missing");
    }
    return Path(value, name.substr(end));
  }

  // ".attribute" and "[item]" behind a field's name.
  Result<Value> Path(Value value, std::string_view path) {
    while (!path.empty()) {
      if (path[0] == '.') {
        const size_t end = std::min(path.find_first_of(".[", 1), path.size());
        if (end == 1) return ValueError("Empty attribute in format string");
        ASSIGN_OR_RETURN(value, GetAttribute(env_, value, env_.String(path.substr(1, end - 1))));
        path = path.substr(end);
      } else if (path[0] == '[') {
        const size_t end = path.find(']');
        if (end == std::string_view::npos || end == 1)
          return ValueError("Empty attribute in format string");
        const std::string_view key = path.substr(1, end - 1);
        size_t at = 0;
        ASSIGN_OR_RETURN(const int64_t index, ReadNumber(key, &at));
        ASSIGN_OR_RETURN(
            value, GetItem(env_, value, at == key.size() ? Value::Int(index) : env_.String(key)));
        path = path.substr(end + 1);
      } else {
        return ValueError("Only '.' or '[' may follow ']' in format field specifier");
      }
    }
    return value;
  }

  // A markup's format() escapes what it puts in.
  Result<std::string> Format(const Value& value, char conversion, const std::string& spec) {
    const bool as_it_is = value.markup() && conversion == 0;
    if (markup_ && as_it_is && !spec.empty())
      return ValueError("Unsupported format specification for Markup.");
    ASSIGN_OR_RETURN(std::string text, FormatPlain(value, conversion, spec));
    if (!markup_ || as_it_is) return text;
    ASSIGN_OR_RETURN(const Value escaped, Escape(env_, env_.String(std::move(text))));
    return std::string(escaped.str());
  }

  Result<std::string> FormatPlain(Value value, char conversion, const std::string& spec) {
    if (conversion != 0) {
      if (conversion != 'r' && conversion != 's' && conversion != 'a') {
        return ValueError(std::string("Unknown conversion specifier ") + conversion);
      }
      std::string text;
      RETURN_IF_ERROR(conversion == 's' ? AppendText(env_, value, &text)
                                        : AppendRepr(env_, value, &text));
      value = env_.String(std::move(text));
    }
    if (spec.empty()) {
      std::string text;
      RETURN_IF_ERROR(AppendText(env_, value, &text));
      return text;
    }
    if (!value.string() && !value.number()) {
      return TypeError("unsupported format string passed to " + std::string(TypeName(value)) +
                       ".__format__");
    }
    Layout layout;
    RETURN_IF_ERROR(ReadSpec(spec, &layout));
    if (value.string()) {
      if (layout.type != 0 && layout.type != 's') {
        return ValueError(std::string("Unknown format code '") + layout.type +
                          "' for object of type 'str'");
      }
      if (layout.separator != 0)
        return ValueError(std::string("Cannot specify '") + layout.separator + "' with 's'.");
      if (layout.align == '=' || layout.sign != '-')
        return ValueError("Sign or '=' not allowed in string format specifier");
      if (layout.zero && layout.align == 0) layout.fill = "0";
      return Pad(Truncated(value.str(), layout.precision), layout, '<');
    }
    if (layout.zero && layout.separator != 0)
      return Unsupported("zero padding together with thousands separators");
    const bool as_real = value.is(Kind::kFloat) ||
                         std::string_view("eEfFgG%").find(layout.type) != std::string_view::npos;
    if (as_real && (value.is(Kind::kFloat) || layout.type != 0))
      return FormatReal(env_, value.as_double(), layout);
    if (layout.precision >= 0)
      return ValueError("Precision not allowed in integer format specifier");
    return FormatInteger(env_, value.as_int(), layout);
  }

  // [[fill]align][sign][#][0][width][,][.precision][type]
  Status ReadSpec(std::string_view s, Layout* layout) {
    const auto is_align = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
    size_t i = 0;
    size_t first = 0;
    if (!s.empty()) NextChar(s, &first);
    if (first < s.size() && is_align(s[first])) {
      layout->fill = std::string(s.substr(0, first));
      layout->align = s[first];
      i = first + 1;
    } else if (!s.empty() && is_align(s[0])) {
      layout->align = s[0];
      i = 1;
    }
    if (i < s.size() && (s[i] == '+' || s[i] == '-' || s[i] == ' ')) layout->sign = s[i++];
    if (i < s.size() && s[i] == '#') {
      layout->alternate = true;
      ++i;
    }
    if (i < s.size() && s[i] == '0') {
      if (layout->align == 0) layout->zero = true;
      ++i;
    }
    ASSIGN_OR_RETURN(layout->width, ReadNumber(s, &i));
    if (i < s.size() && (s[i] == ',' || s[i] == '_')) layout->separator = s[i++];
    if (i < s.size() && s[i] == '.') {
      const size_t begin = ++i;
      ASSIGN_OR_RETURN(layout->precision, ReadNumber(s, &i));
      if (i == begin) return ValueError("Format specifier missing precision");
    }
    if (i < s.size()) layout->type = s[i++];
    if (i < s.size()) return ValueError("Invalid format specifier");
    return OkStatus();
  }

  Env& env_;
  const bool markup_;
  const Args& arguments_;
  int64_t automatic_ = 0;
  bool manual_ = false;
};

}  // namespace

Result<std::string> FormatDouble(Env& env, double d, char type, int64_t precision, bool alternate) {
  if (std::isnan(d)) return std::string(type < 'a' ? "NAN" : "nan");
  if (std::isinf(d))
    return std::string(type < 'a' ? (d < 0 ? "-INF" : "INF") : (d < 0 ? "-inf" : "inf"));
  // 2^-1074 has 1,074 digits; more only repeat zeros. CPython refuses precisions above INT_MAX
  // only.
  if (precision > 5000) return ResourceExhausted("a format asks for more than 5000 digits");
  if (precision < 0) precision = 6;
  RETURN_IF_ERROR(env.Step(1 + precision / 16));
  const char form[] = {'%',
                       alternate ? '#' : '.',
                       alternate ? '.' : '*',
                       alternate ? '*' : type,
                       alternate ? type : '\0',
                       '\0'};
  const int digits = static_cast<int>(precision);
  std::string out(static_cast<size_t>(precision) + 400, '\0');
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  const int size = std::snprintf(out.data(), out.size(), form, digits, d);
#pragma GCC diagnostic pop
  out.resize(static_cast<size_t>(size));
  return out;
}

Result<Value> PercentFormat(Env& env, const Value& format, const Value& arguments) {
  return PercentFormatter(env, format, arguments).Run();
}

Result<Value> BraceFormat(Env& env, const Value& format, const Args& arguments) {
  ASSIGN_OR_RETURN(std::string text,
                   BraceFormatter(env, format.markup(), arguments).Run(format.str(), 0));
  return env.String(std::move(text)).WithMarkup(format.markup());
}

}  // namespace galen::jinja
