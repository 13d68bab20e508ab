// SipHash-2-4 with a 128-bit result (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012):
// a keyed digest for cache identities. With a key that is drawn when the process starts, nobody can
// prepare inputs that collide.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace galen {

struct Digest128 {
  uint64_t low = 0;
  uint64_t high = 0;
  bool operator==(const Digest128&) const = default;
};

struct SipKey {
  uint64_t k0 = 0;
  uint64_t k1 = 0;
};

SipKey RandomSipKey();  // from the operating system
Digest128 SipHash128(const SipKey& key, std::span<const uint8_t> bytes);

}  // namespace galen
