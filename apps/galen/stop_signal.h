// Ctrl-C and SIGTERM for verbs that work for long and leave something behind.
#pragma once

#include <atomic>

namespace galen::cli {

// True from the first SIGINT or SIGTERM on; the verb then stops and cleans up. A second signal ends
// the program at once: what is saved stays whole.
const std::atomic<bool>& CatchStopSignals();

// For verbs that only stop what they are at: while one is alive, Ctrl-C is noted instead of ending
// the program. One at a time.
class InterruptScope {
 public:
  // ending: SIGTERM and SIGHUP are noted, too, by a verb that then ends, and cleans up before.
  explicit InterruptScope(bool ending = false);
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

  static bool Interrupted();  // since the scope began, or since Forget
  static void Forget();

 private:
  int signals_;
  void (*previous_[3])(int);
};

}  // namespace galen::cli
