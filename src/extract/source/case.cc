#include "extract/source/case.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <mutex>

#include "base/files.h"
#include "base/on_threads.h"
#include "base/sha256.h"
#include "extract/source/picture_words.h"
#include "media/document/page_range.h"
#include "media/document/straighten.h"
#include "media/image/decode.h"
#include "recipes/files.h"
#include "recipes/sources.h"

namespace galen::extract {
namespace {

std::span<const uint8_t> Bytes(const std::string& s) {
  return {reinterpret_cast<const uint8_t*>(s.data()), s.size()};
}

std::string PageName(const SourcePage& page) {
  return page.file + " page " + std::to_string(page.number);
}

}  // namespace

bool Case::has_words() const {
  return std::any_of(pages_.begin(), pages_.end(),
                     [](const SourcePage& page) { return !page.words.empty(); });
}

Status Case::CheckCount(size_t more, const CaseOptions& options) const {
  if (pages_.size() + more <= static_cast<size_t>(options.max_pages)) return OkStatus();
  return ResourceExhausted("more than " + std::to_string(options.max_pages) +
                           " pages; --pages chooses some of them, --max-pages allows more");
}

Status Case::AddPdf(const std::string& path, std::string bytes, const CaseOptions& options) {
  ASSIGN_OR_RETURN(PdfDocument document,
                   PdfDocument::FromBytes(std::move(bytes), path, options.pdf));
  const auto pdf = std::make_shared<const PdfDocument>(std::move(document));
  ASSIGN_OR_RETURN(const std::vector<int64_t> numbers,
                   ParsePageRange(options.pages, pdf->num_pages(), options.max_pages));
  RETURN_IF_ERROR(CheckCount(numbers.size(), options));
  if (pdf->copying_forbidden()) warnings_.push_back(path + ": its author forbids copying its text");
  for (const int64_t number : numbers) {
    SourcePage page;
    page.file = path;
    page.number = number;
    pages_.push_back(std::move(page));
    places_.push_back({pdf, nullptr, 0});
  }
  return OkStatus();
}

Status Case::AddPicture(const std::string& path, std::string bytes, const CaseOptions& options) {
  const auto shared = std::make_shared<const std::string>(std::move(bytes));
  const Result<ImageInfo> info = ProbeImage(Bytes(*shared));
  if (!info.ok()) return info.status().WithContext(path);
  // The pages of a TIFF are pages; frames of an animation are not.
  const int64_t frames = info->format == ImageFormat::kTiff ? info->frames : 1;
  ASSIGN_OR_RETURN(const std::vector<int64_t> numbers,
                   ParsePageRange(frames > 1 ? options.pages : "", frames, options.max_pages));
  RETURN_IF_ERROR(CheckCount(numbers.size(), options));
  for (const int64_t number : numbers) {
    SourcePage page;
    page.file = path;
    page.number = number;
    pages_.push_back(std::move(page));
    places_.push_back({nullptr, shared, number - 1});
  }
  return OkStatus();
}

Result<Case::Picture> Case::Draw(size_t page, double dpi) const {
  const Place& place = places_[page];
  Picture picture;
  if (place.pdf != nullptr) {
    ASSIGN_OR_RETURN(PageImage drawn, place.pdf->Render(pages_[page].number, dpi));
    picture.image = std::move(drawn.image);
    picture.scale = drawn.dpi / 72;
    return picture;
  }
  DecodeOptions decode = decode_;
  decode.frame = place.frame;
  Result<Image> image = DecodeImage(Bytes(*place.bytes), decode);
  if (!image.ok()) return image.status().WithContext(PageName(pages_[page]));
  picture.image = ToRgb(*std::move(image));
  return picture;
}

Status Case::ReadWords(size_t index, const CaseOptions& options, PictureWords* reader,
                       std::vector<std::string>* warnings) {
  SourcePage& page = pages_[index];
  const Place& place = places_[index];
  const bool picture = place.pdf == nullptr;
  if (!picture) {
    ASSIGN_OR_RETURN(const PageSize size, place.pdf->Size(page.number));
    page.width = size.width;
    page.height = size.height;
    ASSIGN_OR_RETURN(page.words, place.pdf->Words(page.number));
    if (!page.words.empty()) page.word_source = WordSource::kTextLayer;
  }
  const bool wanted = page.words.empty() && reader->Ready(&page.no_words);
  if (page.words.empty() && options.ocr == OcrUse::kAlways && !wanted) {
    return NotFound(page.no_words).WithContext(PageName(page));
  }
  if (wanted || picture) {
    ASSIGN_OR_RETURN(Picture drawn, Draw(index, options.dpi));
    if (picture) {
      page.width = static_cast<double>(drawn.image.width);
      page.height = static_cast<double>(drawn.image.height);
    }
    if (wanted) {
      // Tesseract is given a level page: it takes a row that climbs for one of the next.
      ASSIGN_OR_RETURN(const StraightPage straight, Straighten(std::move(drawn.image)));
      std::string warning;
      const Status read = reader->Read(straight.image, &page.words, &page.ocr_language, &warning);
      if (!warning.empty()) warnings->push_back(PageName(page) + ": " + warning);
      if (!read.ok()) {
        const bool ends = options.ocr == OcrUse::kAlways || read.code() == StatusCode::kCancelled;
        if (ends) return read.WithContext(PageName(page));
        page.no_words = read.message();
        warnings->push_back(PageName(page) + ": " + read.message());
      }
      if (!straight.slope.level()) {
        page.slope = straight.slope.Scaled(1 / drawn.scale);
        for (const PageWord& word : page.words) {
          page.shown.push_back(straight.Askew(word.box).Scaled(1 / drawn.scale));
        }
      }
    }
    for (PageWord& word : page.words) word.box = word.box.Scaled(1 / drawn.scale);
    if (!page.words.empty()) page.word_source = WordSource::kTesseract;
  }
  if (page.shown.empty()) page.MakeLevel();
  return OkStatus();
}

Status Case::Add(NamedBytes file, const CaseOptions& options) {
  const MediaKind kind = DetectKind(file.name, file.bytes);
  if (kind != MediaKind::kPdf && kind != MediaKind::kImage) {
    return InvalidArgument(file.name + " is a " + std::string(MediaKindName(kind)) +
                           "; documents are PDF files and pictures");
  }
  if (file.bytes.empty()) return DataLoss(file.name + " is empty");
  files_.push_back({file.name, Sha256Hex(Bytes(file.bytes)),
                    kind == MediaKind::kPdf ? "pdf" : "image",
                    static_cast<int64_t>(file.bytes.size())});
  return kind == MediaKind::kPdf ? AddPdf(file.name, std::move(file.bytes), options)
                                 : AddPicture(file.name, std::move(file.bytes), options);
}

Status Case::ReadPages(const CaseOptions& options) {
  const auto total = static_cast<int64_t>(pages_.size());
  PictureWords reader(options);
  struct Read {
    Status status;
    std::vector<std::string> warnings;
  };
  std::vector<Read> read(pages_.size());
  std::mutex told;
  int64_t done = 0;
  std::atomic<bool> failed{false};
  OnThreads(pages_.size(), options.threads, [&](size_t i) {
    if (failed) return;
    try {
      read[i].status = options.cancelled && options.cancelled()
                           ? Cancelled("reading was stopped")
                           : ReadWords(i, options, &reader, &read[i].warnings);
    } catch (const std::exception& error) {  // a bug of ours, on whatever thread
      read[i].status = IoError(error.what());
    }
    if (!read[i].status.ok()) failed = true;
    const std::lock_guard lock(told);
    if (options.progress) options.progress(++done, total);
  });
  for (Read& page : read) {
    RETURN_IF_ERROR(page.status);  // of the first that failed
    std::move(page.warnings.begin(), page.warnings.end(), std::back_inserter(warnings_));
  }
  ocr_languages_ = reader.languages();
  if (!reader.warning().empty()) warnings_.push_back(reader.warning());
  return OkStatus();
}

Result<Case> Case::FromBytes(std::vector<NamedBytes> files, const CaseOptions& options) {
  if (files.empty()) return InvalidArgument("no file was given");
  Case opened;
  opened.decode_ = options.image;
  for (NamedBytes& file : files) RETURN_IF_ERROR(opened.Add(std::move(file), options));
  RETURN_IF_ERROR(opened.ReadPages(options));
  return opened;
}

Result<Case> Case::Open(std::span<const std::string> files, const CaseOptions& options) {
  std::vector<NamedBytes> read;
  for (const std::string& path : files) {
    // Before it is read: what else it may be can be large, or a folder.
    ASSIGN_OR_RETURN(const MediaKind kind, DetectKind(path));
    if (kind != MediaKind::kPdf && kind != MediaKind::kImage) {
      return InvalidArgument(path + " is a " + std::string(MediaKindName(kind)) +
                             "; documents are PDF files and pictures");
    }
    ASSIGN_OR_RETURN(std::string bytes, ReadFile(path, options.pdf.file_bytes));
    read.push_back({path, std::move(bytes)});
  }
  return FromBytes(std::move(read), options);
}

}  // namespace galen::extract
