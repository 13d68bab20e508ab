#include "base/rfc3339.h"

#include <cstdio>
#include <ctime>

namespace galen {
namespace {

std::string DateAndTime(std::time_t time) {
  std::tm utc;
  ::gmtime_r(&time, &utc);
  char text[40];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
  return text;
}

}  // namespace

std::string Rfc3339(int64_t seconds) { return DateAndTime(seconds) + "Z"; }

std::string Rfc3339Now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  char fraction[24];
  std::snprintf(fraction, sizeof(fraction), ".%09ldZ", now.tv_nsec);
  return DateAndTime(now.tv_sec) + fraction;
}

}  // namespace galen
