#include <gtest/gtest.h>

#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/files.h"
#include "extract/units/analyte.h"
#include "extract/units/unit_names.h"
#include "formats/csv.h"

namespace galen::extract {
namespace {

struct Pair {
  std::string analyte, value, unit, other, other_unit, source;
  double tolerance;
};

double Number(const std::string& text) { return std::strtod(text.c_str(), nullptr); }

std::vector<Pair> ReadPairs() {
  const Result<std::string> text =
      ReadFile(std::string(GALEN_SOURCE_DIR) + "/tests/data/units/pairs.csv");
  EXPECT_TRUE(text.ok());
  std::vector<Pair> pairs;
  const auto records = ReadCsv(*text);
  EXPECT_TRUE(records.ok());
  for (size_t i = 1; i < records->size(); ++i) {
    const CsvRow& f = (*records)[i].fields;
    pairs.push_back({f[0], f[1], f[2], f[3], f[4], f[6], Number(f[5])});
  }
  return pairs;
}

std::string Rounded(double value, const std::string& like) {
  const size_t point = like.find('.');
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f",
                point == like.npos ? 0 : static_cast<int>(like.size() - point - 1), value);
  return text;
}

TEST(Units, EqualsPublishedPairs) {
  const std::vector<Pair> pairs = ReadPairs();
  EXPECT_GE(pairs.size(), 200u);
  for (const Pair& pair : pairs) {
    SCOPED_TRACE(pair.analyte + " " + pair.value + " " + pair.unit);
    EXPECT_FALSE(pair.source.empty());
    const Analyte* analyte = AnalyteById(pair.analyte);
    ASSERT_NE(analyte, nullptr);
    const double slack = 1e-9 * std::abs(Number(pair.other));
    const auto there = Convert(Number(pair.value), pair.unit, pair.other_unit, analyte);
    ASSERT_TRUE(there.ok()) << there.status().message();
    EXPECT_NEAR(*there, Number(pair.other), pair.tolerance + slack);
  }
}

TEST(Units, RoundTripsKeepTheDigitsGiven) {
  for (const Pair& pair : ReadPairs()) {
    SCOPED_TRACE(pair.analyte + " " + pair.value + " " + pair.unit);
    const Analyte* analyte = AnalyteById(pair.analyte);
    ASSERT_NE(analyte, nullptr);
    const auto there = ConvertText(pair.value, pair.unit, pair.other_unit, analyte);
    ASSERT_TRUE(there.ok());
    const auto back = Convert(Number(*there), pair.other_unit, pair.unit, analyte);
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(Rounded(*back, pair.value), pair.value) << *there;
  }
}

TEST(Units, ReadsCodes) {
  for (const char* code : {"mmol/L", "10*9/L", "mm[Hg]", "/min", "ug/kg/min", "m[IU]/L", "kg/m2",
                           "mL/min/{1.73_m2}", "{tbl}", "Cel", "[degF]", "%", "1", "g.m/s2"}) {
    EXPECT_TRUE(ParseUnit(code).ok()) << code;
  }
  for (const char* code : {"", "mmolL", "xmol", "mg//dL", "mg/", "m[Hg", "10*99", "Cel/min",
                           "mg dL", "m0", "m99", "}", "{", "s-1-1", "kkg"}) {
    EXPECT_FALSE(ParseUnit(code).ok()) << code;
  }
  EXPECT_FALSE(ParseUnit(std::string(1000, 'm')).ok());
}

TEST(Units, KnowsPrintedNames) {
  const std::pair<const char*, const char*> names[] = {{"mg/dl", "mg/dL"},
                                                       {"MG/DL", "mg/dL"},
                                                       {"µmol/L", "umol/L"},
                                                       {"μmol/l", "umol/L"},
                                                       {"x10^9/L", "10*9/L"},
                                                       {"10⁹/L", "10*9/L"},
                                                       {"10^9 / L", "10*9/L"},
                                                       {"G/L", "10*9/L"},
                                                       {"g/L", "g/L"},
                                                       {"g/l", "g/L"},
                                                       {"K/µL", "10*3/uL"},
                                                       {"mmHg", "mm[Hg]"},
                                                       {"mEq/L", "meq/L"},
                                                       {"µIU/mL", "u[IU]/mL"},
                                                       {"mIU/L", "m[IU]/L"},
                                                       {"°C", "Cel"},
                                                       {"mcg", "ug"},
                                                       {"tablets", "{tbl}"},
                                                       {"units", "[IU]"},
                                                       {"bpm", "/min"},
                                                       {"mL/min/1.73m²", "mL/min/{1.73_m2}"},
                                                       {"mm/hr", "mm/h"},
                                                       {"fL", "fL"}};
  for (const auto& [printed, code] : names) EXPECT_EQ(UnitCode(printed), code) << printed;
  for (const char* printed : {"", "blobs/L", "mg/dLL", "12"})
    EXPECT_EQ(UnitCode(printed), "") << printed;
}

TEST(Units, RefusesWhatNothingJoins) {
  const Analyte* glucose = AnalyteById("glucose");
  const Analyte* sodium = AnalyteById("sodium");
  const Analyte* ferritin = AnalyteById("ferritin");
  EXPECT_TRUE(Convert(1, "mg/dL", "mmol/L", glucose).ok());
  EXPECT_FALSE(Convert(1, "mg/dL", "mmol/L", nullptr).ok());
  EXPECT_FALSE(Convert(1, "ug/L", "nmol/L", ferritin).ok());
  EXPECT_FALSE(Convert(1, "mg/dL", "mm[Hg]", glucose).ok());
  EXPECT_FALSE(Convert(1, "mmol/L", "m[IU]/L", sodium).ok());
  EXPECT_FALSE(ConvertText("1.2.3", "mg/dL", "mmol/L", glucose).ok());
  EXPECT_FALSE(ConvertText("nan", "mg/dL", "mmol/L", glucose).ok());
  // Equivalents of calcium have two charges a mole, those of sodium one.
  EXPECT_DOUBLE_EQ(*Convert(5, "meq/L", "mmol/L", AnalyteById("calcium")), 2.5);
  EXPECT_DOUBLE_EQ(*Convert(140, "meq/L", "mmol/L", sodium), 140);
}

TEST(Units, FindsAnalytesByPrintedNames) {
  const std::pair<const char*, const char*> names[] = {{"Glucose", "glucose"},
                                                       {"GLUCOSE, FASTING", "glucose"},
                                                       {"Haemoglobin", "haemoglobin"},
                                                       {"Hgb", "haemoglobin"},
                                                       {"Sodium (Na)", "sodium"},
                                                       {"Serum creatinine", "creatinine"},
                                                       {"S-Kreatinin", "creatinine"},
                                                       {"LDL Cholesterol", "ldl"},
                                                       {"HbA1c", "hba1c"},
                                                       {"White cell count", "wbc"},
                                                       {"Bilirubin, total", "bilirubin"},
                                                       {"ALT (SGPT)", "alt"}};
  for (const auto& [printed, id] : names) {
    const Analyte* analyte = FindAnalyte(printed);
    ASSERT_NE(analyte, nullptr) << printed;
    EXPECT_EQ(analyte->id, id) << printed;
  }
  EXPECT_EQ(FindAnalyte("Comment"), nullptr);
  EXPECT_EQ(FindAnalyte(""), nullptr);
}

}  // namespace
}  // namespace galen::extract
