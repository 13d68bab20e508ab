// safetensors: the same bytes as a file, its quantised matrices put together and decoded, and, when
// they look like JSON, as the index of shards.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "formats/bitsandbytes.h"
#include "formats/safetensors.h"

using namespace galen;

namespace {

volatile uint64_t g_sink;

void AsFile(const uint8_t* data, size_t size) {
  const Result<SafetensorsFile> file = ParseSafetensors({data, size}, "input.safetensors");
  if (!file.ok()) {
    GALEN_CHECK(!file.status().message().empty());
    return;
  }
  uint64_t total = 0;
  uint64_t sum = 0;
  for (const TensorInfo& tensor : file->tensors) {
    GALEN_CHECK(tensor.NumElements() >= 0);
    if (tensor.supported) {
      const int64_t bytes = FormatOf(tensor.dtype).block_bytes;
      GALEN_CHECK(tensor.NumElements() * bytes == static_cast<int64_t>(tensor.bytes.size()));
    }
    for (const uint8_t byte : tensor.bytes) sum += byte;
    total += tensor.bytes.size();
  }
  GALEN_CHECK(total < size);
  g_sink = sum;

  std::vector<TensorInfo> tensors = file->tensors;
  const Status folded = FoldBnbTensors(&tensors, "input.safetensors");
  GALEN_CHECK(folded.ok() || !folded.message().empty());
  if (!folded.ok()) return;
  std::vector<uint8_t> scratch;
  for (const TensorInfo& tensor : tensors) {
    if (tensor.bnb == nullptr) continue;
    const int64_t rows = tensor.shape[0], cols = tensor.shape[1];
    GALEN_CHECK(rows * cols <= 2 * static_cast<int64_t>(size));
    std::vector<float> values(static_cast<size_t>(cols));
    for (int64_t row = 0; row < rows; ++row) {
      tensor.bnb->Decode(row * cols, (row + 1) * cols, values.data());
      const uint8_t* blocks = TensorRows(tensor, cols, row, row + 1, &scratch);
      sum += blocks[RowBytes(tensor.dtype, cols) - 1];
    }
  }
  g_sink = sum;
}

void AsIndex(std::string_view json) {
  const Result<SafetensorsIndex> index = ParseSafetensorsIndex(json, "input.json");
  if (!index.ok()) return;
  for (const auto& [shard, names] : *index) {
    GALEN_CHECK(shard.find('/') == std::string::npos && shard != ".." && shard != "." &&
                !shard.empty());
    GALEN_CHECK(shard.find('\0') == std::string::npos && !names.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  AsFile(data, size);
  if (size > 0 && data[0] == '{') AsIndex({reinterpret_cast<const char*>(data), size});
  return 0;
}
