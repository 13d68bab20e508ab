#include "formats/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>
#include <unordered_set>

#include "formats/quote.h"

namespace galen {
namespace {

// Limits. Each is far above what real files hold and far below what could hurt.
constexpr uint64_t kMaxMetadata = 1 << 16;
constexpr uint64_t kMaxTensors = 1 << 18;
constexpr uint64_t kMaxKeyBytes = 65535;       // the specification's own
constexpr uint64_t kMaxNameBytes = 256;        // ggml: 63
constexpr uint64_t kMaxStringBytes = 1 << 28;  // some files embed a whole tokenizer.json
constexpr uint64_t kMaxArray = 1 << 26;        // values; vocabularies have 2^18
constexpr uint32_t kMaxDims = 4;               // GGML_MAX_DIMS
constexpr uint64_t kMaxAlignment = 1 << 20;
constexpr int kMaxArrayDepth = 4;

// Bytes of a scalar; 0 for strings and arrays.
constexpr uint8_t kScalarBytes[kNumGgufTypes] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

// ggml types that galen does not compute with. Files that hold them open and list; the tensor
// itself is refused when used. Sizes: gguf-py 0.19 GGML_QUANT_SIZES, but Q8_1 as in ggml-common.h.
struct ForeignType {
  uint32_t id;
  const char* name;
  int block_elems;
  int block_bytes;
};
constexpr ForeignType kForeignTypes[] = {
    {9, "q8_1", 32, 36},     {15, "q8_k", 256, 292},   {16, "iq2_xxs", 256, 66},
    {17, "iq2_xs", 256, 74}, {18, "iq3_xxs", 256, 98}, {19, "iq1_s", 256, 50},
    {21, "iq3_s", 256, 110}, {22, "iq2_s", 256, 82},   {29, "iq1_m", 256, 56},
    {34, "tq1_0", 256, 54},  {35, "tq2_0", 256, 66},   {39, "mxfp4", 32, 17},
    {40, "nvfp4", 64, 36},   {41, "q1_0", 128, 18},
};

std::string Number(uint64_t value) { return std::to_string(value); }

}  // namespace

std::string_view GgufTypeName(GgufType type) {
  static constexpr std::string_view kNames[kNumGgufTypes] = {
      "u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
      "bool", "string", "array", "u64", "i64", "f64"};
  const uint32_t index = static_cast<uint32_t>(type);
  return index < kNumGgufTypes ? kNames[index] : "unknown";
}

// Walks the file once, front to back.
class GgufParser {
 public:
  GgufParser(std::span<const uint8_t> bytes, GgufFile* file) : bytes_(bytes), file_(file) {}

  Status Parse() {
    RETURN_IF_ERROR(ParseHeader());
    file_->metadata_.reserve(std::min<uint64_t>(num_metadata_, 1024));
    for (uint64_t i = 0; i < num_metadata_; ++i) RETURN_IF_ERROR(ParseEntry(i));
    RETURN_IF_ERROR(ParseAlignment());
    std::vector<uint64_t> offsets;
    for (uint64_t i = 0; i < num_tensors_; ++i) RETURN_IF_ERROR(ParseTensor(i, &offsets));
    return PlaceTensors(offsets);
  }

 private:
  uint64_t Left() const { return bytes_.size() - pos_; }

  Status Error(const std::string& what) const {
    return DataLoss(file_->name_ + ": " + what +
                    "; the file is corrupt: download or convert the model again");
  }
  Status Truncated(const std::string& where) const {
    return DataLoss(file_->name_ + ": the file ends at byte " + Number(bytes_.size()) +
                    ", inside " + where +
                    "; it is truncated or corrupt: download or copy it again");
  }

  // Reads a little-endian number; false at the end of the file.
  template <typename T>
  bool Read(T* value) {
    if (Left() < sizeof(T)) return false;
    std::memcpy(value, bytes_.data() + pos_, sizeof(T));
    pos_ += sizeof(T);
    return true;
  }
  bool ReadString(std::string_view* text, uint64_t* length) {
    if (!Read(length) || *length > Left()) return false;
    *text = {reinterpret_cast<const char*>(bytes_.data()) + pos_, static_cast<size_t>(*length)};
    pos_ += *length;
    return true;
  }

