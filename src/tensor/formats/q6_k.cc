#include "tensor/formats/q6_k.h"

#include "tensor/dtype.h"
#include "tensor/formats/block_input.h"
#include "tensor/formats/signed_fit.h"

namespace galen {

void DecodeQ6_K(const uint8_t* blocks, float* values, int64_t num_blocks) {
  const auto* block = reinterpret_cast<const BlockQ6_K*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 256) {
    const float d = HalfToFloat(block->d);
    for (int g = 0; g < 16; ++g) {
      const float scale = d * static_cast<float>(block->scales[g]);
      // Quarter k of half h: which 32 of the 128 values.
      const int h = g / 8, k = (g % 8) / 2, offset = 16 * (g % 2);
      const uint8_t* low = block->ql + 64 * h + 32 * (k % 2) + offset;
      const uint8_t* high = block->qh + 32 * h + offset;
      for (int l = 0; l < 16; ++l) {
        const int code = ((low[l] >> (4 * (k / 2))) & 15) | (((high[l] >> (2 * k)) & 3) << 4);
        values[16 * g + l] = scale * static_cast<float>(code - 32);
      }
    }
  }
}

void EncodeQ6_K(const float* values, const float* importance, uint8_t* blocks, int64_t num_blocks) {
  auto* block = reinterpret_cast<BlockQ6_K*>(blocks);
  BlockInput in;
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 256) {
    in.Load(values, importance != nullptr ? importance + 256 * b : nullptr, 256);
    *block = {};
    uint16_t half;
    int8_t scales[16];
    const float d = FitGroupScales<IntegerLevels<-32, 31>, 16, -128, 127>(in, &half, scales);
    block->d = half;
    for (int g = 0; g < 16; ++g) {
      block->scales[g] = scales[g];
      const float scale = d * scales[g];
      const int h = g / 8, k = (g % 8) / 2, offset = 16 * (g % 2);
      uint8_t* low = block->ql + 64 * h + 32 * (k % 2) + offset;
      uint8_t* high = block->qh + 32 * h + offset;
      for (int l = 0; l < 16; ++l) {
        const int code =
            static_cast<int>(LevelOf<IntegerLevels<-32, 31>>(in.x[16 * g + l], scale)) + 32;
        low[l] |= (code & 15) << (4 * (k / 2));
        high[l] |= (code >> 4) << (2 * k);
      }
    }
  }
}

}  // namespace galen
