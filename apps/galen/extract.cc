// galen extract: documents in, checked values out.
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <memory>

#include "base/files.h"
#include "base/json.h"
#include "base/sha256.h"
#include "builtin_models.h"
#include "commands.h"
#include "extract/answer/kept_answers.h"
#include "extract/answer/model_reader.h"
#include "extract/extraction.h"
#include "extract/output/output.h"
#include "formats/model_digest.h"
#include "progress.h"
#include "session.h"
#include "stop_signal.h"

namespace galen::cli {
namespace {

constexpr int64_t kContext = 8192;
// Of models that read line by line: of one line and its answer, and lines read at once.
constexpr int64_t kLineContext = 512;
constexpr int64_t kLinesAtOnce = 32;
constexpr int kPagesAtOnce = 8;  // that Tesseract reads

struct ExtractCliOptions : ModelOptions {
  std::vector<std::string> files;
  std::string schema = std::string(extract::kAutoKind);
  std::string second_model;
  std::string format, out, ocr = "auto", today, resume;
  int64_t max_tokens = 0;
  extract::CaseOptions source;
};

Result<std::unique_ptr<extract::Reader>> OpenReader(ExtractCliOptions o, const std::string& model) {
  o.model = model;
  RETURN_IF_ERROR(ResolveModel(&o));
  ASSIGN_OR_RETURN(const ModelFiles files, ReadModel(o.model, ReadOptionsOf(o)));
  o.images = files.vision_status.ok();
  o.constrained = true;
  const int64_t limit = files.config.max_position_embeddings;
  const bool lines = o.images && files.vision.page_lines.has_value();
  const int64_t context =
      std::min(limit, o.context > 0 ? o.context : (lines ? kLineContext : kContext));
  const int64_t sequences = lines ? kLinesAtOnce : 1;
  // Many lines are read at once: what one holds does not depend on which were read beside it.
  o.batch_invariant |= lines;
  ASSIGN_OR_RETURN(std::unique_ptr<Session> session, OpenSession(o, context, sequences));
  extract::ModelReaderOptions options;
  ASSIGN_OR_RETURN(options.engine.runner, RunnerOptionsOf(o));
  ASSIGN_OR_RETURN(options.engine.kv_type, KvTypeOf(o, options.engine.runner.compute));
  options.engine.context = context;
  options.engine.max_sequences = sequences;
  options.max_tokens = o.max_tokens;
  options.dpi = o.source.dpi;
  options.identity.model = model;
  options.identity.architecture = files.config.architecture;
  ASSIGN_OR_RETURN(options.identity.digest, ModelDigest(*files.checkpoint));
  for (const AttachedAdapter& adapter : session->adapters.adapters()) {
    options.identity.adapters.push_back(adapter.name + " " + adapter.digest);
  }
  ASSIGN_OR_RETURN(std::unique_ptr<extract::ModelReader> reader,
                   extract::ModelReader::Create(std::move(session), options));
  return std::unique_ptr<extract::Reader>(std::move(reader));
}

bool SameFile(const std::string& a, const std::string& b) {
  std::error_code missing;
  return !b.empty() && std::filesystem::equivalent(a, b, missing);
}

// What an answer depends on beside the model's weights, its adapters and the pages.
std::string SettingsOf(const ExtractCliOptions& o) {
  Json scales = o.adapters.scales;
  return Json::array({GALEN_VERSION, o.source.dpi, o.context, o.max_tokens, o.compute,
                      o.activations, o.kv, o.weights, o.batch_invariant, o.mmproj,
                      std::move(scales)})
      .dump();
}

// The readers, and around them what --resume keeps of their answers.
struct Readers {
  std::unique_ptr<extract::Reader> first, second;
  std::unique_ptr<extract::AnswerFile> file;
  std::unique_ptr<extract::KeptReader> kept, kept_second;

