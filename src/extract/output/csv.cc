#include "formats/csv.h"

#include <cstdio>

#include "extract/output/output.h"

namespace galen::extract {
namespace {

std::string Text(const Json& value, const std::string& raw) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "";
  return raw.empty() ? value.dump() : raw;
}

std::string CsvNumber(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.4g", value);
  return text;
}

// Spreadsheets take a cell that begins so for a formula (OWASP, CSV Injection).
std::string Harmless(std::string text) {
  const bool number = text.find_first_not_of("+-0123456789.eE") == text.npos;
  if (!text.empty() && !number &&
      std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos) {
    text.insert(0, 1, '\'');
  }
  return text;
}

// Empty: there is no value, and nothing was found wrong with that.
std::string LevelOf(const Value& value) {
  if (value.Has(Level::kFlag)) return std::string(LevelName(Level::kFlag));
  if (value.Has(Level::kNote)) return std::string(LevelName(Level::kNote));
  return value.leaf.value.is_null() ? "" : std::string(LevelName(Level::kOk));
}

std::string Joined(const Value& value, Level level) {
  std::string ids;
  for (const Verdict& verdict : value.verdicts) {
    if (verdict.level == level) ids += (ids.empty() ? "" : " ") + verdict.id;
  }
  return ids;
}

}  // namespace

std::string ToCsv(const Extraction& e) {
  std::string csv =
      CsvLine({"path", "value", "level", "flags", "notes", "confidence", "ucum", "converted",
               "converted_ucum", "file", "page", "x0", "y0", "x1", "y1", "words", "second_reader"});
  for (const Value& value : e.answer.values) {
    CsvRow row = {value.leaf.path,
                  Text(value.leaf.value, value.leaf.raw),
                  LevelOf(value),
                  Joined(value, Level::kFlag),
                  Joined(value, Level::kNote),
                  value.confidence ? CsvNumber(value.confidence->mean) : "",
                  value.unit_code,
                  value.converted,
                  value.converted_unit};
    if (value.evidence) {
      const Span& span = value.evidence->span;
      const SourcePage& page = e.source->pages()[span.page];
      for (const std::string& cell :
           {page.file, std::to_string(page.number), CsvNumber(span.box.x0), CsvNumber(span.box.y0),
            CsvNumber(span.box.x1), CsvNumber(span.box.y1), value.evidence->words}) {
        row.push_back(cell);
      }
    } else {
      row.resize(row.size() + 7);
    }
    row.push_back(value.other ? Text(*value.other, "") : "");
    for (std::string& cell : row) cell = Harmless(std::move(cell));
    csv += CsvLine(row);
  }
  return csv;
}

}  // namespace galen::extract
