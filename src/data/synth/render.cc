#include "data/synth/render.h"

#include <cairo-pdf.h>
#include <cairo.h>
#include <pango/pangocairo.h>

#include <memory>
#include <new>
#include <numbers>

namespace galen {
namespace {

struct DestroySurface {
  void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
};
using Surface = std::unique_ptr<cairo_surface_t, DestroySurface>;
struct DestroyPen {
  void operator()(cairo_t* pen) const { cairo_destroy(pen); }
};
using Pen = std::unique_ptr<cairo_t, DestroyPen>;

Status Check(cairo_status_t status, const std::string& what) {
  if (status == CAIRO_STATUS_SUCCESS) return OkStatus();
  return ResourceExhausted(what + ": " + cairo_status_to_string(status));
}

void SetColor(cairo_t* pen, const SynthColor& color, double opacity = 1) {
  cairo_set_source_rgba(pen, color.r, color.g, color.b, opacity);
}

void DrawStamp(cairo_t* pen, const StampItem& stamp) {
  PangoRectangle logical;
  pango_layout_get_extents(stamp.layout.get(), nullptr, &logical);
  const double width = static_cast<double>(logical.width) / PANGO_SCALE;
  const double height = static_cast<double>(logical.height) / PANGO_SCALE;
  const double pad = height * 0.35;
  cairo_save(pen);
  cairo_translate(pen, stamp.x, stamp.y);
  cairo_rotate(pen, stamp.angle);
  SetColor(pen, stamp.color, stamp.opacity);
  cairo_set_line_width(pen, height * 0.09);
  if (stamp.round) {
    cairo_save(pen);
    cairo_scale(pen, width * 0.65, width * 0.65);
    cairo_arc(pen, 0, 0, 1, 0, 2 * std::numbers::pi);
    cairo_restore(pen);
  } else {
    cairo_rectangle(pen, -width / 2 - pad, -height / 2 - pad * 0.6, width + 2 * pad,
                    height + pad * 1.2);
  }
  cairo_stroke(pen);
  cairo_move_to(pen, -width / 2, -height / 2);
  pango_cairo_show_layout(pen, stamp.layout.get());
  cairo_restore(pen);
}

void DrawPage(cairo_t* pen, const PageList& page) {
  for (const RectItem& rect : page.rects) {
    SetColor(pen, rect.color);
    cairo_rectangle(pen, rect.x, rect.y, rect.width, rect.height);
    if (rect.line > 0) {
      cairo_set_line_width(pen, rect.line);
      cairo_stroke(pen);
    } else {
      cairo_fill(pen);
    }
  }
  const double dots[] = {0.8, 2.2};
  for (const LineItem& line : page.lines) {
    SetColor(pen, line.color);
    cairo_set_line_width(pen, line.width);
    cairo_set_dash(pen, dots, line.dotted ? 2 : 0, 0);
    cairo_move_to(pen, line.x0, line.y0);
    cairo_line_to(pen, line.x1, line.y1);
    cairo_stroke(pen);
  }
  cairo_set_dash(pen, nullptr, 0, 0);
  for (const TextItem& text : page.texts) {
    SetColor(pen, text.color);
    cairo_move_to(pen, text.x, text.y);
    pango_cairo_show_layout(pen, text.layout.get());
  }
  for (const StrokeItem& stroke : page.strokes) {
    SetColor(pen, stroke.color);
    cairo_set_line_width(pen, stroke.width);
    const auto& p = stroke.points;
    cairo_move_to(pen, p[0].first, p[0].second);
    for (size_t i = 1; i + 2 < p.size(); i += 3) {
      cairo_curve_to(pen, p[i].first, p[i].second, p[i + 1].first, p[i + 1].second, p[i + 2].first,
                     p[i + 2].second);
    }
    cairo_stroke(pen);
  }
  for (const StampItem& stamp : page.stamps) DrawStamp(pen, stamp);
}

cairo_status_t Append(void* closure, const unsigned char* data, unsigned int size) {
  try {
    static_cast<std::string*>(closure)->append(reinterpret_cast<const char*>(data), size);
  } catch (const std::bad_alloc&) {
    return CAIRO_STATUS_NO_MEMORY;
  }
  return CAIRO_STATUS_SUCCESS;
}

Surface NewPdf(std::string* bytes, const std::string& title) {
  Surface surface(cairo_pdf_surface_create_for_stream(Append, bytes, 595, 842));
  cairo_pdf_surface_set_metadata(surface.get(), CAIRO_PDF_METADATA_TITLE, title.c_str());
  cairo_pdf_surface_set_metadata(surface.get(), CAIRO_PDF_METADATA_CREATOR, "galen data synth");
  // Not now: the same seed gives the same bytes.
  cairo_pdf_surface_set_metadata(surface.get(), CAIRO_PDF_METADATA_CREATE_DATE,
                                 "2025-01-01T00:00:00Z");
  return surface;
}

}  // namespace

Result<Image> RenderPage(const PageList& page, const Transform& to_pixels, int64_t width,
                         int64_t height, bool gray) {
  Surface surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, static_cast<int>(width),
                                             static_cast<int>(height)));
  RETURN_IF_ERROR(Check(cairo_surface_status(surface.get()), "a picture of the page"));
  {
    Pen pen(cairo_create(surface.get()));
    cairo_set_source_rgb(pen.get(), 1, 1, 1);
    cairo_paint(pen.get());
    const auto& m = to_pixels.m;
    cairo_matrix_t matrix;
    cairo_matrix_init(&matrix, m[0], m[3], m[1], m[4], m[2], m[5]);
    cairo_set_matrix(pen.get(), &matrix);
    DrawPage(pen.get(), page);
    RETURN_IF_ERROR(Check(cairo_status(pen.get()), "drawing a page"));
  }
  cairo_surface_flush(surface.get());
  const unsigned char* data = cairo_image_surface_get_data(surface.get());
  const int64_t stride = cairo_image_surface_get_stride(surface.get());
  Image image{width, height, gray ? 1 : 3, {}};
  image.pixels.resize(static_cast<size_t>(width * height * image.channels));
  for (int64_t y = 0; y < height; ++y) {
    const auto* from = reinterpret_cast<const uint32_t*>(data + y * stride);
    uint8_t* to = image.row(y);
    if (gray) {  // ITU-R BT.601, as Pillow
      for (int64_t x = 0; x < width; ++x) {
        const uint32_t p = from[x];
        to[x] = static_cast<uint8_t>(
            ((p >> 16 & 255) * 19595 + (p >> 8 & 255) * 38470 + (p & 255) * 7471 + 0x8000) >> 16);
      }
    } else {
      for (int64_t x = 0; x < width; ++x) {
        to[3 * x] = static_cast<uint8_t>(from[x] >> 16);
        to[3 * x + 1] = static_cast<uint8_t>(from[x] >> 8);
        to[3 * x + 2] = static_cast<uint8_t>(from[x]);
      }
    }
  }
  return image;
}

