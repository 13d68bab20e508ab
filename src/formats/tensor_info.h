// One named tensor inside a mapped model file, whatever the container.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"

namespace galen {

struct BnbTensor;  // formats/bitsandbytes.h

struct TensorInfo {
  std::string name;          // as the file spells it
  DType dtype = DType::kU8;  // kU8 when not supported
  std::vector<int64_t>
      shape;  // outermost first, row-major (GGUF's order is turned round); empty for a scalar
  // Exactly the tensor's bytes, inside the mapped file. GGUF aligns them to 32 bytes or more,
  // safetensors to 1.
  std::span<const uint8_t> bytes;
  std::string_view
      type_name;  // "q4_k"; for foreign types the file's word: "F8_E4M3"; static storage
  bool supported =
      true;  // false: the type is known by name only, and Checkpoint::Find refuses the tensor

  // A matrix in several tensors of the file: `bytes` are its codes alone, and TensorRows() reads
  // rows of dtype, from this row of it on.
  std::shared_ptr<const BnbTensor> bnb;
  int64_t bnb_row0 = 0;

  // Checked against overflow when the file was opened.
  int64_t NumElements() const {
    int64_t n = 1;
    for (const int64_t d : shape) n *= d;
    return n;
  }
};

}  // namespace galen
