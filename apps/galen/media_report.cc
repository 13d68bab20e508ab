#include "media_report.h"

#include <iostream>

namespace galen::cli {

void ShowWarnings(const MediaInput& input) {
  for (const std::string& warning : input.warnings) std::cerr << "galen: " << warning << "\n";
}

}  // namespace galen::cli
