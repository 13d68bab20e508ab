// Tesseract over the pages of one case: asked once what it can read, and left alone where it keeps
// failing. Thread-safe; Tesseract itself runs outside of the lock.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "extract/source/case.h"

namespace galen::extract {

class PictureWords {
 public:
  explicit PictureWords(const CaseOptions& options) : options_(options) {}

  // Pictures are to be read, and there is something that reads them; otherwise *why says why not.
  bool Ready(std::string* why);
  // Boxes in pixels. *language: what the page was read as in the end. A page is read as one
  // language, which takes Tesseract half of the time that three take: as the first of those that it
  // reads, and again if its words are another's; as all of them where that is not to be told. Fails
  // as ReadWithTesseract does; if only the second reading fails, unless it was cancelled, the page
  // keeps the words of the first and *warning says so.
  Status Read(const Image& image, std::vector<PageWord>* words, std::string* language,
              std::string* warning);
  // Those that it reads; empty: it does not read, or was not asked.
  std::string languages() const {
    const std::lock_guard lock(mutex_);
    return languages_;
  }
  // What the user should know about all pages: Tesseract is there and does not work. Else empty.
  const std::string& warning() const { return warning_; }

 private:
  const CaseOptions& options_;
  mutable std::mutex mutex_;
  bool asked_ = false;
  std::string languages_;  // empty: it does not read
  std::string why_;        // if it does not
  std::string warning_;
  int failures_ = 0;         // pages in a row
  int second_failures_ = 0;  // second readings in a row
};

}  // namespace galen::extract
