// Files to one case: pages in order, words now, pictures when asked for, so that a case of 300
// pages holds one picture at a time, or one for each thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "extract/source/page.h"
#include "media/document/pdf.h"
#include "media/image/decode.h"
#include "media/image/image.h"

namespace galen::extract {

enum class OcrUse : uint8_t { kAuto, kNever, kAlways };

struct CaseOptions {
  std::string pages;           // of PDF files and TIFFs, as ParsePageRange; empty: all
  double dpi = 200;            // at which pages are drawn for models and for Tesseract
  int64_t max_pages = 500;     // of the whole case
  OcrUse ocr = OcrUse::kAuto;  // Tesseract: for pages without text where it is installed, or never,
                               // or for these as a must
  PdfLimits pdf;
  DecodeOptions image;  // of pictures; the frame is the case's own
  // Pages whose words are read at once; each holds a picture, and is a child process for a while.
  int threads = 1;
  std::function<void(int64_t done, int64_t total)> progress;  // pages; one call at a time
  std::function<bool()> cancelled;                            // by any of the threads
};

// A file that is in memory; the name is used in messages and as evidence's file, never opened.
struct NamedBytes {
  std::string name;
  std::string bytes;
};

class PictureWords;

class Case {
 public:
  // Fails if a file cannot be read or is neither PDF nor picture, or if there are too many pages.
  static Result<Case> Open(std::span<const std::string> files, const CaseOptions& options);
  static Result<Case> FromBytes(std::vector<NamedBytes> files, const CaseOptions& options);

  const std::vector<SourcePage>& pages() const { return pages_; }
  const std::vector<std::string>& warnings() const { return warnings_; }
  // SHA-256 of each file, in the order given.
  struct File {
    std::string path, sha256, type;
    int64_t bytes = 0;
  };
  const std::vector<File>& files() const { return files_; }
  bool has_words() const;
  // What Tesseract reads, as its -l takes it; empty where it was not needed or is not there.
  const std::string& ocr_languages() const { return ocr_languages_; }

  // RGB; pixels = units of the page * scale.
  struct Picture {
    Image image;
    double scale = 1;
  };
  Result<Picture> Draw(size_t page, double dpi) const;

 private:
  struct Place {
    std::shared_ptr<const PdfDocument> pdf;  // null: a picture
    std::shared_ptr<const std::string> bytes;
    int64_t frame = 0;
  };
  Status Add(NamedBytes file, const CaseOptions& options);
  Status ReadPages(const CaseOptions& options);
  Status AddPdf(const std::string& path, std::string bytes, const CaseOptions& options);
  Status AddPicture(const std::string& path, std::string bytes, const CaseOptions& options);
  Status CheckCount(size_t more, const CaseOptions& options) const;
  Status ReadWords(size_t page, const CaseOptions& options, PictureWords* reader,
                   std::vector<std::string>* warnings);

  std::vector<SourcePage> pages_;
  std::vector<Place> places_;
  std::vector<File> files_;
  std::vector<std::string> warnings_;
  std::string ocr_languages_;
  DecodeOptions decode_;
};

}  // namespace galen::extract
