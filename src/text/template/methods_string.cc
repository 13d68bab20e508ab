#include <algorithm>
#include <optional>
#include <utility>

#include "text/template/arguments.h"
#include "text/template/format.h"
#include "text/template/iterate.h"
#include "text/template/methods.h"
#include "text/template/operators.h"
#include "text/template/text_util.h"

namespace galen::jinja {
namespace {

constexpr size_t kNone = std::string_view::npos;

// A part of a text between two indices of characters, clamped as slices are.
struct Window {
  std::string_view text;
  int64_t first = 0;     // index of its first character
  bool in_range = true;  // start <= length: Python finds an empty text only there
};

Result<Window> MakeWindow(const Value& self, const Value& start, const Value& stop) {
  const StringObj& s = self.string_obj();
  const auto bound = [&](const Value& v, int64_t fallback) -> Result<int64_t> {
    if (v.missing() || v.none()) return fallback;
    ASSIGN_OR_RETURN(int64_t i, Integer(v));
    if (i < 0) i = std::max<int64_t>(i + s.length, 0);
    return i;
  };
  ASSIGN_OR_RETURN(const int64_t from, bound(start, 0));
  ASSIGN_OR_RETURN(int64_t to, bound(stop, s.length));
  to = std::min(to, s.length);
  Window window;
  window.first = from;
  window.in_range = from <= to;
  if (from >= to) {
    window.text = std::string_view(s.text).substr(s.text.size());
  } else {
    const size_t begin = s.ascii() ? static_cast<size_t>(from) : ByteOffset(s.text, from);
    const size_t end = s.ascii() ? static_cast<size_t>(to) : ByteOffset(s.text, to);
    window.text = std::string_view(s.text).substr(begin, end - begin);
  }
  return window;
}

Result<Value> TextList(Env& env, const std::vector<std::string_view>& parts, bool markup) {
  // One object per part takes far more memory than the part's bytes.
  RETURN_IF_ERROR(env.Room(parts.size() * (sizeof(StringObj) + 2 * sizeof(Value))));
  std::vector<Value> items;
  items.reserve(parts.size());
  for (const std::string_view part : parts) items.push_back(env.String(part).WithMarkup(markup));
  return env.heap.List(std::move(items));
}

std::vector<std::string_view> SplitSpaces(std::string_view s, int64_t limit, bool from_right) {
  std::vector<std::string_view> parts;
  s = from_right ? StripRight(s) : StripLeft(s);
  while (!s.empty()) {
    if (limit >= 0 && static_cast<int64_t>(parts.size()) == limit) {
      parts.push_back(from_right ? StripRight(s) : s);
      break;
    }
    if (from_right) {
      // The last word: scan back over bytes that begin no whitespace.
      size_t word = s.size();
      while (word > 0) {
        size_t start = word - 1;
        while (start > 0 && (static_cast<unsigned char>(s[start]) & 0xC0) == 0x80 &&
               word - start < 4)
          --start;
        size_t pos = start;
        if (IsSpace(NextChar(s, &pos)) && pos == word) break;
        word = pos == word ? start : word - 1;
      }
      parts.push_back(s.substr(word));
      s = StripRight(s.substr(0, word));
    } else {
      size_t word = 0;
      while (word < s.size()) {
        size_t pos = word;
        if (IsSpace(NextChar(s, &pos))) break;
        word = pos;
      }
      parts.push_back(s.substr(0, word));
      s = StripLeft(s.substr(word));
    }
  }
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> SplitAt(std::string_view s, std::string_view separator,
                                      int64_t limit) {
  std::vector<std::string_view> parts;
  size_t begin = 0;
  while (limit < 0 || static_cast<int64_t>(parts.size()) < limit) {
    const size_t at = FindText(s, separator, begin);
    if (at == kNone) break;
    parts.push_back(s.substr(begin, at - begin));
    begin = at + separator.size();
  }
  parts.push_back(s.substr(begin));
  return parts;
}

std::vector<std::string_view> RSplitAt(const std::string& s, const std::string& separator,
                                       int64_t limit) {
  // Splits the reversed text, so that the search stays linear.
  const std::string reversed(s.rbegin(), s.rend());
  const std::string reversed_separator(separator.rbegin(), separator.rend());
  std::vector<std::string_view> parts;
  for (const std::string_view part : SplitAt(reversed, reversed_separator, limit)) {
    const size_t begin = static_cast<size_t>(part.data() - reversed.data());
    parts.push_back(std::string_view(s).substr(s.size() - begin - part.size(), part.size()));
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

Result<Value> Split(Env& env, const Value& self, std::string_view name, const Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<2>(name, arguments, {"sep", "maxsplit"}, 0));
  ASSIGN_OR_RETURN(const int64_t limit, IntegerOr(a[1], -1));
  const bool right = name == "rsplit";
  const std::string_view s = self.str();
  if (a[0].missing() || a[0].none())
    return TextList(env, SplitSpaces(s, limit, right), self.markup());
  ASSIGN_OR_RETURN(const std::string_view separator, Text(a[0]));
  if (separator.empty()) return ValueError("empty separator");
  return TextList(env,
                  right ? RSplitAt(self.string_obj().text, std::string(separator), limit)
                        : SplitAt(s, separator, limit),
                  self.markup());
}

Result<Value> Partition(Env& env, const Value& self, std::string_view name, const Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, BindPositional<1>(name, arguments, 1));
  ASSIGN_OR_RETURN(const std::string_view separator, Text(a[0]));
  if (separator.empty()) return ValueError("empty separator");
  const bool right = name == "rpartition";
  const std::string_view s = self.str();
  const size_t at = right ? RFindText(s, separator) : FindText(s, separator);
  if (at == kNone) {
    const Value empty = env.String("").WithMarkup(self.markup());
    return right ? env.heap.Tuple({empty, empty, self}) : env.heap.Tuple({self, empty, empty});
  }
  const auto part = [&](std::string_view text) {
    return env.String(text).WithMarkup(self.markup());
  };
  return env.heap.Tuple(
      {part(s.substr(0, at)), part(separator), part(s.substr(at + separator.size()))});
}

Result<Value> FindOrCount(Env& env, const Value& self, std::string_view name,
                          const Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, BindPositional<3>(name, arguments, 1));
  ASSIGN_OR_RETURN(const std::string_view needle, Text(a[0]));
  ASSIGN_OR_RETURN(const Window window, MakeWindow(self, a[1], a[2]));
  RETURN_IF_ERROR(env.StepBytes(self.str().size()));
  if (name == "count") return Value::Int(window.in_range ? CountText(window.text, needle) : 0);
  const size_t at = !window.in_range ? kNone
                    : name[0] == 'r' ? RFindText(window.text, needle)
                                     : FindText(window.text, needle);
  if (at != kNone) return Value::Int(window.first + CountChars(window.text.substr(0, at)));
  if (name == "index" || name == "rindex") return ValueError("substring not found");
  return Value::Int(-1);
}

Result<Value> StartsOrEnds(const Value& self, std::string_view name, const Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, BindPositional<3>(name, arguments, 1));
  ASSIGN_OR_RETURN(const Window window, MakeWindow(self, a[1], a[2]));
  const auto matches = [&](std::string_view affix) {
    if (!window.in_range) return false;
    return name == "startswith" ? window.text.starts_with(affix) : window.text.ends_with(affix);
  };
  if (a[0].is(Kind::kTuple)) {
    for (const Value& affix : a[0].items()) {
      ASSIGN_OR_RETURN(const std::string_view text, Text(affix));
      if (matches(text)) return Value::Bool(true);
    }
    return Value::Bool(false);
  }
  if (!a[0].string()) {
    return TypeError(std::string(name) + " first arg must be str or a tuple of str, not " +
                     std::string(TypeName(a[0])));
  }
  return Value::Bool(matches(a[0].str()));
}

// What a method of `self` puts into its text: methods of markup escape it.
Result<Value> Insertion(Env& env, const Value& self, const Value& v) {
  if (self.markup()) return Escape(env, v);
  return v;
}

Result<Value> JoinItems(Env& env, const Value& self, const Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, BindPositional<1>("join", arguments, 1));
  ASSIGN_OR_RETURN(std::vector<Value> items, Collect(env, a[0]));
  for (Value& item : items) {
    ASSIGN_OR_RETURN(item, Insertion(env, self, item));
  }
  size_t size = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!items[i].string()) {
      return TypeError("sequence item " + std::to_string(i) + ": expected str instance, " +
                       std::string(TypeName(items[i])) + " found");
    }
    size += items[i].str().size() + self.str().size();
    if (i % 1024 == 0) RETURN_IF_ERROR(env.Room(size));
  }
  RETURN_IF_ERROR(env.Room(size));
  RETURN_IF_ERROR(env.StepBytes(size));
  std::string out;
  out.reserve(size);
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += self.str();
    out += items[i].str();
  }
  return env.String(std::move(out)).WithMarkup(self.markup());
}

