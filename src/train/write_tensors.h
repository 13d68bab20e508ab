// Writes safetensors files from memory.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "tensor/dtype.h"

namespace galen {

struct TensorToWrite {
  std::string name;
  DType dtype = DType::kF32;  // a plain type
  std::vector<int64_t> shape;
  const uint8_t* data = nullptr;
  int64_t bytes = 0;
};

// Writes `path` anew, tensors in the given order, and syncs it to the disk. A crash leaves part of
// a file: write into a folder that is renamed when all is there. Io: the system refused (disk
// full); what was written is removed.
Status WriteTensors(const std::string& path, std::span<const TensorToWrite> tensors);

}  // namespace galen
