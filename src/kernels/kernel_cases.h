// The cases that kernels are tested on, and benchmarked on: sizes, data and weights. For tests and
// benchmarks only.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/kernel_table.h"

namespace galen::cases {

// Lengths around every vector width and unroll factor, and the widths of real models.
inline constexpr int64_t kLengths[] = {1,  2,  7,  8,   9,   15,  16,   17,   31,   33,
                                       63, 64, 65, 127, 640, 641, 1152, 2560, 10241};

// Rows of x in a product: decode, small batches, tile borders of every kernel, prefill.
inline constexpr int64_t kProductRows[] = {1, 2, 3, 4, 5, 7, 8, 12, 13, 16, 17, 33, 64, 100};
inline constexpr int64_t kMostProductRows = 100;

struct MatrixShape {
  int64_t rows;  // N, output features
  int64_t cols;  // K, in blocks of the format for block formats
};
// N around the 16 rows of a unit and the panels of several; K an odd number of blocks, and more
// than one panel of 256.
inline constexpr MatrixShape kPlainShapes[] = {{1, 1}, {15, 63}, {37, 641}, {200, 320}};
inline constexpr MatrixShape kBlock32Shapes[] = {{1, 1}, {17, 3}, {37, 21}, {200, 10}};
inline constexpr MatrixShape kBlock64Shapes[] = {{1, 1}, {17, 3}, {37, 9}, {200, 5}};
inline constexpr MatrixShape kBlock256Shapes[] = {{1, 1}, {37, 3}, {200, 2}};

inline std::vector<MatrixShape> ShapesFor(DType dtype) {
  std::vector<MatrixShape> shapes;
  const int64_t block = FormatOf(dtype).block_elems;
  const auto add = [&](const auto& list) {
    for (const MatrixShape& s : list) shapes.push_back({s.rows, s.cols * block});
  };
  if (block == 1)
    add(kPlainShapes);
  else if (block <= 32)
    add(kBlock32Shapes);
  else if (block == 64)
    add(kBlock64Shapes);
  else
    add(kBlock256Shapes);
  return shapes;
}

inline std::vector<DType> WeightFormats() {
  std::vector<DType> formats;
  for (int i = 0; i < kNumDTypes; ++i) {
    if (FormatOf(static_cast<DType>(i)).decode != nullptr) formats.push_back(static_cast<DType>(i));
  }
  return formats;
}

// SplitMix64 (Steele, Lea and Flood 2014): the same numbers on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  // Uniform in [-1, 1).
  float Uniform() {
    return static_cast<float>(static_cast<int64_t>(Next() >> 40) - (1 << 23)) * 0x1p-23f;
  }
  int64_t Below(int64_t n) { return static_cast<int64_t>(Next() % static_cast<uint64_t>(n)); }

 private:
  uint64_t state_;
};

inline std::vector<float> Uniform(int64_t n, uint64_t seed, float scale = 1.0f) {
  Random random(seed);
  std::vector<float> values(n);
  for (float& v : values) v = scale * random.Uniform();
  return values;
}

// A weight in the file's order, with its values as the reference codec decodes them.
struct TestWeight {
  DType dtype;
  int64_t rows, cols;
  std::vector<uint8_t> bytes;
  std::vector<float> values;

  WeightView view() const { return {bytes.data(), dtype, WeightLayout::kRows, rows, cols}; }
};

// Encodes random values; rows differ in size, so that a scale read from a wrong row shows.
inline TestWeight MakeWeight(DType dtype, int64_t rows, int64_t cols, uint64_t seed) {
  const BlockFormat& format = FormatOf(dtype);
  TestWeight w{dtype, rows, cols, {}, Uniform(rows * cols, seed)};
  const int64_t row_bytes = RowBytes(dtype, cols);
  w.bytes.resize(rows * row_bytes);
  for (int64_t r = 0; r < rows; ++r) {
    float* row = w.values.data() + r * cols;
    for (int64_t j = 0; j < cols; ++j)
      row[j] *= 0.25f * static_cast<float>(1 + (r * 7 + j / 32) % 5);
    format.encode(row, nullptr, w.bytes.data() + r * row_bytes, cols / format.block_elems);
    format.decode(w.bytes.data() + r * row_bytes, row, cols / format.block_elems);
  }
  return w;
}

// The weight in `layout`, packed in two pieces as a loader with two threads would.
class PackedWeight {
 public:
  PackedWeight(const KernelTable& kernels, WeightLayout layout, const TestWeight& w)
      : view_(w.view()) {
    if (layout == WeightLayout::kRows) return;
    bytes_.resize(kernels.packed_bytes(w.dtype, w.rows, w.cols) + 63);
    uint8_t* data = bytes_.data();
    data += -reinterpret_cast<uintptr_t>(data) & 63;  // weight stores are aligned to 64 bytes
    const int64_t middle = w.rows / 2 / 16 * 16;
    kernels.pack_rows(w.dtype, w.bytes.data(), w.rows, w.cols, middle, w.rows, data);
    kernels.pack_rows(w.dtype, w.bytes.data(), w.rows, w.cols, 0, middle, data);
    view_.data = data;
    view_.layout = layout;
  }
  PackedWeight(const PackedWeight&) = delete;
  PackedWeight& operator=(const PackedWeight&) = delete;
  const WeightView& view() const { return view_; }

 private:
  WeightView view_;
  std::vector<uint8_t> bytes_;
};

// The layouts a table computes from.
inline std::vector<WeightLayout> LayoutsOf(const KernelTable& kernels) {
  if (kernels.weight_layout == WeightLayout::kRows) return {WeightLayout::kRows};
  return {WeightLayout::kRows, kernels.weight_layout};
}

}  // namespace galen::cases
