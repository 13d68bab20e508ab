#include "engine/thinking.h"

#include <limits>
#include <string_view>
#include <utility>

namespace galen {
namespace {

constexpr std::string_view kOpen = "<unused94>";
constexpr std::string_view kClose = "<unused95>";
constexpr std::string_view kHeading = "thought\n";

}  // namespace

ThinkingMarkers FindThinkingMarkers(const Tokenizer& tokenizer) {
  ThinkingMarkers markers{tokenizer.FindToken(kOpen), tokenizer.FindToken(kClose)};
  if (!markers.open || !markers.close) return {};
  return markers;
}

void BanThinking(const Tokenizer& tokenizer, SamplingParams* sampling) {
  const ThinkingMarkers markers = FindThinkingMarkers(tokenizer);
  if (markers.open)
    sampling->logit_bias.emplace_back(*markers.open, -std::numeric_limits<float>::infinity());
}

ThinkingStream::ThinkingStream(std::shared_ptr<const Tokenizer> tokenizer,
                               std::vector<std::string> stop_strings)
    : markers_(FindThinkingMarkers(*tokenizer)),
      tokenizer_(tokenizer),
      answer_(tokenizer, std::move(stop_strings)) {}

// Drops the heading from the beginning of a thought.
std::string ThinkingStream::Heading(std::string thinking) {
  if (heading_done_) return thinking;
  heading_ += thinking;
  if (heading_.size() < kHeading.size() && kHeading.starts_with(heading_)) return "";
  heading_done_ = true;
  return heading_.starts_with(kHeading) ? heading_.substr(kHeading.size()) : heading_;
}

ThinkingStream::Piece ThinkingStream::Add(int32_t token) {
  Piece piece;
  if (markers_.open == token) {
    if (thought_) return piece;
    thought_.emplace(tokenizer_, std::vector<std::string>());
    heading_.clear();
    heading_done_ = false;
  } else if (markers_.close == token) {
    if (thought_) piece.thinking = Heading(thought_->Finish());
    thought_.reset();
  } else if (thought_) {
    piece.thinking = Heading(thought_->Add(token));
  } else {
    piece.text = answer_.Add(token);
  }
  return piece;
}

ThinkingStream::Piece ThinkingStream::Finish() {
  Piece piece;
  if (thought_) piece.thinking = Heading(thought_->Finish());
  piece.text = answer_.Finish();
  return piece;
}

}  // namespace galen
