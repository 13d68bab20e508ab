// Which pages a person asks for: "1-3,7", "2-" (to the end), "5".
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace galen {

// Page numbers from 1 in the order asked for, each once; "" asks for all. Fails on anything else
// than numbers, '-' and ',', on a page above `num_pages` or below 1, on a range that runs
// backwards, and on more than `max_pages` pages.
Result<std::vector<int64_t>> ParsePageRange(std::string_view text, int64_t num_pages,
                                            int64_t max_pages);

}  // namespace galen
