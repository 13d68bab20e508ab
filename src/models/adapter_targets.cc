#include "models/adapter_targets.h"

#include <algorithm>
#include <utility>

#include "base/nearest_name.h"
#include "formats/quote.h"
#include "models/vision/vision_names.h"
#include "nn/layers.h"

namespace galen {
namespace {

// What may stand before the names of the text model (models/param_sources.cc).
constexpr std::string_view kAdapterPrefixes[] = {"model.language_model.", "language_model.model.",
                                                 "language_model.", "model.", ""};

constexpr size_t kAnyDistance = size_t{1} << 30;

}  // namespace

AdapterTargets::AdapterTargets(LoadedModel& loaded) {
  for (ParamSpec& spec : loaded.model->Params()) {
    AdapterTarget& target = targets_.emplace_back();
    target.spec = std::move(spec);
    if (target.spec.name == "embed_tokens.weight") target.embedding = loaded.model->embedding();
  }
  const ModelConfig& config = loaded.model->config();
  LinearLayer* head = loaded.model->output_head();
  if (config.tie_word_embeddings) {
    AdapterTarget& target = targets_.emplace_back();
    target.spec.name = "lm_head.weight";
    target.spec.gguf_name = "output.weight";
    target.spec.rows = config.vocab_size;
    target.spec.cols = config.hidden_size;
    target.spec.matrix = &head->weight;
    target.spec.layer = head;
  }
  ImageTower* tower = loaded.tower.get();
  if (tower == nullptr && loaded.files.vision_status.ok() &&
      loaded.files.architecture->vision != nullptr) {
    unloaded_tower_ = loaded.files.architecture->vision->make_tower(loaded.files.vision);
    tower = unloaded_tower_.get();
  }
  if (tower != nullptr) {
    for (ParamSpec& spec : tower->Params()) {
      targets_.push_back({std::move(spec), true, loaded.tower != nullptr, nullptr});
    }
  }
  for (size_t i = 0; i < targets_.size(); ++i) {
    const ParamSpec& spec = targets_[i].spec;
    if (!spec.name.empty()) by_name_.emplace(spec.name, i);
    if (!spec.gguf_name.empty()) by_gguf_name_.emplace(spec.gguf_name, i);
  }
}

std::vector<std::string> AdapterTargets::Spellings(std::string_view name, bool gguf) const {
  std::vector<std::string> spellings;
  const auto kind = gguf ? CheckpointKind::kGguf : CheckpointKind::kSafetensors;
  if (std::string vision = CanonicalVisionName(kind, name); !vision.empty()) {
    spellings.push_back(std::move(vision));
  }
  if (gguf) {
    spellings.emplace_back(name);
    return spellings;
  }
  for (const std::string_view prefix : kAdapterPrefixes) {
    if (name.starts_with(prefix)) spellings.emplace_back(name.substr(prefix.size()));
  }
  return spellings;
}

std::vector<const AdapterTarget*> AdapterTargets::Find(std::string_view name, bool gguf) const {
  const auto& names = gguf ? by_gguf_name_ : by_name_;
  std::vector<const AdapterTarget*> found;
  for (const std::string& spelling : Spellings(name, gguf)) {
    const auto [begin, end] = names.equal_range(spelling);
    for (auto it = begin; it != end; ++it) found.push_back(&targets_[it->second]);
    if (!found.empty()) break;
  }
  std::sort(found.begin(), found.end(), [](const AdapterTarget* a, const AdapterTarget* b) {
    return a->spec.hf_slice < b->spec.hf_slice;
  });
  return found;
}

std::string AdapterTargets::Nearest(std::string_view name, bool gguf) const {
  constexpr size_t kShown = 3;
  constexpr size_t kMostBytes = 256;
  const auto& names = gguf ? by_gguf_name_ : by_name_;
  const std::vector<std::string> spellings = Spellings(name.substr(0, kMostBytes), gguf);
  std::vector<std::pair<size_t, std::string_view>> nearest;
  for (const auto& [known, index] : names) {
    size_t best = kMostBytes;
    for (const std::string& s : spellings)
      best = std::min(best, EditDistance(s, known, kAnyDistance));
    nearest.emplace_back(best, known);
  }
  std::sort(nearest.begin(), nearest.end());
  nearest.erase(std::unique(nearest.begin(), nearest.end()), nearest.end());
  std::string text;
  for (size_t i = 0; i < std::min(kShown, nearest.size()); ++i) {
    text += (i == 0 ? "; the nearest names are " : ", ") + Quoted(nearest[i].second);
  }
  return text;
}

}  // namespace galen
