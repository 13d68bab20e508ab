// AdamW (Loshchilov, Hutter: arXiv:1711.05101) with PyTorch's arithmetic, states in fp32, or in
// 8-bit codes with a scale for each block of 256 (Dettmers et al.: arXiv:2110.02861).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "base/threads.h"
#include "tensor/arena.h"
#include "train/train_param.h"

namespace galen {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool eight_bit = false;
};

// Root of the sum of squares of all gradients, in double over pieces of fixed size: the same
// whatever the number of workers.
double GradientNorm(std::span<const TrainParam> params, ThreadPool& pool);

class AdamW {
 public:
  AdamW() = default;
  // params must outlive the optimiser. ResourceExhausted: no memory for the states.
  static Result<AdamW> Create(std::span<const TrainParam> params, const AdamWOptions& options);
  static int64_t StateBytes(std::span<const TrainParam> params, bool eight_bit);

  // One step; the gradients are multiplied by grad_scale first, and set to zero (sparse ones are
  // given back). `step` counts from 1. A result does not depend on the number of workers.
  void Step(ThreadPool& pool, int64_t step, double learning_rate, float grad_scale);
  // What a checkpoint has to keep.
  std::vector<StateTensor> State();

 private:
  struct Piece {  // [begin, end) of one parameter, begin a multiple of the block
    size_t param;
    int64_t begin, end;
  };
  struct Rates {
    float decay, step_size, root_correction, grad_scale;
  };
  void Update32(const Piece& piece, const Rates& rates);
  void Update8(const Piece& piece, const Rates& rates);

  std::span<const TrainParam> params_;
  AdamWOptions options_;
  PageBuffer memory_;
  struct Slots {  // of one parameter
    uint8_t* m = nullptr;
    uint8_t* v = nullptr;
    float* m_scale = nullptr;  // 8-bit only
    float* v_scale = nullptr;
  };
  std::vector<Slots> slots_;
  std::vector<Piece> pieces_;
};

}  // namespace galen
