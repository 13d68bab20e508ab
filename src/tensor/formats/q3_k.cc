#include "tensor/formats/q3_k.h"

#include "tensor/dtype.h"
#include "tensor/formats/block_input.h"
#include "tensor/formats/signed_fit.h"

namespace galen {

void DecodeQ3_K(const uint8_t* blocks, float* values, int64_t num_blocks) {
  const auto* block = reinterpret_cast<const BlockQ3_K*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 256) {
    const float d = HalfToFloat(block->d);
    int8_t scales[16];
    UnpackScalesQ3_K(block->scales, scales);
    for (int g = 0; g < 16; ++g) {
      const float scale = d * static_cast<float>(scales[g]);
      const uint8_t* qs = block->qs + 32 * (g / 8) + 16 * (g % 2);
      const uint8_t* high = block->hmask + 16 * (g % 2);
      const int shift = 2 * ((g % 8) / 2);
      for (int l = 0; l < 16; ++l) {
        const int code = ((qs[l] >> shift) & 3) | (((high[l] >> (g / 2)) & 1) << 2);
        values[16 * g + l] = scale * static_cast<float>(code - 4);
      }
    }
  }
}

void EncodeQ3_K(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks) {
  auto* block = reinterpret_cast<BlockQ3_K*>(blocks);
  BlockInput in;
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 256) {
    in.Load(values, importance != nullptr ? importance + 256 * b : nullptr, 256);
    *block = {};
    int8_t scales[16];
    uint16_t half;
    const float d = FitGroupScales<IntegerLevels<-4, 3>, 16, -32, 31>(in, &half, scales);
    block->d = half;
    for (int g = 0; g < 16; ++g) {
      const int packed = scales[g] + 32;
      block->scales[g % 8] |= (packed & 15) << (4 * (g / 8));
      block->scales[8 + g % 4] |= (packed >> 4) << (2 * (g / 4));
      const float scale = d * scales[g];
      uint8_t* qs = block->qs + 32 * (g / 8) + 16 * (g % 2);
      uint8_t* high = block->hmask + 16 * (g % 2);
      const int shift = 2 * ((g % 8) / 2);
      for (int l = 0; l < 16; ++l) {
        const int code =
            static_cast<int>(LevelOf<IntegerLevels<-4, 3>>(in.x[16 * g + l], scale)) + 4;
        qs[l] |= (code & 3) << shift;
        high[l] |= (code >> 2) << (g / 2);
      }
    }
  }
}

}  // namespace galen
