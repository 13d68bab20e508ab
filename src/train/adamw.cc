#include "train/adamw.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace galen {
namespace {

constexpr int64_t kBlock = 256;
constexpr int64_t kPieceElements = 64 * kBlock;

int64_t Blocks(int64_t n) { return (n + kBlock - 1) / kBlock; }

// Calls fn(param, begin, end) over pieces of all parameters.
template <typename Fn>
void ForEachPiece(std::span<const TrainParam> params, Fn&& fn) {
  for (size_t p = 0; p < params.size(); ++p) {
    const int64_t n = params[p].size();
    for (int64_t begin = 0; begin < n; begin += kPieceElements) {
      fn(p, begin, std::min(begin + kPieceElements, n));
    }
  }
}

// The dynamic map of bitsandbytes: floating-point numbers of 8 bits whose exponent is unary, so
// that small values keep their relative precision. Signed for the first moment, unsigned for the
// second. Ascending, 256 entries.
class DynamicMap {
 public:
  explicit DynamicMap(bool is_signed) {
    std::vector<double> values;
    constexpr int kExponents = 7;
    for (int e = 0; e < kExponents; ++e) {
      const int points = is_signed ? (1 << e) + 1 : (2 << e) + 1;
      for (int i = 0; i + 1 < points; ++i) {
        const double low = 0.1 + 0.9 * i / (points - 1);
        const double high = 0.1 + 0.9 * (i + 1) / (points - 1);
        const double value = (low + high) / 2 * std::pow(10.0, e - (kExponents - 1));
        values.push_back(value);
        if (is_signed) values.push_back(-value);
      }
    }
    values.push_back(0);
    values.push_back(1);
    std::sort(values.begin(), values.end());
    for (size_t i = 0; i < codes_.size(); ++i) {
      codes_[i] = static_cast<float>(values[std::min(i, values.size() - 1)]);
    }
    for (size_t i = 0; i + 1 < codes_.size(); ++i) {
      thresholds_[i] = (codes_[i] + codes_[i + 1]) / 2;
    }
  }
  float Decode(uint8_t code) const { return codes_[code]; }
  // The nearest entry.
  uint8_t Encode(float x) const {
    const auto* const end = thresholds_.data() + thresholds_.size();
    return static_cast<uint8_t>(std::upper_bound(thresholds_.data(), end, x) - thresholds_.data());
  }

 private:
  std::array<float, 256> codes_{};
  std::array<float, 255> thresholds_{};
};

const DynamicMap& SignedMap() {
  static const DynamicMap map(true);
  return map;
}
const DynamicMap& UnsignedMap() {
  static const DynamicMap map(false);
  return map;
}

void DecodeBlock(const DynamicMap& map, const uint8_t* codes, float scale, int64_t n, float* x) {
  for (int64_t i = 0; i < n; ++i) x[i] = scale * map.Decode(codes[i]);
}

// lowest: the least code of a value that is not zero.
void EncodeBlock(const DynamicMap& map, const float* x, int64_t n, uint8_t lowest, uint8_t* codes,
                 float* scale) {
  float largest = 0;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(x[i]));
  *scale = largest;
  const float inverse = largest > 0 ? 1 / largest : 0;
  for (int64_t i = 0; i < n; ++i) {
    const uint8_t code = map.Encode(x[i] * inverse);
    codes[i] = x[i] == 0 ? code : std::max(code, lowest);
  }
}

// torch.optim.AdamW, one tensor at a time: decay, first moment by interpolation, second moment,
// step.
struct Arithmetic {
  float decay, beta1, beta2, step_size, root_correction, epsilon, grad_scale;

  void operator()(int64_t n, const float* grad, float* m, float* v, float* w) const {
    for (int64_t i = 0; i < n; ++i) {
      const float g = grad[i] * grad_scale;
      const float first = m[i] + (g - m[i]) * (1 - beta1);
      const float second = v[i] * beta2 + g * g * (1 - beta2);
      m[i] = first;
      v[i] = second;
      w[i] = w[i] * decay - step_size * (first / (std::sqrt(second) / root_correction + epsilon));
    }
  }
};

}  // namespace

double GradientNorm(std::span<const TrainParam> params, ThreadPool& pool) {
  struct Part {
    const float* grad;
    int64_t n;
    double sum;
  };
  std::vector<Part> parts;
  ForEachPiece(params, [&](size_t p, int64_t begin, int64_t end) {
    parts.push_back({params[p].grad + begin, end - begin, 0});
  });
  WorkQueue queue(static_cast<int64_t>(parts.size()), 4);
  pool.Run([&](int) {
    for (int64_t at, last; queue.Next(&at, &last);) {
      for (; at < last; ++at) {
        Part& part = parts[static_cast<size_t>(at)];
        std::array<double, 8> lanes{};
        for (int64_t i = 0; i < part.n; ++i) {
          const double g = part.grad[i];
          lanes[static_cast<size_t>(i % 8)] += g * g;
        }
        for (const double lane : lanes) part.sum += lane;
      }
    }
  });
  double sum = 0;
  for (const Part& part : parts) sum += part.sum;
  return std::sqrt(sum);
}

int64_t AdamW::StateBytes(std::span<const TrainParam> params, bool eight_bit) {
  int64_t bytes = 0;
  for (const TrainParam& p : params) {
    const int64_t n = p.size();
    bytes += eight_bit ? 2 * LineBytes(n) + 2 * LineBytes(Blocks(n) * 4) : 2 * LineBytes(n * 4);
  }
  return bytes;
}

