#include "server/documents/pixel_pack.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <span>
#include <vector>

#include "base/files.h"
#include "media/dicom/file_sources.h"
#include "media/dicom/frame_values.h"
#include "recipes/sources.h"
#include "server/api/write_json.h"
#include "server/documents/media_folder.h"
#include "server/documents/slice_header.h"
#include "server/documents/volume_values.h"

namespace galen::server {
namespace {

static_assert(std::endian::native == std::endian::little, "values are sent as they lie in memory");

constexpr size_t kMostBytes = size_t{32} << 20;  // of values, beyond the first frame
constexpr size_t kMostHeader = size_t{16} << 20;
constexpr size_t kMostSlicesPacked = 4096;
constexpr size_t kMostWindows = 64, kMostTables = 16;  // of one slice
constexpr size_t kBytesOfEntry = 6;                    // of a table, as JSON
constexpr int64_t kMostFailed = 100;                   // frames, before a request is given up
constexpr size_t kMostWarnings = 100;

template <typename T>
std::span<const T> First(const std::vector<T>& values, size_t most) {
  return std::span<const T>(values).first(std::min(values.size(), most));
}

const char* TypeName(SampleType type) {
  switch (type) {
    case SampleType::kUint8:
      return "uint8";
    case SampleType::kInt8:
      return "int8";
    case SampleType::kUint16:
      return "uint16";
    case SampleType::kInt16:
      return "int16";
    default:
      return "float32";
  }
}

const char* FunctionName(WindowFunction function) {
  switch (function) {
    case WindowFunction::kLinear:
      return "linear";
    case WindowFunction::kLinearExact:
      return "linear_exact";
    case WindowFunction::kSigmoid:
      break;
  }
  return "sigmoid";
}

class Packer {
 public:
  Packer(const ServerOptions& options, const MediaFolder& folder, int64_t from,
         const std::stop_token& stop)
      : options_(options), folder_(folder), from_(from), stop_(stop) {}

  Result<std::string> Pack() {
    const std::vector<MediaFile> files = folder_.Files(false);
    for (size_t k = 0; k < files.size(); ++k) {
      const Status status = AddFile(files[k], static_cast<int64_t>(k));
      if (status.code() == StatusCode::kCancelled) return status;
      if (!status.ok()) Failed(status);
    }
    if (slices_.empty() && from_ < std::max<int64_t>(count_, 1)) {
      return first_error_.ok() ? NotFound("these files hold no picture") : first_error_;
    }
    if (from_ >= count_) {
      return InvalidArgument("'from' is " + std::to_string(from_) + "; the files have " +
                             std::to_string(count_) + " frames");
    }
    const Json header = {{"frames", count_},
                         {"next", next_ < 0 ? Json() : Json(next_)},
                         {"slices", slices_},
                         {"tables", tables_},
                         {"warnings", warnings_}};
    return Joined(WriteJson(header));
  }

 private:
  std::string Joined(std::string header) const {
    header.append((8 - header.size() % 8) % 8, ' ');
    std::string bytes = "GPX1";
    bytes.reserve(8 + header.size() + data_.size());
    for (int shift = 0; shift < 32; shift += 8)
      bytes += static_cast<char>((header.size() >> shift) & 0xff);
    return bytes + header + data_;
  }

  void Warn(std::string text) {
    text = folder_.Named(std::move(text));
    if (warnings_.size() < kMostWarnings &&
        std::find(warnings_.begin(), warnings_.end(), Json(text)) == warnings_.end()) {
      warnings_.push_back(std::move(text));
    }
  }
  void Warn(const DicomWarnings& warnings) {
    for (const DicomWarning& warning : warnings) Warn(warning.text);
  }
  void Failed(const Status& status) {
    if (first_error_.ok()) first_error_ = folder_.Named(status);
    Warn(status.message());
  }

  // Whoever claims millions of frames and has none is not asked for each. left: frames of the file
  // that are passed over then.
  Status CheckFailed(int64_t left) {
    if (++failed_ <= kMostFailed) return OkStatus();
    count_ += left;
    return DataLoss("more than " + std::to_string(kMostFailed) + " frames cannot be read");
  }

  // Counts one more frame; whether it is to be read.
  bool Wanted() { return count_++ >= from_ && next_ < 0; }

  // False: there is no room for it, and `next` says so.
  bool Place(const std::vector<uint8_t>& values, Json slice) {
    const size_t header = WriteJson(slice).size();
    if (!slices_.empty() &&
        (data_.size() + values.size() > kMostBytes || slices_.size() >= kMostSlicesPacked ||
         header_bytes_ + header > kMostHeader)) {
      next_ = count_ - 1;
      return false;
    }
    header_bytes_ += header;
    data_.append((8 - data_.size() % 8) % 8, '\0');
    slice["offset"] = data_.size();
    data_.append(reinterpret_cast<const char*>(values.data()), values.size());
    slices_.push_back(std::move(slice));
    return true;
  }

