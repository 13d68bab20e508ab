// The row kernels of one x86 instruction set; see rows-inl.h.
#pragma once

#include "kernels/kernel_table.h"

namespace galen {

void AddAvx2Rows(KernelTable* table);
void AddAvx512Rows(KernelTable* table);

}  // namespace galen
