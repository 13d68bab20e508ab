// The header of a GGUF file (version 3) that is about to be written: metadata and tensor table.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf.h"
#include "tensor/dtype.h"

namespace galen {

class GgufWriter {
 public:
  static constexpr int64_t kAlignment = 32;  // general.alignment's default, which is not written

  // Metadata, in this order in the file. A key that is there already keeps its place and takes the
  // new value.
  void Set(std::string_view key, std::string_view text);
  void Set(std::string_view key, const char* text) { Set(key, std::string_view(text)); }
  void Set(std::string_view key, uint32_t value);
  void Set(std::string_view key, float value);
  void Set(std::string_view key, bool value);
  void Set(std::string_view key, std::span<const std::string> texts);
  void Set(std::string_view key, std::span<const float> values);
  void Set(std::string_view key, std::span<const int32_t> values);
  void Set(std::string_view key, std::span<const uint32_t> values);
  // A value of another file, as it is there.
  void Copy(const GgufEntry& entry);

  // shape: outermost first, as TensorInfo; rows are whole blocks. dtype: one that GGUF has.
  void AddTensor(std::string name, DType dtype, std::vector<int64_t> shape);

  struct Layout {
    std::string header;            // padded to the alignment
    std::vector<int64_t> offsets;  // of the tensors, from the beginning of the file
    int64_t file_bytes = 0;
  };
  Layout Finish() const;

  static int64_t TensorBytes(DType dtype, const std::vector<int64_t>& shape);

 private:
  struct Value {
    std::string key;
    std::string bytes;  // type and value, encoded
  };
  struct Tensor {
    std::string name;
    DType dtype;
    std::vector<int64_t> shape;
  };
  void Put(std::string_view key, std::string bytes);

  std::vector<Value> values_;
  std::vector<Tensor> tensors_;
};

}  // namespace galen