  // What the kept answers are about: these files, read by these models in this way.
  std::string CaseOf(const ExtractCliOptions& o, const extract::Case& source) const {
    Json parts = Json::array({SettingsOf(o), o.schema, o.source.pages});
    for (const extract::Case::File& one : source.files()) parts.push_back(one.sha256);
    for (const auto* one : {&first, &second}) {
      if (*one == nullptr) continue;
      const extract::ReaderIdentity identity = (*one)->identity();
      parts.push_back(identity.digest);
      parts.push_back(identity.adapters);
    }
    const std::string text = parts.dump();
    return Sha256Hex({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  }
  Status Keep(const ExtractCliOptions& o, const extract::Case& source) {
    if (o.resume.empty()) return OkStatus();
    ASSIGN_OR_RETURN(file, extract::AnswerFile::Open(o.resume, CaseOf(o, source)));
    kept = std::make_unique<extract::KeptReader>(first.get(), file.get(), SettingsOf(o));
    if (second == nullptr) return OkStatus();
    kept_second = std::make_unique<extract::KeptReader>(second.get(), file.get(), SettingsOf(o));
    return OkStatus();
  }
  extract::Reader* reader() const { return kept != nullptr ? kept.get() : first.get(); }
  extract::Reader* other() const {
    return kept_second != nullptr ? kept_second.get() : second.get();
  }
  Status Done() const {
    if (file == nullptr) return OkStatus();
    const int64_t found =
        kept->pages_found() + (kept_second != nullptr ? kept_second->pages_found() : 0);
    if (found > 0) std::cerr << "galen: pages that had been read before: " << found << "\n";
    return file->Remove();
  }
};

// A line for people: numbers of values alone, nothing of the document.
void Summarise(const extract::Extraction& extraction) {
  std::cerr << "galen: " << extraction.kind->title << ", " << extraction.CountStated()
            << " values, " << extraction.Count(extract::Level::kFlag) << " flagged, "
            << extraction.Count(extract::Level::kNote) << " with notes\n";
  const auto& warnings = extraction.warnings;  // those of opening the files were told then
  for (size_t i = extraction.source->warnings().size(); i < warnings.size(); ++i)
    std::cerr << "galen: warning: " << warnings[i] << "\n";
  for (const extract::Verdict& verdict : extraction.verdicts) {
    if (verdict.level != extract::Level::kFlag) continue;
    std::cerr << "galen: " << verdict.id << ": " << verdict.message << "\n";
  }
}

Status RunExtract(ExtractCliOptions o) {
  if (!o.resume.empty() && (o.resume == o.out || SameFile(o.resume, o.out))) {
    return InvalidArgument("--resume and --out name the same file");
  }
  const InterruptScope scope(true);
  o.source.cancelled = InterruptScope::Interrupted;
  o.source.threads = std::min(ThreadsOf(o.threads), kPagesAtOnce);
  o.source.ocr = o.ocr == "never"    ? extract::OcrUse::kNever
                 : o.ocr == "always" ? extract::OcrUse::kAlways
                                     : extract::OcrUse::kAuto;
  extract::ExtractOptions options;
  options.kind = o.schema;
  if (o.schema != extract::kAutoKind) RETURN_IF_ERROR(extract::FindKind(o.schema).status());
  if (o.today.empty()) {
    options.today = extract::Today();
  } else if (!extract::ReadIsoDate(o.today, &options.today) ||
             !extract::IsPossible(options.today)) {
    return InvalidArgument("--today wants a date such as 2026-01-31");
  }
  std::unique_ptr<Progress> progress;
  o.source.progress = [&](int64_t done, int64_t total) {
    if (progress == nullptr) progress = std::make_unique<Progress>("pages opened", total);
    progress->Add(1);
    if (done == total) progress.reset();
  };
  ASSIGN_OR_RETURN(extract::Case opened, extract::Case::Open(o.files, o.source));
  for (const std::string& warning : opened.warnings()) {
    std::cerr << "galen: warning: " << warning << "\n";
  }
  const auto source = std::make_shared<const extract::Case>(std::move(opened));
  Readers readers;
  ASSIGN_OR_RETURN(readers.first, OpenReader(o, o.model));
  if (!o.second_model.empty()) {
    // Adapters and projector are the first model's.
    ExtractCliOptions other = o;
    other.adapters = {};
    other.mmproj.clear();
    ASSIGN_OR_RETURN(readers.second, OpenReader(other, o.second_model));
  }
  RETURN_IF_ERROR(readers.Keep(o, *source));
  int64_t shown = 0;
  options.cancelled = o.source.cancelled;
  options.threads = o.source.threads;
  options.progress = [&](const std::string& what, int64_t done, int64_t total) {
    if (progress == nullptr) progress = std::make_unique<Progress>("pages, " + what, total);
    progress->Add(done - shown);
    shown = done == total ? 0 : done;
    if (done == total) progress.reset();
  };
  const Result<extract::Extraction> read =
      extract::Extract(source, options, readers.reader(), readers.other());
  if (!read.ok()) {
    if (!o.resume.empty()) {
      std::cerr << "galen: " << o.resume << " holds the answers so far; the same command goes on\n";
    }
    return read.status();
  }
  const extract::Extraction& extraction = *read;
  ASSIGN_OR_RETURN(const std::string text,
                   extract::Write(o.format, extraction, extract::OutputNow(GALEN_VERSION)));
  if (o.out.empty()) {
    std::cout << text << std::flush;
    if (!std::cout) return Status(StatusCode::kIo, "standard output cannot be written");
  } else {
    RETURN_IF_ERROR(WriteFileAtomically(o.out, text));
  }
  RETURN_IF_ERROR(readers.Done());
  Summarise(extraction);
  return OkStatus();
}

}  // namespace

void AddExtract(CLI::App& app, Action* action) {
  auto o = std::make_shared<ExtractCliOptions>();
  o->model = kMiniModel;
  CLI::App* verb = app.add_subcommand(
      "extract", "Checked values of a medical document: PDF files and pictures, one case");
  verb->add_option("files", o->files, "PDF files and pictures, pages in this order")
      ->type_name("FILE")
      ->required();
  verb->add_option("--schema", o->schema,
                   "The kind of document, a JSON Schema file, or auto (the pages say which kind)")
      ->type_name("auto|KIND|FILE")
      ->capture_default_str();
  verb->add_option("--model", o->model,
                   "What reads: a GGUF file, a Hugging Face directory, or a name of `galen list`")
      ->type_name("MODEL")
      ->capture_default_str();
  verb->add_option("--second-model", o->second_model,
                   "A second reader; where the two disagree, values are flagged")
      ->type_name("MODEL");
  verb->add_option(
          "--format", o->format,
          "json, csv, fhir (an R4 bundle), html (side by side), sr (a DICOM file), or text "
          "(a table). Default: json; on a terminal text")
      ->check(CLI::IsMember({"json", "csv", "fhir", "html", "sr", "text"}));
  verb->add_option("--out", o->out, "File to write (default: standard output)")->type_name("FILE");
  verb->add_option("--pages", o->source.pages, "Pages of the PDF or TIFF: 1-3,7 or 2-");
  verb->add_option("--max-pages", o->source.max_pages, "Of the whole case")
      ->check(CLI::Range(int64_t{1}, int64_t{10000}))
      ->capture_default_str();
  verb->add_option("--dpi", o->source.dpi, "Resolution of pages for models and Tesseract")
      ->check(CLI::Range(36.0, 1200.0))
      ->capture_default_str();
  verb->add_option("--ocr", o->ocr,
                   "Tesseract as an independent reader of pages without text: auto (where it is "
                   "installed), always (or fail), never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->capture_default_str();
  verb->add_option("--resume", o->resume,
                   "Keeps the model's answers in FILE while pages are read, and takes up what is "
                   "there; it holds what the pages say, and is removed at the end")
      ->type_name("FILE");
  verb->add_option("--today", o->today, "Date that the others are compared with (default: today)");
  AddProjectorOption(*verb, o.get());
  verb->add_option("--context", o->context,
                   "Tokens of pages and answer together (default 8192, or what the model has)")
      ->check(CLI::Range(int64_t{256}, int64_t{1} << 30));
  verb->add_option("--max-tokens", o->max_tokens, "Tokens of one answer (0: what is left)")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 30));
  AddAdapterOptions(*verb, &o->adapters);
  AddComputeOptions(*verb, o.get());
  verb->callback([o, action, verb] {
    RequireUsage(ReadAdapterOptions(*verb, &o->adapters));
    if (o->format.empty()) {
      const bool watched = o->out.empty() && ::isatty(STDOUT_FILENO) != 0;
      o->format = watched ? "text" : "json";
    }
    if (o->format == "sr" && o->out.empty() && ::isatty(STDOUT_FILENO) != 0) {
      RequireUsage(InvalidArgument("--format sr writes a DICOM file: name it with --out FILE"));
    }
    *action = [o] { return RunExtract(*o); };
  });
}

}  // namespace galen::cli
