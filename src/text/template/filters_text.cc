#include <algorithm>
#include <string>
#include <utility>

#include "text/template/access.h"
#include "text/template/arguments.h"
#include "text/template/builtin_list.h"
#include "text/template/format.h"
#include "text/template/iterate.h"
#include "text/template/methods.h"
#include "text/template/operators.h"
#include "text/template/stringify.h"
#include "text/template/text_util.h"

namespace galen::jinja {
namespace {

// str(value) of the only argument, changed by a function of text.
Result<Value> Change(Env& env, std::string_view name, const Args& arguments,
                     std::string (*change)(std::string_view)) {
  ASSIGN_OR_RETURN(const auto a, Bind<1>(name, arguments, {"s"}, 1));
  ASSIGN_OR_RETURN(const Value text, ToText(env, a[0]));
  RETURN_IF_ERROR(env.StepBytes(text.str().size()));
  return env.String(change(text.str())).WithMarkup(text.markup());
}

// Jinja's title: a word begins behind whitespace and - ( { [ <, and nowhere else.
std::string TitleWords(std::string_view s) {
  std::string out;
  for (size_t pos = 0; pos < s.size();) {
    const auto separator = [](char32_t c) {
      return IsSpace(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
    };
    const size_t begin = pos;
    if (separator(NextChar(s, &pos))) {
      out += s.substr(begin, pos - begin);
      continue;
    }
    const size_t rest = pos;
    while (pos < s.size()) {
      size_t next = pos;
      if (separator(NextChar(s, &next))) break;
      pos = next;
    }
    out += ToUpper(s.substr(begin, rest - begin)) + ToLower(s.substr(rest, pos - rest));
  }
  return out;
}

void QuoteUrl(std::string_view s, bool query, std::string* out) {
  constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : s) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '.' || c == '-' || c == '~' || (c == '/' && !query);
    if (plain) {
      *out += c;
    } else if (c == ' ' && query) {
      *out += '+';
    } else {
      const auto b = static_cast<unsigned char>(c);
      *out += {'%', kHex[b >> 4], kHex[b & 15]};
    }
  }
}

}  // namespace

Result<Value> FilterUpper(Env& env, Args& a) { return Change(env, "upper", a, ToUpper); }
Result<Value> FilterLower(Env& env, Args& a) { return Change(env, "lower", a, ToLower); }
Result<Value> FilterTitle(Env& env, Args& a) {
  ASSIGN_OR_RETURN(const Value text, Change(env, "title", a, TitleWords));
  return text.WithMarkup(false);
}
Result<Value> FilterCapitalize(Env& env, Args& a) {
  return Change(env, "capitalize", a, Capitalize);
}

Result<Value> FilterString(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<1>("string", arguments, {"s"}, 1));
  return ToText(env, a[0]);
}

Result<Value> FilterSafe(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<1>("safe", arguments, {"value"}, 1));
  ASSIGN_OR_RETURN(const Value text, ToText(env, a[0]));
  return text.WithMarkup(true);
}

Result<Value> FilterEscape(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<1>("escape", arguments, {"s"}, 1));
  return Escape(env, a[0]);
}

Result<Value> FilterForceEscape(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<1>("forceescape", arguments, {"value"}, 1));
  ASSIGN_OR_RETURN(const Value text, ToText(env, a[0]));
  return Escape(env, text.WithMarkup(false));
}

Result<Value> FilterTrim(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<2>("trim", arguments, {"value", "chars"}, 1));
  ASSIGN_OR_RETURN(const Value text, ToText(env, a[0]));
  RETURN_IF_ERROR(env.StepBytes(text.str().size()));
  if (a[1].missing() || a[1].none()) return env.String(Strip(text.str())).WithMarkup(text.markup());
  ASSIGN_OR_RETURN(const std::string_view chars, Text(a[1]));
  return env.String(StripChars(text.str(), chars, true, true)).WithMarkup(text.markup());
}

