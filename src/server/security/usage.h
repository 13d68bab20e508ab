// How much each API key may ask: requests and tokens a minute, tokens a day. What was used on a day
// is kept in a database, so that a restart gives nobody a second quota.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "server/jobs/database.h"

namespace galen::server {

// 0: no limit.
struct KeyLimits {
  int64_t requests_per_minute = 0;
  int64_t tokens_per_minute = 0;
  int64_t tokens_per_day = 0;  // days are those of UTC
  bool any() const { return requests_per_minute + tokens_per_minute + tokens_per_day > 0; }
};

// Thread-safe.
class Usage {
 public:
  using Now = std::function<double()>;  // seconds since 1970

  // file: the database of days; empty: what was used is forgotten with the process. Errors: as of
  // Database::Open and Migrate.
  static Result<std::unique_ptr<Usage>> Open(const std::string& file, Now now);
  // Writes what waits.
  ~Usage();

  struct Refusal {
    int retry_after = 0;  // seconds
    std::string message;
  };
  // Counts a request of the key, unless a limit is reached. Tokens are known when they are used:
  // the request that crosses a limit is the last one that is admitted.
  std::optional<Refusal> Admit(const std::string& key, const KeyLimits& limits);
  // Of prompts and answers.
  void Charge(const std::string& key, int64_t tokens);
  int64_t TokensToday(const std::string& key);

 private:
  // What may be used at once is what a minute allows; it comes back at an even rate.
  struct Bucket {
    double level = 0, time = 0;
    bool filled = false;
    void Fill(int64_t per_minute, double now);
    int SecondsUntil(double level, int64_t per_minute) const;
  };
  struct Key {
    Bucket requests, tokens;
    int64_t day = 0, used = 0;
    bool changed = false;
  };

  explicit Usage(Now now) : now_(std::move(now)) {}
  Status Load();
  Key& KeyOf(const std::string& name, double now);
  void Loop();
  // What has changed goes to the disk; what it refuses waits for the next time.
  void Write();

  const Now now_;
  std::optional<Database> database_;  // of the writer's thread, once it runs
  std::mutex mutex_;
  std::condition_variable stopping_;
  std::map<std::string, Key> keys_;
  bool stop_ = false;
  std::thread writer_;
};

}  // namespace galen::server
