#include "media/dicom/dicom_file.h"

#include "media/dicom/decode_frame.h"
#include "media/dicom/native_pixels.h"
#include "media/dicom/parsed_file.h"

namespace galen {

using dicom::ParsedFile;

Result<DicomFile> DicomFile::Open(const std::string& path, const DicomOptions& options) {
  ASSIGN_OR_RETURN(std::shared_ptr<MappedFile> mapped, MappedFile::Open(path));
  auto parsed = std::make_shared<ParsedFile>();
  parsed->mapped = std::move(mapped);
  if (Status status = ParseInto(parsed->mapped->bytes(), options, parsed.get()); !status.ok())
    return status.WithContext(path);
  return DicomFile(std::move(parsed));
}

Result<DicomFile> DicomFile::Parse(std::vector<uint8_t> bytes, const DicomOptions& options) {
  return Parse(std::make_shared<const std::vector<uint8_t>>(std::move(bytes)), options);
}

Result<DicomFile> DicomFile::Parse(std::shared_ptr<const std::vector<uint8_t>> bytes,
                                   const DicomOptions& options) {
  auto parsed = std::make_shared<ParsedFile>();
  parsed->memory = std::move(bytes);
  RETURN_IF_ERROR(ParseInto(*parsed->memory, options, parsed.get()));
  return DicomFile(std::move(parsed));
}

const DicomInfo& DicomFile::info() const { return parsed_->info; }
const DicomWarnings& DicomFile::warnings() const { return parsed_->warnings; }
int64_t DicomFile::frames() const { return info().has_pixels ? info().format.frames : 0; }

Result<StoredFrame> DicomFile::ReadFrame(int64_t i) const {
  if (!info().has_pixels) return NotFound("DICOM object without pixel data");
  if (i < 0 || i >= frames()) {
    return InvalidArgument("frame " + std::to_string(i) + " was asked for, the image has " +
                           std::to_string(frames()));
  }
  const dicom::PixelFormat& format = info().format;
  const dicom::TransferSyntax& syntax = *parsed_->part10.syntax;
  const dicom::Element& pixels = *dicom::FindPixels(parsed_->data_set());
  if (!syntax.encapsulated) {
    ASSIGN_OR_RETURN(std::vector<uint8_t> bytes,
                     dicom::DecodeNative(pixels.value, i, format, parsed_->data_set().big_endian(),
                                         pixels.vr == dicom::Vr('O', 'W')));
    return dicom::FinishNative(std::move(bytes), format);
  }
  if (syntax.codec == dicom::PixelCodec::kUnsupported) {
    return Unsupported("galen does not read pixels in " + std::string(syntax.name));
  }
  const Result<dicom::FrameIndex>& index = parsed_->Fragments();
  if (!index.ok()) return index.status();
  std::vector<uint8_t> buffer;
  ASSIGN_OR_RETURN(const std::span<const uint8_t> bytes, index->Frame(i, &buffer));
  Result<StoredFrame> frame = dicom::DecodeCompressed(bytes, syntax.codec, format);
  if (!frame.ok()) return frame.status().WithContext("frame " + std::to_string(i));
  return frame;
}

Result<Image> DicomFile::Render(int64_t i, const RenderOptions& options,
                                RenderReport* report) const {
  ASSIGN_OR_RETURN(const StoredFrame frame, ReadFrame(i));
  RenderReport ignored;
  return dicom::RenderFrame(frame, parsed_->data_set(), i, options,
                            report == nullptr ? &ignored : report);
}

Result<std::vector<float>> DicomFile::ReadPhysical(int64_t i) const {
  ASSIGN_OR_RETURN(const StoredFrame frame, ReadFrame(i));
  if (frame.samples != 1 || frame.photometric == "PALETTE COLOR")
    return InvalidArgument("a colour image has no physical values");
  DicomWarnings ignored;
  const dicom::ModalityTransform modality =
      dicom::ReadModality(dicom::GroupOrTop(parsed_->data_set(), i, dicom::kValueTransformations),
                          info().format.is_signed, &ignored);
  return dicom::MapSamples<float>(
      frame, [&](double stored) { return static_cast<float>(modality(stored)); });
}

std::string DicomFile::PhysicalUnit(int64_t i) const {
  return dicom::GroupOrTop(parsed_->data_set(), i, dicom::kValueTransformations)
      .Text(dicom::kRescaleType);
}

DicomGeometry DicomFile::Geometry(int64_t i, DicomWarnings* warnings) const {
  DicomWarnings ignored;
  return dicom::ReadGeometry(parsed_->data_set(), i, warnings == nullptr ? &ignored : warnings);
}

Result<DicomTiling> DicomFile::Tiling() const {
  if (!info().has_pixels) return NotFound("DICOM object without pixel data");
  return dicom::ReadTiling(parsed_->data_set(), info().format);
}

Result<std::vector<uint8_t>> DicomFile::ReadDocument() const {
  const dicom::Element* document = parsed_->data_set().Find(dicom::kDocument);
  if (document == nullptr) return NotFound("DICOM object without an encapsulated document");
  std::span<const uint8_t> bytes = document->value;
  // The value is padded to an even length; newer objects state the true one.
  const std::optional<int64_t> length =
      parsed_->data_set().Integer(dicom::kDocumentLength, dicom::Vr('U', 'L'));
  if (length && *length >= 0 && static_cast<size_t>(*length) <= bytes.size())
    bytes = bytes.first(static_cast<size_t>(*length));
  return std::vector<uint8_t>(bytes.begin(), bytes.end());
}

}  // namespace galen
