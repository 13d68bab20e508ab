#include "data/shuffle.h"

#include "base/status.h"

namespace galen {

uint64_t Mix64(uint64_t x) {
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

Shuffle::Shuffle(int64_t size, uint64_t seed, uint64_t round)
    : size_(static_cast<uint64_t>(size)), half_bits_(1) {
  GALEN_CHECK(size > 0);
  while (half_bits_ < 31 && (uint64_t{1} << (2 * half_bits_)) < size_) ++half_bits_;
  const uint64_t base = Mix64(Mix64(seed) ^ round);
  for (int i = 0; i < kRounds; ++i)
    keys_[static_cast<size_t>(i)] = Mix64(base + static_cast<uint64_t>(i));
}

uint64_t Shuffle::Encrypt(uint64_t value) const {
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  uint64_t left = value >> half_bits_, right = value & mask;
  for (const uint64_t key : keys_) {
    const uint64_t next = left ^ (Mix64(right ^ key) & mask);
    left = right;
    right = next;
  }
  return left << half_bits_ | right;
}

int64_t Shuffle::At(int64_t place) const {
  GALEN_CHECK(place >= 0 && static_cast<uint64_t>(place) < size_);
  uint64_t value = static_cast<uint64_t>(place);
  do {
    value = Encrypt(value);
  } while (value >= size_);
  return static_cast<int64_t>(value);
}

}  // namespace galen
