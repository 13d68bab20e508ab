#include "base/siphash.h"

#include <gtest/gtest.h>

#include <vector>

namespace galen {
namespace {

// Entries 0, 1, 2, 15, 16 and 63 of vectors_sip128 in the reference implementation: key 00..0f,
// inputs 00, 01, ... of that many bytes. `openssl mac -macopt size:16 SIPHASH` gives the same.
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
  EXPECT_EQ(digest(2).low, 0xc75da4a48d227781u);
  EXPECT_EQ(digest(2).high, 0xe4ff0af6de8ba3fcu);
  EXPECT_EQ(digest(15).low, 0x11a8b03399e99354u);
  EXPECT_EQ(digest(15).high, 0xd9c3cf970fec087eu);
  EXPECT_EQ(digest(16).low, 0xbb54b067caa4e26eu);
  EXPECT_EQ(digest(16).high, 0x77052385bf1533fdu);
  EXPECT_EQ(digest(63).low, 0x4a83502f77d15051u);
  EXPECT_EQ(digest(63).high, 0x7cbd3f979a063e50u);
}

}  // namespace
}  // namespace galen
