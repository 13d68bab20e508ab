// galen quantize: a checkpoint in another type, with what it costs.
#include "quantize/quantize.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

#include "base/files.h"
#include "commands.h"
#include "progress.h"
#include "quantize/calibration.h"
#include "session.h"

namespace galen::cli {
namespace {

struct QuantizeVerbOptions {
  std::string source, destination, type, head = "auto", vision = "keep", evaluate, calibration;
  int64_t evaluate_tokens = 4096, window = 512, calibration_tokens = 16384;
  double shard_gb = 5;
  int threads = 0;
  bool plain_scales = false;
  bool json = false;
};

// How far the predictions of the result are from those of the source.
struct Drift {
  int64_t tokens = 0;
  double source_perplexity = 0, perplexity = 0, kl_mean = 0, greedy_agreement = 0;
};

// source: the model's path, where o.source may be a name.
Result<Drift> Evaluate(const QuantizeVerbOptions& o, const std::string& source_path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(o.evaluate, size_t{256} << 20));
  ModelOptions source, result;
  source.model = source_path;
  result.model = o.destination;
  source.threads = result.threads = o.threads;
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> reference, OpenSession(source, o.window));
  RETURN_IF_ERROR(reference->files().tokenizer_status);
  const Tokenizer& tokenizer = *reference->files().tokenizer;
  ASSIGN_OR_RETURN(std::vector<int32_t> tokens, tokenizer.Encode(text));
  tokens.resize(std::min<size_t>(tokens.size(), static_cast<size_t>(o.evaluate_tokens)));
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, OpenSession(result, o.window));
  ScoreOptions options;
  ASSIGN_OR_RETURN(options.runner, RunnerOptionsOf(source));
  Progress progress("evaluating", static_cast<int64_t>(tokens.size()));
  Drift drift;
  double nll = 0, source_nll = 0, kl = 0, same = 0;
  const std::span<const int32_t> prefix = tokenizer.prefix_ids();
  const int64_t step = std::max<int64_t>(o.window - static_cast<int64_t>(prefix.size()), 2);
  for (size_t at = 0; at + 1 < tokens.size(); at += static_cast<size_t>(step)) {
    std::vector<int32_t> part(prefix.begin(), prefix.end());
    const size_t end = std::min(tokens.size(), at + static_cast<size_t>(step));
    part.insert(part.end(), tokens.begin() + static_cast<int64_t>(at),
                tokens.begin() + static_cast<int64_t>(end));
    if (part.size() < 2) break;
    ASSIGN_OR_RETURN(const ScoreComparison c,
                     CompareModels(session->model(), reference->model(), *session->kernels,
                                   *session->threads, options, part));
    const auto n = static_cast<double>(c.logprobs.size());
    for (float x : c.logprobs) nll -= x;
    for (float x : c.other_logprobs) source_nll -= x;
    kl += c.kl_mean * n;
    same += c.greedy_agreement * n;
    drift.tokens += static_cast<int64_t>(c.logprobs.size());
    progress.Add(static_cast<int64_t>(end - at));
  }
  if (drift.tokens == 0) {
    return InvalidArgument(o.evaluate + " has fewer than two tokens: there is nothing to predict");
  }
  const auto n = static_cast<double>(drift.tokens);
  drift.perplexity = std::exp(nll / n);
  drift.source_perplexity = std::exp(source_nll / n);
  drift.kl_mean = kl / n;
  drift.greedy_agreement = same / n;
  return drift;
}

Json ReportJson(const QuantizeReport& report, double seconds) {
  Json tensors = Json::array();
  for (const TensorReport& t : report.tensors) {
    Json row = {{"name", t.name},
                {"from", t.from},
                {"to", t.to},
                {"elements", t.elements},
                {"source_bytes", t.source_bytes},
                {"bytes", t.bytes}};
    if (t.from != t.to) {
      row["relative_rms_error"] = t.error.relative_rms();
      row["largest_error"] = t.error.largest;
    }
    tensors.push_back(std::move(row));
  }
  return {{"path", report.path},   {"source_bytes", report.source_bytes},
          {"bytes", report.bytes}, {"seconds", seconds},
          {"notes", report.notes}, {"tensors", std::move(tensors)}};
}

