// What tells who a picture is of. It stays inside of the reader: outside there are keyed digests,
// good for "the same or not", and, only when the caller asked to keep identity, text in a type that
// does not print.
#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <utility>

#include "base/siphash.h"
#include "media/dicom/data_set.h"

namespace galen {

// Text that identifies a person. It has no operator<< and no conversion; Reveal() marks every place
// that uses it.
class PrivateText {
 public:
  PrivateText() = default;
  explicit PrivateText(std::string text) : text_(std::move(text)) {}
  const std::string& Reveal() const { return text_; }
  bool empty() const { return text_.empty(); }
  friend std::ostream& operator<<(std::ostream&, const PrivateText&) = delete;

 private:
  std::string text_;
};

// The attributes that PS3.15 table E.1-1 lists and that a report may need.
struct KeptIdentity {
  PrivateText patient_name, patient_id, birth_date, accession_number, study_date, study_time,
      study_description, series_description, study_uid, series_uid, instance_uid;
};

// Digests under a key that is drawn when the process starts: they compare within the process and
// mean nothing elsewhere.
struct DicomIdentity {
  Digest128 patient_id;    // with its issuer
  Digest128 patient_name;  // with the date of birth
  Digest128 study, series, instance;
  bool has_patient_id = false;
  bool has_patient_name = false;
  std::shared_ptr<const KeptIdentity> kept;  // null unless DicomOptions::keep_identity

  // Same person: by identifier where both have one, else by name and date of birth; unknown counts
  // as the same.
  bool MayBeSamePatient(const DicomIdentity& other) const;
};

namespace dicom {

DicomIdentity ReadIdentity(const DataSet& data_set, bool keep);

}  // namespace dicom
}  // namespace galen
