// What an untrusted template may consume.
#pragma once

#include <cstddef>
#include <cstdint>

namespace galen {

// What one template may consume. Exceeding a limit is kResourceExhausted.
struct TemplateLimits {
  size_t source_bytes = 1 << 20;
  int64_t steps = 20'000'000;  // about a second; work on n bytes or items costs steps in proportion
  int depth = 1000;            // nested evaluation: expressions, blocks, macro calls
  size_t memory_bytes = size_t{512} << 20;  // everything that one rendering allocates
  size_t output_bytes = size_t{64} << 20;
};

}  // namespace galen
