// How many people the files of a set are of.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "media/dicom/identity.h"

namespace galen::dicom {

// Numbers of patients, one per person, in the order of the files.
class Patients {
 public:
  int64_t Number(const DicomIdentity& identity) {
    const auto known = std::find_if(people_.begin(), people_.end(), [&](const DicomIdentity& p) {
      return p.MayBeSamePatient(identity);
    });
    if (known == people_.end()) {
      people_.push_back(identity);
      return static_cast<int64_t>(people_.size()) - 1;
    }
    // Learn what the first file of this patient did not say.
    if (!known->has_patient_id && identity.has_patient_id) *known = identity;
    return known - people_.begin();
  }
  size_t count() const { return people_.size(); }

 private:
  std::vector<DicomIdentity> people_;
};

}  // namespace galen::dicom
