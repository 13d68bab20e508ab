// --adapter DIR [--adapter-scale X], any number of times, and what was attached.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "base/json.h"
#include "models/adapters.h"

namespace galen::cli {

struct AdapterChoice {
  std::string path;
  double scale = 1.0;
};

struct AdapterCliOptions {
  std::vector<AdapterChoice> chosen;  // filled by ReadAdapterOptions
  bool allow_unmatched = false;
  std::vector<std::string> paths;
  std::vector<double> scales;
};

void AddAdapterOptions(CLI::App& verb, AdapterCliOptions* options);
// Gives each scale to the adapter before it. InvalidArgument: a scale without one.
Status ReadAdapterOptions(const CLI::App& verb, AdapterCliOptions* options);

// Opens and attaches the chosen adapters; notes go to standard error.
Result<ModelAdapters> AttachAdapters(LoadedModel& loaded, const AdapterCliOptions& options,
                                     const KernelTable& kernels, ThreadPool& pool);
// [{"name", "digest", "scale", "modules", "skipped"}], for the record of an answer.
Json AdapterRecord(const ModelAdapters& adapters);

}  // namespace galen::cli
