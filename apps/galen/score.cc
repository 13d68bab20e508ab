// galen score: log-probabilities of a text, and what a mode costs.
#include <cmath>
#include <cstdio>
#include <iostream>

#include "base/files.h"
#include "commands.h"
#include "session.h"

namespace galen::cli {
namespace {

struct ScoreVerbOptions : ModelOptions {
  std::string file, against;
};

Result<ScoreOptions> ScoreOptionsOf(const ModelOptions& o) {
  ScoreOptions options;
  ASSIGN_OR_RETURN(options.runner, RunnerOptionsOf(o));
  ASSIGN_OR_RETURN(options.kv_type, KvTypeOf(o, options.runner.compute));
  return options;
}

double Perplexity(const std::vector<float>& logprobs) {
  double sum = 0;
  for (float x : logprobs) sum += x;
  return logprobs.empty() ? 1.0 : std::exp(-sum / static_cast<double>(logprobs.size()));
}

Status Score(const ScoreVerbOptions& o) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(o.file, size_t{256} << 20));
  ASSIGN_OR_RETURN(const ModelFiles files, ReadModel(o.model));
  RETURN_IF_ERROR(files.tokenizer_status);
  EncodeOptions encode;
  encode.add_bos = true;
  ASSIGN_OR_RETURN(const std::vector<int32_t> tokens, files.tokenizer->Encode(text, encode));
  const int64_t size = static_cast<int64_t>(tokens.size());
  if (size < 2)
    return InvalidArgument(o.file + " has fewer than two tokens: there is nothing to predict");
  if (size > files.config.max_position_embeddings) {
    return ResourceExhausted(
        o.file + " has " + std::to_string(size) + " tokens and the model's context only " +
        std::to_string(files.config.max_position_embeddings) + "; score it in parts");
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session, OpenSession(o, size));
  ASSIGN_OR_RETURN(ScoreOptions options, ScoreOptionsOf(o));
  options.runner.adapters = session->adapters.costs();
  Json json;
  json["tokens"] = tokens;
  if (!session->adapters.adapters().empty()) json["adapters"] = AdapterRecord(session->adapters);
  const auto& s = *session;
  if (o.against.empty()) {
    ASSIGN_OR_RETURN(const std::vector<float> logprobs,
                     ScoreTokens(s.model(), *s.kernels, *s.threads, options, tokens));
    json["logprobs"] = logprobs;
    json["perplexity"] = Perplexity(logprobs);
  } else {
    ModelOptions reference = o;
    reference.compute = o.against == "fp32" ? "fp32" : "bf16";
    reference.activations = o.against == "int8" ? "int8" : "bf16";
    ASSIGN_OR_RETURN(ScoreOptions other, ScoreOptionsOf(reference));
    other.runner.adapters = options.runner.adapters;
    ASSIGN_OR_RETURN(const ScoreComparison result,
                     CompareScores(s.model(), *s.kernels, *s.threads, options, other, tokens));
    json["logprobs"] = result.logprobs;
    json["perplexity"] = Perplexity(result.logprobs);
    json["kl_mean"] = result.kl_mean;
    json["greedy_agreement"] = result.greedy_agreement;
    json["against"] = {{"mode", o.against}, {"perplexity", Perplexity(result.other_logprobs)}};
  }
  if (o.json) {
    std::cout << json.dump() << "\n";
    return OkStatus();
  }
  std::printf("tokens      %lld\nperplexity  %.4f\n", static_cast<long long>(size),
              json["perplexity"].get<double>());
  if (!o.against.empty()) {
    std::printf("against %s: perplexity %.4f, mean KL %.3g, same most likely token %.2f %%\n",
                o.against.c_str(), json["against"]["perplexity"].get<double>(),
                json["kl_mean"].get<double>(), 100 * json["greedy_agreement"].get<double>());
  }
  return OkStatus();
}

}  // namespace

void AddScore(CLI::App& app, Action* action) {
  auto o = std::make_shared<ScoreVerbOptions>();
  CLI::App* verb = app.add_subcommand(
      "score", "Log-probabilities of a text; --against measures what a mode costs");
  AddModelArgument(*verb, o.get());
  verb->add_option("--file", o->file, "The text (- is standard input)")
      ->type_name("FILE")
      ->required();
  verb->add_option("--against", o->against, "Reference mode to compare with: bf16, fp32 or int8")
      ->check(CLI::IsMember({"bf16", "fp32", "int8"}));
  AddAdapterOptions(*verb, &o->adapters);
  AddComputeOptions(*verb, o.get());
  verb->add_flag("--json", o->json, "One JSON object");
  verb->callback([o, action, verb] {
    RequireUsage(ReadAdapterOptions(*verb, &o->adapters));
    RequireUsage(ComputeOf(*o).status());
    *action = [o]() -> Status {
      RETURN_IF_ERROR(ResolveModel(o.get()));
      return Score(*o);
    };
  });
}

}  // namespace galen::cli
