// What tells the place of a slice in its series, as JSON: /pixels gives it with each slice, the
// client collects it over its requests, /pixels/order sorts by it.
#pragma once

#include <optional>
#include <string>

#include "base/json.h"
#include "media/dicom/dicom_file.h"
#include "media/dicom/series_order.h"
#include "server/api/fields.h"

namespace galen::server {

struct PlacedSlice {
  std::string series;  // equal: the same series; a digest that means nothing outside this process
  std::optional<int64_t> series_number;
  DicomIdentity identity;  // digests of the patient and the instance alone
  dicom::SliceHeader header;
};

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json SliceHeaderJson(const DicomFile& file, int64_t frame);

// InvalidArgument naming the field.
Status ReadSliceHeader(const OrderedJson& json, const std::string& where, std::string* failed,
                       PlacedSlice* slice);

}  // namespace galen::server