  Status CheckSize(int64_t pixels) const {
    if (pixels <= options_.max_image_pixels) return OkStatus();
    return ResourceExhausted("a picture has " + std::to_string(pixels) +
                             " pixels; this server takes " +
                             std::to_string(options_.max_image_pixels));
  }

  Status AddFile(const MediaFile& file, int64_t k) {
    switch (file.kind) {
      case MediaKind::kDicom:
        return AddDicom(file.path, k);
      case MediaKind::kAuto:  // a TIFF
      case MediaKind::kImage:
        return AddPicture(file.path, k);
      case MediaKind::kVolume:
        return AddVolume(file.path, k);
      default:
        return InvalidArgument(file.path + " is a " + std::string(MediaKindName(file.kind)) +
                               "; pixels are given of DICOM files, volumes and pictures");
    }
  }

  Status AddPicture(const std::string& path, int64_t k) {
    ASSIGN_OR_RETURN(const std::string text,
                     ReadFile(path, static_cast<size_t>(options_.http.max_body_bytes)));
    const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(text.data()),
                                         text.size());
    const Result<ImageInfo> info = ProbeImage(bytes);
    if (!info.ok()) return info.status().WithContext(path);
    for (int64_t frame = 0; frame < info->frames; ++frame) {
      if (!Wanted()) continue;
      if (stop_.stop_requested()) return Cancelled("the request was cancelled");
      DecodeOptions decode;
      decode.max_pixels = options_.max_image_pixels;
      decode.frame = frame;
      std::vector<std::string> warnings;
      const Result<Image> image = DecodeImage(bytes, decode, &warnings);
      if (!image.ok()) {
        Failed(image.status().WithContext(path));
        RETURN_IF_ERROR(CheckFailed(info->frames - frame - 1));
        continue;
      }
      for (const std::string& warning : warnings) Warn(path + ": " + warning);
      Place(image->pixels, {{"file", k},
                            {"frame", frame},
                            {"kind", "picture"},
                            {"rows", image->height},
                            {"columns", image->width},
                            {"channels", image->channels},
                            {"type", "uint8"},
                            {"slope", 1},
                            {"intercept", 0},
                            {"range", {0, 255}}});
    }
    return OkStatus();
  }

  // Axial slices of each frame; the other planes are other cuts of the same values.
  Status AddVolume(const std::string& path, int64_t k) {
    ASSIGN_OR_RETURN(const Volume volume, Volume::Open(path, {kMostUnpacked, kMostUnpacked}));
    for (const std::string& warning : volume.warnings()) Warn(path + ": " + warning);
    const int64_t slices = volume.num_slices(Plane::kAxial);
    RETURN_IF_ERROR(CheckSize(volume.shape()[0] * volume.shape()[1]));
    ASSIGN_OR_RETURN(const VolumeSlice middle,
                     volume.Slice(Plane::kAxial, slices - 1 - slices / 2));
    const bool ct = LooksLikeCt(middle.values);
    if (ct) {
      Warn(path + ": NIfTI names no modality; values at or below -500 were taken for CT in HU");
    }
    for (int64_t i = 0; i < volume.frames() * slices; ++i) {
      if (!Wanted()) continue;
      if (stop_.stop_requested()) return Cancelled("the request was cancelled");
      ASSIGN_OR_RETURN(const VolumeValues values, ReadVolumeValues(volume, i % slices, i / slices));
      Place(values.data, {{"file", k},
                          {"frame", i},
                          {"kind", "volume"},
                          {"rows", values.rows},
                          {"columns", values.columns},
                          {"channels", 1},
                          {"type", TypeName(values.type)},
                          {"slope", values.slope},
                          {"intercept", values.intercept},
                          {"unit", ct ? "HU" : ""},
                          {"modality", ct ? "CT" : ""},
                          {"range", {values.low, values.high}},
                          {"spacing", values.spacing},
                          {"spacing_source", "NIfTI"},
                          {"slice", i % slices},
                          {"slice_spacing", volume.spacing_mm()[2]},
                          {"time_point", i / slices},
                          {"stored", volume.stored_orientation()}});
    }
    return OkStatus();
  }

