#include "models/adapters.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <utility>

#include "formats/quote.h"
#include "models/adapter_targets.h"
#include "models/arena_bytes.h"
#include "models/weight_store.h"
#include "nn/layers.h"
#include "ops/lora_ops.h"

namespace galen {

struct ModelAdapters::Memory {
  WeightStore weights;
  std::vector<std::vector<float>> norms;
};

namespace {

constexpr int64_t kFloat = sizeof(float);

// The decoder layer that a weight belongs to, or "" ("layers.3" of "layers.3.mlp.up_proj.weight").
std::string LayerOf(const std::string& name) {
  const size_t begin = name.find("layers.");
  if (begin == std::string::npos) return "";
  return name.substr(0, name.find('.', begin + 7));
}

// Values of a plain or packed tensor, row by row.
template <typename Fn>
void ForValues(const TensorInfo& tensor, Fn&& fn) {
  const BlockFormat& format = FormatOf(tensor.dtype);
  const int64_t cols = tensor.shape.empty() ? 1 : tensor.shape.back();
  if (cols < 1) return;
  const int64_t rows = tensor.NumElements() / cols, row_bytes = RowBytes(tensor.dtype, cols);
  std::vector<float> values(static_cast<size_t>(cols));
  for (int64_t i = 0; i < rows; ++i) {
    format.decode(tensor.bytes.data() + i * row_bytes, values.data(), cols / format.block_elems);
    for (const float v : values) fn(v);
  }
}

// Works out what an adapter does to which layer, before anything is changed.
class Plan {
 public:
  Plan(LoadedModel& loaded, const AdapterFile& file, const AdapterOptions& options, int number,
       const std::map<const void*, std::unique_ptr<LoraLayer>>& layers,
       const std::vector<const VectorParam*>& replaced_vectors, AttachedAdapter* attached)
      : loaded_(loaded),
        file_(file),
        options_(options),
        number_(number),
        layers_(layers),
        replaced_vectors_(replaced_vectors),
        attached_(attached),
        targets_(loaded) {}

  Status Make() {
    RETURN_IF_ERROR(CheckArchitecture());
    for (const AdapterModule& module : file_.modules) {
      if (module.low_rank()) RETURN_IF_ERROR(AddLowRank(module));
      for (size_t i = 0; i < module.replaced.size(); ++i) {
        RETURN_IF_ERROR(AddReplaced(module, *module.replaced[i], module.replaced_names[i]));
      }
    }
    if (terms_.empty() && vectors_.empty() && unloaded_ == 0) {
      return InvalidArgument(file_.path + " changes nothing of this model: no tensor fits");
    }
    Notes();
    return OkStatus();
  }

  struct Term {
    LoraTerm term;
    const AdapterTarget* target = nullptr;
    bool head_too = false;  // the tied head uses the replaced table as well
  };
  // What is loaded: a made-up spec whose slot lies in a term, and its tensor.
  struct Piece {
    ParamSpec spec;
    TensorInfo tensor;
  };

  std::map<const void*, std::unique_ptr<Term>>& terms() { return terms_; }
  std::vector<std::unique_ptr<Piece>>& pieces() { return pieces_; }
  // Vectors and matrices that no layer owns, replaced for everybody.
  std::vector<std::pair<ParamSpec, std::unique_ptr<VectorParam>>>& vectors() { return vectors_; }
  AdapterCosts Costs() const;

 private:
  Status CheckArchitecture() const {
    if (!file_.gguf || file_.architecture.empty()) return OkStatus();
    for (const std::string_view name : loaded_.files.architecture->gguf_names) {
      if (name == file_.architecture) return OkStatus();
    }
    return InvalidArgument(file_.path + " was made for the architecture " +
                           Quoted(file_.architecture, 40) + "; this model is " +
                           loaded_.files.config.architecture);
  }

