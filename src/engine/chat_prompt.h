// From a conversation with images to token ids and the places of the images among them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/open_model.h"
#include "models/prompt_builder.h"
#include "text/template/chat_template.h"

namespace galen {

// The ids of a conversation, as apply_chat_template(tokenize=True, add_generation_prompt=True)
// gives them. Control tokens come from the template alone: where a message spells one, it stays
// text. No BOS but the template's own.
//
// images: one for each {"type": "image"} part, in the order of the conversation. InvalidArgument:
// another number of images than the template wrote placeholders. Each placeholder becomes what
// ImageProcessor::Expand says before the text is turned into tokens, so that line breaks merge with
// their neighbours as in transformers.
//
// ChatEncoder keeps what all conversations of a model share (the parsed template, the texts of
// control tokens); immutable, usable from any thread.
class ChatEncoder {
 public:
  // Unsupported: a model without a template. InvalidArgument: a template that cannot be parsed.
  static Result<ChatEncoder> Create(const ModelFiles& files);
  // tools: as ChatInput::tools.
  Result<EncodedPrompt> Encode(const OrderedJson& messages, std::span<const PreparedViews> images,
                               const OrderedJson& tools = {}) const;

 private:
  ChatEncoder(ModelFiles files, ChatTemplate chat);

  ModelFiles files_;
  ChatTemplate template_;
  ChatInput shared_;
};

Result<EncodedPrompt> EncodeChat(const ModelFiles& files, const OrderedJson& messages,
                                 std::span<const PreparedViews> images);
Result<std::vector<int32_t>> EncodeChat(const ModelFiles& files, const OrderedJson& messages);

// A text without a template; BOS as the tokenizer says. Placeholders in the text stand for images;
// a text without any has all images in front.
Result<EncodedPrompt> EncodeRaw(const ModelFiles& files, std::string_view text,
                                std::span<const PreparedViews> images);

// ResourceExhausted for a prompt that leaves no room for an answer; with images, says how many fit.
Status CheckContext(const EncodedPrompt& prompt, std::span<const PreparedViews> images,
                    int64_t context, int64_t model_limit);

}  // namespace galen
