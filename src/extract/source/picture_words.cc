#include "extract/source/picture_words.h"

#include "extract/source/page_language.h"
#include "extract/source/tesseract.h"

namespace galen::extract {
namespace {

// A page that it cannot read is the page's fault; several in a row, up to its time limit each, are
// Tesseract's.
constexpr int kMostFailures = 3;

// all: the languages that it reads. *language: in which the words were read.
Result<std::vector<PageWord>> ReadInItsLanguage(const Image& image, const std::string& all,
                                                TesseractOptions options, std::string* language) {
  *language = options.languages = all.substr(0, all.find('+'));
  ASSIGN_OR_RETURN(std::vector<PageWord> words, ReadWithTesseract(image, options));
  if (words.empty() || *language == all) return words;
  const std::string spoken = PageLanguage(words, all);
  if (spoken == *language) return words;
  *language = options.languages = spoken.empty() ? all : spoken;
  return ReadWithTesseract(image, options);
}

}  // namespace

bool PictureWords::Ready(std::string* why) {
  if (options_.ocr == OcrUse::kNever) {
    *why = "Tesseract was not to be asked (ocr: never)";
    return false;
  }
  const std::lock_guard lock(mutex_);
  if (!asked_) {
    asked_ = true;
    const Result<std::string> languages = TesseractLanguages();
    if (languages.ok()) {
      languages_ = *languages;
    } else {
      why_ = languages.status().message();
      // Without Tesseract, pages are read without it: nothing to warn of.
      if (languages.status().code() != StatusCode::kNotFound) {
        warning_ = why_ + "; pages without a text layer are not compared";
      }
    }
  }
  if (languages_.empty()) *why = why_;
  return !languages_.empty();
}

Status PictureWords::Read(const Image& image, std::vector<PageWord>* words, std::string* language) {
  const std::string all = languages();
  if (all.empty()) {  // given up by another page since it was asked for this one
    const std::lock_guard lock(mutex_);
    return DataLoss(why_);
  }
  TesseractOptions options;
  options.cancelled = options_.cancelled;
  Result<std::vector<PageWord>> read = ReadInItsLanguage(image, all, options, language);
  if (!read.ok()) language->clear();
  const std::lock_guard lock(mutex_);
  if (read.ok()) {
    failures_ = 0;
    *words = *std::move(read);
    return OkStatus();
  }
  if (++failures_ == kMostFailures) {
    languages_.clear();
    why_ = "Tesseract failed on " + std::to_string(kMostFailures) + " pages in a row";
    warning_ = why_ + "; the pages after them were not given to it";
  }
  return read.status();
}

}  // namespace galen::extract
