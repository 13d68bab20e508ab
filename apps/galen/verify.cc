// galen verify: does this build, on this processor, compute what the reference does?
#include "models/verify.h"

#include <algorithm>
#include <iostream>

#include "commands.h"
#include "models/dual_encoder/open_dual_encoder.h"
#include "session.h"

namespace galen::cli {
namespace {

// The vectors to replay: of a name, of all, or of a model's family.
Result<std::vector<std::string>> Chosen(ModelOptions* o) {
  std::vector<std::string> names = GoldenNames();
  if (o->model == "all") return names;
  for (const std::string& name : names) {
    if (name == o->model) return std::vector<std::string>{name};
  }
  RETURN_IF_ERROR(ResolveModel(o));
  if (IsDualEncoderPath(o->model)) {
    ASSIGN_OR_RETURN(const DualEncoderFiles files, ReadDualEncoder(o->model));
    std::string name = files.config.family == DualEncoderFamily::kClip ? "clip" : "siglip";
    if (files.config.classifier) name += "-classifier";
    names = GoldenNamesFor(name, false);
    if (names.empty()) return NotFound("there are no golden vectors for '" + name + "'");
    return names;
  }
  ReadModelOptions read = ReadOptionsOf(*o);
  read.tokenizer = false;
  ASSIGN_OR_RETURN(const ModelFiles files, ReadModel(o->model, read));
  names = GoldenNamesFor(files.config.architecture, files.vision_status.ok());
  if (names.empty())
    return NotFound("there are no golden vectors for '" + files.config.architecture + "'");
  return names;
}

Json ResultJson(const VerifyResult& result, const char* compute) {
  Json json = {{"vectors", result.vectors}, {"compute", compute}, {"made_by", result.made_by}};
  const LayerCheck* failure = result.first_failure();
  json["pass"] = failure == nullptr;
  json["first_difference"] = failure == nullptr ? Json() : Json(failure->name);
  json["layers"] = Json::array();
  for (const LayerCheck& layer : result.layers) {
    json["layers"].push_back(
        {{"name", layer.name}, {"error", layer.error}, {"limit", layer.limit}});
  }
  return json;
}

// The layer that comes nearest to its limit.
const LayerCheck& Nearest(const VerifyResult& result) {
  const LayerCheck* nearest = &result.layers[0];
  for (const LayerCheck& layer : result.layers) {
    if (layer.error / layer.limit > nearest->error / nearest->limit) nearest = &layer;
  }
  return *nearest;
}

// Nobody is to take a pass for one of the weights of the model that was named.
std::string WhatIsReplayed(const std::string& asked) {
  const std::vector<std::string> names = GoldenNames();
  std::string text =
      "replayed: activations that the reference computed with tiny models of random weights, which "
      "are inside galen";
  if (asked != "all" && std::find(names.begin(), names.end(), asked) == names.end())
    text += ", of the architecture of " + asked + "; its own weights are not read";
  return text + "\n";
}

Status RunVerify(ModelOptions o) {
  const std::string asked = o.model;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, Chosen(&o));
  ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
  const KernelTable& kernels = KernelsFor(isa);
  ThreadPool threads(ThreadsOf(o.threads));
  Json json = {{"isa", std::string(IsaName(isa))},
               {"subject", "tiny models of random weights inside galen"},
               {"results", Json::array()}};
  if (!o.json) std::cout << WhatIsReplayed(asked) << std::flush;
  std::string failures;
  for (const std::string& name : names) {
    for (const auto& [compute, word] :
         {std::pair(Compute::kFp32, "fp32"), std::pair(Compute::kBf16, "bf16")}) {
      ASSIGN_OR_RETURN(const VerifyResult result, Verify(name, kernels, threads, compute));
      json["results"].push_back(ResultJson(result, word));
      const LayerCheck* failure = result.first_failure();
      const LayerCheck& shown = failure == nullptr ? Nearest(result) : *failure;
      if (failure != nullptr) {
        failures += (failures.empty() ? "" : "; ") + name + " in " + word +
                    " differs from the reference from '" + failure->name + "' on";
      }
      if (o.json) continue;
      std::cout << (failure == nullptr ? "pass    " : "FAILED  ") << name << " " << word << ": "
                << result.layers.size() << " activations, "
                << (failure == nullptr ? "nearest to its limit " : "first difference ")
                << shown.name << " (error " << shown.error << ", limit " << shown.limit << ")\n";
    }
  }
  json["pass"] = failures.empty();
  if (o.json) std::cout << json.dump() << "\n";
  if (failures.empty()) return OkStatus();
  return DataLoss(failures + "; instruction set " + std::string(IsaName(isa)) +
                  ". Try another with GALEN_ISA, and report the output of galen verify --json and "
                  "galen doctor");
}

}  // namespace

void AddVerify(CLI::App& app, Action* action) {
  auto o = std::make_shared<ModelOptions>();
  CLI::App* verb = app.add_subcommand("verify",
                                      "Replay the reference's activations of a tiny model of the "
                                      "same architecture, which is inside the program, layer by "
                                      "layer; the model's own weights are not read");
  verb->add_option("model", o->model, "A model, the name of golden vectors, or all")
      ->type_name("all|MODEL")
      ->required();
  AddProjectorOption(*verb, o.get());
  verb->add_option("--threads", o->threads, "Threads that compute (0: all processors)")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  verb->add_flag("--json", o->json, "One JSON object");
  verb->callback([o, action] { *action = [o] { return RunVerify(*o); }; });
}

}  // namespace galen::cli
