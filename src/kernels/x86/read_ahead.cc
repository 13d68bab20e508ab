#include "kernels/x86/read_ahead.h"

namespace galen {

int64_t ReadAheadBytes() {
  static const int64_t bytes = [] {
    __builtin_cpu_init();
    return __builtin_cpu_is("intel") ? 4096 : 256;
  }();
  return bytes;
}

}  // namespace galen
