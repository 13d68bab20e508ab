#include "stop_signal.h"

#include <csignal>
#include <iterator>

namespace galen::cli {
namespace {

std::atomic<bool> g_stop{false}, g_interrupted{false};
constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
static_assert(std::atomic<bool>::is_always_lock_free);

}  // namespace

const std::atomic<bool>& CatchStopSignals() {
  struct sigaction action = {};
  action.sa_handler = [](int) { g_stop.store(true); };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  return g_stop;
}

InterruptScope::InterruptScope(bool ending)
    : signals_(ending ? static_cast<int>(std::size(kSignals)) : 1) {
  Forget();
  for (int i = 0; i < signals_; ++i) {
    previous_[i] = std::signal(kSignals[i], [](int) { g_interrupted = true; });
    // What was told to ignore it (nohup) goes on doing so.
    if (previous_[i] == SIG_IGN) std::signal(kSignals[i], SIG_IGN);
  }
}

InterruptScope::~InterruptScope() {
  for (int i = 0; i < signals_; ++i) std::signal(kSignals[i], previous_[i]);
}

bool InterruptScope::Interrupted() { return g_interrupted.load(); }

void InterruptScope::Forget() { g_interrupted = false; }

}  // namespace galen::cli
