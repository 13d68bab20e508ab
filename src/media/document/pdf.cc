#include "media/document/pdf.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <optional>

#include "base/files.h"
#include "media/document/pnm.h"

namespace galen {
namespace {

constexpr double kPointsPerInch = 72;
// The signature may follow other bytes: ISO 32000-1, annex H, implementation note 13.
constexpr size_t kSignatureWithin = 1024;
constexpr size_t kTextOutput = size_t{64} << 20;
constexpr size_t kInfoOutput = size_t{1} << 20;

// The rest of the line of pdfinfo's output that starts with `key` and a colon.
std::optional<std::string_view> Field(std::string_view out, std::string_view key) {
  for (size_t at = 0; at < out.size();) {
    const size_t end = std::min(out.find('\n', at), out.size());
    std::string_view line = out.substr(at, end - at);
    if (line.substr(0, key.size()) == key && line.substr(key.size(), 1) == ":") {
      line.remove_prefix(key.size() + 1);
      line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
      return line;
    }
    at = end + 1;
  }
  return std::nullopt;
}

bool TakeNumber(std::string_view* s, double* value) {
  s->remove_prefix(std::min(s->find_first_not_of(' '), s->size()));
  const auto [end, error] = std::from_chars(s->data(), s->data() + s->size(), *value);
  if (error != std::errc()) return false;
  s->remove_prefix(static_cast<size_t>(end - s->data()));
  return true;
}

// What poppler says may quote the file, so it is only looked at, never passed on.
Status ToolError(const std::string& name, const std::string& tool, const ChildOutput& done) {
  if (done.err.find("Incorrect password") != std::string::npos) {
    return Unsupported(name + " is protected by a password; save a copy without one first");
  }
  return DataLoss(name + " is damaged: " + tool + " cannot read it (exit code " +
                  std::to_string(done.exit_code) + ")");
}

std::string Number(double value) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.6f", value);
  return text;
}

// pdfinfo pads the number of a page to four columns.
std::string PageKey(int64_t page, const char* what) {
  char text[64];
  std::snprintf(text, sizeof(text), "Page %4lld %s", static_cast<long long>(page), what);
  return text;
}

}  // namespace

Result<PdfDocument> PdfDocument::Open(const std::string& path, const PdfLimits& limits) {
  ASSIGN_OR_RETURN(std::string bytes, ReadFile(path, limits.file_bytes));
  return FromBytes(std::move(bytes), path, limits);
}

Result<PdfDocument> PdfDocument::FromBytes(std::string bytes, std::string name,
                                           const PdfLimits& limits) {
  PdfDocument document;
  document.bytes_ = std::move(bytes);
  document.name_ = std::move(name);
  document.limits_ = limits;
  if (document.bytes_.size() > limits.file_bytes) {
    return ResourceExhausted(document.name_ + " is larger than the limit of " +
                             std::to_string(limits.file_bytes) + " bytes");
  }
  if (std::string_view(document.bytes_).substr(0, kSignatureWithin).find("%PDF-") ==
      std::string_view::npos) {
    return InvalidArgument(document.name_ + " is no PDF file");
  }
  ASSIGN_OR_RETURN(const std::string out, document.RunTool({"pdfinfo", "-"}, kInfoOutput));
  double pages = 0;
  if (auto field = Field(out, "Pages"); !field || !TakeNumber(&*field, &pages) || pages < 1) {
    return DataLoss(document.name_ + " has no pages that can be read");
  }
  document.num_pages_ = static_cast<int64_t>(pages);
  const auto encrypted = Field(out, "Encrypted");
  document.copying_forbidden_ = encrypted && encrypted->find("copy:no") != std::string_view::npos;
  return document;
}

