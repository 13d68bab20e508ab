// From a conversation to token ids and the labels of its answers.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "models/prompt_builder.h"
#include "text/template/chat_template.h"

namespace galen {

// The label of a token that is not learned: PyTorch's ignore_index.
inline constexpr int32_t kNotLabelled = -100;

// The place of an image, and the rows and columns of its tokens as PreparedImage::token_grid.
struct ImageTokens : ImagePlace {
  ImageGrid token_grid = {};
};

struct EncodedChat {
  std::vector<int32_t> tokens;
  // What the model is to say at each place: the token itself where it belongs to an answer, else
  // kNotLabelled. Image tokens have none.
  std::vector<int32_t> labels;
  std::vector<ImageTokens> places;  // of images, in the order of the tokens
};

// Immutable once made; any thread may encode.
class ExampleEncoder {
 public:
  // files must outlive the encoder. Unsupported: no tokenizer, or no chat template.
  // template_file: in place of the model's own; may be empty.
  static Result<ExampleEncoder> Create(const ModelFiles& files, const std::string& template_file);

  // The whole conversation through the chat template. Labelled are the assistant's words and the
  // token that ends their turn: what lies in {% generation %} blocks where the template marks them,
  // else what rendering the conversation with an answer adds to rendering it up to that answer
  // with a generation prompt. The text is cut where an answer begins, so that what stands before it
  // are the very tokens of the prompt at inference. InvalidArgument: the template refuses the
  // conversation, or rewrites what stands before an answer, or there are more or fewer placeholders
  // than images. images: of each {"type": "image"} part; pixels are not looked at.
  Result<EncodedChat> Encode(const OrderedJson& messages,
                             std::span<const PreparedViews> images = {}) const;

 private:
  ExampleEncoder(const ModelFiles* files, ChatTemplate chat, ChatInput input)
      : files_(files), template_(std::move(chat)), input_(std::move(input)) {}
  Result<std::vector<TextSpan>> Answers(const OrderedJson& messages,
                                        const RenderedChat& whole) const;
  Result<RenderedChat> Render(const OrderedJson& messages, bool generation_prompt) const;

  const ModelFiles* files_;
  ChatTemplate template_;
  ChatInput input_;
};

}  // namespace galen
