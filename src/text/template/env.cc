#include "text/template/env.h"

namespace galen::jinja {
namespace {

// Above the depth that ParseJson allows (256), since messages come from there.
constexpr int kMaxValueDepth = 300;

std::string MiB(size_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

Status Env::Exhausted() const {
  if (steps_left_ < 0) {
    return ResourceExhausted("the template takes more than " + std::to_string(limits_.steps) +
                             " steps");
  }
  return ResourceExhausted("the template needs more than " + MiB(limits_.memory_bytes) +
                           " of memory");
}

Status Env::TooDeep() const {
  return ResourceExhausted("the template recurses deeper than " + std::to_string(limits_.depth) +
                           " levels");
}

Status Env::Room(size_t bytes) const {
  if (bytes <= limits_.memory_bytes && heap.used() <= limits_.memory_bytes - bytes)
    return OkStatus();
  return ResourceExhausted("the template needs more than " + MiB(limits_.memory_bytes) +
                           " of memory");
}

Status Env::CheckNesting(const Value& container) const {
  if (NestingDepth(container) <= kMaxValueDepth) return OkStatus();
  return ResourceExhausted("a value of the template nests deeper than " +
                           std::to_string(kMaxValueDepth) + " levels");
}

Status TypeError(std::string message) { return InvalidArgument(std::move(message)); }
Status ValueError(std::string message) { return InvalidArgument(std::move(message)); }

}  // namespace galen::jinja
