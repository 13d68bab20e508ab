#include "server/documents/slice_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cinttypes>
#include <cmath>
#include <cstdio>

namespace galen::server {
namespace {

constexpr double kFarthest = 1e6;  // millimetres; as frame_groups.cc
constexpr int64_t kLargest = int64_t{1} << 31;
constexpr size_t kDigits = 32;

std::string Hex(const Digest128& digest) {
  char text[kDigits + 1];
  std::snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64, digest.high, digest.low);
  return text;
}

bool ParseDigest(const std::string& text, Digest128* digest) {
  if (text.size() != kDigits) return false;
  const char* p = text.data();
  const auto high = std::from_chars(p, p + kDigits / 2, digest->high, 16);
  const auto low = std::from_chars(p + kDigits / 2, p + kDigits, digest->low, 16);
  return high.ptr == p + kDigits / 2 && low.ptr == p + kDigits;
}

Status ReadDigest(Fields* fields, std::string_view key, Digest128* digest, bool* given) {
  std::string text;
  RETURN_IF_ERROR(fields->String(key, &text));
  *given = fields->Any(key) != nullptr;
  if (*given && !ParseDigest(text, digest))
    return fields->Fail(key, "must be 32 hexadecimal digits");
  return OkStatus();
}

Status ReadInt(Fields* fields, std::string_view key, std::optional<int64_t>* value) {
  if (fields->Any(key) == nullptr) return OkStatus();
  int64_t number = 0;
  RETURN_IF_ERROR(fields->Int(key, -kLargest, kLargest, &number));
  *value = number;
  return OkStatus();
}

template <size_t n>
Status ReadNumbers(Fields* fields, std::string_view key, bool positive,
                   std::optional<std::array<double, n>>* values) {
  const OrderedJson* json = fields->Any(key);
  if (json == nullptr) return OkStatus();
  std::array<double, n> numbers;
  bool good = json->is_array() && json->size() == n;
  for (size_t i = 0; good && i < n; ++i) {
    good = (*json)[i].is_number();
    if (!good) break;
    numbers[i] = (*json)[i].template get<double>();
    good = std::fabs(numbers[i]) <= kFarthest && !(positive && numbers[i] <= 0);
  }
  if (!good) {
    return fields->Fail(key, "must be " + std::to_string(n) + (positive ? " positive" : "") +
                                 " numbers up to a million");
  }
  *values = numbers;
  return OkStatus();
}

}  // namespace

Json SliceHeaderJson(const DicomFile& file, int64_t frame) {
  const DicomInfo& info = file.info();
  const DicomIdentity& who = info.identity;
  const DicomGeometry geometry = file.Geometry(frame);
  return {{"series", Hex(who.study) + Hex(who.series)},
          {"patient_id", who.has_patient_id ? Json(Hex(who.patient_id)) : Json()},
          {"patient_name", who.has_patient_name ? Json(Hex(who.patient_name)) : Json()},
          {"instance", Hex(who.instance)},
          {"frame", frame},
          {"series_number", OrNull(info.series_number)},
          {"instance_number", OrNull(info.instance_number)},
          {"acquisition_number", OrNull(info.acquisition_number)},
          {"temporal_position", OrNull(geometry.temporal_position)},
          {"position", OrNull(geometry.position)},
          {"orientation", OrNull(geometry.orientation)},
          {"spacing", OrNull(geometry.spacing)},
          {"rows", info.format.rows},
          {"columns", info.format.columns}};
}

Status ReadSliceHeader(const OrderedJson& json, const std::string& where, std::string* failed,
                       PlacedSlice* slice) {
  Fields fields(json, where, failed);
  RETURN_IF_ERROR(fields.Check());
  dicom::SliceHeader& header = slice->header;
  RETURN_IF_ERROR(fields.String("series", &slice->series));
  Digest128 half;
  if (slice->series.size() != 2 * kDigits ||
      !ParseDigest(slice->series.substr(0, kDigits), &half) ||
      !ParseDigest(slice->series.substr(kDigits), &half))
    return fields.Fail("series", "must be 64 hexadecimal digits");
  bool instance = false;
  RETURN_IF_ERROR(ReadDigest(&fields, "patient_id", &slice->identity.patient_id,
                             &slice->identity.has_patient_id));
  RETURN_IF_ERROR(ReadDigest(&fields, "patient_name", &slice->identity.patient_name,
                             &slice->identity.has_patient_name));
  RETURN_IF_ERROR(ReadDigest(&fields, "instance", &header.instance, &instance));
  if (!instance) return fields.Fail("instance", "is missing");
  RETURN_IF_ERROR(fields.Int("frame", 0, kLargest, &header.slice.frame));
  RETURN_IF_ERROR(ReadInt(&fields, "series_number", &slice->series_number));
  RETURN_IF_ERROR(ReadInt(&fields, "instance_number", &header.slice.instance_number));
  RETURN_IF_ERROR(ReadInt(&fields, "acquisition_number", &header.acquisition_number));
  RETURN_IF_ERROR(ReadInt(&fields, "temporal_position", &header.geometry.temporal_position));
  RETURN_IF_ERROR(ReadNumbers(&fields, "position", false, &header.geometry.position));
  RETURN_IF_ERROR(ReadNumbers(&fields, "orientation", false, &header.geometry.orientation));
  RETURN_IF_ERROR(ReadNumbers(&fields, "spacing", true, &header.geometry.spacing));
  RETURN_IF_ERROR(fields.Int("rows", 0, kLargest, &header.rows));
  RETURN_IF_ERROR(fields.Int("columns", 0, kLargest, &header.columns));
  return fields.Finish();
}

}  // namespace galen::server
