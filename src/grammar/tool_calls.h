// The language of answers that call functions, in the form that a model was trained on. What stands
// around a call is fixed text; its arguments are documents of the function's JSON Schema.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "grammar/grammar.h"

namespace galen::grammar {

// open NAME middle ARGUMENTS close. Text is ASCII.
struct ToolCallForm {
  struct Wrap {
    std::string open;   // up to the first character of the name: <tool_call>\n{"name": "
    std::string close;  // }\n</tool_call>
  };
  std::vector<Wrap> wraps;  // at least one; none begins another
  std::string middle;       // behind the name; begins with a quote: ", "arguments":
  // What opens a call wherever it stands in an answer; all wraps begin with it. Empty: a call is a
  // whole answer.
  std::string trigger;
  // Without a trigger: an answer that begins so (spaces and line breaks aside) is a call.
  std::vector<std::string> stems;
  int64_t max_calls = 1;  // of one answer; they stand on lines of their own
};

struct ToolSchema {
  std::string name;        // no quotes, backslashes or control characters
  std::string parameters;  // JSON Schema of an object
};

// Calls of any of the tools, and, where `text` is set, answers in words (with a trigger: words in
// front of calls, too). Errors name the tool, then as of CompileSchema.
Result<Grammar> CompileToolCalls(const ToolCallForm& form, std::span<const ToolSchema> tools,
                                 bool text);

}  // namespace galen::grammar
