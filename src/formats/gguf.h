// GGUF, versions 2 and 3, little-endian: metadata and tensor table of one file, read from bytes
// that somebody else maps. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Every
// count, length, offset, dimension and alignment is checked once, in Parse; what the accessors
// touch afterwards is known to lie inside the file.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "formats/tensor_info.h"

namespace galen {

enum class GgufType : uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
};
inline constexpr uint32_t kNumGgufTypes = 13;
// "u32", "string", ...
std::string_view GgufTypeName(GgufType type);

// One metadata value, still encoded.
struct GgufEntry {
  std::string_view key;
  GgufType type;
  GgufType element = GgufType::kU8;  // of arrays
  uint64_t count = 1;                // of arrays
  std::span<const uint8_t> bytes;    // the scalar, the string's characters, or the array's elements
};

// Immutable once parsed. All views point into the bytes given to Parse, which must outlive it.
class GgufFile {
 public:
  // `name` is used in messages only. DataLoss: truncated, corrupt or hostile. Unsupported:
  // big-endian, version 1, or a tensor type id that no ggml release knows.
  static Result<GgufFile> Parse(std::span<const uint8_t> bytes, std::string name);

  const std::string& name() const { return name_; }
  uint32_t version() const { return version_; }
  uint64_t alignment() const { return alignment_; }
  uint64_t data_offset() const { return data_offset_; }
  const std::vector<GgufEntry>& metadata() const { return metadata_; }  // in file order
  const std::vector<TensorInfo>& tensors() const { return tensors_; }   // in file order

  const GgufEntry* Find(std::string_view key) const;
  bool Has(std::string_view key) const { return Find(key) != nullptr; }

  // Missing key: NotFound. Another type, or an integer that does not fit: DataLoss. Both name file,
  // key, expected and found.
  Result<int64_t> GetInt(std::string_view key) const;    // any integer type
  Result<double> GetDouble(std::string_view key) const;  // floats and integers
  Result<bool> GetBool(std::string_view key) const;
  Result<std::string_view> GetString(std::string_view key) const;
  Result<std::vector<std::string_view>> GetStrings(
      std::string_view key) const;  // no copies of the characters
  Result<std::vector<int64_t>> GetInts(
      std::string_view key) const;  // any integer type, or bool as 0 and 1
  Result<std::vector<float>> GetFloats(std::string_view key) const;  // f32 or f64
  // Array of arrays of integers (depth 2), e.g. ragged tables.
  Result<std::vector<std::vector<int64_t>>> GetIntLists(std::string_view key) const;

 private:
  friend class GgufParser;
  Result<const GgufEntry*> Expect(std::string_view key, std::string_view expected) const;
  Status WrongType(const GgufEntry& entry, std::string_view expected) const;

  std::string name_;
  uint32_t version_ = 0;
  uint64_t alignment_ = 32;
  uint64_t data_offset_ = 0;
  std::vector<GgufEntry> metadata_;
  std::vector<TensorInfo> tensors_;
  std::unordered_map<std::string_view, size_t> by_key_;
};

}  // namespace galen
