#include <gtest/gtest.h>

#include "dicomnet/web/dicom_json.h"
#include "dicomnet/web/place.h"
#include "dicomnet/web/search.h"

namespace galen::dicomnet {
namespace {

TEST(WebPlace, Names) {
  for (const char* text : {"https://pacs.example/dicom-web/studies/1.2.3/series/4.5",
                           "dicomweb:https://pacs.example/dicom-web/studies/1.2.3/series/4.5/",
                           "dicomweb:https://pacs.example/dicom-web//studies/1.2.3/series/4.5"}) {
    const auto place = ParseWebPlace(text);
    ASSERT_TRUE(place.ok()) << place.status().message();
    EXPECT_EQ(place->root, "https://pacs.example/dicom-web");
    EXPECT_EQ(WebPathOf(*place), "/studies/1.2.3/series/4.5");
  }
  // The path of the service may hold the same words.
  EXPECT_EQ(ParseWebPlace("http://h/studies/a/dicomWeb/studies/1.2")->root,
            "http://h/studies/a/dicomWeb");
  for (const char* text :
       {"", "dicomweb:", "https://pacs/", "/studies/1.2", "https://pacs/studies/",
        "https://pacs/studies/1..2", "https://pacs/studies/1.2/series/", "ftp://pacs/studies/1.2",
        "https://pacs/studies/1.2/series/3/instances/4", "https://u@pacs/studies/1.2",
        "https://u:p@pacs/x/studies/1.2", "http:/u:p@host/x/studies/1.2",
        "http:///u:p@host/x/studies/1.2", "https:/pacs/studies/1.2", "https:///pacs/studies/1.2",
        "http://@pacs/x/studies/1.2", "https://pacs?a=b/studies/1.2",
        "https://pa cs/studies/1.2", "https://pacs/\r\nX: y/studies/1.2", "file:///studies/1.2"}) {
    EXPECT_EQ(ParseWebPlace(text).status().code(), StatusCode::kInvalidArgument) << text;
  }
}

TEST(WebPlace, NamedRoots) {
  const auto named = ParseNamedWebRoot("PACS_1=https://pacs:8443/dicom-web/");
  ASSERT_TRUE(named.ok());
  EXPECT_EQ(named->name, "PACS_1");
  EXPECT_EQ(named->root, "https://pacs:8443/dicom-web");
  for (const char* text : {"", "PACS", "=https://pacs", "A B=https://pacs", "A/B=https://pacs",
                           "PACS=pacs", "PACS=https://u:p@pacs"})
    EXPECT_FALSE(ParseNamedWebRoot(text).ok()) << text;
}

TEST(DicomJson, Values) {
  const auto sets = ParseDicomJson(
      R"([{"00100010":{"vr":"PN","Value":[{"Alphabetic":" A^B "},{"Ideographic":"x"}]},)"
      R"("00201208":{"vr":"IS","Value":["12 "]},"00201206":{"vr":"IS","Value":[-1]},)"
      R"("00080061":{"vr":"CS","Value":["CT",null,"SR"]},"0020000D":{"vr":"UI"},)"
      R"("00081199":{"vr":"SQ","Value":[{"1":{}},5]}}])");
  ASSERT_TRUE(sets.ok());
  ASSERT_EQ(sets->size(), 1u);
  const Json& set = (*sets)[0];
  EXPECT_EQ(JsonTexts(set, "00100010"), std::vector<std::string>{"A^B"});
  EXPECT_EQ(JsonCount(set, "00201208"), 12);
  EXPECT_EQ(JsonCount(set, "00201206"), 0);
  EXPECT_EQ(JsonTexts(set, "00080061"), (std::vector<std::string>{"CT", "SR"}));
  EXPECT_EQ(JsonText(set, "0020000D"), "");
  EXPECT_EQ(JsonItems(set, "00081199").size(), 1u);
  EXPECT_TRUE(ParseDicomJson(" \n")->empty());
  EXPECT_EQ(ParseDicomJson(R"({"1":{}})")->size(), 1u);
  for (const char* text : {"[", "7", "[7]", "\"x\"", "[[]]", "\xff"})
    EXPECT_EQ(ParseDicomJson(text).status().code(), StatusCode::kDataLoss) << text;
}

TEST(DicomJson, Limits) {
  const auto with = [](const std::string& value) {
    return R"({"00080061":{"vr":"CS","Value":[)" + value + "]}}";
  };
  const auto cut = ParseDicomJson(with("\"" + std::string(1023, 'x') + "\u00e4\""));
  ASSERT_TRUE(cut.ok());
  EXPECT_EQ(JsonText((*cut)[0], "00080061"), std::string(1023, 'x')) << "no half characters";
  std::string many = "1";
  for (int i = 1; i < 400'000; ++i) many += ",1";
  const auto numbers = ParseDicomJson(with(many));
  ASSERT_TRUE(numbers.ok());
  EXPECT_EQ(JsonTexts((*numbers)[0], "00080061", 64).size(), 64u);
  EXPECT_EQ(ParseDicomJson(with(many + "," + many)).status().code(), StatusCode::kDataLoss);
}

TEST(StudyDate, DaysAndRanges) {
  for (const char* date : {"20240501", "20240501-20240601", "20240501-", "-20240501"})
    EXPECT_TRUE(CheckStudyDate(date).ok()) << date;
  for (const char* date :
       {"", "-", "2024", "2024-05-01", "20240501-2", "20240501-20240601-", "2024050a", "202405011"})
    EXPECT_FALSE(CheckStudyDate(date).ok()) << date;
}

}  // namespace
}  // namespace galen::dicomnet