Result<AdamW> AdamW::Create(std::span<const TrainParam> params, const AdamWOptions& options) {
  AdamW adam;
  adam.params_ = params;
  adam.options_ = options;
  ASSIGN_OR_RETURN(adam.memory_, PageBuffer::Allocate(StateBytes(params, options.eight_bit),
                                                      "the optimiser's states"));
  uint8_t* at = adam.memory_.data();
  const auto take = [&at](int64_t bytes) {
    uint8_t* begin = at;
    at += LineBytes(bytes);
    return begin;
  };
  for (const TrainParam& p : params) {
    Slots slots;
    const int64_t n = p.size(), bytes = options.eight_bit ? n : 4 * n;
    slots.m = take(bytes);
    slots.v = take(bytes);
    if (options.eight_bit) {
      // Memory begins as zero, which is a scale of zero: every code decodes to zero.
      slots.m_scale = reinterpret_cast<float*>(take(Blocks(n) * 4));
      slots.v_scale = reinterpret_cast<float*>(take(Blocks(n) * 4));
    }
    adam.slots_.push_back(slots);
  }
  ForEachPiece(params, [&](size_t p, int64_t begin, int64_t end) {
    adam.pieces_.push_back({p, begin, end});
  });
  return adam;
}

namespace {

template <class Rates>
Arithmetic ArithmeticOf(const AdamWOptions& options, const TrainParam& p, const Rates& rates) {
  return {p.decay ? rates.decay : 1.0f,
          static_cast<float>(options.beta1),
          static_cast<float>(options.beta2),
          rates.step_size,
          rates.root_correction,
          static_cast<float>(options.epsilon),
          rates.grad_scale};
}

}  // namespace

void AdamW::Update32(const Piece& piece, const Rates& rates) {
  const TrainParam& p = params_[piece.param];
  const Slots& slots = slots_[piece.param];
  const Arithmetic step = ArithmeticOf(options_, p, rates);
  step(piece.end - piece.begin, p.grad + piece.begin,
       reinterpret_cast<float*>(slots.m) + piece.begin,
       reinterpret_cast<float*>(slots.v) + piece.begin, p.value + piece.begin);
}

void AdamW::Update8(const Piece& piece, const Rates& rates) {
  const TrainParam& p = params_[piece.param];
  const Slots& slots = slots_[piece.param];
  const Arithmetic step = ArithmeticOf(options_, p, rates);
  std::array<float, kBlock> m, v;
  for (int64_t begin = piece.begin; begin < piece.end; begin += kBlock) {
    const int64_t n = std::min(kBlock, piece.end - begin), block = begin / kBlock;
    DecodeBlock(SignedMap(), slots.m + begin, slots.m_scale[block], n, m.data());
    DecodeBlock(UnsignedMap(), slots.v + begin, slots.v_scale[block], n, v.data());
    // The root of the second moment is what divides: kept as such, its range is the square of what
    // the map could hold. It never becomes zero, which would make a step of any size.
    for (int64_t i = 0; i < n; ++i) v[static_cast<size_t>(i)] *= v[static_cast<size_t>(i)];
    step(n, p.grad + begin, m.data(), v.data(), p.value + begin);
    for (int64_t i = 0; i < n; ++i) {
      v[static_cast<size_t>(i)] = std::sqrt(v[static_cast<size_t>(i)]);
    }
    EncodeBlock(SignedMap(), m.data(), n, 0, slots.m + begin, &slots.m_scale[block]);
    EncodeBlock(UnsignedMap(), v.data(), n, 1, slots.v + begin, &slots.v_scale[block]);
  }
}

void AdamW::Step(ThreadPool& pool, int64_t step, double learning_rate, float grad_scale) {
  const double t = static_cast<double>(step);
  const Rates rates{
      static_cast<float>(1 - learning_rate * options_.weight_decay),
      static_cast<float>(learning_rate / (1 - std::pow(options_.beta1, t))),
      static_cast<float>(std::sqrt(1 - std::pow(options_.beta2, t))),
      grad_scale,
  };
  WorkQueue queue(static_cast<int64_t>(pieces_.size()), 1);
  pool.Run([&](int) {
    for (int64_t at, end; queue.Next(&at, &end);) {
      const Piece& piece = pieces_[static_cast<size_t>(at)];
      options_.eight_bit ? Update8(piece, rates) : Update32(piece, rates);
      const TrainParam& p = params_[piece.param];
      if (!p.sparse) std::fill(p.grad + piece.begin, p.grad + piece.end, 0.0f);
    }
  });
  for (const TrainParam& p : params_) {
    if (p.sparse) ZeroSparse(p.grad, 4 * p.size());
  }
}

std::vector<StateTensor> AdamW::State() {
  std::vector<StateTensor> state;
  for (size_t i = 0; i < params_.size(); ++i) {
    const TrainParam& p = params_[i];
    const Slots& slots = slots_[i];
    const int64_t n = p.size();
    const DType dtype = options_.eight_bit ? DType::kU8 : DType::kF32;
    const int64_t bytes = options_.eight_bit ? n : 4 * n;
    state.push_back({"exp_avg." + p.name, dtype, p.shape, slots.m, bytes});
    state.push_back({"exp_avg_sq." + p.name, dtype, p.shape, slots.v, bytes});
    if (!options_.eight_bit) continue;
    const int64_t blocks = Blocks(n);
    state.push_back({"exp_avg_scale." + p.name,
                     DType::kF32,
                     {blocks},
                     reinterpret_cast<uint8_t*>(slots.m_scale),
                     blocks * 4});
    state.push_back({"exp_avg_sq_scale." + p.name,
                     DType::kF32,
                     {blocks},
                     reinterpret_cast<uint8_t*>(slots.v_scale),
                     blocks * 4});
  }
  return state;
}

}  // namespace galen
