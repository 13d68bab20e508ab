#include "kernels/x86/read_ahead.h"

namespace galen {

ReadAhead ReadAheadHere() {
  static const ReadAhead here = [] {
    __builtin_cpu_init();
    return __builtin_cpu_is("intel") ? ReadAhead{8192, true} : ReadAhead{256, false};
  }();
  return here;
}

}  // namespace galen
