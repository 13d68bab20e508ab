#include "extract/answer/model_reader.h"

#include <algorithm>
#include <utility>

#include "extract/answer/line_schema.h"

namespace galen::extract {

Result<std::unique_ptr<ModelReader>> ModelReader::Create(std::unique_ptr<Session> session,
                                                         const ModelReaderOptions& options) {
  RETURN_IF_ERROR(session->files().tokenizer_status);
  std::unique_ptr<ModelReader> reader(new ModelReader(std::move(session), options));
  reader->options_.identity.sees_images = reader->session_->images != nullptr;
  const ModelFiles& files = reader->session_->files();
  if (!files.chat_template.empty()) {
    ASSIGN_OR_RETURN(reader->chat_, ChatEncoder::Create(files));
  }
  if (reader->session_->images != nullptr && files.vision.page_lines) {
    reader->by_lines_ = true;
    reader->options_.identity.kinds = files.vision.page_lines->kinds;
  }
  ASSIGN_OR_RETURN(reader->vocabulary_, ConstraintVocabulary(reader->session_->files()));
  EngineOptions engine = options.engine;
  engine.forced_drafts = true;
  SetAdapters(*reader->session_, &engine);
  Session& s = *reader->session_;
  ASSIGN_OR_RETURN(reader->engine_, Engine::Create(s.model(), *s.kernels, *s.threads, engine));
  return reader;
}

Result<std::shared_ptr<const grammar::Constraint>> ModelReader::ConstraintOf(
    const std::string& schema) {
  std::shared_ptr<const grammar::Constraint>& known = constraints_[schema];
  if (known == nullptr) {
    ASSIGN_OR_RETURN(known, AnswerConstraint(schema, vocabulary_));
  }
  return known;
}

PageQuestionOptions ModelReader::QuestionOptions() const {
  PageQuestionOptions options;
  options.sees_images = options_.identity.sees_images;
  options.dpi = options_.dpi;
  options.image = options_.image;
  options.context = options_.engine.context;
  options.max_tokens = options_.max_tokens;
  options.chat = chat_ ? &*chat_ : nullptr;
  return options;
}

Result<std::vector<Answer>> ModelReader::Read(const ReadRequest& request) {
  if (by_lines_) return ReadLines(request);
  ASSIGN_OR_RETURN(PageQuestion question,
                   AskAboutPages(session_->files(), request, QuestionOptions()));
  TextRequest& text = question.request;
  text.prompt = question.prompt.tokens;
  ASSIGN_OR_RETURN(text.constraint, ConstraintOf(request.schema));
  if (!question.images.empty()) {
    ASSIGN_OR_RETURN(text.media, session_->images->EncodePrompt(question.prompt, question.images));
  }
  ASSIGN_OR_RETURN(const TextResult result, Generate(*engine_, session_->files(), text));
  ASSIGN_OR_RETURN(Answer answer, AnswerOf(result, *vocabulary_));
  return std::vector<Answer>{std::move(answer)};
}

Result<std::vector<Answer>> ModelReader::ReadLines(const ReadRequest& request) {
  ASSIGN_OR_RETURN(const std::vector<LineQuestion> questions,
                   AskAboutLines(session_->files(), request, QuestionOptions()));
  // Strips of one size go through the tower together; AnswersTo finds them cached.
  std::vector<const PreparedImage*> strips;
  for (const LineQuestion& question : questions) strips.push_back(&question.images[0][0]);
  std::sort(strips.begin(), strips.end(), [](const PreparedImage* a, const PreparedImage* b) {
    return std::pair(a->grid.height, a->grid.width) < std::pair(b->grid.height, b->grid.width);
  });
  RETURN_IF_ERROR(session_->images->Encode(strips).status());
  ASSIGN_OR_RETURN(std::vector<Answer> answers, AnswersTo(questions, request));
  return AnswersOfLines(request.schema, questions, std::move(answers));
}

Result<std::vector<Answer>> ModelReader::AnswersTo(const std::vector<LineQuestion>& questions,
                                                   const ReadRequest& request) {
  ASSIGN_OR_RETURN(const std::string schema, LineSchema(request.schema));
  ASSIGN_OR_RETURN(const std::shared_ptr<const grammar::Constraint> constraint,
                   ConstraintOf(schema));
  std::vector<TextRequest> texts;
  for (const LineQuestion& question : questions) {
    TextRequest& text = texts.emplace_back(question.request);
    text.prompt = question.prompt.tokens;
    text.constraint = constraint;
    ASSIGN_OR_RETURN(text.media, session_->images->EncodePrompt(question.prompt, question.images));
  }
  std::vector<int64_t> ids;
  std::vector<Result<TextResult>> results(questions.size(), Cancelled("the reading was stopped"));
  Status refused = OkStatus();
  for (size_t i = 0; i < texts.size() && refused.ok(); ++i) {
    const Result<int64_t> id =
        SubmitText(*engine_, session_->files(), std::move(texts[i]),
                   [&results, i](Result<TextResult> result) { results[i] = std::move(result); });
    if (id.ok()) ids.push_back(*id);
    refused = id.status();
  }
  // The engine keeps nothing that points at what ends here.
  const auto cancel = [&] {
    for (const int64_t id : ids) engine_->Cancel(id);
  };
  if (!refused.ok()) cancel();
  while (engine_->Step()) {
    if (request.cancelled && request.cancelled()) cancel();
  }
  RETURN_IF_ERROR(refused);
  std::vector<Answer> answers;
  for (const Result<TextResult>& result : results) {
    if (!result.ok()) return result.status();
    ASSIGN_OR_RETURN(Answer answer, AnswerOf(*result, *vocabulary_));
    if (request.on_text && answer.text != "{}") request.on_text(answer.text + "\n");
    answers.push_back(std::move(answer));
  }
  return answers;
}

}  // namespace galen::extract
