// A line on standard error that shows how far long work is, when a person watches.
#pragma once

#include <cstdint>
#include <string>

namespace galen::cli {

class Progress {
 public:
  // Shows nothing unless standard error is a terminal and there is more than one step.
  Progress(std::string what, int64_t total);
  // Clears the line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Add(int64_t steps);

 private:
  const std::string what_;
  const int64_t total_;
  const bool shown_;
  const double begin_;
  int64_t done_ = 0;
  double last_ = 0;
};

}  // namespace galen::cli
