#include "formats/safetensors.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>
#include <unordered_set>
#include <utility>

#include "base/json.h"
#include "formats/quote.h"

namespace galen {
namespace {

constexpr size_t kMaxEntries = 1 << 18;
constexpr size_t kMaxTensorName = 1024;
constexpr size_t kMaxShape = 16;

// The types of the format (safetensors 0.8), with their size in bits; `known` tells which of them
// galen has.
struct FileType {
  std::string_view name;
  int bits;
  bool known;
  DType dtype;
};
constexpr FileType kFileTypes[] = {
    {"F32", 32, true, DType::kF32},        {"F16", 16, true, DType::kF16},
    {"BF16", 16, true, DType::kBF16},      {"F64", 64, true, DType::kF64},
    {"I64", 64, true, DType::kI64},        {"I32", 32, true, DType::kI32},
    {"I16", 16, true, DType::kI16},        {"I8", 8, true, DType::kI8},
    {"U8", 8, true, DType::kU8},           {"BOOL", 8, true, DType::kBool},
    {"U16", 16, false, DType::kU8},        {"U32", 32, false, DType::kU8},
    {"U64", 64, false, DType::kU8},        {"F8_E5M2", 8, false, DType::kU8},
    {"F8_E4M3", 8, false, DType::kU8},     {"F8_E8M0", 8, false, DType::kU8},
    {"C64", 64, false, DType::kU8},        {"F4", 4, false, DType::kU8},
    {"F6_E2M3", 6, false, DType::kU8},     {"F6_E3M2", 6, false, DType::kU8},
    {"F8_E4M3FNUZ", 8, false, DType::kU8}, {"F8_E5M2FNUZ", 8, false, DType::kU8},
};

// One tensor of the header before it is checked against the file.
struct Entry {
  std::string name;
  std::string dtype;
  std::vector<uint64_t> shape;
  std::vector<uint64_t> offsets;
  bool has_dtype = false;
  bool has_shape = false;
  bool has_offsets = false;
};

// Takes the header apart while it is parsed. No tree is built, so that a large header costs no more
// than its tensors, and a key that occurs twice is seen.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;
  std::string error;

  bool null() override { return Unexpected("null"); }
  bool boolean(bool) override { return Unexpected("a boolean"); }
  bool number_integer(number_integer_t) override { return Unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) override {
    return Unexpected("a fractional number");
  }
  bool binary(binary_t&) override { return Unexpected("binary"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::kShape && place_ != Place::kOffsets) return Unexpected("a number");
    std::vector<uint64_t>& list =
        place_ == Place::kShape ? entries.back().shape : entries.back().offsets;
    if (list.size() >= kMaxShape)
      return Fail(Where() + " has more than " + std::to_string(kMaxShape) + " numbers");
    list.push_back(value);
    return true;
  }

  bool string(string_t& text) override {
    if (place_ == Place::kMetadata) {
      metadata[field_] = std::move(text);
      return true;
    }
    if (place_ != Place::kTensor || field_ != "dtype") return Unexpected("a string");
    entries.back().dtype = std::move(text);
    entries.back().has_dtype = true;
    return true;
  }

  bool start_object(size_t) override {
    if (place_ == Place::kOutside) {
      place_ = Place::kTop;
      return true;
    }
    if (place_ != Place::kTop) return Unexpected("an object");
    fields_.clear();
    if (field_ == "__metadata__") {
      place_ = Place::kMetadata;
      return true;
    }
    if (entries.size() >= kMaxEntries)
      return Fail("more than " + std::to_string(kMaxEntries) + " tensors");
    entries.emplace_back().name = field_;
    place_ = Place::kTensor;
    return true;
  }

  bool end_object() override {
    place_ = place_ == Place::kTop ? Place::kOutside : Place::kTop;
    return true;
  }

  bool start_array(size_t) override {
    if (place_ != Place::kTensor) return Unexpected("an array");
    if (field_ == "shape") {
      place_ = Place::kShape;
      entries.back().has_shape = true;
    } else if (field_ == "data_offsets") {
      place_ = Place::kOffsets;
      entries.back().has_offsets = true;
    } else {
      return Unexpected("an array");
    }
    return true;
  }

  bool end_array() override {
    place_ = Place::kTensor;
    return true;
  }

  bool key(string_t& name) override {
    if (place_ == Place::kTop) {
      if (!names_.insert(name).second) return Fail(Subject(name) + " occurs twice");
      if (name.empty() || name.size() > kMaxTensorName || !IsPlainName(name)) {
        return Fail(Subject(name) + ": the name is empty, too long or not printable");
      }
      field_ = std::move(name);
      return true;
    }
    if (!fields_.insert(name).second)
      return Fail("field " + Quoted(name) + " occurs twice in one object");
    if (place_ == Place::kTensor && name != "dtype" && name != "shape" && name != "data_offsets") {
      return Fail(Subject(entries.back().name) + ": unknown field " + Quoted(name));
    }
    field_ = std::move(name);
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception& exception) override {
    // The library's message quotes the input, which may be binary.
    (void)exception;
    return Fail("not valid JSON at byte " + std::to_string(position));
  }

