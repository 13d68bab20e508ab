#include "models/arena_bytes.h"

#include <algorithm>
#include <array>

namespace galen {
namespace {

constexpr std::array kPlans = {
    LinearPlan::kF32Rows, LinearPlan::kF32Panels, LinearPlan::kBf16Panels, LinearPlan::kWords,
    LinearPlan::kDigits1, LinearPlan::kDigits2,   LinearPlan::kDigits3};

}  // namespace

// Weights of different formats that share x may want two plans at once.
int64_t LinearArenaBytes(const KernelTable& kernels, int threads, int64_t m, int64_t k) {
  int64_t operand = 0;
  int64_t scratch = 0;
  for (const LinearPlan plan : kPlans) {
    operand = std::max(operand, kernels.linear_operand_bytes(plan, m, k));
    scratch = std::max(scratch, kernels.linear_scratch_bytes(plan, m, k) + 64);
  }
  return 2 * operand + threads * scratch;
}

}  // namespace galen
