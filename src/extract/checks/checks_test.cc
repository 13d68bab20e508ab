#include "extract/checks/checks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "extract/test_pages.h"

namespace galen::extract {
namespace {

const CalendarDate kToday{2024, 6, 1};

// Owns what a checked answer points into.
struct Checked {
  Kind kind;
  std::vector<SourcePage> pages;
  CheckedAnswer answer;

  const Value& At(const std::string& path) {
    const Value* value = answer.At(path);
    GALEN_CHECK(value != nullptr);
    return *value;
  }
  testing::AssertionResult Has(const std::string& path, const std::string& id) {
    const Value& value = At(path);
    if (value.Find(id) != nullptr) return testing::AssertionSuccess();
    auto failure = testing::AssertionFailure()
                   << path << " = " << value.leaf.value.dump() << " has";
    for (const Verdict& verdict : value.verdicts) failure << " " << verdict.id;
    return failure;
  }
};

std::unique_ptr<Checked> Check(const std::string& kind, std::vector<SourcePage> pages,
                               const Json& document, const std::vector<TokenSpan>& tokens = {}) {
  auto checked = std::make_unique<Checked>();
  checked->kind = *FindKind(kind);
  checked->pages = std::move(pages);
  checked->answer =
      CheckAnswer(checked->kind, checked->pages, *ParseAnswer(document.dump()), tokens, kToday);
  return checked;
}

TestPage LabPage() {
  TestPage page;
  page.Text("Example Laboratory")
      .Text("Name: Doe, Jane")
      .Text("Date of birth: 12.04.1980 Sex: F")
      .Text("Collected: 2024-03-05 08:10")
      .Text("Reported: 2024-03-06 14:32")
      .Gap()
      .Row({{40, "Test"}, {200, "Result"}, {260, "Unit"}, {330, "Reference"}, {450, "Flag"}})
      .Row({{40, "Haemoglobin"}, {200, "10.9"}, {260, "g/dL"}, {330, "12.0 - 15.5"}, {450, "L"}})
      .Row({{40, "Sodium"}, {200, "139"}, {260, "mmol/L"}, {330, "135 - 145"}})
      .Row({{40, "Potassium"}, {200, "6.6"}, {260, "mmol/L"}, {330, "3.5 - 5.1"}, {450, "HH"}})
      .Row({{40, "CRP"}, {200, "2.1"}, {260, "mg/L"}, {330, "< 5.0"}});
  return page;
}

Json Row(const char* test, double value, const char* unit, Json low, Json high, const char* flag) {
  return {{"test", test},         {"value", value},         {"unit", unit},
          {"reference_low", low}, {"reference_high", high}, {"flag", flag}};
}

Json LabTruth() {
  return {{"institution", "Example Laboratory"},
          {"patient",
           {{"name", "Jane Doe"},
            {"date_of_birth", "1980-04-12"},
            {"sex", "female"},
            {"patient_id", nullptr}}},
          {"document_date", "2024-03-06"},
          {"collection_date", "2024-03-05"},
          {"sample_id", nullptr},
          {"results",
           {Row("Haemoglobin", 10.9, "g/dL", 12.0, 15.5, "L"),
            Row("Sodium", 139, "mmol/L", 135, 145, "N"),
            Row("Potassium", 6.6, "mmol/L", 3.5, 5.1, "HH"),
            Row("CRP", 2.1, "mg/L", nullptr, 5.0, "N")}},
          {"author", nullptr}};
}

TEST(Checks, PassACleanPage) {
  const auto checked = Check("lab_report", {LabPage().page()}, LabTruth());
  for (const Value& value : checked->answer.values) {
    for (const Verdict& verdict : value.verdicts) {
      EXPECT_NE(verdict.level, Level::kFlag) << value.leaf.path << " " << verdict.id;
    }
  }
  const Value& value = checked->At("/results/0/value");
  ASSERT_TRUE(value.evidence.has_value());
  EXPECT_EQ(value.evidence->words, "10.9");
  EXPECT_EQ(value.evidence->span.box.x0, 200);
  EXPECT_EQ(value.unit_code, "g/dL");
  EXPECT_EQ(value.converted_unit, "g/L");
  EXPECT_EQ(std::stod(value.converted), 109);
  EXPECT_TRUE(checked->Has("/results/2/value", "range.critical"));
  EXPECT_TRUE(checked->Has("/results/0/flag", "flag.agrees"));
  EXPECT_TRUE(checked->Has("/results/0/flag", "flag.printed"));
}

TEST(Checks, FlagPlantedFaults) {
  struct Fault {
    const char* path;
    Json value;
    const char* flagged;  // the path that must be flagged
    const char* id;
  };
  const Fault faults[] = {
      {"/results/0/value", 10.4, "/results/0/value", "source.not_found"},
      {"/results/1/value", 10.9, "/results/1/value", "source.elsewhere"},  // another row's
      {"/results/1/value", 135, "/results/1/value", "source.elsewhere"},   // the range's
      {"/results/1/unit", "mg/L", "/results/1/unit", "source.elsewhere"},
      {"/results/1/unit", "mg/dL", "/results/1/unit", "source.not_found"},
      {"/results/1/unit", "mm[Hg]", "/results/1/unit", "unit.unfit"},
      {"/results/1/unit", "blob/L", "/results/1/unit", "unit.unknown"},
      {"/results/1/flag", "H", "/results/1/flag", "flag.differs"},
      {"/results/0/flag", "N", "/results/0/flag", "flag.not_as_printed"},
      {"/results/2/flag", "H", "/results/2/flag", "flag.not_as_printed"},
      {"/results/0/test", "Troponin", "/results/0/test", "source.not_found"},
      {"/results/0/reference_low", 11.0, "/results/0/reference_low", "source.not_found"},
      {"/results/0/reference_low", 16.0, "/results/0/reference_low", "range.inverted"},
      {"/collection_date", "2024-02-30", "/collection_date", "date.impossible"},
      {"/collection_date", "2024-03-06", "/collection_date", "source.elsewhere"},
      {"/patient/date_of_birth", "1980-12-04", "/patient/date_of_birth", ""},  // reads both ways
      {"/patient/date_of_birth", "1981-04-12", "/patient/date_of_birth", "source.not_found"},
      {"/patient/name", "Jane Roe", "/patient/name", "source.not_found"},
      {"/patient/sex", "male", "/patient/sex", "source.not_found"},
  };
  for (const Fault& fault : faults) {
    Json document = LabTruth();
    document[Json::json_pointer(fault.path)] = fault.value;
    const auto checked = Check("lab_report", {LabPage().page()}, document);
    if (*fault.id == '\0') continue;
    ASSERT_TRUE(checked->Has(fault.flagged, fault.id)) << fault.path << " " << fault.id;
    EXPECT_EQ(checked->At(fault.flagged).Find(fault.id)->level, Level::kFlag) << fault.path;
  }
  Json invented = LabTruth();
  invented["results"].push_back(Row("Ferritin", 139, "mmol/L", 135, 145, "N"));
  const auto checked = Check("lab_report", {LabPage().page()}, invented);
  EXPECT_TRUE(checked->Has("/results/4/test", "source.not_found"));
  EXPECT_TRUE(checked->At("/results/4/value").Has(Level::kFlag));
}

// As Tesseract reads it: the row of the bilirubin may have words of its own.
SourcePage ReadPage(const std::string& value, const std::string& unit) {
  TestPage page;
  page.Text("Name: Doe, Jane")
      .Text("MRN: 5382091")
      .Row({{40, "Test"}, {200, "Result"}, {260, "Unit"}, {330, "Reference"}, {450, "Flag"}})
      .Row({{40, "Sodium"}, {200, "139"}, {260, "mmol/L"}, {330, "135 - 145"}})
      .Row({{40, "Bilirubin, total"}, {200, value}, {260, unit}, {330, "5 - 21"}});
  SourcePage read = page.page();
  read.word_source = WordSource::kTesseract;
  return read;
}

Json Bilirubin(double value, const char* unit) {
  Json document = LabTruth();
  document["results"] = Json::array(
      {Row("Sodium", 139, "mmol/L", 135, 145, "N"), Row("Bilirubin, total", value, unit, 5, 21,
                                                        value < 5    ? "L"
                                                        : value > 21 ? "H"
                                                                     : "N")});
  return document;
}

TEST(Checks, UnitsThatTesseractMisreads) {
  struct Case {
    const char* read;
    const char* answer;
    double value;
    bool settled;
  };
  const Case cases[] = {
      {"pmol/L", "µmol/L", 14, true},    // 14 pmol/L are no bilirubin
      {"umolL", "µmol/L", 14, true},     // no unit at all
      {"mmol/L", "µmol/L", 14, false},   // looks different: a unit that was exchanged
      {"µmol/L", "pmol/L", 14, false},   // the answer is what is impossible
      {"pmol/L", "µmol/L", 9e6, false},  // nor is this plausible
      {"g/L", "µmol/L", 14, false},
  };
  for (const Case& c : cases) {
    char printed[16];
    std::snprintf(printed, sizeof(printed), "%.0f", c.value);
    const auto checked =
        Check("lab_report", {ReadPage(printed, c.read)}, Bilirubin(c.value, c.answer));
    const Value& unit = checked->At("/results/1/unit");
    EXPECT_EQ(unit.Find("source.misread") != nullptr, c.settled) << c.read << " " << c.answer;
    EXPECT_EQ(unit.Find("source.not_found") == nullptr, c.settled) << c.read << " " << c.answer;
    if (!c.settled) continue;
    ASSERT_TRUE(unit.evidence.has_value());
    EXPECT_EQ(unit.evidence->words, c.read);
    // What a text layer says is what the page says.
    SourcePage page = ReadPage(printed, c.read);
    page.word_source = WordSource::kTextLayer;
    const auto printed_so = Check("lab_report", {page}, Bilirubin(c.value, c.answer));
    EXPECT_TRUE(printed_so->Has("/results/1/unit", "source.not_found"));
  }
}

TEST(Checks, ASecondLookSettlesWhatItFinds) {
  const auto first = Check("lab_report", {ReadPage("al", "µmol/L")}, Bilirubin(4, "µmol/L"));
  ASSERT_TRUE(first->Has("/results/1/value", "source.not_found"));
  const std::vector<PagePart> rows = RowsInDoubt(first->answer);
  ASSERT_FALSE(rows.empty());
  const auto in_doubt = [&](double y) {
    return std::any_of(rows.begin(), rows.end(),
                       [&](const PagePart& row) { return row.box.y0 <= y && y <= row.box.y1; });
  };
  EXPECT_TRUE(in_doubt(first->At("/results/1/test").evidence->span.box.y0 + 5));
  EXPECT_FALSE(in_doubt(first->At("/results/0/test").evidence->span.box.y0 + 5));
  // A look that sees the digit, one that sees another, one that sees nothing new.
  for (const auto& [seen, found] :
       {std::pair("4 L", true), std::pair("7", false), std::pair("al", false)}) {
    const auto answer = Check("lab_report", {ReadPage("al", "µmol/L")}, Bilirubin(4, "µmol/L"));
    const auto again = Check("lab_report", {ReadPage(seen, "µmol/L")}, Bilirubin(4, "µmol/L"));
    AdoptConfirmed(&answer->answer, again->answer);
    EXPECT_EQ(answer->At("/results/1/value").Find("source.found") != nullptr, found) << seen;
    EXPECT_EQ(answer->At("/results/1/value").Has(Level::kFlag), !found) << seen;
    EXPECT_TRUE(answer->Has("/results/0/value", "source.found"));
  }
  // Pages with a text layer are not looked at again.
  SourcePage layer = ReadPage("al", "µmol/L");
  layer.word_source = WordSource::kTextLayer;
  EXPECT_TRUE(RowsInDoubt(Check("lab_report", {layer}, Bilirubin(4, "µmol/L"))->answer).empty());
}

// Where a second look sees less, or another reading contradicts it, flags stay.
TEST(Checks, ASecondLookSettlesNothingElse) {
  // (What the rows have at the first and at the second look, the answer, the path that stays
  // flagged.)
  const auto page = [](const char* birth, const char* sodium, const char* potassium,
                       const char* mark) {
    TestPage made;
    made.Text(birth)
        .Text("Collected: 2024-03-05")
        .Gap()
        .Row({{40, "Test"}, {200, "Result"}, {260, "Unit"}, {330, "Reference"}, {450, "Flag"}})
        .Row({{40, "CRP"}, {200, "2.1"}, {260, "mg/L"}, {330, "< 5.0"}, {450, "H"}})
        .Row({{40, sodium}, {200, "139"}, {260, "mmol/L"}, {330, "135 - 145"}})
        .Row({{40, potassium}, {200, "6.6"}, {260, "mmol/L"}, {330, ""}, {450, mark}});
    SourcePage read = made.page();
    read.word_source = WordSource::kTesseract;
    return read;
  };
  const char *birth = "Date of birth: 1980-04-12", *sodium = "Sodium", *potassium = "Potassium";
  Json truth = LabTruth();
  truth["results"] = Json::array({Row("CRP", 2.1, "mg/L", nullptr, 5.0, "N"),
                                  Row("Sodium", 139, "mmol/L", 135, 145, "N"),
                                  Row("Potassium", 6.6, "mmol/L", nullptr, nullptr, "HH")});
  struct Case {
    const char* what;
    SourcePage first, second;
    const char* path;
    Json planted;
  };
  const Case cases[] = {
      {"the label is lost", page(birth, sodium, potassium, "HH"),
       page("Dato of birhh 1980-04-12 2024-03-05", sodium, potassium, "HH"),
       "/patient/date_of_birth", "2024-03-05"},
      {"the next row's name is lost", page(birth, sodium, potassium, "HH"),
       page(birth, sodium, "Ptassum", "HH"), "/results/1/value", 6.6},
      {"the mark is lost", page(birth, sodium, potassium, "HH"), page(birth, sodium, potassium, ""),
       "/results/2/flag", "L"},
  };
  for (const Case& c : cases) {
    Json document = truth;
    document[Json::json_pointer(c.path)] = c.planted;
    const auto answer = Check("lab_report", {c.first}, document);
    ASSERT_TRUE(answer->At(c.path).Has(Level::kFlag)) << c.what;
    AdoptConfirmed(&answer->answer, Check("lab_report", {c.second}, document)->answer);
    EXPECT_TRUE(answer->At(c.path).Has(Level::kFlag)) << c.what;
  }
  // Two looks that contradict each other, in one place or beside each other.
  struct Contradiction {
    const char *path, *answer, *first, *second;
  };
  const Contradiction contradictions[] = {
      {"/patient/patient_id", "5382091", "MRN: 5382097", "MRN: 5382091"},
      {"/patient/name", "Jane Roe", "Name: Doe, Jane", "Name: Roe, Jane"},
      {"/patient/name", "Jane Roe", "Name: Jane Doe", "Name: Jane Doe Jane Roe"},
      {"/collection_date", "2024-03-05", "Collected: 2024-03-08", "Collected: 2024-03-05"}};
  for (const Contradiction& c : contradictions) {
    const auto line = [&](const char* text) {
      TestPage made;
      made.Text("Example Laboratory").Text(text).Row({{40, "Sodium"}, {200, "139"}});
      SourcePage read = made.page();
      read.word_source = WordSource::kTesseract;
      return read;
    };
    Json document = LabTruth();
    document["results"] = Json::array();
    document[Json::json_pointer(c.path)] = c.answer;
    const auto answer = Check("lab_report", {line(c.first)}, document);
    ASSERT_TRUE(answer->At(c.path).Has(Level::kFlag)) << c.first;
    AdoptConfirmed(&answer->answer, Check("lab_report", {line(c.second)}, document)->answer);
    EXPECT_TRUE(answer->At(c.path).Has(Level::kFlag)) << c.first << " / " << c.second;
  }
  const auto two = Check("lab_report", {ReadPage("9", "µmol/L")}, Bilirubin(4, "µmol/L"));
  AdoptConfirmed(&two->answer,
                 Check("lab_report", {ReadPage("4", "µmol/L")}, Bilirubin(4, "µmol/L"))->answer);
  EXPECT_TRUE(two->At("/results/1/value").Has(Level::kFlag));
}

TEST(Checks, TellPagesApart) {
  const SourcePage second = TestPage(2)
                                .Text("Date of birth: 01.02.1950")
                                .Row({{40, "Sodium"}, {200, "128"}, {260, "mmol/L"}})
                                .page();
  Json document = LabTruth();
  document["results"].push_back(Row("Sodium", 128, "mmol/L", nullptr, nullptr, "L"));
  auto checked = Check("lab_report", {LabPage().page(), second}, document);
  EXPECT_TRUE(checked->Has("/results/4/test", "repeat.contradiction"));
  EXPECT_EQ(checked->At("/results/4/value").evidence->span.page, 1u);
  EXPECT_TRUE(checked->Has("/patient/date_of_birth", "page.contradiction"));
  // A value of the other page is not this row's.
  document = LabTruth();
  document["results"][1]["value"] = 128;
  checked = Check("lab_report", {LabPage().page(), second}, document);
  const bool other = checked->At("/results/1/value").Has(Level::kFlag) ||
                     checked->At("/results/1/reference_low").Has(Level::kFlag);
  EXPECT_TRUE(other);
}

TEST(Checks, SayWhatCannotBeChecked) {
  SourcePage scan;
  scan.width = 100;
  scan.height = 100;
  const auto checked = Check("lab_report", {scan}, LabTruth());
  EXPECT_TRUE(checked->Has("/results/0/value", "source.not_checked"));
  EXPECT_FALSE(checked->At("/results/0/value").evidence.has_value());
}

// Where nothing else has read the page, the reader's own doubt is all that there is.
TEST(Checks, DoubtWhereNothingCanBeCompared) {
  SourcePage scan;
  scan.width = 100;
  scan.height = 100;
  const std::string text = LabTruth().dump();
  const auto tokens = [&](const std::string& value, double likely) {
    const size_t begin = text.find(value);
    GALEN_CHECK(begin != text.npos);
    return std::vector<TokenSpan>{
        {0, begin, 0},
        {begin, begin + value.size(), std::log(static_cast<float>(likely))},
        {begin + value.size(), text.size(), 0}};
  };
  EXPECT_TRUE(Check("lab_report", {scan}, LabTruth(), tokens("10.9", 0.3))
                  ->Has("/results/0/value", "confidence.low"));
  EXPECT_FALSE(Check("lab_report", {scan}, LabTruth(), tokens("10.9", 0.3))
                   ->Has("/results/1/value", "confidence.low"));
  EXPECT_FALSE(Check("lab_report", {scan}, LabTruth(), tokens("10.9", 0.95))
                   ->Has("/results/0/value", "confidence.low"));
  EXPECT_FALSE(Check("lab_report", {LabPage().page()}, LabTruth(), tokens("10.9", 0.3))
                   ->Has("/results/0/value", "confidence.low"))
      << "the page itself says it";
}

TEST(Checks, DosesAndTheirEntries) {
  TestPage page;
  page.Text("Prescription")
      .Text("1. Metformin 500 mg tablet by mouth twice daily")
      .Text("2. Lisinopril 10 mg daily")
      .Text("3. Salbutamol 2 puffs as needed");
  const auto drug = [](const char* name, Json dose, Json unit, Json frequency, bool needed) {
    return Json{{"name", name},
                {"dose", dose},
                {"dose_unit", unit},
                {"frequency", frequency},
                {"as_needed", needed}};
  };
  const Json truth = {{"medications",
                       {drug("Metformin", 500, "mg", "twice daily", false),
                        drug("Lisinopril", 10, "mg", "daily", false),
                        drug("Salbutamol", 2, "puffs", nullptr, true)}}};
  auto checked = Check("prescription", {page.page()}, truth);
  for (const Value& value : checked->answer.values) {
    EXPECT_FALSE(value.Has(Level::kFlag)) << value.leaf.path << " " << value.verdicts.back().id;
  }
  Json wrong = truth;
  wrong["medications"][1]["dose"] = 500;  // the neighbour's
  wrong["medications"][0]["dose_unit"] = "g";
  wrong["medications"][0]["frequency"] = "daily";
  wrong["medications"][2]["dose_unit"] = nullptr;
  checked = Check("prescription", {page.page()}, wrong);
  EXPECT_TRUE(checked->Has("/medications/1/dose", "source.elsewhere"));
  EXPECT_TRUE(checked->Has("/medications/1/dose", "dose.large"));
  EXPECT_TRUE(checked->Has("/medications/0/dose_unit", "source.not_found"));
  EXPECT_TRUE(checked->Has("/medications/0/dose", "dose.large"));
  EXPECT_TRUE(checked->Has("/medications/2/dose", "dose.no_unit"));
}

TEST(Checks, FlowsheetsMeetAtRowsAndColumns) {
  TestPage page;
  page.Text("Vital signs")
      .Row({{40, "Time"}, {150, "08:00"}, {220, "12:00"}})
      .Row({{40, "HR"}, {150, "72"}, {220, "88"}})
      .Row({{40, "BP"}, {150, "120/80"}, {220, "135/72"}})
      .Row({{40, "Temp (°C)"}, {150, "36.8"}, {220, "38.1"}});
  const Json truth = {{"temperature_unit", "°C"},
                      {"readings",
                       {{{"time", "08:00"},
                         {"heart_rate", 72},
                         {"systolic", 120},
                         {"diastolic", 80},
                         {"temperature", 36.8}},
                        {{"time", "12:00"},
                         {"heart_rate", 88},
                         {"systolic", 135},
                         {"diastolic", 72},
                         {"temperature", 38.1}}}}};
  auto checked = Check("vitals_flowsheet", {page.page()}, truth);
  for (const Value& value : checked->answer.values) {
    EXPECT_FALSE(value.Has(Level::kFlag)) << value.leaf.path << " " << value.verdicts.back().id;
  }
  Json wrong = truth;
  wrong["readings"][0]["heart_rate"] = 88;  // the other column's
  wrong["readings"][1]["systolic"] = 88;    // the other row's
  wrong["readings"][1]["temperature"] = 98.6;
  checked = Check("vitals_flowsheet", {page.page()}, wrong);
  EXPECT_TRUE(checked->Has("/readings/0/heart_rate", "source.elsewhere"));
  EXPECT_TRUE(checked->Has("/readings/1/systolic", "source.elsewhere"));
  EXPECT_TRUE(checked->Has("/readings/1/temperature", "range.implausible"));
}

TEST(Checks, CompareTwoReaders) {
  const std::vector<SourcePage> pages = {LabPage().page()};
  const Kind kind = *FindKind("lab_report");
  Json other = LabTruth();
  other["results"].erase(0);
  other["results"][0]["value"] = 193;
  CheckedAnswer first = CheckAnswer(kind, pages, *ParseAnswer(LabTruth().dump()), {}, kToday);
  const CheckedAnswer second = Arrange(kind, pages, *ParseAnswer(other.dump()), {});
  CompareReaders(&first, second);
  EXPECT_NE(first.At("/results/0/value")->Find("reader.missing"), nullptr);
  EXPECT_NE(first.At("/results/1/value")->Find("reader.differs"), nullptr);
  EXPECT_EQ(*first.At("/results/1/value")->other, 193);
  EXPECT_NE(first.At("/results/2/value")->Find("reader.agrees"), nullptr);
}

TEST(Checks, LongTextsAreWordForWord) {
  TestPage page;
  page.Text("Findings")
      .Text("There is no pneumothorax and no pleural effusion on either")
      .Text("side today.");
  const auto with = [](const char* text) { return Json{{"findings", {text}}}; };
  auto checked =
      Check("radiology_report", {page.page()},
            with("There is no pneumothorax and no pleural effusion on either side today."));
  EXPECT_TRUE(checked->Has("/findings/0", "source.found"));
  checked = Check("radiology_report", {page.page()},
                  with("There is a pneumothorax and no pleural effusion on either side today."));
  EXPECT_TRUE(checked->At("/findings/0").Has(Level::kFlag));
}

// With a schema of one's own.
std::unique_ptr<Checked> CheckOwn(std::vector<SourcePage> pages, const Json& document) {
  auto checked = std::make_unique<Checked>();
  checked->kind = *CustomKind("document", "{}");
  checked->pages = std::move(pages);
  checked->answer =
      CheckAnswer(checked->kind, checked->pages, *ParseAnswer(document.dump()), {}, kToday);
  return checked;
}

Json OwnRow(const char* what, double amount, const char* unit) {
  return {{"what", what}, {"amount", amount}, {"unit", unit}};
}

TEST(OwnSchema, ValuesOfAnEntryStandInItsRow) {
  const std::vector<SourcePage> pages = {LabPage().page()};
  const Json truth = {{"title", "Example Laboratory"},
                      {"rows",
                       {OwnRow("Haemoglobin", 10.9, "g/dL"), OwnRow("Sodium", 139, "mmol/L"),
                        OwnRow("Potassium", 6.6, "mmol/L"), OwnRow("CRP", 2.1, "mg/L")}}};
  const auto clean = CheckOwn(pages, truth);
  for (const Value& value : clean->answer.values) {
    EXPECT_TRUE(clean->Has(value.leaf.path, "source.found"));
  }
  Json swapped = truth;
  swapped["rows"][1]["amount"] = 10.9;  // the row above
  swapped["rows"][2]["amount"] = 2.1;   // the row below
  swapped["rows"][3]["unit"] = "g/dL";
  const auto checked = CheckOwn(pages, swapped);
  for (const char* path : {"/rows/1/amount", "/rows/2/amount", "/rows/3/unit"}) {
    EXPECT_TRUE(checked->Has(path, "source.elsewhere"));
    EXPECT_TRUE(checked->At(path).Has(Level::kFlag)) << path;
  }
  for (const char* path : {"/title", "/rows/0/amount", "/rows/1/what", "/rows/1/unit",
                           "/rows/2/what", "/rows/3/amount"}) {
    EXPECT_TRUE(checked->Has(path, "source.found"));
  }
}

TEST(OwnSchema, WithoutRowsAPlaceElsewhereIsANote) {
  TestPage page;
  page.Text("Medication during the stay was metformin, later ramipril.")
      .Gap()
      .Gap()
      .Text("The former was given as 500 mg.")
      .Gap()
      .Gap()
      .Text("The latter was begun with 5 mg daily.");
  const auto checked = CheckOwn(
      {page.page()},
      {{"drugs",
        {{{"name", "metformin"}, {"dose", "500 mg"}}, {{"name", "ramipril"}, {"dose", "5 mg"}}}}});
  // One of the two is where the entry is, the other is not beside it.
  for (const std::string entry : {"/drugs/0", "/drugs/1"}) {
    int64_t apart = 0;
    for (const char* field : {"/name", "/dose"}) {
      const Value& value = checked->At(entry + field);
      EXPECT_FALSE(value.Has(Level::kFlag)) << value.leaf.path;
      apart += value.Find("source.elsewhere") != nullptr && value.Has(Level::kNote);
    }
    EXPECT_EQ(apart, 1) << entry;
  }
  const auto invented =
      CheckOwn({page.page()}, {{"drugs", {{{"name", "metformin"}, {"dose", "850 mg"}}}}});
  EXPECT_TRUE(invented->Has("/drugs/0/dose", "source.not_found"));
}

TEST(OwnSchema, InnermostArraysAreTheRows) {
  const auto checked = CheckOwn(
      {LabPage().page()},
      {{"panels",
        {{{"laboratory", "Example Laboratory"},
          {"rows", {OwnRow("Sodium", 6.6, "mmol/L"), OwnRow("Potassium", 6.6, "mmol/L")}}}}},
       {"2024", {{"tags", {"Sodium", "CRP"}}}}});
  ASSERT_EQ(checked->answer.own_specs.size(), 2u);
  EXPECT_EQ(checked->answer.own_specs[0]->at, "/panels");
  EXPECT_EQ(checked->answer.own_specs[1]->at, "/panels/0/rows");
  EXPECT_TRUE(checked->Has("/panels/0/rows/0/amount", "source.elsewhere"));
  EXPECT_TRUE(checked->Has("/panels/0/rows/1/amount", "source.found"));
  EXPECT_TRUE(checked->Has("/panels/0/laboratory", "source.found"));
  EXPECT_TRUE(checked->Has("/2024/tags/1", "source.found"));
}

}  // namespace
}  // namespace galen::extract
