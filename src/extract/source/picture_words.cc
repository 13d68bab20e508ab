#include "extract/source/picture_words.h"

#include "extract/source/page_language.h"
#include "extract/source/tesseract.h"

namespace galen::extract {
namespace {

// A page that it cannot read is the page's fault; several in a row, up to its time limit each, are
// Tesseract's.
constexpr int kMostFailures = 3;

// A page as it was read in the end.
struct Reading {
  std::vector<PageWord> words;
  std::string language;  // in which they were read
  Status again;          // of the second reading, if there was one; the words are the first's then
};

// all: the languages that it reads. A cancelled reading has no words, whichever of the two it was.
Result<Reading> ReadInItsLanguage(const Image& image, const std::string& all,
                                  TesseractOptions options) {
  Reading reading;
  reading.language = options.languages = all.substr(0, all.find('+'));
  ASSIGN_OR_RETURN(reading.words, ReadWithTesseract(image, options));
  if (reading.words.empty() || reading.language == all) return reading;
  const std::string spoken = PageLanguage(reading.words, all);
  if (spoken == reading.language) return reading;
  options.languages = spoken.empty() ? all : spoken;
  Result<std::vector<PageWord>> words = ReadWithTesseract(image, options);
  if (words.ok()) {
    reading.words = *std::move(words);
    reading.language = options.languages;
  } else if (words.status().code() == StatusCode::kCancelled) {
    return words.status();
  } else {
    reading.again = words.status().WithContext("read as " + reading.language + ", not again as " +
                                               options.languages);
  }
  return reading;
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

Status PictureWords::Read(const Image& image, std::vector<PageWord>* words, std::string* language,
                          std::string* warning) {
  const std::string all = languages();
  if (all.empty()) {  // given up by another page since it was asked for this one
    const std::lock_guard lock(mutex_);
    return DataLoss(why_);
  }
  TesseractOptions options;
  options.cancelled = options_.cancelled;
  Result<Reading> read = ReadInItsLanguage(image, all, options);
  const std::lock_guard lock(mutex_);
  if (read.ok()) {
    *words = std::move(read->words);
    *language = std::move(read->language);
    failures_ = 0;
    if (read->again.ok()) {
      second_failures_ = 0;
      return OkStatus();
    }
    *warning = read->again.message();
    if (++second_failures_ == kMostFailures) {
      languages_ = *language;
      warning_ = "Tesseract failed on " + std::to_string(kMostFailures) +
                 " pages in a row in their own language; those after them were read as " +
                 languages_;
    }
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