 private:
  enum class Place { kOutside, kTop, kMetadata, kTensor, kShape, kOffsets };

  static std::string Subject(const std::string& name) { return "tensor " + Quoted(name); }
  std::string Where() const {
    switch (place_) {
      case Place::kOutside:
        return "the header";
      case Place::kTop:
        return Subject(field_);
      case Place::kMetadata:
        return "__metadata__ field " + Quoted(field_);
      default:
        return Subject(entries.back().name) + ": field " + Quoted(field_);
    }
  }
  bool Unexpected(const std::string& what) {
    const char* expected =
        place_ == Place::kOutside || place_ == Place::kTop ? "an object"
        : place_ == Place::kMetadata || (place_ == Place::kTensor && field_ == "dtype") ? "a string"
        : place_ == Place::kTensor                                                      ? "an array"
                                   : "a whole number from 0 to 2^64-1";
    return Fail(Where() + ": expected " + expected + ", found " + what);
  }
  bool Fail(std::string message) {
    error = std::move(message);
    return false;
  }

  Place place_ = Place::kOutside;
  std::string field_;
  std::unordered_set<std::string> names_;
  std::set<std::string> fields_;
};

// Turns one entry of the header into a tensor of `buffer`.
Status CheckEntry(const Entry& entry, std::span<const uint8_t> buffer, TensorInfo* tensor) {
  const std::string subject = "tensor " + Quoted(entry.name);
  const char* missing = !entry.has_dtype     ? "dtype"
                        : !entry.has_shape   ? "shape"
                        : !entry.has_offsets ? "data_offsets"
                                             : nullptr;
  if (missing != nullptr) return DataLoss(subject + ": field \"" + missing + "\" is missing");
  const auto type = std::find_if(std::begin(kFileTypes), std::end(kFileTypes),
                                 [&](const FileType& t) { return t.name == entry.dtype; });
  if (type == std::end(kFileTypes)) {
    std::string known;
    for (const FileType& t : kFileTypes) known += " " + std::string(t.name);
    return Unsupported(subject + ": unknown dtype " + Quoted(entry.dtype) + "; known are" + known);
  }
  tensor->name = entry.name;
  tensor->supported = type->known;
  tensor->dtype = type->dtype;
  tensor->type_name = type->known ? FormatOf(type->dtype).name : type->name;

  // The order of the factors matters: a zero must not hide an overflow from NumElements().
  int64_t elements = 1;
  int64_t product = 1;
  bool overflow = false;
  for (const uint64_t dim : entry.shape) {
    if (dim > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) overflow = true;
    const int64_t d = static_cast<int64_t>(dim);
    overflow |= d != 0 && __builtin_mul_overflow(product, d, &product);
    elements *= overflow ? 0 : d;
    tensor->shape.push_back(d);
  }
  int64_t bits = 0;
  overflow |= __builtin_mul_overflow(product, int64_t{type->bits}, &bits);
  if (overflow) return DataLoss(subject + ": the product of its shape overflows 63 bits");
  bits = elements * type->bits;

  if (entry.offsets.size() != 2) {
    return DataLoss(subject + ": data_offsets has " + std::to_string(entry.offsets.size()) +
                    " numbers; expected 2");
  }
  const uint64_t begin = entry.offsets[0];
  const uint64_t end = entry.offsets[1];
  const std::string range = std::to_string(begin) + " to " + std::to_string(end);
  if (begin > end) return DataLoss(subject + ": data_offsets " + range + " run backwards");
  if (end > buffer.size()) {
    return DataLoss(subject + ": data_offsets " + range + " lie beyond the buffer of " +
                    std::to_string(buffer.size()) +
                    " bytes; the file is truncated or corrupt: download or copy it again");
  }
  if (bits % 8 != 0 || end - begin != static_cast<uint64_t>(bits / 8)) {
    return DataLoss(subject + ": shape and dtype need " + std::to_string(bits) +
                    " bits, data_offsets " + range + " hold " + std::to_string(end - begin) +
                    " bytes");
  }
  tensor->bytes = buffer.subspan(begin, end - begin);
  return OkStatus();
}

// The tensors, sorted by place, have to cover the buffer exactly: nothing can hide in a hole or be
// read twice.
Status CheckCover(const std::vector<TensorInfo>& tensors, std::span<const uint8_t> buffer) {
  uint64_t covered = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const uint64_t begin = static_cast<uint64_t>(tensors[i].bytes.data() - buffer.data());
    if (begin < covered) {
      return DataLoss("tensors " + Quoted(tensors[i - 1].name) + " and " + Quoted(tensors[i].name) +
                      " overlap at offset " + std::to_string(begin));
    }
    if (begin > covered) {
      return DataLoss("bytes " + std::to_string(covered) + " to " + std::to_string(begin) +
                      " of the buffer, before tensor " + Quoted(tensors[i].name) +
                      ", belong to no tensor");
    }
    covered += tensors[i].bytes.size();
  }
  if (covered != buffer.size()) {
    return DataLoss("the last " + std::to_string(buffer.size() - covered) +
                    " bytes belong to no tensor");
  }
  return OkStatus();
}

