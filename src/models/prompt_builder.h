// From text with placeholders of images to token ids and the places of the images among them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/open_model.h"
#include "models/vision/image_processor.h"

namespace galen {

// The views of one image, as ImageProcessor::Prepare gives them.
using PreparedViews = std::vector<PreparedImage>;

// One view's tokens: [begin, begin + count) of the prompt hold placeholders.
struct ImagePlace {
  int64_t begin = 0;
  int64_t count = 0;
  size_t image = 0;
  size_t view = 0;
};

struct EncodedPrompt {
  std::vector<int32_t> tokens;
  std::vector<ImagePlace> places;  // in the order of the tokens
};

// Collects text and images; text is encoded in pieces as long as possible, since tokens merge
// across them. files must have a tokenizer; they and the images must outlive the builder.
class PromptBuilder {
 public:
  // images: of each placeholder, in order. Pixels are not looked at.
  PromptBuilder(const ModelFiles& files, std::span<const PreparedViews> images);

  // Text in which control tokens and placeholders count. Each placeholder becomes what
  // ImageProcessor::Expand says before the text is turned into tokens.
  Status Template(std::string_view text);
  // Text that stays text.
  Status Plain(std::string_view text);
  // Ends a piece: what follows does not merge with what came before.
  Status Flush();
  void AddIds(std::span<const TokenId> ids);
  // What came before the last Flush.
  const EncodedPrompt& prompt() const { return prompt_; }
  // InvalidArgument: another number of placeholders than images.
  Result<EncodedPrompt> Take();

 private:
  Status Encode(std::string_view text, bool parse_special);
  Status AddImage();

  const Tokenizer& tokenizer_;
  const ImageProcessor* processor_;
  std::span<const PreparedViews> images_;
  TokenId soft_token_ = 0;
  size_t placeholders_ = 0;
  std::string pending_;
  EncodedPrompt prompt_;
};

}  // namespace galen
