// Builders of small model files, right and damaged, for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf.h"

namespace galen {

// Appends little-endian fields; every length can be given a lie.
class Bytes {
 public:
  template <typename T>
  Bytes& Put(T value) {
    const auto* p = reinterpret_cast<const uint8_t*>(&value);
    data_.insert(data_.end(), p, p + sizeof(T));
    return *this;
  }
  Bytes& Raw(std::string_view text) {
    data_.insert(data_.end(), text.begin(), text.end());
    return *this;
  }
  Bytes& Str(std::string_view text) { return Put<uint64_t>(text.size()).Raw(text); }
  Bytes& Pad(size_t alignment, size_t extra = 0) {
    data_.resize((data_.size() + alignment - 1) / alignment * alignment + extra);
    return *this;
  }

  Bytes& GgufHeader(uint64_t tensors, uint64_t metadata, uint32_t version = 3) {
    return Raw("GGUF").Put(version).Put(tensors).Put(metadata);
  }
  Bytes& Key(std::string_view key, GgufType type) {
    return Str(key).Put(static_cast<uint32_t>(type));
  }
  Bytes& ArrayKey(std::string_view key, GgufType element, uint64_t count) {
    return Key(key, GgufType::kArray).Put(static_cast<uint32_t>(element)).Put(count);
  }
  Bytes& TensorEntry(std::string_view name, const std::vector<uint64_t>& dims, uint32_t type,
                     uint64_t offset) {
    Str(name).Put(static_cast<uint32_t>(dims.size()));
    for (const uint64_t d : dims) Put(d);
    return Put(type).Put(offset);
  }

  std::span<const uint8_t> span() const { return data_; }
  std::string string() const { return std::string(data_.begin(), data_.end()); }
  size_t size() const { return data_.size(); }

 private:
  std::vector<uint8_t> data_;
};

// A safetensors file out of its JSON header and `buffer` bytes.
inline Bytes Safetensors(std::string_view header, size_t buffer) {
  Bytes bytes;
  bytes.Str(header).Raw(std::string(buffer, '\x11'));
  return bytes;
}

// A directory that goes away with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "galen_formats_XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  std::string Write(const std::string& name, std::string_view bytes) const {
    const std::string path = path_ + "/" + name;
    std::ofstream(path, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The status has the code, and its message holds every part.
inline void ExpectError(const Status& status, StatusCode code,
                        std::initializer_list<std::string_view> parts) {
  EXPECT_EQ(StatusCodeName(status.code()), StatusCodeName(code)) << status.message();
  for (const std::string_view part : parts) {
    EXPECT_NE(status.message().find(part), std::string::npos)
        << "no '" << part << "' in: " << status.message();
  }
}

}  // namespace galen
