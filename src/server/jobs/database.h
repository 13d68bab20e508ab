// SQLite behind our error type: one connection, statements with bound values. Used by one thread
// at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/status.h"

struct sqlite3;

namespace galen::server {

using SqlValue = std::variant<std::monostate, int64_t, std::string>;  // NULL, INTEGER, TEXT

class Database {
 public:
  // Made where it is missing, readable by this user alone. Write-ahead log, every commit on the
  // disk, what is deleted overwritten. Io: cannot be opened; DataLoss: no database.
  static Result<Database> Open(const std::string& path);

  using RowFn = std::function<void(const std::vector<SqlValue>& row)>;
  // One statement. changed receives how many rows it changed. ResourceExhausted: the disk is full.
  Status Run(const char* sql, std::vector<SqlValue> values = {}, const RowFn& row = {},
             int64_t* changed = nullptr);

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };
  explicit Database(sqlite3* db) : db_(db) {}
  Status Fail(const char* what) const;

  std::unique_ptr<sqlite3, Close> db_;
};

// Brings the tables to the version that this galen knows, in one transaction; `steps[i]` leads from
// version i to i + 1 and may hold several statements. Unsupported: a later galen wrote the file.
Status Migrate(Database* database, std::span<const std::vector<const char*>> steps);

}  // namespace galen::server
