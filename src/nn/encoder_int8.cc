#include "nn/encoder_int8.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "ops/round_up.h"

namespace galen {
namespace {

constexpr int64_t kBlock = 32;
constexpr int64_t kRows = 64;  // of a matrix at a time; whole groups of every layout

// Calls fn(row, values) for rows [row0, row1) of a matrix, `cols` floats each with zeros at the
// end.
template <typename Fn>
void ForRows(const WeightView& w, const KernelTable& kernels, int64_t row0, int64_t row1,
             int64_t cols, Fn&& fn) {
  std::vector<float> values(static_cast<size_t>(cols), 0.0f);
  for (int64_t row = row0; row < row1; ++row) {
    const auto id = static_cast<int32_t>(row);
    kernels.decode_rows(w, &id, 0, 1, values.data(), cols);
    fn(row, values.data());
  }
}

// A normalisation and the matrices that multiply what comes out of it.
struct Group {
  VectorParam* norm_w;
  VectorParam* norm_b;
  std::vector<WeightView*> matrices;
};

// The divisors s_j of a group; moves its normalisation, divided by them, to w and b.
std::vector<float> Smooth(const Group& group, const KernelTable& kernels, float* w, float* b) {
  const int64_t cols = group.norm_w->n;
  std::vector<float> largest(static_cast<size_t>(cols), 0.0f);
  for (const WeightView* m : group.matrices) {
    ForRows(*m, kernels, 0, m->rows, cols, [&](int64_t, const float* row) {
      for (int64_t j = 0; j < cols; ++j) {
        float& most = largest[static_cast<size_t>(j)];
        most = std::max(most, std::fabs(row[j]));
      }
    });
  }
  std::vector<float> divisors(static_cast<size_t>(cols), 1.0f);
  for (int64_t j = 0; j < cols; ++j) {
    const float size = 3.0f * std::fabs(group.norm_w->data[j]) + std::fabs(group.norm_b->data[j]);
    const float ratio = size / largest[static_cast<size_t>(j)];
    float& divisor = divisors[static_cast<size_t>(j)];
    if (std::isfinite(ratio) && ratio > 1e-12f) divisor = std::sqrt(ratio);
    w[j] = group.norm_w->data[j] / divisor;
    b[j] = group.norm_b->data[j] / divisor;
  }
  *group.norm_w = {w, cols};
  *group.norm_b = {b, cols};
  return divisors;
}

// Rows [row0, row1) of `from`, columns times `factors` (null: 1), as q8_0 into the packed matrix.
void QuantizeRows(const WeightView& from, const float* factors, const KernelTable& kernels,
                  int64_t row0, int64_t row1, uint8_t* to) {
  const int64_t cols = RoundUp(from.cols, kBlock), row_bytes = RowBytes(DType::kQ8_0, cols);
  std::vector<uint8_t> blocks(static_cast<size_t>((row1 - row0) * row_bytes));
  ForRows(from, kernels, row0, row1, cols, [&](int64_t row, float* values) {
    for (int64_t j = 0; j < from.cols && factors != nullptr; ++j) values[j] *= factors[j];
    FormatOf(DType::kQ8_0)
        .encode(values, nullptr, blocks.data() + (row - row0) * row_bytes, cols / kBlock);
  });
  // pack_rows wants the address of row 0 and reads rows [row0, row1) only.
  const auto row_zero =
      reinterpret_cast<uintptr_t>(blocks.data()) - static_cast<uintptr_t>(row0 * row_bytes);
  kernels.pack_rows(DType::kQ8_0, reinterpret_cast<const uint8_t*>(row_zero), from.rows, cols, row0,
                    row1, to);
}

struct Matrix {
  WeightView* view;
  int64_t group;   // whose divisors its columns are multiplied by; -1: none
  int64_t offset;  // in the new memory
};

struct Piece {
  size_t matrix;
  int64_t row0;
};

}  // namespace

Result<PageBuffer> QuantizeLayers(std::span<EncoderLayer> layers, const KernelTable& kernels,
                                  ThreadPool& pool) {
  std::vector<Group> groups;
  std::vector<Matrix> matrices;
  std::vector<Piece> pieces;
  int64_t bytes = 0;
  const auto take = [&bytes](int64_t size) {
    return std::exchange(bytes, bytes + RoundUp(size, 64));
  };
  const auto add = [&](LinearLayer& layer, int64_t group) {
    WeightView& view = layer.weight.view;
    const int64_t size = kernels.packed_bytes(DType::kQ8_0, view.rows, RoundUp(view.cols, kBlock));
    matrices.push_back({&view, group, take(size)});
    for (int64_t row = 0; row < view.rows; row += kRows)
      pieces.push_back({matrices.size() - 1, row});
  };
  for (EncoderLayer& l : layers) {
    const auto group = static_cast<int64_t>(groups.size());
    groups.push_back({&l.layer_norm1_w,
                      &l.layer_norm1_b,
                      {&l.q_proj.weight.view, &l.k_proj.weight.view, &l.v_proj.weight.view}});
    groups.push_back({&l.layer_norm2_w, &l.layer_norm2_b, {&l.fc1.weight.view}});
    for (LinearLayer* m : {&l.q_proj, &l.k_proj, &l.v_proj}) add(*m, group);
    add(l.out_proj, -1);
    add(l.fc1, group + 1);
    add(l.fc2, -1);
  }
  std::vector<int64_t> norms;  // offsets of w; b follows it
  for (const Group& g : groups) norms.push_back(take(2 * g.norm_w->n * int64_t{sizeof(float)}));
  ASSIGN_OR_RETURN(PageBuffer memory, PageBuffer::Allocate(bytes, "int8 weights of an encoder"));
  std::vector<std::vector<float>> divisors(groups.size());
  WorkQueue by_group(static_cast<int64_t>(groups.size()), 1);
  pool.Run([&](int) {
    for (int64_t g, next; by_group.Next(&g, &next);) {
      const auto i = static_cast<size_t>(g);
      float* w = reinterpret_cast<float*>(memory.data() + norms[i]);
      divisors[i] = Smooth(groups[i], kernels, w, w + groups[i].norm_w->n);
    }
  });
  WorkQueue by_piece(static_cast<int64_t>(pieces.size()), 1);
  pool.Run([&](int) {
    for (int64_t i, next; by_piece.Next(&i, &next);) {
      const Piece& piece = pieces[static_cast<size_t>(i)];
      const Matrix& m = matrices[piece.matrix];
      const float* factors = m.group < 0 ? nullptr : divisors[static_cast<size_t>(m.group)].data();
      QuantizeRows(*m.view, factors, kernels, piece.row0,
                   std::min(piece.row0 + kRows, m.view->rows), memory.data() + m.offset);
    }
  });
  for (const Matrix& m : matrices) {
    *m.view = {memory.data() + m.offset, DType::kQ8_0, kernels.weight_layout, m.view->rows,
               RoundUp(m.view->cols, kBlock)};
  }
  return memory;
}

int64_t QuantizedLayerBytes(int64_t hidden, int64_t intermediate, const KernelTable& kernels) {
  const auto matrix = [&](int64_t rows, int64_t cols) {
    return RoundUp(kernels.packed_bytes(DType::kQ8_0, rows, RoundUp(cols, kBlock)), 64);
  };
  const int64_t norms = 2 * RoundUp(2 * hidden * int64_t{sizeof(float)}, 64);
  return 4 * matrix(hidden, hidden) + matrix(intermediate, hidden) + matrix(hidden, intermediate) +
         norms;
}

}  // namespace galen
