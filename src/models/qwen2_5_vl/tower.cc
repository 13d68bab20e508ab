// The image tower of Qwen2.5-VL: https://arxiv.org/abs/2502.13923; reference transformers 5.23,
// models/qwen2_5_vl. docs/models/qwen2_5_vl.md.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "models/arena_bytes.h"
#include "models/param_table.h"
#include "models/qwen2_5_vl/image_grid.h"
#include "models/qwen2_5_vl/vision.h"
#include "nn/layers.h"
#include "nn/rotary.h"
#include "ops/block.h"
#include "ops/ops.h"
#include "ops/tape.h"

namespace galen {
namespace {

constexpr double kRopeTheta = 10000.0;

class Qwen2_5VLTower final : public ImageTower {
 public:
  explicit Qwen2_5VLTower(VisionConfig config);

  Tensor Forward(ExecContext& ctx, const ImageBatch& batch) const override;
  int64_t Tokens(const ImageGrid& grid) const override { return grid.patches() / cell_patches_; }
  Status CheckGrid(const ImageGrid& grid) const override;
  std::vector<ParamSpec> Params() override;
  int64_t ArenaBytes(const KernelTable& kernels, int num_threads,
                     int64_t num_patches) const override;

 private:
  struct Block {
    VectorParam norm1;
    LinearLayer q, k, v, proj;
    VectorParam norm2;
    GatedMlpLayer mlp;
  };

  // What a block needs beside x, for the tape.
  struct BlockCall {
    const Block* block;
    EncoderAttentionShape shape;
    const int32_t* bounds;  // of what the patches see: windows, or whole images
    size_t num_bounds;
    Tensor cos_sin;
    float eps;
  };
  static Tensor Attend(ExecContext& ctx, const BlockCall& call, const LinearInput& x);
  static Tensor RunOne(ExecContext& ctx, const BlockCall& call, const Tensor& x);
  static bool IsFrozen(const Block& block);

  Tensor EmbedPatches(ExecContext& ctx, const Tensor& patches) const;
  int64_t merged_size() const { return config_.hidden_size * cell_patches_; }

