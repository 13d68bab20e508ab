// Ctrl-C and SIGTERM for verbs that work for long and leave something behind.
#pragma once

#include <atomic>

namespace galen::cli {

// True from the first SIGINT or SIGTERM on; the verb then stops and cleans up. A second signal ends
// the program at once: what is saved stays whole.
const std::atomic<bool>& CatchStopSignals();

}  // namespace galen::cli
