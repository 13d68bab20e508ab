// Arena memory of single ops, for the bounds of whole models.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"

namespace galen {

// Operands and scratch of one product of m rows of k values.
int64_t LinearArenaBytes(const KernelTable& kernels, int threads, int64_t m, int64_t k);

}  // namespace galen
