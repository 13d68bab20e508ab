#include "extract/answer/model_reader.h"

namespace galen::extract {

Result<std::unique_ptr<ModelReader>> ModelReader::Create(std::unique_ptr<Session> session,
                                                         const ModelReaderOptions& options) {
  RETURN_IF_ERROR(session->files().tokenizer_status);
  std::unique_ptr<ModelReader> reader(new ModelReader(std::move(session), options));
  reader->options_.identity.sees_images = reader->session_->images != nullptr;
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

Result<Answer> ModelReader::Read(const ReadRequest& request) {
  PageQuestionOptions options;
  options.sees_images = options_.identity.sees_images;
  options.dpi = options_.dpi;
  options.image = options_.image;
  options.context = options_.engine.context;
  options.max_tokens = options_.max_tokens;
  ASSIGN_OR_RETURN(PageQuestion question, AskAboutPages(session_->files(), request, options));
  TextRequest& text = question.request;
  text.prompt = question.prompt.tokens;
  ASSIGN_OR_RETURN(text.constraint, ConstraintOf(request.schema));
  if (!question.images.empty()) {
    ASSIGN_OR_RETURN(text.media, session_->images->EncodePrompt(question.prompt, question.images));
  }
  ASSIGN_OR_RETURN(const TextResult result, Generate(*engine_, session_->files(), text));
  return AnswerOf(result, *vocabulary_);
}

}  // namespace galen::extract
