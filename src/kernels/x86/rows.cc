#if defined(__x86_64__)

#include "kernels/x86/rows.h"

namespace galen {

void AddX86Rows(Isa isa, KernelTable* table) {
  if (isa == Isa::kRef) return;
  if (isa == Isa::kAvx2) {
    AddAvx2Rows(table);
  } else {
    AddAvx512Rows(table);
  }
}

}  // namespace galen

#endif
