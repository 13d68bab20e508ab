#include "train/whole_params.h"

#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/nearest_name.h"
#include "models/param_sources.h"
#include "train/file_values.h"
#include "train/peft_names.h"
#include "train/trained_tensors.h"

namespace galen {
namespace {

std::string PeftParamName(const ModelFiles& files, const ParamSpec& spec) {
  return PeftModulePath(files, spec) + (spec.name.ends_with(".weight") ? ".weight" : "");
}

// "a", "a.b", "a.b.c" of "a.b.c", in this order, until one is accepted; else "".
template <typename Accept>
std::string FirstPrefix(const std::string& path, const Accept& accept) {
  for (size_t at = path.find('.');; at = path.find('.', at + 1)) {
    const std::string prefix = path.substr(0, at);
    if (accept(prefix)) return prefix;
    if (at == std::string::npos) return "";
  }
}

// A row of a sparse gradient begins and ends within pages.
int64_t PagesBeside() { return 2 * ::sysconf(_SC_PAGESIZE); }

// The shape that Hugging Face's files have; in_file: that of the base's tensor.
std::vector<int64_t> ShapeInFiles(const ParamSpec& spec, const std::vector<int64_t>& in_file) {
  if (spec.flat) return in_file;
  if (spec.is_vector()) return {spec.rows * spec.hf_slices};
  if (spec.transposed) return {spec.cols, spec.rows};
  return {spec.rows * spec.hf_slices, spec.cols};
}

}  // namespace

Status WholeParams::List(const ModelFiles& files, ImageTower* tower) {
  all_.clear();
  unnamed_.clear();
  const auto list = [&](const Checkpoint& checkpoint, const std::vector<ParamSpec>& specs,
                        bool in_tower) -> Status {
    ASSIGN_OR_RETURN(const ParamSources sources,
                     FindParams(checkpoint, specs, in_tower ? VisionScope() : TextScope()));
    for (const ParamSource& source : sources.params) {
      if (source.spec->name.empty()) {
        unnamed_ = source.tensor.name;
        continue;
      }
      Candidate& c = all_.emplace_back();
      c.spec = *source.spec;
      c.tensor = source.tensor;
      ASSIGN_OR_RETURN(const TensorInfo* whole, checkpoint.Find(source.tensor.name));
      c.shape_in_file = ShapeInFiles(c.spec, whole->shape);
      c.name = PeftParamName(files, c.spec);
      c.module = c.name.substr(0, c.name.rfind('.'));
      c.tower = in_tower;
      c.table = !in_tower && c.spec.name == "embed_tokens.weight";
    }
    return OkStatus();
  };
  RETURN_IF_ERROR(list(*files.checkpoint, model_->Params(), false));
  if (files.config.tie_word_embeddings) {
    const auto table =
        std::find_if(all_.begin(), all_.end(), [](const Candidate& c) { return c.table; });
    GALEN_CHECK(table != all_.end());
    Candidate head = *table;
    head.name = "lm_head.weight";
    head.module = "lm_head";
    head.table = false;
    head.tied_head = true;
    all_.push_back(std::move(head));
  }
  if (tower == nullptr) return OkStatus();
  return list(*files.vision_checkpoint, tower->Params(), true);
}

// The outermost module around it that an entry means, or "".
std::string WholeParams::ModuleOf(const Candidate& candidate,
                                  const std::vector<std::string>& entries) const {
  return FirstPrefix(candidate.module, [&](const std::string& module) {
    const std::string older = OlderModulePath(module);
    return std::any_of(entries.begin(), entries.end(), [&](const std::string& entry) {
      return module.ends_with(entry) || older.ends_with(entry);
    });
  });
}

Status WholeParams::CheckEntries(const std::vector<std::string>& entries) const {
  for (const std::string& entry : entries) {
    const bool found =
        !entry.empty() && std::any_of(all_.begin(), all_.end(), [&](const Candidate& c) {
          return !ModuleOf(c, {entry}).empty();
        });
    if (found) continue;
    std::set<std::string> endings;
    for (const Candidate& c : all_) endings.insert(c.module.substr(c.module.rfind('.') + 1));
    const std::string nearest = NearestName(entry.substr(entry.rfind('.') + 1), endings);
    const bool image = entry.find("vis") != std::string::npos ||
                       entry.find("projector") != std::string::npos ||
                       entry.find("merger") != std::string::npos;
    return InvalidArgument(
        "lora.modules_to_save: no module's path ends with \"" + entry + "\"" +
        (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?") +
        (image ? " freeze_vision_tower: false lets the image part be trained" : ""));
  }
  return OkStatus();
}

Status WholeParams::Choose(const Candidate& candidate, const std::string& name) {
  const ParamSpec& spec = candidate.spec;
  Candidate& c = chosen_.emplace_back(candidate);
  c.name = name;
  TrainParam p;
  p.name = SliceName(spec, name);
  p.shape = spec.is_vector() ? std::vector<int64_t>{spec.rows}
                             : std::vector<int64_t>{spec.rows, spec.cols};
  p.decay = !spec.is_vector() || spec.flat;
  p.sparse = c.table && !tie_;
  params_.push_back(std::move(p));
  return OkStatus();
}

Status WholeParams::ChooseModules(const LoraOptions& options, const ModelFiles& files,
                                  CausalLM& model, ImageTower* tower) {
  model_ = &model;
  checkpoint_ = files.checkpoint;
  tower_checkpoint_ = files.vision_checkpoint;
  chosen_.clear();
  modules_.clear();
  params_.clear();
  tie_ = false;
  if (options.modules_to_save.empty() && options.bias == "none") return OkStatus();
  RETURN_IF_ERROR(List(files, tower));
  RETURN_IF_ERROR(CheckEntries(options.modules_to_save));
  std::vector<std::string> meant;  // for each candidate
  for (const Candidate& c : all_) {
    meant.push_back(ModuleOf(c, options.modules_to_save));
    const bool shared = c.table || c.tied_head;
    tie_ = tie_ || (options.ensure_weight_tying && files.config.tie_word_embeddings && shared &&
                    !meant.back().empty());
  }
  for (size_t i = 0; i < all_.size(); ++i) {
    const Candidate& c = all_[i];
    if (tie_ && c.table && meant[i].empty()) meant[i] = c.module;
    if (meant[i].empty() || (tie_ && c.tied_head)) continue;
    // A module that holds the whole tower holds these, too.
    if (c.tower && !unnamed_.empty() && std::count(meant[i].begin(), meant[i].end(), '.') < 2) {
      return Unsupported("lora.modules_to_save: " + meant[i] + " holds " + unnamed_ +
                         ", which Hugging Face's model keeps in another form; name modules inside "
                         "of it, or train from a Hugging Face directory");
    }
    if (std::find(modules_.begin(), modules_.end(), meant[i]) == modules_.end()) {
      modules_.push_back(meant[i]);
    }
    RETURN_IF_ERROR(Choose(c, c.name));
  }
  return OkStatus();
}

bool WholeParams::Holds(const std::string& module) const {
  return std::any_of(modules_.begin(), modules_.end(), [&](const std::string& whole) {
    return module == whole || module.starts_with(whole + ".");
  });
}

Status WholeParams::ChooseBiases(const LoraOptions& options,
                                 const std::function<bool(const std::string&)>& is_target) {
  if (options.bias == "none") return OkStatus();
  for (const Candidate& c : all_) {
    if (!c.name.ends_with(".bias") || Holds(c.module)) continue;
    const bool target = is_target(c.module);
    if (!target && options.bias == "lora_only") continue;
    // PEFT's layer keeps the base's under a name of its own.
    RETURN_IF_ERROR(Choose(c, target ? c.module + ".base_layer.bias" : c.name));
  }
  return OkStatus();
}

// The chosen weights of one part; *specs is where the sources point to.
std::vector<ParamSource> WholeParams::Sources(bool tower, std::vector<ParamSpec>* specs) const {
  specs->clear();
  specs->reserve(chosen_.size());
  std::vector<ParamSource> sources;
  for (const Candidate& c : chosen_) {
    if (c.tower != tower) continue;
    specs->push_back(c.spec);
    sources.push_back({&specs->back(), c.tensor});
  }
  return sources;
}

bool WholeParams::Replaces(const ParamSpec& spec) const {
  const bool own_head = tie_ || std::any_of(chosen_.begin(), chosen_.end(),
                                            [](const Candidate& c) { return c.tied_head; });
  return std::any_of(chosen_.begin(), chosen_.end(), [&](const Candidate& c) {
    if (c.tied_head || c.spec.matrix != spec.matrix || c.spec.vector != spec.vector) return false;
    return !c.table || own_head || !model_->config().tie_word_embeddings;
  });
}

void WholeParams::AddMemory(const KernelTable& kernels, int64_t step_tokens,
                            TrainMemory* memory) const {
  std::vector<ParamSpec> specs;
  for (const bool tower : {false, true}) {
    const std::vector<ParamSource> sources = Sources(tower, &specs);
    if (sources.empty()) continue;
    const WeightPlan plan = WeightStore::Plan(*(tower ? tower_checkpoint_ : checkpoint_), sources,
                                              WeightUse::kTrained, kernels);
    memory->parameters += plan.matrix_bytes + plan.vector_bytes;
    memory->gradients += plan.gradient_bytes;
  }
  for (size_t i = 0; i < chosen_.size(); ++i) {
    if (!params_[i].sparse) continue;
    const int64_t row = 4 * chosen_[i].spec.cols, rows = chosen_[i].spec.rows;
    const int64_t all = rows * row, most = step_tokens * (row + PagesBeside());
    memory->gradients -= std::max<int64_t>(0, all - most);
  }
}

Status WholeParams::Attach(const KernelTable& kernels, ThreadPool& pool) {
  // From here on the specs' slots are the copies; what they replace is remembered meanwhile.
  std::vector<ParamSpec> base;
  slots_.assign(chosen_.size(), Slot());
  for (size_t i = 0; i < chosen_.size(); ++i) {
    ParamSpec& spec = base.emplace_back(chosen_[i].spec);
    ParamSpec& own = chosen_[i].spec;
    if (spec.is_vector()) {
      own.vector = &slots_[i].vector;
    } else {
      own.matrix = &slots_[i].matrix;
    }
  }
  std::vector<ParamSpec> specs;
  for (const bool tower : {false, true}) {
    const std::vector<ParamSource> sources = Sources(tower, &specs);
    if (sources.empty()) continue;
    const std::shared_ptr<const Checkpoint>& file = tower ? tower_checkpoint_ : checkpoint_;
    WeightStore& store = tower ? tower_weights_ : weights_;
    ASSIGN_OR_RETURN(store, WeightStore::Load(file, sources, WeightUse::kTrained, kernels, pool));
    // Pages of the file no longer count as resident.
    for (const ParamSource& s : sources) file->DropPages(s.tensor);
  }
  for (size_t i = 0; i < chosen_.size(); ++i) {
    const Candidate& c = chosen_[i];
    const Slot& slot = slots_[i];
    TrainParam& p = params_[i];
    if (c.spec.is_vector()) {
      p.value = const_cast<float*>(slot.vector.data);
      p.grad = slot.vector.grad;
      *base[i].vector = slot.vector;
      continue;
    }
    p.value = const_cast<float*>(reinterpret_cast<const float*>(slot.matrix.view.data));
    p.grad = slot.matrix.grad;
    if (p.sparse) MakeSparse(p.grad, 4 * p.size());
    if (c.table) {
      // A tied head stays the base's, unless it is to be one with the copy.
      LoraTerm term;
      term.weight = slot.matrix;
      table_.terms = {term};
      model_->embedding()->lora = &table_;
      if (tie_) head_ = slot.matrix;
    } else if (c.tied_head) {
      head_ = slot.matrix;
    } else {
      *base[i].matrix = slot.matrix;
    }
  }
  return OkStatus();
}

// The weights that one tensor holds one behind another, c being the first of them.
std::vector<float> WholeParams::Joined(const Candidate& first) const {
  std::vector<float> values;
  for (const Candidate& c : chosen_) {
    if (c.name != first.name) continue;
    const std::vector<float> part = ValuesInFiles(c.spec);
    values.insert(values.end(), part.begin(), part.end());
  }
  return values;
}

void WholeParams::AppendTensors(const std::string& prefix, std::vector<TensorToWrite>* tensors,
                                std::vector<std::vector<float>>* values) const {
  for (size_t i = 0; i < chosen_.size(); ++i) {
    const Candidate& c = chosen_[i];
    const float* data = params_[i].value;
    if (c.spec.hf_slice > 0) continue;  // written with the first
    if (c.spec.hf_slices > 1) {
      data = values->emplace_back(Joined(c)).data();
    } else if (c.spec.hf_offset != 0.0f || c.spec.transposed) {
      data = values->emplace_back(ValuesInFiles(c.spec)).data();
    }
    tensors->push_back({prefix + c.name, DType::kF32, c.shape_in_file,
                        reinterpret_cast<const uint8_t*>(data),
                        4 * params_[i].size() * c.spec.hf_slices});
    if (!tie_ || !c.table) continue;
    TensorToWrite head = tensors->back();
    head.name = prefix + "lm_head.weight";
    tensors->push_back(std::move(head));
  }
}

}  // namespace galen
