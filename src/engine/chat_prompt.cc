#include "engine/chat_prompt.h"

#include <string>

#include "models/chat_input.h"

namespace galen {
namespace {

// Tokens around the placeholders of a view: its two markers and a token of line breaks on either
// side.
constexpr int64_t kTokensAround = 4;

// Collects text and images; text is encoded in pieces as long as possible, since tokens merge
// across them.
class PromptBuilder {
 public:
  PromptBuilder(const ModelFiles& files, std::span<const PreparedViews> images)
      : tokenizer_(*files.tokenizer), processor_(files.image_processor.get()), images_(images) {
    if (processor_ == nullptr) return;
    soft_token_ = tokenizer_.FindToken(processor_->soft_token()).value_or(-1);
    // Quantised files may end their embedding table before the placeholder. Its row is not read:
    // any id will do.
    if (soft_token_ < 0 || soft_token_ >= files.config.vocab_size)
      soft_token_ = std::max(0, files.config.pad_token_id);
  }

  // Text in which control tokens and placeholders count.
  Status Template(std::string_view text) {
    while (processor_ != nullptr) {
      const std::string_view placeholder = processor_->placeholder();
      const size_t at = text.find(placeholder);
      if (at == std::string_view::npos) break;
      pending_ += text.substr(0, at);
      text.remove_prefix(at + placeholder.size());
      RETURN_IF_ERROR(AddImage());
    }
    pending_ += text;
    return OkStatus();
  }
  // Text that stays text.
  Status Plain(std::string_view text) {
    RETURN_IF_ERROR(Flush());
    return Encode(text, false);
  }
  Status Flush() {
    RETURN_IF_ERROR(Encode(pending_, true));
    pending_.clear();
    return OkStatus();
  }
  Result<EncodedPrompt> Take() {
    RETURN_IF_ERROR(Flush());
    if (placeholders_ == images_.size()) return std::move(prompt_);
    return InvalidArgument(
        "the prompt has places for " + std::to_string(placeholders_) + " images, " +
        std::to_string(images_.size()) + " were given" +
        (placeholders_ < images_.size() ? "; this model's chat template may not know images" : ""));
  }
  void AddIds(std::span<const TokenId> ids) {
    prompt_.tokens.insert(prompt_.tokens.end(), ids.begin(), ids.end());
  }

 private:
  Status Encode(std::string_view text, bool parse_special) {
    if (text.empty()) return OkStatus();
    EncodeOptions options;
    options.parse_special = parse_special;
    ASSIGN_OR_RETURN(const std::vector<TokenId> ids, tokenizer_.Encode(text, options));
    AddIds(ids);
    return OkStatus();
  }

  Status AddImage() {
    const size_t image = placeholders_++;
    if (image >= images_.size()) return OkStatus();  // Take says so
    const PreparedViews& views = images_[image];
    for (const PromptPiece& piece : processor_->Expand(static_cast<int64_t>(views.size()))) {
      if (piece.view < 0) {
        pending_ += piece.text;
        continue;
      }
      RETURN_IF_ERROR(Flush());
      const auto view = static_cast<size_t>(piece.view);
      const int64_t count = views[view].tokens;
      prompt_.places.push_back({static_cast<int64_t>(prompt_.tokens.size()), count, image, view});
      prompt_.tokens.insert(prompt_.tokens.end(), static_cast<size_t>(count), soft_token_);
    }
    return OkStatus();
  }

