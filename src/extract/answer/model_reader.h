// A Reader that is a model: it sees page pictures, whole or line by line as it learned to, or where
// it has no eyes, the words of the pages; its answers are decoded under the schema's grammar.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/session.h"
#include "extract/answer/line_questions.h"

namespace galen::extract {

struct ModelReaderOptions {
  EngineOptions engine;    // context included
  int64_t max_tokens = 0;  // of one answer; 0: what the context leaves
  double dpi = 200;        // of page pictures
  ImageOptions image;
  ReaderIdentity identity;  // sees_images is set from the session
};

// Used by one thread.
class ModelReader : public Reader {
 public:
  // Takes the session over. Unsupported: a model without a tokenizer.
  static Result<std::unique_ptr<ModelReader>> Create(std::unique_ptr<Session> session,
                                                     const ModelReaderOptions& options);

  ReaderIdentity identity() const override { return options_.identity; }
  size_t MostPages() const override { return by_lines_ ? 1 : SIZE_MAX; }
  Result<std::vector<Answer>> Read(const ReadRequest& request) override;

 private:
  ModelReader(std::unique_ptr<Session> session, ModelReaderOptions options)
      : session_(std::move(session)), options_(std::move(options)) {}
  Result<std::shared_ptr<const grammar::Constraint>> ConstraintOf(const std::string& schema);
  PageQuestionOptions QuestionOptions() const;
  Result<std::vector<Answer>> ReadLines(const ReadRequest& request);
  Result<std::vector<Answer>> AnswersTo(const std::vector<LineQuestion>& questions,
                                        const ReadRequest& request);

  std::unique_ptr<Session> session_;
  ModelReaderOptions options_;
  std::shared_ptr<const grammar::Vocabulary> vocabulary_;
  std::map<std::string, std::shared_ptr<const grammar::Constraint>> constraints_;
  std::optional<ChatEncoder> chat_;
  bool by_lines_ = false;
  std::unique_ptr<Engine> engine_;
};

}  // namespace galen::extract