  Status ParseHeader() {
    uint32_t magic = 0;
    uint32_t version = 0;
    if (!Read(&magic)) return Truncated("the magic number (4 bytes \"GGUF\")");
    if (std::memcmp(bytes_.data(), "GGUF", 4) != 0) {
      const std::string found = Quoted({reinterpret_cast<const char*>(bytes_.data()), 4});
      for (const char* old : {"ggml", "ggmf", "ggjt", "lmgg", "fmgg", "tjgg"}) {
        if (std::memcmp(bytes_.data(), old, 4) == 0) {
          return Unsupported(file_->name_ + ": a model of the time before GGUF (magic " + found +
                             "); convert the original model to GGUF version 3");
        }
      }
      return DataLoss(
          file_->name_ + ": not a GGUF file: expected the magic \"GGUF\", found " + found +
          (std::memcmp(bytes_.data(), "vers", 4) == 0
               ? "; a Git LFS pointer, it seems: fetch the file itself with git lfs pull"
               : "; name a GGUF file or the directory of a Hugging Face checkpoint"));
    }
    if (!Read(&version)) return Truncated("the version number");
    if (version != 0 && (version & 0xffff) == 0) {
      return Unsupported(
          file_->name_ +
          ": a big-endian GGUF file; convert it with gguf_convert_endian.py, part of the gguf "
          "Python package");
    }
    if (version != 2 && version != 3) {
      return Unsupported(
          file_->name_ + ": GGUF version " + Number(version) +
          "; expected version 2 or 3: convert the model again with a current converter");
    }
    file_->version_ = version;
    if (!Read(&num_tensors_) || !Read(&num_metadata_)) return Truncated("the header");
    if (num_tensors_ > kMaxTensors) {
      return Error("tensor count " + Number(num_tensors_) + " is above the limit of " +
                   Number(kMaxTensors));
    }
    if (num_metadata_ > kMaxMetadata) {
      return Error("metadata count " + Number(num_metadata_) + " is above the limit of " +
                   Number(kMaxMetadata));
    }
    return OkStatus();
  }

  Status ParseEntry(uint64_t index) {
    const auto where = [&] {
      return "metadata entry " + Number(index) + " of " + Number(num_metadata_);
    };
    GgufEntry entry;
    uint64_t length = 0;
    if (!ReadString(&entry.key, &length))
      return Truncated(where() + " (key of " + Number(length) + " bytes)");
    if (length == 0 || length > kMaxKeyBytes || !IsPlainName(entry.key)) {
      return Error(where() + ": the key " + Quoted(entry.key) +
                   " is empty, too long or not printable UTF-8");
    }
    uint32_t type = 0;
    if (!Read(&type)) return Truncated("metadata key " + Quoted(entry.key));
    RETURN_IF_ERROR(CheckType(entry.key, type));
    entry.type = static_cast<GgufType>(type);
    RETURN_IF_ERROR(ParseValue(&entry));
    if (!file_->by_key_.emplace(entry.key, file_->metadata_.size()).second) {
      return Error("metadata key " + Quoted(entry.key) + " occurs twice");
    }
    file_->metadata_.push_back(entry);
    return OkStatus();
  }

  Status CheckType(std::string_view key, uint32_t type) const {
    if (type < kNumGgufTypes) return OkStatus();
    return Error("metadata key " + Quoted(key) + " has value type " + Number(type) +
                 "; known types are 0 to 12");
  }

  Status ParseValue(GgufEntry* entry) {
    if (entry->type == GgufType::kArray) {
      uint32_t element = 0;
      if (!Read(&element) || !Read(&entry->count))
        return Truncated("metadata key " + Quoted(entry->key));
      RETURN_IF_ERROR(CheckType(entry->key, element));
      entry->element = static_cast<GgufType>(element);
      const uint64_t begin = pos_;
      RETURN_IF_ERROR(SkipElements(entry->key, entry->element, entry->count, 1));
      entry->bytes = bytes_.subspan(begin, pos_ - begin);
      return OkStatus();
    }
    const uint64_t begin = pos_;
    RETURN_IF_ERROR(SkipElements(entry->key, entry->type, 1, 0));
    entry->bytes = bytes_.subspan(begin, pos_ - begin);
    if (entry->type == GgufType::kString) entry->bytes = entry->bytes.subspan(8);
    return OkStatus();
  }

