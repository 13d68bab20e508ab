#include "server/dicom/study_source.h"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcspchrs.h>

#include <optional>

#include "base/files.h"
#include "media/dicom/dicom_file.h"
#include "media/dicom/part10.h"
#include "media/image/png_writer.h"
#include "server/documents/media_folder.h"

namespace galen::server {
namespace {

constexpr dicom::Tag kCharacterSet = 0x00080005;
constexpr dicom::Tag kReferringPhysician = 0x00080090;
constexpr dicom::Tag kPatientSex = 0x00100040;
constexpr dicom::Tag kStudyId = 0x00200010;

// Texts of a data set as UTF-8. What its character set cannot say is left for who writes them.
class Utf8Texts {
 public:
  explicit Utf8Texts(const dicom::DataSet& data) : data_(data) {
    const std::string set = data.RawText(kCharacterSet);
    known_ = converter_.selectCharacterSet(OFString(set.data(), set.size())).good();
  }
  std::string operator()(dicom::Tag tag, const char* delimiters = "") {
    const std::string raw = data_.Text(tag);
    OFString converted;
    if (!known_ ||
        converter_.convertString(OFString(raw.data(), raw.size()), converted, delimiters).bad()) {
      return raw;
    }
    return {converted.data(), converted.size()};
  }

 private:
  const dicom::DataSet& data_;
  DcmSpecificCharacterSet converter_;
  bool known_ = false;
};

void ReadStudyHead(const dicom::DataSet& data, extract::SourceStudy* study) {
  Utf8Texts text(data);
  study->id = text(kStudyId);
  study->date = data.Text(dicom::kStudyDate);
  study->time = data.Text(dicom::kStudyTime);
  study->description = text(dicom::kStudyDescription);
  study->accession_number = text(dicom::kAccessionNumber);
  study->referring_physician = text(kReferringPhysician, "^=");
  study->patient_name = text(dicom::kPatientName, "^=");
  study->patient_id = text(dicom::kPatientId);
  study->patient_birth_date = data.Text(dicom::kPatientBirthDate);
  study->patient_sex = data.Text(kPatientSex);
}

DicomOptions FileOptions() {
  DicomOptions options;
  options.max_inflated_bytes = kMostUnpacked;
  options.max_frame_bytes = kMostFrame;
  return options;
}

class PagesReader {
 public:
  PagesReader(const ServerOptions& options, const dicomnet::Study& study)
      : options_(options), study_(study), head_(std::make_shared<extract::SourceStudy>()) {
    head_->uid = study.uid();
  }

  Result<StudyPages> Read() {
    for (const dicomnet::Study::File& file : study_.files()) RETURN_IF_ERROR(AddDocument(file));
    if (pages_.files.empty()) {
      for (const dicomnet::Study::File& file : study_.files()) RETURN_IF_ERROR(AddPictures(file));
    }
    if (pages_.files.empty())
      return InvalidArgument("the study holds neither a PDF document nor a picture");
    pages_.study = head_;
    return std::move(pages_);
  }

 private:
  // Errors name the instance: where the server keeps it is nobody's business.
  static Result<DicomFile> Open(const dicomnet::Study::File& file) {
    Result<DicomFile> opened = DicomFile::Open(file.path, FileOptions());
    if (opened.ok()) return opened;
    std::string text = opened.status().message();
    for (size_t at; (at = text.find(file.path)) != text.npos;)
      text.replace(at, file.path.size(), file.instance);
    return Status(opened.status().code(), text);
  }

  Status AddDocument(const dicomnet::Study::File& file) {
    ASSIGN_OR_RETURN(const DicomFile opened, Open(file));
    if (opened.info().document_type != "application/pdf") return OkStatus();
    ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, opened.ReadDocument());
    bytes_ += static_cast<int64_t>(bytes.size());  // inflated: a file of a deflated syntax is small
    if (bytes_ > options_.http.max_body_total) {
      return ResourceExhausted("the documents of the study are larger together than the " +
                               std::to_string(options_.http.max_body_total) +
                               " bytes that this server reads at a time");
    }
    pages_.files.push_back({file.instance + ".pdf", {bytes.begin(), bytes.end()}});
    return Use(file);
  }

  Status AddPictures(const dicomnet::Study::File& file) {
    ASSIGN_OR_RETURN(const DicomFile opened, Open(file));
    if (opened.frames() == 0) return OkStatus();
    const dicom::PixelFormat& format = opened.info().format;
    const int64_t frames = opened.frames();
    if (frames > options_.max_pages - static_cast<int64_t>(pages_.files.size())) {
      return ResourceExhausted("the study has more than the " + std::to_string(options_.max_pages) +
                               " pages that this server reads at a time");
    }
    pixels_ += static_cast<double>(format.rows) * static_cast<double>(format.columns) *
               static_cast<double>(frames);
    if (pixels_ > static_cast<double>(options_.max_image_pixels)) {
      return ResourceExhausted("the pictures of the study have more pixels together than the " +
                               std::to_string(options_.max_image_pixels) +
                               " that this server takes");
    }
    for (int64_t i = 0; i < frames; ++i) {
      ASSIGN_OR_RETURN(const Image image, opened.Render(i));
      ASSIGN_OR_RETURN(const std::vector<uint8_t> png, EncodePng(image));
      const std::string name =
          file.instance + (frames > 1 ? "-" + std::to_string(i + 1) : "") + ".png";
      pages_.files.push_back({name, {png.begin(), png.end()}});
    }
    return Use(file);
  }

  // The file's instance is evidence; the first one's head is the study's.
  Status Use(const dicomnet::Study::File& file) {
    ASSIGN_OR_RETURN(const std::shared_ptr<MappedFile> mapped, MappedFile::Open(file.path));
    DicomWarnings warnings;
    ASSIGN_OR_RETURN(const dicom::Part10 part10,
                     dicom::ParsePart10(mapped->bytes(), FileOptions(), &warnings));
    const dicom::DataSet& data = part10.data_set;
    if (head_->instances.empty()) ReadStudyHead(data, head_.get());
    head_->instances.push_back(
        {data.Text(dicom::kSeriesInstance), data.Text(dicom::kSopClass), file.instance});
    return OkStatus();
  }

  const ServerOptions& options_;
  const dicomnet::Study& study_;
  const std::shared_ptr<extract::SourceStudy> head_;
  StudyPages pages_;
  double pixels_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace

Result<StudyPages> PagesOfStudy(const ServerOptions& options, const dicomnet::Study& study) {
  return PagesReader(options, study).Read();
}

}  // namespace galen::server
