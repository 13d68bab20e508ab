#include "formats/safetensors_writer.h"

#include <cstring>
#include <set>

#include "base/json.h"
#include "formats/quote.h"

namespace galen {
namespace {

const char* FileTypeName(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "F32";
    case DType::kF16:
      return "F16";
    case DType::kBF16:
      return "BF16";
    case DType::kF64:
      return "F64";
    case DType::kI64:
      return "I64";
    case DType::kI32:
      return "I32";
    case DType::kI16:
      return "I16";
    case DType::kI8:
      return "I8";
    case DType::kU8:
      return "U8";
    case DType::kBool:
      return "BOOL";
    default:
      return nullptr;
  }
}

}  // namespace

int64_t SafetensorsEntry::bytes() const {
  int64_t n = FormatOf(dtype).block_bytes;
  for (const int64_t d : shape) n *= d;
  return n;
}

Result<SafetensorsLayout> LayOutSafetensors(std::vector<SafetensorsEntry>* entries) {
  // Written by hand so that the tensors stand in the header in the order of the file.
  std::string json = R"({"__metadata__":{"format":"pt"})";
  std::set<std::string_view> names;
  int64_t offset = 0;
  for (SafetensorsEntry& entry : *entries) {
    if (!names.insert(entry.name).second) {
      return InvalidArgument("tensor " + Quoted(entry.name) + " would be written twice");
    }
    const char* type = FileTypeName(entry.dtype);
    GALEN_CHECK(type != nullptr);
    entry.offset = offset;
    offset += entry.bytes();
    json += ',';
    json += Json(entry.name).dump();
    json += R"(:{"dtype":")";
    json += type;
    json += R"(","shape":)";
    json += Json(entry.shape).dump();
    json += R"(,"data_offsets":[)" + std::to_string(entry.offset) + ",";
    json += std::to_string(offset) + "]}";
  }
  json += "}";
  json.resize((json.size() + 7) / 8 * 8, ' ');
  SafetensorsLayout layout;
  const uint64_t length = json.size();
  layout.header.assign(reinterpret_cast<const char*>(&length), sizeof(length));
  layout.header += json;
  for (SafetensorsEntry& entry : *entries) {
    entry.offset += static_cast<int64_t>(layout.header.size());
  }
  layout.file_bytes = offset + static_cast<int64_t>(layout.header.size());
  return layout;
}

}  // namespace galen
