// The matrix product for Isa::kAVX2.
#include "kernels/x86/linear_headers.h"

#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,bmi2")
#define GALEN_VEC_AVX2

namespace galen::avx2 {
namespace {
#include "kernels/x86/vec-inl.h"
#include "kernels/x86/formats-inl.h"
#include "kernels/x86/linear-inl.h"
#include "kernels/x86/words-inl.h"
#include "kernels/x86/panels-inl.h"
#include "kernels/x86/backward-inl.h"
#include "kernels/x86/linear-table-inl.h"
}  // namespace

void AddLinearKernels(KernelTable* table) { AddLinear(table); }

}  // namespace galen::avx2

#undef GALEN_VEC_AVX2
#pragma GCC pop_options