  const Tokenizer& tokenizer_;
  const ImageProcessor* processor_;
  std::span<const PreparedViews> images_;
  TokenId soft_token_ = 0;
  size_t placeholders_ = 0;
  std::string pending_;
  EncodedPrompt prompt_;
};

Status CheckReady(const ModelFiles& files, std::span<const PreparedViews> images) {
  RETURN_IF_ERROR(files.tokenizer_status);
  return images.empty() ? OkStatus() : files.vision_status;
}

Status Blame(const ModelFiles& files, const Status& status) {
  return {status.code(), files.checkpoint->path() + ": " + status.message() +
                             "; change the messages, or leave the template out (galen run --raw)"};
}

}  // namespace

ChatEncoder::ChatEncoder(ModelFiles files, ChatTemplate chat)
    : files_(std::move(files)), template_(std::move(chat)), shared_(ChatInputFor(files_)) {
  shared_.add_generation_prompt = true;
}

Result<ChatEncoder> ChatEncoder::Create(const ModelFiles& files) {
  RETURN_IF_ERROR(files.tokenizer_status);
  if (files.chat_template.empty()) {
    return Unsupported(
        files.checkpoint->path() +
        " has no chat template and none is built in for it; galen run --raw answers without one");
  }
  Result<ChatTemplate> chat = ChatTemplate::Parse(files.chat_template);
  if (!chat.ok()) return Blame(files, chat.status());
  return ChatEncoder(files, *std::move(chat));
}

Result<EncodedPrompt> ChatEncoder::Encode(const OrderedJson& messages,
                                          std::span<const PreparedViews> images,
                                          const OrderedJson& tools) const {
  RETURN_IF_ERROR(CheckReady(files_, images));
  ChatInput input = shared_;
  input.messages = messages;
  input.tools = tools;
  const Result<RenderedChat> result = template_.RenderWithSpans(input);
  if (!result.ok()) return Blame(files_, result.status());
  const RenderedChat& rendered = *result;
  PromptBuilder builder(files_, images);
  const std::string_view text = rendered.text;
  size_t at = 0;
  for (const TextSpan& plain : rendered.plain_spans) {
    RETURN_IF_ERROR(builder.Template(text.substr(at, plain.begin - at)));
    RETURN_IF_ERROR(builder.Plain(text.substr(plain.begin, plain.end - plain.begin)));
    at = plain.end;
  }
  RETURN_IF_ERROR(builder.Template(text.substr(at)));
  return builder.Take();
}

Result<EncodedPrompt> EncodeChat(const ModelFiles& files, const OrderedJson& messages,
                                 std::span<const PreparedViews> images) {
  RETURN_IF_ERROR(CheckReady(files, images));
  ASSIGN_OR_RETURN(const ChatEncoder encoder, ChatEncoder::Create(files));
  return encoder.Encode(messages, images);
}

Result<std::vector<int32_t>> EncodeChat(const ModelFiles& files, const OrderedJson& messages) {
  ASSIGN_OR_RETURN(EncodedPrompt prompt, EncodeChat(files, messages, {}));
  return std::move(prompt.tokens);
}

Result<EncodedPrompt> EncodeRaw(const ModelFiles& files, std::string_view text,
                                std::span<const PreparedViews> images) {
  RETURN_IF_ERROR(CheckReady(files, images));
  PromptBuilder builder(files, images);
  builder.AddIds(files.tokenizer->prefix_ids());
  if (images.empty()) {
    RETURN_IF_ERROR(builder.Plain(text));
    return builder.Take();
  }
  const ImageProcessor& processor = *files.image_processor;
  if (text.find(processor.placeholder()) == std::string_view::npos) {
    for (size_t i = 0; i < images.size(); ++i)
      RETURN_IF_ERROR(builder.Template(processor.marked_placeholder()));
  }
  RETURN_IF_ERROR(builder.Template(text));
  return builder.Take();
}

Status CheckContext(const EncodedPrompt& prompt, std::span<const PreparedViews> images,
                    int64_t context, int64_t model_limit) {
  const int64_t size = static_cast<int64_t>(prompt.tokens.size());
  if (size < context) return OkStatus();
  std::string message = "the prompt has " + std::to_string(size) + " tokens and the context only " +
                        std::to_string(context);
  if (images.empty()) {
    return ResourceExhausted(message + "; shorten it or raise --context (the model allows " +
                             std::to_string(model_limit) + ")");
  }
  std::vector<int64_t> cost(images.size(), 0);
  int64_t text = size;
  for (const ImagePlace& place : prompt.places) {
    cost[place.image] += place.count + kTokensAround;
    text -= place.count + kTokensAround;
  }
  size_t fit = 0;
  for (int64_t used = text; fit < cost.size() && (used += cost[fit]) < context;) ++fit;
  return ResourceExhausted(
      message + ": " + std::to_string(fit) + " of the " + std::to_string(images.size()) +
      " images fit beside this text; give fewer, make them smaller with --image-tokens, or raise "
      "--context (the model allows " +
      std::to_string(model_limit) + ")");
}

}  // namespace galen
