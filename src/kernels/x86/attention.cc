#include "kernels/kernel_table.h"

#if defined(__x86_64__)
namespace galen {

void AddX86Attention(Isa /*isa*/, KernelTable* /*table*/) {}

}  // namespace galen
#endif
