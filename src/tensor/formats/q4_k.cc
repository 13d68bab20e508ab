#include "tensor/formats/q4_k.h"

#include "tensor/dtype.h"
#include "tensor/formats/affine_fit.h"
#include "tensor/formats/block_input.h"

namespace galen {

void DecodeQ4_K(const uint8_t* blocks, float* values, int64_t num_blocks) {
  const auto* block = reinterpret_cast<const BlockQ4_K*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 256) {
    const float d = HalfToFloat(block->d);
    const float dmin = HalfToFloat(block->dmin);
    for (int g = 0; g < 8; ++g) {
      const ScaleMin6 packed = UnpackScaleMin6(block->scales, g);
      const float scale = d * static_cast<float>(packed.scale);
      const float min = dmin * static_cast<float>(packed.min);
      const uint8_t* qs = block->qs + 32 * (g / 2);
      const int shift = 4 * (g % 2);
      for (int l = 0; l < 32; ++l) {
        values[32 * g + l] = scale * static_cast<float>((qs[l] >> shift) & 15) - min;
      }
    }
  }
}

void EncodeQ4_K(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks) {
  auto* block = reinterpret_cast<BlockQ4_K*>(blocks);
  BlockInput in;
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 256) {
    in.Load(values, importance != nullptr ? importance + 256 * b : nullptr, 256);
    *block = {};
    uint8_t scales[8], mins[8];
    uint16_t d, dmin;
    const Affine unit = FitGroupAffine<15, 32, 63>(in, &d, &dmin, scales, mins);
    block->d = d;
    block->dmin = dmin;

    ScaleMin6 pairs[8];
    for (int g = 0; g < 8; ++g) pairs[g] = {scales[g], mins[g]};
    PackScaleMin6(pairs, block->scales);
    for (int g = 0; g < 8; ++g) {
      const Affine fit = {unit.scale * scales[g], unit.min * mins[g]};
      uint8_t* qs = block->qs + 32 * (g / 2);
      const int shift = 4 * (g % 2);
      for (int l = 0; l < 32; ++l) {
        const int code = AffineLevelOf<15>(in.x[32 * g + l], fit);
        qs[l] |= code << shift;
      }
    }
  }
}

}  // namespace galen
