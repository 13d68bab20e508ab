#include "http/accept_encoding.h"

#include <gtest/gtest.h>

namespace galen {
namespace {

TEST(AcceptEncoding, GzipWhereItIsWanted) {
  for (const char* yes :
       {"gzip", "gzip, deflate, br, zstd", "br;q=1.0, gzip;q=0.8, *;q=0.1", "*", "GZIP ; Q=0.001",
        "x-gzip", "identity;q=0.5, gzip;q=0.5", "identity;q=0, *", "deflate , gzip;q=1.000"}) {
    EXPECT_TRUE(PrefersGzip(yes)) << yes;
  }
  for (const char* no : {"", "identity", "br", "gzip;q=0", "gzip;q=0.000, *", "*;q=0",
                         "identity, gzip;q=0.5", "gzip;q=2", "gzip;q=-1", "gzip;q=0.1234",
                         "gzip;q=1x", "gzip;q=", "gzip;level=1", "gzipped", ";;,,"}) {
    EXPECT_FALSE(PrefersGzip(no)) << no;
  }
}

}  // namespace
}  // namespace galen
