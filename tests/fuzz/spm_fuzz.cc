// SentencePiece models: whatever loads must encode, decode and stream without a fault, and keep its
// promises.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tokenizer_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  galen::CheckTokenizer(galen::Tokenizer::FromSentencePiece(bytes));
  return 0;
}
