#include <dcmtk/config/osconfig.h>
// The configuration comes first.
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcfilefo.h>
#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmsr/dsrdoc.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "extract/output/output.h"
#include "extract/output/sr_tree.h"
#include "media/image/png_writer.h"

namespace galen::extract {
namespace {

const std::string kSrExample = std::string(GALEN_SOURCE_DIR) + "/examples/documents/lab_report.pdf";
const OutputOptions kOptions{"0.1.0", "2026-01-31T12:34:56Z"};

class AnswerReader : public Reader {
 public:
  explicit AnswerReader(std::string text) : text_(std::move(text)) {}
  ReaderIdentity identity() const override {
    ReaderIdentity identity;
    identity.model = "fixture";
    identity.architecture = "none";
    identity.digest = "sha256:0123";
    identity.adapters = {"german reports sha256:4567"};
    identity.sees_images = true;
    return identity;
  }
  Result<std::vector<Answer>> Read(const ReadRequest&) override {
    Answer answer;
    answer.text = text_;
    return std::vector<Answer>{answer};
  }

 private:
  std::string text_;
};

Extraction Extracted(const Json& answer, const std::string& kind,
                     const std::string& file = kSrExample) {
  AnswerReader reader(answer.dump());
  CaseOptions source;
  source.ocr = OcrUse::kNever;
  Result<Case> opened = Case::Open(std::vector<std::string>{file}, source);
  EXPECT_TRUE(opened.ok()) << opened.status().message();
  ExtractOptions options;
  options.kind = kind;
  options.today = {2024, 6, 1};
  Result<Extraction> result =
      Extract(std::make_shared<const Case>(*std::move(opened)), options, &reader, nullptr);
  EXPECT_TRUE(result.ok()) << result.status().message();
  return *std::move(result);
}

// A page without words: nothing of the answer is refuted.
std::string Picture() {
  Image image;
  image.width = image.height = 64;
  image.pixels.resize(64 * 64 * 3);
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>(i % 251);
  const std::string path = ::testing::TempDir() + "sr_test.png";
  EXPECT_TRUE(WritePng(path, image).ok());
  return path;
}

struct Item {
  DSRTypes::E_ValueType type;
  std::string code, scheme, meaning, text, unit;
};

struct ReadBack {
  DcmFileFormat file;
  DSRDocument document;
  std::vector<Item> items;

