// Thoughts kept apart from answers. MedGemma writes <unused94>thought\n ... <unused95>answer;
// neither marker is a special token of its tokenizer, so that a plain detokenizer would show both.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/sampler.h"
#include "engine/text_stream.h"
#include "text/tokenizer.h"

namespace galen {

enum class Think : uint8_t {
  kShow,  // thoughts are handed on as they come
  kHide,  // thoughts are made and kept from the text
  kOff,   // the marker that opens a thought cannot be chosen
};

// Ids of the markers where the vocabulary has both.
struct ThinkingMarkers {
  std::optional<TokenId> open;
  std::optional<TokenId> close;
};
ThinkingMarkers FindThinkingMarkers(const Tokenizer& tokenizer);

// Kept from being chosen, where the vocabulary has it.
void BanThinking(const Tokenizer& tokenizer, SamplingParams* sampling);

// A TextStream that separates thoughts. Nothing of a thought becomes text, even if it is cut off in
// the middle. Stop strings look at the answer alone. The word "thought" and the line break that
// open a block belong to its markers.
class ThinkingStream {
 public:
  ThinkingStream(std::shared_ptr<const Tokenizer> tokenizer, std::vector<std::string> stop_strings);

  struct Piece {
    std::string text;
    std::string thinking;
  };
  Piece Add(int32_t token);
  Piece Finish();
  bool stopped() const { return answer_.stopped(); }

 private:
  std::string Heading(std::string thinking);

  const ThinkingMarkers markers_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  TextStream answer_;
  std::optional<TextStream> thought_;  // open block
  std::string heading_;                // beginning of a block until its first line is complete
  bool heading_done_ = false;
};

}  // namespace galen
