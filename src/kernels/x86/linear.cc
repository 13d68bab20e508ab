// Chooses the matrix product of an instruction set.
#include "kernels/x86/linear_headers.h"

namespace galen {

void AddX86Linear(Isa isa, KernelTable* table) {
  switch (isa) {
    case Isa::kRef: return;
    case Isa::kAvx2: return avx2::AddLinearKernels(table);
    case Isa::kAvx512: return avx512::AddLinearKernels(table);
    case Isa::kAvx512Bf16: return avx512_bf16::AddLinearKernels(table);
    case Isa::kAmx: return amx::AddLinearKernels(table);
  }
}

}  // namespace galen
