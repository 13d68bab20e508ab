// Chat templates: an untrusted template over a conversation. Input: Jinja source, and, behind a
// zero byte, the conversation as ChatInputFromJson reads it; a fixed one where that is absent.
// Nothing may crash, hang or leave its limits, and rendering twice gives the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "text/template/chat_input_json.h"
#include "text/template/chat_template.h"

namespace {

using galen::ChatInput;

const ChatInput& FixedInput() {
  static const ChatInput input = [] {
    const auto json = galen::ParseOrderedJson(R"({
      "messages": [{"role": "system", "content": "Be <b>brief</b>."}, {"role": "user", "content": [{"type": "image"},
        {"type": "text", "text": " Größe? 👩🏽‍⚕️ "}]}, {"role": "assistant", "content": "x", "tool_calls": [{"type": "function",
        "id": "a", "function": {"name": "f", "arguments": {"a": 1, "b": [1.5, null, true]}}}]}, {"role": "user", "content": "<s>q"}],
      "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object",
        "properties": {"a": {"type": "integer"}}, "required": ["a"]}}}],
      "add_generation_prompt": true, "bos_token": "<s>", "eos_token": "</s>", "now": [2024, 7, 26, 14, 30, 5],
      "variables": {"n": 7, "f": 2.5, "s": "Hello World", "l": [3, 1, 2], "d": {"b": 1, "a": {"x": [1]}}},
      "control_tokens": ["<s>", "</s>"]})");
    return *galen::ChatInputFromJson(*json);
  }();
  return input;
}

void Check(bool holds) {
  if (!holds) std::abort();
}

void CheckSpans(const std::vector<galen::TextSpan>& spans, size_t size) {
  for (const auto& span : spans) Check(span.begin <= span.end && span.end <= size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t end = text.find('\0');
  galen::TemplateLimits limits;
  limits.steps = 100'000;
  limits.memory_bytes = 16 << 20;
  limits.output_bytes = 1 << 20;
  const auto parsed = galen::ChatTemplate::Parse(text.substr(0, end), limits);
  if (!parsed.ok()) {
    Check(!parsed.status().message().empty());
    return 0;
  }
  ChatInput input = FixedInput();
  if (end != std::string_view::npos) {
    const auto json = galen::ParseOrderedJson(text.substr(end + 1));
    if (json.ok()) {
      const auto read = galen::ChatInputFromJson(*json);
      if (read.ok()) input = *read;
      if (!input.now) input.now = FixedInput().now;
    }
  }
  const auto first = parsed->RenderWithSpans(input);
  const auto second = parsed->RenderWithSpans(input);
  Check(first.ok() == second.ok());
  if (!first.ok()) {
    Check(first.status().message() == second.status().message());
    return 0;
  }
  Check(first->text == second->text && first->text.size() <= limits.output_bytes);
  CheckSpans(first->generation_spans, first->text.size());
  CheckSpans(first->plain_spans, first->text.size());
  return 0;
}
