#include "server/api/tool_call_sink.h"

#include <utility>

namespace galen::server {

ToolCallSink::ToolCallSink(std::shared_ptr<const ToolPlan> plan, int64_t choices,
                           std::shared_ptr<AnswerSink> next)
    : plan_(std::move(plan)), next_(std::move(next)) {
  for (int64_t i = 0; i < choices; ++i)
    choices_.push_back({ToolCallReader(plan_->form), {}, {}, 0});
}

void ToolCallSink::HandOn(int64_t choice, const std::vector<ToolCallReader::Event>& events) {
  using Kind = ToolCallReader::Event::Kind;
  Choice& c = choices_[static_cast<size_t>(choice)];
  for (const ToolCallReader::Event& event : events) {
    AnswerPiece piece;
    piece.tokens = std::exchange(c.tokens, {});
    ToolCallPiece call{};
    if (event.kind == Kind::kText) {
      c.text += event.text;
      piece.text = event.text;
    } else {
      if (event.kind == Kind::kCall) ++c.calls;
      call.kind = event.kind == Kind::kCall        ? ToolCallPiece::Kind::kName
                  : event.kind == Kind::kArguments ? ToolCallPiece::Kind::kArguments
                                                   : ToolCallPiece::Kind::kEnd;
      call.index = c.calls - 1;
      call.text = event.text;
      piece.call = &call;
    }
    next_->OnPiece(choice, std::move(piece));
  }
}

void ToolCallSink::OnPiece(int64_t choice, AnswerPiece piece) {
  if (!piece.thinking.empty()) return next_->OnPiece(choice, std::move(piece));
  Choice& c = choices_[static_cast<size_t>(choice)];
  c.tokens.insert(c.tokens.end(), piece.tokens.begin(), piece.tokens.end());
  HandOn(choice, c.reader.Add(piece.text));
}

void ToolCallSink::OnDone(int64_t choice, Result<TextResult> result,
                          std::vector<TokenChoice> left) {
  Choice& c = choices_[static_cast<size_t>(choice)];
  if (result.ok()) {
    HandOn(choice, c.reader.Finish());
    result->text = c.text;
  }
  c.tokens.insert(c.tokens.end(), left.begin(), left.end());
  next_->OnDone(choice, std::move(result), std::exchange(c.tokens, {}));
}

}  // namespace galen::server
