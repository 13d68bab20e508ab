#include <algorithm>
#include <array>

#include "ops/linear_gradients.h"
#include "ops/lora_ops.h"
#include "ops/ops.h"
#include "ops/parallel.h"
#include "ops/round_up.h"
#include "ops/tape.h"

namespace galen {
namespace {

constexpr int kMaxShared = kMaxSharedWeights;
constexpr int kMaxPlans = 4;  // distinct plans among them

// Units of one piece of the queue. Few rows: the pieces stream weights, ~16 for each worker. Many
// rows: a kernel unpacks a panel of 8 or 16 units once for all rows, so a piece is a panel unless
// that would leave too few of them.
int64_t PieceUnits(int64_t total, int workers, int64_t m) {
  constexpr int64_t kManyRows = 16;
  if (m < kManyRows) return std::max<int64_t>(1, total / (workers * 16));
  for (int64_t panel = 16; panel > 1; panel /= 2) {
    if (total >= panel * workers * 4) return panel;
  }
  return 1;
}

// One weight's part of a shared product: units [first_unit, first_unit + units) of the common
// queue.
struct Part {
  WeightView view;
  int operand = 0;
  int64_t first_unit = 0;
  int64_t units = 0;
  LinearOutput out;
};

struct Product {
  std::array<Part, kMaxShared> parts;
  int num_parts = 0;
  std::array<LinearOperand, kMaxPlans> operands;  // without data
  int num_operands = 0;
  int64_t total_units = 0;
  int64_t scratch_bytes = 0;  // per worker
};

int FindOrAddOperand(Product* product, LinearPlan plan, int64_t m, int64_t k) {
  for (int i = 0; i < product->num_operands; ++i) {
    if (product->operands[i].plan == plan) return i;
  }
  GALEN_CHECK(product->num_operands < kMaxPlans);
  product->operands[product->num_operands] = {plan, m, k, nullptr};
  return product->num_operands++;
}

using Operands = std::array<LinearOperand, kMaxPlans>;

void ComputePiece(const KernelTable& kernels, const Product& product, const Operands& operands,
                  int64_t begin, int64_t end, void* scratch) {
  for (int j = 0; j < product.num_parts; ++j) {
    const Part& part = product.parts[j];
    const int64_t first = std::max(begin, part.first_unit);
    const int64_t last = std::min(end, part.first_unit + part.units);
    if (first >= last) continue;
    kernels.linear_compute(part.view, operands[part.operand], first - part.first_unit,
                           last - part.first_unit, part.out, scratch);
  }
}

// Asks for the first weights from `unit` on, which arrive while x is prepared.
void FetchAhead(const KernelTable& kernels, const Product& product, int64_t unit) {
  constexpr int64_t kBytes = 2048;
  for (int j = 0; j < product.num_parts; ++j) {
    const Part& part = product.parts[j];
    if (unit < part.first_unit || unit >= part.first_unit + part.units) continue;
    const WeightView& w = part.view;
    const int64_t bytes = w.layout == WeightLayout::kRows
                              ? w.rows * RowBytes(w.dtype, w.cols)
                              : kernels.packed_bytes(w.dtype, w.rows, w.cols);
    const uint8_t* first = w.data + bytes / part.units * (unit - part.first_unit);
    for (int64_t i = 0; i < kBytes; i += 64) __builtin_prefetch(first + i);
  }
}

int64_t OperandBytes(const KernelTable& kernels, const Product& product) {
  int64_t bytes = 0;
  for (int i = 0; i < product.num_operands; ++i) {
    const LinearOperand& operand = product.operands[i];
    bytes += RoundUp(kernels.linear_operand_bytes(operand.plan, operand.m, operand.k), 64);
  }
  return bytes;
}

// The operands in OperandBytes of memory.
Operands PlaceOperands(const KernelTable& kernels, const Product& product, uint8_t* memory) {
  Operands operands = product.operands;
  for (int i = 0; i < product.num_operands; ++i) {
    operands[i].data = memory;
    memory +=
        RoundUp(kernels.linear_operand_bytes(operands[i].plan, operands[i].m, operands[i].k), 64);
  }
  return operands;
}

void Multiply(const ExecContext& ctx, const float* x, int64_t m, int64_t k,
              const Product& product) {
  const KernelTable& kernels = *ctx.kernels;
  const ArenaScope scope(ctx.arena);
  int64_t products = 0;
  for (int j = 0; j < product.num_parts; ++j) products += m * k * product.parts[j].view.rows;
  const bool alone = ctx.pool->size() == 1 || products < kInlineProducts;
  const int workers = alone ? 1 : ctx.pool->size();
  const int64_t scratch_stride = RoundUp(product.scratch_bytes, 64);
  uint8_t* scratch = static_cast<uint8_t*>(ctx.arena->Allocate(scratch_stride * workers));
  // A single row is prepared by every worker for itself, which saves a barrier.
  const bool single = m == 1;
  const int64_t operand_stride = OperandBytes(kernels, product);
  uint8_t* memory =
      static_cast<uint8_t*>(ctx.arena->Allocate(operand_stride * (single ? workers : 1)));
  const auto prepare = [&](int64_t begin, int64_t end, const Operands& operands) {
    for (int i = 0; i < product.num_operands; ++i)
      kernels.linear_prepare(x, k, begin, end, operands[i]);
  };
  if (alone) {
    const Operands operands = PlaceOperands(kernels, product, memory);
    prepare(0, m, operands);
    ComputePiece(kernels, product, operands, 0, product.total_units, scratch);
    return;
  }
  StripedQueue queue(product.total_units, PieceUnits(product.total_units, workers, m), workers);
  ctx.pool->Run([&](int worker) {
    FetchAhead(kernels, product, queue.begin(worker));
    const Operands operands =
        PlaceOperands(kernels, product, memory + (single ? worker * operand_stride : 0));
    if (single) {
      prepare(0, m, operands);
    } else {
      const int64_t share = (m + workers - 1) / workers;
      const int64_t begin = std::min(worker * share, m);
      const int64_t end = std::min(begin + share, m);
      if (begin < end) prepare(begin, end, operands);
      ctx.pool->Barrier();
    }
    int64_t begin, end;
    while (queue.Next(worker, &begin, &end)) {
      ComputePiece(kernels, product, operands, begin, end, scratch + worker * scratch_stride);
    }
  });
}

struct SavedLinears {
  LinearInput x{Tensor()};
  bool need_x = false;
  bool need_source = false;  // LinearInput::TakeGradients
  int num = 0;
  std::array<Weight, kMaxShared> weights;
  std::array<VectorParam, kMaxShared> biases;
  std::array<Tensor, kMaxShared> outputs;
};
using OutputGradients = std::array<float*, kMaxShared>;  // null: none has come

// Columns of dx that a worker computes at a time.
int64_t GradientPiece(int64_t k, int workers, int64_t granularity, int64_t largest) {
  const int64_t share = k / (workers * 4) / granularity * granularity;
  return std::clamp(share, granularity, largest);
}

// prepare(j, begin, end, operand): rows [begin, end) of weight j's operand; begin is a multiple of
// 16. dy[j] null leaves weight j out.
template <class Prepare>
void InputGradientBf16(const ExecContext& ctx, std::span<const WeightView> weights,
                       std::span<const float* const> dy, int64_t m, float* dx, bool accumulate,
                       const Prepare& prepare) {
  const KernelTable& kernels = *ctx.kernels;
  const int64_t k = weights[0].cols;
  const ArenaScope scope(ctx.arena);
  std::array<LinearOperand, kMaxShared> operands{};
  for (size_t j = 0; j < weights.size(); ++j) {
    if (dy[j] == nullptr) continue;
    const int64_t n = weights[j].rows;
    operands[j] = {LinearPlan::kBf16Panels, m, n, nullptr};
    operands[j].data =
        ctx.arena->Allocate(kernels.linear_operand_bytes(LinearPlan::kBf16Panels, m, n));
  }
  const int workers = ctx.pool->size();
  const int64_t stride = RoundUp(kernels.linear_backward_bf16_scratch_bytes(m), 64);
  uint8_t* scratch = static_cast<uint8_t*>(ctx.arena->Allocate(stride * workers));
  constexpr int64_t kGranularity = 32, kLargest = 256;
  const int64_t piece = GradientPiece(k, workers, kGranularity, kLargest);
  WorkQueue rows(m, 16);
  WorkQueue columns(k, piece);
  ctx.pool->Run([&](int worker) {
    int64_t begin, end;
    while (rows.Next(&begin, &end)) {
      for (size_t j = 0; j < weights.size(); ++j) {
        if (dy[j] != nullptr) prepare(j, begin, end, operands[j]);
      }
    }
    ctx.pool->Barrier();
    while (columns.Next(&begin, &end)) {
      bool add = accumulate;
      for (size_t j = 0; j < weights.size(); ++j) {
        if (dy[j] == nullptr) continue;
        kernels.linear_backward_input_bf16(weights[j], operands[j], begin, end, dx, add,
                                           scratch + worker * stride);
        add = true;
      }
    }
  });
}

void InputGradientOf(const ExecContext& ctx, const SavedLinears& saved, const OutputGradients& dy,
                     float* dx, bool accumulate) {
  std::array<WeightView, kMaxShared> views;
  for (int j = 0; j < saved.num; ++j) views[j] = saved.weights[j].view;
  const size_t num = static_cast<size_t>(saved.num);
  LinearInputGradient(ctx, {views.data(), num}, {dy.data(), num}, saved.x.rows(), dx, accumulate);
}

void WeightGradientsOf(const ExecContext& ctx, const SavedLinears& saved, const OutputGradients& dy,
                       const float* x) {
  const int64_t m = saved.x.rows(), k = saved.x.cols();
  for (int j = 0; j < saved.num; ++j) {
    const Weight& w = saved.weights[j];
    if (dy[j] == nullptr || w.grad == nullptr) continue;
    LinearWeightGradient(ctx, dy[j], x, m, w.view.rows, k, w.grad);
  }
}

void BiasGradientsOf(const ExecContext& ctx, const SavedLinears& saved, const OutputGradients& dy) {
  const int64_t m = saved.x.rows();
  for (int j = 0; j < saved.num; ++j) {
    float* db = saved.biases[j].grad;
    if (dy[j] == nullptr || db == nullptr) continue;
    const int64_t n = saved.weights[j].view.rows;
    ForPieces(ctx, n, m, [&](int64_t begin, int64_t end) {
      for (int64_t i = 0; i < m; ++i) {
        ctx.kernels->add(db + begin, dy[j] + i * n + begin, end - begin, db + begin);
      }
    });
  }
}

// The input is made again for the gradients of the weights; then its own gradient takes its place.
void BackwardMadeInput(const ExecContext& ctx, const SavedLinears& saved, const OutputGradients& dy,
                       GradMap& grads) {
  LinearInput::Gradients to;
  if (saved.need_x) to = saved.x.TakeGradients(grads, saved.need_source);
  const ArenaScope scope(ctx.arena);
  float* x = ctx.arena->NewTensor({saved.x.rows(), saved.x.cols()}).f32();
  bool trained = false;
  for (int j = 0; j < saved.num; ++j) {
    trained = trained || (dy[j] != nullptr && saved.weights[j].grad != nullptr);
  }
  if (trained) {
    saved.x.Make(ctx, x);
    WeightGradientsOf(ctx, saved, dy, x);
  }
  if (!saved.need_x) return;
  InputGradientOf(ctx, saved, dy, x, false);
  saved.x.Backward(ctx, x, to);
}

void BackwardLinears(ExecContext& ctx, const SavedLinears& saved, GradMap& grads) {
  OutputGradients dy{};
  bool any = false;
  for (int j = 0; j < saved.num; ++j) {
    dy[j] = grads.Find(saved.outputs[j]);
    any = any || dy[j] != nullptr;
  }
  if (!any) return;
  BiasGradientsOf(ctx, saved, dy);
  if (!saved.x.is_tensor()) return BackwardMadeInput(ctx, saved, dy, grads);
  WeightGradientsOf(ctx, saved, dy, saved.x.tensor().f32());
  if (!saved.need_x) return;
  bool fresh;
  float* dx = grads.Slot(saved.x.tensor(), &fresh);
  InputGradientOf(ctx, saved, dy, dx, !fresh);
}

void RecordLinears(ExecContext& ctx, const LinearInput& x, std::span<const Weight* const> weights,
                   std::span<const VectorParam* const> biases, std::span<const Tensor> outputs) {
  SavedLinears saved;
  saved.x = x;
  saved.need_x = x.Needs(*ctx.tape);
  saved.need_source = x.NeedsSource(*ctx.tape);
  saved.num = static_cast<int>(weights.size());
  bool wanted = saved.need_x;
  for (int j = 0; j < saved.num; ++j) {
    saved.weights[j] = *weights[j];
    if (!biases.empty() && biases[j] != nullptr) saved.biases[j] = *biases[j];
    saved.outputs[j] = outputs[j];
    GALEN_CHECK(saved.weights[j].grad == nullptr || saved.weights[j].view.dtype == DType::kF32);
    wanted = wanted || saved.weights[j].grad != nullptr || saved.biases[j].grad != nullptr;
  }
  if (!wanted) return;
  ctx.tape->Record<BackwardLinears>(ctx.arena, saved, {});
  for (const Tensor& y : outputs) ctx.tape->Watch(y);
}

struct SavedAddScaled {
  Tensor x;         // [m, k]
  Tensor scaled_x;  // scale * x
  bool need_x;
  Weight w;
  float* bias_grad;
  float scale;
  Tensor y;
};

// y was changed in place: its gradient stays what it is.
void BackwardAddScaled(ExecContext& ctx, const SavedAddScaled& saved, GradMap& grads) {
  const float* dy = grads.Find(saved.y);
  if (dy == nullptr) return;
  const int64_t m = saved.x.rows(), k = saved.x.cols(), n = saved.w.view.rows;
  if (saved.need_x) {
    float* dx = grads.Accumulator(saved.x);
    const ArenaScope scope(ctx.arena);
    float* product = ctx.arena->NewTensor({m, k}).f32();
    const WeightView views[] = {saved.w.view};
    const float* gradients[] = {dy};
    LinearInputGradient(ctx, views, gradients, m, product, false);
    ctx.kernels->scale(product, saved.scale, m * k, product);
    ctx.kernels->add(dx, product, m * k, dx);
  }
  if (saved.w.grad != nullptr) {
    LinearWeightGradient(ctx, dy, saved.scaled_x.f32(), m, n, k, saved.w.grad);
  }
  for (int64_t i = 0; i < m && saved.bias_grad != nullptr; ++i) {
    for (int64_t j = 0; j < n; ++j) saved.bias_grad[j] += saved.scale * dy[i * n + j];
  }
}

}  // namespace

void LinearInputGradient(const ExecContext& ctx, std::span<const WeightView> weights,
                         std::span<const float* const> dy, int64_t m, float* dx, bool accumulate) {
  GALEN_CHECK(!weights.empty() && weights.size() <= kMaxShared && weights.size() == dy.size());
  if (ctx.compute != Compute::kFp32 && ctx.kernels->linear_backward_input_bf16 != nullptr) {
    return InputGradientBf16(
        ctx, weights, dy, m, dx, accumulate,
        [&](size_t j, int64_t begin, int64_t end, const LinearOperand& operand) {
          ctx.kernels->linear_prepare(dy[j], weights[j].rows, begin, end, operand);
        });
  }
  const int64_t k = weights[0].cols;
  const ArenaScope scope(ctx.arena);
  int64_t bytes = 0;
  for (const WeightView& w : weights) {
    bytes = std::max(bytes, ctx.kernels->linear_backward_scratch_bytes(w));
  }
  const int64_t stride = RoundUp(bytes, 64);
  uint8_t* scratch = static_cast<uint8_t*>(ctx.arena->Allocate(stride * ctx.pool->size()));
  WorkQueue queue(RoundUp(k, kBackwardColumns) / kBackwardColumns, 1);
  ctx.pool->Run([&](int worker) {
    int64_t begin, end;
    while (queue.Next(&begin, &end)) {
      bool add = accumulate;
      for (size_t j = 0; j < weights.size(); ++j) {
        if (dy[j] == nullptr) continue;
        ctx.kernels->linear_backward_input(weights[j], dy[j], m, begin * kBackwardColumns,
                                           std::min(end * kBackwardColumns, k), dx, add,
                                           scratch + worker * stride);
        add = true;
      }
    }
  });
}

void LinearInputGradientTurned(const ExecContext& ctx, const WeightView& w, const float* dy,
                               int64_t stride, int64_t m, float* dx, bool accumulate) {
  InputGradientBf16(ctx, {&w, 1}, {&dy, 1}, m, dx, accumulate,
                    [&](size_t, int64_t begin, int64_t end, const LinearOperand& operand) {
                      ctx.kernels->linear_prepare_turned(dy, stride, begin, end, operand);
                    });
}

void AddScaledLinear(ExecContext& ctx, const Tensor& x, const Weight& w, const VectorParam* bias,
                     float scale, const Tensor& y) {
  const int64_t m = x.rows(), k = x.cols(), n = w.view.rows;
  GALEN_CHECK(w.view.cols == k && y.rows() == m && y.cols() == n);
  GALEN_CHECK(bias == nullptr || bias->n == n);
  if (m == 0) return;
  const Tensor scaled = ctx.arena->NewTensor({m, k});
  ctx.kernels->scale(x.f32(), scale, m * k, scaled.f32());
  Product product;
  const LinearPlan plan = ctx.kernels->plan_linear(w.view, m, ctx.compute, ctx.batch_invariant);
  Part& part = product.parts[product.num_parts++];
  part.view = w.view;
  part.operand = FindOrAddOperand(&product, plan, m, k);
  part.units = product.total_units = ctx.kernels->linear_units(w.view);
  part.out.y = y.f32();
  part.out.ldy = n;
  part.out.accumulate = true;
  product.scratch_bytes = ctx.kernels->linear_scratch_bytes(plan, m, k);
  Multiply(ctx, scaled.f32(), m, k, product);
  for (int64_t i = 0; i < m && bias != nullptr; ++i) {
    float* row = y.row(i);
    for (int64_t j = 0; j < n; ++j) row[j] += scale * bias->data[j];
  }
  if (ctx.tape == nullptr) return;
  GALEN_CHECK(w.grad == nullptr || w.view.dtype == DType::kF32);
  const bool need_x = ctx.tape->Needs(x);
  float* bias_grad = bias == nullptr ? nullptr : bias->grad;
  if (need_x || w.grad != nullptr || bias_grad != nullptr) {
    const SavedAddScaled saved{x, scaled, need_x, w, bias_grad, scale, y};
    ctx.tape->Record<BackwardAddScaled>(ctx.arena, saved, {y});
  }
}

void Linears(ExecContext& ctx, const LinearInput& x, std::span<const Weight* const> weights,
             std::span<const VectorParam* const> biases, std::span<Tensor> outputs) {
  if (ctx.tape == nullptr && !x.is_tensor()) {
    return Linears(ctx, x.Whole(ctx), weights, biases, outputs);
  }
  const int64_t m = x.rows(), k = x.cols();
  GALEN_CHECK(!weights.empty() && weights.size() <= kMaxShared && outputs.size() == weights.size());
  GALEN_CHECK(biases.empty() || biases.size() == weights.size());
  Product product;
  for (size_t j = 0; j < weights.size(); ++j) {
    const WeightView& view = weights[j]->view;
    GALEN_CHECK(view.cols == k);
    outputs[j] = ctx.arena->NewTensor({m, view.rows});
    if (m == 0) continue;
    const LinearPlan plan = ctx.kernels->plan_linear(view, m, ctx.compute, ctx.batch_invariant);
    Part& part = product.parts[product.num_parts++];
    part.view = view;
    part.operand = FindOrAddOperand(&product, plan, m, k);
    part.first_unit = product.total_units;
    part.units = ctx.kernels->linear_units(view);
    part.out.y = outputs[j].f32();
    part.out.ldy = view.rows;
    if (!biases.empty() && biases[j] != nullptr && biases[j]->data != nullptr) {
      GALEN_CHECK(biases[j]->n == view.rows);
      part.out.bias = biases[j]->data;
    }
    product.total_units += part.units;
    product.scratch_bytes =
        std::max(product.scratch_bytes, ctx.kernels->linear_scratch_bytes(plan, m, k));
  }
  if (m == 0) return;
  if (x.is_tensor()) {
    Multiply(ctx, x.tensor().f32(), m, k, product);
  } else {
    const ArenaScope scope(ctx.arena);
    float* made = ctx.arena->NewTensor({m, k}).f32();
    x.Make(ctx, made);
    Multiply(ctx, made, m, k, product);
  }
  if (ctx.tape != nullptr) RecordLinears(ctx, x, weights, biases, outputs);
}

Tensor Linear(ExecContext& ctx, const LinearInput& x, const Weight& w, const VectorParam* bias) {
  const Weight* weights[] = {&w};
  const VectorParam* biases[] = {bias};
  Tensor outputs[1];
  Linears(ctx, x, weights, biases, outputs);
  return outputs[0];
}

}  // namespace galen
