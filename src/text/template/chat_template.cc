#include "text/template/chat_template.h"

#include <memory>
#include <utility>

#include "text/template/control_tokens.h"
#include "text/template/env.h"
#include "text/template/interpreter.h"
#include "text/template/parser.h"

namespace galen {
namespace jinja {

class Template {
 public:
  Template(std::string s, std::shared_ptr<const Syntax> t, const TemplateLimits& l)
      : source(std::move(s)), syntax(std::move(t)), limits(l) {}
  const std::string source;
  const std::shared_ptr<const Syntax> syntax;
  const TemplateLimits limits;
};

namespace {

constexpr int kMaxInputDepth = 256;

// JSON to the values that a template sees. Strings are marked where `marker` is given.
class InputReader {
 public:
  InputReader(Env& env, const ControlTokenMarker* marker) : env_(env), marker_(marker) {}

  Result<Value> Read(const OrderedJson& json, int depth = 0) {
    if (depth > kMaxInputDepth) {
      return InvalidArgument("the conversation is nested deeper than " +
                             std::to_string(kMaxInputDepth) + " levels");
    }
    RETURN_IF_ERROR(env_.Step());
    switch (json.type()) {
      case OrderedJson::value_t::null:
        return Value::None();
      case OrderedJson::value_t::boolean:
        return Value::Bool(json.get<bool>());
      case OrderedJson::value_t::number_integer:
        return Value::Int(json.get<int64_t>());
      case OrderedJson::value_t::number_unsigned:
        if (json.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) {
          return InvalidArgument("the conversation has an integer beyond 64 bits");
        }
        return Value::Int(static_cast<int64_t>(json.get<uint64_t>()));
      case OrderedJson::value_t::number_float:
        return Value::Float(json.get<double>());
      case OrderedJson::value_t::string: {
        const auto& text = json.get_ref<const std::string&>();
        RETURN_IF_ERROR(env_.StepBytes(text.size()));
        return env_.String(marker_ == nullptr ? text : marker_->Mark(text));
      }
      case OrderedJson::value_t::array: {
        std::vector<Value> items;
        items.reserve(json.size());
        for (const auto& item : json) {
          ASSIGN_OR_RETURN(const Value v, Read(item, depth + 1));
          items.push_back(v);
        }
        return env_.heap.List(std::move(items));
      }
      case OrderedJson::value_t::object:
        return ReadObject(json, depth);
      default:
        return InvalidArgument("the conversation holds a value that JSON does not have");
    }
  }

  // One message: keys without a value are left out, and the assistant's reasoning is given under
  // the names that templates read, whichever the caller used.
  Result<Value> ReadMessage(const OrderedJson& message) {
    if (!message.is_object())
      return InvalidArgument("a chat message must be an object with \"role\" and \"content\"");
    const OrderedJson* reasoning = nullptr;
    for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
      const auto it = message.find(name);
      if (reasoning == nullptr && it != message.end() && !it->is_null()) reasoning = &*it;
    }
    auto dict = std::make_unique<DictObj>();
    const auto set = [&](const std::string& name, const OrderedJson& json) -> Status {
      ASSIGN_OR_RETURN(const Value v, Read(json, 2));
      const Value key = env_.String(name);
      uint64_t hash = 0;
      HashKey(key, &hash);
      dict->Set(key, hash, v);
      return OkStatus();
    };
    if (reasoning != nullptr) RETURN_IF_ERROR(set("thinking", *reasoning));
    for (const auto& [key, value] : message.items()) {
      if (!value.is_null()) RETURN_IF_ERROR(set(key, value));
    }
    if (reasoning != nullptr) RETURN_IF_ERROR(set("reasoning_content", *reasoning));
    return env_.heap.Dict(std::move(dict));
  }

 private:
  Result<Value> ReadObject(const OrderedJson& json, int depth) {
    auto dict = std::make_unique<DictObj>();
    for (const auto& [name, item] : json.items()) {
      ASSIGN_OR_RETURN(const Value v, Read(item, depth + 1));
      const Value key = env_.String(name);
      uint64_t hash = 0;
      HashKey(key, &hash);
      dict->Set(key, hash, v);
    }
    return env_.heap.Dict(std::move(dict));
  }

