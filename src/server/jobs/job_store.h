// Jobs on the disk: what became of each, and its answer, until it expires. A job that a server
// left unfinished is interrupted for the next one. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "server/jobs/database.h"
#include "server/jobs/seal_key.h"

namespace galen::server {

struct JobRecord {
  std::string id;
  std::string tenant;   // whose key asked; others do not see it
  std::string state;    // queued, running, done, failed, cancelled, interrupted
  int64_t created = 0;  // seconds since 1970
  int64_t expires = 0;
  std::string content_type;  // of the answer
  std::string answer;        // of a job that is done, else the error's JSON, or empty
};

// From each version of the tables to the next.
std::span<const std::vector<const char*>> JobMigrations();

class JobStore {
 public:
  // What a server before this one left running or queued becomes interrupted, and expires then.
  // With a key answers are sealed for it, those too that lie there already. Io: another server has
  // the file.
  static Result<std::unique_ptr<JobStore>> Open(const std::string& path, int64_t expires,
                                                std::optional<SealKey> key = std::nullopt);

  Status Add(const JobRecord& job);
  // Nothing happens to a job that is over or gone.
  Status SetState(const std::string& id, const std::string& state);
  Status Finish(const std::string& id, const std::string& state, const std::string& content_type,
                const std::string& answer, int64_t expires);
  // Null: there is none of this tenant. Unsupported: its answer is
  // sealed for another key. DataLoss: it is damaged.
  Result<std::optional<JobRecord>> Find(const std::string& id, const std::string& tenant);
  // Whether there was one of this tenant; sealed for whichever key.
  Result<bool> Remove(const std::string& id, const std::string& tenant);
  // Jobs that are over alone.
  Status RemoveExpired(int64_t now);

 private:
  struct Unlock {
    ~Unlock();
    int fd;
  };
  JobStore(std::unique_ptr<Unlock> lock, Database database, std::optional<SealKey> key)
      : lock_(std::move(lock)), database_(std::move(database)), key_(std::move(key)) {}
  // Of an answer what is written, and for which key: as it is without one.
  Status Seal(const std::string& id, const std::string& answer, std::string* written,
              std::string* sealed_for) const;
  Status SealAll();
  // What was removed is in the log beside the database, too, until it is emptied.
  Status EmptyLog();

  std::mutex mutex_;
  const std::unique_ptr<Unlock> lock_;  // closed after the database, whose locks would go with it
  Database database_;
  const std::optional<SealKey> key_;
};

}  // namespace galen::server
