// Jobs at work: what each has told so far, and who listens; what is over lies in the store.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "server/documents/event_stream.h"
#include "server/http/message.h"
#include "server/jobs/job_store.h"

namespace galen::server {

class JobBoard;

// One job; its work writes events. Any thread.
class DocumentJob : public EventSink {
 public:
  const std::string& id() const { return id_; }
  const std::string& tenant() const { return tenant_; }
  std::stop_source& stop() { return stop_; }

  void Begin();  // its turn has come
  void Send(const char* event, const std::string& data) override;
  // The end: event is "result" or "error", data its line, answer what GET /jobs/ID gives.
  void Finish(const char* state, const char* event, const std::string& data,
              const std::string& content_type, const std::string& answer);
  // Gone without an answer: the server ends. The next one calls it interrupted, as listeners hear.
  void Abandon();
  // Whoever asked wants no answer: listeners hear it, nobody finds it, and its work is to stop.
  void Delete();
  // In the pool of documents.
  void set_place(int64_t place) { place_ = place; }
  int64_t place() const { return place_; }
  // What was told so far, and what follows.
  void Listen(std::shared_ptr<Reply> reply);
  std::string progress() const;  // the last "page" or "reading" event's data; empty: none yet

 private:
  friend class JobBoard;
  DocumentJob(JobBoard* board, std::string id, std::string tenant, int64_t keep)
      : board_(*board), id_(std::move(id)), tenant_(std::move(tenant)), keep_(keep) {}
  // The last event, unless there was one.
  void EndListeners(const char* event = nullptr);

  JobBoard& board_;
  const std::string id_, tenant_;
  const int64_t keep_;
  std::stop_source stop_;
  std::atomic<int64_t> place_{0};
  mutable std::mutex mutex_;
  std::string told_, progress_;
  std::vector<std::shared_ptr<Reply>> listeners_;
  bool ended_ = false;
};

class JobBoard {
 public:
  // keep: seconds that a job stays when it is over. key_file: of the key that answers are sealed for
  // (SealKey::Read); empty: they are not.
  static Result<std::unique_ptr<JobBoard>> Open(const std::string& path, int64_t keep,
                                                const std::string& key_file);
  ~JobBoard();

  // keep < 0: the board's.
  Result<std::shared_ptr<DocumentJob>> Start(const Tenant& tenant, int64_t keep);
  // Null: not at work.
  std::shared_ptr<DocumentJob> Find(const std::string& id, const std::string& tenant);
  JobStore& store() { return *store_; }

 private:
  friend class DocumentJob;
  JobBoard(std::unique_ptr<JobStore> store, int64_t keep);
  void Forget(const std::string& id);
  void Sweep();

  const std::unique_ptr<JobStore> store_;
  const int64_t keep_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<DocumentJob>> jobs_;
  std::condition_variable stopping_;
  bool stop_ = false;
  std::thread sweeper_;
};

}  // namespace galen::server