struct TypeRow {
  std::string name;
  int64_t count = 0, bytes = 0;
  TensorError error;
  bool changed = false;
};

void Print(const QuantizeReport& report, double seconds) {
  std::vector<TypeRow> rows;
  for (const TensorReport& t : report.tensors) {
    const std::string name = t.from == t.to ? t.to : t.from + " -> " + t.to;
    auto row =
        std::find_if(rows.begin(), rows.end(), [&](const TypeRow& r) { return r.name == name; });
    if (row == rows.end()) {
      row = rows.insert(rows.end(), TypeRow());
      row->name = name;
    }
    ++row->count;
    row->bytes += t.bytes;
    row->changed = t.from != t.to;
    row->error.squares += t.error.squares;
    row->error.source_squares += t.error.source_squares;
  }
  std::printf("%-18s %8s %12s %12s\n", "type", "tensors", "MB", "rms error");
  for (const TypeRow& row : rows) {
    std::printf("%-18s %8lld %12.1f ", row.name.c_str(), static_cast<long long>(row.count),
                static_cast<double>(row.bytes) / 1e6);
    if (row.changed)
      std::printf("%10.3f %%\n", 100 * row.error.relative_rms());
    else
      std::printf("%12s\n", "-");
  }
  std::printf("%s: %.1f MB, %.1f %% of the source, %.1f s\n", report.path.c_str(),
              static_cast<double>(report.bytes) / 1e6,
              100.0 * static_cast<double>(report.bytes) /
                  static_cast<double>(std::max<int64_t>(report.source_bytes, 1)),
              seconds);
  for (const std::string& note : report.notes) std::printf("note: %s\n", note.c_str());
}

Status CheckUsage(const QuantizeVerbOptions& o) {
  if (o.type != "nf4" && o.type != "int8") return OkStatus();
  if (!o.calibration.empty()) {
    return InvalidArgument("--calibration is for GGUF types: the scales of " + o.type +
                           " follow from the weights alone");
  }
  if (o.head == "q8_0") {
    return InvalidArgument(
        "--head q8_0 is for GGUF types; bitsandbytes directories keep the head "
        "(keep) or quantise it like the rest (same)");
  }
  return OkStatus();
}

Status Quantize(const QuantizeVerbOptions& o) {
  ModelOptions named;
  named.model = o.source;
  RETURN_IF_ERROR(ResolveModel(&named));
  QuantizeOptions options;
  options.type = o.type;
  options.head = o.head == "keep"   ? HeadType::kKeep
                 : o.head == "q8_0" ? HeadType::kQ8_0
                 : o.head == "same" ? HeadType::kSame
                                    : HeadType::kAuto;
  options.vision = o.vision == "same" ? VisionType::kSame : VisionType::kKeep;
  options.double_quant = !o.plain_scales;
  options.shard_bytes = static_cast<int64_t>(o.shard_gb * 1e9);
  ThreadPool pool(o.threads > 0 ? o.threads : AvailableProcessors());
  options.pool = &pool;
  std::unique_ptr<Progress> progress;
  options.progress = [&](int64_t total, int64_t done) {
    if (progress == nullptr) progress = std::make_unique<Progress>("quantising", total);
    progress->Add(done);
  };
  const double begin = Now();
  Calibration calibration;
  if (!o.calibration.empty()) {
    ASSIGN_OR_RETURN(const std::string text, ReadFile(o.calibration, size_t{256} << 20));
    CalibrationOptions settings;
    settings.max_tokens = o.calibration_tokens;
    std::unique_ptr<Progress> bar;
    settings.progress = [&](int64_t total, int64_t done) {
      if (bar == nullptr) bar = std::make_unique<Progress>("calibrating", total);
      bar->Add(done);
    };
    ASSIGN_OR_RETURN(calibration, Calibrate(named.model, text, pool, settings));
    options.importance = &calibration.importance;
  }
  Result<QuantizeReport> report = QuantizeCheckpoint(named.model, o.destination, options);
  progress.reset();
  RETURN_IF_ERROR(report.status());
  const double seconds = Now() - begin;
  Drift drift;
  if (!o.evaluate.empty()) {
    ASSIGN_OR_RETURN(drift, Evaluate(o, named.model));
  }
  if (o.json) {
    Json json = ReportJson(*report, seconds);
    if (!o.calibration.empty()) {
      json["calibration"] = {{"tokens", calibration.tokens},
                             {"matrices", calibration.importance.size()}};
    }
    if (!o.evaluate.empty()) {
      json["evaluation"] = {{"tokens", drift.tokens},
                            {"source_perplexity", drift.source_perplexity},
                            {"perplexity", drift.perplexity},
                            {"kl_mean", drift.kl_mean},
                            {"greedy_agreement", drift.greedy_agreement}};
    }
    std::cout << json.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
    return OkStatus();
  }
  Print(*report, seconds);
  if (!o.evaluate.empty()) {
    std::printf(
        "%lld tokens: perplexity %.4f (source %.4f), mean KL %.3g, same most likely token %.2f "
        "%%\n",
        static_cast<long long>(drift.tokens), drift.perplexity, drift.source_perplexity,
        drift.kl_mean, 100 * drift.greedy_agreement);
  }
  return OkStatus();
}

}  // namespace

