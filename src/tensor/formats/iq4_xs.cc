#include "tensor/formats/iq4_xs.h"

#include "tensor/dtype.h"
#include "tensor/formats/block_input.h"
#include "tensor/formats/signed_fit.h"

namespace galen {

void DecodeIQ4_XS(const uint8_t* blocks, float* values, int64_t num_blocks) {
  const auto* block = reinterpret_cast<const BlockIQ4_XS*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 256) {
    const float d = HalfToFloat(block->d);
    for (int g = 0; g < 8; ++g) {
      const float scale = d * static_cast<float>(ScaleIQ4_XS(*block, g));
      const uint8_t* qs = block->qs + 16 * g;
      for (int j = 0; j < 16; ++j) {
        values[32 * g + j] = scale * static_cast<float>(kIQ4Values[qs[j] & 15]);
        values[32 * g + j + 16] = scale * static_cast<float>(kIQ4Values[qs[j] >> 4]);
      }
    }
  }
}

void EncodeIQ4_XS(const float* values, const float* importance, uint8_t* blocks,
                  int64_t num_blocks) {
  auto* block = reinterpret_cast<BlockIQ4_XS*>(blocks);
  BlockInput in;
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 256) {
    in.Load(values, importance != nullptr ? importance + 256 * b : nullptr, 256);
    *block = {};
    uint16_t half;
    int8_t scales[8];
    const float d = FitGroupScales<IQ4Levels, 32, -32, 31>(in, &half, scales);
    block->d = half;
    uint16_t scales_h = 0;
    for (int g = 0; g < 8; ++g) {
      const int packed = scales[g] + 32;
      block->scales_l[g / 2] |= (packed & 15) << (4 * (g % 2));
      scales_h |= (packed >> 4) << (2 * g);
      const float scale = d * scales[g];
      const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
      for (int j = 0; j < 16; ++j) {
        const int low = IQ4Levels::NearestCode(in.x[32 * g + j] * inverse);
        const int high = IQ4Levels::NearestCode(in.x[32 * g + j + 16] * inverse);
        block->qs[16 * g + j] = static_cast<uint8_t>(low | (high << 4));
      }
    }
    block->scales_h = scales_h;
  }
}

}  // namespace galen
