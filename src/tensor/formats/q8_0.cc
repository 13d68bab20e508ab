#include "tensor/formats/q8_0.h"

#include <algorithm>
#include <cmath>

#include "tensor/dtype.h"
#include "tensor/formats/block_input.h"
#include "tensor/formats/signed_fit.h"

namespace galen {
namespace {

// Puts the largest magnitude on 127 and rounds half away from zero; the same bytes as the gguf
// package.
void EncodePlain(const float* values, BlockQ8_0* block) {
  float x[32];
  CopyFinite(values, x, 32);
  float largest = 0.0f;
  for (const float v : x) largest = std::max(largest, std::fabs(v));
  float d = largest / 127.0f;
  block->d = ScaleToHalf(d);
  if (d > 65504.0f) d = HalfToFloat(block->d);
  const float inverse = InverseOrZero(d);
  for (int i = 0; i < 32; ++i) {
    block->qs[i] = static_cast<int8_t>(std::round(Clamp(x[i] * inverse, -127.0f, 127.0f)));
  }
}

void EncodeWeighted(const float* values, const float* importance, BlockQ8_0* block) {
  BlockInput in;
  in.Load(values, importance, 32);
  uint16_t half;
  const float d = FitBlockScale<IntegerLevels<-127, 127>, 32>(in, &half);
  block->d = half;
  for (int i = 0; i < 32; ++i) {
    block->qs[i] = static_cast<int8_t>(LevelOf<IntegerLevels<-127, 127>>(in.x[i], d));
  }
}

}  // namespace

void DecodeQ8_0(const uint8_t* blocks, float* values, int64_t num_blocks) {
  const auto* block = reinterpret_cast<const BlockQ8_0*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 32) {
    const float d = HalfToFloat(block->d);
    for (int i = 0; i < 32; ++i) values[i] = d * static_cast<float>(block->qs[i]);
  }
}

void EncodeQ8_0(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks) {
  auto* block = reinterpret_cast<BlockQ8_0*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 32) {
    if (importance == nullptr) {
      EncodePlain(values, block);
    } else {
      EncodeWeighted(values, importance + 32 * b, block);
    }
  }
}

}  // namespace galen
