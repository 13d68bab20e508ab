// Token ids back to text: the "decoder" of tokenizer.json as a stream of tokens that flows through
// its steps.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"

namespace galen::text {

struct DecodeReplace {
  std::string literal, content;
};
struct DecodeByteFallback {
};  // runs of <0xNN> become characters; a run that is no UTF-8 one U+FFFD per byte
struct DecodeByteLevel {};  // GPT-2's byte alphabet; ends the steps on single tokens, as Fuse does
struct DecodeMetaspace {
  std::string replacement;
  bool drop_in_first;
};
struct DecodeFuse {};
struct DecodeStrip {
  std::string content;
  size_t start, stop;
};  // content: one character

using DecoderStep = std::variant<DecodeReplace, DecodeByteFallback, DecodeByteLevel,
                                 DecodeMetaspace, DecodeFuse, DecodeStrip>;

class Decoder {
 public:
  // Fails for an order of steps that cannot be decoded as a stream: Replace, ByteFallback or
  // Metaspace behind Fuse.
  Status Add(DecoderStep step);
  // Without a decoder Hugging Face joins the tokens with spaces.
  void set_join_with_spaces(bool join) { join_with_spaces_ = join; }

  struct State {
    bool first = true;       // no token was seen
    std::string run;         // bytes of a run of byte tokens
    std::string tail;        // an incomplete character
    size_t stripped = 0;     // characters that a Strip behind Fuse removed at the front
    bool strip_open = true;  // that Strip may still remove
  };
  // Appends what `token` (the file's spelling) makes certain.
  void Push(State* state, std::string_view token, std::string* out) const;
  // Appends what was held back and resets the state.
  void Finish(State* state, std::string* out) const;

  // The bytes of one token in the middle of a text.
  std::string TokenBytes(std::string_view token) const;

 private:
  void Apply(State* state, size_t step, std::string token, std::string* out) const;
  void FlushRun(State* state, size_t step, std::string* out) const;
  void Emit(State* state, std::string_view text, std::string* out) const;

  std::vector<DecoderStep> steps_;
  std::vector<DecodeStrip> strips_after_fuse_;
  bool fused_ = false, byte_level_ = false, join_with_spaces_ = false;
};

}  // namespace galen::text
