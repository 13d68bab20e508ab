// An append-only, hash-chained record of who did what with which model when, free of patients'
// text: texts and media go in as digests under a key that lies beside the log (PATH.key), so that
// nobody without it can try out names. One process writes a log at a time. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>

#include "audit/record.h"

namespace galen {

// HMAC-SHA-256 (RFC 2104), hexadecimal.
std::string HmacSha256Hex(std::span<const uint8_t> key, std::span<const uint8_t> bytes);

// The digest by which a log with this key names bytes: HMAC of their SHA-256 in hexadecimal.
std::string AuditDigest(std::span<const uint8_t> key, const std::string& sha256_hex);

// The key of a log; InvalidArgument for a file that is none, NotFound.
Result<std::string> ReadAuditKey(const std::string& log_path);

class AuditLog {
 public:
  // Creates log and key where they are missing, and writes an "opened" record. What a crash left of
  // a last line is cut off, and the "opened" record says how many bytes. DataLoss: the last record
  // is damaged; Io: another process writes this log.
  static Result<std::unique_ptr<AuditLog>> Open(const std::string& path);
  // Writes what waits.
  ~AuditLog();

  // Returns when the record is on the disk; records of several threads share a sync.
  // ResourceExhausted, Io: it is not.
  Status Append(Json fields);
  // Returns at once. Where the disk refuses, it is tried again with the next record; beyond 10,000
  // that wait so, the oldest go, and a "lost" record counts them.
  void AppendLater(Json fields);

  std::string Digest(const std::string& sha256_hex) const;
  std::string Digest(std::span<const uint8_t> bytes) const;
  AuditHead head() const;

 private:
  struct Pending {
    Json fields;
    bool waits = false;
    int64_t ticket = 0;
  };
  AuditLog() = default;
  void Loop();
  Status WriteBatch(const std::deque<Pending>& batch);

  std::string path_, key_;
  int fd_ = -1;
  int64_t size_ = 0;  // of the file, whole records
  mutable std::mutex mutex_;
  std::condition_variable work_, done_;
  std::deque<Pending> pending_;
  AuditHead head_;
  int64_t tickets_ = 0, finished_ = 0, lost_ = 0;
  int64_t failed_up_to_ = 0;  // tickets that waited in vain; `failure_` is the last one's
  Status failure_;
  bool stop_ = false;
  std::thread writer_;
};

}  // namespace galen
