// Functions that a model may call: how its chat template is told of them, what a call looks like in
// its answer, and how calls are read out of an answer as it comes.
//
// Forms (docs/API.md): <tool_call> tags (Qwen2.5, Hermes), where the template prints the functions;
// {"name": ..., "parameters": ...} as a whole answer (Llama 3.1 and 3.2), likewise; and the same
// under Google's instructions for Gemma 3 where a template knows no functions at all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "grammar/tool_calls.h"
#include "text/template/chat_template.h"  // OrderedJson

namespace galen {

struct ToolConvention {
  grammar::ToolCallForm form;
  bool in_template = false;  // the template prints functions, calls and their results itself

  // Unsupported: a template that prints functions for calls in a form that is not known here.
  static Result<ToolConvention> Of(std::string_view chat_template);
};

// Puts functions, calls and results of a conversation into words, for a template that knows none.
// tools: [{"type": "function", "function": {...}}]; messages as the template takes them, calls with
// arguments as objects. Results of one turn become one message of the user. InvalidArgument: a
// conversation without a message of the user, in front of which the functions stand.
Result<OrderedJson> WithToolsInWords(const OrderedJson& messages, const OrderedJson& tools);

// Reads an answer of the form's language piece by piece.
class ToolCallReader {
 public:
  struct Event {
    enum class Kind : uint8_t {
      kText,       // words of the answer
      kCall,       // a call begins; text is the function's name
      kArguments,  // a piece of its arguments' JSON
      kEnd,        // they are complete
    };
    Kind kind;
    std::string text;
  };
  explicit ToolCallReader(const grammar::ToolCallForm& form);  // which must outlive this
  std::vector<Event> Add(std::string_view text);
  // The end of the answer: what was held back, unless a call had begun that was cut off.
  std::vector<Event> Finish();

 private:
  enum class State : uint8_t {
    kStart,      // words or a call
    kWords,      // only words
    kOpen,       // the rest of a wrap
    kName,       // up to `middle`
    kArguments,  // up to the end of the object
    kClose,      // up to the end of the wrap
  };
  bool Advance(std::vector<Event>* events);
  bool FindTrigger(std::vector<Event>* events);
  bool Open();
  bool Arguments(std::vector<Event>* events);
  void Emit(Event::Kind kind, size_t bytes, std::vector<Event>* events);

  const grammar::ToolCallForm& form_;
  State state_ = State::kStart;
  std::string held_;
  const grammar::ToolCallForm::Wrap* wrap_ = nullptr;
  int depth_ = 0;  // of brackets in the arguments
  bool quoted_ = false, escaped_ = false;
};

}  // namespace galen
