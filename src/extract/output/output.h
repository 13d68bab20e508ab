// An extraction written out. What each format holds: docs/EXTRACTION.md.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "extract/extraction.h"

namespace galen::extract {

// A DICOM study that the pages came from. Texts are UTF-8 and identify a patient.
struct SourceStudy {
  std::string uid, id, date, time, description, accession_number, referring_physician;
  std::string patient_name, patient_id, patient_birth_date, patient_sex;  // as DICOM writes them
  struct Instance {
    std::string series, sop_class, instance;
  };
  std::vector<Instance> instances;  // that were read
};

struct OutputOptions {
  std::string version;                       // of galen
  std::string written;                       // RFC 3339 time of writing: "2026-01-31T12:00:00Z"
  std::shared_ptr<const SourceStudy> study;  // a DICOM SR becomes part of it; null: of its own
};

// With the time of now.
OutputOptions OutputNow(std::string version);
CalendarDate Today();  // UTC

// Everything: document, values with evidence and verdicts, pages, readers.
Json Report(const Extraction& extraction, const OutputOptions& options);
// The same as text, indented.
std::string ToJson(const Extraction& extraction, const OutputOptions& options);

// A table for people at a terminal: a line for each laboratory result and for each other value that
// is there or that a check has something to say about. Long texts are cut, and no character of them
// steers the terminal.
std::string ToText(const Extraction& extraction);

// One row per value, with a heading.
std::string ToCsv(const Extraction& extraction);

// A FHIR R4 (4.0.1) Bundle of type collection. Values that stand nowhere on the pages, and rows
// whose name does not, are left out and listed in its OperationOutcome.
std::string ToFhir(const Extraction& extraction, const OutputOptions& options);

// A DICOM file (PS3.10): Comprehensive SR of TID 1500, with the same values as the bundle; with a
// study in the options, of its patient and in it, with its instances as evidence. Throws
// InternalError where DCMTK refuses what was made.
std::string ToSr(const Extraction& extraction, const OutputOptions& options);

struct HtmlOptions {
  double dpi = 96;
  int64_t max_pictures = 40;  // pages with evidence first; others are named
};
// "json", "csv", "fhir", "html", "text" or "sr" (bytes). InvalidArgument: another.
Result<std::string> Write(const std::string& format, const Extraction& extraction,
                          const OutputOptions& options);

// Pictures of the pages for who draws the boxes of the evidence over them.
struct PictureOptions {
  double dpi = 96;            // of PDF pages
  int64_t side = 1600;        // pixels of the longer side at most
  int64_t max_pictures = 40;  // the pages behind them have none
};
// Adds to each of report["pages"] its number ("page", from 1) and its picture ("image", a data URL
// of a PNG; null behind the last one). Boxes are in units of the page's width and height, whatever
// the picture's size is. Errors: of drawing pages.
Status AddPictures(const Extraction& extraction, const PictureOptions& options, Json* report);

// One page, without scripts and without anything to load. Errors: of drawing pages.
Result<std::string> ToHtml(const Extraction& extraction, const OutputOptions& options,
                           const HtmlOptions& html = {});

}  // namespace galen::extract
