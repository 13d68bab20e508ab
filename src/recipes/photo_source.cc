// Pictures and pages.
#include <algorithm>
#include <cstdio>

#include "base/files.h"
#include "media/document/page_range.h"
#include "recipes/sources.h"

namespace galen {
namespace {

SeenImage WholeImage(Image image, std::string source, const Recipe& recipe) {
  SeenImage seen;
  seen.to_source.source_width = image.width;
  seen.to_source.source_height = image.height;
  seen.image = ToRgb(std::move(image));
  seen.source = std::move(source);
  seen.recipe = recipe.Id();
  return seen;
}

constexpr std::string_view kDataUrl = "data:";

Result<std::vector<uint8_t>> ReadBytes(const std::string& path, size_t max_bytes) {
  if (path.starts_with(kDataUrl)) return DecodeDataUrl(path, max_bytes);
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, max_bytes));
  return std::vector<uint8_t>(bytes.begin(), bytes.end());
}

// The pages of an image file (TIFF) or frames (GIF, WebP): those asked for, else the first.
Status AddImageFile(const MediaFile& file, const Recipe& recipe, const MediaOptions& options,
                    MediaInput* input) {
  const std::string name = file.path.starts_with(kDataUrl) ? "data URL" : file.path;
  ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadBytes(file.path, options.image.max_bytes));
  const Result<ImageInfo> info = ProbeImage(bytes);
  if (!info.ok()) return info.status().WithContext(name);
  std::vector<int64_t> pages = {1};
  if (!options.pages.empty()) {
    const int64_t most = options.max_images > 0 ? options.max_images : recipe.max_images;
    ASSIGN_OR_RETURN(pages, ParsePageRange(options.pages, info->frames, most));
  } else if (info->frames > 1) {
    input->warnings.push_back(name + ": the first of " + std::to_string(info->frames) +
                              " pages or frames is shown; --pages chooses others");
  }
  for (const int64_t page : pages) {
    DecodeOptions decode = options.image;
    decode.frame = page - 1;
    if (page == 1) {
      RETURN_IF_ERROR(CheckPixels(*input, info->width * info->height, options));
    }
    std::vector<std::string> warnings;
    Result<Image> image = DecodeImage(bytes, decode, &warnings);
    if (!image.ok()) return image.status().WithContext(name);
    RETURN_IF_ERROR(CheckPixels(*input, image->width * image->height, options));
    for (const std::string& text : warnings) input->warnings.push_back(text + " (" + name + ")");
    const std::string source = info->frames > 1 ? name + " page " + std::to_string(page) : name;
    input->images.push_back(WholeImage(*std::move(image), source, recipe));
  }
  return OkStatus();
}

}  // namespace

Status TooManyPixels(const MediaOptions& options) {
  return ResourceExhausted("the images have more than " + std::to_string(options.max_all_pixels) +
                           " pixels together: choose fewer slices, pages or images");
}

Status CheckPixels(const MediaInput& input, int64_t pixels, const MediaOptions& options) {
  for (const SeenImage& seen : input.images) pixels += seen.image.width * seen.image.height;
  return pixels > options.max_all_pixels ? TooManyPixels(options) : OkStatus();
}

std::string Millimetres(std::initializer_list<double> sizes) {
  std::string text;
  for (const double size : sizes) {
    char number[32];
    std::snprintf(number, sizeof(number), "%.4g", size);
    text += (text.empty() ? "" : " x ") + std::string(number);
  }
  return text + " mm";
}

Image ToRgb(Image image) {
  if (image.channels == 3) return image;
  std::vector<uint8_t> pixels(image.pixels.size() * 3);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = image.pixels[i / 3];
  image.pixels = std::move(pixels);
  image.channels = 3;
  return image;
}

Status AddPhoto(const MediaFile& file, const Recipe& recipe, const MediaOptions& options,
                MediaInput* input) {
  if (file.kind == MediaKind::kDicom) return AddDicomPhotos(file.path, recipe, options, input);
  if (file.kind == MediaKind::kPdf) return AddPages(file, recipe, options, input);
  if (file.kind != MediaKind::kImage) {
    return InvalidArgument("the recipe '" + recipe.name + "' takes pictures; " + file.path +
                           " is a " + std::string(MediaKindName(file.kind)));
  }
  return AddImageFile(file, recipe, options, input);
}

Status AddPages(const MediaFile& file, const Recipe& recipe, const MediaOptions& options,
                MediaInput* input) {
  if (file.kind == MediaKind::kImage || file.kind == MediaKind::kDicom) {
    return AddPhoto(file, recipe, options, input);  // a scan or a photograph of a page
  }
  if (file.kind != MediaKind::kPdf) {
    return InvalidArgument("the recipe '" + recipe.name + "' takes PDF files and pictures; " +
                           file.path + " is a " + std::string(MediaKindName(file.kind)));
  }
  ASSIGN_OR_RETURN(const PdfDocument pdf, PdfDocument::Open(file.path, options.pdf));
  const int64_t most = options.max_images > 0 ? options.max_images : recipe.max_images;
  ASSIGN_OR_RETURN(const std::vector<int64_t> pages,
                   ParsePageRange(options.pages, pdf.num_pages(), most));
  const double dpi = options.dpi > 0 ? options.dpi : recipe.dpi;
  for (const int64_t page : pages) {
    const std::string name = file.path + " page " + std::to_string(page);
    ASSIGN_OR_RETURN(PageImage drawn, pdf.Render(page, dpi));
    RETURN_IF_ERROR(CheckPixels(*input, drawn.image.width * drawn.image.height, options));
    if (drawn.lowered) {
      char text[64];
      std::snprintf(text, sizeof(text), "%.4g", drawn.dpi);
      input->warnings.push_back(name + ": drawn at " + text + " dpi to stay within " +
                                std::to_string(options.pdf.side) + " pixels a side");
    }
    input->images.push_back(WholeImage(std::move(drawn.image), name, recipe));
  }
  char text[64];
  std::snprintf(text, sizeof(text), "%.4g dpi", dpi);
  input->facts.emplace_back("resolution", text);
  input->facts.emplace_back(
      "pages", std::to_string(pages.size()) + " of " + std::to_string(pdf.num_pages()));
  if (pdf.copying_forbidden()) {
    input->warnings.push_back(file.path + ": its author forbids copying its text");
  }
  return OkStatus();
}

}  // namespace galen
