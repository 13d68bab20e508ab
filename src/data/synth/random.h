// Random numbers that are the same on every machine: SplitMix64 and no distribution of the standard
// library.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

#include "data/shuffle.h"

namespace galen {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(Mix64(seed ^ 0x6a09e667f3bcc908)) {}
  // A stream of its own for each tuple.
  Random(uint64_t seed, uint64_t index, uint64_t stream)
      : Random(Mix64(Mix64(seed) + index) ^ Mix64(stream + 0x3c6ef372fe94f82b)) {}

  uint64_t Next() { return Mix64(state_ += 0x9e3779b97f4a7c15); }
  // [0, 1)
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1p-53; }
  double Uniform(double low, double high) { return low + (high - low) * Uniform(); }
  // Both ends included; low <= high.
  int64_t Int(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(Next() % static_cast<uint64_t>(high - low + 1));
  }
  bool Chance(double probability) { return Uniform() < probability; }
  // Standard normal (Box and Muller, 1958).
  double Normal() {
    const double radius = std::sqrt(-2 * std::log(1 - Uniform()));
    return radius * std::cos(2 * std::numbers::pi * Uniform());
  }
  // items: anything with size() and operator[], not empty.
  template <typename Items>
  const auto& Pick(const Items& items) {
    return items[static_cast<size_t>(Int(0, static_cast<int64_t>(items.size()) - 1))];
  }
  // `count` different numbers of [0, size), in random order; all of them if count >= size.
  std::vector<size_t> Choose(size_t size, size_t count) {
    std::vector<size_t> all(size);
    for (size_t i = 0; i < size; ++i) all[i] = i;
    if (count > size) count = size;
    for (size_t i = 0; i < count; ++i) {
      std::swap(
          all[i],
          all[static_cast<size_t>(Int(static_cast<int64_t>(i), static_cast<int64_t>(size) - 1))]);
    }
    all.resize(count);
    return all;
  }

 private:
  uint64_t state_;
};

}  // namespace galen
