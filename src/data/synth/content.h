// Invents what a document says and its truth. All numbers come from configs/clinical; people and
// places are combined from made lists (configs/synth/names.json): no real patient.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "data/synth/document.h"
#include "data/synth/random.h"
#include "text/template/chat_template.h"

namespace galen {

// The kinds of configs/schemas.
inline constexpr std::array<std::string_view, 9> kDocumentKinds = {
    "lab_report",        "prescription",     "medication_reconciliation",
    "discharge_summary", "radiology_report", "cardiology_consult",
    "operative_note",    "diagnosis",        "vitals_flowsheet"};
// Arrangements of the columns of a laboratory report; those from kTrainLabTables on are held out.
inline constexpr int kLabTables = 7;
inline constexpr int kTrainLabTables = 5;

struct ContentOptions {
  std::string language = "en";  // en, fr, de
  bool si = false;              // units of analytes: SI, otherwise conventional
  int64_t min_rows = 0;         // rows of the main table; 0: as usual for the kind
  int64_t max_rows = 0;
  int lab_table = 0;   // [0, kLabTables)
  bool strip = false;  // laboratory rows and nothing else; the truth has "results" alone
};

struct Content {
  SynthDocument document;
  OrderedJson fields;  // satisfies configs/schemas/KIND.json, unless it is a strip
};

// kind: one of kDocumentKinds.
Content MakeContent(std::string_view kind, const ContentOptions& options, Random* random);

}  // namespace galen
