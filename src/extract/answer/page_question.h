// What a model is asked about pages, and what its tokens answer: shared by readers that drive an
// engine of their own and those that hand requests to one that others use, too.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/chat_prompt.h"
#include "engine/generation.h"
#include "extract/answer/reader.h"
#include "grammar/constraint.h"
#include "grammar/vocabulary.h"

namespace galen::extract {

struct PageQuestionOptions {
  bool sees_images = false;  // page pictures; else the words of the pages
  double dpi = 200;          // of page pictures
  ImageOptions image;
  int64_t context = 0;                // tokens of pages and answer
  int64_t max_tokens = 0;             // of one answer; 0: what the context leaves
  const ChatEncoder* chat = nullptr;  // of the model, if one is there; else its template is parsed
};

struct PageQuestion {
  EncodedPrompt prompt;
  std::vector<PreparedViews> images;
  // Without prompt, media and constraint.
  TextRequest request;
};

// ResourceExhausted: the pages leave too little of the context for an answer; fewer may not.
Result<PageQuestion> AskAboutPages(const ModelFiles& files, const ReadRequest& request,
                                   const PageQuestionOptions& options);

// The constraint that answers are decoded under.
Result<std::shared_ptr<const grammar::Constraint>> AnswerConstraint(
    const std::string& schema, const std::shared_ptr<const grammar::Vocabulary>& vocabulary);

// Cancelled where the model was stopped.
Result<Answer> AnswerOf(const TextResult& result, const grammar::Vocabulary& vocabulary);

}  // namespace galen::extract
