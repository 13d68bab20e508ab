// Regular expressions: compiled or refused with a reason. The rest of the input behind the first
// line end is matched.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "grammar/regex.h"

using namespace galen;
using namespace galen::grammar;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t end = text.find('\n');
  const std::string_view pattern = text.substr(0, end);
  const Result<Dfa> whole = CompileRegex(pattern, RegexMatch::kWhole);
  if (!whole.ok()) {
    GALEN_CHECK(!whole.status().message().empty());
    return 0;
  }
  const Result<Dfa> search = CompileRegex(pattern, RegexMatch::kSearch);
  if (!search.ok() || end == text.npos) return 0;
  const std::string_view subject = text.substr(end + 1);
  // What is matched as a whole is found, too.
  GALEN_CHECK(!whole->Accepts(subject) || search->Accepts(subject));
  return 0;
}
