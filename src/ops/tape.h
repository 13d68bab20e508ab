// The tape: one record per op of a forward pass, as plain data, and the pass back over them. Used
// by one thread.
//
// A block of a model is one record (ops/block.h) with a tape of its own inside.
#pragma once

#include <cstring>
#include <initializer_list>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ops/exec_context.h"
#include "tensor/tensor.h"

namespace galen {

// The gradients of one backward pass, by the address of the tensor: views made by Tensor::Reshape
// share one, views that start elsewhere (Tensor::Rows) have none. Memory comes from the arena and
// stays until the caller rewinds it.
class GradMap {
 public:
  explicit GradMap(Arena* arena) : arena_(arena) {}

  // The gradient of t, or null if none has reached it.
  float* Find(const Tensor& t) const;
  // The gradient of t to work on. *fresh: just made and uninitialised, every element must be
  // written; else add to it.
  float* Slot(const Tensor& t, bool* fresh);
  // The gradient of t to add to; zero if it was not there.
  float* Accumulator(const Tensor& t);
  // Lets `grad` (as many floats as t has) stand as the gradient of t, which must have none.
  void Set(const Tensor& t, float* grad);
  // The memory of the gradient of `from`, which has none from now on, becomes that of `to`, which
  // must have none and as many elements.
  void Move(const Tensor& from, const Tensor& to);

 private:
  Arena* arena_;
  std::unordered_map<const void*, float*> grads_;
};

class Tape {
 public:
  // Asks for the gradient of a tensor that no op made (image features, soft prompts).
  void Watch(const Tensor& t) { needed_.insert(t.data); }
  // Whether a gradient is wanted for t: it was watched, or depends on a watched tensor or a trained
  // parameter. Ops whose inputs and parameters need none record nothing.
  bool Needs(const Tensor& t) const { return needed_.count(t.data) != 0; }

  // Adds a record: kBackward(ctx, saved, grads) will be called with a copy of `saved` that lives in
  // the arena. The memory of all tensors in `saved` must stay until Run has ended. Run
  // once: the way back may write into what was saved.
  template <auto kBackward, typename Saved>
  void Record(Arena* arena, const Saved& saved, std::initializer_list<Tensor> outputs) {
    static_assert(std::is_trivially_copyable_v<Saved> && std::is_trivially_destructible_v<Saved>);
    const void* copy = new (arena->Allocate(sizeof(Saved))) Saved(saved);
    records_.push_back({[](ExecContext& ctx, const void* data, GradMap& grads) {
                          kBackward(ctx, *static_cast<const Saved*>(data), grads);
                        },
                        copy});
    for (const Tensor& t : outputs) Watch(t);
  }

  // Runs all records in reverse. ctx.tape is not recorded on. Parameter gradients are added to
  // Weight::grad and VectorParam::grad.
  void Run(const ExecContext& ctx, GradMap& grads) const;
  // Gives `loss` (one element) the gradient 1 and runs.
  void Backward(const ExecContext& ctx, const Tensor& loss, GradMap& grads) const;

  // A tape that lives as long as this one's records.
  Tape* AddInner() { return inner_.emplace_back(std::make_unique<Tape>()).get(); }

  int64_t num_records() const { return static_cast<int64_t>(records_.size()); }
  void Clear();

 private:
  struct Entry {
    void (*backward)(ExecContext& ctx, const void* saved, GradMap& grads);
    const void* saved;
  };
  std::vector<Entry> records_;
  std::vector<std::unique_ptr<Tape>> inner_;
  std::unordered_set<const void*> needed_;
};

// A copy of `values` in the arena, for records.
template <typename T>
const T* SaveValues(Arena* arena, std::span<const T> values) {
  static_assert(std::is_trivially_copyable_v<T>);
  T* copy = static_cast<T*>(arena->Allocate(static_cast<int64_t>(values.size_bytes())));
  if (!values.empty()) std::memcpy(static_cast<void*>(copy), values.data(), values.size_bytes());
  return copy;
}

}  // namespace galen