Result<std::string> RenderPdf(const std::vector<PageList>& pages, const std::string& title) {
  std::string bytes;
  Surface surface = NewPdf(&bytes, title);
  {
    Pen pen(cairo_create(surface.get()));
    for (const PageList& page : pages) {
      cairo_pdf_surface_set_size(surface.get(), page.width, page.height);
      DrawPage(pen.get(), page);
      cairo_show_page(pen.get());
    }
    RETURN_IF_ERROR(Check(cairo_status(pen.get()), "drawing a PDF"));
  }
  cairo_surface_finish(surface.get());
  RETURN_IF_ERROR(Check(cairo_surface_status(surface.get()), "writing a PDF"));
  return bytes;
}

Result<std::string> PicturePdf(const std::vector<PdfPicture>& pictures, const std::string& title) {
  std::string bytes;
  Surface surface = NewPdf(&bytes, title);
  {
    Pen pen(cairo_create(surface.get()));
    for (const PdfPicture& picture : pictures) {
      cairo_pdf_surface_set_size(surface.get(), picture.width, picture.height);
      // cairo wants pixels beside the JPEG, and writes the JPEG as it is.
      Surface image(cairo_image_surface_create(CAIRO_FORMAT_RGB24,
                                               static_cast<int>(picture.pixel_width),
                                               static_cast<int>(picture.pixel_height)));
      RETURN_IF_ERROR(
          Check(cairo_surface_set_mime_data(image.get(), CAIRO_MIME_TYPE_JPEG, picture.jpeg.data(),
                                            picture.jpeg.size(), nullptr, nullptr),
                "a picture in a PDF"));
      cairo_save(pen.get());
      cairo_scale(pen.get(), picture.width / static_cast<double>(picture.pixel_width),
                  picture.height / static_cast<double>(picture.pixel_height));
      cairo_set_source_surface(pen.get(), image.get(), 0, 0);
      cairo_paint(pen.get());
      cairo_restore(pen.get());
      cairo_show_page(pen.get());
    }
    RETURN_IF_ERROR(Check(cairo_status(pen.get()), "drawing a PDF"));
  }
  cairo_surface_finish(surface.get());
  RETURN_IF_ERROR(Check(cairo_surface_status(surface.get()), "writing a PDF"));
  return bytes;
}

}  // namespace galen
