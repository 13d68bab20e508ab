// Text from tokens as they come, with stop strings.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace galen {

// Turns tokens into text that may be shown: whole characters, nothing of a stop string or of what
// may become one.
class TextStream {
 public:
  TextStream(std::shared_ptr<const Tokenizer> tokenizer, std::vector<std::string> stop_strings);
  // The text that became certain. Once stopped() is true, nothing more comes.
  std::string Add(int32_t token);
  std::string Finish();
  bool stopped() const { return stopped_; }

 private:
  std::string Release(bool all);
  StreamingDetokenizer detokenizer_;
  std::vector<std::string> stop_strings_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace galen
