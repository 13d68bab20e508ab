#include "text/template/stringify.h"

#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

#include "text/template/iterate.h"
#include "text/template/macro.h"
#include "text/template/operators.h"
#include "text/template/text_util.h"

namespace galen::jinja {
namespace {

Status Grow(Env& env, size_t before, const std::string& out) {
  RETURN_IF_ERROR(env.StepBytes(out.size() - before));
  return env.Room(out.size());
}

Status AppendItems(Env& env, const std::vector<Value>& items, std::string* out) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) *out += ", ";
    RETURN_IF_ERROR(AppendRepr(env, items[i], out));
  }
  return OkStatus();
}

Status AppendDict(Env& env, const DictObj& dict, std::string* out) {
  *out += '{';
  for (size_t i = 0; i < dict.entries.size(); ++i) {
    if (i > 0) *out += ", ";
    RETURN_IF_ERROR(AppendRepr(env, dict.entries[i].key, out));
    *out += ": ";
    RETURN_IF_ERROR(AppendRepr(env, dict.entries[i].value, out));
  }
  *out += '}';
  return OkStatus();
}

Status AppendView(Env& env, const Value& v, std::string* out) {
  *out += std::string(TypeName(v)) + "([";
  ASSIGN_OR_RETURN(const std::vector<Value> items, Collect(env, v));
  RETURN_IF_ERROR(AppendItems(env, items, out));
  *out += "])";
  return OkStatus();
}

void AppendQuoted(std::string_view s, bool ensure_ascii, std::string* out) {
  char buffer[16];
  *out += '"';
  for (size_t pos = 0; pos < s.size();) {
    const size_t begin = pos;
    const char32_t c = NextChar(s, &pos);
    switch (c) {
      case '"':
        *out += "\\\"";
        continue;
      case '\\':
        *out += "\\\\";
        continue;
      case '\n':
        *out += "\\n";
        continue;
      case '\r':
        *out += "\\r";
        continue;
      case '\t':
        *out += "\\t";
        continue;
      case '\f':
        *out += "\\f";
        continue;
      case '\b':
        *out += "\\b";
        continue;
      default:
        break;
    }
    if (c < 0x20 || (ensure_ascii && c > 0x7F && c < 0x10000)) {
      std::snprintf(buffer, sizeof(buffer), "\\u%04x", static_cast<unsigned>(c));
      *out += buffer;
    } else if (ensure_ascii && c >= 0x10000 && c < kInvalidByte) {
      const unsigned high = 0xD800 + ((c - 0x10000) >> 10), low = 0xDC00 + ((c - 0x10000) & 0x3FF);
      std::snprintf(buffer, sizeof(buffer), "\\u%04x\\u%04x", high, low);
      *out += buffer;
    } else {
      *out += s.substr(begin, pos - begin);
    }
  }
  *out += '"';
}

std::string JsonDouble(double d) {
  if (std::isnan(d)) return "NaN";
  if (std::isinf(d)) return d < 0 ? "-Infinity" : "Infinity";
  return ReprDouble(d);
}

class JsonWriter {
 public:
  JsonWriter(Env& env, const JsonOptions& options, std::string* out)
      : env_(env), options_(options), out_(out) {}

  Status Write(const Value& v, int level) {
    const Env::Depth depth(&env_);
    RETURN_IF_ERROR(depth.status());
    const size_t before = out_->size();
    switch (v.kind()) {
      case Kind::kNone:
        *out_ += "null";
        break;
      case Kind::kBool:
        *out_ += v.as_bool() ? "true" : "false";
        break;
      case Kind::kInt:
        *out_ += std::to_string(v.as_int());
        break;
      case Kind::kFloat:
        *out_ += JsonDouble(v.as_double());
        break;
      case Kind::kString:
        AppendQuoted(v.str(), options_.ensure_ascii, out_);
        break;
      case Kind::kList:
      case Kind::kTuple:
        return WriteList(v.items(), level);
      case Kind::kDict:
        return WriteDict(v.dict(), level);
      default:
        return TypeError("Object of type " + std::string(TypeName(v)) +
                         " is not JSON serializable");
    }
    return Grow(env_, before, *out_);
  }

 private:
  Status Line(int level) {
    if (!options_.pretty) return OkStatus();
    RETURN_IF_ERROR(env_.Room(out_->size() + options_.indent.size() * static_cast<size_t>(level)));
    *out_ += '\n';
    for (int i = 0; i < level; ++i) *out_ += options_.indent;
    return OkStatus();
  }

  Status WriteList(const std::vector<Value>& items, int level) {
    *out_ += '[';
    for (size_t i = 0; i < items.size(); ++i) {
      const size_t before = out_->size();
      if (i > 0) *out_ += options_.item_separator;
      RETURN_IF_ERROR(Line(level + 1));
      RETURN_IF_ERROR(Grow(env_, before, *out_));
      RETURN_IF_ERROR(Write(items[i], level + 1));
    }
    if (!items.empty()) RETURN_IF_ERROR(Line(level));
    *out_ += ']';
    return env_.Step();
  }

