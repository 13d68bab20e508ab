// One model and the thread that drives its engine. Requests go in from any thread and wait in a
// bounded queue in which clients take turns; their callbacks come from the engine's thread.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "engine/embed.h"
#include "engine/generation.h"
#include "engine/session.h"
#include "server/admission_queue.h"
#include "server/security/token_hold.h"
#include "server/turn_lock.h"

namespace galen::server {

struct HostOptions {
  SessionOptions session;  // `images` is set where the model has an image part
  int64_t max_queue = 256;
  bool prefix_cache = true;
  double step_seconds = 0.1;  // EngineOptions
};

// The `hold` of a job, null where nothing is counted, is settled before on_done is called: with the
// prompt if work had begun on it, and the answer.

// An answer to a prompt.
struct GenerateJob {
  EncodedPrompt prompt;
  std::vector<PreparedViews> images;
  TextRequest request;  // `prompt` and `media` are filled from the above
  std::function<void(Result<TextResult>)> on_done;  // exactly once, from the engine's thread
  std::function<void()> after_step;  // may be null; after each step while the answer is made
  std::shared_ptr<TokenHold> hold;
};

// Log-probabilities of a text that is given.
struct ScoreJob {
  std::vector<int32_t> tokens;  // at least one
  int32_t top = 0;              // alternatives at each place
  uint64_t adapters = 0;        // Request::adapters
  // One entry for each token but the first.
  std::function<void(Result<std::vector<TokenChoice>>)> on_done;
  std::shared_ptr<TokenHold> hold;
};

// Vectors of texts, not normalised.
struct EmbedJob {
  std::vector<std::vector<int32_t>> texts;  // each at least one token
  Pooling pooling = Pooling::kLast;
  uint64_t adapters = 0;
  std::function<void(Result<std::vector<std::vector<float>>>)> on_done;
  std::shared_ptr<TokenHold> hold;
};

using Job = std::variant<GenerateJob, ScoreJob, EmbedJob>;

// What is read without asking the engine's thread.
struct HostCounters {
  std::atomic<int64_t> waiting{0}, running{0};
  std::atomic<int64_t> requests{0}, cancelled{0}, failed{0}, refused{0};
  std::atomic<int64_t> prompt_tokens{0}, cached_tokens{0}, answer_tokens{0}, steps{0},
      preemptions{0}, images{0}, scored_tokens{0}, embedded_tokens{0};
  std::atomic<int64_t> kv_pages_used{0}, kv_pages_cached{0};
  std::atomic<int64_t> step_nanoseconds{0};  // of the steps
};

class ModelHost {
 public:
  // turns must outlive the host. Errors: as of OpenSession and Engine::Create.
  static Result<std::unique_ptr<ModelHost>> Open(const HostOptions& options, TurnLock* turns);
  // Cancels what waits and runs, each with its on_done.
  ~ModelHost();

  // ResourceExhausted: the queue is full. The id is for Cancel.
  Result<int64_t> Submit(const std::string& client, Job job);
  // Done with FinishReason::kCancelled (a score: an error) soon; ids that are over are ignored.
  void Cancel(int64_t id);

  const Session& session() const { return *session_; }
  const ModelFiles& files() const { return session_->files(); }
  // Null: the model has no chat template; why, in chat_status.
  const ChatEncoder* chat() const { return chat_ ? &*chat_ : nullptr; }
  const Status& chat_status() const { return chat_status_; }
  // What an answer must be, compiled; the last ones are kept by their keys. From any thread.
  using ConstraintMaker = std::function<Result<std::shared_ptr<const grammar::Constraint>>(
      const std::shared_ptr<const grammar::Vocabulary>&)>;
  Result<std::shared_ptr<const grammar::Constraint>> CachedConstraint(const std::string& key,
                                                                      const ConstraintMaker& make);
  Result<std::shared_ptr<const grammar::Constraint>> SchemaConstraint(const std::string& schema);
  int64_t context() const { return context_; }
  int64_t reserved_bytes() const { return reserved_bytes_; }
  const HostCounters& counters() const { return counters_; }
  bool busy() const { return counters_.waiting + counters_.running > 0; }
  // After an internal error: it takes no more work.
  bool failed() const { return closed_.load(); }

 private:
  ModelHost(const HostOptions& options, TurnLock* turns);
  void Loop();
  // Takes in what may start, cancels what is no longer wanted, computes a step. turns_ is not held.
  void Pump();
  // What may start now, and of that what was cancelled before it could.
  void TakeIn(std::vector<std::pair<int64_t, GenerateJob>>* starting, std::vector<Job>* dropped);
  void Start(int64_t id, GenerateJob job);
  // Work that is done piece by piece, with steps of the engine between (Breathe). turns_ is held
  // while it computes.
  void RunLong(int64_t id, Job job);
  void Score(ScoreJob job);
  void Embed(EmbedJob job);
  void EncodeImages(int64_t id, GenerateJob job);
  // Lets others go on once a slice of time is over.
  void Breathe();
  PassOptions PassOptionsFor(uint64_t adapters) const;
  void CountEngine();
  void CountRunning();

  const HostOptions options_;
  TurnLock& turns_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Engine> engine_;
  std::optional<Embedder> embedder_;
  std::optional<ChatEncoder> chat_;
  Status chat_status_;
  int64_t context_ = 0, reserved_bytes_ = 0;
  HostCounters counters_;
  std::atomic<bool> closed_{false};

  std::mutex constraints_mutex_;
  std::shared_ptr<const grammar::Vocabulary> vocabulary_;
  std::list<std::pair<std::string, std::shared_ptr<const grammar::Constraint>>>
      constraints_;  // most recently used first

  std::mutex mutex_;
  std::condition_variable work_;
  AdmissionQueue<Job> queue_;
  std::vector<int64_t> cancels_;
  int64_t next_id_ = 1;
  bool stop_ = false;

  // Of the engine's thread.
  struct Running {
    int64_t engine_id;
    std::function<void()> after_step;
  };
  std::map<int64_t, Running> running_;        // by our ids
  std::deque<std::pair<int64_t, Job>> long_;  // taken from the queue, done one after the other
  int64_t long_running_ = 0;                  // id of the one that runs; 0: none
  bool long_cancelled_ = false;
  std::chrono::steady_clock::time_point slice_;
  std::thread thread_;
};

}  // namespace galen::server
