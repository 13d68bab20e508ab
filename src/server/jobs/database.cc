#include "server/jobs/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

namespace galen::server {
namespace {

constexpr int kBusyMilliseconds = 5000;

SqlValue ColumnOf(sqlite3_stmt* statement, int i) {
  switch (sqlite3_column_type(statement, i)) {
    case SQLITE_NULL:
      return {};
    case SQLITE_INTEGER:
      return int64_t{sqlite3_column_int64(statement, i)};
    default: {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_blob(statement, i));
      const auto size = static_cast<size_t>(sqlite3_column_bytes(statement, i));
      return text == nullptr ? std::string() : std::string(text, size);
    }
  }
}

void Bind(sqlite3_stmt* statement, int i, const SqlValue& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) {
    sqlite3_bind_int64(statement, i, *number);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    sqlite3_bind_text64(statement, i, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8);
  } else {
    sqlite3_bind_null(statement, i);
  }
}

}  // namespace

void Database::Close::operator()(sqlite3* db) const { sqlite3_close_v2(db); }

Status Database::Fail(const char* what) const {
  const std::string text = std::string(what) + ": " + sqlite3_errmsg(db_.get());
  switch (sqlite3_errcode(db_.get())) {
    case SQLITE_FULL:
      return ResourceExhausted(text);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return DataLoss(text);
    default:
      return IoError(text);
  }
}

Result<Database> Database::Open(const std::string& path) {
  // The files beside it get the mode that it has.
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return IoError("cannot open " + path);
  ::close(fd);
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE, nullptr);
  Database database(raw);
  if (opened != SQLITE_OK) return database.Fail("cannot open the database").WithContext(path);
  sqlite3_busy_timeout(raw, kBusyMilliseconds);
  for (const char* pragma :
       {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA secure_delete = ON"}) {
    if (Status status = database.Run(pragma); !status.ok()) return status.WithContext(path);
  }
  return database;
}

Status Database::Run(const char* sql, std::vector<SqlValue> values, const RowFn& row,
                     int64_t* changed) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(db_.get(), sql, -1, &raw, nullptr) != SQLITE_OK)
    return Fail("the database refuses a statement");
  const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement(raw, sqlite3_finalize);
  for (size_t i = 0; i < values.size(); ++i) Bind(raw, static_cast<int>(i) + 1, values[i]);
  int step;
  while ((step = sqlite3_step(raw)) == SQLITE_ROW) {
    if (!row) continue;
    std::vector<SqlValue> columns;
    for (int i = 0; i < sqlite3_column_count(raw); ++i) columns.push_back(ColumnOf(raw, i));
    row(columns);
  }
  if (step != SQLITE_DONE) return Fail("the database failed");
  if (changed != nullptr) *changed = sqlite3_changes64(db_.get());
  return OkStatus();
}

Status Migrate(Database* database, std::span<const std::vector<const char*>> steps) {
  RETURN_IF_ERROR(database->Run("BEGIN IMMEDIATE"));
  const Status status = [&]() -> Status {
    int64_t version = 0;
    RETURN_IF_ERROR(database->Run("PRAGMA user_version", {},
                                  [&](const auto& row) { version = std::get<int64_t>(row[0]); }));
    const auto known = static_cast<int64_t>(steps.size());
    if (version < 0 || version > known) {
      return Unsupported("the database has version " + std::to_string(version) +
                         "; this galen knows " + std::to_string(known) + ": a later one wrote it");
    }
    for (int64_t v = version; v < known; ++v) {
      for (const char* sql : steps[static_cast<size_t>(v)]) RETURN_IF_ERROR(database->Run(sql));
    }
    return database->Run(("PRAGMA user_version = " + std::to_string(known)).c_str());
  }();
  if (!status.ok()) {
    (void)database->Run("ROLLBACK");
    return status;
  }
  return database->Run("COMMIT");
}

}  // namespace galen::server
