#include "grammar/tool_calls.h"

#include <algorithm>

#include "grammar/schema.h"

namespace galen::grammar {
namespace {

constexpr int64_t kLeadingSpace = 4;  // characters in front of a call that is a whole answer

// Texts that hold `word`; `first`: that end with its first occurrence.
Dfa Holding(std::string_view word, bool first) {
  DfaBuilder builder;
  const int n = static_cast<int>(word.size());
  for (int i = 0; i <= n; ++i) builder.AddState(i == n);
  for (int i = 0; i < n; ++i) {
    for (int b = 0; b < 256; ++b) {
      const std::string seen = std::string(word.substr(0, i)) + static_cast<char>(b);
      int match = std::min<int>(i + 1, n);
      while (!seen.ends_with(word.substr(0, match))) --match;
      const auto byte = static_cast<uint8_t>(b);
      builder.Set(i, byte, byte, match);
    }
  }
  if (!first) builder.Set(n, 0, 255, n);
  return builder.Build();
}

// Texts that begin with one of the stems, behind spaces and line breaks.
Result<Dfa> BeginningWith(const std::vector<std::string>& stems) {
  Nfa nfa;
  const int start = nfa.AddState(), rest = nfa.AddState();
  for (const char c : {' ', '\n', '\r', '\t'}) {
    nfa.AddBytes(start, static_cast<uint8_t>(c), static_cast<uint8_t>(c), start);
  }
  for (const std::string& stem : stems) {
    int at = start;
    for (const char c : stem) {
      const int next = nfa.AddState();
      nfa.AddBytes(at, static_cast<uint8_t>(c), static_cast<uint8_t>(c), next);
      at = next;
    }
    nfa.AddEmpty(at, rest);
  }
  nfa.AddBytes(rest, 0, 255, rest);
  return nfa.Determinize(start, rest);
}

class ToolCallCompiler {
 public:
  ToolCallCompiler(const ToolCallForm& form, std::span<const ToolSchema> tools)
      : form_(form), tools_(tools) {}

  Result<Grammar> Compile(bool text) {
    for (const ToolSchema& tool : tools_) {
      const Result<Grammar> arguments = CompileSchema(tool.parameters, true);
      if (!arguments.ok())
        return arguments.status().WithContext("the parameters of function '" + tool.name + "'");
      arguments_.push_back(g_.Include(*arguments));
    }
    std::vector<int32_t> answers;
    if (form_.trigger.empty()) {
      const int space = g_.AddSplit(
          {g_.AddByte(' ', ' ', g_.AddReturn()), g_.AddByte('\n', '\n', g_.AddReturn())});
      answers.push_back(g_.AddLoop(space, 0, kLeadingSpace, Calls(0)));
      if (text) {
        ASSIGN_OR_RETURN(const Dfa calls, BeginningWith(form_.stems));
        RETURN_IF_ERROR(AddText(AnyText(), calls, Combination::kMinus, g_.AddReturn(), &answers));
      }
    } else if (text) {
      RETURN_IF_ERROR(AddText(AnyText(), Holding(form_.trigger, false), Combination::kMinus,
                              g_.AddReturn(), &answers));
      // Words, perhaps none, up to the trigger; then the rest of its wrap.
      RETURN_IF_ERROR(AddText(AnyText(), Holding(form_.trigger, true), Combination::kAnd,
                              Calls(form_.trigger.size()), &answers));
    } else {
      answers.push_back(Calls(0));
    }
    RETURN_IF_ERROR(g_.Finish(g_.AddSplit(std::move(answers))));
    return std::move(g_);
  }

 private:
  // One call, then `next`; the first `skip` bytes of its wrap are there already.
  int Call(size_t skip, int next) {
    std::vector<int32_t> targets;
    for (const ToolCallForm::Wrap& wrap : form_.wraps) {
      for (size_t i = 0; i < tools_.size(); ++i) {
        const int close = g_.AddText(wrap.close, next);
        const int arguments = g_.AddCall(arguments_[i], close);
        targets.push_back(
            g_.AddText(wrap.open.substr(skip) + tools_[i].name + form_.middle, arguments));
      }
    }
    return g_.AddSplit(std::move(targets));
  }

  int Calls(size_t skip) {
    int next = g_.AddReturn();
    if (form_.max_calls > 1) {
      const int more = g_.AddByte('\n', '\n', Call(0, g_.AddReturn()));
      next = g_.AddLoop(more, 0, form_.max_calls - 1, next);
    }
    return Call(skip, next);
  }

  Status AddText(const Dfa& a, const Dfa& b, Combination how, int next,
                 std::vector<int32_t>* answers) {
    ASSIGN_OR_RETURN(Dfa dfa, Combine(a, b, how));
    answers->push_back(g_.AddDfa(g_.AddDfaTable(std::move(dfa)), next));
    return OkStatus();
  }

  const ToolCallForm& form_;
  const std::span<const ToolSchema> tools_;
  Grammar g_;
  std::vector<int> arguments_;  // rule of each tool's
};

}  // namespace

Result<Grammar> CompileToolCalls(const ToolCallForm& form, std::span<const ToolSchema> tools,
                                 bool text) {
  return ToolCallCompiler(form, tools).Compile(text);
}

}  // namespace galen::grammar
