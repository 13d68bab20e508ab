<<<<<<< HEAD
// Writes safetensors files.
#pragma once

#include <cstdint>
#include <map>
#include <span>
=======
// The header of a safetensors file that is about to be written.
#pragma once

#include <cstdint>
>>>>>>> h/adapters
#include <string>
#include <vector>

#include "base/status.h"
#include "tensor/dtype.h"

namespace galen {

<<<<<<< HEAD
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
Status WriteSafetensors(const std::string& path, std::span<const TensorToWrite> tensors,
                        const std::map<std::string, std::string>& metadata);
=======
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
>>>>>>> h/adapters

}  // namespace galen
