// An extraction written out. What each format holds: docs/EXTRACTION.md.
#pragma once

#include <functional>
#include <string>

#include "extract/extraction.h"

namespace galen::extract {

struct OutputOptions {
  std::string version;  // of galen
  std::string written;  // RFC 3339 time of writing: "2026-01-31T12:00:00Z"
};

// Everything: document, values with evidence and verdicts, pages, readers.
std::string ToJson(const Extraction& extraction, const OutputOptions& options);

// One row per value, with a heading.
std::string ToCsv(const Extraction& extraction);

// A FHIR R4 (4.0.1) Bundle of type collection. Values that stand nowhere on the pages, and rows
// whose name does not, are left out and listed in its OperationOutcome.
std::string ToFhir(const Extraction& extraction, const OutputOptions& options);

struct HtmlOptions {
  double dpi = 96;
  int64_t max_pictures = 40;  // pages with evidence first; others are named
};
// One page, without scripts and without anything to load. Errors: of drawing pages.
Result<std::string> ToHtml(const Extraction& extraction, const OutputOptions& options,
                           const HtmlOptions& html = {});

}  // namespace galen::extract
