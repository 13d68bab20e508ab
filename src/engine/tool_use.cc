#include "engine/tool_use.h"

#include <algorithm>

namespace galen {
namespace {

constexpr int64_t kMostCalls = 16;  // of one answer
constexpr std::string_view kSpace = " \n\r\t";

grammar::ToolCallForm TaggedForm() {
  return {{{"<tool_call>\n{\"name\": \"", "}\n</tool_call>"}},
          "\", \"arguments\": ",
          "<tool_call>",
          {},
          kMostCalls};
}

grammar::ToolCallForm ParametersForm() {
  return {{{"{\"name\": \"", "}"}}, "\", \"parameters\": ", "", {"{"}, 1};
}

// Gemma likes to fence its JSON.
grammar::ToolCallForm FencedForm() {
  grammar::ToolCallForm form = ParametersForm();
  form.wraps.push_back({"```json\n{\"name\": \"", "}\n```"});
  form.stems.emplace_back("```json");
  return form;
}

// https://ai.google.dev/gemma/docs/capabilities/function-calling, the form with JSON.
constexpr std::string_view kInstructions =
    "You have access to functions. If you decide to invoke any of the function(s), you MUST put it "
    "in the format of\n"
    "{\"name\": function name, \"parameters\": dictionary of argument name and its value}\n\n"
    "You SHOULD NOT include any other text in the response if you call a function\n";

bool Holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Text in front of a message's content, which is a string or an array of parts.
void PutInFront(const std::string& text, OrderedJson* message) {
  OrderedJson& content = (*message)["content"];
  if (content.is_string()) {
    content = text + content.get<std::string>();
    return;
  }
  OrderedJson parts = OrderedJson::array();
  parts.push_back({{"type", "text"}, {"text", text}});
  for (OrderedJson& part : content) parts.push_back(std::move(part));
  content = std::move(parts);
}

std::string TextOf(const OrderedJson& content) {
  return content.is_string() ? content.get<std::string>() : content.dump();
}

OrderedJson CallsInWords(const OrderedJson& message) {
  std::string text = message.contains("content") ? TextOf(message["content"]) : "";
  for (const OrderedJson& call : message["tool_calls"]) {
    const OrderedJson& function = call["function"];
    if (!text.empty()) text += "\n";
    text += OrderedJson{{"name", function["name"]}, {"parameters", function["arguments"]}}.dump();
  }
  return {{"role", "assistant"}, {"content", text}};
}

// The longest end of `text` that a beginning of `word` makes, behind any space.
size_t HeldForTrigger(std::string_view text, std::string_view word) {
  size_t match = std::min(text.size(), word.size() - 1);
  while (!text.ends_with(word.substr(0, match))) --match;
  const std::string_view before = text.substr(0, text.size() - match);
  const size_t last = before.find_last_not_of(kSpace);
  return text.size() - (last == before.npos ? 0 : last + 1);
}

}  // namespace

Result<ToolConvention> ToolConvention::Of(std::string_view chat_template) {
  ToolConvention convention;
  if (!Holds(chat_template, "tools")) {
    convention.form = FencedForm();
    return convention;
  }
  convention.in_template = true;
  if (Holds(chat_template, "<tool_call>") && Holds(chat_template, "arguments") &&
      !Holds(chat_template, "<function=") && !Holds(chat_template, "<arg_key>")) {
    convention.form = TaggedForm();
  } else if (Holds(chat_template, "<|start_header_id|>") &&
             Holds(chat_template, "\"parameters\": ")) {
    convention.form = ParametersForm();
  } else {
    return Unsupported(
        "this model's chat template has a form of function calls that galen does not read; it "
        "reads those of Qwen2.5 (Hermes), Llama 3.1, and templates without functions");
  }
  return convention;
}

Result<OrderedJson> WithToolsInWords(const OrderedJson& messages, const OrderedJson& tools) {
  OrderedJson result = OrderedJson::array();
  bool told = tools.empty();
  bool after_results = false;
  for (OrderedJson message : messages) {
    const std::string role = message["role"];
    if (role == "tool") {
      const std::string text = "```tool_output\n" + TextOf(message["content"]) + "\n```";
      if (after_results) {
        result.back()["content"] = result.back()["content"].get<std::string>() + "\n" + text;
      } else {
        result.push_back({{"role", "user"}, {"content", text}});
      }
      after_results = true;
      continue;
    }
    if (role == "user" && after_results) {  // turns must alternate
      PutInFront(result.back()["content"].get<std::string>() + "\n", &message);
      result.back() = std::move(message);
    } else if (message.contains("tool_calls")) {
      result.push_back(CallsInWords(message));
    } else {
      result.push_back(std::move(message));
    }
    after_results = false;
    if (role != "user" || told) continue;
    OrderedJson functions = OrderedJson::array();
    for (const OrderedJson& tool : tools) functions.push_back(tool["function"]);
    PutInFront(std::string(kInstructions) + functions.dump() + "\n\n", &result.back());
    told = true;
  }
  if (!told) return InvalidArgument("a conversation with functions needs a message of the user");
  return result;
}

ToolCallReader::ToolCallReader(const grammar::ToolCallForm& form) : form_(form) {}

void ToolCallReader::Emit(Event::Kind kind, size_t bytes, std::vector<Event>* events) {
  if (bytes == 0) return;
  events->push_back({kind, held_.substr(0, bytes)});
  held_.erase(0, bytes);
}

// Words up to the trigger.
bool ToolCallReader::FindTrigger(std::vector<Event>* events) {
  const size_t at = held_.find(form_.trigger);
  if (at == held_.npos) {
    Emit(Event::Kind::kText, held_.size() - HeldForTrigger(held_, form_.trigger), events);
    return false;
  }
  const size_t last = held_.find_last_not_of(kSpace, at == 0 ? held_.npos : at - 1);
  if (at > 0 && last != held_.npos) Emit(Event::Kind::kText, last + 1, events);
  held_.erase(0, held_.find(form_.trigger));
  state_ = State::kOpen;
  return true;
}

// True where a wrap has been read or words are certain.
bool ToolCallReader::Open() {
  const size_t begin = held_.find_first_not_of(kSpace);
  if (begin == held_.npos) return false;
  const std::string_view text = std::string_view(held_).substr(begin);
  for (const grammar::ToolCallForm::Wrap& wrap : form_.wraps) {
    if (text.starts_with(wrap.open)) {
      wrap_ = &wrap;
      held_.erase(0, begin + wrap.open.size());
      state_ = State::kName;
      return true;
    }
    if (wrap.open.starts_with(text)) return false;  // it may become one
  }
  state_ = State::kWords;
  return true;
}

bool ToolCallReader::Arguments(std::vector<Event>* events) {
  size_t i = 0;
  for (; i < held_.size(); ++i) {
    const char c = held_[i];
    if (quoted_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        quoted_ = false;
      }
      continue;
    }
    if (c == '"') quoted_ = true;
    if (c == '{' || c == '[') ++depth_;
    if ((c == '}' || c == ']') && --depth_ == 0) break;
  }
  const bool done = i < held_.size();
  Emit(Event::Kind::kArguments, done ? i + 1 : i, events);
  if (!done) return false;
  events->push_back({Event::Kind::kEnd, ""});
  state_ = State::kClose;
  return true;
}

