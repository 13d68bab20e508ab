// The inner loops of resampling, one implementation per instruction set. All give the same bytes:
//   clamp((sum of pixel * weight + 2^(bits-1)) >> bits, 0, 255), the sum in 32 bits.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "media/image/resample_weights.h"

namespace galen {

struct ResampleKernels {
  std::string_view name;
  // Rows that horizontal takes at once.
  int64_t rows;
  // out[r][x, c] for x in [0, targets) and the given number of rows. in[r] may be read kReadSlack
  // bytes beyond its last pixel.
  void (*horizontal)(const uint8_t* const* in, uint8_t* const* out, int64_t rows, int64_t channels,
                     const FixedWeights& weights);
  // out[i] for i in [0, bytes), from the rows weights.first[y] .. of in, which lie in_stride bytes
  // apart.
  void (*vertical)(const uint8_t* in, int64_t in_stride, uint8_t* out, int64_t bytes,
                   const FixedWeights& weights, int64_t y);
};

inline constexpr int64_t kReadSlack = 64;
inline constexpr int64_t kMaxRows = 8;

extern const ResampleKernels kResampleRef;
// Those of this machine and build in ascending order, kResampleRef first.
std::vector<const ResampleKernels*> SupportedResampleKernels();
// The best of them that GALEN_ISA (ref, avx2, avx512...) allows; the choice is made once.
const ResampleKernels& ChooseResampleKernels();

#if defined(__x86_64__)
extern const ResampleKernels kResampleAvx2;
extern const ResampleKernels kResampleAvx512;
#endif

}  // namespace galen
