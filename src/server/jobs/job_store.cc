#include "server/jobs/job_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>

namespace galen::server {
namespace {

std::string TextOf(const SqlValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text == nullptr ? "" : *text;
}

int64_t NumberOf(const SqlValue& value) {
  const auto* number = std::get_if<int64_t>(&value);
  return number == nullptr ? 0 : *number;
}

}  // namespace

std::span<const std::vector<const char*>> JobMigrations() {
  static const std::array<std::vector<const char*>, 2> kSteps = {{
      {"CREATE TABLE jobs (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, state TEXT NOT NULL, "
       "created INTEGER NOT NULL, expires INTEGER NOT NULL, content_type TEXT NOT NULL, "
       "answer TEXT NOT NULL) WITHOUT ROWID",
       "CREATE INDEX jobs_by_expiry ON jobs (expires)"},
      // SealKey::id; empty: the answer is as it is.
      {"ALTER TABLE jobs ADD COLUMN sealed_for TEXT NOT NULL DEFAULT ''"},
  }};
  return kSteps;
}

Result<std::unique_ptr<JobStore>> JobStore::Open(const std::string& path, int64_t expires,
                                                 std::optional<SealKey> key) {
  auto lock = std::make_unique<Unlock>(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock->fd < 0) return IoError("cannot open " + path);
  if (::flock(lock->fd, LOCK_EX | LOCK_NB) != 0)
    return IoError("another server keeps its jobs in " + path);
  ASSIGN_OR_RETURN(Database database, Database::Open(path));
  if (Status status = Migrate(&database, JobMigrations()); !status.ok())
    return status.WithContext(path);
  std::unique_ptr<JobStore> store(new JobStore(std::move(lock), std::move(database), std::move(key)));
  RETURN_IF_ERROR(store->database_.Run(
      "UPDATE jobs SET state = 'interrupted', expires = ? WHERE state IN ('queued', 'running')",
      {expires}));
  if (Status status = store->SealAll(); !status.ok()) return status.WithContext(path);
  return store;
}

Status JobStore::Seal(const std::string& id, const std::string& answer, std::string* written,
                      std::string* sealed_for) const {
  *written = answer;
  if (!key_ || answer.empty()) return OkStatus();
  ASSIGN_OR_RETURN(*written, key_->Seal(answer, id));
  *sealed_for = key_->id();
  return OkStatus();
}

// One at a time: answers may be large together.
Status JobStore::SealAll() {
  if (!key_) return OkStatus();
  std::vector<std::string> ids;
  RETURN_IF_ERROR(
      database_.Run("SELECT id FROM jobs WHERE sealed_for = '' AND answer <> ''", {},
                    [&](const std::vector<SqlValue>& row) { ids.push_back(TextOf(row[0])); }));
  for (const std::string& id : ids) {
    std::string answer, written, sealed_for;
    RETURN_IF_ERROR(
        database_.Run("SELECT answer FROM jobs WHERE id = ?", {id},
                      [&](const std::vector<SqlValue>& row) { answer = TextOf(row[0]); }));
    RETURN_IF_ERROR(Seal(id, answer, &written, &sealed_for));
    RETURN_IF_ERROR(database_.Run("UPDATE jobs SET answer = ?, sealed_for = ? WHERE id = ?",
                                  {written, sealed_for, id}));
  }
  return EmptyLog();  // also where a server before this one ended between the two
}

Status JobStore::Add(const JobRecord& job) {
  std::string written, sealed_for;
  RETURN_IF_ERROR(Seal(job.id, job.answer, &written, &sealed_for));
  const std::lock_guard lock(mutex_);
  return database_.Run("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                       {job.id, job.tenant, job.state, job.created, job.expires, job.content_type,
                        written, sealed_for});
}

Status JobStore::SetState(const std::string& id, const std::string& state) {
  const std::lock_guard lock(mutex_);
  return database_.Run("UPDATE jobs SET state = ? WHERE id = ? AND state IN ('queued', 'running')",
                       {state, id});
}

Status JobStore::Finish(const std::string& id, const std::string& state,
                        const std::string& content_type, const std::string& answer,
                        int64_t expires) {
  std::string written, sealed_for;
  RETURN_IF_ERROR(Seal(id, answer, &written, &sealed_for));
  const std::lock_guard lock(mutex_);
  return database_.Run(
      "UPDATE jobs SET state = ?, content_type = ?, answer = ?, sealed_for = ?, expires = ? WHERE "
      "id = ? AND state IN ('queued', 'running')",
      {state, content_type, written, sealed_for, expires, id});
}

Result<std::optional<JobRecord>> JobStore::Find(const std::string& id, const std::string& tenant) {
  std::optional<JobRecord> found;
  std::string sealed_for;
  {
    const std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(database_.Run(
        "SELECT id, tenant, state, created, expires, content_type, answer, sealed_for FROM jobs "
        "WHERE id = ? AND tenant = ?",
        {id, tenant}, [&](const std::vector<SqlValue>& row) {
          found = {TextOf(row[0]),   TextOf(row[1]), TextOf(row[2]), NumberOf(row[3]),
                   NumberOf(row[4]), TextOf(row[5]), TextOf(row[6])};
          sealed_for = TextOf(row[7]);
        }));
  }
  if (sealed_for.empty()) return found;
  if (!key_ || sealed_for != key_->id())
    return Unsupported("the job's answer is sealed for another key than this server has");
  ASSIGN_OR_RETURN(found->answer, key_->Open(found->answer, id));
  return found;
}

JobStore::Unlock::~Unlock() {
  if (fd >= 0) ::close(fd);
}

Status JobStore::EmptyLog() { return database_.Run("PRAGMA wal_checkpoint(TRUNCATE)"); }

Result<bool> JobStore::Remove(const std::string& id, const std::string& tenant) {
  const std::lock_guard lock(mutex_);
  int64_t changed = 0;
  RETURN_IF_ERROR(database_.Run("DELETE FROM jobs WHERE id = ? AND tenant = ?", {id, tenant}, {},
                                &changed));
  if (changed > 0) RETURN_IF_ERROR(EmptyLog());
  return changed > 0;
}

Status JobStore::RemoveExpired(int64_t now) {
  const std::lock_guard lock(mutex_);
  int64_t changed = 0;
  RETURN_IF_ERROR(
      database_.Run("DELETE FROM jobs WHERE expires <= ? AND state NOT IN ('queued', 'running')",
                    {now}, {}, &changed));
  return changed > 0 ? EmptyLog() : OkStatus();
}

}  // namespace galen::server
