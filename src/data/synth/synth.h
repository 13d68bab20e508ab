// Made-up medical documents with their truth: one document for each (options, seed, index),
// whatever the number of threads and of documents.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "data/synth/style.h"

namespace galen {

// How hard a page is to read. kMixed: one of the four for each document.
enum class SynthLevel { kClean, kScan, kFax, kPhoto, kMixed };
enum class SynthFormat { kPng, kJpeg, kPdf };

struct SynthOptions {
  std::vector<std::string> kinds = {"lab_report"};  // document i is of kind i modulo their number
  int64_t count = 1;
  uint64_t seed = 0;
  std::string language = "all";  // en, fr, de, all
  std::string units = "all";     // of analytes: conventional, si, all
  SynthSet fonts = SynthSet::kTrain;
  SynthSet layouts = SynthSet::kTrain;
  SynthLevel level = SynthLevel::kClean;
  SynthFormat format = SynthFormat::kPng;
  int64_t long_side = 1024;       // pixels
  int64_t width = 0, height = 0;  // exact pixels instead; 0: by long_side
  bool gray = false;
  bool one_page = false;               // smaller letters rather than a second page
  int64_t min_rows = 0, max_rows = 0;  // of the main table; 0: as usual for the kind
  bool strip = false;                  // rows of laboratory reports and nothing else
  bool lines = false;  // instead of pages, each line of print on them as a strip (LineStrip)
  bool words = false;  // the same with each word, asked for its text
  bool transcripts = false;  // each line also as a sample that asks for its text
  bool scramble = false;     // random letters and digits in place of what words and lines say
  std::string prompt = "Extract this {kind} as JSON.";  // of training samples
};

// InvalidArgument, naming the option and for names the nearest known one.
Status CheckSynthOptions(const SynthOptions& options);

// A document's files and what is written about them.
struct SynthFiles {
  struct File {
    std::string name;
    std::string bytes;
  };
  std::vector<File> files;
  std::string truth;   // a line of truth.jsonl, without its end (docs/SYNTH.md)
  std::string sample;  // of samples.jsonl, for `galen train`: a line, or one for each line of print
  int64_t pages = 0;
};

// One thread of the process at a time may make documents, with whichever generator
// (synth_workers.h says why).
class SynthGenerator {
 public:
  // NotFound: no font of the set is installed.
  static Result<std::unique_ptr<SynthGenerator>> Create(const SynthOptions& options);
  ~SynthGenerator();

  Result<SynthFiles> Make(int64_t index);
  // The fonts that it draws from.
  std::vector<std::string> FontNames() const;

 private:
  struct State;
  explicit SynthGenerator(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace galen
