#include "extract/source/tesseract.h"

#include <array>
#include <charconv>

#include "base/child.h"
#include "media/image/png_writer.h"

namespace galen::extract {
namespace {

// level page_num block_num par_num line_num word_num left top width height conf text
constexpr size_t kColumns = 12;
constexpr int kWordLevel = 5;
// Tesseract's own scale from 0 to 100; what it rates lower is mostly specks and lines.
constexpr double kLeastConfidence = 30;

bool Number(std::string_view text, double* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size() && *value > -1e7 && *value < 1e7;
}

std::string WithoutControls(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) > 0x20 && c != 0x7F) out += c;
  }
  return out;
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
    word.text = WithoutControls(cells[11]);
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

Result<std::vector<PageWord>> ReadWithTesseract(const Image& image,
                                                const TesseractOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<uint8_t> png, EncodePng(image));
  ChildRequest request;
  request.argv = {"tesseract", "-", "-", "tsv"};
  request.input = png;
  request.limits.seconds = options.seconds;
  request.limits.memory_bytes = options.memory_bytes;
  request.limits.output_bytes = size_t{64} << 20;
  Result<ChildOutput> done = RunChild(request);
  if (!done.ok()) return done.status().WithContext("Tesseract");
  // What it says may quote the page, so it is not passed on.
  if (done->exit_code != 0) {
    return DataLoss("Tesseract cannot read the page (exit code " + std::to_string(done->exit_code) +
                    ")");
  }
  return ParseTesseractTsv(done->out, options.words);
}

}  // namespace galen::extract
