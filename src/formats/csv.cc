#include "formats/csv.h"

namespace galen {

std::string CsvLine(const CsvRow& row) {
  std::string line;
  for (size_t i = 0; i < row.size(); ++i) {
    const std::string& field = row[i];
    if (i > 0) line += ',';
    const bool quote = field.find_first_of(",\"\r\n") != std::string::npos ||
                       field.starts_with(' ') || field.ends_with(' ') ||
                       (row.size() == 1 && field.empty());
    if (!quote) {
      line += field;
      continue;
    }
    line += '"';
    for (const char c : field) line.append(c == '"' ? 2 : 1, c);
    line += '"';
  }
  return line + "\n";
}

Result<std::vector<CsvRecord>> ReadCsv(std::string_view text) {
  std::vector<CsvRecord> records;
  CsvRow row;
  std::string field;
  bool quoted = false;  // inside quotes
  bool closed = false;  // behind the closing quote of a field
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c != '"') {
        field += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        field += text[++i];
      } else {
        quoted = false;
        closed = true;
      }
      continue;
    }
    if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    if (c == ',' || c == '\n') {
      row.push_back(std::move(field));
      field.clear();
      closed = false;
      if (c == '\n') {
        records.push_back({std::move(row), i + 1});
        row.clear();
      }
      continue;
    }
    if (closed || (c == '"' && !field.empty())) {
      return DataLoss("record " + std::to_string(records.size() + 1) +
                      ": a quote in the middle of a field");
    }
    if (c == '"') {
      quoted = true;
    } else {
      field += c;
    }
  }
  return records;
}

}  // namespace galen
