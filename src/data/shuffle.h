// An order of examples that needs no state: where each place of a round leads is computed from the
// seed, the round and the place alone, so that a run can be continued anywhere.
#pragma once

#include <array>
#include <cstdint>

namespace galen {

// A permutation of [0, size): a Feistel network over the next power of four, walked until it lands
// inside (Black, Rogaway: "Ciphers with arbitrary finite domains", 2002).
class Shuffle {
 public:
  Shuffle(int64_t size, uint64_t seed, uint64_t round);
  // 0 <= place < size.
  int64_t At(int64_t place) const;

 private:
  static constexpr int kRounds = 6;
  uint64_t Encrypt(uint64_t value) const;

  uint64_t size_;
  int half_bits_;
  std::array<uint64_t, kRounds> keys_;
};

// SplitMix64: a 64-bit mix of which every bit depends on every bit (Steele, Lea, Flood, 2014).
uint64_t Mix64(uint64_t x);

}  // namespace galen
