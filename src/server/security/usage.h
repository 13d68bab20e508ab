// How much each API key may ask: requests and tokens a minute, tokens a day. Tokens are set aside
// before work waits and settled when it is over, so that requests at the same moment cannot use
// more together than one after the other. What was used on a day is kept in a database, so that a
// restart gives nobody a second quota.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "server/jobs/database.h"
#include "server/security/key_limits.h"
#include "server/security/token_hold.h"

namespace galen::server {

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
    int retry_after = 0;  // seconds; 0: never, it is more than the limit itself
    std::string message;
    bool soon = false;  // a limit that the next minute, or the end of other requests, lifts
  };
  // Counts a request of the key, unless a limit is reached. What its tokens are is not known yet:
  // that is for Reserve.
  std::optional<Refusal> Admit(const std::string& key, const KeyLimits& limits);

  // Tokens of prompt and answer, for each job of one request.
  struct Wish {
    int64_t jobs = 1;
    int64_t least = 0, most = 0;  // of one job
  };
  // Sets aside for each job as many tokens as there are, from least to most, the same for all; or
  // for none of them. Refused where less than `least` each is free. Nothing may outlive this.
  std::optional<Refusal> Reserve(const std::string& key, const KeyLimits& limits, const Wish& wish,
                                 std::vector<std::shared_ptr<TokenHold>>* holds);
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
    int64_t held = 0;         // set aside, not settled
    int64_t minute_held = 0;  // of that, what was taken from the minute's
    bool changed = false;
  };

  explicit Usage(Now now) : now_(std::move(now)) {}
  Status Load();
  Key& KeyOf(const std::string& name, double now);
  void Settle(const std::string& name, int64_t held, int64_t per_minute, int64_t used);
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