Result<Value> FilterReplace(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<4>("replace", arguments, {"s", "old", "new", "count"}, 3));
  ASSIGN_OR_RETURN(const Value text, ToText(env, a[0]));
  ASSIGN_OR_RETURN(const Value from, ToText(env, a[1]));
  ASSIGN_OR_RETURN(const Value to, ToText(env, a[2]));
  int64_t count = -1;
  if (!a[3].none()) {
    ASSIGN_OR_RETURN(count, IntegerOr(a[3], -1));
  }
  ASSIGN_OR_RETURN(const Value out, ReplaceText(env, text, from.str(), to.str(), count));
  return out.WithMarkup(false);
}

Result<Value> FilterCenter(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<2>("center", arguments, {"value", "width"}, 1));
  ASSIGN_OR_RETURN(const Value text, ToText(env, a[0]));
  Args width;
  width.positional.push_back(a[1].missing() ? Value::Int(80) : a[1]);
  return CallStringMethod(env, text, "center", width);
}

Result<Value> FilterFormat(Env& env, Args& arguments) {
  if (arguments.positional.empty()) return TypeError("format() misses its argument");
  ASSIGN_OR_RETURN(const Value text, ToText(env, arguments.positional[0]));
  std::vector<Value> rest(arguments.positional.begin() + 1, arguments.positional.end());
  if (arguments.named.empty()) return PercentFormat(env, text, env.heap.Tuple(std::move(rest)));
  if (!rest.empty())
    return TypeError("can't handle positional and keyword arguments at the same time");
  auto dict = std::make_unique<DictObj>();
  for (const auto& [name, value] : arguments.named) {
    const Value key = env.String(name);
    uint64_t hash = 0;
    HashKey(key, &hash);
    dict->Set(key, hash, value);
  }
  return PercentFormat(env, text, env.heap.Dict(std::move(dict)));
}

Result<Value> FilterIndent(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<4>("indent", arguments, {"s", "width", "first", "blank"}, 1));
  if (a[0].undefined()) return UndefinedError(a[0]);
  ASSIGN_OR_RETURN(const std::string_view text, Text(a[0]));
  bool first = false, blank = false;
  if (!a[2].missing()) {
    ASSIGN_OR_RETURN(first, Truthy(env, a[2]));
  }
  if (!a[3].missing()) {
    ASSIGN_OR_RETURN(blank, Truthy(env, a[3]));
  }
  std::string indention;
  if (a[1].string()) {
    indention = a[1].str();
  } else {
    ASSIGN_OR_RETURN(const int64_t width, IntegerOr(a[1], 4));
    if (width > static_cast<int64_t>(env.limits().memory_bytes))
      return env.Room(env.limits().memory_bytes + 1);
    RETURN_IF_ERROR(env.Room(static_cast<size_t>(std::max<int64_t>(width, 0))));
    indention.assign(static_cast<size_t>(std::max<int64_t>(width, 0)), ' ');
  }
  // A last line end is kept: the text is seen with one more at its end.
  const std::string ended = std::string(text) + "\n";
  const std::vector<std::string_view> lines = SplitLines(ended, false);
  std::string out = first ? indention : "";
  for (size_t i = 0; i < lines.size(); ++i) {
    RETURN_IF_ERROR(env.Room(out.size() + indention.size() + lines[i].size()));
    RETURN_IF_ERROR(env.StepBytes(indention.size() + lines[i].size()));
    if (i > 0) {
      out += '\n';
      if (blank || !lines[i].empty()) out += indention;
    }
    out += lines[i];
  }
  return env.String(std::move(out)).WithMarkup(a[0].markup());
}

