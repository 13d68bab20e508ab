#include "base/siphash.h"

#include <gtest/gtest.h>

#include <vector>

namespace galen {
namespace {

// First entries of vectors_sip128 in the reference implementation: key 00..0f, inputs of 0, 1 and 2 bytes 00, 01, ...
TEST(SipHash, EqualsTheReferenceVectors) {
  const SipKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  const auto digest = [&](int n) {
    std::vector<uint8_t> bytes(n);
    for (int i = 0; i < n; ++i) bytes[i] = static_cast<uint8_t>(i);
    return SipHash128(key, bytes);
  };
  EXPECT_EQ(digest(0).low, 0xe6a825ba047f81a3u);
  EXPECT_EQ(digest(0).high, 0x930255c71472f66du);
  EXPECT_EQ(digest(1).low, 0x44af996bd8c187dau);
  EXPECT_EQ(digest(1).high, 0x45fc229b11597634u);
  EXPECT_FALSE(digest(15) == digest(16));
}

}  // namespace
}  // namespace galen
