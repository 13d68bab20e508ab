// Comma-separated values by RFC 4180: written with "\n" at the ends of lines, read with "\n" or
// "\r\n".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace galen {

using CsvRow = std::vector<std::string>;

// One line, its end included. Fields with commas, quotes, line ends or spaces at their ends are
// quoted.
std::string CsvLine(const CsvRow& row);

struct CsvRecord {
  CsvRow fields;
  size_t end = 0;  // of the line, its end included, in the text
};
// The records that are complete. Behind the last line end there may be a line that a crash cut off:
// it is left out. DataLoss: a quote where none may be.
Result<std::vector<CsvRecord>> ReadCsv(std::string_view text);

}  // namespace galen