Result<Value> Justify(Env& env, const Value& self, std::string_view name, const Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, BindPositional<2>(name, arguments, 1));
  ASSIGN_OR_RETURN(const int64_t width, Integer(a[0]));
  std::string_view fill = " ";
  if (!a[1].missing()) {
    ASSIGN_OR_RETURN(const Value given, Insertion(env, self, a[1]));
    ASSIGN_OR_RETURN(fill, Text(given));
    if (given.string_obj().length != 1)
      return TypeError("The fill character must be exactly one character long");
  }
  const int64_t missing = width - self.string_obj().length;
  if (missing <= 0) return self;
  if (missing > static_cast<int64_t>(env.limits().memory_bytes))
    return env.Room(env.limits().memory_bytes + 1);
  RETURN_IF_ERROR(env.Room(static_cast<size_t>(missing) * fill.size() + self.str().size()));
  RETURN_IF_ERROR(env.StepBytes(static_cast<size_t>(missing) * fill.size()));
  // CPython gives the odd place of center() to the left where the width is odd.
  const int64_t left = name == "rjust"   ? missing
                       : name == "ljust" ? 0
                                         : missing / 2 + (missing & width & 1);
  std::string out;
  for (int64_t i = 0; i < left; ++i) out += fill;
  out += self.str();
  for (int64_t i = left; i < missing; ++i) out += fill;
  return env.String(std::move(out)).WithMarkup(self.markup());
}

