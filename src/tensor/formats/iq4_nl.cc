#include "tensor/formats/iq4_nl.h"

#include "tensor/dtype.h"
#include "tensor/formats/block_input.h"
#include "tensor/formats/signed_fit.h"

namespace galen {

void DecodeIQ4_NL(const uint8_t* blocks, float* values, int64_t num_blocks) {
  const auto* block = reinterpret_cast<const BlockIQ4_NL*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 32) {
    const float d = HalfToFloat(block->d);
    for (int j = 0; j < 16; ++j) {
      values[j] = d * static_cast<float>(kIQ4Values[block->qs[j] & 15]);
      values[j + 16] = d * static_cast<float>(kIQ4Values[block->qs[j] >> 4]);
    }
  }
}

void EncodeIQ4_NL(const float* values, const float* importance, uint8_t* blocks,
                  int64_t num_blocks) {
  auto* block = reinterpret_cast<BlockIQ4_NL*>(blocks);
  BlockInput in;
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 32) {
    in.Load(values, importance != nullptr ? importance + 32 * b : nullptr, 32);
    *block = {};
    uint16_t half;
    const float d = FitBlockScale<IQ4Levels, 32>(in, &half);
    block->d = half;
    const float inverse = d != 0.0f ? 1.0f / d : 0.0f;
    for (int j = 0; j < 16; ++j) {
      const int low = IQ4Levels::NearestCode(in.x[j] * inverse);
      const int high = IQ4Levels::NearestCode(in.x[j + 16] * inverse);
      block->qs[j] = static_cast<uint8_t>(low | (high << 4));
    }
  }
}

}  // namespace galen
