#include "media/dicom/identity.h"

#include <algorithm>
#include <span>

namespace galen {

bool DicomIdentity::MayBeSamePatient(const DicomIdentity& other) const {
  if (has_patient_id && other.has_patient_id) return patient_id == other.patient_id;
  if (has_patient_name && other.has_patient_name) return patient_name == other.patient_name;
  return true;
}

namespace dicom {
namespace {

Digest128 DigestOf(const std::string& text) {
  static const SipKey key = RandomSipKey();
  return SipHash128(key, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

// Names differ in case and in empty trailing components between systems that mean the same person.
std::string FoldName(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  while (!name.empty() && (name.back() == '^' || name.back() == ' ')) name.pop_back();
  return name;
}

}  // namespace

DicomIdentity ReadIdentity(const DataSet& data_set, bool keep) {
  DicomIdentity identity;
  const std::string id = data_set.RawText(kPatientId);
  const std::string name = data_set.RawText(kPatientName);
  identity.has_patient_id = !id.empty();
  identity.has_patient_name = !name.empty();
  identity.patient_id = DigestOf(id + '\0' + data_set.RawText(kIssuerOfPatientId));
  identity.patient_name = DigestOf(FoldName(name) + '\0' + data_set.RawText(kPatientBirthDate));
  identity.study = DigestOf(data_set.Text(kStudyInstance));
  identity.series = DigestOf(data_set.Text(kSeriesInstance));
  identity.instance = DigestOf(data_set.Text(kSopInstance));
  if (!keep) return identity;
  const auto text = [&](Tag tag) { return PrivateText(data_set.RawText(tag)); };
  auto kept = std::make_shared<KeptIdentity>();
  kept->patient_name = text(kPatientName);
  kept->patient_id = text(kPatientId);
  kept->birth_date = text(kPatientBirthDate);
  kept->accession_number = text(kAccessionNumber);
  kept->study_date = text(kStudyDate);
  kept->study_time = text(kStudyTime);
  kept->study_description = text(kStudyDescription);
  kept->series_description = text(kSeriesDescription);
  kept->study_uid = text(kStudyInstance);
  kept->series_uid = text(kSeriesInstance);
  kept->instance_uid = text(kSopInstance);
  identity.kept = std::move(kept);
  return identity;
}

}  // namespace dicom
}  // namespace galen