Result<Value> ZeroFill(Env& env, const Value& self, const Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, BindPositional<1>("zfill", arguments, 1));
  ASSIGN_OR_RETURN(const int64_t width, Integer(a[0]));
  const int64_t missing = width - self.string_obj().length;
  if (missing <= 0) return self;
  if (missing > static_cast<int64_t>(env.limits().memory_bytes))
    return env.Room(env.limits().memory_bytes + 1);
  RETURN_IF_ERROR(env.Room(static_cast<size_t>(missing) + self.str().size()));
  RETURN_IF_ERROR(env.StepBytes(static_cast<size_t>(missing)));
  const std::string_view s = self.str();
  const size_t sign = !s.empty() && (s[0] == '-' || s[0] == '+') ? 1 : 0;
  const std::string zeros(static_cast<size_t>(missing), '0');
  return env.String(std::string(s.substr(0, sign)) + zeros + std::string(s.substr(sign)))
      .WithMarkup(self.markup());
}

Result<Value> ExpandTabs(Env& env, const Value& self, const Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<1>("expandtabs", arguments, {"tabsize"}, 0));
  ASSIGN_OR_RETURN(const int64_t size, IntegerOr(a[0], 8));
  const int64_t most = static_cast<int64_t>(env.limits().memory_bytes);
  std::string out;
  int64_t column = 0;
  const std::string_view s = self.str();
  for (size_t pos = 0; pos < s.size();) {
    const size_t begin = pos;
    const char32_t c = NextChar(s, &pos);
    if (c != '\t') {
      out += s.substr(begin, pos - begin);
      column = c == '\n' || c == '\r' ? 0 : column + 1;
    } else if (size > 0) {
      const int64_t fill = size - column % size;
      if (fill > most) return env.Room(static_cast<size_t>(most) + 1);
      RETURN_IF_ERROR(env.Room(out.size() + static_cast<size_t>(fill)));
      RETURN_IF_ERROR(env.StepBytes(static_cast<size_t>(fill)));
      out.append(static_cast<size_t>(fill), ' ');
      column += fill;
    }
  }
  return env.String(std::move(out)).WithMarkup(self.markup());
}

}  // namespace

Result<Value> ReplaceText(Env& env, const Value& text, std::string_view from, std::string_view to,
                          int64_t count) {
  const std::string_view s = text.str();
  RETURN_IF_ERROR(env.StepBytes(s.size()));
  int64_t hits = CountText(s, from);
  if (count >= 0) hits = std::min(hits, count);
  if (hits == 0) return text;
  if (to.size() > env.limits().memory_bytes / static_cast<size_t>(hits))
    return env.Room(env.limits().memory_bytes + 1);
  const size_t size = s.size() + static_cast<size_t>(hits) * to.size();
  RETURN_IF_ERROR(env.Room(size));
  RETURN_IF_ERROR(env.StepBytes(size));
  std::string out;
  out.reserve(size);
  size_t begin = 0;
  if (from.empty()) {
    for (; hits > 0; --hits) {
      out += to;
      size_t pos = begin;
      if (begin < s.size()) NextChar(s, &pos);
      out += s.substr(begin, pos - begin);
      begin = pos;
    }
  } else {
    for (; hits > 0; --hits) {
      const size_t at = FindText(s, from, begin);
      out += s.substr(begin, at - begin);
      out += to;
      begin = at + from.size();
    }
  }
  out += s.substr(begin);
  return env.String(std::move(out));
}

