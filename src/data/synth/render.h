// Pages to pixels and to PDF, by cairo.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "data/synth/page_list.h"
#include "data/synth/transform.h"
#include "media/image/image.h"

namespace galen {

// Black on white. `to_pixels`: from points to pixels, affine. What lies outside of the page is
// white. ResourceExhausted: no memory for the picture.
Result<Image> RenderPage(const PageList& page, const Transform& to_pixels, int64_t width,
                         int64_t height, bool gray);

// All pages with their text as text.
Result<std::string> RenderPdf(const std::vector<PageList>& pages, const std::string& title);

// Pages that are pictures, as scanners write them: no text.
struct PdfPicture {
  double width = 0, height = 0;  // points
  int64_t pixel_width = 0, pixel_height = 0;
  std::vector<uint8_t> jpeg;
};
Result<std::string> PicturePdf(const std::vector<PdfPicture>& pictures, const std::string& title);

}  // namespace galen
