#include "kernels/kernel_table.h"

#include <map>

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

// Only what this processor has is built: the code that fills a table may itself use its
// instructions.
const KernelTable& KernelsFor(Isa isa) {
  static const std::map<Isa, KernelTable> tables = [] {
    std::map<Isa, KernelTable> built;
    for (const Isa supported : SupportedIsas()) built.emplace(supported, Build(supported));
    return built;
  }();
  const auto found = tables.find(isa);
  GALEN_CHECK(found != tables.end());
  return found->second;
}

}  // namespace galen
