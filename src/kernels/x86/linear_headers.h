// What the per-instruction-set translation units of the matrix product need, included before their target region opens so
// that no inline function of a header is compiled for a machine that lacks the instructions.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "base/status.h"
#include "kernels/kernel_table.h"
#include "kernels/x86/tile16.h"
#include "tensor/dtype.h"
#include "tensor/formats/iq4_nl.h"

namespace galen {
namespace avx2 { void AddLinearKernels(KernelTable* table); }
namespace avx512 { void AddLinearKernels(KernelTable* table); }
namespace avx512_bf16 { void AddLinearKernels(KernelTable* table); }
namespace amx { void AddLinearKernels(KernelTable* table); }
}  // namespace galen
