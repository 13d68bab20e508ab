#include "base/siphash.h"

#include <bit>
#include <cstring>
#include <random>

namespace galen {
namespace {

struct SipState {
  uint64_t v0, v1, v2, v3;

  void Round() {
    v0 += v1, v1 = std::rotl(v1, 13), v1 ^= v0, v0 = std::rotl(v0, 32);
    v2 += v3, v3 = std::rotl(v3, 16), v3 ^= v2;
    v0 += v3, v3 = std::rotl(v3, 21), v3 ^= v0;
    v2 += v1, v1 = std::rotl(v1, 17), v1 ^= v2, v2 = std::rotl(v2, 32);
  }
  void Absorb(uint64_t word) {
    v3 ^= word;
    Round(), Round();
    v0 ^= word;
  }
  uint64_t Squeeze() {
    for (int i = 0; i < 4; ++i) Round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

}  // namespace

SipKey RandomSipKey() {
  std::random_device source;
  const auto word = [&] { return static_cast<uint64_t>(source()) << 32 | source(); };
  return {word(), word()};
}

Digest128 SipHash128(const SipKey& key, std::span<const uint8_t> bytes) {
  SipState s{key.k0 ^ 0x736f6d6570736575, key.k1 ^ 0x646f72616e646f6d ^ 0xee,
             key.k0 ^ 0x6c7967656e657261, key.k1 ^ 0x7465646279746573};
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data() + i, 8);
    s.Absorb(word);
  }
  uint64_t tail = static_cast<uint64_t>(bytes.size()) << 56;
  for (size_t j = i; j < bytes.size(); ++j)
    tail |= static_cast<uint64_t>(bytes[j]) << (8 * (j - i));
  s.Absorb(tail);
  s.v2 ^= 0xee;
  Digest128 digest;
  digest.low = s.Squeeze();
  s.v1 ^= 0xdd;
  digest.high = s.Squeeze();
  return digest;
}

}  // namespace galen