  // Checks that `count` values of one type lie in the file, and steps over them. Nothing is
  // allocated: every value takes at least one byte, so the loops end with the file.
  Status SkipElements(std::string_view key, GgufType type, uint64_t count, int depth) {
    if (depth > kMaxArrayDepth) {
      return Error("metadata key " + Quoted(key) + " nests arrays deeper than " +
                   Number(kMaxArrayDepth) + " levels");
    }
    if (count > kMaxArray) {
      return Error("metadata key " + Quoted(key) + " is an array of " + Number(count) +
                   " values, above the limit of " + Number(kMaxArray));
    }
    const uint64_t size = kScalarBytes[static_cast<uint32_t>(type)];
    if (size > 0) {
      if (count > Left() / size) return TooLong(key, count, type);
      if (type == GgufType::kBool) RETURN_IF_ERROR(CheckBools(key, count));
      pos_ += count * size;
      return OkStatus();
    }
    if (count > Left() / (type == GgufType::kString ? 8 : 12)) return TooLong(key, count, type);
    for (uint64_t i = 0; i < count; ++i) {
      if (type == GgufType::kString) {
        std::string_view text;
        uint64_t length = 0;
        if (!ReadString(&text, &length)) {
          return Truncated("metadata key " + Quoted(key) + " (string " + Number(i) + " of " +
                           Number(length) + " bytes)");
        }
        if (length > kMaxStringBytes) {
          return Error("metadata key " + Quoted(key) + " holds a string of " + Number(length) +
                       " bytes, above the limit of " + Number(kMaxStringBytes));
        }
        continue;
      }
      uint32_t element = 0;
      uint64_t inner = 0;
      if (!Read(&element) || !Read(&inner)) return Truncated("metadata key " + Quoted(key));
      RETURN_IF_ERROR(CheckType(key, element));
      RETURN_IF_ERROR(SkipElements(key, static_cast<GgufType>(element), inner, depth + 1));
    }
    return OkStatus();
  }

  Status TooLong(std::string_view key, uint64_t count, GgufType type) const {
    return Truncated("metadata key " + Quoted(key) + " (" + Number(count) + " values of type " +
                     std::string(GgufTypeName(type)) + ", only " + Number(Left()) + " bytes left)");
  }

  Status CheckBools(std::string_view key, uint64_t count) const {
    for (const uint8_t byte : bytes_.subspan(pos_, count)) {
      if (byte > 1)
        return Error("metadata key " + Quoted(key) + ": a bool is 0 or 1, found " + Number(byte));
    }
    return OkStatus();
  }

  Status ParseAlignment() {
    const GgufEntry* entry = file_->Find("general.alignment");
    if (entry == nullptr) return OkStatus();
    Result<int64_t> alignment = file_->GetInt("general.alignment");
    if (!alignment.ok()) return alignment.status();
    if (*alignment < 1 || static_cast<uint64_t>(*alignment) > kMaxAlignment ||
        !std::has_single_bit(static_cast<uint64_t>(*alignment))) {
      return Error("general.alignment is " + std::to_string(*alignment) +
                   "; expected a power of two up to " + Number(kMaxAlignment));
    }
    file_->alignment_ = static_cast<uint64_t>(*alignment);
    return OkStatus();
  }

  Status ParseTensor(uint64_t index, std::vector<uint64_t>* offsets) {
    const auto where = [&] {
      return "the entry of tensor " + Number(index) + " of " + Number(num_tensors_);
    };
    std::string_view name;
    uint64_t length = 0;
    if (!ReadString(&name, &length))
      return Truncated(where() + " (name of " + Number(length) + " bytes)");
    if (length == 0 || length > kMaxNameBytes || !IsPlainName(name)) {
      return Error(where() + ": the name " + Quoted(name) + " is empty, longer than " +
                   Number(kMaxNameBytes) + " bytes or not printable UTF-8");
    }
    if (!names_.insert(name).second) return Error("tensor " + Quoted(name) + " occurs twice");
    TensorInfo tensor;
    tensor.name = std::string(name);
    uint32_t num_dims = 0;
    if (!Read(&num_dims)) return Truncated("the entry of tensor " + Quoted(name));
    if (num_dims > kMaxDims) {
      return Error("tensor " + Quoted(name) + " has " + Number(num_dims) + " dimensions; at most " +
                   Number(kMaxDims) + " are possible");
    }
    for (uint32_t i = 0; i < num_dims; ++i) {
      uint64_t dim = 0;
      if (!Read(&dim)) return Truncated("the dimensions of tensor " + Quoted(name));
      if (dim == 0 || dim > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        return Error("tensor " + Quoted(name) + ": dimension " + Number(i) + " is " + Number(dim) +
                     "; expected 1 to 2^63-1");
      }
      tensor.shape.push_back(static_cast<int64_t>(dim));
    }
    uint32_t type = 0;
    uint64_t offset = 0;
    if (!Read(&type) || !Read(&offset)) return Truncated("the entry of tensor " + Quoted(name));
    uint64_t size = 0;
    RETURN_IF_ERROR(MeasureTensor(type, &tensor, &size));
    std::reverse(tensor.shape.begin(), tensor.shape.end());
    if (offset % file_->alignment_ != 0) {
      return Error("tensor " + Quoted(name) + ": offset " + Number(offset) +
                   " is not a multiple of the alignment " + Number(file_->alignment_));
    }
    // Only the length is known yet, since the data section starts behind the last entry.
    sizes_.push_back(size);
    offsets->push_back(offset);
    file_->tensors_.push_back(std::move(tensor));
    return OkStatus();
  }

