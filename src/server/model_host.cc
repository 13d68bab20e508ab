#include "server/model_host.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <utility>

#include "base/thread_name.h"
#include "engine/score.h"

namespace galen::server {
namespace {

using Clock = std::chrono::steady_clock;

// How long scores, embeddings and images may keep others waiting between two of their steps, as
// far as they can be cut: a chunk of a text, a layer of a tower.
constexpr std::chrono::milliseconds kSlice{30};
constexpr size_t kKeptConstraints = 16;
// Rows of a chunk of a score or an embedding.
constexpr int64_t kPassRows = 128;

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

int64_t PromptTokens(const Job& job) {
  if (const auto* generate = std::get_if<GenerateJob>(&job))
    return static_cast<int64_t>(generate->prompt.tokens.size());
  if (const auto* score = std::get_if<ScoreJob>(&job))
    return static_cast<int64_t>(score->tokens.size());
  int64_t tokens = 0;
  for (const auto& text : std::get<EmbedJob>(job).texts)
    tokens += static_cast<int64_t>(text.size());
  return tokens;
}

int64_t AnswerTokens(const TextResult& result) {
  return static_cast<int64_t>(result.tokens.size());
}
template <typename Other>
int64_t AnswerTokens(const Other&) {
  return 0;
}

// Settled before the client hears of the end. What failed by a fault of ours costs nothing; what
// the client cancelled costs what had begun.
void SettleWhenDone(Job* job) {
  std::visit(
      [](auto& one) {
        if (one.hold == nullptr) return;
        one.on_done = [hold = one.hold, done = std::move(one.on_done)](auto result) {
          const bool fault = !result.ok() && result.status().code() != StatusCode::kCancelled;
          hold->Settle(fault ? 0 : hold->used() + (result.ok() ? AnswerTokens(*result) : 0));
          done(std::move(result));
        };
      },
      *job);
}

// Work begins: from now on the prompt is charged.
void BeginCharge(const std::shared_ptr<TokenHold>& hold, int64_t prompt) {
  if (hold != nullptr && hold->used() == 0) hold->Use(prompt);
}

}  // namespace

ModelHost::ModelHost(const HostOptions& options, TurnLock* turns)
    : options_(options), turns_(*turns), queue_(options.max_queue) {}

Result<std::unique_ptr<ModelHost>> ModelHost::Open(const HostOptions& options, TurnLock* turns) {
  std::unique_ptr<ModelHost> host(new ModelHost(options, turns));
  ASSIGN_OR_RETURN(host->session_, OpenSession(options.session));
  const Session& session = *host->session_;
  for (const AttachedAdapter& adapter : session.adapters.adapters()) {
    if (!adapter.serves_all) continue;
    return Unsupported(
        "the adapter " + adapter.name +
        " changes norms or the image tower, which all requests share, so it cannot be chosen by "
        "each of them; add it into the weights with 'galen adapter merge' and serve the result");
  }
  RETURN_IF_ERROR(session.files().tokenizer_status);
  EngineOptions engine;
  engine.runner = options.session.runner;
  // Lines of pages are read many at once: what one holds does not depend on which are beside it.
  engine.runner.batch_invariant |= session.files().vision.page_lines.has_value();
  engine.kv_type = options.session.kv_type;
  engine.context =
      std::min(options.session.context, session.files().config.max_position_embeddings);
  engine.max_sequences = options.session.max_sequences;
  engine.prefix_cache = options.prefix_cache;
  engine.forced_drafts = true;
  engine.step_seconds = options.step_seconds;
  SetAdapters(session, &engine);
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
  if (session.images != nullptr)
    host->session_->images->SetBetweenLayers([h = host.get()] { h->Breathe(); });
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

Result<std::shared_ptr<const grammar::Constraint>> ModelHost::CachedConstraint(
    const std::string& key, const ConstraintMaker& make) {
  std::shared_ptr<const grammar::Vocabulary> vocabulary;
  {
    const std::lock_guard lock(constraints_mutex_);
    for (auto it = constraints_.begin(); it != constraints_.end(); ++it) {
      if (it->first != key || it->second->exhausted()) continue;
      constraints_.splice(constraints_.begin(), constraints_, it);
      return it->second;
    }
    if (vocabulary_ == nullptr) {
      ASSIGN_OR_RETURN(vocabulary_, ConstraintVocabulary(files()));
    }
    vocabulary = vocabulary_;
  }
  ASSIGN_OR_RETURN(auto constraint, make(vocabulary));
  const std::lock_guard lock(constraints_mutex_);
  constraints_.emplace_front(key, constraint);
  if (constraints_.size() > kKeptConstraints) constraints_.pop_back();
  return constraint;
}

Result<std::shared_ptr<const grammar::Constraint>> ModelHost::SchemaConstraint(
    const std::string& schema) {
  return CachedConstraint("schema " + schema,
                          [&](const std::shared_ptr<const grammar::Vocabulary>& vocabulary) {
                            return grammar::Constraint::FromSchema(schema, vocabulary);
                          });
}

Result<int64_t> ModelHost::Submit(const std::string& client, Job job) {
  SettleWhenDone(&job);
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
  counters_.kv_pages_used = engine.pages_used;
  counters_.kv_pages_cached = engine.pages_cached;
  if (session_->images != nullptr) counters_.images = session_->images->counters().encoded;
}

void ModelHost::CountRunning() {
  counters_.running = static_cast<int64_t>(running_.size()) + (long_running_ != 0 ? 1 : 0);
}

void ModelHost::Start(int64_t id, GenerateJob job) {
  TextRequest& request = job.request;
  BeginCharge(job.hold, static_cast<int64_t>(job.prompt.tokens.size()));
  request.prompt = std::move(job.prompt.tokens);
  const auto done = [this, id, on_done = std::move(job.on_done)](Result<TextResult> result) {
    running_.erase(id);
    CountRunning();
    if (!result.ok()) {
      ++counters_.failed;
    } else if (result->finish == FinishReason::kCancelled) {
      ++counters_.cancelled;
    }
    on_done(std::move(result));
  };
  const Result<int64_t> submitted = SubmitText(*engine_, files(), std::move(request), done);
  if (!submitted.ok()) {
    if (submitted.status().code() == StatusCode::kIo) closed_ = true;
    return done(submitted.status());
  }
  running_[id] = {*submitted, std::move(job.after_step)};
  CountRunning();
}

PassOptions ModelHost::PassOptionsFor(uint64_t adapters) const {
  PassOptions options;
  options.runner = options_.session.runner;
  options.runner.adapters = session_->adapters.costs();
  options.runner.max_batch_tokens = std::min(options.runner.max_batch_tokens, kPassRows);
  options.kv_type = options_.session.kv_type;
  options.adapters = adapters;
  return options;
}

void ModelHost::Breathe() {
  if (long_running_ == 0 || Clock::now() - slice_ < kSlice) return;
  struct Turn {
    explicit Turn(TurnLock* turns) : turns_(*turns) { turns_.unlock(); }
    ~Turn() { turns_.lock(); }
    TurnLock& turns_;
  };
  {
    const Turn given_up(&turns_);
    Pump();
  }
  slice_ = Clock::now();
}

void ModelHost::Score(ScoreJob job) {
  std::vector<TokenChoice> choices;
  choices.reserve(job.tokens.size());
  bool stopped = false;
  Status status = ForEachPrediction(
      session_->model(), *session_->kernels, *session_->threads, PassOptionsFor(job.adapters),
      job.tokens, [&](int64_t i, std::span<float> logits) {
        if (stopped) return;
        float lse = 0;
        session_->kernels->log_sum_exp(logits.data(), 1, static_cast<int64_t>(logits.size()), &lse);
        TokenChoice choice;
        choice.token = job.tokens[i + 1];
        choice.logprob = logits[choice.token] - lse;
        choice.top = Top(logits, lse, job.top);
        choices.push_back(std::move(choice));
        ++counters_.scored_tokens;
        Breathe();
        stopped = long_cancelled_;
      });
  if (stopped) status = Cancelled("the request was cancelled");
  if (!status.ok()) {
    ++counters_.failed;
    return job.on_done(status);
  }
  job.on_done(std::move(choices));
}

void ModelHost::Embed(EmbedJob job) {
  if (!embedder_) {
    embedder_.emplace(session_->model(), *session_->kernels, *session_->threads,
                      PassOptionsFor(job.adapters));
  }
  Result<std::vector<std::vector<float>>> vectors =
      embedder_->Embed(job.pooling, job.adapters, job.texts, [&] {
        Breathe();
        return !long_cancelled_;
      });
  if (!vectors.ok()) ++counters_.failed;
  for (const auto& text : job.texts) counters_.embedded_tokens += static_cast<int64_t>(text.size());
  job.on_done(std::move(vectors));
}

void ModelHost::EncodeImages(int64_t id, GenerateJob job) {
  Result<std::vector<MediaSpan>> media = session_->images->EncodePrompt(job.prompt, job.images);
  if (long_cancelled_) {
    ++counters_.cancelled;
    Job dropped = std::move(job);
    return CancelJob(&dropped);
  }
  if (!media.ok()) {
    ++counters_.failed;
    return job.on_done(media.status());
  }
  job.request.media = *std::move(media);
  Start(id, std::move(job));
}

void ModelHost::RunLong(int64_t id, Job job) {
  long_running_ = id;
  long_cancelled_ = false;
  CountRunning();
  std::visit([&](const auto& one) { BeginCharge(one.hold, PromptTokens(job)); }, job);
  // The callback, should a bug of ours end the work in its middle.
  const auto fail = std::visit(
      [](const auto& j) {
        return std::function<void(const Status&)>([done = j.on_done](const Status& s) { done(s); });
      },
      job);
  turns_.lock();
  slice_ = Clock::now();
  try {
    if (auto* score = std::get_if<ScoreJob>(&job)) {
      Score(std::move(*score));
    } else if (auto* embed = std::get_if<EmbedJob>(&job)) {
      Embed(std::move(*embed));
    } else {
      EncodeImages(id, std::move(std::get<GenerateJob>(job)));
    }
  } catch (const InternalError& error) {
    ++counters_.failed;
    fail(Status(StatusCode::kIo, error.what()));
  }
  turns_.unlock();
  long_running_ = 0;
  CountRunning();
}

void ModelHost::TakeIn(std::vector<std::pair<int64_t, GenerateJob>>* starting,
                       std::vector<Job>* dropped) {
  const std::lock_guard lock(mutex_);
  std::vector<int64_t> cancels = std::exchange(cancels_, {});
  for (int64_t id : cancels) {
    if (std::optional<Job> job = queue_.Remove(id)) dropped->push_back(*std::move(job));
    const auto waits = std::find_if(long_.begin(), long_.end(),
                                    [&](const auto& entry) { return entry.first == id; });
    if (waits != long_.end()) {
      dropped->push_back(std::move(waits->second));
      long_.erase(waits);
    }
    if (id == long_running_) long_cancelled_ = true;
    const auto it = running_.find(id);
    if (it != running_.end()) engine_->Cancel(it->second.engine_id);
  }
  // Long work takes a place among the sequences: who sends only images or scores cannot have more
  // of it in hand than there are places, and others keep theirs.
  const auto free = [&] {
    const size_t taken =
        running_.size() + starting->size() + long_.size() + (long_running_ != 0 ? 1 : 0);
    return static_cast<int64_t>(taken) < options_.session.max_sequences;
  };
  while (free()) {
    auto next = queue_.Pop();
    if (!next) break;
    auto* generate = std::get_if<GenerateJob>(&next->second);
    if (generate == nullptr || !generate->prompt.places.empty()) {
      long_.push_back(*std::move(next));
    } else {
      starting->emplace_back(next->first, std::move(*generate));
    }
  }
  counters_.waiting = queue_.size() + static_cast<int64_t>(long_.size());
}

void ModelHost::Pump() {
  std::vector<std::pair<int64_t, GenerateJob>> starting;
  std::vector<Job> dropped;
  TakeIn(&starting, &dropped);
  for (Job& job : dropped) {
    ++counters_.cancelled;
    CancelJob(&job);
  }
  for (auto& [id, job] : starting) Start(id, std::move(job));
  if (engine_->idle()) return;
  {
    const std::lock_guard turn(turns_);
    const Clock::time_point begin = Clock::now();
    engine_->Step();
    counters_.step_nanoseconds += (Clock::now() - begin) / std::chrono::nanoseconds(1);
  }
  for (const auto& [id, running] : running_) {
    if (running.after_step) running.after_step();
  }
  CountEngine();
}

void ModelHost::Loop() {
  NameThread("model");
  while (true) {
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [&] {
        return stop_ || queue_.size() > 0 || !cancels_.empty() || !engine_->idle();
      });
      if (stop_) break;
    }
    Pump();
    while (!long_.empty()) {
      auto [id, job] = std::move(long_.front());
      long_.pop_front();
      RunLong(id, std::move(job));
      Pump();
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
  for (const auto& [id, running] : running_) engine_->Cancel(running.engine_id);
  while (!engine_->idle() && engine_->Step()) {
  }
}

}  // namespace galen::server
