#include "extract/answer/page_question.h"

#include <algorithm>

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

Result<std::vector<PreparedViews>> Prepare(const ModelFiles& files, const ReadRequest& request,
                                           const PageQuestionOptions& options) {
  std::vector<PreparedViews> images;
  if (!options.sees_images) return images;
  for (const size_t page : request.pages) {
    ASSIGN_OR_RETURN(const Case::Picture picture, request.source->Draw(page, options.dpi));
    ASSIGN_OR_RETURN(PreparedViews views,
                     files.image_processor->Prepare(picture.image, options.image));
    images.push_back(std::move(views));
  }
  return images;
}

Result<EncodedPrompt> Encode(const ModelFiles& files, const ReadRequest& request,
                             std::span<const PreparedViews> images, const ChatEncoder* chat) {
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
  return chat != nullptr ? chat->Encode(messages, images) : EncodeChat(files, messages, images);
}

}  // namespace

Result<PageQuestion> AskAboutPages(const ModelFiles& files, const ReadRequest& request,
                                   const PageQuestionOptions& options) {
  PageQuestion question;
  ASSIGN_OR_RETURN(question.images, Prepare(files, request, options));
  ASSIGN_OR_RETURN(question.prompt, Encode(files, request, question.images, options.chat));
  const auto size = static_cast<int64_t>(question.prompt.tokens.size());
  if (size > options.context - options.context / kAnswerShare) {
    return ResourceExhausted(
        std::to_string(request.pages.size()) + " pages take " + std::to_string(size) +
        " tokens, which leaves no room for an answer in a context of " +
        std::to_string(options.context) + "; --context allows more where the model does");
  }
  TextRequest& text = question.request;
  text.max_tokens = options.context - size;
  text.sampling.logprobs = 0;  // of the tokens chosen alone: confidence rests on them
  if (options.max_tokens > 0) text.max_tokens = std::min(options.max_tokens, text.max_tokens);
  text.cancelled = request.cancelled;
  text.on_text = request.on_text;
  return question;
}

Result<std::shared_ptr<const grammar::Constraint>> AnswerConstraint(
    const std::string& schema, const std::shared_ptr<const grammar::Vocabulary>& vocabulary) {
  Result<std::shared_ptr<const grammar::Constraint>> compiled =
      grammar::Constraint::FromSchema(schema, vocabulary, grammar::Whitespace::kCompact);
  if (!compiled.ok()) return compiled.status().WithContext("the schema");
  return compiled;
}

Result<Answer> AnswerOf(const TextResult& result, const grammar::Vocabulary& vocabulary) {
  if (result.finish == FinishReason::kCancelled) return Cancelled("the reading was stopped");
  Answer answer;
  answer.text = result.text;
  answer.complete = result.complete;
  answer.tokens = SpansOf(result, vocabulary);
  return answer;
}

}  // namespace galen::extract
