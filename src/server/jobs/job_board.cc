#include "server/jobs/job_board.h"

#include <sys/random.h>

#include <array>
#include <chrono>
#include <cstring>

#include "server/openai/params.h"

namespace galen::server {
namespace {

constexpr std::chrono::seconds kSweep{5};

// 128 random bits: nobody guesses another's job.
Result<std::string> NewId() {
  std::array<unsigned char, 16> random;
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return IoError("the operating system gave no random bytes");
  constexpr char kDigits[] = "0123456789abcdef";
  std::string id;
  for (const unsigned char byte : random) {
    id += kDigits[byte >> 4];
    id += kDigits[byte & 15];
  }
  return id;
}

}  // namespace

void DocumentJob::Begin() { (void)board_.store_->SetState(id_, "running"); }

void DocumentJob::Send(const char* event, const std::string& data) {
  const std::string text = EventText(event, data);
  const std::lock_guard lock(mutex_);
  if (std::strcmp(event, "page") == 0 || std::strcmp(event, "reading") == 0) progress_ = data;
  told_ += text;
  for (const auto& listener : listeners_) listener->Write(text);
  std::erase_if(listeners_, [](const auto& listener) { return listener->gone(); });
}

void DocumentJob::EndListeners(const char* event) {
  const std::lock_guard lock(mutex_);
  const std::string last = event != nullptr && !ended_ ? EventText(event, "{}") : "";
  told_ += last;
  ended_ = true;
  for (const auto& listener : listeners_) listener->End(last);
  listeners_.clear();
}

void DocumentJob::Finish(const char* state, const char* event, const std::string& data,
                         const std::string& content_type, const std::string& answer) {
  // On the disk first: who hears of the end can ask for the answer.
  const Status kept = board_.store_->Finish(id_, state, content_type, answer, UnixNow() + keep_);
  if (kept.ok()) {
    Send(event, data);
  } else {
    ApiError error;
    error.message = "the answer could not be kept";
    Send("error", ErrorBody(Dialect::kOpenAi, error));
    // Said if there is room for that.
    (void)board_.store_->Finish(id_, "failed", "application/json",
                                ErrorBody(Dialect::kOpenAi, error), UnixNow() + keep_);
  }
  EndListeners();
  board_.Forget(id_);
}

void DocumentJob::Abandon() {
  EndListeners("interrupted");
  board_.Forget(id_);
}

void DocumentJob::Delete() {
  stop_.request_stop();
  EndListeners("deleted");
  board_.Forget(id_);
}

void DocumentJob::Listen(std::shared_ptr<Reply> reply) {
  const std::lock_guard lock(mutex_);
  reply->Begin(EventHead());
  if (ended_) return reply->End(told_);
  reply->Write(told_);
  listeners_.push_back(std::move(reply));
}

std::string DocumentJob::progress() const {
  const std::lock_guard lock(mutex_);
  return progress_;
}

JobBoard::JobBoard(std::unique_ptr<JobStore> store, int64_t keep)
    : store_(std::move(store)), keep_(keep), sweeper_([this] { Sweep(); }) {}

Result<std::unique_ptr<JobBoard>> JobBoard::Open(const std::string& path, int64_t keep,
                                                 const std::string& key_file) {
  std::optional<SealKey> key;
  if (!key_file.empty()) {
    ASSIGN_OR_RETURN(key, SealKey::Read(key_file));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<JobStore> store,
                   JobStore::Open(path, UnixNow() + keep, std::move(key)));
  return std::unique_ptr<JobBoard>(new JobBoard(std::move(store), keep));
}

JobBoard::~JobBoard() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopping_.notify_all();
  sweeper_.join();
}

Result<std::shared_ptr<DocumentJob>> JobBoard::Start(const Tenant& tenant, int64_t keep) {
  ASSIGN_OR_RETURN(std::string id, NewId());
  std::shared_ptr<DocumentJob> job(new DocumentJob(this, id, tenant.name, keep < 0 ? keep_ : keep));
  JobRecord record;
  record.id = id;
  record.tenant = tenant.name;
  record.state = "queued";
  record.created = UnixNow();
  record.expires = record.created + job->keep_;
  RETURN_IF_ERROR(store_->Add(record));
  const std::lock_guard lock(mutex_);
  jobs_[id] = job;
  return job;
}

std::shared_ptr<DocumentJob> JobBoard::Find(const std::string& id, const std::string& tenant) {
  const std::lock_guard lock(mutex_);
  const auto found = jobs_.find(id);
  return found == jobs_.end() || found->second->tenant_ != tenant ? nullptr : found->second;
}

void JobBoard::Forget(const std::string& id) {
  std::shared_ptr<DocumentJob> gone;
  const std::lock_guard lock(mutex_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  gone = std::move(found->second);
  jobs_.erase(found);
}

void JobBoard::Sweep() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    (void)store_->RemoveExpired(UnixNow());  // what a full disk keeps is tried again
    lock.lock();
    stopping_.wait_for(lock, kSweep, [this] { return stop_; });
  }
}

}  // namespace galen::server
