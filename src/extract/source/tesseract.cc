#include "extract/source/tesseract.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/child.h"
#include "base/json.h"
#include "media/document/ink.h"
#include "media/image/resize.h"

namespace galen::extract {
namespace {

// level page_num block_num par_num line_num word_num left top width height conf text
constexpr size_t kColumns = 12;
constexpr int kWordLevel = 5;
// Tesseract's own scale from 0 to 100; what it rates lower is mostly specks and lines.
constexpr double kLeastConfidence = 30;
constexpr int kLeastVersion = 4;  // the first that reads lines with a network, and writes tables
// Of the languages of the kinds' labels.
constexpr std::string_view kLanguages[] = {"eng", "fra", "deu"};
// An A4 page of 200 dpi has this long side; letters of much fewer pixels are not told apart.
// Enlarging further than kMostEnlarged makes no letters.
constexpr double kLongSide = 2340, kMostEnlarged = 3, kLongestSide = 5000;
// Nothing but what is needed: one thread a page, since its four wait for each other more than they
// read, and the folder of language data that the user chose.
std::vector<std::string> Environment() {
  std::vector<std::string> variables = {"OMP_THREAD_LIMIT=1"};
  if (const char* data = std::getenv("TESSDATA_PREFIX"); data != nullptr && *data != 0) {
    variables.push_back("TESSDATA_PREFIX=" + std::string(data));
  }
  return variables;
}

// What it says may quote the page, so nothing of its standard error is passed on.
Status ExitError(const std::string& what, int code) {
  return DataLoss("Tesseract " + what + " (exit code " + std::to_string(code) + ")");
}

Result<ChildOutput> AskTesseract(const char* what) {
  ChildRequest request;
  request.argv = {"tesseract", what};
  request.environment = Environment();
  request.limits.output_bytes = size_t{1} << 20;
  Result<ChildOutput> done = RunChild(request);
  if (done.status().code() == StatusCode::kNotFound) {
    return NotFound("Tesseract is not installed (Debian: apt-get install tesseract-ocr)");
  }
  if (!done.ok()) return done.status().WithContext("Tesseract");
  if (done->exit_code != 0) {
    return ExitError("does not answer " + std::string(what), done->exit_code);
  }
  return done;
}

// Grey, of a size that Tesseract reads well unless it has it; *scale: its pixels for one of the
// image's.
Image Prepared(const Image& image, bool resize, double* scale) {
  Image gray{image.width, image.height, 1, Brightness(image)};
  *scale = 1;
  if (!resize) return gray;
  const auto side = static_cast<double>(std::max(image.width, image.height));
  *scale = std::clamp(kLongSide / side, 1.0, kMostEnlarged);
  if (side > kLongestSide) *scale = kLongestSide / side;
  if (*scale == 1) return gray;
  const auto sized = [&](int64_t n) {
    return std::max<int64_t>(1, std::llround(static_cast<double>(n) * *scale));
  };
  return Resize(gray, sized(image.width), sized(image.height), Filter::kBicubic);
}

std::vector<uint8_t> Pgm(const Image& gray) {
  const std::string head =
      "P5\n" + std::to_string(gray.width) + " " + std::to_string(gray.height) + "\n255\n";
  std::vector<uint8_t> bytes(head.begin(), head.end());
  bytes.insert(bytes.end(), gray.pixels.begin(), gray.pixels.end());
  return bytes;
}

bool Number(std::string_view text, double* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size() && *value > -1e7 && *value < 1e7;
}

// UTF-8 without controls, whatever the bytes are.
std::string CleanWord(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) > 0x20 && c != 0x7F) out += c;
  }
  const std::string valid = Json(out).dump(-1, ' ', false, Json::error_handler_t::replace);
  return Json::parse(valid).get<std::string>();
}

}  // namespace