  Status WriteDict(const DictObj& dict, int level) {
    std::vector<Value> order, keys;
    for (size_t i = 0; i < dict.entries.size(); ++i) {
      order.push_back(Value::Int(static_cast<int64_t>(i)));
      keys.push_back(dict.entries[i].key);
    }
    if (options_.sort_keys) RETURN_IF_ERROR(StableSort(env_, keys, &order, false));
    *out_ += '{';
    for (size_t i = 0; i < order.size(); ++i) {
      const auto& entry = dict.entries[static_cast<size_t>(order[i].as_int())];
      const size_t before = out_->size();
      if (i > 0) *out_ += options_.item_separator;
      RETURN_IF_ERROR(Line(level + 1));
      switch (entry.key.kind()) {
        case Kind::kString:
          AppendQuoted(entry.key.str(), options_.ensure_ascii, out_);
          break;
        case Kind::kNone:
          *out_ += "\"null\"";
          break;
        case Kind::kBool:
          *out_ += entry.key.as_bool() ? "\"true\"" : "\"false\"";
          break;
        case Kind::kInt:
          *out_ += '"' + std::to_string(entry.key.as_int()) + '"';
          break;
        case Kind::kFloat:
          *out_ += '"' + JsonDouble(entry.key.as_double()) + '"';
          break;
        default:
          return TypeError("keys must be str, int, float, bool or None, not " +
                           std::string(TypeName(entry.key)));
      }
      *out_ += options_.key_separator;
      RETURN_IF_ERROR(Grow(env_, before, *out_));
      RETURN_IF_ERROR(Write(entry.value, level + 1));
    }
    if (!order.empty()) RETURN_IF_ERROR(Line(level));
    *out_ += '}';
    return env_.Step();
  }

  Env& env_;
  const JsonOptions& options_;
  std::string* out_;
};

}  // namespace

Result<Value> ToText(Env& env, const Value& v) {
  if (v.string()) return v;
  std::string out;
  RETURN_IF_ERROR(AppendText(env, v, &out));
  return env.String(std::move(out));
}

Status AppendText(Env& env, const Value& v, std::string* out) {
  if (v.string()) {
    const size_t before = out->size();
    RETURN_IF_ERROR(env.Room(before + v.str().size()));
    out->append(v.str());
    return env.StepBytes(out->size() - before);
  }
  if (v.undefined()) return OkStatus();
  return AppendRepr(env, v, out);
}

Status AppendRepr(Env& env, const Value& v, std::string* out) {
  const Env::Depth depth(&env);
  RETURN_IF_ERROR(depth.status());
  switch (v.kind()) {
    case Kind::kMissing:
    case Kind::kUndefined:
      *out += "Undefined";
      break;
    case Kind::kNone:
      *out += "None";
      break;
    case Kind::kBool:
      *out += v.as_bool() ? "True" : "False";
      break;
    case Kind::kInt:
      *out += std::to_string(v.as_int());
      break;
    case Kind::kFloat:
      *out += ReprDouble(v.as_double());
      break;
    case Kind::kString:
      *out += v.markup() ? "Markup(" + ReprText(v.str()) + ")" : ReprText(v.str());
      break;
    case Kind::kList:
      *out += '[';
      RETURN_IF_ERROR(AppendItems(env, v.items(), out));
      *out += ']';
      break;
    case Kind::kTuple:
      *out += '(';
      RETURN_IF_ERROR(AppendItems(env, v.items(), out));
      *out += v.items().size() == 1 ? ",)" : ")";
      break;
    case Kind::kDict:
      RETURN_IF_ERROR(AppendDict(env, v.dict(), out));
      break;
    case Kind::kDictView:
      RETURN_IF_ERROR(AppendView(env, v, out));
      break;
    case Kind::kRange: {
      const RangeObj& r = *v.as<RangeObj>();
      *out += "range(" + std::to_string(r.start) + ", " + std::to_string(r.stop);
      *out += r.step == 1 ? ")" : ", " + std::to_string(r.step) + ")";
      break;
    }
    case Kind::kNamespace:
      *out += "<Namespace ";
      RETURN_IF_ERROR(AppendDict(env, v.as<NamespaceObj>()->attributes, out));
      *out += '>';
      break;
    case Kind::kMacro: {
      const std::string_view name = v.as<MacroObj>()->name;
      *out += name.empty() ? "<Macro anonymous>" : "<Macro " + ReprText(name) + ">";
      break;
    }
    case Kind::kLoop: {
      auto* loop = v.as<LoopObj>();
      ASSIGN_OR_RETURN(const int64_t count, loop->Count(env));
      *out +=
          "<LoopContext " + std::to_string(loop->index0 + 1) + "/" + std::to_string(count) + ">";
      break;
    }
    // Python prints an address here, which no rendering can repeat.
    default:
      *out += std::string("<").append(TypeName(v)).append(" object>");
      break;
  }
  RETURN_IF_ERROR(env.Room(out->size()));
  return v.string() ? env.StepBytes(v.str().size()) : env.Step();
}

Status AppendJson(Env& env, const Value& v, const JsonOptions& options, std::string* out) {
  return JsonWriter(env, options, out).Write(v, 0);
}

}  // namespace galen::jinja
