#include "formats/npy.h"

#include <bit>

#include "base/files.h"

namespace galen {

Status WriteNpy(const std::string& path, std::span<const float> values, int64_t rows,
                int64_t cols) {
  static_assert(std::endian::native == std::endian::little);
  GALEN_CHECK(static_cast<int64_t>(values.size()) == rows * cols);
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" +
                       std::to_string(rows) + ", " + std::to_string(cols) + "), }";
  // Magic, version and length take 10 bytes; the data begins at a multiple of 64.
  constexpr size_t kFixed = 10;
  constexpr size_t kAlign = 64;
  header.append(kAlign - 1 - (kFixed + header.size()) % kAlign, ' ');
  header += '\n';
  std::string bytes = "\x93NUMPY";
  bytes += '\x01';
  bytes += '\x00';
  bytes += static_cast<char>(header.size() & 0xFF);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  return WriteFileAtomically(path, bytes);
}

}  // namespace galen