  Status AddDicom(const std::string& path, int64_t k) {
    DicomSetOptions set;
    set.max_archive_bytes = set.file.max_inflated_bytes = kMostUnpacked;
    set.file.max_frame_bytes = kMostFrame;
    DicomWarnings warnings;
    ASSIGN_OR_RETURN(const std::vector<DicomSource> sources,
                     dicom::FindSources(path, set, &warnings));
    Warn(warnings);
    for (const DicomSource& source : sources) {
      const Result<DicomFile> file = source.bytes == nullptr
                                         ? DicomFile::Open(source.path, set.file)
                                         : DicomFile::Parse(source.bytes, set.file);
      if (!file.ok() && source.bytes != nullptr &&
          file.status().code() == StatusCode::kInvalidArgument)
        continue;  // an archive holds other files, too
      if (!file.ok()) {
        Failed(file.status());
        continue;
      }
      const Status status = AddFrames(*file, path, k);
      if (status.code() == StatusCode::kCancelled) return status;
      if (!status.ok()) Failed(status.WithContext(path));
    }
    return OkStatus();
  }

  Status AddFrames(const DicomFile& file, const std::string& path, int64_t k) {
    if (file.frames() == 0) {
      return NotFound(file.info().document_type.empty() ? "it holds no picture"
                                                        : "it holds a document, not a picture");
    }
    if (file.Tiling().ok()) {
      return Unsupported("it is a whole slide in tiles; the recipe for slides shows it");
    }
    RETURN_IF_ERROR(CheckSize(file.info().format.pixels()));
    for (const DicomWarning& warning : file.warnings()) Warn(path + ": " + warning.text);
    for (int64_t frame = 0; frame < file.frames(); ++frame) {
      if (!Wanted()) continue;
      if (stop_.stop_requested()) return Cancelled("the request was cancelled");
      const Result<FrameValues> values = ReadFrameValues(file, frame);
      if (!values.ok()) {
        Failed(values.status().WithContext(path));
        RETURN_IF_ERROR(CheckFailed(file.frames() - frame - 1));
        continue;
      }
      for (const DicomWarning& warning : values->warnings) Warn(path + ": " + warning.text);
      Place(values->data, DicomSliceJson(file, frame, *values, k));
    }
    return OkStatus();
  }

  Json DicomSliceJson(const DicomFile& file, int64_t frame, const FrameValues& values, int64_t k) {
    const DicomInfo& info = file.info();
    const DicomGeometry geometry = file.Geometry(frame);
    Json slice = {{"file", k},
                  {"frame", frame},
                  {"kind", "dicom"},
                  {"rows", values.rows},
                  {"columns", values.columns},
                  {"channels", values.channels},
                  {"type", TypeName(values.type)},
                  {"slope", values.slope},
                  {"intercept", values.intercept},
                  {"unit", values.unit},
                  {"inverted", values.inverted},
                  {"windows", Json::array()},
                  {"tables", Json::array()},
                  {"range", {values.range.low, values.range.high}},
                  {"spacing", OrNull(geometry.spacing)},
                  {"spacing_source", geometry.spacing_source},
                  {"thickness", OrNull(geometry.thickness)},
                  {"modality", info.modality},
                  {"body_part", info.body_part},
                  {"laterality", info.laterality},
                  {"view_position", info.view_position},
                  {"series_number", OrNull(info.series_number)},
                  {"lossy", info.lossy},
                  {"header", SliceHeaderJson(file, frame)}};
    if (values.windows.size() > kMostWindows || values.tables.size() > kMostTables) {
      Warn("a picture has more than " + std::to_string(kMostWindows) + " windows or " +
           std::to_string(kMostTables) + " tables; the first are given");
    }
    for (const DicomWindow& window : First(values.windows, kMostWindows)) {
      slice["windows"].push_back({{"center", window.center},
                                  {"width", window.width},
                                  {"function", FunctionName(window.function)}});
    }
    for (const dicom::LookupTable& table : First(values.tables, kMostTables)) {
      slice["tables"].push_back(TableNumber(table));
    }
    return slice;
  }

  // Slices of a series mostly share their tables.
  size_t TableNumber(const dicom::LookupTable& table) {
    const Json json = {{"first", table.first}, {"bits", table.bits}, {"entries", table.entries}};
    const auto known = std::find(tables_.begin(), tables_.end(), json);
    if (known != tables_.end()) return static_cast<size_t>(known - tables_.begin());
    header_bytes_ += kBytesOfEntry * table.entries.size();
    tables_.push_back(json);
    return tables_.size() - 1;
  }

  const ServerOptions& options_;
  const MediaFolder& folder_;
  const int64_t from_;
  const std::stop_token stop_;
  int64_t count_ = 0;  // frames seen so far
  int64_t next_ = -1;
  int64_t failed_ = 0;       // frames that could not be read
  size_t header_bytes_ = 0;  // of slices_ and tables_, about
  Status first_error_;
  Json slices_ = Json::array(), tables_ = Json::array(), warnings_ = Json::array();
  std::string data_;
};

}  // namespace

Result<std::string> PackPixels(const ServerOptions& options, const MediaFolder& folder,
                               int64_t from, const std::stop_token& stop) {
  return Packer(options, folder, from, stop).Pack();
}

}  // namespace galen::server
