// bitsandbytes tensors of a safetensors checkpoint: codes in one tensor, scales and their
// description in others beside it. docs/formats/bitsandbytes.md says which.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "formats/tensor_info.h"

namespace galen {

enum class BnbKind : uint8_t { kNf4, kFp4, kInt8 };

// One quantised matrix [rows, cols]. Spans lie inside the mapped file, at any alignment.
struct BnbTensor {
  BnbKind kind = BnbKind::kNf4;
  int64_t rows = 0;
  int64_t cols = 0;
  // What bitsandbytes itself decodes to (the type of the weight before it was quantised).
  DType decoded = DType::kF32;
  // 4-bit: (rows * cols + 1) / 2 bytes, element 2i in the high nibble of byte i. int8: one byte a
  // value.
  std::span<const uint8_t> codes;

  // 4-bit: values of a block, in row-major order over the whole matrix: a block may cross rows.
  int64_t blocksize = 0;
  // fp32 for each block (each row: int8), or, where nested_map is not empty, a code for each.
  std::span<const uint8_t> absmax;
  std::vector<float> nested_map;           // 256 values
  std::span<const uint8_t> nested_absmax;  // fp32
  int64_t nested_blocksize = 0;
  float nested_offset = 0.0f;

  // The scale of a block (of a row: int8), as bitsandbytes restores it in fp32.
  float Scale(int64_t block) const;
  // Decodes row-major elements [begin, end), bit-equal to bitsandbytes' fp32 result.
  void Decode(int64_t begin, int64_t end, float* values) const;
  // Rows [row0, row1) as rows of blocks of `dtype`, which is the matrix's own block format, or a
  // plain type that is encoded to.
  void ReadRows(DType dtype, int64_t row0, int64_t row1, uint8_t* dst) const;
  int64_t bytes() const {
    return static_cast<int64_t>(codes.size() + absmax.size() + nested_absmax.size());
  }
};

// Puts the parts of every quantised matrix together: its ".weight" gets the shape [rows, cols], the
// type of its blocks and TensorInfo::bnb; the parts leave the list. A matrix whose rows are no
// whole blocks takes the plain type that bitsandbytes decodes to. DataLoss and Unsupported name the
// tensor that is wrong. `file` is for messages.
Status FoldBnbTensors(std::vector<TensorInfo>* tensors, const std::string& file);

// Rows [row0, row1) of a matrix of rows of `cols` values in the format tensor.dtype: an address in
// the file, or in `scratch` where the rows have to be put together.
const uint8_t* TensorRows(const TensorInfo& tensor, int64_t cols, int64_t row0, int64_t row1,
                          std::vector<uint8_t>* scratch);

// Bytes of the file that hold the tensor, its scales included.
int64_t TensorBytes(const TensorInfo& tensor);

// The dynamic map of 256 signed 8-bit codes that double quantisation uses.
const std::vector<float>& BnbDynamicMap();
// Codes of n values in blocks of 256 with that map, and the blocks' absmax; bit-equal to
// bitsandbytes on a CPU.
void EncodeBnbDynamic(const float* values, int64_t n, uint8_t* codes, float* absmax);

}  // namespace galen
