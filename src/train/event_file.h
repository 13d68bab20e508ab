// Event files that TensorBoard reads: scalars over steps.
// Records as TensorFlow's record_writer.cc frames them (length, masked CRC-32C, data, masked
// CRC-32C); each is an Event of tensorflow/core/util/event.proto.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace galen {

class EventFile {
 public:
  // A new file in `directory`, which is made if it is not there.
  static Result<EventFile> Create(const std::string& directory);

  // Flushed at once, so that a viewer sees it.
  Status Add(int64_t step, const std::vector<std::pair<std::string, double>>& scalars);

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  EventFile(std::FILE* file, std::string path) : file_(file), path_(std::move(path)) {}
  Status Write(std::string_view event);

  std::unique_ptr<std::FILE, Closer> file_;
  std::string path_;
};

// CRC-32C (Castagnoli), as iSCSI has it.
uint32_t Crc32c(std::string_view bytes);

}  // namespace galen
