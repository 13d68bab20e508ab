// How the values of one tensor reach their slot: fp32 vectors, and rows in half-split order.
#pragma once

#include <cstdint>

#include "formats/tensor_info.h"
#include "models/param_spec.h"

namespace galen {

// A piece of a matrix that one worker fills at a time.
struct WeightPiece {
  size_t param;
  int64_t row0;
  int64_t row1;
};

// llama.cpp's converter stores the rows of each head of q and k so that row 2i + s of a head is row
// s * D/2 + i of Hugging Face's (s = 0, 1). The row of the file that holds Hugging Face's row `row`
// of a matrix of heads of head_dim rows.
int64_t InterleavedRow(int64_t row, int64_t head_dim);

// Copies Hugging Face's rows [row0, row1) from the re-ordered rows at src (row 0) to dst.
void GatherHalfSplitRows(const uint8_t* src, int64_t row_bytes, int64_t head_dim, int64_t row0,
                         int64_t row1, uint8_t* dst);

// Rows [row0, row1) of a matrix [rows, cols] whose file holds [cols, rows] values of value_bytes.
void GatherColumns(const uint8_t* src, int64_t value_bytes, int64_t rows, int64_t cols,
                   int64_t row0, int64_t row1, uint8_t* dst);

// Decodes a vector to fp32, adds ParamSpec::hf_offset unless the file is GGUF, and restores the
// order of re-ordered heads.
void FillVector(const ParamSpec& spec, const TensorInfo& tensor, bool gguf, float* dst);

}  // namespace galen
