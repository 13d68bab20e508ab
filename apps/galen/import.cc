// galen import: a GGUF file or a Hugging Face directory into the store, under a name.
#include "store/import.h"

#include <csignal>
#include <iostream>
#include <memory>

#include "base/memory.h"
#include "commands.h"
#include "models/dual_encoder/open_dual_encoder.h"
#include "progress.h"
#include "session.h"
#include "stop_signal.h"

namespace galen::cli {
namespace {

struct ImportVerbOptions {
  std::string path, mmproj;
  ImportOptions import;
  bool json = false;
};

// What galen cannot open does not go into its store. Returns the projector that belongs to it.
Result<std::string> CheckModel(const ImportVerbOptions& o) {
  if (IsDualEncoderPath(o.path)) {
    RETURN_IF_ERROR(ReadDualEncoder(o.path).status());
    return std::string();
  }
  ReadModelOptions read;
  read.mmproj = o.mmproj;
  ASSIGN_OR_RETURN(const ModelFiles files, ReadModel(o.path, read));
  const bool apart = files.vision_status.ok() && files.vision_checkpoint != files.checkpoint;
  return apart ? files.vision_checkpoint->path() : std::string();
}

Status RunImport(ImportVerbOptions o) {
  std::signal(SIGXFSZ, SIG_IGN);
  const std::atomic<bool>& stop = CatchStopSignals();
  ASSIGN_OR_RETURN(const std::string projector, CheckModel(o));
  ASSIGN_OR_RETURN(ImportPlan plan, PlanImport(o.path, projector));
  if (IsHubName(o.import.name) || IsOllamaName(o.import.name))
    return InvalidArgument("names of hf: and ollama: are for what was pulled from there");
  Progress bar("MB", plan.model.bytes() / 1'000'000);
  int64_t bytes = 0;
  o.import.on_bytes = [&](int64_t n) {
    const int64_t before = bytes / 1'000'000;
    bytes += n;
    if (bytes / 1'000'000 > before) bar.Add(bytes / 1'000'000 - before);
    return !stop.load();
  };
  o.import.cancelled = [&stop] { return stop.load(); };
  ASSIGN_OR_RETURN(const StoredModel model, ImportModel(ModelStore(), std::move(plan), o.import));
  if (o.json) {
    std::cout << Json{{"name", model.name},
                      {"bytes", model.bytes()},
                      {"files", model.files.size()},
                      {"license", model.license.text()}}
                     .dump(-1, ' ', false, Json::error_handler_t::replace)
              << "\n";
  } else {
    std::cout << model.name << ", " << FormatBytes(model.bytes())
              << ", licence: " << model.license.text() << "\n";
  }
  return OkStatus();
}

}  // namespace

void AddImport(CLI::App& app, Action* action) {
  auto o = std::make_shared<ImportVerbOptions>();
  CLI::App* verb = app.add_subcommand("import", "Copy a model of this machine into the store");
  verb->add_option("path", o->path, "A GGUF file or a Hugging Face directory")->required();
  verb->add_option("--name", o->import.name, "Its name (default: that of the file or directory)");
  verb->add_option("--mmproj", o->mmproj,
                   "Image projector file of a GGUF model (default: the one beside it that fits)");
  verb->add_flag("--replace", o->import.replace, "Another model of that name gives way");
  verb->add_flag("--json", o->json, "One line of JSON");
  verb->callback([o, action] { *action = [o] { return RunImport(*o); }; });
}

}  // namespace galen::cli
