// QIDO-RS (PS3.18 10.6): which studies, series and instances a server has.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dicomnet/web/web_client.h"
#include "media/dicom/identity.h"

namespace galen::dicomnet {

// Empty: anything. "*" and "?" stand for other characters, as DICOM has it.
struct StudyFilter {
  std::string patient_id, patient_name, accession_number, modality, study;
  std::string date;  // YYYYMMDD, or a range of two: A-B, A-, -B
};

// InvalidArgument: a date that is none.
Status CheckStudyDate(const std::string& date);

// Texts of a server: whoever shows them removes control characters.
struct FoundStudy {
  std::string study;
  std::vector<std::string> modalities;
  int64_t series = 0, instances = 0;  // 0: not said
  PrivateText patient_name, patient_id, birth_date, date, time, accession_number, description;
};

struct FoundSeries {
  std::string series;
  std::string modality;
  std::string number;
  int64_t instances = 0;
  PrivateText description;
};

struct FoundInstance {
  std::string series, instance;
};

// As the server orders them; *more: there are more than `limit`. DataLoss: an answer that is none,
// one that comes again where the next page was asked for, or of another patient or study than was
// asked for (a server that ignores what it was asked).
Result<std::vector<FoundStudy>> SearchStudies(WebClient* client, const StudyFilter& filter,
                                              int64_t limit, bool* more);
Result<std::vector<FoundSeries>> SearchSeries(WebClient* client, const std::string& study);
// All instances of a study, or of one series of it (else empty); NotFound: none. ResourceExhausted:
// more than max_instances.
Result<std::vector<FoundInstance>> ListInstances(WebClient* client, const std::string& study,
                                                 const std::string& series, int64_t max_instances);

}  // namespace galen::dicomnet
