#include "train/example_encoder.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "base/files.h"
#include "models/chat_input.h"

namespace galen {
namespace {

// A stretch of rendered text that is encoded by itself.
struct Piece {
  size_t begin = 0;
  size_t end = 0;
  bool plain = false;  // control tokens are text here
  bool answer = false;
};

// Cuts [0, size) where answers begin and end and around plain spans. Both lists ascend.
std::vector<Piece> Cut(size_t size, const std::vector<TextSpan>& answers,
                       const std::vector<TextSpan>& plain) {
  std::vector<size_t> cuts = {0, size};
  for (const std::vector<TextSpan>* spans : {&answers, &plain}) {
    for (const TextSpan& span : *spans) {
      cuts.push_back(span.begin);
      cuts.push_back(span.end);
    }
  }
  std::sort(cuts.begin(), cuts.end());
  const auto inside = [](const std::vector<TextSpan>& spans, size_t at) {
    return std::any_of(spans.begin(), spans.end(),
                       [at](const TextSpan& s) { return s.begin <= at && at < s.end; });
  };
  std::vector<Piece> pieces;
  for (size_t i = 0; i + 1 < cuts.size(); ++i) {
    if (cuts[i] == cuts[i + 1]) continue;
    pieces.push_back({cuts[i], cuts[i + 1], inside(plain, cuts[i]), inside(answers, cuts[i])});
  }
  return pieces;
}

}  // namespace

Result<ExampleEncoder> ExampleEncoder::Create(const ModelFiles& files,
                                              const std::string& template_file) {
  RETURN_IF_ERROR(files.tokenizer_status);
  std::string source = files.chat_template;
  if (!template_file.empty()) {
    ASSIGN_OR_RETURN(source, ReadFile(template_file, size_t{1} << 20));
  }
  const std::string& origin = template_file.empty() ? files.checkpoint->path() : template_file;
  if (source.empty()) {
    return Unsupported(origin +
                       " has no chat template and none is built in for it: name one with "
                       "chat_template");
  }
  Result<ChatTemplate> chat = ChatTemplate::Parse(source);
  if (!chat.ok()) return chat.status().WithContext(origin);
  return ExampleEncoder(&files, *std::move(chat), ChatInputFor(files));
}

Result<RenderedChat> ExampleEncoder::Render(const OrderedJson& messages,
                                            bool generation_prompt) const {
  ChatInput input = input_;
  input.messages = messages;
  input.add_generation_prompt = generation_prompt;
  return template_.RenderWithSpans(input);
}

Result<std::vector<TextSpan>> ExampleEncoder::Answers(const OrderedJson& messages,
                                                      const RenderedChat& whole) const {
  if (!whole.generation_spans.empty()) return whole.generation_spans;
  std::vector<TextSpan> answers;
  OrderedJson part = OrderedJson::array();
  for (const OrderedJson& message : messages) {
    if (message["role"] == "assistant") {
      ASSIGN_OR_RETURN(const RenderedChat before, Render(part, true));
      part.push_back(message);
      ASSIGN_OR_RETURN(const RenderedChat with, Render(part, false));
      const std::string_view text = whole.text;
      // The end of the whole may lack what ends a turn in the middle.
      if (!text.starts_with(before.text) || !with.text.starts_with(before.text) ||
          !text.starts_with(with.text)) {
        return InvalidArgument(
            "the chat template rewrites what stands before an answer, so the answer's place is not "
            "certain; give conversations with one answer, or a template with {% generation %}");
      }
      answers.push_back({before.text.size(), with.text.size()});
    } else {
      part.push_back(message);
    }
  }
  return answers;
}

Result<EncodedChat> ExampleEncoder::Encode(const OrderedJson& messages,
                                           std::span<const PreparedViews> images) const {
  ASSIGN_OR_RETURN(const RenderedChat whole, Render(messages, false));
  ASSIGN_OR_RETURN(const std::vector<TextSpan> answers, Answers(messages, whole));
  const std::vector<TokenId>& stops = files_->tokenizer->special().stop;
  EncodedChat encoded;
  PromptBuilder builder(*files_, images);
  const std::vector<int32_t>& tokens = builder.prompt().tokens;
  const std::string_view text = whole.text;
  size_t answer_begin = 0;  // first label of the answer at hand
  bool in_answer = false;
  const auto end_answer = [&] {
    // Behind the token that ends the turn there may be a line break of the template: no answer.
    for (size_t i = encoded.labels.size(); i > answer_begin; --i) {
      if (!std::binary_search(stops.begin(), stops.end(), encoded.labels[i - 1])) continue;
      std::fill(encoded.labels.begin() + static_cast<std::ptrdiff_t>(i), encoded.labels.end(),
                kNotLabelled);
      break;
    }
    in_answer = false;
  };
  for (const Piece& piece : Cut(text.size(), answers, whole.plain_spans)) {
    if (in_answer && !piece.answer) end_answer();
    if (piece.answer && !in_answer) answer_begin = encoded.labels.size();
    in_answer = piece.answer;
    const std::string_view part = text.substr(piece.begin, piece.end - piece.begin);
    RETURN_IF_ERROR(piece.plain ? builder.Plain(part) : builder.Template(part));
    RETURN_IF_ERROR(builder.Flush());
    const size_t before = encoded.labels.size();
    encoded.labels.resize(tokens.size(), kNotLabelled);
    if (!piece.answer) continue;
    std::copy(tokens.begin() + static_cast<std::ptrdiff_t>(before), tokens.end(),
              encoded.labels.begin() + static_cast<std::ptrdiff_t>(before));
  }
  if (in_answer) end_answer();
  ASSIGN_OR_RETURN(EncodedPrompt prompt, builder.Take());
  for (const ImagePlace& place : prompt.places) {
    std::fill_n(encoded.labels.begin() + place.begin, place.count, kNotLabelled);
    encoded.places.push_back({place, images[place.image][place.view].token_grid});
  }
  encoded.tokens = std::move(prompt.tokens);
  return encoded;
}

}  // namespace galen
