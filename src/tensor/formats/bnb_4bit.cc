#include "tensor/formats/bnb_4bit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "tensor/formats/bnb_4bit_x86.h"

namespace galen {
namespace {

// Codes in the order of their values, and the fp32 midpoints between neighbours.
struct Steps {
  std::array<float, 16> thresholds{};  // the last is never exceeded
  std::array<uint8_t, 16> code_of_rank{};
};

Steps MakeSteps(Bnb4Type type) {
  const float* values = Bnb4Values(type);
  Steps steps;
  for (int i = 0; i < 16; ++i) steps.code_of_rank[i] = static_cast<uint8_t>(i);
  std::stable_sort(steps.code_of_rank.begin(), steps.code_of_rank.end(),
                   [&](uint8_t a, uint8_t b) { return values[a] < values[b]; });
  for (int i = 0; i < 15; ++i) {
    steps.thresholds[i] =
        (values[steps.code_of_rank[i]] + values[steps.code_of_rank[i + 1]]) * 0.5f;
  }
  steps.thresholds[15] = 2.0f;
  return steps;
}

const Steps& StepsOf(Bnb4Type type) {
  static const Steps kNf4 = MakeSteps(Bnb4Type::kNf4);
  static const Steps kFp4 = MakeSteps(Bnb4Type::kFp4);
  return type == Bnb4Type::kNf4 ? kNf4 : kFp4;
}

// A tie goes to the lower value.
int CodeOf(const Steps& steps, float s) {
  int rank = 0;
  for (int i = 0; i < 15; ++i) rank += s > steps.thresholds[i] ? 1 : 0;
  return steps.code_of_rank[rank];
}

float Clamped(float s) { return std::min(std::max(s, -1.0f), 1.0f); }

constexpr float kSmallestDivisor = 1e-38f;  // bitsandbytes, backends/cpu/ops.py

void EncodeBlock(const Steps& steps, const float* values, int64_t n, uint8_t* codes,
                 float* absmax) {
#if defined(__x86_64__)
  if (n % 32 == 0 && x86::EncodeBnb4Block(steps.thresholds.data(), steps.code_of_rank.data(),
                                          values, n, codes, absmax)) {
    return;
  }
#endif
  float largest = 0.0f;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(values[i]));
  *absmax = largest;
  const float inverse = 1.0f / std::max(largest, kSmallestDivisor);
  for (int64_t i = 0; i < n; i += 2) {
    const int high = CodeOf(steps, Clamped(values[i] * inverse));
    const int low = CodeOf(steps, Clamped(values[i + 1] * inverse));
    codes[i / 2] = static_cast<uint8_t>(high << 4 | low);
  }
}

// The short block at the end of a tensor: divided, its absmax never below the divisor's limit, an
// odd count padded with 0.
void EncodeLastBlock(const Steps& steps, const float* values, int64_t n, uint8_t* codes,
                     float* absmax) {
  float largest = 0.0f;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(values[i]));
  *absmax = std::max(largest, kSmallestDivisor);
  for (int64_t i = 0; i < n; i += 2) {
    const int high = CodeOf(steps, Clamped(values[i] / *absmax));
    const int low = CodeOf(steps, i + 1 < n ? Clamped(values[i + 1] / *absmax) : 0.0f);
    codes[i / 2] = static_cast<uint8_t>(high << 4 | low);
  }
}

void Decode(const float* table, const uint8_t* blocks, float* values, int64_t num_blocks) {
  const auto* block = reinterpret_cast<const BlockBnb4*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 64) {
    for (int j = 0; j < 32; ++j) {
      values[2 * j] = table[block->qs[j] >> 4] * block->absmax;
      values[2 * j + 1] = table[block->qs[j] & 15] * block->absmax;
    }
  }
}

void Encode(Bnb4Type type, const float* values, uint8_t* blocks, int64_t num_blocks) {
  const Steps& steps = StepsOf(type);
  auto* block = reinterpret_cast<BlockBnb4*>(blocks);
  for (int64_t b = 0; b < num_blocks; ++b, ++block, values += 64) {
    float absmax;
    EncodeBlock(steps, values, 64, block->qs, &absmax);
    block->absmax = absmax;
  }
}

}  // namespace

void EncodeBnb4(Bnb4Type type, const float* values, int64_t n, int64_t blocksize, uint8_t* codes,
                float* absmax) {
  const Steps& steps = StepsOf(type);
  for (int64_t i = 0; i < n; i += blocksize, codes += blocksize / 2, ++absmax) {
    if (n - i >= blocksize) {
      EncodeBlock(steps, values + i, blocksize, codes, absmax);
    } else {
      EncodeLastBlock(steps, values + i, n - i, codes, absmax);
    }
  }
}

void DecodeNF4(const uint8_t* blocks, float* values, int64_t num_blocks) {
  Decode(kNf4Values, blocks, values, num_blocks);
}
void DecodeFP4(const uint8_t* blocks, float* values, int64_t num_blocks) {
  Decode(kFp4Values, blocks, values, num_blocks);
}
void EncodeNF4(const float* values, const float*, uint8_t* blocks, int64_t num_blocks) {
  Encode(Bnb4Type::kNf4, values, blocks, num_blocks);
}
void EncodeFP4(const float* values, const float*, uint8_t* blocks, int64_t num_blocks) {
  Encode(Bnb4Type::kFp4, values, blocks, num_blocks);
}

}  // namespace galen
