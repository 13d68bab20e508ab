// Many made-up documents into a folder, which appears under its name only when all are there.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "data/synth/synth.h"

namespace galen {

struct SynthOutput {
  std::string directory;  // must not exist, or be empty
  bool samples = false;   // also samples.jsonl
  int threads = 1;        // processes, made by fork: cairo's fonts are not safe in threads
};

struct SynthSummary {
  int64_t documents = 0, pages = 0, files = 0, bytes = 0;
  double seconds = 0;
  std::vector<std::string> fonts;
};

// Writes the pages, truth.jsonl, synth.json (the options, to make the same again) and
// samples.jsonl. `progress` is told how many documents are done, on any thread but one at a time;
// it returns false to stop (Cancelled). After an error nothing is left. Until the end the files lie
// in DIRECTORY.partial-XXXXXX, which a kill leaves behind.
Result<SynthSummary> RunSynth(const SynthOptions& options, const SynthOutput& output,
                              const std::function<bool(int64_t done)>& progress);

}  // namespace galen
