#include "progress.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

#include "session.h"

namespace galen::cli {

Progress::Progress(std::string what, int64_t total)
    : what_(std::move(what)),
      total_(total),
      shown_(::isatty(STDERR_FILENO) != 0 && total > 1),
      begin_(Now()) {}

Progress::~Progress() {
  if (shown_) std::fprintf(stderr, "\r\x1b[K");
}

void Progress::Add(int64_t steps) {
  done_ += steps;
  const double now = Now();
  if (!shown_ || (now - last_ < 0.1 && done_ < total_)) return;
  last_ = now;
  constexpr int64_t kWidth = 30;
  const int64_t filled = kWidth * done_ / total_;
  const double left =
      (now - begin_) / static_cast<double>(done_) * static_cast<double>(total_ - done_);
  std::fprintf(stderr, "\r[%s%s] %lld / %lld %s, %.0f s left\x1b[K",
               std::string(static_cast<size_t>(filled), '#').c_str(),
               std::string(static_cast<size_t>(kWidth - filled), ' ').c_str(),
               static_cast<long long>(done_), static_cast<long long>(total_), what_.c_str(), left);
  std::fflush(stderr);
}

}  // namespace galen::cli
