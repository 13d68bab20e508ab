#include "server/security/usage.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

namespace galen::server {
namespace {

constexpr double kMinute = 60, kDay = 86400;
constexpr std::chrono::seconds kWriteEvery{1};
constexpr int64_t kKeepDays = 31;

std::span<const std::vector<const char*>> Migrations() {
  static const std::array<std::vector<const char*>, 1> kSteps = {{
      {"CREATE TABLE days (key TEXT NOT NULL, day INTEGER NOT NULL, tokens INTEGER NOT NULL, "
       "PRIMARY KEY (key, day)) WITHOUT ROWID"},
  }};
  return kSteps;
}

int64_t DayOf(double now) { return static_cast<int64_t>(std::floor(now / kDay)); }

// Of the day.
int SecondsLeft(double now) {
  return static_cast<int>(std::ceil((std::floor(now / kDay) + 1) * kDay - now));
}

std::string Limit(int64_t number, const char* what) {
  return "this API key may use " + std::to_string(number) + " " + what;
}

}  // namespace

void Usage::Bucket::Fill(int64_t per_minute, double now) {
  const auto most = static_cast<double>(per_minute);
  if (!filled) level = most;
  // A clock that was set back gives nothing, and takes nothing.
  if (filled && now > time) level = std::min(most, level + (now - time) * most / kMinute);
  filled = true;
  time = now;
}

int Usage::Bucket::SecondsUntil(double wanted, int64_t per_minute) const {
  const double seconds = (wanted - level) * kMinute / static_cast<double>(per_minute);
  return static_cast<int>(std::clamp(std::ceil(seconds), 1.0, kDay));
}

Result<std::unique_ptr<Usage>> Usage::Open(const std::string& file, Now now) {
  std::unique_ptr<Usage> usage(new Usage(std::move(now)));
  if (file.empty()) return usage;
  ASSIGN_OR_RETURN(Database database, Database::Open(file));
  usage->database_.emplace(std::move(database));
  const Status ready = usage->Load();
  if (!ready.ok()) return ready.WithContext(file);
  usage->writer_ = std::thread([u = usage.get()] { u->Loop(); });
  return usage;
}

Usage::~Usage() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopping_.notify_all();
  if (writer_.joinable()) writer_.join();
}

Status Usage::Load() {
  RETURN_IF_ERROR(Migrate(&*database_, Migrations()));
  const int64_t today = DayOf(now_());
  RETURN_IF_ERROR(database_->Run("DELETE FROM days WHERE day < ?", {today - kKeepDays}));
  return database_->Run("SELECT key, tokens FROM days WHERE day = ?", {today},
                        [&](const std::vector<SqlValue>& row) {
                          Key& key = keys_[std::get<std::string>(row[0])];
                          key.day = today;
                          key.used = std::get<int64_t>(row[1]);
                        });
}

Usage::Key& Usage::KeyOf(const std::string& name, double now) {
  Key& key = keys_[name];
  if (const int64_t today = DayOf(now); today > key.day) {
    key.day = today;
    key.used = 0;
    key.changed = false;  // the last second of yesterday is not worth a row
  }
  return key;
}

std::optional<Usage::Refusal> Usage::Admit(const std::string& name, const KeyLimits& limits) {
  if (!limits.any()) return std::nullopt;
  const double now = now_();
  const std::lock_guard lock(mutex_);
  Key& key = KeyOf(name, now);
  if (limits.tokens_per_day > 0 && key.used >= limits.tokens_per_day) {
    return Refusal{SecondsLeft(now),
                   Limit(limits.tokens_per_day, "tokens a day, and has; the day ends at 0:00 UTC")};
  }
  if (limits.tokens_per_minute > 0) {
    key.tokens.Fill(limits.tokens_per_minute, now);
    // What is set aside may come back before this request needs it.
    if (key.tokens.level + static_cast<double>(key.minute_held) < 1) {
      return Refusal{key.tokens.SecondsUntil(1, limits.tokens_per_minute),
                     Limit(limits.tokens_per_minute, "tokens a minute, and has"), true};
    }
  }
  if (limits.requests_per_minute > 0) {
    key.requests.Fill(limits.requests_per_minute, now);
    if (key.requests.level < 1) {
      return Refusal{key.requests.SecondsUntil(1, limits.requests_per_minute),
                     Limit(limits.requests_per_minute, "requests a minute, and has"), true};
    }
    key.requests.level -= 1;
  }
  return std::nullopt;
}

