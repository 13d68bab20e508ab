// Chooses the matrix product of an instruction set.
#include "kernels/x86/linear_headers.h"

namespace galen {

void AddX86Linear(Isa isa, KernelTable* table) {
  switch (isa) {
    case Isa::kRef:
      return;
    case Isa::kAvx2:
      return avx2::AddLinearKernels(table);
    case Isa::kAvx512:
      avx512::AddLinearKernels(table);
      break;
    case Isa::kAvx512Bf16:
      avx512_bf16::AddLinearKernels(table);
      AddAvx512Bf16RowProduct(table);
      break;
    case Isa::kAmx:
      amx::AddLinearKernels(table);
      break;
  }
  AddAvx512RowProduct(table);
}

}  // namespace galen
