// ParamSpec: one row for each weight of a model. Everything that walks weights (loading, planning,
// training, adapters, saving) walks these rows.
#pragma once

#include <cstdint>
#include <string>

#include "ops/weight.h"

namespace galen {

struct LinearLayer;

struct ParamSpec {
  std::string name;       // Hugging Face, without the prefix of the text model:
                          // "layers.0.self_attn.q_proj.weight"
  std::string gguf_name;  // "blk.0.attn_q.weight"; either is empty where that kind of file has no
                          // such weight
  int64_t rows = 0;       // output features, or the length of a vector
  int64_t cols = 0;       // input features; 0 for a vector
  // Exactly one is set: the slot in the model.
  Weight* matrix = nullptr;
  VectorParam* vector = nullptr;
  // The layer whose weight or bias the slot is, where adapters can be attached.
  LinearLayer* layer = nullptr;

  // Absent from a file is no error: the slot stays empty.
  bool optional = false;
  // Added to the values of Hugging Face files: Gemma's norms multiply by 1 + w. GGUF files store
  // the sum.
  float hf_offset = 0.0f;
  // > 0: GGUF keeps the rows of this many heads in the order of interleaved rotation (pairs 2i,
  // 2i+1); loading brings them back to Hugging Face's half-split order.
  int64_t gguf_interleaved_heads = 0;
  // > 1: Hugging Face keeps this many weights of this shape in one tensor, one behind another along
  // the rows (fused q, k, v); this is number hf_slice of them.
  int64_t hf_slices = 1;
  int64_t hf_slice = 0;
  // The file may write the same values with more dimensions: a convolution's kernel
  // [out, in, height, width], a single row [1, 1, n].
  bool flat = false;

  // Files hold the matrix as [cols, rows], in a plain type.
  bool transposed = false;

  bool is_vector() const { return vector != nullptr; }
};

}  // namespace galen
