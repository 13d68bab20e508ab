// Answers of DICOMweb servers in the DICOM JSON Model (dicomnet/web/dicom_json.h).
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "dicomnet/web/dicom_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace galen::dicomnet;
  const auto sets = ParseDicomJson({reinterpret_cast<const char*>(data), size});
  if (!sets.ok()) return 0;
  for (const galen::Json& set : *sets) {
    for (const char* tag : {"0020000D", "00080061", "00201208", "00100010"}) {
      for (const std::string& text : JsonTexts(set, tag)) {
        if (text.starts_with(' ') || text.ends_with(' ')) std::abort();
      }
      if (JsonCount(set, tag) < 0) std::abort();
      for (const galen::Json* item : JsonItems(set, "00081199")) (void)JsonText(*item, tag);
    }
  }
  return 0;
}