  const int64_t cell_patches_;   // that become one token
  std::vector<float> inv_freq_;  // [head_dim / 2]: those of the rows, then those of the columns
  Weight patch_embed_;  // [hidden, C * frames * patch^2], as Hugging Face keeps it (C, frame, y, x)
  Weight patch_frames_[2];  // [hidden, C * patch^2] for each frame, as GGUF keeps it
  std::vector<Block> blocks_;
  VectorParam ln_q_;
  LinearLayer merge_in_;   // [merged, merged]
  LinearLayer merge_out_;  // [projection_dim, merged]
};

// Every patch with its frames side by side: [C, y, x] -> [C, frame, y, x], all frames alike.
Tensor RepeatFrames(ExecContext& ctx, const Tensor& patches, int64_t channels, int64_t frames) {
  const int64_t plane = patches.cols() / channels;
  Tensor out = ctx.arena->NewTensor({patches.rows(), patches.cols() * frames});
  for (int64_t t = 0; t < patches.rows(); ++t) {
    for (int64_t i = 0; i < channels * frames; ++i) {
      std::memcpy(out.row(t) + i * plane, patches.row(t) + i / frames * plane,
                  sizeof(float) * static_cast<size_t>(plane));
    }
  }
  return out;
}

std::vector<int32_t> Inverse(std::span<const int32_t> order) {
  std::vector<int32_t> inverse(order.size());
  for (size_t i = 0; i < order.size(); ++i) inverse[order[i]] = static_cast<int32_t>(i);
  return inverse;
}

// Rows of patches for an order of cells.
std::vector<int32_t> PatchRows(std::span<const int32_t> cells, int64_t cell_patches) {
  std::vector<int32_t> rows;
  rows.reserve(cells.size() * static_cast<size_t>(cell_patches));
  for (const int32_t cell : cells) {
    for (int64_t i = 0; i < cell_patches; ++i)
      rows.push_back(static_cast<int32_t>(cell * cell_patches + i));
  }
  return rows;
}

std::vector<int32_t> Pick(std::span<const int32_t> values, std::span<const int32_t> rows) {
  std::vector<int32_t> picked;
  picked.reserve(rows.size());
  for (const int32_t row : rows) picked.push_back(values[row]);
  return picked;
}

Qwen2_5VLTower::Qwen2_5VLTower(VisionConfig config)
    : ImageTower(std::move(config)),
      cell_patches_(config_.spatial_merge_size * config_.spatial_merge_size),
      blocks_(static_cast<size_t>(config_.num_hidden_layers)) {
  // Rows and columns turn half of the head each, by the frequencies of a head of half the size.
  RopeConfig rope;
  rope.theta = kRopeTheta;
  inv_freq_ = InverseFrequencies(rope, config_.head_dim() / 2);
  inv_freq_.insert(inv_freq_.end(), inv_freq_.begin(), inv_freq_.begin() + config_.head_dim() / 4);
}

Status Qwen2_5VLTower::CheckGrid(const ImageGrid& grid) const {
  const int64_t merge = config_.spatial_merge_size;
  if (grid.height > 0 && grid.width > 0 && grid.height % merge == 0 && grid.width % merge == 0) {
    return OkStatus();
  }
  return InvalidArgument("an image of " + std::to_string(grid.height) + " x " +
                         std::to_string(grid.width) + " patches; this tower takes multiples of " +
                         std::to_string(merge));
}

Tensor Qwen2_5VLTower::EmbedPatches(ExecContext& ctx, const Tensor& patches) const {
  if (patch_embed_.view.data != nullptr) {
    return Linear(ctx,
                  RepeatFrames(ctx, patches, config_.num_channels, config_.temporal_patch_size),
                  patch_embed_);
  }
  return Add(ctx, Linear(ctx, patches, patch_frames_[0]), Linear(ctx, patches, patch_frames_[1]));
}

Tensor Qwen2_5VLTower::Attend(ExecContext& ctx, const BlockCall& call, const LinearInput& x) {
  const Block& block = *call.block;
  const EncoderAttentionShape& shape = call.shape;
  std::array<Tensor, 3> qkv;
  ProjectTogether(ctx, {&block.q, &block.k, &block.v}, x, qkv);
  for (Tensor& t : qkv) t = t.Reshape({x.rows(), shape.num_heads, shape.head_dim});
  const Tensor q = Rope(ctx, qkv[0], call.cos_sin);
  const Tensor k = Rope(ctx, qkv[1], call.cos_sin);
  const std::span<const int32_t> bounds{call.bounds, call.num_bounds};
  return Project(ctx, block.proj, EncoderAttention(ctx, shape, bounds, q, k, qkv[2]));
}

Tensor Qwen2_5VLTower::RunOne(ExecContext& ctx, const BlockCall& call, const Tensor& x) {
  const Block& block = *call.block;
  LayerScope scope(ctx);
  const Tensor h = Add(ctx, x, Attend(ctx, call, LinearInput::Normed(x, block.norm1, call.eps)));
  const Tensor mlp =
      GatedMlp(ctx, block.mlp, GateKind::kSilu, LinearInput::Normed(h, block.norm2, call.eps));
  return scope.Keep(Add(ctx, h, mlp), x);
}

// Nothing of it is trained.
bool Qwen2_5VLTower::IsFrozen(const Block& b) {
  const std::initializer_list<const LinearLayer*> products = {
      &b.q, &b.k, &b.v, &b.proj, &b.mlp.gate_proj, &b.mlp.up_proj, &b.mlp.down_proj};
  return !HasAdapters(products) && b.norm1.grad == nullptr && b.norm2.grad == nullptr &&
         std::all_of(products.begin(), products.end(), [](const LinearLayer* l) {
           return l->weight.grad == nullptr && l->bias.grad == nullptr;
         });
}

Tensor Qwen2_5VLTower::Forward(ExecContext& ctx, const ImageBatch& batch) const {
  const int64_t merge = config_.spatial_merge_size;
  for (const ImageGrid& grid : batch.grids) GALEN_CHECK(CheckGrid(grid).ok());
  const int64_t window_cells = config_.window_size / (config_.patch_size * merge);
  const WindowOrder order = OrderWindows(batch.grids, merge, window_cells);
  GALEN_CHECK(order.image_bounds.back() == batch.patches.rows());
  const std::vector<int32_t> rows = PatchRows(order.cells, cell_patches_);
  const PatchPlaces places = PlacePatches(batch.grids, merge);
  const std::vector<int32_t> patch_rows = Pick(places.rows, rows);
  const std::vector<int32_t> patch_columns = Pick(places.columns, rows);
  const int64_t quarter = config_.head_dim() / 4;
  const RotarySection sections[] = {{quarter, patch_rows}, {quarter, patch_columns}};

  Tensor x = GatherRows(ctx, EmbedPatches(ctx, batch.patches), rows);
  Observe(ctx, "vision.patch_embed", x);
  BlockCall call;
  call.shape = {config_.num_attention_heads, config_.head_dim(),
                1.0f / std::sqrt(static_cast<float>(config_.head_dim()))};
  call.cos_sin = RotaryTable(ctx, inv_freq_, sections);
  call.eps = config_.layer_norm_eps;
  // A tape needs them after this call.
  const auto keep = [&ctx](std::span<const int32_t> bounds) {
    return ctx.tape == nullptr ? bounds.data() : SaveValues(ctx.arena, bounds);
  };
  const int32_t* windows = keep(order.window_bounds);
  const int32_t* images = keep(order.image_bounds);
  ExecContext untaped = ctx;
  untaped.tape = nullptr;
  untaped.recompute = false;
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) {
    const bool windowed = config_.layer_is_windowed[i] != 0;
    call.block = &blocks_[i];
    call.bounds = windowed ? windows : images;
    call.num_bounds = windowed ? order.window_bounds.size() : order.image_bounds.size();
    // Blocks below the first trained one keep nothing.
    const bool frozen = ctx.tape != nullptr && !ctx.tape->Needs(x) && IsFrozen(blocks_[i]);
    x = RunBlock<RunOne>(frozen ? untaped : ctx, call, x);
    Observe(ctx, "vision.blocks", i, x);
  }
  const Tensor cells = RmsNorm(ctx, x, ln_q_, config_.layer_norm_eps)
                           .Reshape({batch.patches.rows() / cell_patches_, merged_size()});
  const Tensor merged = Project(
      ctx, merge_out_, Activation(ctx, ActivationKind::kGelu, Project(ctx, merge_in_, cells)));
  const Tensor y_out = GatherRows(ctx, merged, Inverse(order.cells));
  Observe(ctx, "vision.projected", y_out);
  return y_out;
}

std::vector<ParamSpec> Qwen2_5VLTower::Params() {
  const int64_t hidden = config_.hidden_size;
  const int64_t inner = config_.intermediate_size;
  const int64_t plane = config_.patch_size * config_.patch_size;
  ParamTable t("vision_tower.encoder.layers.", "v.blk.");
  const auto matrix = [&t](const char* name, const char* gguf, int64_t rows, int64_t cols,
                           LinearLayer* layer) {
    const std::string hf(name);
    const std::string gg(gguf);
    t.Matrix((hf + ".weight").c_str(), (gg + ".weight").c_str(), rows, cols, layer);
    t.Vector((hf + ".bias").c_str(), (gg + ".bias").c_str(), rows, &layer->bias);
  };
  const auto slice = [&t, hidden](const char* gguf, int64_t index, LinearLayer* layer) {
    const std::string gg(gguf);
    for (ParamSpec* spec :
         {&t.Matrix("attn.qkv.weight", (gg + ".weight").c_str(), hidden, hidden, layer),
          &t.Vector("attn.qkv.bias", (gg + ".bias").c_str(), hidden, &layer->bias)}) {
      spec->hf_slices = 3;
      spec->hf_slice = index;
    }
  };
  ParamSpec& whole =
      t.Matrix("vision_tower.patch_embed.proj.weight", "", hidden,
               config_.num_channels * config_.temporal_patch_size * plane, &patch_embed_);
  whole.flat = true;
  const char* frames[] = {"v.patch_embd.weight", "v.patch_embd.weight.1"};
  for (int i = 0; i < 2; ++i) {
    ParamSpec& frame =
        t.Matrix("", frames[i], hidden, config_.num_channels * plane, &patch_frames_[i]);
    frame.flat = true;
  }
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) {
    Block& b = blocks_[i];
    t.BeginLayer(i);
    t.Vector("norm1.weight", "ln1.weight", hidden, &b.norm1);
    slice("attn_q", 0, &b.q);
    slice("attn_k", 1, &b.k);
    slice("attn_v", 2, &b.v);
    matrix("attn.proj", "attn_out", hidden, hidden, &b.proj);
    t.Vector("norm2.weight", "ln2.weight", hidden, &b.norm2);
    matrix("mlp.gate_proj", "ffn_gate", inner, hidden, &b.mlp.gate_proj);
    matrix("mlp.up_proj", "ffn_up", inner, hidden, &b.mlp.up_proj);
    matrix("mlp.down_proj", "ffn_down", hidden, inner, &b.mlp.down_proj);
  }
  t.EndLayers();
  t.Vector("vision_tower.merger.ln_q.weight", "v.post_ln.weight", hidden, &ln_q_);
  matrix("vision_tower.merger.mlp.0", "mm.0", merged_size(), merged_size(), &merge_in_);
  matrix("vision_tower.merger.mlp.2", "mm.2", config_.projection_dim, merged_size(), &merge_out_);
  return t.Take();
}

