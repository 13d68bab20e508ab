#include "tensor/formats/q4_0.h"

#include <cmath>

#include "tensor/dtype.h"
#include "tensor/formats/block_input.h"
#include "tensor/formats/signed_fit.h"

namespace galen {
namespace {

void Pack(const int codes[32], BlockQ4_0* block) {
  for (int j = 0; j < 16; ++j) block->qs[j] = static_cast<uint8_t>(codes[j] | (codes[j + 16] << 4));
}

// Rounds to the scale that puts the value of largest magnitude (the first of several) on code 0;
// the same bytes as the gguf package.
void EncodePlain(const float* values, BlockQ4_0* block) {
  float x[32];
  CopyFinite(values, x, 32);
  float extreme = x[0];
  for (const float v : x) {
    if (std::fabs(v) > std::fabs(extreme)) extreme = v;
  }
  float d = extreme / -8.0f;
  block->d = ScaleToHalf(d);
  if (std::fabs(d) > 65504.0f) d = HalfToFloat(block->d);
  const float inverse = InverseOrZero(d);
  int codes[32];
  for (int i = 0; i < 32; ++i) {
    codes[i] = static_cast<int>(Clamp(x[i] * inverse + 8.5f, 0.0f, 15.0f));
  }
  Pack(codes, block);
}

void EncodeWeighted(const float* values, const float* importance, BlockQ4_0* block) {
  BlockInput in;
  in.Load(values, importance, 32);
  uint16_t half;
  const float d = FitBlockScale<IntegerLevels<-8, 7>, 32>(in, &half);
  block->d = half;
  int codes[32];
  for (int i = 0; i < 32; ++i) {
    codes[i] = static_cast<int>(LevelOf<IntegerLevels<-8, 7>>(in.x[i], d)) + 8;
  }
  Pack(codes, block);
}

}  // namespace

void DecodeQ4_0(const uint8_t* blocks, float* values, int64_t num_blocks) {
  const auto* block = reinterpret_cast<const BlockQ4_0*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 32) {
    const float d = HalfToFloat(block->d);
    for (int j = 0; j < 16; ++j) {
      values[j] = d * static_cast<float>((block->qs[j] & 15) - 8);
      values[j + 16] = d * static_cast<float>((block->qs[j] >> 4) - 8);
    }
  }
}

void EncodeQ4_0(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks) {
  auto* block = reinterpret_cast<BlockQ4_0*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 32) {
    if (importance == nullptr) {
      EncodePlain(values, block);
    } else {
      EncodeWeighted(values, importance + 32 * b, block);
    }
  }
}

}  // namespace galen