  Status Unmatched(const std::string& name, const std::string& tensor, const std::string& why) {
    std::string message = Quoted(tensor) + " " + why + targets_.Nearest(name, file_.gguf);
    if (options_.allow_unmatched) {
      attached_->skipped.push_back(std::move(message));
      return OkStatus();
    }
    return Unsupported(file_.path + ": " + message + BaseName() +
                       "; --allow-unmatched skips what does not fit");
  }

  std::string BaseName() const {
    return file_.config.base_model.empty()
               ? ""
               : " (the adapter was trained on " + Quoted(file_.config.base_model, 80) + ")";
  }

  Status WrongShape(const TensorInfo& tensor, const std::vector<int64_t>& expected) {
    std::string message = Quoted(tensor.name) + " has the shape " + ShapeText(tensor.shape) +
                          ", this model needs " + ShapeText(expected);
    if (options_.allow_unmatched) {
      attached_->skipped.push_back(std::move(message));
      return OkStatus();
    }
    return DataLoss(file_.path + ": " + message + "; the adapter is for another model" +
                    BaseName());
  }

  // The term of this adapter on a layer or table.
  Term& TermOf(const AdapterTarget& target) {
    const void* key =
        target.embedding != nullptr ? static_cast<const void*>(target.embedding) : target.layer();
    std::unique_ptr<Term>& term = terms_[key];
    if (term == nullptr) {
      term = std::make_unique<Term>();
      term->term.adapter = number_;
      term->target = &target;
    }
    if (target.tower) attached_->serves_all = true;
    return *term;
  }

  void Load(const TensorInfo& tensor, ParamSpec spec) {
    auto piece = std::make_unique<Piece>();
    piece->spec = std::move(spec);
    piece->tensor = tensor;
    piece->tensor.shape = piece->spec.is_vector()
                              ? std::vector<int64_t>{piece->spec.rows}
                              : std::vector<int64_t>{piece->spec.rows, piece->spec.cols};
    pieces_.push_back(std::move(piece));
  }
  // Rows [slice * rows, (slice + 1) * rows) of a tensor [slices * rows, cols].
  void LoadSlice(const TensorInfo& tensor, int64_t slices, int64_t slice, ParamSpec spec) {
    TensorInfo part = tensor;
    const size_t bytes = tensor.bytes.size() / static_cast<size_t>(slices);
    part.bytes = tensor.bytes.subspan(static_cast<size_t>(slice) * bytes, bytes);
    Load(part, std::move(spec));
  }

  static ParamSpec MatrixSpec(int64_t rows, int64_t cols, Weight* slot) {
    ParamSpec spec;
    spec.rows = rows;
    spec.cols = cols;
    spec.matrix = slot;
    return spec;
  }
  static ParamSpec VectorSpec(int64_t rows, VectorParam* slot) {
    ParamSpec spec;
    spec.rows = rows;
    spec.vector = slot;
    return spec;
  }

