#include "formats/csv.h"

#include <gtest/gtest.h>

namespace galen {
namespace {

TEST(Csv, RoundTrip) {
  const std::vector<CsvRow> rows = {{"source", "a, b", "c"},
                                    {"x\"y\".png", "line\nend", ""},
                                    {""},
                                    {" padded ", "\r\n", "plain"}};
  std::string text;
  for (const CsvRow& row : rows) text += CsvLine(row);
  const auto read = ReadCsv(text);
  ASSERT_TRUE(read.ok()) << read.status().message();
  ASSERT_EQ(read->size(), rows.size());
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ((*read)[i].fields, rows[i]);
  EXPECT_EQ(read->back().end, text.size());
}

TEST(Csv, Quoting) {
  EXPECT_EQ(CsvLine({"a", "b c", "d"}), "a,b c,d\n");
  EXPECT_EQ(CsvLine({"a,b", "say \"x\""}), "\"a,b\",\"say \"\"x\"\"\"\n");
}

TEST(Csv, ACutLineIsLeftOut) {
  for (const std::string tail : {"c,d", "c,\"d\n", "c,\"d\"\"", "\""}) {
    const auto read = ReadCsv("a,b\r\n" + tail);
    ASSERT_TRUE(read.ok()) << tail;
    ASSERT_EQ(read->size(), 1u) << tail;
    EXPECT_EQ((*read)[0].fields, (CsvRow{"a", "b"}));
    EXPECT_EQ((*read)[0].end, 5u);
  }
}

TEST(Csv, WrongQuotes) {
  EXPECT_EQ(ReadCsv("a\"b\n").status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(ReadCsv("\"a\"b\n").status().code(), StatusCode::kDataLoss);
}

}  // namespace
}  // namespace galen
