// From a text to the ids that a text tower takes: the clean-up, the tokenizer, the end token and
// the length of SiglipTokenizer and CLIPTokenizer (transformers 5.23).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/dual_encoder/dual_encoder_config.h"
#include "text/tokenizer.h"

namespace galen {

// Immutable, usable from any thread.
class TextInput {
 public:
  // SigLIP: spiece.model, which SiglipTokenizer reads, else tokenizer.json. CLIP: tokenizer.json,
  // else vocab.json and merges.txt. NotFound names what is missing.
  static Result<TextInput> Open(const std::string& directory, DualEncoderFamily family,
                                const TextEncoderConfig& config);

  // Ids with their special tokens, at most max_length: what is longer loses its end, the end token
  // stays. Text that spells a special token is text. *truncated (may be null): something was lost.
  Result<std::vector<int32_t>> Encode(std::string_view text, bool* truncated = nullptr) const;
  // The same as the tower takes them: SigLIP's are padded to all its positions.
  Result<std::vector<int32_t>> EncodePadded(std::string_view text, bool* truncated = nullptr) const;

  int64_t max_length() const { return max_length_; }

 private:
  TextInput() = default;
  Result<std::vector<int32_t>> EncodeSiglip(std::string_view text) const;

  std::shared_ptr<const Tokenizer> tokenizer_;
  bool siglip_ = false;
  bool sentencepiece_ = false;
  bool lower_case_ = true;
  int64_t max_length_ = 0;
  int64_t positions_ = 0;
  int64_t vocab_size_ = 0;
  int32_t eos_ = 0;
  int32_t pad_ = 0;
  size_t unk_tokens_ = 0;  // ids of the spelling "<unk>", cut off from the front
};

}  // namespace galen
