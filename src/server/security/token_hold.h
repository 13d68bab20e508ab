// Tokens that one job of a client may use, set aside before it waits.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

namespace galen::server {

// Used by one thread at a time.
class TokenHold {
 public:
  // settle: called once, with what was used.
  TokenHold(int64_t tokens, std::function<void(int64_t used)> settle)
      : tokens_(tokens), settle_(std::move(settle)) {}
  TokenHold(const TokenHold&) = delete;
  TokenHold& operator=(const TokenHold&) = delete;
  // What was never settled was never used.
  ~TokenHold() { Settle(0); }

  int64_t tokens() const { return tokens_; }
  void Use(int64_t tokens) { used_ += tokens; }
  int64_t used() const { return used_; }
  // Charges `used`, and gives the rest back; later calls do nothing.
  void Settle(int64_t used) {
    if (const auto settle = std::exchange(settle_, nullptr)) settle(used);
  }

 private:
  const int64_t tokens_;
  int64_t used_ = 0;
  std::function<void(int64_t)> settle_;
};

}  // namespace galen::server
