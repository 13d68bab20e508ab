#include "train/adapter_set.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "data/shuffle.h"
#include "ops/lora_ops.h"
#include "train/atomic_directory.h"
#include "train/peft_names.h"
#include "train/write_tensors.h"

namespace galen {
namespace {

constexpr const char* kPeftVersion = "0.21.2";  // whose fields and file names are written

}  // namespace

float AdapterSet::scaling() const {
  const double r = static_cast<double>(options_.r);
  return static_cast<float>(options_.lora_alpha / (options_.use_rslora ? std::sqrt(r) : r));
}

Status AdapterSet::Choose(const LoraOptions& options, CausalLM& model, ImageTower* tower,
                          const std::function<std::string(const ParamSpec&)>& path_of,
                          const WholeParams& whole) {
  options_ = options;
  std::vector<Target> all;
  std::vector<std::string> paths;
  const auto list = [&](const std::vector<ParamSpec>& specs, bool in_tower) {
    for (const ParamSpec& spec : specs) {
      if (spec.layer == nullptr || spec.is_vector() || spec.name == "lm_head.weight") continue;
      // A convolution in Hugging Face's model, no linear layer.
      if (spec.name.ends_with("patch_embedding.weight")) continue;
      std::string path = path_of(spec);
      const auto same = std::find(paths.begin(), paths.end(), path);
      if (spec.hf_slices > 1 && same != paths.end()) {
        all[static_cast<size_t>(same - paths.begin())].layers.push_back(spec.layer);
        continue;
      }
      paths.push_back(path);
      all.push_back({std::move(path), {spec.layer}, spec.cols, spec.rows, in_tower});
    }
  };
  list(model.Params(), false);
  if (tower != nullptr) list(tower->Params(), true);
  ASSIGN_OR_RETURN(const std::vector<bool> chosen, SelectModules(paths, options_.target_modules));
  targets_.clear();
  // Beside a layer's own outputs a token keeps a x and scaled a x, with DoRA the scaled output and
  // with dropout the thinned input and the whole one, which is not made again then (the plan of a
  // tower has it in any case); fused layers share a x.
  int64_t floats = 0, tower_floats = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    if (!chosen[i] || whole.Holds(all[i].path)) continue;
    const Target& t = targets_.emplace_back(all[i]);
    (t.tower ? tower_floats : floats) += (1 + static_cast<int64_t>(t.layers.size())) * options_.r +
                                         (options_.use_dora ? t.total_out() : 0) +
                                         (options_.lora_dropout > 0 ? (t.tower ? 1 : 2) * t.in : 0);
  }
  if (targets_.empty()) {
    return InvalidArgument(
        "lora.target_modules: each of them lies in a module of lora.modules_to_save, which is "
        "trained whole; name others, or save fewer");
  }
  std::vector<std::string> names;
  for (const Target& t : targets_) names.push_back(t.path);
  target_names_ = TargetModuleNames(names, paths);
  floats_ = floats / model.config().num_hidden_layers + 64;
  tower_floats_ = tower == nullptr ? 0 : tower_floats / tower->config().num_hidden_layers + 64;
  ListParams();
  return OkStatus();
}

void AdapterSet::ListParams() {
  params_.clear();
  for (const Target& t : targets_) {
    params_.push_back({t.path + ".lora_A.weight", nullptr, nullptr, {options_.r, t.in}, true});
    const int64_t out = t.total_out();
    params_.push_back({t.path + ".lora_B.weight", nullptr, nullptr, {out, options_.r}, true});
    if (options_.use_dora) {
      params_.push_back({t.path + ".lora_magnitude_vector", nullptr, nullptr, {out}, false});
    }
  }
}

// U(-1/sqrt(in), 1/sqrt(in)) for A, as PEFT's kaiming_uniform_(a=sqrt(5)); zero for B. A value is a
// function of the seed and its place alone.
void AdapterSet::Initialise(uint64_t seed) {
  for (size_t p = 0; p < params_.size(); p += per_target()) {
    const TrainParam& a = params_[p];
    const float bound = 1.0f / std::sqrt(static_cast<float>(a.shape[1]));
    const uint64_t key = Mix64(Mix64(seed) + p);
    for (int64_t i = 0; i < a.size(); ++i) {
      const uint64_t bits = Mix64(key + static_cast<uint64_t>(i)) >> 40;
      a.value[i] = (static_cast<float>(bits) * 0x1p-23f - 1.0f) * bound;
    }
  }
}

