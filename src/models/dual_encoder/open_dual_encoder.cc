#include "models/dual_encoder/open_dual_encoder.h"

#include <filesystem>
#include <utility>

namespace galen {
namespace {

// The directory of a model given as itself or as a file inside it.
std::string DirectoryOf(const std::string& path) {
  if (IsDirectory(path)) return path;
  return std::filesystem::path(path).parent_path().string();
}

Status NoTower(const DualEncoderFiles& files, const char* tower, const char* key) {
  return NotFound(files.checkpoint->path() + ": there is no " + tower + " tower (" + key +
                  " is missing, model_type " + files.config.model_type + ")");
}

}  // namespace

bool IsDualEncoderPath(const std::string& path) {
  const std::string directory = DirectoryOf(path);
  if (path.ends_with(".gguf") || !FileExists(directory + "/config.json")) return false;
  const Result<HfConfig> config = HfConfig::Open(directory);
  return config.ok() && IsDualEncoder(config->model_type());
}

Result<DualEncoderFiles> ReadDualEncoder(const std::string& path) {
  DualEncoderFiles files;
  ASSIGN_OR_RETURN(files.checkpoint, OpenCheckpoint(path));
  if (files.checkpoint->kind() != CheckpointKind::kSafetensors) {
    return Unsupported(path + ": image-text models are read from Hugging Face directories");
  }
  const std::string& directory = files.checkpoint->directory();
  ASSIGN_OR_RETURN(const HfConfig config, HfConfig::Open(directory));
  ASSIGN_OR_RETURN(files.config, ReadDualEncoderConfig(config, *files.checkpoint));
  files.config.name =
      std::filesystem::path(directory).lexically_normal().parent_path().filename().string();
  const std::string last = std::filesystem::path(directory).filename().string();
  if (!last.empty()) files.config.name = last;
  return files;
}

Result<LoadedDualEncoder> OpenDualEncoder(const std::string& path,
                                          const OpenDualEncoderOptions& options,
                                          const KernelTable& kernels, ThreadPool& pool) {
  ASSIGN_OR_RETURN(DualEncoderFiles files, ReadDualEncoder(path));
  DualEncoderConfig& config = files.config;
  if (options.vision && !config.vision) {
    return NoTower(files, "image", "vision_model.embeddings.patch_embedding.weight");
  }
  if (options.text && !config.text) {
    return NoTower(files, "text", "text_model.embeddings.token_embedding.weight");
  }
  if (!options.vision) {
    config.vision.reset();
    config.classifier.reset();
    config.vision_projection = false;
  }
  if (!options.text) {
    config.text.reset();
    config.text_projection = false;
  }
  config.similarity = config.similarity && config.vision && config.text;

  LoadedDualEncoder loaded;
  loaded.checkpoint = files.checkpoint;
  loaded.model = std::make_unique<DualEncoder>(std::move(config));
  const std::vector<ParamGroup> groups = loaded.model->Params();
  std::vector<ParamSource> params;
  for (const ParamGroup& group : groups) {
    ASSIGN_OR_RETURN(ParamSources found, FindParams(*files.checkpoint, group.specs, group.scope));
    for (ParamSource& source : found.params) {
      source.round_to_bf16 = options.compute != Compute::kFp32;
      params.push_back(std::move(source));
    }
  }
  loaded.plan = WeightStore::Plan(*files.checkpoint, params, options.use, kernels);
  const bool int8 =
      options.compute == Compute::kInt8 && options.vision && options.use == WeightUse::kInference;
  if (int8) loaded.plan.matrix_bytes += loaded.model->Int8ImageBytes(kernels);
  if (options.admit) RETURN_IF_ERROR(options.admit(*loaded.model, loaded.plan));
  ASSIGN_OR_RETURN(loaded.weights,
                   WeightStore::Load(files.checkpoint, params, options.use, kernels, pool));
  if (int8) RETURN_IF_ERROR(loaded.model->MakeInt8Images(kernels, pool));
  return loaded;
}

}  // namespace galen
