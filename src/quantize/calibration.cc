#include "quantize/calibration.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <span>
#include <utility>

#include "models/open_model.h"
#include "models/param_sources.h"
#include "ops/exec_context.h"

namespace galen {
namespace {

// Every this many rows of a window go through the last layer's end and the head.
constexpr int64_t kRowsPerLogit = 8;

// What layers show of the inputs of their products (nn/layers.cc), and which matrices those meet.
struct Input {
  std::string_view name;
  std::array<std::string_view, 3> matrices;
};
constexpr Input kInputs[] = {
    {"attention.x", {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}},
    {"attention.heads", {"self_attn.o_proj"}},
    {"mlp.x", {"mlp.gate_proj", "mlp.up_proj"}},
    {"mlp.gated", {"mlp.down_proj"}},
};

// Sums of squares by "layers.N.self_attn.q_proj".
class Sums {
 public:
  void BeginForward() { layer_ = -1; }

  void Add(std::string_view name, const Tensor& x) {
    const auto* input = std::find_if(std::begin(kInputs), std::end(kInputs),
                                     [&](const Input& i) { return i.name == name; });
    if (input == std::end(kInputs)) return;
    if (input == kInputs) ++layer_;  // a layer begins with its attention
    const std::string key = std::to_string(layer_) + "." + std::string(name);
    Sum& sum = sums_[key];
    const int64_t cols = x.num_elements() / x.rows();
    sum.squares.resize(static_cast<size_t>(cols));
    for (int64_t i = 0; i < x.rows(); ++i) {
      const float* row = x.f32() + i * cols;
      for (int64_t k = 0; k < cols; ++k) {
        sum.squares[k] += static_cast<double>(row[k]) * row[k];
      }
    }
    sum.rows += x.rows();
  }

  // Mean squares of the input of "layers.N.self_attn.q_proj.weight"; empty: not seen.
  std::vector<float> Means(const std::string& weight) const {
    for (const Input& input : kInputs) {
      for (const std::string_view matrix : input.matrices) {
        if (matrix.empty()) continue;
        std::string end(".");
        end.append(matrix).append(".weight");
        if (!weight.starts_with("layers.") || !weight.ends_with(end)) continue;
        const std::string layer = weight.substr(7, weight.size() - 7 - end.size());
        const auto found = sums_.find(layer + "." + std::string(input.name));
        if (found == sums_.end()) return {};
        std::vector<float> means;
        for (double square : found->second.squares) {
          means.push_back(static_cast<float>(square / static_cast<double>(found->second.rows)));
        }
        return means;
      }
    }
    return {};
  }

 private:
  struct Sum {
    std::vector<double> squares;
    int64_t rows = 0;
  };
  std::map<std::string, Sum> sums_;
  int64_t layer_ = -1;
};

}  // namespace

Result<Calibration> Calibrate(const std::string& source, const std::string& text, ThreadPool& pool,
                              const CalibrationOptions& options) {
  OpenModelOptions open;
  open.pool = &pool;
  ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
  open.kernels = &KernelsFor(isa);
  ASSIGN_OR_RETURN(LoadedModel loaded, OpenModel(source, open));
  RETURN_IF_ERROR(loaded.files.tokenizer_status);
  const ModelConfig& config = loaded.files.config;
  const Tokenizer& tokenizer = *loaded.files.tokenizer;
  ASSIGN_OR_RETURN(std::vector<TokenId> tokens, tokenizer.Encode(text));
  tokens.resize(std::min(tokens.size(), static_cast<size_t>(options.max_tokens)));
  if (tokens.empty()) return InvalidArgument("the calibration text is empty");

  const int64_t window = std::min(options.window, config.max_position_embeddings);
  const int64_t logits = (window + kRowsPerLogit - 1) / kRowsPerLogit;
  ASSIGN_OR_RETURN(Arena arena, Arena::Create(ForwardArenaBytes(config, *open.kernels, pool.size(),
                                                                window, logits)));
  Sums sums;
  const std::function<void(std::string_view, const Tensor&)> observer =
      [&](std::string_view name, const Tensor& x) { sums.Add(name, x); };
  ExecContext ctx;
  ctx.kernels = open.kernels;
  ctx.pool = &pool;
  ctx.arena = &arena;
  ctx.observer = &observer;
  const std::span<const TokenId> prefix = tokenizer.prefix_ids();
  const auto step = std::max<int64_t>(window - static_cast<int64_t>(prefix.size()), 1);
  const auto total = static_cast<int64_t>(tokens.size());
  for (int64_t at = 0; at < total; at += step) {
    const int64_t end = std::min(total, at + step);
    std::vector<int32_t> part(prefix.begin(), prefix.end());
    part.insert(part.end(), tokens.begin() + at, tokens.begin() + end);
    const auto size = static_cast<int64_t>(part.size());
    std::vector<int32_t> positions(part.size()), rows;
    std::iota(positions.begin(), positions.end(), 0);
    for (int64_t i = 0; i < size; i += kRowsPerLogit) rows.push_back(static_cast<int32_t>(i));
    const SequenceSpan span{0, size, 0, nullptr};
    Batch batch;
    batch.tokens = part;
    batch.positions = positions;
    batch.spans = {&span, 1};
    batch.logit_rows = rows;
    RETURN_IF_ERROR(CheckBatch(config, batch));
    sums.BeginForward();
    const ArenaScope scope(&arena);
    loaded.model->Forward(ctx, batch);
    if (options.progress) options.progress(total, end - at);
  }

  Calibration calibration;
  calibration.tokens = total;
  const std::vector<ParamSpec> specs = loaded.model->Params();
  ASSIGN_OR_RETURN(const ParamSources sources, FindParams(*loaded.files.checkpoint, specs));
  for (const ParamSource& param : sources.params) {
    if (param.spec->is_vector()) continue;
    std::vector<float> means = sums.Means(param.spec->name);
    if (static_cast<int64_t>(means.size()) == param.spec->cols) {
      calibration.importance[param.tensor.name] = std::move(means);
    }
  }
  return calibration;
}

}  // namespace galen
