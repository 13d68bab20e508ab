// Which weight of a model a tensor of an adapter means: both generations of Hugging Face's names
// for multimodal models, and GGUF's.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/open_model.h"

namespace galen {

// One weight that an adapter can change.
struct AdapterTarget {
  ParamSpec spec;
  bool tower = false;
  bool loaded = true;                   // false: of an image tower that is not loaded
  EmbeddingLayer* embedding = nullptr;  // where spec is the table
  LinearLayer* layer() const { return spec.layer; }
};

class AdapterTargets {
 public:
  explicit AdapterTargets(LoadedModel& loaded);

  // The weights of the name ("model.layers.0.mlp.up_proj.weight", GGUF: "blk.0.ffn_up.weight");
  // fused projections are several. Empty: none.
  std::vector<const AdapterTarget*> Find(std::string_view name, bool gguf) const;
  // "; the nearest names are ...".
  std::string Nearest(std::string_view name, bool gguf) const;

 private:
  std::vector<std::string> Spellings(std::string_view name, bool gguf) const;

  std::unique_ptr<ImageTower> unloaded_tower_;
  std::vector<AdapterTarget> targets_;
  std::multimap<std::string, size_t> by_name_, by_gguf_name_;
};

}  // namespace galen
