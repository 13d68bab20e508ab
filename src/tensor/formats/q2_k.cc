#include "tensor/formats/q2_k.h"

#include "tensor/dtype.h"
#include "tensor/formats/affine_fit.h"
#include "tensor/formats/block_input.h"

namespace galen {

void DecodeQ2_K(const uint8_t* blocks, float* values, int64_t num_blocks) {
  const auto* block = reinterpret_cast<const BlockQ2_K*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 256) {
    const float d = HalfToFloat(block->d);
    const float dmin = HalfToFloat(block->dmin);
    for (int g = 0; g < 16; ++g) {
      const float scale = d * static_cast<float>(block->scales[g] & 15);
      const float min = dmin * static_cast<float>(block->scales[g] >> 4);
      const uint8_t* qs = block->qs + 32 * (g / 8) + 16 * (g % 2);
      const int shift = 2 * ((g % 8) / 2);
      for (int l = 0; l < 16; ++l) {
        values[16 * g + l] = scale * static_cast<float>((qs[l] >> shift) & 3) - min;
      }
    }
  }
}

void EncodeQ2_K(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks) {
  auto* block = reinterpret_cast<BlockQ2_K*>(blocks);
  BlockInput in;
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 256) {
    in.Load(values, importance != nullptr ? importance + 256 * b : nullptr, 256);
    *block = {};
    uint8_t scales[16], mins[16];
    uint16_t d, dmin;
    const Affine unit = FitGroupAffine<3, 16, 15>(in, &d, &dmin, scales, mins);
    block->d = d;
    block->dmin = dmin;

    for (int g = 0; g < 16; ++g) {
      block->scales[g] = static_cast<uint8_t>(scales[g] | (mins[g] << 4));
      const Affine fit = {unit.scale * scales[g], unit.min * mins[g]};
      uint8_t* qs = block->qs + 32 * (g / 8) + 16 * (g % 2);
      const int shift = 2 * ((g % 8) / 2);
      for (int l = 0; l < 16; ++l) qs[l] |= AffineLevelOf<3>(in.x[16 * g + l], fit) << shift;
    }
  }
}

}  // namespace galen