  Status AddLowRank(const AdapterModule& module) {
    const std::string name = module.path + ".weight";
    const std::vector<const AdapterTarget*> found = targets_.Find(name, file_.gguf);
    if (found.empty()) return Unmatched(name, module.a->name, "fits no module of this model");
    const AdapterTarget& first = *found[0];
    const bool table = first.embedding != nullptr;
    if ((!table && first.layer() == nullptr) || table != module.embedding) {
      return Unmatched(name, module.a->name, "belongs to a module that takes no such adapter");
    }
    const int64_t rank = module.a->shape[0];
    const int64_t out =
        table ? first.spec.cols : first.spec.rows * static_cast<int64_t>(found.size());
    const int64_t in = table ? first.spec.rows : first.spec.cols;
    if (module.a->shape[1] != in) return WrongShape(*module.a, {rank, in});
    if (module.b->shape[0] != out) return WrongShape(*module.b, {out, rank});
    for (const TensorInfo* v : {module.b_bias, module.magnitude}) {
      if (v != nullptr && v->NumElements() != out) return WrongShape(*v, {out});
    }
    RETURN_IF_ERROR(CheckValues(module));
    if (!first.loaded) {
      ++unloaded_;
      return OkStatus();
    }
    const auto slices = static_cast<int64_t>(found.size());
    for (int64_t s = 0; s < slices; ++s) {
      const AdapterTarget& target = *found[static_cast<size_t>(s)];
      LoraTerm& term = TermOf(target).term;
      const int64_t rows = out / slices;
      term.scaling = static_cast<float>(module.scaling * options_.scale);
      ParamSpec a = MatrixSpec(table ? in : rank, table ? rank : in, &term.a);
      a.transposed = table;
      Load(*module.a, std::move(a));
      ParamSpec b = MatrixSpec(rows, rank, &term.b);
      b.gguf_interleaved_heads = target.spec.gguf_interleaved_heads;
      LoadSlice(*module.b, slices, s, std::move(b));
      if (module.b_bias != nullptr) {
        LoadSlice(*module.b_bias, slices, s, VectorSpec(rows, &term.b_bias));
      }
      if (module.magnitude != nullptr) {
        LoadSlice(*module.magnitude, slices, s, VectorSpec(rows, &term.magnitude));
      }
    }
    return OkStatus();
  }

  // Not a number in an adapter is a training run that went wrong; b = 0 is one that never began.
  Status CheckValues(const AdapterModule& module) {
    for (const TensorInfo* t : {module.a, module.b, module.b_bias, module.magnitude}) {
      if (t == nullptr) continue;
      const BlockFormat& format = FormatOf(t->dtype);
      if (format.decode == nullptr || t->shape.empty() ||
          t->shape.back() % format.block_elems != 0 ||
          (module.embedding && format.block_elems != 1)) {
        return Unsupported(file_.path + ": tensor " + Quoted(t->name) +
                           " cannot be read as numbers; expected F32, F16 or BF16");
      }
      bool finite = true;
      bool zero = true;
      ForValues(*t, [&](float v) {
        finite = finite && std::isfinite(v);
        zero = zero && v == 0.0f;
      });
      if (!finite) {
        return DataLoss(file_.path + ": tensor " + Quoted(t->name) +
                        " holds values that are no finite numbers; its training run failed");
      }
      if (!zero && (t == module.b || t == module.b_bias)) changes_ = true;
      if (t == module.magnitude) changes_ = true;
    }
    return OkStatus();
  }