Result<Value> FilterTruncate(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<5>("truncate", arguments,
                                         {"s", "length", "killwords", "end", "leeway"}, 1));
  ASSIGN_OR_RETURN(const int64_t given, Length(env, a[0]));
  ASSIGN_OR_RETURN(const int64_t length, IntegerOr(a[1], 255));
  bool kill_words = false;
  if (!a[2].missing()) {
    ASSIGN_OR_RETURN(kill_words, Truthy(env, a[2]));
  }
  std::string_view end = "...";
  if (!a[3].missing()) {
    ASSIGN_OR_RETURN(end, Text(a[3]));
  }
  int64_t leeway = 5;
  if (!a[4].none()) {
    ASSIGN_OR_RETURN(leeway, IntegerOr(a[4], 5));
  }
  const int64_t end_length = CountChars(end);
  if (length < end_length)
    return ValueError("expected length >= " + std::to_string(end_length) + ", got " +
                      std::to_string(length));
  if (leeway < 0) return ValueError("expected leeway >= 0, got " + std::to_string(leeway));
  if (given - leeway <= length) return a[0];
  ASSIGN_OR_RETURN(std::string_view text, Text(a[0]));
  text = text.substr(0, ByteOffset(text, length - end_length));
  if (!kill_words) text = text.substr(0, text.rfind(' '));
  const Value start = env.String(text).WithMarkup(a[0].markup());
  return Arithmetic(env, Operator::kAdd, start, a[3].missing() ? env.String(end) : a[3]);
}

Result<Value> FilterWordCount(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<1>("wordcount", arguments, {"s"}, 1));
  ASSIGN_OR_RETURN(const Value text, ToText(env, a[0]));
  RETURN_IF_ERROR(env.StepBytes(text.str().size()));
  int64_t words = 0;
  bool inside = false;
  for (size_t pos = 0; pos < text.str().size();) {
    const char32_t c = NextChar(text.str(), &pos);
    const bool word = c == '_' || IsAlnum(c);
    words += word && !inside;
    inside = word;
  }
  return Value::Int(words);
}

Result<Value> FilterJoin(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<3>("join", arguments, {"value", "d", "attribute"}, 1));
  std::string separator;
  if (!a[1].missing()) RETURN_IF_ERROR(AppendText(env, a[1], &separator));
  ASSIGN_OR_RETURN(IteratorObj * it, Iterate(env, a[0]));
  std::string out;
  Value item;
  for (bool first = true;; first = false) {
    ASSIGN_OR_RETURN(const bool more, it->Next(env, &item));
    if (!more) return env.String(std::move(out));
    if (!first) {
      RETURN_IF_ERROR(env.Room(out.size() + separator.size()));
      RETURN_IF_ERROR(env.StepBytes(separator.size()));
      out += separator;
    }
    ASSIGN_OR_RETURN(item, GetPath(env, item, a[2]));
    RETURN_IF_ERROR(AppendText(env, item, &out));
  }
}

Result<Value> FilterUrlEncode(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<1>("urlencode", arguments, {"value"}, 1));
  std::string out;
  const auto quote = [&](const Value& v, bool query) -> Status {
    ASSIGN_OR_RETURN(const Value text, ToText(env, v));
    RETURN_IF_ERROR(env.Room(out.size() + 3 * text.str().size()));
    RETURN_IF_ERROR(env.StepBytes(3 * text.str().size()));
    QuoteUrl(text.str(), query, &out);
    return OkStatus();
  };
  if (a[0].string() || !IsIterable(a[0])) {
    RETURN_IF_ERROR(quote(a[0], false));
    return env.String(std::move(out));
  }
  Value source = a[0];
  if (source.is(Kind::kDict))
    source = Value::Of(Kind::kDictView, env.heap.New<DictViewObj>(0, a[0], ViewKind::kItems));
  ASSIGN_OR_RETURN(IteratorObj * it, Iterate(env, source));
  Value item;
  for (bool first = true;; first = false) {
    ASSIGN_OR_RETURN(const bool more, it->Next(env, &item));
    if (!more) return env.String(std::move(out));
    ASSIGN_OR_RETURN(const std::vector<Value> pair, Collect(env, item));
    if (pair.size() != 2) return ValueError("urlencode wants pairs");
    if (!first) out += '&';
    RETURN_IF_ERROR(quote(pair[0], true));
    out += '=';
    RETURN_IF_ERROR(quote(pair[1], true));
  }
}

}  // namespace galen::jinja
