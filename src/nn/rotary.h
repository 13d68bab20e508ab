// Rotary position embedding: inverse frequencies from a config, and the table of cosines and sines
// of a batch.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ops/exec_context.h"
#include "tensor/tensor.h"

namespace galen {

enum class RopeType : uint8_t { kDefault, kLinear, kLlama3 };

// Hugging Face's rope_parameters. Ranges are checked by ValidateRope.
struct RopeConfig {
  RopeType type = RopeType::kDefault;
  double theta = 10000.0;
  double factor = 1.0;  // linear, llama3
  // llama3
  double low_freq_factor = 1.0;
  double high_freq_factor = 4.0;
  double original_max_position_embeddings = 8192;
  // GGUF's rope_freqs.weight, [head_dim / 2] or empty: divides the frequencies (stands for llama3
  // scaling there).
  std::vector<float> freq_factors;
};

// "default", "linear", "llama3"; others (dynamic, yarn, longrope, ...) are Unsupported, by name.
Result<RopeType> RopeTypeFromName(std::string_view name);
std::string_view RopeTypeName(RopeType type);
Status ValidateRope(const RopeConfig& config, int64_t head_dim);

// [head_dim / 2] in fp32, step by step as PyTorch computes them, since an error of one ulp in a
// frequency grows with the position: theta^(2i/d) in fp32, then its reciprocal, then the scaling.
std::vector<float> InverseFrequencies(const RopeConfig& config, int64_t head_dim);

// Frequencies that turn by one kind of position (rows of an image, say), in the order of inv_freq.
struct RotarySection {
  int64_t frequencies = 0;
  std::span<const int32_t> positions;  // [T]
};
// cos_sin [T, 2 * inv_freq.size()] of tokens with several positions: the first section's
// frequencies turn by its positions, and so on. The sections cover inv_freq.
Tensor RotaryTable(ExecContext& ctx, std::span<const float> inv_freq,
                   std::span<const RotarySection> sections);

// cos_sin [T, 2 * inv_freq.size()]: cosines, then sines, of fp32 products position * inv_freq.
Tensor RotaryTable(ExecContext& ctx, std::span<const float> inv_freq,
                   std::span<const int32_t> positions);

}  // namespace galen
