// A table for who looks at a terminal: what was read, what the checks say, on which page.
#include <algorithm>
#include <array>

#include "extract/output/display_order.h"
#include "extract/output/output.h"
#include "extract/output/passed_on.h"

namespace galen::extract {
namespace {

constexpr size_t kTableColumns = 7;
constexpr std::array<size_t, kTableColumns> kWidest = {36, 44, 14, 18, 8, 60, 40};  // characters
using TextRow = std::array<std::string, kTableColumns>;

// Bytes of the character at the front; 0: no UTF-8.
size_t CharacterBytes(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const size_t size = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (lead > 0xf4 || size > text.size()) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
  }
  return size;
}

// What a terminal would act on: control characters, and those that turn the direction of text.
bool Steers(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return first < 0x20 || first == 0x7f;
  const auto second = static_cast<unsigned char>(character[1]);
  if (character.size() == 2) {
    return (first == 0xc2 && second < 0xa0) || (first == 0xd8 && second == 0x9c);
  }
  if (character == "\uFEFF") return true;
  if (character.size() != 3 || first != 0xe2) return false;
  const auto third = static_cast<unsigned char>(character[2]);
  return (second == 0x80 &&
          ((third >= 0x8b && third <= 0x8f) || (third >= 0xa8 && third <= 0xae))) ||
         (second == 0x81 && third >= 0xa0 && third <= 0xaf);
}

// One line of at most `most` characters, of which none steers a terminal.
std::string OneLine(std::string_view text, size_t most) {
  std::string shown;
  size_t count = 0, before_last = 0;
  while (!text.empty()) {
    const size_t size = CharacterBytes(text);
    const std::string_view character = text.substr(0, std::max<size_t>(size, 1));
    text.remove_prefix(character.size());
    if (count == most) return shown.substr(0, before_last) + "…";
    before_last = shown.size();
    ++count;
    if (character == "\n" || character == "\t" || character == "\r") {
      shown += ' ';
    } else if (size == 0 || Steers(character)) {
      shown += '?';
    } else {
      shown += character;
    }
  }
  return shown;
}

size_t Width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string CellText(const Value* value) {
  if (value == nullptr || value->leaf.value.is_null()) return "";
  if (value->leaf.value.is_string()) return value->leaf.value.get<std::string>();
  return value->leaf.raw.empty() ? value->leaf.value.dump() : value->leaf.raw;
}

std::string ReferenceRange(const Record& record) {
  const std::string low = CellText(record.Use("low")), high = CellText(record.Use("high"));
  if (low.empty() && high.empty()) return "";
  return low.empty() ? "<= " + high : high.empty() ? ">= " + low : low + " - " + high;
}

// "ok", or what is to be looked at, once each.
std::string CheckCell(const std::vector<const Value*>& values) {
  bool any = false;
  for (const Level level : {Level::kFlag, Level::kNote}) {
    std::vector<std::string_view> ids;
    for (const Value* value : values) {
      any = any || !value->verdicts.empty();
      for (const Verdict& verdict : value->verdicts) {
        if (verdict.level != level || std::find(ids.begin(), ids.end(), verdict.id) != ids.end())
          continue;
        ids.emplace_back(verdict.id);
      }
    }
    if (ids.empty()) continue;
    std::string text = std::string(LevelName(level)) + ":";
    for (const std::string_view id : ids) text.append(" ").append(id);
    return text;
  }
  return any ? "ok" : "";
}

class TextTable {
 public:
  void Add(TextRow row) {
    for (size_t i = 0; i < kTableColumns; ++i) row[i] = OneLine(row[i], kWidest[i]);
    rows_.push_back(std::move(row));
  }
  // Columns that no row has anything in are left out.
  std::string Text() const {
    std::array<size_t, kTableColumns> widths{};
    for (size_t row = 0; row < rows_.size(); ++row) {
      for (size_t i = 0; i < kTableColumns; ++i)
        widths[i] = std::max(widths[i], row == 0 ? 0 : Width(rows_[row][i]));
    }
    std::string text;
    for (const TextRow& row : rows_) {
      std::string line;
      for (size_t i = 0; i < kTableColumns; ++i) {
        if (widths[i] == 0) continue;
        const size_t width = std::max(widths[i], Width(rows_[0][i]));
        line += row[i] + std::string(width - Width(row[i]) + 2, ' ');
      }
      text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return text;
  }

 private:
  std::vector<TextRow> rows_;
};

class TextWriter {
 public:
  explicit TextWriter(const Extraction& e) : e_(e) {
    table_.Add({"field", "value", "unit", "reference", "flag", "checks", "page"});
  }

  std::string Write() {
    for (const DisplayGroup& group : DisplayGroups(e_.answer)) {
      if (group.record != nullptr && group.record->Use("value") != nullptr) {
        AddResult(group);
      } else {
        for (const size_t i : group.values) AddValue(e_.answer.values[i]);
      }
    }
    std::string text = OneLine(e_.kind->title, 200) + "\n\n" + table_.Text() + "\n";
    for (const Level level : {Level::kFlag, Level::kNote}) {
      for (const Verdict& verdict : e_.verdicts) {
        if (verdict.level != level) continue;
        text += std::string(LevelName(level)) + ": " + OneLine(verdict.message, 400) + "\n";
      }
    }
    return text +
           "Nobody has confirmed it. Boxes, confidence and what each check says: --format json\n";
  }

 private:
  // The page's number in its file, as the other formats have it; with the file where there are
  // several.
  std::string PageCell(const std::optional<size_t>& page) const {
    if (!page || *page >= e_.source->pages().size()) return "";
    const SourcePage& at = e_.source->pages()[*page];
    const std::string number = std::to_string(at.number);
    return e_.source->files().size() < 2 ? number : number + " of " + FileName(at.file);
  }
  void AddValue(const Value& value) {
    const bool wrong = value.Has(Level::kFlag) || value.Has(Level::kNote);
    if (value.leaf.value.is_null() && !wrong) return;
    std::optional<size_t> page;
    if (value.evidence) page = value.evidence->span.page;
    const std::string_view path = value.leaf.path;
    table_.Add({std::string(path.substr(path.starts_with('/') ? 1 : 0)), CellText(&value), "", "",
                "", CheckCell({&value}), PageCell(page)});
  }

  // A measurement: a row for all of it.
  void AddResult(const DisplayGroup& group) {
    const Record& record = *group.record;
    std::vector<const Value*> parts;
    for (const size_t i : group.values) {
      const Value& value = e_.answer.values[i];
      bool used = false;
      for (const char* use : {"name", "value", "unit", "low", "high", "flag"})
        used = used || record.Use(use) == &value;
      if (used) parts.push_back(&value);
    }
    std::string name = CellText(record.Use("name"));
    if (name.empty()) name = record.Use("value")->leaf.path.substr(1);
    table_.Add({std::move(name), CellText(record.Use("value")), CellText(record.Use("unit")),
                ReferenceRange(record), CellText(record.Use("flag")), CheckCell(parts),
                PageCell(group.page)});
    for (const size_t i : group.values) {
      const Value& value = e_.answer.values[i];
      if (std::find(parts.begin(), parts.end(), &value) == parts.end()) AddValue(value);
    }
  }

  const Extraction& e_;
  TextTable table_;
};

}  // namespace

std::string ToText(const Extraction& extraction) { return TextWriter(extraction).Write(); }

}  // namespace galen::extract
