#include "kernels/x86/read_ahead.h"

namespace galen {

ReadAhead ReadAheadHere(int64_t rows) {
  static const bool intel = [] {
    __builtin_cpu_init();
    return __builtin_cpu_is("intel") != 0;
  }();
  return intel || rows > 1 ? ReadAhead{8192, true} : ReadAhead{256, false};
}

}  // namespace galen
