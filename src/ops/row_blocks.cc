#include "ops/row_blocks.h"

#include <algorithm>

#include "ops/round_up.h"

namespace galen {
namespace {

// Rows of a block: 96 x 1,152 bf16 and their 4,304 activations are 1 MB, about a core's L2.
constexpr int64_t kBlockRows = 96;
constexpr int64_t kTileRows = 8;  // of the micro-kernel; tiles of 32 divide kBlockRows as well

// Calls fn(first row, rows, worker) over whole tiles of rows, in equal shares for the workers.
template <typename Fn>
void ForBlocks(const ExecContext& ctx, int64_t rows, Fn&& fn) {
  const int64_t workers = ctx.pool->size();
  const int64_t rounds = (rows + workers * kBlockRows - 1) / (workers * kBlockRows);
  const int64_t tiles = (rows + kTileRows - 1) / kTileRows;
  const int64_t blocks = std::min(tiles, rounds * workers);
  WorkQueue queue(blocks, 1);
  ctx.pool->Run([&](int worker) {
    for (int64_t block, next; queue.Next(&block, &next);) {
      const int64_t first = tiles * block / blocks * kTileRows;
      const int64_t last = std::min(tiles * next / blocks * kTileRows, rows);
      fn(first, last - first, worker);
    }
  });
}

LinearPlan PlanOf(const WeightView& w) {
  return w.dtype == DType::kQ8_0 ? LinearPlan::kDigits1 : LinearPlan::kBf16Panels;
}

// Whether the weight multiplies rows of `cols` values: int8 weights have whole blocks of columns,
// zeros at the end, as the operand of the rows has.
bool Takes(const WeightView& w, int64_t cols) {
  return w.cols == (w.dtype == DType::kQ8_0 ? RoundUp(cols, 32) : cols);
}

int64_t OperandBytes(const KernelTable& kernels, LinearPlan plan, int64_t cols) {
  return cols == 0 ? 0 : RoundUp(kernels.linear_operand_bytes(plan, kBlockRows + 32, cols), 64);
}
int64_t NormBytes(int64_t cols) {
  return RoundUp(kTileRows * cols * static_cast<int64_t>(sizeof(float)), 64);
}

// One worker's memory.
struct Scratch {
  float* rows;       // [kTileRows, K] normalised
  uint8_t* operand;  // of a block over K
  uint8_t* inner;    // of a block over the inner features
};

class ScratchPool {
 public:
  ScratchPool(ExecContext& ctx, LinearPlan plan, int64_t k, int64_t inner) : scope_(ctx.arena) {
    row_bytes_ = NormBytes(k);
    operand_bytes_ = OperandBytes(*ctx.kernels, plan, k);
    stride_ = row_bytes_ + operand_bytes_ + OperandBytes(*ctx.kernels, plan, inner);
    base_ = static_cast<uint8_t*>(ctx.arena->Allocate(stride_ * ctx.pool->size()));
  }
  Scratch Of(int worker) const {
    uint8_t* at = base_ + worker * stride_;
    return {reinterpret_cast<float*>(at), at + row_bytes_, at + row_bytes_ + operand_bytes_};
  }