std::optional<Usage::Refusal> Usage::Reserve(const std::string& name, const KeyLimits& limits,
                                             const Wish& wish,
                                             std::vector<std::shared_ptr<TokenHold>>* holds) {
  const double now = now_();
  const int64_t need = wish.jobs * wish.least;
  std::string wanted = "; this request needs ";
  wanted.append(std::to_string(need)).append(" (its prompt and the longest answer it allows)");
  const std::lock_guard lock(mutex_);
  Key& key = KeyOf(name, now);
  int64_t each = wish.most;
  if (const int64_t limit = limits.tokens_per_day; limit > 0) {
    if (need > limit) return Refusal{0, Limit(limit, "tokens a day") + wanted};
    if (need > limit - key.used) {
      return Refusal{SecondsLeft(now), Limit(limit, "tokens a day, and has used ") +
                                           std::to_string(key.used) + wanted +
                                           "; the day ends at 0:00 UTC"};
    }
    const int64_t left = limit - key.used - key.held;
    if (need > left)
      return Refusal{
          1, Limit(limit, "tokens a day, and its other requests may use the rest") + wanted, true};
    each = std::min(each, left / wish.jobs);
  }
  if (const int64_t limit = limits.tokens_per_minute; limit > 0) {
    if (need > limit) return Refusal{0, Limit(limit, "tokens a minute") + wanted};
    key.tokens.Fill(limit, now);
    const auto left = static_cast<int64_t>(std::floor(key.tokens.level));
    if (need > left) {
      return Refusal{key.tokens.SecondsUntil(static_cast<double>(need), limit),
                     Limit(limit, "tokens a minute, and has or is about to") + wanted, true};
    }
    each = std::min(each, left / wish.jobs);
  }
  for (int64_t i = 0; i < wish.jobs; ++i) {
    const int64_t per_minute = limits.tokens_per_minute;
    holds->push_back(std::make_shared<TokenHold>(
        each,
        [this, name, each, per_minute](int64_t used) { Settle(name, each, per_minute, used); }));
  }
  key.held += each * wish.jobs;
  if (limits.tokens_per_minute > 0) {
    key.minute_held += each * wish.jobs;
    key.tokens.level -= static_cast<double>(each * wish.jobs);
  }
  return std::nullopt;
}

void Usage::Settle(const std::string& name, int64_t held, int64_t per_minute, int64_t used) {
  const double now = now_();
  const std::lock_guard lock(mutex_);
  Key& key = KeyOf(name, now);
  key.held -= held;
  key.used += used;
  key.changed = key.changed || used > 0;
  if (per_minute == 0) return;
  key.minute_held -= held;
  key.tokens.Fill(per_minute, now);
  key.tokens.level = std::min(static_cast<double>(per_minute),
                              key.tokens.level + static_cast<double>(held - used));
}

int64_t Usage::TokensToday(const std::string& name) {
  const double now = now_();
  const std::lock_guard lock(mutex_);
  return KeyOf(name, now).used;
}

void Usage::Write() {
  struct Row {
    std::string key;
    int64_t day, used;
  };
  std::vector<Row> rows;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [name, key] : keys_) {
      if (std::exchange(key.changed, false)) rows.push_back({name, key.day, key.used});
    }
  }
  for (const Row& row : rows) {
    const Status written = database_->Run(
        "INSERT INTO days (key, day, tokens) VALUES (?, ?, ?) "
        "ON CONFLICT (key, day) DO UPDATE SET tokens = excluded.tokens",
        {row.key, row.day, row.used});
    if (written.ok()) continue;
    const std::lock_guard lock(mutex_);
    if (Key& key = keys_[row.key]; key.day == row.day) key.changed = true;
  }
}

void Usage::Loop() {
  std::unique_lock lock(mutex_);
  for (bool last = false; !last;) {
    last = stopping_.wait_for(lock, kWriteEvery, [this] { return stop_; });
    lock.unlock();
    Write();
    lock.lock();
  }
}

}  // namespace galen::server
