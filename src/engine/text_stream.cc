#include "engine/text_stream.h"

#include <algorithm>

namespace galen {

TextStream::TextStream(std::shared_ptr<const Tokenizer> tokenizer,
                       std::vector<std::string> stop_strings)
    : detokenizer_(std::move(tokenizer)), stop_strings_(std::move(stop_strings)) {
  std::erase_if(stop_strings_, [](const std::string& s) { return s.empty(); });
}

std::string TextStream::Release(bool all) {
  size_t stop_at = std::string::npos;
  for (const std::string& stop : stop_strings_) stop_at = std::min(stop_at, held_.find(stop));
  if (stop_at != std::string::npos) {
    stopped_ = true;
    std::string text = held_.substr(0, stop_at);
    held_.clear();
    return text;
  }
  size_t keep = 0;  // longest end of held_ that begins a stop string
  for (const std::string& stop : stop_strings_) {
    if (all) break;
    for (size_t n = std::min(stop.size() - 1, held_.size()); n > keep; --n) {
      if (held_.compare(held_.size() - n, n, stop, 0, n) == 0) keep = n;
    }
  }
  std::string text = held_.substr(0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
  return text;
}

std::string TextStream::Add(int32_t token) {
  if (stopped_) return "";
  held_ += detokenizer_.Add(token);
  return Release(false);
}

std::string TextStream::Finish() {
  if (stopped_) return "";
  held_ += detokenizer_.Flush();
  return Release(true);
}

}  // namespace galen
