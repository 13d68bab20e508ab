// Stands between an answer that may call functions and what writes it: reads the calls out of the
// text and hands them on as such.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/api/generate.h"

namespace galen::server {

class ToolCallSink : public AnswerSink {
 public:
  ToolCallSink(std::shared_ptr<const ToolPlan> plan, int64_t choices,
               std::shared_ptr<AnswerSink> next);
  void OnPiece(int64_t choice, AnswerPiece piece) override;
  void OnDone(int64_t choice, Result<TextResult> result, std::vector<TokenChoice> left) override;

 private:
  struct Choice {
    ToolCallReader reader;
    std::string text;                 // handed on so far
    std::vector<TokenChoice> tokens;  // not handed on yet
    int64_t calls = 0;
  };
  void HandOn(int64_t choice, const std::vector<ToolCallReader::Event>& events);

  const std::shared_ptr<const ToolPlan> plan_;
  const std::shared_ptr<AnswerSink> next_;
  std::vector<Choice> choices_;
};

}  // namespace galen::server
