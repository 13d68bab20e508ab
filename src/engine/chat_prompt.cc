#include "engine/chat_prompt.h"

#include <string>

#include "models/chat_input.h"

namespace galen {
namespace {

// Tokens around the placeholders of a view: its two markers and a token of line breaks on either
// side.
constexpr int64_t kTokensAround = 4;

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