int64_t Qwen2_5VLTower::ArenaBytes(const KernelTable& kernels, int num_threads,
                                   int64_t num_patches) const {
  const int64_t hidden = config_.hidden_size;
  const int64_t whole_patch = config_.patch_values() * config_.temporal_patch_size;
  // Patches, once for each frame, their embedding and its order; then a block: two norms, q, k, v,
  // turned q and k, heads, their projection, sums, the MLP's three; what attention keeps of a row.
  const int64_t patch_floats = config_.patch_values() + whole_patch + 2 * hidden + 12 * hidden +
                               3 * config_.intermediate_size + config_.num_attention_heads +
                               2 * config_.head_dim();
  const int64_t cell_floats = 2 * merged_size() + 2 * config_.projection_dim;
  int64_t scratch =
      num_threads * kernels.attention_scratch_bytes(
                        AttentionShape{config_.num_attention_heads, config_.num_attention_heads,
                                       config_.head_dim(), 1.0f, 0, KvType::kF32},
                        num_patches);
  for (const int64_t k : {whole_patch, hidden, config_.intermediate_size}) {
    scratch = std::max(scratch, LinearArenaBytes(kernels, num_threads, num_patches, k));
  }
  scratch = std::max(
      scratch, LinearArenaBytes(kernels, num_threads, num_patches / cell_patches_, merged_size()));
  // Operands of attention in the kernels' own layouts: q, k, v once more.
  scratch += num_patches * 3 * hidden * static_cast<int64_t>(sizeof(float));
  constexpr int64_t kRounding = 64 * 64;  // each allocation is rounded up to 64 bytes
  return (num_patches * patch_floats + num_patches / cell_patches_ * cell_floats) *
             static_cast<int64_t>(sizeof(float)) +
         scratch + kRounding;
}

}  // namespace

std::unique_ptr<ImageTower> MakeQwen2_5VLTower(VisionConfig config) {
  return std::make_unique<Qwen2_5VLTower>(std::move(config));
}

const VisionArchitecture kQwen2_5VLVision = {
    .config_from_hf = Qwen2_5VLVisionFromHf,
    .config_from_gguf = Qwen2_5VLVisionFromGguf,
    .make_tower = MakeQwen2_5VLTower,
    .make_processor = MakeQwen2_5VLProcessor,
};

}  // namespace galen
