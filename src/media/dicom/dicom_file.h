// DICOM files: header, frames one by one, picture, physical values.
//
//   ASSIGN_OR_RETURN(const DicomFile file, DicomFile::Open(path));
//   ASSIGN_OR_RETURN(const Image image, file.Render(0));
//
// A DicomFile is immutable, cheap to copy, and every method may be called from several threads at
// once. The file stays mapped; only frames that are asked for are decoded.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "media/dicom/dicom_info.h"
#include "media/dicom/frame_groups.h"
#include "media/dicom/options.h"
#include "media/dicom/render.h"
#include "media/dicom/slide_tiles.h"
#include "media/dicom/stored_frame.h"
#include "media/image/image.h"

namespace galen {

namespace dicom {
struct ParsedFile;
}

class DicomFile {
 public:
  // kInvalidArgument: not DICOM. kDataLoss: DICOM, but broken. kUnsupported: a transfer syntax that
  // galen does not read. kResourceExhausted: above a limit of the options. Objects without pixels
  // (reports, documents) open too.
  static Result<DicomFile> Open(const std::string& path, const DicomOptions& options = {});
  static Result<DicomFile> Parse(std::vector<uint8_t> bytes, const DicomOptions& options = {});
  static Result<DicomFile> Parse(std::shared_ptr<const std::vector<uint8_t>> bytes,
                                 const DicomOptions& options = {});

  const DicomInfo& info() const;
  const DicomWarnings& warnings() const;  // of opening
  int64_t frames() const;                 // 0 for an object without pixels

  // Stored values of frame i, as pydicom's pixel_array(raw=True) has them.
  Result<StoredFrame> ReadFrame(int64_t i) const;
  // The picture: grey (1 channel) or RGB. `report` says how it was made.
  Result<Image> Render(int64_t i, const RenderOptions& options = {},
                       RenderReport* report = nullptr) const;
  // Stored values through the modality LUT, e.g. Hounsfield units; [rows, columns]. Grey images
  // only.
  Result<std::vector<float>> ReadPhysical(int64_t i) const;
  // "HU", "OD", ...; empty where the file names none.
  std::string PhysicalUnit(int64_t i = 0) const;

  // Place and size of frame i; what the file does not say, or says wrongly, is absent.
  DicomGeometry Geometry(int64_t i = 0, DicomWarnings* warnings = nullptr) const;
  // Tiles of a whole slide; kNotFound for other images.
  Result<DicomTiling> Tiling() const;
  // The bytes of an encapsulated document (PDF, CDA, STL, ...); see info().document_type.
  Result<std::vector<uint8_t>> ReadDocument() const;

  // For the folder of the reader itself.
  const dicom::ParsedFile& parsed() const { return *parsed_; }

 private:
  explicit DicomFile(std::shared_ptr<const dicom::ParsedFile> parsed)
      : parsed_(std::move(parsed)) {}
  std::shared_ptr<const dicom::ParsedFile> parsed_;
};

}  // namespace galen
