#include "tensor/formats/q4_1.h"

#include <algorithm>
#include <cmath>

#include "tensor/dtype.h"
#include "tensor/formats/affine_fit.h"
#include "tensor/formats/block_input.h"

namespace galen {
namespace {

void Pack(const int codes[32], BlockQ4_1* block) {
  for (int j = 0; j < 16; ++j) block->qs[j] = static_cast<uint8_t>(codes[j] | (codes[j + 16] << 4));
}

// Spreads the codes evenly from the smallest to the largest value; the same bytes as the gguf
// package.
void EncodePlain(const float* values, BlockQ4_1* block) {
  float x[32];
  CopyFinite(values, x, 32);
  const float high = *std::max_element(x, x + 32);
  float low = *std::min_element(x, x + 32);
  float d = (high - low) / 15.0f;
  block->d = ScaleToHalf(d);
  block->m = ScaleToHalf(low);
  if (d > 65504.0f) d = HalfToFloat(block->d);
  if (std::fabs(low) > 65504.0f) low = HalfToFloat(block->m);
  const float inverse = InverseOrZero(d);
  int codes[32];
  for (int i = 0; i < 32; ++i) {
    codes[i] = static_cast<int>(Clamp((x[i] - low) * inverse + 0.5f, 0.0f, 15.0f));
  }
  Pack(codes, block);
}

void EncodeWeighted(const float* values, const float* importance, BlockQ4_1* block) {
  BlockInput in;
  in.Load(values, importance, 32);
  uint16_t d, m;
  const Affine fit = FitBlockAffine<15, 32>(in, &d, &m);
  block->d = d;
  block->m = m;
  int codes[32];
  for (int i = 0; i < 32; ++i) codes[i] = AffineLevelOf<15>(in.x[i], fit);
  Pack(codes, block);
}

}  // namespace

void DecodeQ4_1(const uint8_t* blocks, float* values, int64_t num_blocks) {
  const auto* block = reinterpret_cast<const BlockQ4_1*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 32) {
    const float d = HalfToFloat(block->d);
    const float m = HalfToFloat(block->m);
    for (int j = 0; j < 16; ++j) {
      values[j] = d * static_cast<float>(block->qs[j] & 15) + m;
      values[j + 16] = d * static_cast<float>(block->qs[j] >> 4) + m;
    }
  }
}

void EncodeQ4_1(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks) {
  auto* block = reinterpret_cast<BlockQ4_1*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 32) {
    if (importance == nullptr) {
      EncodePlain(values, block);
    } else {
      EncodeWeighted(values, importance + 32 * b, block);
    }
  }
}

}  // namespace galen