Result<std::string> PdfDocument::RunTool(std::vector<std::string> argv, size_t max_output) const {
  ChildRequest request;
  request.argv = std::move(argv);
  request.input = {reinterpret_cast<const uint8_t*>(bytes_.data()), bytes_.size()};
  request.limits.seconds = limits_.seconds;
  request.limits.memory_bytes = limits_.memory_bytes;
  request.limits.output_bytes = max_output;
  Result<ChildOutput> done = RunChild(request);
  if (done.status().code() == StatusCode::kNotFound) {
    return Unsupported("PDF files need poppler's " + request.argv[0] +
                       ", which is not installed (Debian: apt-get install poppler-utils)");
  }
  if (!done.ok()) return done.status().WithContext(name_);
  if (done->exit_code != 0) return ToolError(name_, request.argv[0], *done);
  return std::move(done->out);
}

Status PdfDocument::CheckPage(int64_t page) const {
  if (page >= 1 && page <= num_pages_) return OkStatus();
  return InvalidArgument(name_ + " has pages 1 to " + std::to_string(num_pages_) + ", not " +
                         std::to_string(page));
}

Result<PageSize> PdfDocument::Size(int64_t page) const {
  RETURN_IF_ERROR(CheckPage(page));
  const std::string number = std::to_string(page);
  ASSIGN_OR_RETURN(const std::string out,
                   RunTool({"pdfinfo", "-f", number, "-l", number, "-"}, kInfoOutput));
  auto size = Field(out, PageKey(page, "size"));
  auto turned = Field(out, PageKey(page, "rot"));
  PageSize points;
  double rotation = 0;
  const bool read = size && turned && TakeNumber(&*size, &points.width) &&
                    size->substr(0, 3) == " x " && (size->remove_prefix(3), true) &&
                    TakeNumber(&*size, &points.height) && TakeNumber(&*turned, &rotation);
  if (!read || !(points.width > 0) || !(points.height > 0) || !std::isfinite(points.width) ||
      !std::isfinite(points.height)) {
    return DataLoss(name_ + ": the size of page " + number + " cannot be read");
  }
  if (rotation == 90 || rotation == 270) std::swap(points.width, points.height);
  return points;
}

Result<PageImage> PdfDocument::Render(int64_t page, double dpi) const {
  if (!(dpi > 0) || !std::isfinite(dpi)) {
    return InvalidArgument("a page needs a resolution above 0 dpi");
  }
  ASSIGN_OR_RETURN(const PageSize size, Size(page));
  PageImage result;
  const double most =
      static_cast<double>(limits_.side) * kPointsPerInch / std::max(size.width, size.height);
  result.lowered = dpi > most;
  // A hair less than the limit, since poppler rounds up.
  result.dpi = result.lowered ? most * (1 - 1e-6) : dpi;
  const std::string number = std::to_string(page);
  const size_t most_bytes =
      static_cast<size_t>(limits_.side) * static_cast<size_t>(limits_.side) * 3 + 64;
  ASSIGN_OR_RETURN(const std::string out, RunTool({"pdftoppm", "-cropbox", "-f", number, "-l",
                                                   number, "-r", Number(result.dpi), "-"},
                                                  most_bytes));
  Result<Image> image = ReadPnm(out, limits_.side);
  if (!image.ok()) return image.status().WithContext(name_ + ", page " + number);
  result.image = *std::move(image);
  // Where memory ends, poppler writes an image of 1x1 and reports success.
  const auto differs = [&](int64_t pixels, double points) {
    return std::abs(static_cast<double>(pixels) - points * result.dpi / kPointsPerInch) > 1.01;
  };
  if (differs(result.image.width, size.width) || differs(result.image.height, size.height)) {
    return DataLoss(name_ + ": page " + number + " was drawn with another size than it states");
  }
  return result;
}

Result<std::vector<PageWord>> PdfDocument::Words(int64_t page) const {
  RETURN_IF_ERROR(CheckPage(page));
  const std::string number = std::to_string(page);
  ASSIGN_OR_RETURN(const std::string out, RunTool({"pdftotext", "-cropbox", "-bbox-layout", "-enc",
                                                   "UTF-8", "-f", number, "-l", number, "-", "-"},
                                                  kTextOutput));
  Result<std::vector<PageWord>> words = ParseTextLayer(out, limits_.words);
  if (!words.ok()) return words.status().WithContext(name_ + ", page " + number);
  return words;
}

}  // namespace galen
