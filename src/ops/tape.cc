#include "ops/tape.h"

#include <algorithm>

namespace galen {

float* GradMap::Find(const Tensor& t) const {
  const auto it = grads_.find(t.data);
  return it == grads_.end() ? nullptr : it->second;
}

float* GradMap::Slot(const Tensor& t, bool* fresh) {
  GALEN_CHECK(t.dtype == DType::kF32);
  const auto [it, inserted] = grads_.try_emplace(t.data, nullptr);
  if (inserted) {
    it->second = static_cast<float*>(
        arena_->Allocate(t.num_elements() * static_cast<int64_t>(sizeof(float))));
  }
  *fresh = inserted;
  return it->second;
}

float* GradMap::Accumulator(const Tensor& t) {
  bool fresh;
  float* grad = Slot(t, &fresh);
  if (fresh) std::fill_n(grad, t.num_elements(), 0.0f);
  return grad;
}

void GradMap::Set(const Tensor& t, float* grad) {
  const bool inserted = grads_.try_emplace(t.data, grad).second;
  GALEN_CHECK(inserted);
}

void GradMap::Move(const Tensor& from, const Tensor& to) {
  GALEN_CHECK(from.num_elements() == to.num_elements());
  const auto it = grads_.find(from.data);
  GALEN_CHECK(it != grads_.end());
  float* grad = it->second;
  grads_.erase(it);
  Set(to, grad);
}

void Tape::Run(const ExecContext& ctx, GradMap& grads) const {
  ExecContext backward = ctx;
  backward.tape = nullptr;
  backward.observer = nullptr;
  for (auto it = records_.rbegin(); it != records_.rend(); ++it)
    it->backward(backward, it->saved, grads);
}

void Tape::Backward(const ExecContext& ctx, const Tensor& loss, GradMap& grads) const {
  GALEN_CHECK(loss.num_elements() == 1);
  *grads.Accumulator(loss) = 1.0f;
  Run(ctx, grads);
}

void Tape::Clear() {
  records_.clear();
  inner_.clear();
  needed_.clear();
}

}  // namespace galen