  std::string Get(const DcmTagKey& key) {
    OFString value;
    file.getDataset()->findAndGetOFStringArray(key, value);
    return value.c_str();
  }
  const Item* Find(const std::string& code) const {
    const auto at = std::find_if(items.begin(), items.end(),
                                 [&](const Item& item) { return item.code == code; });
    return at == items.end() ? nullptr : &*at;
  }
  int64_t Count(DSRTypes::E_ValueType type) const {
    return std::count_if(items.begin(), items.end(),
                         [&](const Item& item) { return item.type == type; });
  }
};

std::unique_ptr<ReadBack> Parse(const std::string& bytes) {
  auto back = std::make_unique<ReadBack>();
  DcmInputBufferStream stream;
  stream.setBuffer(bytes.data(), static_cast<offile_off_t>(bytes.size()));
  stream.setEos();
  back->file.transferInit();
  EXPECT_TRUE(back->file.read(stream).good());
  back->file.transferEnd();
  const OFCondition read = back->document.read(*back->file.getDataset());
  EXPECT_TRUE(read.good()) << read.text();
  EXPECT_TRUE(back->document.isValid());
  DSRDocumentTree& tree = back->document.getTree();
  if (tree.gotoRoot() == 0) return back;
  do {
    DSRContentItem& item = tree.getCurrentContentItem();
    Item found;
    found.type = item.getValueType();
    found.code = item.getConceptName().getCodeValue().c_str();
    found.scheme = item.getConceptName().getCodingSchemeDesignator().c_str();
    found.meaning = item.getConceptName().getCodeMeaning().c_str();
    if (found.type == DSRTypes::VT_Text || found.type == DSRTypes::VT_UIDRef) {
      found.text = item.getStringValue().c_str();
    } else if (found.type == DSRTypes::VT_Code) {
      found.text = item.getCodeValue().getCodeValue().c_str();
    } else if (found.type == DSRTypes::VT_Num) {
      found.text = item.getNumericValue().getNumericValue().c_str();
      found.unit = item.getNumericValue().getMeasurementUnit().getCodeValue().c_str();
    }
    back->items.push_back(found);
  } while (tree.iterate() > 0);
  return back;
}

Json SrRow(const char* test, double value, const char* unit, Json low, Json high,
           const char* flag) {
  return Json{{"test", test},         {"value", value},         {"unit", unit},
              {"reference_low", low}, {"reference_high", high}, {"flag", flag}};
}

Json LabReport() {
  return {{"institution", "Example Laboratory"},
          {"document_date", "2024-03-05"},
          {"collection_date", "2024-03-05"},
          {"results",
           {SrRow("Haemoglobin", 10.9, "g/dL", 12.0, 15.5, "L"),
            SrRow("Sodium", 139, "mmol/L", 135, 145, "N")}}};
}

TEST(StructuredReport, HasMeasurementsWithCodesAndEvidence) {
  const auto back = Parse(ToSr(Extracted(LabReport(), "lab_report"), kOptions));
  EXPECT_EQ(back->document.getDocumentType(), DSRTypes::DT_ComprehensiveSR);
  EXPECT_EQ(back->Get(DCM_SpecificCharacterSet), "ISO_IR 192");
  EXPECT_EQ(back->Get(DCM_CompletionFlag), "PARTIAL");
  EXPECT_EQ(back->Get(DCM_VerificationFlag), "UNVERIFIED");
  EXPECT_EQ(back->Get(DCM_PreliminaryFlag), "PRELIMINARY");
  EXPECT_EQ(back->Get(DCM_ContentDate) + back->Get(DCM_ContentTime), "20260131123456");
  EXPECT_EQ(back->Get(DCM_StudyDate), "20240305");
  EXPECT_EQ(back->Get(DCM_SoftwareVersions), "0.1.0");
  const Item* haemoglobin = back->Find("718-7");
  ASSERT_NE(haemoglobin, nullptr);
  EXPECT_EQ(haemoglobin->scheme, "LN");
  EXPECT_EQ(haemoglobin->text, "10.9");
  EXPECT_EQ(haemoglobin->unit, "g/dL");
  const Item* low = back->Find("385524004");
  ASSERT_NE(low, nullptr);
  EXPECT_EQ(low->text, "12.0");
  EXPECT_EQ(back->Find("121402")->text, "371880002");  // abnormally low
  const Item* evidence = back->Find("evidence");
  ASSERT_NE(evidence, nullptr);
  EXPECT_NE(evidence->text.find("lab_report.pdf, page 1, box "), std::string::npos);
  // The program, the model and its adapter are the observers.
  std::vector<std::string> serials;
  for (const Item& item : back->items) {
    if (item.code == "121005") {
      EXPECT_EQ(item.text, "121007");
    }
    if (item.code == "121016") serials.push_back(item.text);
  }
  EXPECT_EQ(serials, (std::vector<std::string>{"sha256:0123", "sha256:4567"}));
  EXPECT_EQ(back->Find("check.flag"), nullptr);
  EXPECT_NE(back->Find("source")->text.find("SHA-256"), std::string::npos);
}

TEST(StructuredReport, LeavesOutWhatStandsNowhere) {
  Json answer = LabReport();
  answer["results"].push_back(SrRow("Xenomarker", 139, "mmol/L", nullptr, nullptr, "N"));
  answer["results"][0]["value"] = 77.123;
  answer["results"][1]["unit"] = "mg/dL";
  const auto back = Parse(ToSr(Extracted(answer, "lab_report"), kOptions));
  for (const Item& item : back->items) {
    EXPECT_NE(item.meaning, "Xenomarker");
    EXPECT_NE(item.text, "77.123");
  }
  // Sodium stands there, its unit does not.
  const auto sodium = std::find_if(back->items.begin(), back->items.end(),
                                   [](const Item& item) { return item.meaning == "Sodium"; });
  ASSERT_NE(sodium, back->items.end());
  EXPECT_EQ(sodium->text, "139.0");
  EXPECT_EQ(sodium->unit, "no-unit");
  EXPECT_EQ(sodium->scheme, "99GALEN");  // LOINC's code depends on the unit
  std::vector<std::string> flags;
  for (const Item& item : back->items) {
    if (item.code == "check.flag") flags.push_back(item.text);
  }
  for (const char* path : {"/results/0/value: source.not_found", "/results/2/test: source.not_f",
                           "/results/1/unit: source.not_found"}) {
    EXPECT_TRUE(std::any_of(flags.begin(), flags.end(), [&](const std::string& text) {
      return text.starts_with(path);
    })) << path;
  }
}

TEST(StructuredReport, WithoutAUsableValueIsStillOne) {
  const auto back = Parse(ToSr(
      Extracted({{"results", {SrRow("Xenomarker", 9, "qq", nullptr, nullptr, "N")}}}, "lab_report"),
      kOptions));
  EXPECT_EQ(back->Count(DSRTypes::VT_Num), 0);
  EXPECT_EQ(back->Find("126010"), nullptr);
  EXPECT_NE(back->Find("C0034375"), nullptr);
  EXPECT_EQ(back->Get(DCM_PatientName), "");
}

TEST(StructuredReport, KeepsOtherScriptsAndLongTexts) {
  std::string description = "Zeile eins\nΔιάγνωση \\ 日本語\x01";
  while (description.size() < 200000) description += " Befund ohne Auffälligkeit.";
  std::string name;
  for (int i = 0; i < 40; ++i) name += "Жё";
  const Json answer = {{"patient",
                        {{"name", "山田, 太郎"},
                         {"date_of_birth", "1950-02-03"},
                         {"sex", "female"},
                         {"patient_id", "A\\7"}}},
                       {"procedure", name},
                       {"description", description},
                       {"findings", "ok"}};
  const auto back = Parse(ToSr(Extracted(answer, "operative_note", Picture()), kOptions));
  EXPECT_EQ(back->Get(DCM_PatientName), "山田^太郎");
  EXPECT_EQ(back->Get(DCM_PatientID), "A/7");
  EXPECT_EQ(back->Get(DCM_PatientBirthDate), "19500203");
  EXPECT_EQ(back->Get(DCM_PatientSex), "F");
  const Item* text = back->Find("description");
  ASSERT_NE(text, nullptr);
  EXPECT_TRUE(text->text.starts_with("Zeile eins\r\nΔιάγνωση \\ 日本語 Befund"));
  EXPECT_GE(text->text.size(), 200000u);
  ASSERT_NE(back->Find("procedure"), nullptr);
  EXPECT_EQ(back->Find("procedure")->text, name);
}

TEST(StructuredReport, NamesAndNumbersThatDoNotFit) {
  std::string name;
  for (int i = 0; i < 100; ++i) name += "ü";
  Json row = SrRow("", 1, "wunderliche Einheit/日", nullptr, nullptr, "N");
  row["test"] = name;
  std::string answer = Json{{"results", {row}}}.dump();
  const std::string digits = "0.123456789012345678901234";
  answer.replace(answer.find("1.0"), 3, digits);
  AnswerReader reader(answer);
  CaseOptions source;
  source.ocr = OcrUse::kNever;
  Result<Case> opened = Case::Open(std::vector<std::string>{Picture()}, source);
  ASSERT_TRUE(opened.ok());
  ExtractOptions options;
  options.kind = "lab_report";
  options.today = {2024, 6, 1};
  const Result<Extraction> result =
      Extract(std::make_shared<const Case>(*std::move(opened)), options, &reader, nullptr);
  ASSERT_TRUE(result.ok()) << result.status().message();
  const auto back = Parse(ToSr(*result, kOptions));
  ASSERT_EQ(back->Count(DSRTypes::VT_Num), 1);
  const auto number = std::find_if(back->items.begin(), back->items.end(),
                                   [](const Item& item) { return item.type == DSRTypes::VT_Num; });
  EXPECT_EQ(number->meaning, name.substr(0, 128));  // 64 characters
  EXPECT_LE(number->text.size(), 16u);
  EXPECT_NEAR(std::stod(number->text), 0.1234567890123456, 1e-14);
  const Item *whole = back->Find("121050"), *all = back->Find("digits");
  ASSERT_NE(whole, nullptr);
  EXPECT_EQ(whole->text, name);
  ASSERT_NE(all, nullptr);
  EXPECT_EQ(all->text, digits);
}

TEST(StructuredReport, IsTheSameForTheSameAndAnotherForAnother) {
  const Extraction extraction = Extracted(LabReport(), "lab_report");
  const std::string first = ToSr(extraction, kOptions);
  EXPECT_EQ(first, ToSr(extraction, kOptions));
  const auto one = Parse(first);
  const auto other = Parse(ToSr(extraction, {"0.1.0", "2026-02-01T00:00:00Z"}));
  EXPECT_EQ(one->Get(DCM_StudyInstanceUID), other->Get(DCM_StudyInstanceUID));
  EXPECT_NE(one->Get(DCM_SOPInstanceUID), other->Get(DCM_SOPInstanceUID));
  EXPECT_TRUE(one->Get(DCM_SOPInstanceUID).starts_with("2.25."));
}

TEST(StructuredReport, UidOfAUuid) {
  // PS3.5 B.2.
  EXPECT_EQ(sr::UidOfUuid("f81d4fae7dec11d0a76500a0c91e6bf6"),
            "2.25.329800735698586629295641978511506172918");
}

TEST(StructuredReport, ShortTextsAreCutAtCharacters) {
  EXPECT_EQ(sr::ShortText("äöü", 2), "äö");
  EXPECT_EQ(sr::ShortText(" a\\b\nc\x7f "), "a/b c");
  EXPECT_EQ(sr::ShortText("\xff"), "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace galen::extract
