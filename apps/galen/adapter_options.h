// --adapter DIR [--adapter-scale X], any number of times, and what was attached.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/session.h"

namespace galen::cli {

struct AdapterCliOptions {
  std::vector<SessionAdapter> chosen;  // filled by ReadAdapterOptions
  bool allow_unmatched = false;
  std::vector<std::string> paths;
  std::vector<double> scales;
};

void AddAdapterOptions(CLI::App& verb, AdapterCliOptions* options);
// Gives each scale to the adapter before it. InvalidArgument: a scale without one.
Status ReadAdapterOptions(const CLI::App& verb, AdapterCliOptions* options);

// [{"name", "digest", "scale", "modules", "skipped"}], for the record of an answer.
Json AdapterRecord(const ModelAdapters& adapters);

}  // namespace galen::cli
