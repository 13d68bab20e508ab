#include "models/open_model.h"

#include <future>
#include <utility>

#include "formats/hf_config.h"
#include "models/param_sources.h"
#include "models/text_files.h"
#include "models/vision_files.h"

namespace galen {
namespace {

std::string LastPart(const std::string& path) {
  const size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return path;
  const size_t slash = path.rfind('/', end);
  return path.substr(slash == std::string::npos ? 0 : slash + 1,
                     end - (slash == std::string::npos ? 0 : slash + 1) + 1);
}

// Values that no file of a working converter holds.
Status BadConfig(const Status& status) {
  return {status.code(), status.message() +
                             "; the model's files are damaged or unusual: download or convert it "
                             "again"};
}

Status ReadGgufConfig(ModelFiles* files) {
  const GgufFile& gguf = *files->checkpoint->gguf();
  ASSIGN_OR_RETURN(const std::string_view name, gguf.GetString("general.architecture"));
  const Result<const Architecture*> architecture = ArchitectureFromGguf(name);
  if (!architecture.ok()) return architecture.status().WithContext(files->checkpoint->path());
  files->architecture = *architecture;
  Result<ModelConfig> config = files->architecture->config_from_gguf(gguf);
  if (!config.ok()) return BadConfig(config.status());
  files->config = *std::move(config);
  return OkStatus();
}

Status ReadHfConfig(ModelFiles* files) {
  ASSIGN_OR_RETURN(const HfConfig hf, HfConfig::Open(files->checkpoint->directory()));
  const Result<const Architecture*> architecture = ArchitectureFromHf(hf.model_type());
  if (!architecture.ok()) {
    return architecture.status().WithContext(files->checkpoint->directory() + "/config.json");
  }
  files->architecture = *architecture;
  Result<ModelConfig> config = files->architecture->config_from_hf(hf);
  if (!config.ok()) return BadConfig(config.status());
  files->config = *std::move(config);
  return OkStatus();
}

Result<ModelFiles> ReadHeaders(const std::string& path, const ReadModelOptions& options) {
  ModelFiles files;
  ASSIGN_OR_RETURN(files.checkpoint, OpenCheckpoint(path));
  const bool gguf = files.checkpoint->kind() == CheckpointKind::kGguf;
  RETURN_IF_ERROR(gguf ? ReadGgufConfig(&files) : ReadHfConfig(&files));
  if (files.config.name.empty()) {
    files.config.name = LastPart(gguf ? path : files.checkpoint->directory());
  }
  const Status valid = ValidateConfig(files.config, files.checkpoint->path());
  if (!valid.ok()) return BadConfig(valid);
  Result<VisionFiles> vision =
      FindVision(*files.architecture, files.checkpoint, files.config, options.mmproj);
  if (vision.ok()) {
    files.vision_checkpoint = std::move(vision->checkpoint);
    files.vision = vision->config;
    files.image_processor = files.architecture->vision->make_processor(files.vision);
  } else {
    // A file that was named must fit; a model without images is no error.
    if (!options.mmproj.empty()) return vision.status();
    files.vision_status = vision.status();
  }
  return files;
}

// What a tokenizer changes in the rest.
void ReadText(ModelFiles* files) {
  Result<std::shared_ptr<const Tokenizer>> tokenizer = ReadTokenizer(files->checkpoint);
  if (tokenizer.ok()) {
    files->tokenizer = *tokenizer;
    if (files->tokenizer->vocab_size() > files->config.vocab_size) {
      files->notes.push_back(
          "the tokenizer knows " + std::to_string(files->tokenizer->vocab_size()) +
          " tokens, the embedding table " + std::to_string(files->config.vocab_size) +
          "; the others cannot be used");
    }
  } else {
    files->tokenizer_status = tokenizer.status();
  }
  Result<TemplateSource> chat = ReadChatTemplate(*files->checkpoint, files->tokenizer.get(),
                                                 files->config.architecture, files->config.name);
  if (chat.ok()) {
    files->chat_template = std::move(chat->source);
    files->chat_template_origin = std::move(chat->origin);
  } else {
    files->notes.push_back("chat template: " + chat.status().message());
  }
}

void AddTo(WeightPlan* sum, const WeightPlan& plan) {
  sum->matrix_bytes += plan.matrix_bytes;
  sum->vector_bytes += plan.vector_bytes;
  sum->gradient_bytes += plan.gradient_bytes;
  sum->mapped_bytes += plan.mapped_bytes;
}

// Plans both parts before either is loaded.
Status LoadWeights(const OpenModelOptions& options, LoadedModel* loaded,
                   std::vector<std::string>* notes) {
  const ModelFiles& files = loaded->files;
  const KernelTable* kernels = options.kernels;
  if (kernels == nullptr) {
    ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
    kernels = &KernelsFor(isa);
  }
  loaded->model = files.architecture->make(files.config);
  const std::vector<ParamSpec> specs = loaded->model->Params();
  ASSIGN_OR_RETURN(ParamSources sources, FindParams(*files.checkpoint, specs));
  *notes = std::move(sources.notes);
  if (options.encode.has_value() && EncodeLayers(*options.encode, sources.params) == 0) {
    return InvalidArgument(files.checkpoint->path() +
                           ": no matrix of its layers can be encoded to " +
                           FormatOf(*options.encode).name +
                           " when it is loaded: they are quantised already, or their rows are no "
                           "whole blocks of " +
                           std::to_string(FormatOf(*options.encode).block_elems));
  }
  loaded->plan = WeightStore::Plan(*files.checkpoint, sources.params, options.use, *kernels);
  std::vector<ParamSpec> tower_specs;
  ParamSources tower_sources;
  if (options.images) {
    RETURN_IF_ERROR(files.vision_status);
    loaded->tower = files.architecture->vision->make_tower(files.vision);
    tower_specs = loaded->tower->Params();
    ASSIGN_OR_RETURN(tower_sources,
                     FindParams(*files.vision_checkpoint, tower_specs, VisionScope()));
    notes->insert(notes->end(), tower_sources.notes.begin(), tower_sources.notes.end());
    AddTo(&loaded->plan,
          WeightStore::Plan(*files.vision_checkpoint, tower_sources.params, options.use, *kernels));
  }
  if (options.admit) {
    RETURN_IF_ERROR(options.admit(files.config, loaded->plan, loaded->tower.get()));
  }
  std::unique_ptr<ThreadPool> own_pool;
  ThreadPool* pool = options.pool;
  if (pool == nullptr) {
    own_pool = std::make_unique<ThreadPool>(AvailableProcessors());
    pool = own_pool.get();
  }
  ASSIGN_OR_RETURN(loaded->weights, WeightStore::Load(files.checkpoint, sources.params, options.use,
                                                      *kernels, *pool));
  if (!options.images) return OkStatus();
  ASSIGN_OR_RETURN(loaded->tower_weights,
                   WeightStore::Load(files.vision_checkpoint, tower_sources.params, options.use,
                                     *kernels, *pool));
  return OkStatus();
}

}  // namespace

Result<ModelFiles> ReadModel(const std::string& path, const ReadModelOptions& options) {
  ASSIGN_OR_RETURN(ModelFiles files, ReadHeaders(path, options));
  if (options.tokenizer) ReadText(&files);
  return files;
}

Result<LoadedTower> OpenTower(
    const ModelFiles& files, WeightUse use, const KernelTable& kernels, ThreadPool& pool,
    const std::function<Status(const WeightPlan& plan, const ImageTower& tower)>& admit) {
  RETURN_IF_ERROR(files.vision_status);
  LoadedTower loaded;
  loaded.tower = files.architecture->vision->make_tower(files.vision);
  const std::vector<ParamSpec> specs = loaded.tower->Params();
  ASSIGN_OR_RETURN(const ParamSources sources,
                   FindParams(*files.vision_checkpoint, specs, VisionScope()));
  loaded.plan = WeightStore::Plan(*files.vision_checkpoint, sources.params, use, kernels);
  if (admit) RETURN_IF_ERROR(admit(loaded.plan, *loaded.tower));
  ASSIGN_OR_RETURN(loaded.weights,
                   WeightStore::Load(files.vision_checkpoint, sources.params, use, kernels, pool));
  return loaded;
}

Result<LoadedModel> OpenModel(const std::string& path, const OpenModelOptions& options) {
  LoadedModel loaded;
  ASSIGN_OR_RETURN(loaded.files, ReadHeaders(path, options.read));
  // The tokenizer and the weights touch nothing in common but the mapped file.
  auto text = std::async(std::launch::async, [files = loaded.files]() mutable {
    ReadText(&files);
    return files;
  });
  std::vector<std::string> notes;
  RETURN_IF_ERROR(LoadWeights(options, &loaded, &notes));
  loaded.files = text.get();
  loaded.files.notes.insert(loaded.files.notes.end(), notes.begin(), notes.end());
  return loaded;
}

}  // namespace galen
