// multipart/related as it comes (http/related_reader.h): the first byte says the size of the
// pieces, the first line is the Content-Type, the rest the body. What ParseRelated takes, this
// takes alike.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "http/related_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace galen;
  if (size == 0) return 0;
  const size_t piece = 1 + data[0];
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  const size_t line = input.find('\n');
  if (line == input.npos) return 0;
  const std::string_view type = input.substr(0, line), body = input.substr(line + 1);
  std::vector<std::string> parts;
  size_t open = 0;
  RelatedEvents events;
  events.begin = [&] {
    if (open++ != 0) std::abort();
    parts.emplace_back();
    return OkStatus();
  };
  events.data = [&](std::string_view bytes) {
    if (open != 1) std::abort();
    parts.back() += bytes;
    return OkStatus();
  };
  events.end = [&] {
    if (open-- != 1) std::abort();
    return OkStatus();
  };
  const auto whole = ParseRelated(type, "application/dicom", body);
  auto reader = RelatedReader::Create(type, "application/dicom", events, FormLimits());
  Status status = reader.ok() ? OkStatus() : reader.status();
  for (size_t at = 0; status.ok() && at < body.size(); at += piece)
    status = reader->Write(body.substr(at, piece));
  if (status.ok()) status = reader->Finish();
  if (!whole.ok()) return 0;
  if (!status.ok() || parts.size() != whole->size()) std::abort();
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] != (*whole)[i].body) std::abort();
  }
  return 0;
}
