// What the per-instruction-set translation units of the matrix product need, included before their
// target region opens so that no inline function of a header is compiled for a machine that lacks
// the instructions.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <type_traits>
#include <utility>

#include "base/status.h"
#include "kernels/kernel_table.h"
#include "kernels/x86/read_ahead.h"
#include "kernels/x86/tile16.h"
#include "tensor/dtype.h"
#include "tensor/formats/bnb_4bit.h"
#include "tensor/formats/bnb_int8.h"
#include "tensor/formats/iq4_nl.h"

namespace galen {

// Elements of an operand row of LinearPlan::kBf16Panels: whole chunks and a cache line, so that
// rows of 2^n elements do not share a cache set.
inline int64_t Bf16Stride(int64_t k) { return (k + 31) / 32 * 32 + 32; }

// Operands that keep row after row; a row has lda elements. At: the first value of a row and chunk;
// Values: 16 values of a row from column `col`, a multiple of 16.
struct RowOrder {
  template <class T>
  static const T* At(const T* a, int64_t row, int64_t chunk, int64_t lda) {
    return a + row * lda + chunk * 32;
  }
  static uint16_t* Values(uint16_t* a, int64_t row, int64_t col, int64_t lda) {
    return a + row * lda + col;
  }
};

// Row products of the instruction sets that have them (kernels/row_product.h).
void AddAvx512RowProduct(KernelTable* table);
void AddAvx512Bf16RowProduct(KernelTable* table);

// What row products do to `sums` [rows][stride], columns [n0, n0 + cols) of the product: bias and
// activation (of whole rows, so that vectors need no masks), then fp32 rows from m0 on.
inline void FinishRows(const RowProduct& p, int64_t rows, int64_t n0, int64_t cols, int64_t stride,
                       float* sums) {
  if (p.bias != nullptr) {
    for (int64_t m = 0; m < rows; ++m) {
      for (int64_t n = 0; n < cols; ++n) sums[m * stride + n] += p.bias[n0 + n];
    }
  }
  if (p.activate != nullptr) p.activate(p.activation, sums, rows * stride, sums);
}
inline void StoreRows(const RowProduct& p, int64_t m0, int64_t rows, int64_t n0, int64_t cols,
                      int64_t stride, const float* sums) {
  for (int64_t m = 0; m < rows; ++m) {
    float* y = p.y + (m0 + m) * p.ldy + n0;
    const float* row = sums + m * stride;
    if (!p.accumulate) {
      std::memcpy(y, row, static_cast<size_t>(cols) * sizeof(float));
      continue;
    }
    for (int64_t n = 0; n < cols; ++n) y[n] += row[n];
  }
}

namespace avx2 {
void AddLinearKernels(KernelTable* table);
}
namespace avx512 {
void AddLinearKernels(KernelTable* table);
}
namespace avx512_bf16 {
void AddLinearKernels(KernelTable* table);
}
namespace amx {
void AddLinearKernels(KernelTable* table);
}
}  // namespace galen
