// Renders chat templates for the comparison with Jinja2: one JSON object per line on standard
// input, one on standard output.
//   in:  {"template": source, "input": {"messages": ..., "tools", "documents",
//   "add_generation_prompt", "bos_token",
//         "eos_token", "variables", "now": [year, month, day, hour, minute, second]}}
//   out: {"text": ..., "generation": [[begin, end], ...]} or {"error": ...}
#include <iostream>
#include <string>

#include "text/template/chat_input_json.h"
#include "text/template/chat_template.h"

namespace {

using galen::OrderedJson;

OrderedJson Answer(const std::string& line) {
  const auto parsed = galen::ParseOrderedJson(line);
  if (!parsed.ok()) return {{"error", parsed.status().message()}};
  const auto input = galen::ChatInputFromJson((*parsed)["input"]);
  if (!input.ok()) return {{"error", input.status().message()}};
  const auto chat = galen::ChatTemplate::Parse((*parsed)["template"].get<std::string>());
  if (!chat.ok()) return {{"error", chat.status().message()}};
  const auto rendered = chat->RenderWithSpans(*input);
  if (!rendered.ok()) return {{"error", rendered.status().message()}};
  OrderedJson spans = OrderedJson::array();
  for (const auto& span : rendered->generation_spans) spans.push_back({span.begin, span.end});
  return {{"text", rendered->text}, {"generation", spans}};
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << Answer(line).dump(-1, ' ', false, OrderedJson::error_handler_t::replace)
              << std::endl;
  }
  return 0;
}
