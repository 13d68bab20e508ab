// PDF files through poppler's tools, run as children under limits (base/child.h): a hostile file is
// parsed in another process, and galen links no GPL code. One child per question, so that a bad
// page costs that page only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/child.h"
#include "base/status.h"
#include "media/document/text_layer.h"
#include "media/image/image.h"

namespace galen {

struct PdfLimits {
  size_t file_bytes = size_t{100} << 20;
  int64_t side = 4096;  // pixels of a page's longer side; the resolution is lowered to it
  size_t words = 100000;
  double seconds = 20;                    // each child
  size_t memory_bytes = size_t{1} << 30;  // each child
};

struct PageSize {
  double width = 0;  // points (1/72 inch) of the page as it is shown: crop box, turned
  double height = 0;
};

struct PageImage {
  Image image;
  double dpi = 0;        // pixels = points * dpi / 72, from the page's top left corner
  bool lowered = false;  // below what was asked for, to respect the limit of the side
};

class PdfDocument {
 public:
  // Fails if the file is no PDF, is damaged beyond repair, needs a password, has no page, or breaks
  // a limit.
  static Result<PdfDocument> Open(const std::string& path, const PdfLimits& limits = {});
  // `name` is used in messages only.
  static Result<PdfDocument> FromBytes(std::string bytes, std::string name,
                                       const PdfLimits& limits = {});

  const std::string& name() const { return name_; }
  const std::string& bytes() const { return bytes_; }
  int64_t num_pages() const { return num_pages_; }
  // The author allows viewing, but not copying (an encrypted file that opens without a password).
  bool copying_forbidden() const { return copying_forbidden_; }

  // Pages count from 1.
  Result<PageSize> Size(int64_t page) const;
  // RGB on white, at `dpi` or at what the limit of the side leaves of it.
  Result<PageImage> Render(int64_t page, double dpi) const;
  // Empty for a page without a text layer, such as a scan.
  Result<std::vector<PageWord>> Words(int64_t page) const;

 private:
  PdfDocument() = default;
  Result<std::string> RunTool(std::vector<std::string> argv, size_t max_output) const;
  Status CheckPage(int64_t page) const;

  std::string bytes_;
  std::string name_;
  PdfLimits limits_;
  int64_t num_pages_ = 0;
  bool copying_forbidden_ = false;
};

}  // namespace galen
