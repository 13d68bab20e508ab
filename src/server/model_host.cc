#include "server/model_host.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "engine/score.h"

namespace galen::server {
namespace {

using Clock = std::chrono::steady_clock;

// How long a score may keep others waiting between two of their steps.
constexpr std::chrono::milliseconds kScoreSlice{30};
constexpr size_t kKeptConstraints = 16;
// Rows whose logits a score holds at a time.
constexpr int64_t kScoreRows = 128;

// The most likely ids with their log-probabilities.
std::vector<std::pair<int32_t, float>> Top(std::span<const float> logits, float lse, int32_t n) {
  std::vector<std::pair<int32_t, float>> top;
  if (n <= 0) return top;
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto count = std::min<int64_t>(n, static_cast<int64_t>(ids.size()));
  std::partial_sort(ids.begin(), ids.begin() + count, ids.end(), [&](int32_t a, int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  for (int64_t i = 0; i < count; ++i) top.emplace_back(ids[i], logits[ids[i]] - lse);
  return top;
}

void FailJob(Job* job, const Status& status) {
  std::visit([&](auto& j) { j.on_done(status); }, *job);
}

void CancelJob(Job* job) {
  if (auto* generate = std::get_if<GenerateJob>(job)) {
    TextResult result;
    result.finish = FinishReason::kCancelled;
    generate->on_done(std::move(result));
  } else {
    FailJob(job, Cancelled("the request was cancelled"));
  }
}

}  // namespace

ModelHost::ModelHost(const HostOptions& options, TurnLock* turns)
    : options_(options), turns_(*turns), queue_(options.max_queue) {}

Result<std::unique_ptr<ModelHost>> ModelHost::Open(const HostOptions& options, TurnLock* turns) {
  std::unique_ptr<ModelHost> host(new ModelHost(options, turns));
  ASSIGN_OR_RETURN(host->session_, OpenSession(options.session));
  const Session& session = *host->session_;
  RETURN_IF_ERROR(session.files().tokenizer_status);
  EngineOptions engine;
  engine.runner = options.session.runner;
  engine.kv_type = options.session.kv_type;
  engine.context =
      std::min(options.session.context, session.files().config.max_position_embeddings);
  engine.max_sequences = options.session.max_sequences;
  engine.prefix_cache = options.prefix_cache;
  ASSIGN_OR_RETURN(host->engine_,
                   Engine::Create(session.model(), *session.kernels, *session.threads, engine));
  host->context_ = engine.context;
  host->reserved_bytes_ =
      session.loaded.plan.allocated() +
      Engine::ReservedBytes(session.model(), *session.kernels, session.threads->size(), engine);
  Result<ChatEncoder> chat = ChatEncoder::Create(session.files());
  if (chat.ok()) {
    host->chat_.emplace(*std::move(chat));
  } else {
    host->chat_status_ = chat.status();
  }
  host->thread_ = std::thread([h = host.get()] { h->Loop(); });
  return host;
}

ModelHost::~ModelHost() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Result<std::shared_ptr<const grammar::Constraint>> ModelHost::SchemaConstraint(
    const std::string& schema) {
  std::shared_ptr<const grammar::Vocabulary> vocabulary;
  {
    const std::lock_guard lock(constraints_mutex_);
    for (auto it = constraints_.begin(); it != constraints_.end(); ++it) {
      if (it->first != schema || it->second->exhausted()) continue;
      constraints_.splice(constraints_.begin(), constraints_, it);
      return it->second;
    }
    if (vocabulary_ == nullptr) {
      ASSIGN_OR_RETURN(vocabulary_, ConstraintVocabulary(files()));
    }
    vocabulary = vocabulary_;
  }
  ASSIGN_OR_RETURN(auto constraint, grammar::Constraint::FromSchema(schema, vocabulary));
  const std::lock_guard lock(constraints_mutex_);
  constraints_.emplace_front(schema, constraint);
  if (constraints_.size() > kKeptConstraints) constraints_.pop_back();
  return constraint;
}

Result<int64_t> ModelHost::Submit(const std::string& client, Job job) {
  const std::lock_guard lock(mutex_);
  if (stop_ || closed_) return Status(StatusCode::kIo, "this model is being closed");
  const int64_t id = next_id_++;
  if (!queue_.Push(client, id, std::move(job))) {
    ++counters_.refused;
    return ResourceExhausted("the queue of this model is full (" +
                             std::to_string(options_.max_queue) + " requests wait); try later");
  }
  ++counters_.requests;
  counters_.waiting = queue_.size();
  work_.notify_one();
  return id;
}

void ModelHost::Cancel(int64_t id) {
  const std::lock_guard lock(mutex_);
  cancels_.push_back(id);
  work_.notify_one();
}

void ModelHost::CountEngine() {
  const EngineCounters& engine = engine_->counters();
  counters_.prompt_tokens = engine.prompt_tokens;
  counters_.cached_tokens = engine.cached_tokens;
  counters_.answer_tokens = engine.answer_tokens;
  counters_.steps = engine.steps;
  counters_.preemptions = engine.preemptions;
  if (session_->images != nullptr) counters_.images = session_->images->counters().encoded;
}

void ModelHost::Start(int64_t id, GenerateJob job) {
  TextRequest& request = job.request;
  request.prompt = std::move(job.prompt.tokens);
  const auto done = [this, id, on_done = std::move(job.on_done)](Result<TextResult> result) {
    engine_ids_.erase(id);
    counters_.running = static_cast<int64_t>(engine_ids_.size());
    if (!result.ok()) {
      ++counters_.failed;
    } else if (result->finish == FinishReason::kCancelled) {
      ++counters_.cancelled;
    }
    on_done(std::move(result));
  };
  if (!job.prompt.places.empty()) {
    job.prompt.tokens = request.prompt;
    try {
      Result<std::vector<MediaSpan>> media = session_->images->EncodePrompt(job.prompt, job.images);
      if (!media.ok()) return done(media.status());
      request.media = *std::move(media);
    } catch (const InternalError& error) {
      return done(Status(StatusCode::kIo, error.what()));
    }
  }
  const Result<int64_t> submitted = SubmitText(*engine_, files(), std::move(request), done);
  if (!submitted.ok()) {
    if (submitted.status().code() == StatusCode::kIo) closed_ = true;
    return done(submitted.status());
  }
  engine_ids_[id] = *submitted;
  counters_.running = static_cast<int64_t>(engine_ids_.size());
}

void ModelHost::Score(ScoreJob job) {
  ScoreOptions options;
  options.runner = options_.session.runner;
  options.runner.max_batch_tokens = std::min(options.runner.max_batch_tokens, kScoreRows);
  options.kv_type = options_.session.kv_type;
  std::vector<TokenChoice> choices;
  choices.reserve(job.tokens.size());
  Clock::time_point slice = Clock::now();
  scoring_ = true;
  Status status;
  bool stopped = job.cancelled && job.cancelled();
  try {
    turns_.lock();
    status = ForEachPrediction(session_->model(), *session_->kernels, *session_->threads, options,
                               job.tokens, [&](int64_t i, std::span<float> logits) {
                                 if (stopped) return;
                                 float lse = 0;
                                 session_->kernels->log_sum_exp(
                                     logits.data(), 1, static_cast<int64_t>(logits.size()), &lse);
                                 TokenChoice choice;
                                 choice.token = job.tokens[i + 1];
                                 choice.logprob = logits[choice.token] - lse;
                                 choice.top = Top(logits, lse, job.top);
                                 choices.push_back(std::move(choice));
                                 ++counters_.scored_tokens;
                                 if (Clock::now() - slice < kScoreSlice) return;
                                 turns_.unlock();
                                 Pump();
                                 turns_.lock();
                                 stopped = job.cancelled && job.cancelled();
                                 slice = Clock::now();
                               });
    turns_.unlock();
  } catch (const InternalError& error) {
    turns_.unlock();
    status = Status(StatusCode::kIo, error.what());
  }
  scoring_ = false;
  if (stopped) status = Cancelled("the request was cancelled");
  if (!status.ok()) {
    ++counters_.failed;
    job.on_done(status);
    return;
  }
  job.on_done(std::move(choices));
}

void ModelHost::Pump() {
  std::vector<std::pair<int64_t, GenerateJob>> starting;
  std::vector<Job> dropped;
  std::vector<int64_t> cancels;
  {
    const std::lock_guard lock(mutex_);
    cancels.swap(cancels_);
    for (int64_t id : cancels) {
      if (std::optional<Job> job = queue_.Remove(id)) dropped.push_back(*std::move(job));
    }
    const auto free = [&] {
      return static_cast<int64_t>(engine_ids_.size() + starting.size()) <
             options_.session.max_sequences;
    };
    // A score holds this thread, and what comes after it starts from within; a second one waits.
    while (free() && scores_.empty()) {
      auto next = queue_.Pop();
      if (!next) break;
      if (auto* score = std::get_if<ScoreJob>(&next->second)) {
        scores_.push_back(std::move(*score));
      } else {
        starting.emplace_back(next->first, std::move(std::get<GenerateJob>(next->second)));
      }
    }
    counters_.waiting = queue_.size();
  }
  for (Job& job : dropped) {
    ++counters_.cancelled;
    CancelJob(&job);
  }
  for (int64_t id : cancels) {
    const auto it = engine_ids_.find(id);
    if (it != engine_ids_.end()) engine_->Cancel(it->second);
  }
  for (auto& [id, job] : starting) {
    const std::lock_guard turn(turns_);
    Start(id, std::move(job));
  }
  if (engine_->idle()) return;
  {
    const std::lock_guard turn(turns_);
    engine_->Step();
  }
  CountEngine();
}

void ModelHost::Loop() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [&] {
        return stop_ || queue_.size() > 0 || !cancels_.empty() || !engine_->idle();
      });
      if (stop_) break;
    }
    Pump();
    while (!scores_.empty()) {
      ScoreJob job = std::move(scores_.front());
      scores_.pop_front();
      Score(std::move(job));
    }
  }
  // Whoever still waits is told.
  while (true) {
    std::optional<std::pair<int64_t, Job>> job;
    {
      const std::lock_guard lock(mutex_);
      job = queue_.Pop();
    }
    if (!job) break;
    CancelJob(&job->second);
  }
  for (const auto& [ours, theirs] : engine_ids_) engine_->Cancel(theirs);
  while (!engine_->idle() && engine_->Step()) {
  }
}

}  // namespace galen::server