Result<SafetensorsFile> Parse(std::span<const uint8_t> bytes) {
  uint64_t length = 0;
  if (bytes.size() < sizeof(length)) {
    return DataLoss("the file has " + std::to_string(bytes.size()) +
                    " bytes; a safetensors file starts with a header length of 8");
  }
  std::memcpy(&length, bytes.data(), sizeof(length));
  if (length > kMaxSafetensorsHeader) {
    return DataLoss("header length " + std::to_string(length) + " is above the limit of " +
                    std::to_string(kMaxSafetensorsHeader) +
                    "; this is no safetensors file or a corrupt one");
  }
  if (length > bytes.size() - sizeof(length)) {
    return DataLoss("header length " + std::to_string(length) +
                    " is beyond the end of the file of " + std::to_string(bytes.size()) +
                    " bytes; it is truncated or corrupt: download or copy it again");
  }
  const auto* text = reinterpret_cast<const char*>(bytes.data()) + sizeof(length);
  if (length == 0 || text[0] != '{')
    return DataLoss("the header does not start with \"{\"; this is no safetensors file");

  HeaderReader reader;
  bool parsed = false;
  try {
    parsed = Json::sax_parse(text, text + length, &reader);
  } catch (const Json::exception&) {
    reader.error = "not valid JSON";
  }
  if (!parsed)
    return DataLoss("header: " + (reader.error.empty() ? "not valid JSON" : reader.error));

  SafetensorsFile file;
  file.metadata = std::move(reader.metadata);
  const std::span<const uint8_t> buffer = bytes.subspan(sizeof(length) + length);
  file.tensors.resize(reader.entries.size());
  for (size_t i = 0; i < reader.entries.size(); ++i) {
    RETURN_IF_ERROR(CheckEntry(reader.entries[i], buffer, &file.tensors[i]));
  }
  std::stable_sort(file.tensors.begin(), file.tensors.end(),
                   [](const TensorInfo& a, const TensorInfo& b) {
                     return std::pair(a.bytes.data(), a.bytes.size()) <
                            std::pair(b.bytes.data(), b.bytes.size());
                   });
  RETURN_IF_ERROR(CheckCover(file.tensors, buffer));
  return file;
}

// A plain file name beside the index.
bool IsShardName(const std::string& shard) {
  return !shard.empty() && shard.size() <= 255 && shard[0] != '.' &&
         shard.find_first_of("/\\:") == std::string::npos && IsPlainName(shard);
}

}  // namespace

Result<SafetensorsFile> ParseSafetensors(std::span<const uint8_t> bytes, const std::string& name) {
  Result<SafetensorsFile> file = Parse(bytes);
  if (!file.ok()) return file.status().WithContext(name);
  return file;
}

Result<SafetensorsIndex> ParseSafetensorsIndex(std::string_view json, const std::string& name) {
  Result<Json> root = ParseJson(json, 8);
  if (!root.ok()) return root.status().WithContext(name);
  if (!root->is_object() || !root->contains("weight_map") || !(*root)["weight_map"].is_object()) {
    return DataLoss(name +
                    ": expected an object \"weight_map\" of tensor names and shard file names");
  }
  SafetensorsIndex index;
  const Json& map = (*root)["weight_map"];
  if (map.size() > kMaxEntries)
    return DataLoss(name + ": more than " + std::to_string(kMaxEntries) + " tensors");
  for (const auto& [tensor, shard] : map.items()) {
    if (!shard.is_string())
      return DataLoss(name + ": tensor " + Quoted(tensor) + ": expected the name of a shard file");
    const std::string file = shard.get<std::string>();
    if (!IsShardName(file)) {
      return DataLoss(name + ": tensor " + Quoted(tensor) + ": shard " + Quoted(file) +
                      " is not the name of a file in the same directory");
    }
    index[file].push_back(tensor);
  }
  if (index.empty()) return DataLoss(name + ": \"weight_map\" lists no tensors");
  return index;
}

}  // namespace galen
