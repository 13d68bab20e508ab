// The fields of /extract.
#pragma once

#include <string>

#include "extract/extraction.h"
#include "server/documents/upload.h"

namespace galen::server {

struct ExtractCall {
  std::string model, second_model;
  extract::ExtractOptions options;  // without callbacks
  extract::CaseOptions source;
  std::string format = "json";
  bool pictures = false;  // "pages": the pages' pictures beside the answer
  // A title of --dicom-send-to, or dicomweb:NAME: the report goes there, too, as SR.
  std::string send_to;
  bool stream = false;
  int64_t max_tokens = 0;
};

// 422 for what is wrong.
bool ReadExtractCall(const Services& services, const Upload& upload, ExtractCall* call,
                     ApiError* error);

// What reads: the model that the call names; else one that reads lines of documents of the kind
// asked for, and without one the only model. False: as FindNamedModel.
bool FindReader(const Services& services, const ExtractCall& call, ModelRef* info, ApiError* error);

// Of a form's texts, those that are something else.
std::span<const FormField> ExtractFormFields();

}  // namespace galen::server