 private:
  ArenaScope scope_;
  int64_t row_bytes_, operand_bytes_, stride_;
  uint8_t* base_;
};

// Operand rows of the normalised rows [first, first + rows) of x.
void PrepareNorm(const ExecContext& ctx, const Tensor& x, const RowNorm& norm, LinearPlan plan,
                 int64_t first, int64_t rows, const Scratch& scratch) {
  const int64_t k = x.cols();
  const LinearOperand operand{plan, rows, k, scratch.operand};
  for (int64_t r = 0; r < rows; r += kTileRows) {
    const int64_t n = std::min(kTileRows, rows - r);
    if (norm.b.data == nullptr) {
      ctx.kernels->rms_norm(x.row(first + r), norm.w.data, norm.eps, n, k, scratch.rows);
    } else {
      ctx.kernels->layer_norm(x.row(first + r), norm.w.data, norm.b.data, norm.eps, n, k,
                              scratch.rows);
    }
    // linear_prepare counts rows of x and of the operand alike.
    ctx.kernels->linear_prepare(scratch.rows - r * k, k, r, r + n, operand);
  }
}

void Multiply(const ExecContext& ctx, const RowProduct& product) {
  const auto multiply = product.plan == LinearPlan::kDigits1 ? ctx.kernels->row_product_int8
                                                             : ctx.kernels->row_product_bf16;
  multiply(product, 0, ctx.kernels->linear_units(product.w));
}

}  // namespace

bool CanBlockRows(const ExecContext& ctx, std::span<const Weight* const> weights) {
  // What will be computed again on a tape has its bits already now.
  if (ctx.tape != nullptr || ctx.recompute || ctx.compute == Compute::kFp32 || weights.empty())
    return false;
  const DType dtype = weights[0]->view.dtype;
  const bool int8 = dtype == DType::kQ8_0 && ctx.compute == Compute::kInt8;
  if (!int8 && dtype != DType::kBF16) return false;
  const auto kernel = int8 ? ctx.kernels->row_product_int8 : ctx.kernels->row_product_bf16;
  return kernel != nullptr && std::all_of(weights.begin(), weights.end(), [&](const Weight* w) {
           return w->view.layout == WeightLayout::kTile16 && w->view.dtype == dtype;
         });
}

int64_t RowBlockBytes(const KernelTable& kernels, int workers, int64_t k, int64_t inner) {
  int64_t bytes = 0;
  for (const LinearPlan plan : {LinearPlan::kBf16Panels, LinearPlan::kDigits1}) {
    bytes = std::max(
        bytes, NormBytes(k) + OperandBytes(kernels, plan, k) + OperandBytes(kernels, plan, inner));
  }
  return workers * bytes;
}

void NormLinears(ExecContext& ctx, const Tensor& x, const RowNorm& norm,
                 std::span<const Weight* const> weights, std::span<const VectorParam* const> biases,
                 std::span<Tensor> outputs) {
  GALEN_CHECK(weights.size() == biases.size() && weights.size() == outputs.size());
  GALEN_CHECK(norm.w.n == x.cols() && (norm.b.data == nullptr || norm.b.n == x.cols()));
  for (size_t i = 0; i < weights.size(); ++i) {
    GALEN_CHECK(Takes(weights[i]->view, x.cols()));
    outputs[i] = ctx.arena->NewTensor({x.rows(), weights[i]->view.rows});
  }
  const LinearPlan plan = PlanOf(weights[0]->view);
  const ScratchPool pool(ctx, plan, x.cols(), 0);
  ForBlocks(ctx, x.rows(), [&](int64_t first, int64_t rows, int worker) {
    const Scratch scratch = pool.Of(worker);
    PrepareNorm(ctx, x, norm, plan, first, rows, scratch);
    for (size_t i = 0; i < weights.size(); ++i) {
      RowProduct product{plan, weights[i]->view, biases[i]->data, scratch.operand, rows};
      product.y = outputs[i].row(first);
      product.ldy = outputs[i].cols();
      Multiply(ctx, product);
    }
  });
}

void LinearAdd(ExecContext& ctx, const Tensor& x, const Weight& w, const VectorParam& bias,
               const Tensor& y) {
  GALEN_CHECK(Takes(w.view, x.cols()) && w.view.rows == y.cols() && x.rows() == y.rows());
  const LinearPlan plan = PlanOf(w.view);
  const ScratchPool pool(ctx, plan, x.cols(), 0);
  ForBlocks(ctx, x.rows(), [&](int64_t first, int64_t rows, int worker) {
    const Scratch scratch = pool.Of(worker);
    ctx.kernels->linear_prepare(x.row(first), x.cols(), 0, rows,
                                {plan, rows, x.cols(), scratch.operand});
    RowProduct product{plan, w.view, bias.data, scratch.operand, rows};
    product.y = y.row(first);
    product.ldy = y.cols();
    product.accumulate = true;
    Multiply(ctx, product);
  });
}

void NormMlpAdd(ExecContext& ctx, const RowNorm& norm, const RowMlp& mlp, const Tensor& x) {
  const WeightView& w1 = mlp.fc1->view;
  const WeightView& w2 = mlp.fc2->view;
  GALEN_CHECK(Takes(w1, x.cols()) && w2.rows == x.cols() && Takes(w2, w1.rows));
  GALEN_CHECK(norm.w.n == x.cols() && (norm.b.data == nullptr || norm.b.n == x.cols()));
  const LinearPlan plan = PlanOf(w1);
  const ScratchPool pool(ctx, plan, x.cols(), w1.rows);
  ForBlocks(ctx, x.rows(), [&](int64_t first, int64_t rows, int worker) {
    const Scratch scratch = pool.Of(worker);
    PrepareNorm(ctx, x, norm, plan, first, rows, scratch);
    RowProduct up{plan, w1, mlp.fc1_bias->data, scratch.operand, rows};
    up.activate = ctx.kernels->activation;
    up.activation = mlp.activation;
    up.prepare = ctx.kernels->linear_prepare;
    up.operand = scratch.inner;
    Multiply(ctx, up);
    RowProduct down{plan, w2, mlp.fc2_bias->data, scratch.inner, rows};
    down.y = x.row(first);
    down.ldy = x.cols();
    down.accumulate = true;
    Multiply(ctx, down);
  });
}

}  // namespace galen
