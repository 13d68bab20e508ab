#include "tensor/formats/q5_1.h"

#include <algorithm>
#include <cmath>

#include "tensor/dtype.h"
#include "tensor/formats/affine_fit.h"
#include "tensor/formats/block_input.h"

namespace galen {
namespace {

void Pack(const int codes[32], BlockQ5_1* block) { PackCodes5(codes, block->qs, block->qh); }

// Spreads the codes evenly from the smallest to the largest value; the same bytes as the gguf
// package.
void EncodePlain(const float* values, BlockQ5_1* block) {
  float x[32];
  CopyFinite(values, x, 32);
  const float high = *std::max_element(x, x + 32);
  float low = *std::min_element(x, x + 32);
  float d = (high - low) / 31.0f;
  block->d = ScaleToHalf(d);
  block->m = ScaleToHalf(low);
  if (d > 65504.0f) d = HalfToFloat(block->d);
  if (std::fabs(low) > 65504.0f) low = HalfToFloat(block->m);
  const float inverse = InverseOrZero(d);
  int codes[32];
  for (int i = 0; i < 32; ++i) {
    codes[i] = static_cast<int>(Clamp((x[i] - low) * inverse + 0.5f, 0.0f, 31.0f));
  }
  Pack(codes, block);
}

void EncodeWeighted(const float* values, const float* importance, BlockQ5_1* block) {
  BlockInput in;
  in.Load(values, importance, 32);
  uint16_t d, m;
  const Affine fit = FitBlockAffine<31, 32>(in, &d, &m);
  block->d = d;
  block->m = m;
  int codes[32];
  for (int i = 0; i < 32; ++i) codes[i] = AffineLevelOf<31>(in.x[i], fit);
  Pack(codes, block);
}

}  // namespace

void DecodeQ5_1(const uint8_t* blocks, float* values, int64_t num_blocks) {
  const auto* block = reinterpret_cast<const BlockQ5_1*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 32) {
    const float d = HalfToFloat(block->d);
    const float m = HalfToFloat(block->m);
    for (int i = 0; i < 32; ++i)
      values[i] = d * static_cast<float>(Code5(block->qs, block->qh, i)) + m;
  }
}

void EncodeQ5_1(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks) {
  auto* block = reinterpret_cast<BlockQ5_1*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 32) {
    if (importance == nullptr) {
      EncodePlain(values, block);
    } else {
      EncodeWeighted(values, importance + 32 * b, block);
    }
  }
}

}  // namespace galen
