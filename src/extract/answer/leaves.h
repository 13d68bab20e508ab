// A model's answer taken apart: each value with its path and with the bytes that spelled it, so
// that the probabilities of just these tokens can be looked up.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "extract/source/page.h"

namespace galen::extract {

struct Leaf {
  std::string path;  // JSON pointer: "/results/0/value"
  Json value;        // string, number, boolean or null
  std::string raw;   // numbers as written ("5.40")
  size_t begin = 0;  // bytes of the answer, quotation marks included
  size_t end = 0;
  std::optional<PagePart> read_at;  // Answer::read_at
};

struct ParsedAnswer {
  Json document;
  std::vector<Leaf> leaves;  // in the order of the text
  bool whole = true;         // false: the text was cut off; what was begun is left out
};

// DataLoss: no JSON object at the beginning of the text, or a fault before its end. An object name
// that comes twice keeps its last value in `document`; both are leaves.
Result<ParsedAnswer> ParseAnswer(std::string_view text, int max_depth = 64);

}  // namespace galen::extract
