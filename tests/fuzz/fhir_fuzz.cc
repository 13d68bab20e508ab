// Answers of models, as hostile as they come, through checks and writers: the FHIR bundle stays
// JSON of the right shape, whatever texts and numbers it was made of.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "extract/checks/checks.h"
#include "extract/extraction.h"
#include "extract/output/output.h"
#include "extract/test_pages.h"

using namespace galen;
using namespace galen::extract;

namespace {

constexpr size_t kMostBytes = 4096;

// A page with the beginning of the input on it, so that some values are found.
SourcePage PageOf(std::string_view text) {
  TestPage page;
  page.Text("Collected: 2024-03-05").Text(std::string(text.substr(0, 200)));
  return page.page();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size > kMostBytes) return 0;
  const auto& kinds = Kinds();
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  Result<ParsedAnswer> parsed = ParseAnswer(text);
  if (!parsed.ok()) return 0;
  Extraction extraction;
  extraction.kind = std::make_shared<const Kind>(kinds[data[0] % kinds.size()]);
  extraction.source = std::make_shared<const Case>();
  extraction.document = parsed->document;
  const std::vector<SourcePage> pages = {PageOf(text)};
  extraction.answer =
      CheckAnswer(*extraction.kind, pages, *std::move(parsed), {}, CalendarDate{2024, 6, 1});
  ReaderIdentity reader;
  reader.model = std::string(text.substr(0, 40));
  extraction.readers.push_back(reader);
  const std::string bundle = ToFhir(extraction, {"0", "2024-06-01T12:00:00Z"});
  const Result<Json> json = ParseJson(bundle);
  GALEN_CHECK(json.ok());
  GALEN_CHECK(json->at("resourceType") == "Bundle");
  for (const Json& entry : json->at("entry")) {
    GALEN_CHECK(entry.at("fullUrl").get<std::string>().size() == 45);
    GALEN_CHECK(entry.at("resource").at("resourceType").is_string());
  }
  return 0;
}