  Status AddReplaced(const AdapterModule& module, const TensorInfo& tensor,
                     const std::string& name) {
    const std::vector<const AdapterTarget*> found = targets_.Find(name, file_.gguf);
    if (found.empty()) return Unmatched(name, tensor.name, "fits no weight of this model");
    const auto slices = static_cast<int64_t>(found.size());
    const ParamSpec& whole = found[0]->spec;
    std::vector<int64_t> expected = {whole.rows * slices};
    if (!whole.is_vector()) expected.push_back(whole.cols);
    if (whole.transposed) std::swap(expected[0], expected[1]);
    const int64_t elements = whole.rows * slices * (whole.is_vector() ? 1 : whole.cols);
    if (tensor.shape != expected && !(whole.flat && tensor.NumElements() == elements)) {
      return WrongShape(tensor, expected);
    }
    if (FormatOf(tensor.dtype).decode == nullptr || FormatOf(tensor.dtype).block_elems != 1) {
      return Unsupported(file_.path + ": tensor " + Quoted(tensor.name) +
                         ": expected F32, F16 or "
                         "BF16, found " +
                         std::string(tensor.type_name));
    }
    if (!found[0]->loaded) {
      ++unloaded_;
      return OkStatus();
    }
    // PEFT saves the base's table beside LoRA on it; usually it is the one that is loaded.
    const bool base_table = module.embedding && module.low_rank();
    if (base_table && SameAsBase(whole, tensor)) return OkStatus();
    changes_ = true;
    for (int64_t s = 0; s < slices; ++s) {
      const AdapterTarget& target = *found[static_cast<size_t>(s)];
      ParamSpec spec = target.spec;
      spec.gguf_interleaved_heads = 0;
      spec.matrix = nullptr;
      spec.vector = nullptr;
      if (target.embedding != nullptr || target.layer() != nullptr) {
        Term& term = TermOf(target);
        RETURN_IF_ERROR(CheckAlone(target, whole.is_vector(), name));
        if (whole.is_vector()) {
          spec.vector = &term.term.bias;
        } else {
          spec.matrix = &term.term.weight;
          term.head_too = base_table && loaded_.model->config().tie_word_embeddings;
        }
      } else {
        if (!whole.is_vector()) {
          return Unsupported(file_.path + ": tensor " + Quoted(tensor.name) +
                             ": a replaced weight of this kind is not computed; merge the adapter "
                             "with PEFT");
        }
        if (std::count(replaced_vectors_.begin(), replaced_vectors_.end(), target.spec.vector) >
            0) {
          return ReplacedTwice(name);
        }
        attached_->serves_all = true;
        auto slot = std::make_unique<VectorParam>();
        spec.vector = slot.get();
        vectors_.emplace_back(target.spec, std::move(slot));
      }
      LoadSlice(tensor, slices, s, std::move(spec));
    }
    if (options_.scale != 1.0 && !scale_noted_) {
      scale_noted_ = true;
      attached_->notes.push_back(
          "the scale of " + file_.name +
          " does not weigh what it replaces whole (modules_to_save, biases)");
    }
    return OkStatus();
  }

  // PEFT refuses the same: of two replacements only one could count.
  Status CheckAlone(const AdapterTarget& target, bool bias, const std::string& name) const {
    const void* key =
        target.embedding != nullptr ? static_cast<const void*>(target.embedding) : target.layer();
    const auto other = layers_.find(key);
    if (other == layers_.end()) return OkStatus();
    for (const LoraTerm& term : other->second->terms) {
      if (bias ? term.bias.data == nullptr : term.weight.view.data == nullptr) continue;
      return ReplacedTwice(name);
    }
    return OkStatus();
  }
  Status ReplacedTwice(const std::string& name) const {
    return InvalidArgument(file_.path + " and another adapter both replace " + Quoted(name) +
                           " whole; they cannot be combined");
  }

  bool SameAsBase(const ParamSpec& spec, const TensorInfo& tensor) const {
    const WeightView& view = spec.matrix->view;
    const Result<Isa> isa = ChooseIsa();
    if (!isa.ok() || view.data == nullptr) return false;
    const KernelTable& kernels = KernelsFor(*isa);
    if (view.layout != WeightLayout::kRows && view.layout != kernels.weight_layout) return false;
    std::vector<float> base(static_cast<size_t>(spec.cols)), own(base);
    const int64_t row_bytes = RowBytes(tensor.dtype, spec.cols);
    for (int64_t i = 0; i < spec.rows; ++i) {
      const auto id = static_cast<int32_t>(i);
      kernels.decode_rows(view, &id, 0, 1, base.data(), spec.cols);
      FormatOf(tensor.dtype).decode(tensor.bytes.data() + i * row_bytes, own.data(), spec.cols);
      if (base != own) return false;
    }
    return true;
  }

  void Notes() {
    attached_->changes_nothing = !changes_;
    if (!changes_) {
      attached_->notes.push_back("adapter " + file_.name +
                                 " changes nothing: every lora_B is zero (an untrained adapter?)");
    }
    if (unloaded_ > 0) {
      attached_->notes.push_back(std::to_string(unloaded_) + " modules of adapter " + file_.name +
                                 " belong to the image tower, which this run does not load");
    }
    for (const std::string& skipped : attached_->skipped) {
      attached_->notes.push_back("adapter " + file_.name + ": skipped " + skipped);
    }
    for (const std::string& target : file_.config.target_modules) {
      const bool used =
          std::any_of(file_.modules.begin(), file_.modules.end(), [&](const AdapterModule& m) {
            return m.low_rank() && (m.path == target || m.path.ends_with("." + target));
          });
      if (used) continue;
      attached_->notes.push_back("adapter " + file_.name + ": its target " + Quoted(target, 60) +
                                 " has no weights in the file");
    }
    attached_->notes.insert(attached_->notes.end(), file_.config.notes.begin(),
                            file_.config.notes.end());
  }

