#include "base/base64.h"

#include <gtest/gtest.h>

#include <string_view>

namespace galen {
namespace {

std::string Encoded(std::string_view text) {
  return EncodeBase64({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

// The vectors of RFC 4648, section 10.
TEST(Base64, Rfc4648) {
  EXPECT_EQ(Encoded(""), "");
  EXPECT_EQ(Encoded("f"), "Zg==");
  EXPECT_EQ(Encoded("fo"), "Zm8=");
  EXPECT_EQ(Encoded("foo"), "Zm9v");
  EXPECT_EQ(Encoded("foob"), "Zm9vYg==");
  EXPECT_EQ(Encoded("fooba"), "Zm9vYmE=");
  EXPECT_EQ(Encoded("foobar"), "Zm9vYmFy");
  EXPECT_EQ(Encoded("\xff\xfe\xfd"), "//79");
}

}  // namespace
}  // namespace galen