// DoRA begins with the norms of the base's rows.
Status AdapterSet::SetMagnitudes(const KernelTable& kernels, ThreadPool& pool) {
  int64_t bytes = 0;
  size_t at = 0;  // in layers_
  for (const Target& t : targets_) {
    for (const LinearLayer* layer : t.layers) {
      const LoraTerm& term = layers_[at++].terms[0];
      bytes = std::max(bytes, LowRankRowNormBytes(kernels, pool.size(), layer->weight, term.a));
    }
  }
  ASSIGN_OR_RETURN(Arena arena, Arena::Create(bytes + (int64_t{1} << 20)));
  ExecContext ctx;
  ctx.kernels = &kernels;
  ctx.pool = &pool;
  ctx.arena = &arena;
  ctx.compute = Compute::kFp32;
  at = 0;
  for (const Target& t : targets_) {
    for (const LinearLayer* layer : t.layers) {
      const LoraTerm& term = layers_[at++].terms[0];
      const ArenaScope scope(&arena);
      // The set's own memory.
      LowRankRowNorms(ctx, layer->weight, term.a, term.b, term.scaling,
                      const_cast<float*>(term.magnitude.data));
    }
  }
  return OkStatus();
}

Status AdapterSet::Attach(const KernelTable& kernels, ThreadPool& pool, uint64_t seed) {
  int64_t bytes = 0;
  for (const TrainParam& p : params_) bytes += LineBytes(4 * p.size());
  ASSIGN_OR_RETURN(values_, PageBuffer::Allocate(bytes, "adapters"));
  ASSIGN_OR_RETURN(gradients_, PageBuffer::Allocate(bytes, "gradients of adapters"));
  int64_t offset = 0;
  for (TrainParam& p : params_) {
    p.value = reinterpret_cast<float*>(values_.data() + offset);
    p.grad = reinterpret_cast<float*>(gradients_.data() + offset);
    offset += LineBytes(4 * p.size());
  }
  const auto rows_of = [](const TrainParam& p, int64_t first, int64_t rows) {
    const int64_t at = first * p.shape[1];
    return Weight{{reinterpret_cast<const uint8_t*>(p.value + at), DType::kF32, WeightLayout::kRows,
                   rows, p.shape[1]},
                  p.grad + at};
  };
  size_t layers = 0;
  for (const Target& t : targets_) layers += t.layers.size();
  layers_.resize(layers);
  size_t at = 0;
  for (size_t i = 0; i < targets_.size(); ++i) {
    const TrainParam* p = &params_[i * per_target()];
    for (size_t slice = 0; slice < targets_[i].layers.size(); ++slice) {
      const int64_t out = targets_[i].out, first = static_cast<int64_t>(slice) * out;
      LoraTerm term;
      term.scaling = scaling();
      term.dropout = static_cast<float>(options_.lora_dropout);
      term.dropout_stream = i;
      term.a = rows_of(p[0], 0, p[0].shape[0]);
      term.b = rows_of(p[1], first, out);
      if (options_.use_dora) term.magnitude = {p[2].value + first, out, p[2].grad + first};
      layers_[at].terms = {term};
      targets_[i].layers[slice]->lora = &layers_[at++];
    }
  }
  Initialise(seed);
  return options_.use_dora ? SetMagnitudes(kernels, pool) : OkStatus();
}

bool AdapterSet::IsTarget(const std::string& module) const {
  return std::any_of(targets_.begin(), targets_.end(),
                     [&](const Target& t) { return t.path == module; });
}

Json AdapterSet::PeftConfig(const std::string& base_model, const WholeParams& whole) const {
  // A whole number as one: what PEFT writes.
  Json alpha = options_.lora_alpha;
  if (options_.lora_alpha == std::floor(options_.lora_alpha)) {
    alpha = static_cast<int64_t>(options_.lora_alpha);
  }
  return {{"peft_type", "LORA"},
          {"task_type", "CAUSAL_LM"},
          {"peft_version", kPeftVersion},
          {"base_model_name_or_path", base_model},
          {"inference_mode", true},
          {"r", options_.r},
          {"lora_alpha", alpha},
          {"lora_dropout", options_.lora_dropout},
          {"target_modules", target_names_},
          {"bias", options_.bias},
          {"modules_to_save", whole.modules().empty() ? Json() : Json(whole.modules())},
          {"ensure_weight_tying", options_.ensure_weight_tying},
          {"fan_in_fan_out", false},
          {"init_lora_weights", true},
          {"use_rslora", options_.use_rslora},
          {"use_dora", options_.use_dora}};
}

Status AdapterSet::Write(const std::string& directory, const std::string& base_model,
                         const WholeParams& whole) const {
  ASSIGN_OR_RETURN(AtomicDirectory out, AtomicDirectory::Create(directory));
  std::vector<TensorToWrite> tensors;
  for (const TrainParam& p : params_) {
    tensors.push_back({"base_model.model." + p.name, DType::kF32, p.shape,
                       reinterpret_cast<const uint8_t*>(p.value), 4 * p.size()});
  }
  std::vector<std::vector<float>> values;
  whole.AppendTensors("base_model.model.", &tensors, &values);
  RETURN_IF_ERROR(WriteTensors(out.path() + "/adapter_model.safetensors", tensors));
  RETURN_IF_ERROR(
      out.WriteFile("adapter_config.json", PeftConfig(base_model, whole).dump(2) + "\n"));
  return out.Commit();
}

}  // namespace galen