  // Sets type fields and the size in bytes; shape is still innermost first.
  Status MeasureTensor(uint32_t type, TensorInfo* tensor, uint64_t* size) const {
    int64_t block_elems = 0;
    int64_t block_bytes = 0;
    const auto foreign = std::find_if(std::begin(kForeignTypes), std::end(kForeignTypes),
                                      [&](const ForeignType& f) { return f.id == type; });
    if (foreign != std::end(kForeignTypes)) {
      tensor->supported = false;
      tensor->type_name = foreign->name;
      block_elems = foreign->block_elems;
      block_bytes = foreign->block_bytes;
    } else {
      Result<DType> dtype = DTypeFromGguf(type);
      if (!dtype.ok())
        return dtype.status().WithContext(file_->name_ + ": tensor " + Quoted(tensor->name));
      const BlockFormat& format = FormatOf(*dtype);
      tensor->dtype = *dtype;
      tensor->type_name = format.name;
      block_elems = format.block_elems;
      block_bytes = format.block_bytes;
    }
    const int64_t row = tensor->shape.empty() ? 1 : tensor->shape[0];
    if (row % block_elems != 0) {
      return Error("tensor " + Quoted(tensor->name) + ": rows of " + std::to_string(row) +
                   " values, but " + std::string(tensor->type_name) + " stores blocks of " +
                   std::to_string(block_elems));
    }
    int64_t elements = 1;
    int64_t total = 0;
    bool overflow = false;
    for (const int64_t dim : tensor->shape)
      overflow |= __builtin_mul_overflow(elements, dim, &elements);
    overflow |= __builtin_mul_overflow(elements / block_elems, block_bytes, &total);
    if (overflow)
      return Error("tensor " + Quoted(tensor->name) +
                   ": the product of its dimensions overflows 63 bits");
    *size = static_cast<uint64_t>(total);
    return OkStatus();
  }

  Status PlaceTensors(const std::vector<uint64_t>& offsets) {
    const uint64_t mask = file_->alignment_ - 1;
    const uint64_t start = (pos_ + mask) & ~mask;  // both are far below 2^63
    file_->data_offset_ = start;
    const uint64_t available = start < bytes_.size() ? bytes_.size() - start : 0;
    for (size_t i = 0; i < offsets.size(); ++i) {
      TensorInfo& tensor = file_->tensors_[i];
      if (offsets[i] > available || sizes_[i] > available - offsets[i]) {
        return DataLoss(file_->name_ + ": tensor " + Quoted(tensor.name) + " needs " +
                        Number(sizes_[i]) + " bytes at offset " + Number(offsets[i]) +
                        " of the data section, which holds " + Number(available) +
                        "; the file is truncated or corrupt: download or copy it again");
      }
      tensor.bytes = bytes_.subspan(start + offsets[i], sizes_[i]);
    }
    std::vector<size_t> order(offsets.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return offsets[a] < offsets[b]; });
    for (size_t i = 1; i < order.size(); ++i) {
      const size_t before = order[i - 1];
      const size_t after = order[i];
      if (sizes_[before] > offsets[after] - offsets[before]) {
        return Error("tensors " + Quoted(file_->tensors_[before].name) + " and " +
                     Quoted(file_->tensors_[after].name) + " overlap at offset " +
                     Number(offsets[after]) + " of the data section");
      }
    }
    return OkStatus();
  }

  std::span<const uint8_t> bytes_;
  GgufFile* file_;
  uint64_t pos_ = 0;
  uint64_t num_tensors_ = 0;
  uint64_t num_metadata_ = 0;
  std::vector<uint64_t> sizes_;
  std::unordered_set<std::string_view> names_;
};

Result<GgufFile> GgufFile::Parse(std::span<const uint8_t> bytes, std::string name) {
  GgufFile file;
  file.name_ = std::move(name);
  RETURN_IF_ERROR(GgufParser(bytes, &file).Parse());
  return file;
}

}  // namespace galen
