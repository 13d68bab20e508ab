#include "media/image/resample_kernels.h"

#include <algorithm>
#include <cstdlib>

namespace galen {
namespace {

uint8_t Finish(uint32_t sum, int bits) {
  const int32_t value = static_cast<int32_t>(sum + (uint32_t{1} << (bits - 1))) >> bits;
  return static_cast<uint8_t>(std::clamp(value, 0, 255));
}

uint32_t Weight(const FixedWeights& weights, int64_t at) {
  return (static_cast<uint32_t>(weights.high[at]) << FixedWeights::kLowBits) +
         static_cast<uint32_t>(weights.low[at]);
}

void Horizontal(const uint8_t* const* in, uint8_t* const* out, int64_t rows, int64_t channels,
                const FixedWeights& weights) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t x = 0; x < weights.targets(); ++x) {
      for (int64_t c = 0; c < channels; ++c) {
        const uint8_t* pixel = in[r] + weights.first[x] * channels + c;
        uint32_t sum = 0;
        for (int64_t k = 0; k < weights.count[x]; ++k) {
          sum += pixel[k * channels] * Weight(weights, x * weights.stride + k);
        }
        out[r][x * channels + c] = Finish(sum, weights.bits);
      }
    }
  }
}

void Vertical(const uint8_t* in, int64_t in_stride, uint8_t* out, int64_t bytes,
              const FixedWeights& weights, int64_t y) {
  const uint8_t* top = in + weights.first[y] * in_stride;
  for (int64_t i = 0; i < bytes; ++i) {
    uint32_t sum = 0;
    for (int64_t k = 0; k < weights.count[y]; ++k) {
      sum += top[k * in_stride + i] * Weight(weights, y * weights.stride + k);
    }
    out[i] = Finish(sum, weights.bits);
  }
}

}  // namespace

const ResampleKernels kResampleRef = {"ref", 1, Horizontal, Vertical};

std::vector<const ResampleKernels*> SupportedResampleKernels() {
  std::vector<const ResampleKernels*> kernels = {&kResampleRef};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) kernels.push_back(&kResampleAvx2);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) {
    kernels.push_back(&kResampleAvx512);
  }
#endif
  return kernels;
}

const ResampleKernels& ChooseResampleKernels() {
  static const ResampleKernels* const chosen = [] {
    const std::vector<const ResampleKernels*> supported = SupportedResampleKernels();
    const char* forced = std::getenv("GALEN_ISA");
    const std::string_view isa = forced == nullptr ? "" : forced;
    if (isa == "ref") return supported[0];
    if (isa == "avx2" && supported.size() > 1) return supported[1];
    return supported.back();
  }();
  return *chosen;
}

}  // namespace galen
