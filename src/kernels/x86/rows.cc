#include "kernels/kernel_table.h"

#if defined(__x86_64__)

namespace galen {

void AddX86Rows(Isa, KernelTable*) {}

}  // namespace galen

#endif
