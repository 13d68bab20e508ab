#include "nn/rotary.h"

#include <cmath>

#include "base/threads.h"

namespace galen {
namespace {

constexpr double kPi = 3.14159265358979323846;

Status Bad(const char* field, double value, const char* range) {
  return InvalidArgument(std::string("rope ") + field + " is " + std::to_string(value) +
                         ", expected " + range);
}

// Llama 3.1: long wavelengths are divided by the factor, short ones kept, those between blended.
// Source: transformers 5.23, modeling_rope_utils.py, _compute_llama3_parameters.
void ScaleLlama3(const RopeConfig& config, std::vector<float>* inv_freq) {
  const double low_wavelength = config.original_max_position_embeddings / config.low_freq_factor;
  const double high_wavelength = config.original_max_position_embeddings / config.high_freq_factor;
  for (float& f : *inv_freq) {
    const float wavelength = static_cast<float>(2 * kPi) / f;
    if (wavelength > low_wavelength) {
      f = f / static_cast<float>(config.factor);
    } else if (wavelength >= high_wavelength) {
      const float smooth =
          (static_cast<float>(config.original_max_position_embeddings) / wavelength -
           static_cast<float>(config.low_freq_factor)) /
          static_cast<float>(config.high_freq_factor - config.low_freq_factor);
      const float scaled = f / static_cast<float>(config.factor);
      f = (1.0f - smooth) * scaled + smooth * f;
    }
  }
}

}  // namespace

Result<RopeType> RopeTypeFromName(std::string_view name) {
  if (name == "default" || name == "none") return RopeType::kDefault;
  if (name == "linear") return RopeType::kLinear;
  if (name == "llama3") return RopeType::kLlama3;
  return Unsupported("rope scaling '" + std::string(name) +
                     "' is not supported; known: default, linear, llama3");
}

std::string_view RopeTypeName(RopeType type) {
  switch (type) {
    case RopeType::kDefault:
      return "default";
    case RopeType::kLinear:
      return "linear";
    case RopeType::kLlama3:
      return "llama3";
  }
  return "unknown";
}

Status ValidateRope(const RopeConfig& config, int64_t head_dim) {
  // Written so that NaN fails too.
  if (!(config.theta >= 1.0 && config.theta <= 1e15)) return Bad("theta", config.theta, "1..1e15");
  if (config.type != RopeType::kDefault && !(config.factor >= 1e-3 && config.factor <= 1e6)) {
    return Bad("factor", config.factor, "0.001..1e6");
  }
  if (config.type == RopeType::kLlama3) {
    if (!(config.low_freq_factor > 0 && config.low_freq_factor <= 1e6)) {
      return Bad("low_freq_factor", config.low_freq_factor, "above 0, at most 1e6");
    }
    if (!(config.high_freq_factor > config.low_freq_factor && config.high_freq_factor <= 1e6)) {
      return Bad("high_freq_factor", config.high_freq_factor, "above low_freq_factor");
    }
    if (!(config.original_max_position_embeddings >= 1 &&
          config.original_max_position_embeddings <= 1e9)) {
      return Bad("original_max_position_embeddings", config.original_max_position_embeddings,
                 "1..1e9");
    }
  }
  if (!config.freq_factors.empty()) {
    if (static_cast<int64_t>(config.freq_factors.size()) != head_dim / 2) {
      return InvalidArgument("rope frequency factors: expected " + std::to_string(head_dim / 2) +
                             " values (half of head_dim), found " +
                             std::to_string(config.freq_factors.size()));
    }
    for (const float f : config.freq_factors) {
      if (!(f >= 1e-3f && f <= 1e6f)) return Bad("frequency factor", f, "0.001..1e6");
    }
  }
  return OkStatus();
}

std::vector<float> InverseFrequencies(const RopeConfig& config, int64_t head_dim) {
  std::vector<float> inv_freq(head_dim / 2);
  for (int64_t i = 0; i < head_dim / 2; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_dim);
    // The correctly rounded power; PyTorch's fp32 power differs from it in the last place at one
    // or two of 128 frequencies.
    const float power = static_cast<float>(std::pow(config.theta, static_cast<double>(exponent)));
    inv_freq[i] = 1.0f / power;
  }
  if (config.type == RopeType::kLinear) {
    for (float& f : inv_freq) f /= static_cast<float>(config.factor);
  } else if (config.type == RopeType::kLlama3) {
    ScaleLlama3(config, &inv_freq);
  }
  for (size_t i = 0; i < config.freq_factors.size(); ++i) inv_freq[i] /= config.freq_factors[i];
  return inv_freq;
}

Tensor RotaryTable(ExecContext& ctx, std::span<const float> inv_freq,
                   std::span<const RotarySection> sections) {
  const int64_t tokens = static_cast<int64_t>(sections.front().positions.size());
  const int64_t half = static_cast<int64_t>(inv_freq.size());
  int64_t covered = 0;
  for (const RotarySection& section : sections) {
    GALEN_CHECK(static_cast<int64_t>(section.positions.size()) == tokens);
    covered += section.frequencies;
  }
  GALEN_CHECK(covered == half);
  Tensor table = ctx.arena->NewTensor({tokens, 2 * half});
  const auto fill = [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      float* row = table.row(t);
      int64_t i = 0;
      for (const RotarySection& section : sections) {
        const float position = static_cast<float>(section.positions[t]);
        for (const int64_t last = i + section.frequencies; i < last; ++i) {
          const float angle = position * inv_freq[i];
          row[i] = std::cos(angle);
          row[half + i] = std::sin(angle);
        }
      }
    }
  };
  // A row of 128 frequencies takes about 3 us; waking the pool pays from a few rows on.
  if (tokens < 8) {
    fill(0, tokens);
  } else {
    WorkQueue queue(tokens, 8);
    ctx.pool->Run([&](int) {
      for (int64_t begin, end; queue.Next(&begin, &end);) fill(begin, end);
    });
  }
  return table;
}

Tensor RotaryTable(ExecContext& ctx, std::span<const float> inv_freq,
                   std::span<const int32_t> positions) {
  const RotarySection section = {static_cast<int64_t>(inv_freq.size()), positions};
  return RotaryTable(ctx, inv_freq, {&section, 1});
}

}  // namespace galen
