// WeightStore filled with valid random blocks. Rows are cut from one pool of encoded blocks per
// format at random places, so that making gigabytes takes as long as copying them.
#include <algorithm>
#include <array>
#include <cstring>

#include "models/weight_fill.h"
#include "models/weight_store.h"
#include "ops/round_up.h"

namespace galen {
namespace {

// splitmix64: https://prng.di.unimi.it/splitmix64.c (public domain).
uint64_t NextRandom(uint64_t* state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// A pool that any row can be cut from, at any of kStarts places.
constexpr int64_t kStarts = 1024;

std::vector<uint8_t> MakePool(DType dtype, int64_t longest_row) {
  const BlockFormat& format = FormatOf(dtype);
  const int64_t blocks = longest_row / format.block_elems + kStarts;
  // Uniform, with the deviation of transformers' initializer_range, 0.02: activations stay in
  // range.
  constexpr float kHalfWidth = 0.02f * 1.7320508f;
  std::vector<float> values(static_cast<size_t>(blocks * format.block_elems));
  uint64_t state = static_cast<uint64_t>(dtype);
  for (float& v : values) {
    v = (static_cast<float>(NextRandom(&state) >> 40) * 0x1p-23f - 1.0f) * kHalfWidth;
  }
  std::vector<uint8_t> pool(static_cast<size_t>(blocks * format.block_bytes));
  format.encode(values.data(), nullptr, pool.data(), blocks);
  return pool;
}

}  // namespace

WeightPlan WeightStore::PlanRandom(std::span<const ParamSpec> specs, std::span<const DType> dtypes,
                                   const KernelTable& kernels) {
  WeightPlan plan;
  for (size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].is_vector()) {
      plan.vector_bytes += RoundUp(specs[i].rows * static_cast<int64_t>(sizeof(float)), 64);
    } else {
      plan.matrix_bytes +=
          RoundUp(kernels.packed_bytes(dtypes[i], specs[i].rows, specs[i].cols), 64);
    }
  }
  return plan;
}

Result<WeightStore> WeightStore::Random(std::span<const ParamSpec> specs,
                                        std::span<const DType> dtypes, const KernelTable& kernels,
                                        ThreadPool& pool) {
  GALEN_CHECK(specs.size() == dtypes.size());
  const WeightPlan plan = PlanRandom(specs, dtypes, kernels);
  WeightStore store;
  ASSIGN_OR_RETURN(store.weights_,
                   PageBuffer::Allocate(plan.matrix_bytes + plan.vector_bytes, "weights"));
  int64_t longest_row = 0;
  for (const ParamSpec& spec : specs) longest_row = std::max(longest_row, spec.cols);
  std::array<std::vector<uint8_t>, kNumDTypes> pools;
  std::vector<WeightPiece> pieces;
  std::vector<uint8_t*> addresses;
  uint8_t* address = store.weights_.data();
  for (size_t i = 0; i < specs.size(); ++i) {
    const ParamSpec& spec = specs[i];
    addresses.push_back(address);
    if (spec.is_vector()) {
      float* values = reinterpret_cast<float*>(address);
      // Norms pass their input through; biases are zero.
      std::fill_n(values, spec.rows, spec.name.ends_with("bias") ? 0.0f : 1.0f);
      *spec.vector = {values, spec.rows, nullptr};
      address += RoundUp(spec.rows * static_cast<int64_t>(sizeof(float)), 64);
      continue;
    }
    const DType dtype = dtypes[i];
    std::vector<uint8_t>& blocks = pools[static_cast<size_t>(dtype)];
    if (blocks.empty()) blocks = MakePool(dtype, longest_row);
    *spec.matrix = {{address, dtype, kernels.weight_layout, spec.rows, spec.cols}, nullptr};
    address += RoundUp(kernels.packed_bytes(dtype, spec.rows, spec.cols), 64);
    constexpr int64_t kRows = 64;
    for (int64_t row = 0; row < spec.rows; row += kRows) {
      pieces.push_back({i, row, std::min(row + kRows, spec.rows)});
    }
  }
  WorkQueue queue(static_cast<int64_t>(pieces.size()), 4);
  pool.Run([&](int) {
    std::vector<uint8_t> rows;
    for (int64_t first, last; queue.Next(&first, &last);) {
      for (int64_t p = first; p < last; ++p) {
        const WeightPiece& piece = pieces[p];
        const ParamSpec& spec = specs[piece.param];
        const DType dtype = dtypes[piece.param];
        const int64_t row_bytes = RowBytes(dtype, spec.cols);
        const int64_t block_bytes = FormatOf(dtype).block_bytes;
        const std::vector<uint8_t>& blocks = pools[static_cast<size_t>(dtype)];
        rows.resize(static_cast<size_t>((piece.row1 - piece.row0) * row_bytes));
        uint64_t state = static_cast<uint64_t>(p);
        for (int64_t row = 0; row < piece.row1 - piece.row0; ++row) {
          const int64_t start = static_cast<int64_t>(NextRandom(&state) % kStarts) * block_bytes;
          std::memcpy(rows.data() + row * row_bytes, blocks.data() + start,
                      static_cast<size_t>(row_bytes));
        }
        // pack_rows wants the address of row 0 and reads rows [row0, row1) only.
        const auto row_zero = reinterpret_cast<uintptr_t>(rows.data()) -
                              static_cast<uintptr_t>(piece.row0 * row_bytes);
        kernels.pack_rows(dtype, reinterpret_cast<const uint8_t*>(row_zero), spec.rows, spec.cols,
                          piece.row0, piece.row1, addresses[piece.param]);
      }
    }
  });
  return store;
}

}  // namespace galen
