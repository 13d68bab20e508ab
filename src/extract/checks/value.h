// A value of the answer with all that was found out about it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "extract/answer/confidence.h"
#include "extract/answer/leaves.h"
#include "extract/kind.h"
#include "extract/source/index.h"

namespace galen::extract {

enum class Level : uint8_t {
  kOk,    // a check that the value passed
  kNote,  // for people to know
  kFlag,  // somebody must look: the value may be wrong
};
std::string_view LevelName(Level level);  // "ok", "note", "flag"

struct Verdict {
  std::string id;  // "source.found", "range.plausible", ...: docs/EXTRACTION.md has the list
  Level level = Level::kNote;
  std::string message;
  std::string rule;    // of configs/rules: "plausible.glucose"; empty: none
  std::string source;  // what the rule rests on
};

struct Evidence {
  // Its box as it stands on the page (SourcePage::Shown); the words are those of the first look,
  // and 0 where a second one found it.
  Span span;
  std::string words;     // as the page has them
  bool compared = true;  // false: span.box is what the reader saw, and no words are known there
};

struct Value {
  Leaf leaf;
  const FieldSpec* field = nullptr;  // null: nothing is known of its meaning
  std::optional<Confidence> confidence;
  std::optional<Evidence> evidence;
  std::vector<Verdict> verdicts;
  // Of measurements: the UCUM code of the printed unit, and the value in the analyte's own unit.
  std::string unit_code;
  std::string converted, converted_unit;
  std::string analyte;        // id
  std::optional<Json> other;  // what the second reader has

  bool Has(Level level) const {
    for (const Verdict& v : verdicts) {
      if (v.level == level) return true;
    }
    return false;
  }
  const Verdict* Find(std::string_view id) const {
    for (const Verdict& v : verdicts) {
      if (v.id == id) return &v;
    }
    return nullptr;
  }
  void Add(std::string id, Level level, std::string message, std::string rule = "",
           std::string source = "") {
    verdicts.push_back(
        {std::move(id), level, std::move(message), std::move(rule), std::move(source)});
  }
};

// The values of one record, by field.
struct Record {
  const RecordSpec* spec = nullptr;
  size_t number = 0;
  std::vector<std::pair<std::string, Value*>> fields;
  std::optional<Span> anchor;  // where its name stands

  Value* Use(std::string_view use) const {
    for (const auto& [name, value] : fields) {
      if (value->field != nullptr && value->field->use == use) return value;
    }
    return nullptr;
  }
};

struct CheckedAnswer {
  std::vector<Value> values;  // in the order of the answer; not resized once records point at them
  std::vector<Record> records;
  std::vector<PageIndex> pages;
  const Kind* kind = nullptr;
  // Of a kind without records, those that the answer itself has: role "row", no name.
  std::vector<std::shared_ptr<const RecordSpec>> own_specs;

  Value* At(const std::string& path);
};

// Values with their fields, grouped into records.
CheckedAnswer Arrange(const Kind& kind, const std::vector<SourcePage>& pages, ParsedAnswer answer,
                      std::span<const TokenSpan> tokens);

}  // namespace galen::extract
