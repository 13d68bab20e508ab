#include "formats/safetensors_writer.h"

<<<<<<< HEAD
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
=======
#include <cstring>
#include <set>

#include "base/json.h"
#include "formats/quote.h"
>>>>>>> h/adapters

namespace galen {
namespace {

<<<<<<< HEAD
const char* TypeName(DType dtype) {
=======
const char* FileTypeName(DType dtype) {
>>>>>>> h/adapters
  switch (dtype) {
    case DType::kF32:
      return "F32";
    case DType::kF16:
      return "F16";
    case DType::kBF16:
      return "BF16";
    case DType::kF64:
      return "F64";
<<<<<<< HEAD
    case DType::kI8:
      return "I8";
    case DType::kI16:
      return "I16";
    case DType::kI32:
      return "I32";
    case DType::kI64:
      return "I64";
=======
    case DType::kI64:
      return "I64";
    case DType::kI32:
      return "I32";
    case DType::kI16:
      return "I16";
    case DType::kI8:
      return "I8";
>>>>>>> h/adapters
    case DType::kU8:
      return "U8";
    case DType::kBool:
      return "BOOL";
    default:
      return nullptr;
  }
}

<<<<<<< HEAD
Status Failed(const char* what, const std::string& path) {
  return IoError(std::string(what) + " " + path + ": " + std::strerror(errno));
}

Status WriteAll(int fd, const void* data, size_t n, const std::string& path) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  while (n > 0) {
    constexpr size_t kMost = size_t{1} << 30;
    const ssize_t written = ::write(fd, bytes, n < kMost ? n : kMost);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failed("cannot write", path);
    bytes += written;
    n -= static_cast<size_t>(written);
  }
  return OkStatus();
}

Status WriteContents(int fd, const std::string& header, std::span<const TensorToWrite> tensors,
                     const std::string& path) {
  const uint64_t length = header.size();
  RETURN_IF_ERROR(WriteAll(fd, &length, sizeof(length), path));
  RETURN_IF_ERROR(WriteAll(fd, header.data(), header.size(), path));
  for (const TensorToWrite& t : tensors) {
    RETURN_IF_ERROR(WriteAll(fd, t.data, static_cast<size_t>(t.bytes), path));
  }
  return ::fsync(fd) == 0 ? OkStatus() : Failed("cannot finish writing", path);
}

}  // namespace

Status WriteSafetensors(const std::string& path, std::span<const TensorToWrite> tensors,
                        const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t offset = 0;
  for (const TensorToWrite& t : tensors) {
    const char* type = TypeName(t.dtype);
    GALEN_CHECK(type != nullptr && !header.contains(t.name));
    header[t.name] = {
        {"dtype", type}, {"shape", t.shape}, {"data_offsets", {offset, offset + t.bytes}}};
    offset += t.bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // tensors begin at a multiple of 8
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return Failed("cannot create", path);
  Status status = WriteContents(fd, text, tensors, path);
  if (::close(fd) != 0 && status.ok()) status = Failed("cannot finish writing", path);
  if (!status.ok()) ::unlink(path.c_str());
  return status;
=======
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
>>>>>>> h/adapters
}

}  // namespace galen
