#include "kernels/kernel_table.h"

#include <algorithm>
#include <array>

namespace galen {
namespace {

KernelTable Build(Isa isa) {
  KernelTable table;
  AddRefLinear(&table);
  AddRefRows(&table);
  AddRefEncoderRows(&table);
  AddRefAttention(&table);
#if defined(__x86_64__)
  if (isa != Isa::kRef) {
    AddX86Linear(isa, &table);
    AddX86Rows(isa, &table);
    AddX86Attention(isa, &table);
  }
#endif
  table.name = IsaName(isa).data();
  return table;
}

}  // namespace

const KernelTable& KernelsFor(Isa isa) {
  static const std::array<KernelTable, 5> tables = {Build(Isa::kRef), Build(Isa::kAvx2),
                                                    Build(Isa::kAvx512), Build(Isa::kAvx512Bf16),
                                                    Build(Isa::kAmx)};
  const std::vector<Isa> supported = SupportedIsas();
  GALEN_CHECK(std::find(supported.begin(), supported.end(), isa) != supported.end());
  return tables[static_cast<size_t>(isa)];
}

}  // namespace galen
