// galen data: makes training data. synth: documents that nobody wrote, with their truth.
#include <cstdio>
#include <iostream>
#include <map>

#include "base/json.h"
#include "base/threads.h"
#include "commands.h"
#include "data/synth/content.h"
#include "data/synth/run_synth.h"
#include "progress.h"
#include "stop_signal.h"

namespace galen::cli {
namespace {

struct DataSynthOptions {
  SynthOptions synth;
  SynthOutput output;
  std::string rows, size;
  bool json = false;
};

// "LOWxHIGH" and the like: two whole numbers with `between` between them.
bool ParsePair(const std::string& text, char between, int64_t* first, int64_t* second) {
  long long a = 0, b = 0;
  char separator = 0, rest = 0;
  if (std::sscanf(text.c_str(), "%9lld%c%9lld%c", &a, &separator, &b, &rest) != 3) return false;
  if (separator != between) return false;
  *first = a;
  *second = b;
  return true;
}

Status ReadPairs(DataSynthOptions* o) {
  SynthOptions& s = o->synth;
  if (!o->rows.empty() && !ParsePair(o->rows, '-', &s.min_rows, &s.max_rows)) {
    long long n = 0;
    char rest = 0;
    if (std::sscanf(o->rows.c_str(), "%9lld%c", &n, &rest) != 1)
      return InvalidArgument("--rows '" + o->rows + "' is neither a number nor LOW-HIGH");
    s.min_rows = s.max_rows = n;
  }
  if (!o->rows.empty() && s.min_rows == 0 && s.max_rows == 0)
    return InvalidArgument("--rows must be at least 1");
  if (!o->size.empty() && !ParsePair(o->size, 'x', &s.width, &s.height))
    return InvalidArgument("--size '" + o->size + "' is not WIDTHxHEIGHT in pixels");
  if (!o->size.empty() && s.width == 0 && s.height == 0)
    return InvalidArgument("--size must be at least 16x16");
  return CheckSynthOptions(s);
}

Status RunDataSynth(const DataSynthOptions& o) {
  const std::atomic<bool>& stop = CatchStopSignals();
  SynthSummary summary;
  {
    Progress bar("documents", o.synth.count);
    int64_t shown = 0;
    ASSIGN_OR_RETURN(summary, RunSynth(o.synth, o.output, [&](int64_t done) {
                       bar.Add(done - shown);
                       shown = done;
                       return !stop.load();
                     }));
  }
  const double rate = static_cast<double>(summary.pages) / summary.seconds;
  if (o.json) {
    std::cout << Json({{"documents", summary.documents},
                       {"pages", summary.pages},
                       {"files", summary.files},
                       {"bytes", summary.bytes},
                       {"seconds", summary.seconds},
                       {"pages_per_s", rate},
                       {"threads", o.output.threads},
                       {"out", o.output.directory},
                       {"truth", o.output.directory + "/truth.jsonl"},
                       {"fonts", summary.fonts}})
                     .dump()
              << "\n";
    return OkStatus();
  }
  char text[160];
  std::snprintf(text, sizeof(text), "%lld documents, %lld pages in %.1f s (%.0f pages/s), %.1f MB",
                static_cast<long long>(summary.documents), static_cast<long long>(summary.pages),
                summary.seconds, rate, static_cast<double>(summary.bytes) * 1e-6);
  std::cout << text << "\ntruth: " << o.output.directory << "/truth.jsonl\n";
  return OkStatus();
}

void AddSynth(CLI::App* data, Action* action) {
  auto o = std::make_shared<DataSynthOptions>();
  SynthOptions& s = o->synth;
  o->output.threads = AvailableProcessors();
  CLI::App* verb = data->add_subcommand(
      "synth", "Make up medical documents with their truth; no real patient (docs/SYNTH.md)");
  std::string kinds;
  for (const std::string_view kind : kDocumentKinds) kinds += " " + std::string(kind);
  verb->add_option("--kind", s.kinds, "One or more, with commas, or all:" + kinds)
      ->type_name("all|KIND")
      ->delimiter(',')
      ->required();
  verb->add_option("--count", s.count, "Documents")->required();
  verb->add_option("--out", o->output.directory, "A new or empty folder")
      ->type_name("DIR")
      ->required();
  verb->add_option("--seed", s.seed, "Document i of a seed is always the same")
      ->capture_default_str();
  verb->add_option("--language", s.language, "en, fr, de or all")
      ->type_name("en|fr|de|all")
      ->capture_default_str();
  verb->add_option("--units", s.units, "Of analytes: conventional, si or all")
      ->type_name("conventional|si|all")
      ->capture_default_str();
  const std::map<std::string, SynthLevel> levels = {{"clean", SynthLevel::kClean},
                                                    {"scan", SynthLevel::kScan},
                                                    {"fax", SynthLevel::kFax},
                                                    {"photo", SynthLevel::kPhoto},
                                                    {"mixed", SynthLevel::kMixed}};
  verb->add_option("--level", s.level, "How hard to read: clean, scan, fax, photo, mixed")
      ->transform(CLI::CheckedTransformer(levels).description(""))
      ->type_name("clean|scan|fax|photo|mixed");
  const std::map<std::string, SynthFormat> formats = {{"png", SynthFormat::kPng},
                                                      {"jpeg", SynthFormat::kJpeg},
                                                      {"jpg", SynthFormat::kJpeg},
                                                      {"pdf", SynthFormat::kPdf}};
  verb->add_option("--format", s.format, "png, jpeg or pdf (with its text at level clean)")
      ->transform(CLI::CheckedTransformer(formats).description(""))
      ->type_name("png|jpeg|pdf");
  const std::map<std::string, SynthSet> sets = {
      {"train", SynthSet::kTrain}, {"heldout", SynthSet::kHeldOut}, {"all", SynthSet::kAll}};
  verb->add_option("--fonts", s.fonts, "train (default), heldout or all")
      ->transform(CLI::CheckedTransformer(sets).description(""))
      ->type_name("train|heldout|all");
  verb->add_option("--layouts", s.layouts, "train (default), heldout or all")
      ->transform(CLI::CheckedTransformer(sets).description(""))
      ->type_name("train|heldout|all");
  verb->add_option("--long-side", s.long_side, "Pixels of the longer side")->capture_default_str();
  verb->add_option("--size", o->size, "WIDTHxHEIGHT in pixels instead: one page of that shape");
  verb->add_flag("--gray", s.gray, "Grey pictures");
  verb->add_flag("--one-page", s.one_page, "Smaller letters rather than a second page");
  verb->add_option("--rows", o->rows, "Rows of the main table: N or LOW-HIGH");
  verb->add_flag("--strip", s.strip, "Rows of laboratory reports and nothing else (1-3 of them)");
  verb->add_flag("--lines", s.lines,
                 "Instead of pages, each line of print on them as a strip with what it says");
  verb->add_flag("--words", s.words, "The same with each word, and its text");
  verb->add_flag("--transcripts", s.transcripts,
                 "With --lines and --samples: each line also as a sample that asks for its text");
  verb->add_flag("--scramble", s.scramble,
                 "Random letters and digits in place of what documents say, for transcripts");
  verb->add_flag("--samples", o->output.samples, "Also samples.jsonl, for galen train");
  verb->add_option("--prompt", s.prompt, "Of the samples; {kind} is the kind")
      ->capture_default_str();
  verb->add_option("--threads", o->output.threads, "Default: all processors")
      ->check(CLI::Range(1, 1024));
  verb->add_flag("--json", o->json, "A summary for machines on standard output");
  verb->callback([o, action] {
    if (o->synth.kinds == std::vector<std::string>{"all"})
      o->synth.kinds.assign(kDocumentKinds.begin(), kDocumentKinds.end());
    RequireUsage(ReadPairs(o.get()));
    if (o->synth.transcripts && !o->output.samples)
      RequireUsage(
          InvalidArgument("--transcripts are samples for training: use it with --samples"));
    *action = [o] { return RunDataSynth(*o); };
  });
}

}  // namespace

void AddData(CLI::App& app, Action* action) {
  CLI::App* data = app.add_subcommand("data", "Make training data");
  data->require_subcommand(1);
  AddSynth(data, action);
}

}  // namespace galen::cli
