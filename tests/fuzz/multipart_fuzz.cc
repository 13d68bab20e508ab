// Bodies of multipart/form-data and multipart/related: the first line is the Content-Type, the rest
// the body.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/multipart.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace galen;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t line = input.find('\n');
  if (line == input.npos) return 0;
  const auto related =
      ParseRelated(input.substr(0, line), "application/dicom", input.substr(line + 1));
  if (related.ok()) {
    for (const RelatedPart& part : *related) {
      if (!part.body.empty() && (part.body.data() < input.data() ||
                                 part.body.data() + part.body.size() > input.data() + size)) {
        std::abort();
      }
    }
  }
  const auto parts = ParseForm(input.substr(0, line), input.substr(line + 1));
  if (!parts.ok()) return 0;
  const char* begin = input.data();
  for (const FormPart& part : *parts) {
    // Views lie within the input.
    if (!part.body.empty() &&
        (part.body.data() < begin || part.body.data() + part.body.size() > begin + size)) {
      std::abort();
    }
    if (part.name.empty()) std::abort();
  }
  return 0;
}
