#include "server/api/write_json.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace galen::server {
namespace {

TEST(WriteJson, QuotesAsTheLibraryDoes) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  for (const std::string& text : {std::string(), std::string(" pain"), std::string("a\n\"b\"\\c"),
                                  std::string("\t\r\x01\x7f"), std::string("Dosis: 5 µg täglich"),
                                  std::string("cut \xe2\x82"), all}) {
    EXPECT_EQ(Quoted(text), WriteJson(Json(text)));
  }
  std::string out = "{\"text\":";
  AppendQuoted("plain ä", &out);
  EXPECT_EQ(out, "{\"text\":\"plain ä\"");
}

}  // namespace
}  // namespace galen::server
