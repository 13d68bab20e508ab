#include "kernels/x86/read_ahead.h"

#include <cpuid.h>

namespace galen {
namespace {

// By leaf 1 of cpuid, as AMD numbers its families: 0x19 is Zen 3 and 4, 0x1A Zen 5.
int Family() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) return 0;
  const unsigned family = eax >> 8 & 0xF, extended = eax >> 20 & 0xFF;
  return static_cast<int>(family == 0xF ? family + extended : family);
}

bool IsIntel() {
  __builtin_cpu_init();
  return __builtin_cpu_is("intel") != 0;
}

}  // namespace

ReadAhead ReadAheadHere(int64_t rows) {
  constexpr int kZen5 = 0x1A;
  static const bool intel = IsIntel(), newer = !intel && Family() >= kZen5;
  if (intel || rows > 1) return {8192, true};
  return {newer ? 8192 : 256, false};
}

}  // namespace galen
