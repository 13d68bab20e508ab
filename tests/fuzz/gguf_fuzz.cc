// GGUF: a header that was accepted must be safe to use in every way.
#include <cstddef>
#include <cstdint>
#include <string>

#include "formats/gguf.h"
#include "formats/hf_config.h"

using namespace galen;

namespace {

// What is read must not be optimised away.
volatile uint64_t g_sink;

void ReadMetadata(const GgufFile& file) {
  uint64_t sum = 0;
  for (const GgufEntry& entry : file.metadata()) {
    sum += static_cast<uint64_t>(file.GetInt(entry.key).ok()) + file.GetDouble(entry.key).ok() +
           file.GetBool(entry.key).ok();
    if (const auto text = file.GetString(entry.key); text.ok()) {
      for (const char c : *text) sum += static_cast<uint8_t>(c);
    }
    if (const auto strings = file.GetStrings(entry.key); strings.ok()) {
      for (const std::string_view text : *strings) {
        if (!text.empty()) sum += static_cast<uint8_t>(text.back());
      }
    }
    if (const auto ints = file.GetInts(entry.key); ints.ok()) sum += ints->size();
    if (const auto floats = file.GetFloats(entry.key); floats.ok()) sum += floats->size();
    if (const auto lists = file.GetIntLists(entry.key); lists.ok()) sum += lists->size();
  }
  const std::string architecture(
      file.GetString("general.architecture").ok() ? *file.GetString("general.architecture") : "");
  const GgufView view(file, architecture + ".");
  sum += ReadGgufRope(view, RopeLayers::kGlobal, 1e4).ok() +
         ReadGgufRope(view, RopeLayers::kSliding, 1e4).ok() + ReadSlidingLayers(view, 7, 6).ok();
  g_sink = sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Result<GgufFile> file = GgufFile::Parse({data, size}, "input.gguf");
  if (!file.ok()) {
    GALEN_CHECK(!file.status().message().empty());
    return 0;
  }
  ReadMetadata(*file);
  uint64_t total = 0;
  uint64_t sum = 0;
  for (const TensorInfo& tensor : file->tensors()) {
    GALEN_CHECK(tensor.NumElements() > 0 && !tensor.bytes.empty());
    if (tensor.supported) {
      GALEN_CHECK(FormatOf(tensor.dtype).name == tensor.type_name);
      const int64_t cols = tensor.shape.empty() ? 1 : tensor.shape.back();
      GALEN_CHECK(tensor.NumElements() / cols * RowBytes(tensor.dtype, cols) ==
                  static_cast<int64_t>(tensor.bytes.size()));
    }
    for (const uint8_t byte : tensor.bytes) sum += byte;
    total += tensor.bytes.size();
  }
  GALEN_CHECK(total <= size);  // no byte belongs to two tensors
  g_sink = sum;
  return 0;
}
