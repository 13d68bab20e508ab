#include "train/event_file.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "train/atomic_directory.h"

namespace galen {
namespace {

double WallTime() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Protocol buffer fields.
void PutVarint(std::string* out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}
template <typename T>
void PutRaw(std::string* out, T value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}
void PutTag(std::string* out, int field, int wire) {
  PutVarint(out, static_cast<uint64_t>(field << 3 | wire));
}
void PutBytes(std::string* out, int field, std::string_view bytes) {
  PutTag(out, field, 2);
  PutVarint(out, bytes.size());
  out->append(bytes);
}
std::string EventHead(int64_t step) {
  std::string event;
  PutTag(&event, 1, 1);  // wall_time
  PutRaw(&event, WallTime());
  PutTag(&event, 2, 0);  // step
  PutVarint(&event, static_cast<uint64_t>(step));
  return event;
}

uint32_t Masked(std::string_view bytes) {
  const uint32_t crc = Crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

}  // namespace

uint32_t Crc32c(std::string_view bytes) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> t{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t c = i;
      for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ (c & 1 ? 0x82F63B78u : 0);
      t[i] = c;
    }
    return t;
  }();
  uint32_t crc = ~0u;
  for (const char c : bytes) crc = table[(crc ^ static_cast<uint8_t>(c)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

Result<EventFile> EventFile::Create(const std::string& directory) {
  RETURN_IF_ERROR(MakeDirectories(directory));
  const std::string path = directory + "/events.out.tfevents." +
                           std::to_string(static_cast<int64_t>(WallTime())) + ".galen." +
                           std::to_string(::getpid());
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return IoError("cannot create " + path + ": " + std::strerror(errno));
  EventFile events(file, path);
  std::string version = EventHead(0);
  PutBytes(&version, 3, "brain.Event:2");  // file_version
  RETURN_IF_ERROR(events.Write(version));
  return events;
}

Status EventFile::Add(int64_t step, const std::vector<std::pair<std::string, double>>& scalars) {
  std::string summary;
  for (const auto& [tag, value] : scalars) {
    std::string item;
    PutBytes(&item, 1, tag);
    PutTag(&item, 2, 5);  // simple_value
    PutRaw(&item, static_cast<float>(value));
    PutBytes(&summary, 1, item);
  }
  std::string event = EventHead(step);
  PutBytes(&event, 5, summary);
  return Write(event);
}

Status EventFile::Write(std::string_view event) {
  std::string record;
  PutRaw(&record, static_cast<uint64_t>(event.size()));
  PutRaw(&record, Masked(std::string_view(record)));
  record.append(event);
  PutRaw(&record, Masked(event));
  if (std::fwrite(record.data(), 1, record.size(), file_.get()) != record.size() ||
      std::fflush(file_.get()) != 0) {
    return IoError("cannot write " + path_ + ": " + std::strerror(errno));
  }
  return OkStatus();
}

}  // namespace galen
