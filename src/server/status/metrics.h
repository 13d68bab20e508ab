// Counters in the text format of Prometheus.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "server/services.h"

namespace galen::server {

class Metrics {
 public:
  // route: the endpoint's pattern, never a path that a client made up.
  void Count(const std::string& route, int status, double seconds, int64_t bytes);
  std::string Text(const Services& services) const;

 private:
  static constexpr std::array<double, 12> kBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.1,
                                                     0.25,  1,      2.5,   10,   30,    120};
  struct Route {
    std::array<int64_t, kBounds.size() + 1> buckets{};
    double seconds = 0;
    int64_t count = 0, bytes = 0;
    std::map<int, int64_t> statuses;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Route> routes_;
};

}  // namespace galen::server
