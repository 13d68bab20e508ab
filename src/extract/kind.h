// The kinds of documents: a schema (configs/schemas), and what each of its fields means to the
// checks and exports (configs/extract; docs/EXTRACTION.md explains each key).
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "extract/source/page.h"

namespace galen::extract {

struct FieldSpec {
  // What the field is: "name", "value", "unit", "low", "high", "flag", "dose", "dose_unit",
  // "frequency", "route", "text", ... Empty: nothing that checks beyond evidence know.
  std::string use;
  std::vector<std::string> labels;  // words that stand beside the value where the page has them
  std::string date;                 // role among the dates: "birth", "sample", ...
  std::string measure;              // id of an analyte
  std::string unit;                 // UCUM code of the measure
  std::string unit_from;            // path of the field that holds the unit
  std::map<std::string, std::vector<std::string>> spelled;  // value -> what stands for it on pages
  bool any_order = false;  // the words may stand in another order ("Smith, John")
  bool inferred = false;   // a judgement; the page need not spell it
};

struct RecordSpec {
  std::string at;    // pointer of the array: "/results"
  std::string role;  // "measurement", "medication", "condition", "procedure", "reading", "event";
                     // "row": of a schema of one's own
  std::string name;  // the field that finds the record on the page
  std::map<std::string, FieldSpec> fields;
};

struct Kind {
  std::string id;     // "lab_report"
  std::string title;  // "Laboratory report"
  std::string loinc;  // of the document, for FHIR
  std::string schema;
  std::string instruction;
  std::vector<std::pair<std::string, double>> terms;  // what pages of the kind say, with weights
  std::map<std::string, FieldSpec> fields;            // by pointer, records apart
  std::vector<RecordSpec> records;

  const FieldSpec* Field(const std::string& path) const;
};

// The nine kinds, sorted by id.
const std::vector<Kind>& Kinds();
// InvalidArgument: neither a kind nor a file that ends in .json; errors of the file.
Result<Kind> FindKind(const std::string& kind_or_file);

// Of a schema that a user wrote: values, dates and evidence without a meaning. DataLoss: no JSON.
Result<Kind> CustomKind(std::string title, std::string schema);

struct KindScore {
  const Kind* kind = nullptr;
  double score = 0;
};
// Every kind with the weight of its terms that the pages have, highest first.
std::vector<KindScore> ScoreKinds(std::span<const SourcePage> pages);

// What the words alone say: a kind whose lead is clear; kNone: pages with words and no medical
// term; kUnsure otherwise.
struct KindGuess {
  enum Certainty { kClear, kUnsure, kNone };
  Certainty certainty = kUnsure;
  const Kind* kind = nullptr;
};
KindGuess GuessKind(std::span<const SourcePage> pages);

}  // namespace galen::extract
