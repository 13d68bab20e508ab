// The global functions: Jinja's own and those that transformers adds.
#include <ctime>
#include <memory>
#include <string>
#include <utility>

#include "text/template/arguments.h"
#include "text/template/builtin_list.h"
#include "text/template/iterate.h"
#include "text/template/operators.h"
#include "text/template/stringify.h"
#include "text/template/text_util.h"

namespace galen::jinja {
namespace {

constexpr int64_t kMaxRange = 100'000;  // jinja2.sandbox.MAX_RANGE

// dict(mapping or pairs, **named) into `dict`.
Status FillDict(Env& env, const Args& arguments, DictObj* dict) {
  if (arguments.positional.size() > 1) {
    return TypeError("dict expected at most 1 argument, got " +
                     std::to_string(arguments.positional.size()));
  }
  const auto set = [&](const Value& key, const Value& value) -> Status {
    uint64_t hash = 0;
    if (!HashKey(key, &hash)) return TypeError("unhashable type: " + QuotedType(key));
    dict->Set(key, hash, value);
    return env.Step();
  };
  if (!arguments.positional.empty()) {
    const Value& source = arguments.positional[0];
    if (source.undefined()) return UndefinedError(source);
    if (source.is(Kind::kDict)) {
      for (const auto& entry : source.dict().entries) RETURN_IF_ERROR(set(entry.key, entry.value));
    } else {
      ASSIGN_OR_RETURN(const std::vector<Value> pairs, Collect(env, source));
      for (const Value& pair : pairs) {
        ASSIGN_OR_RETURN(const std::vector<Value> parts, Collect(env, pair));
        if (parts.size() != 2) return ValueError("dict() wants pairs of a key and a value");
        RETURN_IF_ERROR(set(parts[0], parts[1]));
      }
    }
  }
  for (const auto& [name, value] : arguments.named) RETURN_IF_ERROR(set(env.String(name), value));
  return OkStatus();
}

// One directive of strftime behind its '%'; `format` has no '%' of its own.
Status AppendDirective(const std::tm& time, std::string_view directive, std::string* out) {
  if (directive == "f") {
    *out += "000000";
    return OkStatus();
  }
  if (directive == "z" || directive == "Z") return OkStatus();  // a time without a zone
  const std::string format = std::string("%").append(directive);
  char buffer[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  const size_t size = std::strftime(buffer, sizeof(buffer), format.c_str(), &time);
#pragma GCC diagnostic pop
  out->append(buffer, size);
  return OkStatus();
}

}  // namespace

Result<Value> FunctionDict(Env& env, Args& arguments) {
  auto dict = std::make_unique<DictObj>();
  RETURN_IF_ERROR(FillDict(env, arguments, dict.get()));
  return env.heap.Dict(std::move(dict));
}

Result<Value> FunctionNamespace(Env& env, Args& arguments) {
  auto* object = env.heap.New<NamespaceObj>(0);
  RETURN_IF_ERROR(FillDict(env, arguments, &object->attributes));
  for (const auto& entry : object->attributes.entries) {
    if (entry.key.string() && entry.key.str().starts_with('_')) {
      return InvalidArgument(
          "Chat templates cannot store underscore-prefixed attributes on a namespace, but got " +
          ReprText(entry.key.str()));
    }
  }
  return Value::Of(Kind::kNamespace, object);
}

Result<Value> FunctionRange(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, BindPositional<3>("range", arguments, 1));
  auto* range = env.heap.New<RangeObj>(0);
  ASSIGN_OR_RETURN(range->stop, Integer(a[0]));
  if (!a[1].missing()) {
    range->start = range->stop;
    ASSIGN_OR_RETURN(range->stop, Integer(a[1]));
  }
  if (!a[2].missing()) {
    ASSIGN_OR_RETURN(range->step, Integer(a[2]));
    if (range->step == 0) return ValueError("range() arg 3 must not be zero");
  }
  // In 128 bits, where the distance of two 64-bit numbers fits.
  const __int128 distance = static_cast<__int128>(range->stop) - range->start;
  const __int128 step = range->step;
  __int128 length = 0;
  if (step > 0 && distance > 0) length = (distance - 1) / step + 1;
  if (step < 0 && distance < 0) length = (-distance - 1) / -step + 1;
  if (length > kMaxRange) {
    return ResourceExhausted("Range too big. The sandbox blocks ranges larger than MAX_RANGE (" +
                             std::to_string(kMaxRange) + ").");
  }
  range->length = static_cast<int64_t>(length);
  return Value::Of(Kind::kRange, range);
}

Result<Value> FunctionCycler(Env& env, Args& arguments) {
  if (!arguments.named.empty()) return TypeError("cycler() takes no keyword arguments");
  if (arguments.positional.empty()) return TypeError("at least one item has to be provided");
  auto* cycler = env.heap.New<CyclerObj>(arguments.positional.size() * sizeof(Value));
  cycler->items = std::move(arguments.positional);
  return Value::Of(Kind::kCycler, cycler);
}

Result<Value> FunctionJoiner(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<1>("joiner", arguments, {"sep"}, 0));
  auto* joiner = env.heap.New<JoinerObj>(0);
  joiner->separator = ", ";
  if (!a[0].missing()) {
    joiner->separator.clear();
    RETURN_IF_ERROR(AppendText(env, a[0], &joiner->separator));
  }
  return Value::Of(Kind::kJoiner, joiner);
}

Result<Value> FunctionLipsum(Env&, Args&) {
  return Unsupported("lipsum() gives random text and is not supported in chat templates");
}

Result<Value> FunctionRaise(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<1>("raise_exception", arguments, {"message"}, 1));
  ASSIGN_OR_RETURN(const Value text, ToText(env, a[0]));
  return InvalidArgument(std::string(text.str()));
}

Result<Value> FunctionStrftimeNow(Env& env, Args& arguments) {
  ASSIGN_OR_RETURN(const auto a, Bind<1>("strftime_now", arguments, {"format"}, 1));
  ASSIGN_OR_RETURN(const std::string_view format, Text(a[0]));
  std::tm time = {};
  if (env.now) {
    time = *env.now;
  } else {
    const std::time_t seconds = std::time(nullptr);
    if (localtime_r(&seconds, &time) == nullptr)
      return Unsupported("the machine has no local time");
  }
  std::string out;
  for (size_t i = 0; i < format.size();) {
    if (format[i] != '%' || i + 1 >= format.size()) {
      out += format[i++];
      continue;
    }
    const size_t begin = ++i;
    while (i < format.size() && std::string_view("_-0^#").find(format[i]) != std::string_view::npos)
      ++i;
    if (i < format.size() && format[i] >= '0' && format[i] <= '9') {
      return Unsupported("widths in strftime_now's format are not supported");
    }
    if (i + 1 < format.size() && (format[i] == 'E' || format[i] == 'O')) ++i;
    if (i < format.size()) ++i;
    RETURN_IF_ERROR(AppendDirective(time, format.substr(begin, i - begin), &out));
    RETURN_IF_ERROR(env.Step());
    RETURN_IF_ERROR(env.Room(out.size()));
  }
  return env.String(std::move(out));
}

}  // namespace galen::jinja
