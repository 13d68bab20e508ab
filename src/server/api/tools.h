// Functions that a request offers its model: read, checked, and made into a form of answers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/tool_use.h"
#include "server/api/fields.h"
#include "server/model_host.h"

namespace galen::server {

struct ToolRequest {
  enum class Choice : uint8_t { kAuto, kNone, kRequired };
  OrderedJson tools = OrderedJson::array();  // as sent, for the template
  std::vector<grammar::ToolSchema> schemas;  // of the functions that may be called
  Choice choice = Choice::kAuto;
  bool parallel = true;  // several calls in one answer, where the model's form has that
  bool active() const { return !tools.empty() && choice != Choice::kNone; }
};

// "tools": [{"type": "function", "function": {"name", "description", "parameters", "strict"}}].
// Parameters that name their properties and say nothing of others allow no others.
Status ReadTools(Fields* fields, ToolRequest* request);
// OpenAI's "tool_choice" and "parallel_tool_calls"; call it after ReadTools.
Status ReadToolChoice(Fields* fields, ToolRequest* request);
// "tool_calls" of a message, with arguments as objects, into *out. openai: arguments are texts, and
// stay texts where they are no JSON object (a call that was cut off).
Status ReadToolCalls(Fields* fields, bool openai, OrderedJson* out);

// How a model is asked for calls, and what its answer may then be.
struct ToolPlan {
  grammar::ToolCallForm form;
  std::shared_ptr<const grammar::Constraint> constraint;
};
// Unsupported: a model whose form of calls is not known. Otherwise as of Constraint::FromToolCalls.
Result<std::shared_ptr<const ToolPlan>> PlanTools(ModelHost& host, const ToolRequest& request);

}  // namespace galen::server