void AddQuantize(CLI::App& app, Action* action) {
  auto o = std::make_shared<QuantizeVerbOptions>();
  CLI::App* verb = app.add_subcommand(
      "quantize", "A checkpoint in another type: bitsandbytes (nf4, int8) or GGUF");
  verb->add_option("source", o->source, "A Hugging Face directory, a GGUF file, or ollama:NAME")
      ->type_name("MODEL")
      ->required();
  verb->add_option("destination", o->destination,
                   "The directory (nf4, int8) or file (other types) to make")
      ->type_name("PATH")
      ->required();
  std::vector<std::string> types;
  for (const std::string_view name : QuantizeTypeNames()) types.emplace_back(name);
  verb->add_option("--type", o->type, "What to quantise to")
      ->required()
      ->check(CLI::IsMember(types));
  verb->add_option("--head", o->head,
                   "Output head (and tied embedding): auto, keep as in the source, q8_0, or the "
                   "same as the rest")
      ->check(CLI::IsMember({"auto", "keep", "q8_0", "same"}))
      ->capture_default_str();
  verb->add_option("--vision", o->vision, "Image part: keep as in the source, or same as the rest")
      ->check(CLI::IsMember({"keep", "same"}))
      ->capture_default_str();
  verb->add_flag("--plain-scales", o->plain_scales,
                 "nf4: fp32 scales, not quantised to 8 bits again");
  verb->add_option("--shard-gb", o->shard_gb, "nf4, int8: largest safetensors file")
      ->check(CLI::Range(0.001, 1000.0))
      ->capture_default_str();
  verb->add_option(
          "--calibration", o->calibration,
          "GGUF types: a text that the source is run over; errors are weighed by how large "
          "each input of a matrix is there")
      ->type_name("FILE");
  verb->add_option("--calibration-tokens", o->calibration_tokens, "At most so many tokens of it")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  verb->add_option("--evaluate", o->evaluate,
                   "A text: perplexity of result and source, and KL divergence between them")
      ->type_name("FILE");
  verb->add_option("--evaluate-tokens", o->evaluate_tokens, "At most so many tokens of it")
      ->check(CLI::Range(2, 1 << 24))
      ->capture_default_str();
  verb->add_option("--evaluate-window", o->window, "Tokens that are predicted as one text")
      ->check(CLI::Range(8, 1 << 20))
      ->capture_default_str();
  verb->add_option("--threads", o->threads, "Threads that compute (0: all processors)")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  verb->add_flag("--json", o->json, "One JSON object, with the error of every tensor");
  verb->callback([o, action] {
    RequireUsage(CheckUsage(*o));
    *action = [o]() -> Status { return Quantize(*o); };
  });
}

}  // namespace galen::cli
