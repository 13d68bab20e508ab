#if defined(__x86_64__)

#include "kernels/x86/attention.h"

namespace galen {

void AddX86Attention(Isa isa, KernelTable* table) {
  if (isa == Isa::kRef) return;
  if (isa == Isa::kAvx2) return AddAvx2Attention(table);
  AddAvx512Attention(table);
  if (isa >= Isa::kAvx512Bf16) {
    AddAvx512Bf16Attention(table);
    AddAvx512Bf16EncoderAttention(table);
  }
  if (isa >= Isa::kAmx) {
    AddAmxAttention(table);
    AddAmxEncoderAttention(table);
  }
}

}  // namespace galen

#endif
