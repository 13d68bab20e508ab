// What a model that reads line by line (PageLines) is asked about pages, and what its answers are
// together. docs/decisions/0004-reading-by-lines.md
#pragma once

#include <string>
#include <vector>

#include "extract/answer/page_question.h"

namespace galen::extract {

struct LineQuestion {
  PagePart at;
  bool whole = true;  // the strip had room for all of the line
  EncodedPrompt prompt;
  std::vector<PreparedViews> images;  // one: the strip of the line
  TextRequest request;                // without prompt, media and constraint
};

// The lines of print of the pages, from the top of the first on; empty where none is found.
// Unsupported: a kind that the model did not learn to read.
Result<std::vector<LineQuestion>> AskAboutLines(const ModelFiles& files, const ReadRequest& request,
                                                const PageQuestionOptions& options);

// The answers to all questions, in their order, as ReadRequest wants them: first the document that
// says nothing, then what the lines print. Lines that print nothing of the document are left out.
Result<std::vector<Answer>> AnswersOfLines(const std::string& schema,
                                           const std::vector<LineQuestion>& questions,
                                           std::vector<Answer> answers);

}  // namespace galen::extract
