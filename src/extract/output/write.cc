#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>

#include "base/base64.h"
#include "extract/output/output.h"
#include "media/image/png_writer.h"
#include "media/image/resize.h"

namespace galen::extract {
namespace {

std::tm Utc() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  return utc;
}

Image Fitted(Image image, int64_t side) {
  const int64_t longer = std::max(image.width, image.height);
  if (longer <= side) return image;
  const double scale = static_cast<double>(side) / static_cast<double>(longer);
  const auto scaled = [&](int64_t x) {
    return std::max<int64_t>(1, std::llround(static_cast<double>(x) * scale));
  };
  return Resize(image, scaled(image.width), scaled(image.height), Filter::kBilinear);
}

}  // namespace

CalendarDate Today() {
  const std::tm utc = Utc();
  return {utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday};
}

OutputOptions OutputNow(std::string version) {
  const std::tm utc = Utc();
  char time[32];
  std::strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return {std::move(version), time, nullptr};
}

Result<std::string> Write(const std::string& format, const Extraction& extraction,
                          const OutputOptions& options) {
  if (format == "json") return ToJson(extraction, options);
  if (format == "fhir") return ToFhir(extraction, options);
  if (format == "csv") return ToCsv(extraction);
  if (format == "html") return ToHtml(extraction, options);
  if (format == "text") return ToText(extraction);
  if (format == "sr") return ToSr(extraction, options);
  return InvalidArgument("there is no format '" + format +
                         "'; there are json, csv, fhir, html, text and sr");
}

Status AddPictures(const Extraction& extraction, const PictureOptions& options, Json* report) {
  const size_t pages = extraction.source->pages().size();
  for (size_t i = 0; i < pages; ++i) {
    Json& page = (*report)["pages"][i];
    page["page"] = i + 1;
    page["image"] = nullptr;
    if (static_cast<int64_t>(i) >= options.max_pictures) continue;
    ASSIGN_OR_RETURN(Case::Picture drawn, extraction.source->Draw(i, options.dpi));
    ASSIGN_OR_RETURN(const std::vector<uint8_t> png,
                     EncodePng(Fitted(std::move(drawn.image), options.side)));
    page["image"] = "data:image/png;base64," + EncodeBase64(png);
  }
  return OkStatus();
}

}  // namespace galen::extract
