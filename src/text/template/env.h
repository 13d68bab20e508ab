// What evaluation needs everywhere: the heap, the limits, and a way to call back into the
// interpreter.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "text/template/limits.h"
#include "text/template/value.h"

namespace galen::jinja {

struct Args {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

class Env {
 public:
  explicit Env(const TemplateLimits& limits) : limits_(limits), steps_left_(limits.steps) {}
  virtual ~Env() = default;
  Env(const Env&) = delete;
  Env& operator=(const Env&) = delete;

  virtual Result<Value> Call(const Value& callee, Args arguments) = 0;

  // Counts work; fails with kResourceExhausted when the steps or the memory are used up, or a value
  // nests too deeply.
  Status Step(int64_t cost = 1) {
    steps_left_ -= cost;
    if (steps_left_ >= 0 && heap.used() <= limits_.memory_bytes) [[likely]]
      return OkStatus();
    return Exhausted();
  }
  // Work on `bytes` of text or that many items.
  Status StepBytes(size_t bytes) { return Step(1 + static_cast<int64_t>(bytes / 32)); }
  // To be asked before a value of that size is built from smaller ones.
  Status Room(size_t bytes) const;
  // Fails where a new container would nest deeper than allowed.
  Status CheckNesting(const Value& container) const;

  // Guards one level of recursion in C++: `Depth depth(this); RETURN_IF_ERROR(depth.status());`
  class Depth {
   public:
    explicit Depth(Env* env) : env_(env) { ++env_->depth_; }
    ~Depth() { --env_->depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;
    bool ok() const { return env_->depth_ <= env_->limits_.depth; }
    Status status() const { return ok() ? OkStatus() : env_->TooDeep(); }

   private:
    Env* env_;
  };

  Value String(std::string s) { return heap.String(std::move(s)); }
  Value String(std::string_view s) { return heap.String(s); }
  Value String(const char* s) { return heap.String(s); }
  Value Undefined(std::string message) { return heap.Undefined(std::move(message)); }

  const TemplateLimits& limits() const { return limits_; }
  std::optional<std::tm> now;
  Heap heap;

 private:
  Status Exhausted() const;
  Status TooDeep() const;

  TemplateLimits limits_;
  int64_t steps_left_;
  int depth_ = 0;
};

// "expected a string, got list"-like errors of one operation. The interpreter adds the line.
Status TypeError(std::string message);
Status ValueError(std::string message);

}  // namespace galen::jinja
