#include <gtest/gtest.h>

#include "extract/source/index.h"
#include "extract/test_pages.h"

namespace galen::extract {
namespace {

TEST(FoldedText, LeavesOutWhatPrintingChanges) {
  EXPECT_EQ(FoldText("Heart-Rate, (sinus)"), "heartratesinus");
  EXPECT_EQ(FoldText("5,4 mmol/L"), "5.4mmoll");
  EXPECT_EQ(FoldText("ÉTAT µg"), FoldText("état μg"));
  // Numbers that were apart stay apart.
  EXPECT_NE(FoldText("120/80"), FoldText("12080"));
  EXPECT_NE(FoldText("1-0-1"), FoldText("101"));
  EXPECT_NE(FoldText("1.5"), FoldText("15"));
}

TEST(Numbers, HaveOneSpelling) {
  EXPECT_EQ(CanonicalNumber("5.40"), "5.4");
  EXPECT_EQ(CanonicalNumber("005"), "5");
  EXPECT_EQ(CanonicalNumber("-0.0"), "0");
  EXPECT_EQ(CanonicalNumber(".5"), "0.5");
  EXPECT_EQ(CanonicalNumber("1e3"), "");
  EXPECT_EQ(CanonicalNumber(""), "");
  EXPECT_EQ(CanonicalNumber("."), "");
}

TEST(PageIndex, FindsWholeTextsAcrossLines) {
  const SourcePage page = TestPage()
                              .Text("Microcytic anaemia with low fer-")
                              .Text("ritin, consistent with iron")
                              .Text("deficiency.")
                              .page();
  const PageIndex index(page, 0);
  EXPECT_EQ(index.FindText("ferritin").size(), 1u);
  EXPECT_EQ(index.FindText("consistent with iron deficiency").size(), 1u);
  EXPECT_TRUE(index.FindText("aemia").empty());  // within a word
  EXPECT_TRUE(index.FindText("anaem").empty());
  EXPECT_TRUE(index.FindText("").empty());
}

TEST(PageIndex, FindsNumbersAsPrinted) {
  const SourcePage page =
      TestPage().Text("5.4H 1,234 7,2 12-15 <0.5 -3 10^9/L HbA1c x2 1.234,5").page();
  const PageIndex index(page, 0);
  for (const char* number : {"5.4", "1234", "7.2", "12", "15", "0.5", "-3", "2", "1234.5"}) {
    EXPECT_EQ(index.FindNumber(number).size(), 1u) << number;
  }
  for (const char* number : {"10", "9", "1", "54", "72"}) {
    EXPECT_TRUE(index.FindNumber(number).empty()) << number;
  }
}

TEST(PageIndex, FindsDatesAsPrinted) {
  const CalendarDate march{2024, 3, 5};
  for (const char* text :
       {"2024-03-05", "05.03.2024", "5/3/2024", "3/5/2024", "5 March 2024", "March 5, 2024",
        "05-Mar-2024", "5th of March 2024", "5. März 2024", "le 5 mars 2024", "05/03/24",
        "2024-03-05T08:10", "Collected: 2024-03-05 08:10"}) {
    const SourcePage page = TestPage().Text(text).page();
    EXPECT_EQ(PageIndex(page, 0).FindDate(march).size(), 1u) << text;
  }
  for (const char* text :
       {"2024-03-06", "5/4/2024", "2023-03-05", "5 May 2024", "12-03-05-2024x"}) {
    const SourcePage page = TestPage().Text(text).page();
    EXPECT_TRUE(PageIndex(page, 0).FindDate(march).empty()) << text;
  }
  // The first of the month or year stands for a date without days.
  const SourcePage month = TestPage().Text("since March 2019").page();
  EXPECT_EQ(PageIndex(month, 0).FindDate({2019, 3, 1}).size(), 1u);
  const SourcePage year = TestPage().Text("since 2019 .").page();
  EXPECT_EQ(PageIndex(year, 0).FindDate({2019, 1, 1}).size(), 1u);
}

TEST(PageIndex, FindsTimes) {
  const SourcePage page = TestPage().Text("08:10 2:30 pm 0745 12.15").page();
  const PageIndex index(page, 0);
  EXPECT_EQ(index.FindTime(8, 10).size(), 1u);
  EXPECT_EQ(index.FindTime(14, 30).size(), 1u);
  EXPECT_EQ(index.FindTime(7, 45).size(), 1u);
  EXPECT_EQ(index.FindTime(12, 15).size(), 1u);
  EXPECT_TRUE(index.FindTime(9, 10).empty());
}

TEST(Dates, KnowTheCalendar) {
  EXPECT_TRUE(IsPossible({2024, 2, 29}));
  EXPECT_FALSE(IsPossible({2023, 2, 29}));
  EXPECT_FALSE(IsPossible({2024, 13, 1}));
  EXPECT_FALSE(IsPossible({2024, 4, 31}));
  EXPECT_TRUE(IsPossible({2000, 2, 29}));
  EXPECT_FALSE(IsPossible({1900, 2, 29}));
  EXPECT_EQ(DayNumber({1970, 1, 1}), 0);
  EXPECT_EQ(DayNumber({2024, 3, 1}) - DayNumber({2024, 2, 28}), 2);
  CalendarDate date;
  EXPECT_TRUE(ReadIsoDate("2024-03-05", &date));
  for (const char* text : {"2024-3-05", "2024/03/05", "2024-03-05T", "-024-03-05", ""}) {
    EXPECT_FALSE(ReadIsoDate(text, &date)) << text;
  }
}

TEST(PageText, KeepsRowsOfTables) {
  const SourcePage page =
      TestPage().Row({{300, "4.0 - 11.0"}, {40, "White cells"}, {200, "7.2"}}).Text("End").page();
  EXPECT_EQ(PageText(page), "White cells  7.2  4.0 - 11.0\nEnd\n");
}

}  // namespace
}  // namespace galen::extract
