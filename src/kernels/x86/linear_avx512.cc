// The matrix product for Isa::kAVX512.
#include "kernels/x86/linear_headers.h"

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni,avx2,fma,f16c,bmi2")
#define GALEN_VEC_AVX512

namespace galen::avx512 {
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

}  // namespace galen::avx512

#undef GALEN_VEC_AVX512
#pragma GCC pop_options
