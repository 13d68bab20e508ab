#include "dicomnet/peers.h"

#include <gtest/gtest.h>

namespace galen::dicomnet {
namespace {

TEST(Peers, Titles) {
  for (const char* good : {"GALEN", "CT 1", "a-b_c.d", "SIXTEEN_LETTERS_"})
    EXPECT_TRUE(IsTitle(good));
  for (const char* bad : {"", " A", "A ", "SEVENTEEN_LETTERS", "A\\B", "A=B", "\xc3\x84", "A\n"})
    EXPECT_FALSE(IsTitle(bad)) << bad;
}

TEST(Peers, Uids) {
  for (const char* good :
       {"1", "1.02", "1.2.840.10008.1.2", "2.25.329800735698586629295641978511506172918"})
    EXPECT_TRUE(IsUid(good));
  for (const char* bad : {"", ".", "..", "1.", ".1", "1..2", "1/2", "1.2a",
                          "1.23456789012345678901234567890123456789012345678901234567890123456"})
    EXPECT_FALSE(IsUid(bad)) << bad;
}

TEST(Peers, WhoMayCall) {
  const auto here = ParseAllowedPeer("ORTHANC=127.0.0.1"), any = ParseAllowedPeer("CT1=*");
  ASSERT_TRUE(here.ok() && any.ok());
  EXPECT_NE(FindPeer({*here}, "ORTHANC", "127.0.0.1"), nullptr);
  EXPECT_EQ(FindPeer({*here}, "ORTHANC", "127.0.0.2"), nullptr);
  EXPECT_EQ(FindPeer({*here}, "CT1", "127.0.0.1"), nullptr);
  EXPECT_FALSE(MayConnect({*here}, "10.0.0.1"));
  EXPECT_TRUE(MayConnect({*here, *any}, "10.0.0.1"));
  EXPECT_EQ(FindPeer({*here, *any}, "ORTHANC", "10.0.0.1"), nullptr);
  for (const char* bad : {"", "ORTHANC", "=127.0.0.1", "ORTHANC=", "A\\B=127.0.0.1"})
    EXPECT_EQ(ParseAllowedPeer(bad).status().code(), StatusCode::kInvalidArgument) << bad;
}

TEST(Peers, Destinations) {
  const auto to = ParseDestination("ORTHANC@127.0.0.1:4242");
  ASSERT_TRUE(to.ok());
  EXPECT_EQ(to->title + " " + to->host + " " + std::to_string(to->port), "ORTHANC 127.0.0.1 4242");
  for (const char* bad : {"", "ORTHANC", "ORTHANC@host", "@host:1", "A@:1", "A@h:0", "A@h:65536",
                          "A@h:1x", "host:1@A", "P@[::1]:104"})
    EXPECT_FALSE(ParseDestination(bad).ok()) << bad;
}

}  // namespace
}  // namespace galen::dicomnet
