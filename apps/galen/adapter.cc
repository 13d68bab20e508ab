// galen adapter: what an adapter holds, and adding one into dense weights.
#include <cmath>
#include <cstdio>
#include <iostream>
#include <set>

#include "adapter_options.h"
#include "commands.h"
#include "engine/memory_plan.h"
#include "models/merge_adapter.h"
#include "session.h"

namespace galen::cli {
namespace {

struct InspectOptions {
  std::string path, base;
  bool json = false;
};

struct MergeVerbOptions {
  std::string base, path, out;
  std::string type = "same";
  double scale = 1.0;
  bool json = false;
};

// Whether it fits a model, and what does not.
Result<Json> FitOf(const AdapterFile& file, const std::string& base) {
  ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
  ThreadPool pool(AvailableProcessors());
  OpenModelOptions open;
  open.kernels = &KernelsFor(isa);
  open.pool = &pool;
  open.use = WeightUse::kMapped;
  ASSIGN_OR_RETURN(LoadedModel loaded, OpenModel(base, open));
  ModelAdapters adapters;
  AdapterOptions options;
  options.allow_unmatched = true;
  RETURN_IF_ERROR(adapters.Attach(loaded, file, options, *open.kernels, pool));
  const AttachedAdapter& attached = adapters.adapters()[0];
  return Json{{"model", base},
              {"fits", attached.skipped.empty()},
              {"modules", attached.modules},
              {"skipped", attached.skipped},
              {"notes", attached.notes}};
}

Result<Json> Report(const InspectOptions& o) {
  ASSIGN_OR_RETURN(const AdapterFile file, OpenAdapter(o.path));
  Json modules = Json::array();
  Json ranks = Json::array();
  std::set<int64_t> seen;
  bool changes = false;
  int64_t replaced = 0;
  for (const AdapterModule& m : file.modules) {
    if (m.low_rank()) {
      const double norm = DeltaNorm(m);
      changes = changes || norm != 0 || m.magnitude != nullptr;
      seen.insert(m.a->shape[0]);
      modules.push_back({{"module", m.path},
                         {"rank", m.a->shape[0]},
                         {"scaling", m.scaling},
                         {"delta_norm", norm},
                         {"dora", m.magnitude != nullptr}});
    }
    for (size_t i = 0; i < m.replaced.size(); ++i) {
      ++replaced;
      changes = true;
      modules.push_back({{"replaced", m.replaced_names[i]}, {"shape", m.replaced[i]->shape}});
    }
  }
  for (const int64_t rank : seen) ranks.push_back(rank);
  Json json = {{"name", file.name},
               {"kind", file.gguf ? "gguf" : "peft"},
               {"digest", file.digest},
               {"base_model", file.gguf ? file.architecture : file.config.base_model},
               {"ranks", ranks},
               {"alpha", file.config.lora_alpha},
               {"rslora", file.config.use_rslora},
               {"dora", file.config.use_dora},
               {"bias", file.config.bias},
               {"bytes", file.tensor_bytes},
               {"replaced", replaced},
               {"changes_nothing", !changes},
               {"modules", modules}};
  if (!o.base.empty()) {
    ASSIGN_OR_RETURN(const std::string base, PathOfModel(o.base));
    ASSIGN_OR_RETURN(json["base"], FitOf(file, base));
  }
  return json;
}

// The report is written by then.
Status FitStatus(const InspectOptions& o, const Json& json) {
  if (o.base.empty() || json["base"]["fits"].get<bool>()) return OkStatus();
  return InvalidArgument("the adapter does not fit " + o.base + ": " +
                         std::to_string(json["base"]["skipped"].size()) +
                         " of its modules have no place there");
}

Status Inspect(const InspectOptions& o) {
  ASSIGN_OR_RETURN(const Json json, Report(o));
  if (o.json) {
    std::cout << json.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
    return FitStatus(o, json);
  }
  const auto text = [&](const char* key) { return json[key].get<std::string>(); };
  std::printf("adapter    %s (%s)\nbase       %s\ndigest     %s\n", text("name").c_str(),
              text("kind").c_str(), text("base_model").c_str(), text("digest").c_str());
  std::printf("rank       %s, alpha %g%s%s, bias %s\n", json["ranks"].dump().c_str(),
              json["alpha"].get<double>(), json["rslora"].get<bool>() ? ", rsLoRA" : "",
              json["dora"].get<bool>() ? ", DoRA" : "", text("bias").c_str());
  std::printf("size       %s\n", FormatBytes(json["bytes"].get<int64_t>()).c_str());
  for (const Json& m : json["modules"]) {
    if (m.contains("replaced")) {
      std::printf("  %-64s replaced whole, %s\n", m["replaced"].get<std::string>().c_str(),
                  m["shape"].dump().c_str());
    } else {
      std::printf("  %-64s rank %lld, scaling %g, |delta| %.4g%s\n",
                  m["module"].get<std::string>().c_str(), m["rank"].get<long long>(),
                  m["scaling"].get<double>(), m["delta_norm"].get<double>(),
                  m["delta_norm"].get<double>() == 0 ? " (changes nothing)" : "");
    }
  }
  if (json["changes_nothing"].get<bool>()) {
    std::printf("This adapter changes nothing: every lora_B is zero.\n");
  }
  if (!o.base.empty()) {
    const Json& base = json["base"];
    std::printf("fits %s: %s\n", o.base.c_str(), base["fits"].get<bool>() ? "yes" : "no");
    for (const Json& note : base["notes"]) std::printf("  %s\n", note.get<std::string>().c_str());
  }
  return FitStatus(o, json);
}

Status Merge(const MergeVerbOptions& o) {
  ASSIGN_OR_RETURN(const AdapterFile file, OpenAdapter(o.path));
  MergeOptions options;
  options.scale = o.scale;
  options.float32 = o.type == "f32";
  ASSIGN_OR_RETURN(const std::string base, PathOfModel(o.base));
  ASSIGN_OR_RETURN(const MergeReport report, MergeAdapter(base, file, options, o.out));
  if (o.json) {
    std::cout << Json{{"out", o.out},
                      {"changed", report.changed},
                      {"bytes", report.bytes},
                      {"untied", report.untied},
                      {"adapter", {{"digest", file.digest}, {"scale", o.scale}}}}
                     .dump(-1, ' ', false, Json::error_handler_t::replace)
              << "\n";
    return OkStatus();
  }
  std::printf("%s: %lld tensors changed, %s%s\n", o.out.c_str(),
              static_cast<long long>(report.changed), FormatBytes(report.bytes).c_str(),
              report.untied ? "; the output head is now a matrix of its own" : "");
  return OkStatus();
}

}  // namespace

void AddAdapter(CLI::App& app, Action* action) {
  CLI::App* verb = app.add_subcommand("adapter", "Look into low-rank adapters and merge them");
  verb->require_subcommand(1);
  auto i = std::make_shared<InspectOptions>();
  CLI::App* inspect = verb->add_subcommand("inspect", "What an adapter changes, and how much");
  inspect->add_option("adapter", i->path, "A directory of PEFT or a GGUF adapter")
      ->type_name("PATH")
      ->required();
  inspect
      ->add_option("--base", i->base,
                   "A model: does the adapter fit it? If not, the exit code is 1")
      ->type_name("MODEL");
  inspect->add_flag("--json", i->json, "One JSON object");
  inspect->callback([i, action] { *action = [i] { return Inspect(*i); }; });
  auto m = std::make_shared<MergeVerbOptions>();
  CLI::App* merge = verb->add_subcommand(
      "merge", "Add an adapter into a Hugging Face directory of dense weights");
  merge->add_option("base", m->base, "The model")->type_name("MODEL")->required();
  merge->add_option("adapter", m->path, "The adapter")->type_name("PATH")->required();
  merge->add_option("out", m->out, "The directory to make")->type_name("DIR")->required();
  merge->add_option("--adapter-scale", m->scale, "How much the adapter counts")
      ->capture_default_str();
  merge->add_option("--type", m->type, "Of changed tensors: same as the base's, or f32")
      ->check(CLI::IsMember({"same", "f32"}))
      ->capture_default_str();
  merge->add_flag("--json", m->json, "One JSON object");
  merge->callback([m, action] { *action = [m] { return Merge(*m); }; });
}

}  // namespace galen::cli
