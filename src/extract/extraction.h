// From pages to checked values. docs/EXTRACTION.md
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "extract/answer/reader.h"
#include "extract/checks/value.h"
#include "extract/kind.h"
#include "extract/source/case.h"

namespace galen::extract {

// The kind asked for where the pages are to decide.
inline constexpr std::string_view kAutoKind = "auto";

struct ExtractOptions {
  std::string kind = std::string(kAutoKind);  // a kind, a schema file, or "auto"
  std::string schema;  // JSON Schema; if there is one, `kind` is not looked at
  CalendarDate today;  // dates after it are flagged
  // "reading" and "checking", as far as they are; may be empty.
  std::function<void(const std::string& what, int64_t done, int64_t total)> progress;
  // The first reader's answer as it comes, group of pages by group.
  std::function<void(std::string_view)> on_text;
  std::function<void(const Kind& kind, const std::string& by)> on_kind;  // once it is known
  std::function<bool()> cancelled;
  int threads = 1;  // pages that Tesseract reads once more at a time; `cancelled` is asked by all
};

struct Extraction {
  // What values, records and indexes point into.
  std::shared_ptr<const Kind> kind;
  std::shared_ptr<const Case> source;

  std::string kind_by;   // "asked", "words", "model", "reader" (it knows one kind)
  Json document;         // the answer; satisfies the schema where `whole`
  bool whole = true;     // false: an answer was cut off, and what it had not begun is missing
  CheckedAnswer answer;  // values with evidence and verdicts
  std::vector<Verdict> verdicts;  // of the case
  std::vector<ReaderIdentity> readers;
  std::vector<std::string> warnings;
  int64_t requests = 0;  // how often the model was asked, for groups of pages

  int64_t Count(Level level) const;  // values with a verdict of this level
  int64_t CountStated() const;       // values that are not null
};

// Fails where there is nothing to read (NotFound: empty pages, no medical document, no document of
// the kind), where the reader cannot read these pages, and as the reader fails. `second` may be
// null.
Result<Extraction> Extract(std::shared_ptr<const Case> source, const ExtractOptions& options,
                           Reader* reader, Reader* second);

// The instruction for a kind, for readers and for training data: nothing of a document is in it.
std::string InstructionFor(const Kind& kind);

}  // namespace galen::extract