  Env& env_;
  const ControlTokenMarker* marker_;
};

Status DefineInputs(const ChatInput& input, InputReader& reader, Interpreter& run) {
  if (!input.messages.is_array() || input.messages.empty()) {
    return InvalidArgument("a conversation must be an array of at least one message");
  }
  std::vector<Value> messages;
  for (const auto& message : input.messages) {
    ASSIGN_OR_RETURN(const Value v, reader.ReadMessage(message));
    messages.push_back(v);
  }
  run.Define("messages", run.heap.List(std::move(messages)));
  if (!input.tools.is_null() && !input.tools.is_array())
    return InvalidArgument("tools must be an array");
  if (!input.documents.is_null()) {
    if (!input.documents.is_array()) return InvalidArgument("documents must be an array");
    for (const auto& document : input.documents) {
      if (!document.is_object())
        return InvalidArgument("a document must be an object with \"title\" and \"text\"");
    }
  }
  ASSIGN_OR_RETURN(const Value tools, reader.Read(input.tools));
  ASSIGN_OR_RETURN(const Value documents, reader.Read(input.documents));
  run.Define("tools", tools);
  run.Define("documents", documents);
  run.Define("add_generation_prompt", Value::Bool(input.add_generation_prompt));
  if (input.bos_token) run.Define("bos_token", run.String(*input.bos_token));
  if (input.eos_token) run.Define("eos_token", run.String(*input.eos_token));
  if (!input.variables.is_null() && !input.variables.is_object())
    return InvalidArgument("variables must be an object");
  for (const auto& [name, value] : input.variables.items()) {
    ASSIGN_OR_RETURN(const Value v, reader.Read(value));
    run.Define(name, v);
  }
  return OkStatus();
}

}  // namespace
}  // namespace jinja

Result<OrderedJson> ParseOrderedJson(std::string_view text, int max_depth) {
  bool too_deep = false;
  const auto limit_depth = [&](int depth, OrderedJson::parse_event_t, OrderedJson&) {
    too_deep = too_deep || depth > max_depth;
    return !too_deep;
  };
  try {
    OrderedJson value = OrderedJson::parse(text.begin(), text.end(), limit_depth);
    if (too_deep)
      return DataLoss("JSON is nested deeper than " + std::to_string(max_depth) + " levels");
    return value;
  } catch (const OrderedJson::exception& error) {
    return DataLoss(std::string("invalid JSON: ") + error.what());
  }
}

ChatTemplate::ChatTemplate(std::shared_ptr<const jinja::Template> compiled)
    : template_(std::move(compiled)) {}

const std::string& ChatTemplate::source() const { return template_->source; }

Result<ChatTemplate> ChatTemplate::Parse(std::string_view source, const TemplateLimits& limits) {
  if (source.size() > limits.source_bytes) {
    return ResourceExhausted("the chat template has " + std::to_string(source.size()) +
                             " bytes, more than the limit of " +
                             std::to_string(limits.source_bytes));
  }
  ASSIGN_OR_RETURN(std::shared_ptr<const jinja::Syntax> syntax, jinja::ParseTemplate(source));
  return ChatTemplate(
      std::make_shared<const jinja::Template>(std::string(source), std::move(syntax), limits));
}

Result<RenderedChat> ChatTemplate::RenderWithSpans(const ChatInput& input) const {
  jinja::Interpreter run(*template_->syntax, template_->limits);
  run.now = input.now;
  std::optional<jinja::ControlTokenMarker> marker;
  if (!input.control_tokens.empty()) marker.emplace(input.control_tokens);
  jinja::InputReader reader(run, marker ? &*marker : nullptr);
  RETURN_IF_ERROR(jinja::DefineInputs(input, reader, run));
  RETURN_IF_ERROR(run.Run());
  RenderedChat chat;
  chat.text = std::move(run.output());
  for (const auto& [begin, end] : run.generation_spans())
    chat.generation_spans.push_back({begin, end});
  if (marker) chat.plain_spans = marker->Unmark(&chat.text, &chat.generation_spans);
  return chat;
}

Result<std::string> ChatTemplate::Render(const ChatInput& input) const {
  ASSIGN_OR_RETURN(RenderedChat chat, RenderWithSpans(input));
  return std::move(chat.text);
}

}  // namespace galen
