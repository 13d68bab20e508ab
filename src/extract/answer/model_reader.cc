#include "extract/answer/model_reader.h"

#include <algorithm>

#include "grammar/constraint.h"
#include "grammar/vocabulary.h"

namespace galen::extract {
namespace {

// An answer must have at least this share of the context, or the pages are too many.
constexpr int64_t kAnswerShare = 4;

std::string PageHeading(size_t number) {
  return "\n\n--- page " + std::to_string(number) + " ---\n";
}

// The bytes of the answer that each token brought.
std::vector<TokenSpan> SpansOf(const TextResult& result, const grammar::Vocabulary& vocabulary) {
  std::string bytes;
  std::vector<TokenSpan> spans;
  for (const TokenChoice& choice : result.tokens) {
    const std::string& piece = choice.token >= 0 && choice.token < vocabulary.size()
                                   ? vocabulary.bytes(choice.token)
                                   : std::string();
    spans.push_back({bytes.size(), bytes.size() + piece.size(), choice.logprob});
    bytes += piece;
  }
  // A thought stands in front of the answer.
  const size_t shift = bytes.rfind(result.text);
  if (shift == bytes.npos || result.text.empty()) return {};
  std::erase_if(spans, [&](const TokenSpan& span) { return span.end <= shift; });
  for (TokenSpan& span : spans) {
    span.begin = span.begin > shift ? span.begin - shift : 0;
    span.end -= shift;
  }
  return spans;
}

}  // namespace

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
    Result<std::shared_ptr<const grammar::Constraint>> compiled =
        grammar::Constraint::FromSchema(schema, vocabulary_, grammar::Whitespace::kCompact);
    if (!compiled.ok()) return compiled.status().WithContext("the schema");
    known = *std::move(compiled);
  }
  return known;
}

Result<std::vector<PreparedViews>> ModelReader::Prepare(const ReadRequest& request) const {
  std::vector<PreparedViews> images;
  if (!options_.identity.sees_images) return images;
  for (const size_t page : request.pages) {
    ASSIGN_OR_RETURN(const Case::Picture picture, request.source->Draw(page, options_.dpi));
    ASSIGN_OR_RETURN(PreparedViews views,
                     session_->files().image_processor->Prepare(picture.image, options_.image));
    images.push_back(std::move(views));
  }
  return images;
}

Result<EncodedPrompt> ModelReader::Encode(const ReadRequest& request,
                                          std::span<const PreparedViews> images) const {
  const ModelFiles& files = session_->files();
  const auto page_text = [&](size_t page) { return PageText(request.source->pages()[page]); };
  if (files.chat_template.empty()) {
    std::string text = request.instruction;
    for (const size_t page : request.pages) {
      text += PageHeading(page + 1);
      text += images.empty() ? page_text(page)
                             : std::string(files.image_processor->marked_placeholder());
    }
    return EncodeRaw(files, text + "\n\nJSON:\n", images);
  }
  OrderedJson content = request.instruction;
  if (images.empty()) {
    std::string text = request.instruction;
    for (const size_t page : request.pages) text += PageHeading(page + 1) + page_text(page);
    content = text;
  } else {
    content = OrderedJson::array();
    for (size_t i = 0; i < images.size(); ++i) content.push_back({{"type", "image"}});
    content.push_back({{"type", "text"}, {"text", request.instruction}});
  }
  OrderedJson messages = OrderedJson::array();
  messages.push_back({{"role", "user"}, {"content", content}});
  return EncodeChat(files, messages, images);
}

Result<Answer> ModelReader::Read(const ReadRequest& request) {
  const int64_t context = options_.engine.context;
  ASSIGN_OR_RETURN(const std::vector<PreparedViews> images, Prepare(request));
  ASSIGN_OR_RETURN(const EncodedPrompt prompt, Encode(request, images));
  const auto size = static_cast<int64_t>(prompt.tokens.size());
  if (size > context - context / kAnswerShare) {
    return ResourceExhausted(
        std::to_string(request.pages.size()) + " pages take " + std::to_string(size) +
        " tokens, which leaves no room for an answer in a context of " + std::to_string(context) +
        "; --context allows more where the model does");
  }
  TextRequest text;
  text.prompt = prompt.tokens;
  text.max_tokens = context - size;
  text.sampling.logprobs = 0;  // of the tokens chosen alone: confidence rests on them
  if (options_.max_tokens > 0) text.max_tokens = std::min(options_.max_tokens, text.max_tokens);
  text.cancelled = request.cancelled;
  ASSIGN_OR_RETURN(text.constraint, ConstraintOf(request.schema));
  if (!images.empty()) {
    ASSIGN_OR_RETURN(text.media, session_->images->EncodePrompt(prompt, images));
  }
  ASSIGN_OR_RETURN(const TextResult result, Generate(*engine_, session_->files(), text));
  if (result.finish == FinishReason::kCancelled) return Cancelled("the reading was stopped");
  Answer answer;
  answer.text = result.text;
  answer.complete = result.complete;
  answer.tokens = SpansOf(result, *vocabulary_);
  return answer;
}

}  // namespace galen::extract