  LoadedModel& loaded_;
  const AdapterFile& file_;
  const AdapterOptions& options_;
  const int number_;
  const std::map<const void*, std::unique_ptr<LoraLayer>>& layers_;
  const std::vector<const VectorParam*>& replaced_vectors_;
  AttachedAdapter* attached_;
  AdapterTargets targets_;
  std::map<const void*, std::unique_ptr<Term>> terms_;
  std::vector<std::unique_ptr<Piece>> pieces_;
  std::vector<std::pair<ParamSpec, std::unique_ptr<VectorParam>>> vectors_;
  int64_t unloaded_ = 0;
  bool changes_ = false;
  bool scale_noted_ = false;
};

// a x of every term, its scaled copy, and a product with a replaced weight.
AdapterCosts Plan::Costs() const {
  AdapterCosts costs;
  std::map<std::string, int64_t> by_layer;
  for (const auto& [key, entry] : terms_) {
    const LoraTerm& term = entry->term;
    const ParamSpec& spec = entry->target->spec;
    const bool table = entry->target->embedding != nullptr;
    const int64_t rank = term.b.view.cols;
    int64_t floats = 2 * rank;
    if (table) floats += 2 * spec.cols;
    if (!table && term.weight.view.data != nullptr) floats += spec.rows;
    costs.max_rank = std::max(costs.max_rank, rank);
    costs.fixed_bytes += 8 * 64;
    if (entry->target->layer() == loaded_.model->output_head()) {
      costs.logit_floats += floats;
    } else {
      by_layer[(entry->target->tower ? "tower." : "") + LayerOf(spec.name)] += floats;
    }
  }
  int64_t rest = 0, largest = 0, tower_rest = 0, tower_largest = 0;
  for (const auto& [layer, floats] : by_layer) {
    if (layer.empty()) {
      rest += floats;
    } else if (layer == "tower.") {
      tower_rest += floats;
    } else if (layer.starts_with("tower.")) {
      tower_largest = std::max(tower_largest, floats);
    } else {
      largest = std::max(largest, floats);
    }
  }
  costs.row_floats = rest + largest;
  costs.patch_floats = tower_rest + tower_largest;
  return costs;
}

Status ComputeNorms(LoadedModel& loaded, const AdapterTarget& target, const KernelTable& kernels,
                    ThreadPool& pool, LoraTerm* term, std::vector<float>* norms) {
  Weight base = target.layer()->weight;
  if (base.view.data == nullptr) base = loaded.model->embedding()->table;
  ASSIGN_OR_RETURN(Arena arena,
                   Arena::Create(LowRankRowNormBytes(kernels, pool.size(), base, term->a) + 4096));
  ExecContext ctx;
  ctx.kernels = &kernels;
  ctx.pool = &pool;
  ctx.arena = &arena;
  norms->resize(static_cast<size_t>(base.view.rows));
  LowRankRowNorms(ctx, base, term->a, term->b, term->scaling, norms->data());
  // A row of zeros stays zero.
  for (float& norm : *norms) norm = std::max(norm, 1e-30f);
  term->norms = norms->data();
  return OkStatus();
}

}  // namespace

int64_t AdapterCosts::ArenaBytes(const KernelTable& kernels, int threads, int64_t rows,
                                 int64_t logit_rows) const {
  if (max_rank == 0 && row_floats == 0 && logit_floats == 0) return 0;
  return (rows * row_floats + logit_rows * logit_floats) * kFloat + fixed_bytes +
         LinearArenaBytes(kernels, threads, rows, std::max<int64_t>(max_rank, 1));
}

int64_t AdapterCosts::TowerArenaBytes(const KernelTable& kernels, int threads,
                                      int64_t patches) const {
  if (patch_floats == 0) return 0;
  return patches * patch_floats * kFloat + fixed_bytes +
         LinearArenaBytes(kernels, threads, patches, std::max<int64_t>(max_rank, 1));
}

ModelAdapters::ModelAdapters() = default;
ModelAdapters::~ModelAdapters() = default;
ModelAdapters::ModelAdapters(ModelAdapters&&) noexcept = default;
ModelAdapters& ModelAdapters::operator=(ModelAdapters&&) noexcept = default;

Status ModelAdapters::Attach(LoadedModel& loaded, const AdapterFile& file,
                             const AdapterOptions& options, const KernelTable& kernels,
                             ThreadPool& pool) {
  if (adapters_.size() >= kMaxAdapters) {
    return ResourceExhausted("more than " + std::to_string(kMaxAdapters) + " adapters");
  }
  if (!std::isfinite(options.scale)) return InvalidArgument("the scale of an adapter is no number");
  AttachedAdapter attached{file.name, file.path, file.digest, options.scale, 0, 0, false,
                           false,     {},        {}};
  Plan plan(loaded, file, options, static_cast<int>(adapters_.size()), layers_, replaced_vectors_,
            &attached);
  RETURN_IF_ERROR(plan.Make());
  std::vector<ParamSource> sources;
  for (const auto& piece : plan.pieces()) sources.push_back({&piece->spec, piece->tensor, false});
  auto memory = std::make_unique<Memory>();
  attached.bytes =
      WeightStore::Plan(*file.checkpoint, sources, WeightUse::kInference, kernels).allocated();
  ASSIGN_OR_RETURN(memory->weights, WeightStore::Load(file.checkpoint, sources,
                                                      WeightUse::kInference, kernels, pool));
  for (auto& [key, entry] : plan.terms()) {
    if (entry->term.magnitude.data == nullptr) continue;
    RETURN_IF_ERROR(ComputeNorms(loaded, *entry->target, kernels, pool, &entry->term,
                                 &memory->norms.emplace_back()));
  }
  const AdapterCosts costs = plan.Costs();
  costs_.row_floats += costs.row_floats;
  costs_.logit_floats += costs.logit_floats;
  costs_.patch_floats += costs.patch_floats;
  costs_.fixed_bytes += costs.fixed_bytes;
  costs_.max_rank = std::max(costs_.max_rank, costs.max_rank);
  // From here on nothing fails.
  const auto attach = [this](const void* key, const LoraTerm& term, const LoraLayer** slot) {
    std::unique_ptr<LoraLayer>& layer = layers_[key];
    if (layer == nullptr) layer = std::make_unique<LoraLayer>();
    layer->terms.push_back(term);
    *slot = layer.get();
  };
  for (auto& [key, entry] : plan.terms()) {
    const AdapterTarget& target = *entry->target;
    attach(key, entry->term,
           target.embedding != nullptr ? &target.embedding->lora : &target.layer()->lora);
    if (!entry->head_too) continue;
    LoraTerm head;
    head.adapter = entry->term.adapter;
    head.weight = entry->term.weight;
    LinearLayer* layer = loaded.model->output_head();
    attach(layer, head, &layer->lora);
    costs_.logit_floats += head.weight.view.rows;
  }
  for (const auto& [spec, vector] : plan.vectors()) {
    *spec.vector = *vector;
    replaced_vectors_.push_back(spec.vector);
  }
  attached.modules = static_cast<int64_t>(plan.terms().size() + plan.vectors().size());
  adapters_.push_back(std::move(attached));
  memory_.push_back(std::move(memory));
  return OkStatus();
}

}  // namespace galen