// False where more text is needed.
bool ToolCallReader::Advance(std::vector<Event>* events) {
  switch (state_) {
    case State::kStart:
      return form_.trigger.empty() ? Open() : FindTrigger(events);
    case State::kWords:
      Emit(Event::Kind::kText, held_.size(), events);
      return false;
    case State::kOpen:
      return Open();
    case State::kName: {
      const size_t end = held_.find(form_.middle);
      if (end == held_.npos) return false;
      Emit(Event::Kind::kCall, end, events);
      held_.erase(0, form_.middle.size());
      state_ = State::kArguments;
      return true;
    }
    case State::kArguments:
      return Arguments(events);
    case State::kClose:
      if (held_.size() < wrap_->close.size()) return false;
      held_.erase(0, wrap_->close.size());
      state_ = form_.trigger.empty() ? State::kWords : State::kStart;
      return true;
  }
  return false;
}

std::vector<ToolCallReader::Event> ToolCallReader::Add(std::string_view text) {
  std::vector<Event> events;
  held_ += text;
  while (Advance(&events)) {
  }
  return events;
}

std::vector<ToolCallReader::Event> ToolCallReader::Finish() {
  std::vector<Event> events;
  // A part of an opening is no call yet, but no words for a person either.
  const bool words = state_ == State::kWords || (state_ == State::kStart && wrap_ == nullptr);
  if (words) Emit(Event::Kind::kText, held_.size(), &events);
  held_.clear();
  return events;
}

}  // namespace galen
