#include "extract/output/sr_tree.h"

#include <dcmtk/config/osconfig.h>
// The configuration comes first.
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcfilefo.h>
#include <dcmtk/dcmdata/dcostrmb.h>
#include <dcmtk/dcmsr/dsrdoc.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "extract/output/output.h"
#include "media/dicom/jpeg_dcmtk.h"

namespace galen::extract::sr {

enum class Tree::Type { kContainer, kText, kCode, kUid, kNumber };

namespace {

constexpr size_t kShortCode = 16, kLongCode = 64;  // characters of SH; of UC, ours
constexpr size_t kDecimalString = 16;
constexpr size_t kChunk = size_t{1} << 16;

DSRTypes::E_RelationshipType RelationshipOf(Link link) {
  switch (link) {
    case Link::kContains:
      return DSRTypes::RT_contains;
    case Link::kHasContext:
      return DSRTypes::RT_hasObsContext;
    case Link::kModifiedBy:
      return DSRTypes::RT_hasConceptMod;
    case Link::kHasProperty:
      return DSRTypes::RT_hasProperties;
    case Link::kInferredFrom:
      return DSRTypes::RT_inferredFrom;
  }
  return DSRTypes::RT_invalid;
}

OFString Of(const std::string& text) { return OFString(text.data(), text.size()); }

DSRCodedEntryValue Entry(const Code& code) {
  const bool fits = code.value.size() <= kShortCode;
  return DSRCodedEntryValue(Of(ShortText(code.value, kLongCode)), Of(code.scheme),
                            Of(ShortText(code.meaning)),
                            fits ? DSRTypes::CVT_Short : DSRTypes::CVT_Long, OFFalse);
}

// The digits as they are, or as many of them as a decimal string has room for.
std::string DecimalString(const std::string& decimal) {
  if (decimal.size() <= kDecimalString) return decimal;
  const double value = std::strtod(decimal.c_str(), nullptr);
  char text[40];
  for (int digits = static_cast<int>(kDecimalString); digits > 0; --digits) {
    const int length = std::snprintf(text, sizeof(text), "%.*g", digits, value);
    if (length > 0 && static_cast<size_t>(length) <= kDecimalString) break;
  }
  return text;
}

std::string Digits(const std::string& text) {
  std::string digits;
  for (const char c : text) {
    if (c >= '0' && c <= '9') digits += c;
  }
  return digits;
}

std::string DateDigits(const std::string& date) { return Digits(date.substr(0, 10)); }

// "Smith, John" has its parts named; any other order is not known, and stays as it is.
std::string PersonName(const std::string& name) {
  std::string plain;
  for (const char c : ShortText(name)) plain += c == '^' || c == '=' ? ' ' : c;
  const size_t comma = plain.find(',');
  if (comma == plain.npos || plain.find(',', comma + 1) != plain.npos) return plain;
  const size_t given = plain.find_first_not_of(' ', comma + 1);
  if (comma == 0 || given == plain.npos) return plain;
  return plain.substr(0, comma) + "^" + plain.substr(given);
}

void Need(const OFCondition& condition) { GALEN_CHECK(condition.good()); }

void Replace(DcmItem* item, const DcmTagKey& key, const std::string& text) {
  DcmElement* element = nullptr;
  Need(item->findAndGetElement(key, element));
  Need(element->putOFStringArray(Of(text)));
}

std::string FileBytes(DcmFileFormat* file) {
  std::vector<char> chunk(kChunk);
  DcmOutputBufferStream stream(chunk.data(), static_cast<offile_off_t>(chunk.size()));
  std::string bytes;
  file->transferInit();
  OFCondition condition = EC_StreamNotifyClient;
  while (condition == EC_StreamNotifyClient) {
    condition = file->write(stream, EXS_LittleEndianExplicit, EET_ExplicitLength, nullptr);
    void* written = nullptr;
    offile_off_t length = 0;
    stream.flushBuffer(written, length);
    bytes.append(static_cast<const char*>(written), static_cast<size_t>(length));
  }
  Need(condition);
  file->transferEnd();
  return bytes;
}

}  // namespace

Tree::Tree(const Code& title) : document_(std::make_unique<DSRDocument>()) {
  dicom::SilenceDcmtk();
  Need(document_->createNewDocument(DSRTypes::DT_ComprehensiveSR));
  Need(document_->setSpecificCharacterSetType(DSRTypes::CS_UTF8));
  DSRDocumentTree& tree = document_->getTree();
  GALEN_CHECK(tree.addContentItem(DSRTypes::RT_isRoot, DSRTypes::VT_Container) > 0);
  Need(tree.getCurrentContentItem().setConceptName(Entry(title), OFFalse));
  Need(tree.getCurrentContentItem().setTemplateIdentification("1500", "DCMR"));
}

Tree::~Tree() = default;

void Tree::Add(Link link, Type type, const Code& name) {
  static constexpr DSRTypes::E_ValueType kTypes[] = {DSRTypes::VT_Container, DSRTypes::VT_Text,
                                                     DSRTypes::VT_Code, DSRTypes::VT_UIDRef,
                                                     DSRTypes::VT_Num};
  DSRDocumentTree& tree = document_->getTree();
  GALEN_CHECK(tree.addContentItem(RelationshipOf(link), kTypes[static_cast<size_t>(type)],
                                  DSRTypes::AM_belowCurrent) > 0);
  Need(tree.getCurrentContentItem().setConceptName(Entry(name), OFFalse));
}

void Tree::Below(const Inside& inside) {
  if (inside) inside();
  GALEN_CHECK(document_->getTree().goUp() > 0);
}

void Tree::Container(Link link, const Code& name, const char* template_id, const Inside& inside) {
  Add(link, Type::kContainer, name);
  if (template_id != nullptr) {
    Need(document_->getTree().getCurrentContentItem().setTemplateIdentification(template_id,
                                                                                "DCMR"));
  }
  Below(inside);
}

void Tree::Text(Link link, const Code& name, std::string_view text, const Inside& inside) {
  Add(link, Type::kText, name);
  Need(document_->getTree().getCurrentContentItem().setStringValue(Of(LongText(text)), OFFalse));
  Below(inside);
}

void Tree::CodeItem(Link link, const Code& name, const Code& value) {
  Add(link, Type::kCode, name);
  Need(document_->getTree().getCurrentContentItem().setCodeValue(Entry(value), OFFalse));
  Below({});
}

void Tree::Uid(Link link, const Code& name, const std::string& uid) {
  Add(link, Type::kUid, name);
  Need(document_->getTree().getCurrentContentItem().setStringValue(Of(uid)));
  Below({});
}

void Tree::Number(Link link, const Code& name, const std::string& decimal, const Code& unit,
                  const std::string& date, const Inside& inside) {
  Add(link, Type::kNumber, name);
  const std::string digits = DecimalString(decimal);
  DSRNumericMeasurementValue value(Of(digits), Entry(unit), OFFalse);
  if (digits != decimal) {
    Need(value.setFloatingPointRepresentation(std::strtod(decimal.c_str(), nullptr), OFFalse));
  }
  DSRContentItem& item = document_->getTree().getCurrentContentItem();
  Need(item.setNumericValue(value, OFFalse));
  if (!date.empty()) Need(item.setObservationDateTime(Of(DateDigits(date))));
  if (digits != decimal) {
    Text(Link::kHasProperty, {"digits", kOwnScheme, "All digits"}, decimal);
  }
  Below(inside);
}

namespace {

// The study's own values in place of the page's. What DICOM does not take of them is left out.
void SetStudy(const SourceStudy& study, DSRDocument* document) {
  const auto text = [](const std::string& value) { return Of(ShortText(value)); };
  Need(document->setPatientName(text(study.patient_name), OFFalse));
  Need(document->setPatientID(text(study.patient_id), OFFalse));
  Need(document->setPatientBirthDate(Of(DateDigits(study.patient_birth_date)), OFFalse));
  Need(document->setPatientSex(text(study.patient_sex), OFFalse));
  Need(document->setStudyDate(Of(DateDigits(study.date)), OFFalse));
  Need(document->setStudyTime(text(study.time), OFFalse));
  Need(document->setStudyID(Of(ShortText(study.id, 16)), OFFalse));
  Need(document->setStudyDescription(text(study.description), OFFalse));
  Need(document->setAccessionNumber(Of(ShortText(study.accession_number, 16)), OFFalse));
  Need(document->setReferringPhysicianName(text(study.referring_physician), OFFalse));
  for (const SourceStudy::Instance& one : study.instances) {
    if (one.series.empty() || one.sop_class.empty()) continue;  // cannot be referred to
    Need(document->getCurrentRequestedProcedureEvidence().addItem(
        Of(study.uid), Of(one.series), Of(one.sop_class), Of(one.instance), OFFalse));
  }
}

}  // namespace

std::string Tree::Write(const Header& h) {
  DSRDocument& document = *document_;
  const auto text = [](const std::string& value) { return Of(ShortText(value)); };
  Need(document.setPatientName(Of(PersonName(h.patient_name)), OFFalse));
  Need(document.setPatientID(text(h.patient_id), OFFalse));
  Need(document.setPatientBirthDate(Of(DateDigits(h.patient_birth_date))));
  Need(document.setPatientSex(Of(h.patient_sex)));
  Need(document.setStudyDate(Of(DateDigits(h.study_date))));
  Need(document.setStudyTime(""));
  Need(document.setStudyDescription(text(h.study_description), OFFalse));
  if (h.study != nullptr) SetStudy(*h.study, &document);
  Need(document.setSeriesDescription("values that galen read"));
  Need(document.setManufacturer("galen"));
  Need(document.setManufacturerModelName("galen"));
  Need(document.setSoftwareVersions(text(h.version), OFFalse));
  const std::string time = h.written.size() >= 19 ? Digits(h.written.substr(11, 8)) : "";
  Need(document.setContentDate(Of(DateDigits(h.written))));
  Need(document.setContentTime(Of(time)));
  Need(document.setTimezoneOffsetFromUTC("+0000"));
  Need(document.setPreliminaryFlag(DSRTypes::PF_Preliminary));
  Need(document.setCompletionFlagDescription("read by a model, checked by rules, by no person"));
  Need(document.getCodingSchemeIdentification().addItem(kOwnScheme, "",
                                                        "Fields and checks of galen", "galen"));
  DcmFileFormat file;
  DcmDataset* data_set = file.getDataset();
  Need(document.write(*data_set));
  // DCMTK makes these of the machine and the moment; a case has its own.
  Replace(data_set, DCM_StudyInstanceUID, h.study != nullptr ? h.study->uid : h.study_uid);
  Replace(data_set, DCM_SeriesInstanceUID, h.series_uid);
  Replace(data_set, DCM_SOPInstanceUID, h.instance_uid);
  for (const DcmTagKey& key : {DCM_InstanceCreationDate, DCM_InstanceCreationTime}) {
    if (data_set->tagExists(key)) {
      Replace(data_set, key, key == DCM_InstanceCreationDate ? DateDigits(h.written) : time);
    }
  }
  return FileBytes(&file);
}

}  // namespace galen::extract::sr
