#include "models/vision_files.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "formats/hf_config.h"

namespace galen {
namespace {

constexpr size_t kMostFiles = 4096;  // of a folder that are looked at

Result<VisionFiles> OpenProjector(const Architecture& architecture, const ModelConfig& text,
                                  const std::string& path) {
  VisionFiles files;
  ASSIGN_OR_RETURN(files.checkpoint, OpenCheckpoint(path));
  if (files.checkpoint->gguf() == nullptr) {
    return InvalidArgument(path + ": an image projector file is a GGUF file");
  }
  const GgufFile& gguf = *files.checkpoint->gguf();
  ASSIGN_OR_RETURN(const std::string_view kind, gguf.GetString("general.architecture"));
  if (kind != "clip") {
    return InvalidArgument(path + " is no image projector file: general.architecture is '" +
                           std::string(kind.substr(0, 40)) + "', expected 'clip'");
  }
  ASSIGN_OR_RETURN(files.config, architecture.vision->config_from_gguf(gguf, text));
  RETURN_IF_ERROR(ValidateVisionConfig(files.config, path));
  return files;
}

// Files beside the model that call themselves projector files, in the order of their names.
std::vector<std::string> ProjectorsBeside(const std::string& model) {
  std::vector<std::string> found;
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::path(model).parent_path();
  std::filesystem::directory_iterator it(folder.empty() ? "." : folder, error);
  for (size_t n = 0; !error && it != std::filesystem::directory_iterator() && n < kMostFiles; ++n) {
    const std::string name = it->path().filename().string();
    if (name.find("mmproj") != std::string::npos && name.ends_with(".gguf")) {
      found.push_back(it->path().string());
    }
    it.increment(error);
  }
  std::sort(found.begin(), found.end());
  return found;
}

Result<VisionFiles> FindBeside(const Architecture& architecture, const ModelConfig& text,
                               const std::string& model) {
  std::vector<VisionFiles> fitting;
  std::string names;
  std::string refused;
  for (const std::string& path : ProjectorsBeside(model)) {
    Result<VisionFiles> files = OpenProjector(architecture, text, path);
    if (files.ok()) {
      fitting.push_back(*std::move(files));
      names += (names.empty() ? "" : ", ") + path;
    } else {
      refused += "; " + files.status().message();
    }
  }
  if (fitting.size() == 1) return std::move(fitting[0]);
  if (fitting.size() > 1) {
    return InvalidArgument("several image projector files fit " + model + ": " + names +
                           "; choose one with --mmproj");
  }
  return NotFound(model +
                  " holds the text part only, and no image projector file that fits lies "
                  "beside it; name one (mmproj-*.gguf, by the model's publisher) with --mmproj" +
                  refused);
}

}  // namespace

Result<VisionFiles> FindVision(const Architecture& architecture,
                               const std::shared_ptr<const Checkpoint>& checkpoint,
                               const ModelConfig& text, const std::string& mmproj) {
  const std::string& path = checkpoint->path();
  if (architecture.vision == nullptr) {
    return Unsupported(path + " takes no images: models of the family '" +
                       std::string(architecture.name) + "' are text models");
  }
  if (!mmproj.empty()) return OpenProjector(architecture, text, mmproj);
  VisionFiles files;
  files.checkpoint = checkpoint;
  Result<VisionConfig> config = Status(StatusCode::kNotFound, "");
  if (checkpoint->gguf() != nullptr) {
    config = architecture.vision->config_from_gguf(*checkpoint->gguf(), text);
  } else {
    ASSIGN_OR_RETURN(const HfConfig hf, HfConfig::Open(checkpoint->directory()));
    config = architecture.vision->config_from_hf(hf, checkpoint->directory(), text);
  }
  if (config.ok()) {
    files.config = *config;
    RETURN_IF_ERROR(ValidateVisionConfig(files.config, path));
    return files;
  }
  if (config.status().code() != StatusCode::kNotFound || checkpoint->gguf() == nullptr) {
    return config.status();
  }
  return FindBeside(architecture, text, path);
}

}  // namespace galen
