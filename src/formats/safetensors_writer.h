// The header of a safetensors file that is about to be written.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "tensor/dtype.h"

namespace galen {

struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::kU8;  // a plain type
  std::vector<int64_t> shape;
  int64_t offset = 0;  // from the beginning of the file; set by LayOutSafetensors

  int64_t bytes() const;
};

struct SafetensorsLayout {
  std::string header;  // what the file begins with, its length included
  int64_t file_bytes = 0;
};

// Gives every entry its place, in their order, one behind another. Metadata says {"format": "pt"},
// which transformers asks for. InvalidArgument: a name occurs twice.
Result<SafetensorsLayout> LayOutSafetensors(std::vector<SafetensorsEntry>* entries);

}  // namespace galen
