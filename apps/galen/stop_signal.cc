#include "stop_signal.h"

#include <csignal>

namespace galen::cli {
namespace {

std::atomic<bool> g_stop{false}, g_interrupted{false};
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

InterruptScope::InterruptScope() {
  Forget();
  previous_ = std::signal(SIGINT, [](int) { g_interrupted = true; });
}

InterruptScope::~InterruptScope() { std::signal(SIGINT, previous_); }

bool InterruptScope::Interrupted() { return g_interrupted.load(); }

void InterruptScope::Forget() { g_interrupted = false; }

}  // namespace galen::cli