Result<std::vector<PageWord>> ParseTesseractTsv(std::string_view tsv, size_t max_words) {
  const auto wrong = [] { return DataLoss("Tesseract wrote a table of another shape"); };
  std::vector<PageWord> words;
  if (!tsv.starts_with("level\t")) return wrong();
  std::array<int64_t, 3> last{-1, -1, -1};
  int32_t block = -1, line = -1;
  tsv.remove_prefix(std::min(tsv.find('\n'), tsv.size() - 1) + 1);
  while (!tsv.empty()) {
    const size_t end = std::min(tsv.find('\n'), tsv.size());
    std::string_view row = tsv.substr(0, end);
    tsv.remove_prefix(std::min(end + 1, tsv.size()));
    if (row.empty()) continue;
    std::array<std::string_view, kColumns> cells;
    for (size_t i = 0; i < kColumns; ++i) {
      const size_t tab = i + 1 < kColumns ? row.find('\t') : row.size();
      if (tab == row.npos) {
        if (i + 2 < kColumns) return wrong();
        cells[i] = row;
        row = {};
        break;
      }
      cells[i] = row.substr(0, tab);
      row.remove_prefix(std::min(tab + 1, row.size()));
    }
    std::array<double, kColumns - 1> n{};
    for (size_t i = 0; i < n.size(); ++i) {
      if (!Number(cells[i], &n[i])) return wrong();
    }
    if (static_cast<int>(n[0]) != kWordLevel || n[10] < kLeastConfidence) continue;
    PageWord word;
    word.text = CleanWord(cells[11]);
    if (word.text.empty()) continue;
    const std::array<int64_t, 3> place{static_cast<int64_t>(n[2]), static_cast<int64_t>(n[3]),
                                       static_cast<int64_t>(n[4])};
    if (place[0] != last[0]) ++block;
    if (place != last) ++line;
    last = place;
    word.block = block;
    word.line = line;
    word.box = {n[6], n[7], n[6] + n[8], n[7] + n[9]};
    if (words.size() >= max_words) {
      return ResourceExhausted("a page with more than " + std::to_string(max_words) + " words");
    }
    words.push_back(std::move(word));
  }
  return words;
}

Result<std::string> TesseractLanguages() {
  ASSIGN_OR_RETURN(const ChildOutput about, AskTesseract("--version"));
  // Versions before 4 wrote it to standard error.
  const std::string_view first = about.out.empty() ? about.err : about.out;
  int version = 0;
  if (first.starts_with("tesseract ")) {
    std::string_view number = first.substr(10);
    if (number.starts_with("v")) number.remove_prefix(1);
    std::from_chars(number.data(), number.data() + number.size(), version);
  }
  if (version == 0) return Unsupported("the program tesseract in PATH is not Tesseract");
  if (version < kLeastVersion) {
    return Unsupported("Tesseract " + std::to_string(version) +
                       " is too old; galen needs version " + std::to_string(kLeastVersion) +
                       " or later");
  }
  ASSIGN_OR_RETURN(const ChildOutput listed, AskTesseract("--list-langs"));
  const std::string lines = "\n" + listed.out + "\n";
  std::string languages;
  for (const std::string_view language : kLanguages) {
    if (lines.find("\n" + std::string(language) + "\n") == lines.npos) continue;
    languages += (languages.empty() ? "" : "+") + std::string(language);
  }
  if (languages.empty()) {
    return Unsupported(
        "Tesseract has no language data for English, French or German (Debian: apt-get install "
        "tesseract-ocr-eng; TESSDATA_PREFIX names another folder of them)");
  }
  return languages;
}

Result<std::vector<PageWord>> ReadWithTesseract(const Image& image,
                                                const TesseractOptions& options) {
  if (image.width < 1 || image.height < 1) return InvalidArgument("the page has no pixels");
  double scale = 1;
  const std::vector<uint8_t> pgm = Pgm(Prepared(image, options.resize, &scale));
  ChildRequest request;
  request.argv = {"tesseract",
                  "stdin",
                  "stdout",
                  "-l",
                  options.languages,
                  "--psm",
                  std::to_string(options.page_mode),
                  "-c",
                  "tessedit_create_tsv=1"};
  request.environment = Environment();
  request.input = pgm;
  request.cancelled = options.cancelled;
  request.limits.seconds = options.seconds;
  request.limits.memory_bytes = options.memory_bytes;
  request.limits.output_bytes = size_t{64} << 20;
  const Result<ChildOutput> done = RunChild(request);
  if (!done.ok()) return done.status().WithContext("Tesseract");
  if (done->exit_code != 0) return ExitError("cannot read the page", done->exit_code);
  ASSIGN_OR_RETURN(std::vector<PageWord> words, ParseTesseractTsv(done->out, options.words));
  for (PageWord& word : words) word.box = word.box.Scaled(1 / scale);
  return words;
}

}  // namespace galen::extract
