// What an op needs, passed explicitly and never global.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "base/threads.h"
#include "kernels/kernel_table.h"
#include "tensor/arena.h"

namespace galen {

class Tape;

// Rows [begin, end) of an activation and the adapters that serve them: bit i for adapter number i
// (LoraTerm::adapter).
struct AdapterRun {
  int64_t begin = 0;
  int64_t end = 0;
  uint64_t adapters = 0;
};
inline constexpr uint64_t kAllAdapters = ~uint64_t{0};

struct ExecContext {
  const KernelTable* kernels = nullptr;
  ThreadPool* pool = nullptr;
  Arena* arena = nullptr;
  Tape* tape = nullptr;  // null: inference; nothing else differs
  // With a tape: blocks (ops/block.h) keep their input and are computed again on the way back.
  bool recompute = false;
  // Not 0: training with dropout. Masks are a function of this, of the place that drops, and of the
  // element alone, so that a block that is computed again drops the same.
  uint64_t dropout_key = 0;
  Compute compute = Compute::kBf16;
  // A row's result never depends on the other rows of the batch: one arithmetic and one order of
  // sums whatever their number.
  bool batch_invariant = false;
  // The same for attention alone, and for the output head alone (OutputHead in nn/layers.h ignores
  // batch_invariant): a prompt is computed invariantly, so that chunks and cached prefixes give the
  // same bits, but only few rows meet the head.
  bool invariant_attention = false;
  bool invariant_head = false;
  // Which adapters serve which rows; the runs cover all rows in order. Empty: all adapters serve
  // all rows. More than one run is for inference only.
  std::span<const AdapterRun> adapter_runs;
  // Shown named activations as they come to be (tests compare them layer by layer). Null: nobody
  // looks.
  const std::function<void(std::string_view name, const Tensor& x)>* observer = nullptr;
};

}  // namespace galen
