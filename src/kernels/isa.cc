#include "kernels/isa.h"

#include <cstdlib>
#include <string>

#if defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace galen {
namespace {

constexpr Isa kAllIsas[] = {Isa::kRef, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Bf16, Isa::kAmx};

#if defined(__x86_64__)
// Linux grants the tile registers on request only (arch_prctl ARCH_REQ_XCOMP_PERM for XTILEDATA,
// feature 18). The grant holds for the process and the threads it makes later, so ask before any
// pool exists.
bool RequestAmx() {
  unsigned eax = 7, ebx = 0, ecx = 0, edx = 0;
  asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
  const bool has =
      (edx >> 22 & 1) && (edx >> 24 & 1) && (edx >> 25 & 1);  // AMX-BF16, AMX-TILE, AMX-INT8
  constexpr int kReqXcompPerm = 0x1023;
  return has && ::syscall(SYS_arch_prctl, kReqXcompPerm, 18) == 0;
}

bool Supports(Isa isa) {
  switch (isa) {
    case Isa::kRef:
      return true;
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
             __builtin_cpu_supports("f16c") && __builtin_cpu_supports("bmi2");
    case Isa::kAvx512:
      return Supports(Isa::kAvx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
             __builtin_cpu_supports("avx512vnni");
    case Isa::kAvx512Bf16:
      return Supports(Isa::kAvx512) && __builtin_cpu_supports("avx512bf16");
    case Isa::kAmx: {
      static const bool granted = Supports(Isa::kAvx512Bf16) && RequestAmx();
      return granted;
    }
  }
  return false;
}
#else
bool Supports(Isa isa) { return isa == Isa::kRef; }
#endif

}  // namespace

std::string_view IsaName(Isa isa) {
  switch (isa) {
    case Isa::kRef:
      return "ref";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx512Bf16:
      return "avx512_bf16";
    case Isa::kAmx:
      return "amx";
  }
  return "unknown";
}

std::vector<Isa> SupportedIsas() {
  std::vector<Isa> supported;
  for (Isa isa : kAllIsas) {
    if (Supports(isa)) supported.push_back(isa);
  }
  return supported;
}

Result<Isa> ChooseIsa() {
  const std::vector<Isa> supported = SupportedIsas();
  const char* forced = std::getenv("GALEN_ISA");
  if (forced == nullptr || *forced == '\0') return supported.back();
  std::string names;
  for (Isa isa : supported) {
    if (IsaName(isa) == forced) return isa;
    names += names.empty() ? "" : ", ";
    names += IsaName(isa);
  }
  return InvalidArgument(std::string("GALEN_ISA=") + forced +
                         " is unknown or not available on this machine; available: " + names);
}

}  // namespace galen