Result<Value> CallStringMethod(Env& env, const Value& self, std::string_view name,
                               Args& arguments) {
  const std::string_view s = self.str();
  RETURN_IF_ERROR(env.StepBytes(s.size()));
  const auto keep = [&](std::string text) {
    return env.String(std::move(text)).WithMarkup(self.markup());
  };
  if (name == "strip" || name == "lstrip" || name == "rstrip") {
    ASSIGN_OR_RETURN(const auto a, BindPositional<1>(name, arguments, 0));
    const bool left = name != "rstrip", right = name != "lstrip";
    if (a[0].missing() || a[0].none())
      return keep(std::string(left && right ? Strip(s) : left ? StripLeft(s) : StripRight(s)));
    ASSIGN_OR_RETURN(const std::string_view chars, Text(a[0]));
    return keep(std::string(StripChars(s, chars, left, right)));
  }
  if (name == "split" || name == "rsplit") return Split(env, self, name, arguments);
  if (name == "startswith" || name == "endswith") return StartsOrEnds(self, name, arguments);
  if (name == "replace") {
    ASSIGN_OR_RETURN(const auto a, BindPositional<3>(name, arguments, 2));
    ASSIGN_OR_RETURN(const std::string_view from, Text(a[0]));
    ASSIGN_OR_RETURN(const Value inserted, Insertion(env, self, a[1]));
    ASSIGN_OR_RETURN(const std::string_view to, Text(inserted));
    ASSIGN_OR_RETURN(const int64_t count, IntegerOr(a[2], -1));
    ASSIGN_OR_RETURN(const Value out, ReplaceText(env, self, from, to, count));
    return out.WithMarkup(self.markup());
  }
  if (name == "join") return JoinItems(env, self, arguments);
  if (name == "format") return BraceFormat(env, self, arguments);
  if (name == "format_map") {
    ASSIGN_OR_RETURN(const auto a, BindPositional<1>(name, arguments, 1));
    if (!a[0].is(Kind::kDict)) return TypeError("format_map() wants a dict");
    Args named;
    for (const auto& entry : a[0].dict().entries) {
      if (entry.key.string()) named.named.emplace_back(entry.key.str(), entry.value);
    }
    return BraceFormat(env, self, named);
  }
  if (name == "find" || name == "rfind" || name == "index" || name == "rindex" || name == "count") {
    return FindOrCount(env, self, name, arguments);
  }
  if (name == "partition" || name == "rpartition") return Partition(env, self, name, arguments);
  if (name == "removeprefix" || name == "removesuffix") {
    ASSIGN_OR_RETURN(const auto a, BindPositional<1>(name, arguments, 1));
    ASSIGN_OR_RETURN(const std::string_view affix, Text(a[0]));
    if (name == "removeprefix")
      return s.starts_with(affix) ? keep(std::string(s.substr(affix.size()))) : self;
    return s.ends_with(affix) ? keep(std::string(s.substr(0, s.size() - affix.size()))) : self;
  }
  if (name == "splitlines") {
    ASSIGN_OR_RETURN(const auto a, Bind<1>(name, arguments, {"keepends"}, 0));
    bool keep_ends = false;
    if (!a[0].missing()) {
      ASSIGN_OR_RETURN(keep_ends, Truthy(env, a[0]));
    }
    return TextList(env, SplitLines(s, keep_ends), self.markup());
  }
  if (name == "center" || name == "ljust" || name == "rjust")
    return Justify(env, self, name, arguments);
  if (name == "zfill") return ZeroFill(env, self, arguments);
  if (name == "expandtabs") return ExpandTabs(env, self, arguments);
  if (name == "encode" || name == "translate" || name == "maketrans") {
    return Unsupported("str." + std::string(name) + "() is not supported in chat templates");
  }
  ASSIGN_OR_RETURN(const auto none, BindPositional<0>(name, arguments, 0));
  static_cast<void>(none);
  if (name == "upper") return keep(ToUpper(s));
  if (name == "lower") return keep(ToLower(s));
  if (name == "title") return keep(ToTitle(s));
  if (name == "capitalize") return keep(Capitalize(s));
  if (name == "swapcase") return keep(SwapCase(s));
  if (name == "casefold") return keep(CaseFold(s));
  return Value::Bool(TextPredicate(name, s));
}

}  // namespace galen::jinja
