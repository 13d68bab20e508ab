#include "engine/engine.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <limits>

namespace galen {
namespace {

// Pages of sliding-window groups that the prefix cache keeps: those of the last two borders or so.
constexpr int64_t kCachedWindows = 2;

std::vector<int64_t> PagesPerGroup(const ModelConfig& config, const EngineOptions& options) {
  const int64_t total =
      options.total_tokens > 0 ? options.total_tokens : options.context * options.max_sequences;
  std::vector<int64_t> pages;
  for (int64_t window : KvPool::GroupWindows(config)) {
    const int64_t chunk = options.runner.max_batch_tokens;
    if (window == 0) {
      pages.push_back(
          std::max(total / kPageTokens, KvPool::PagesPerSequence(0, options.context, chunk)) +
          options.max_sequences);
      continue;
    }
    const int64_t each = KvPool::PagesPerSequence(window, options.context, chunk);
    const int64_t cached =
        options.prefix_cache ? kCachedWindows * PrefixCache::PagesOfWindow(window) : 0;
    pages.push_back(options.max_sequences * each + cached);
  }
  return pages;
}

// The options with what follows from them.
EngineOptions Completed(EngineOptions options) {
  const bool speculates = options.speculate != Speculate::kOff;
  options.runner.max_logit_rows = options.max_sequences * (speculates ? options.max_draft + 1 : 1);
  if (!speculates && options.forced_drafts) options.runner.max_logit_rows += options.max_draft;
  options.runner.max_batch_tokens =
      std::max(options.runner.max_batch_tokens, options.runner.max_logit_rows);
  return options;
}

constexpr int64_t kMostForced = 64;  // tokens that a constraint dictates, taken at once

// Most rows of a step whose bits are those of single rows, however many there are: more of them
// take another arithmetic (kernels/linear.h; attention counts the rows of one sequence, with the
// same limit of 8).
int64_t RowsLikeSingleOnes(const KernelTable& kernels, const RunnerOptions& options) {
  if (options.batch_invariant) return std::numeric_limits<int64_t>::max();
  int64_t rows = 8;
  for (DType dtype : {DType::kBF16, DType::kQ4_0}) {
    const WeightView view{nullptr, dtype, kernels.weight_layout, 64, 64};
    const auto plan = [&](int64_t m) {
      return kernels.plan_linear(view, m, options.compute, false);
    };
    while (rows > 1 && plan(rows) != plan(1)) --rows;
  }
  return rows;
}

// What a request's images must satisfy. most_rows: tokens of a step that one prompt may take.
Status CheckMedia(const Request& request, const ModelConfig& config, int64_t most_rows) {
  const int64_t hidden_size = config.hidden_size;
  int64_t next = 0;
  for (const MediaSpan& media : request.media) {
    const MediaEmbedding* e = media.embedding.get();
    if (e == nullptr || e->rows < 1 || e->cols != hidden_size ||
        static_cast<int64_t>(e->values.size()) != e->rows * e->cols) {
      return InvalidArgument("an image embedding of the request does not have rows of " +
                             std::to_string(hidden_size) + " values (hidden_size)");
    }
    const bool turns = !config.mrope_section.empty();  // by rows and columns
    if (turns ? media.token_rows < 1 || media.token_columns < 1 ||
                    media.token_rows * media.token_columns != e->rows
              : media.token_rows != 0 || media.token_columns != 0) {
      return InvalidArgument(
          "an image of " + std::to_string(e->rows) + " tokens as " +
          std::to_string(media.token_rows) + " rows of " + std::to_string(media.token_columns) +
          (turns ? ": they must hold them all" : ": this model knows no rows and columns"));
    }
    if (media.begin < next || media.end() > static_cast<int64_t>(request.prompt.size())) {
      return InvalidArgument(
          "the images of a request must lie inside its prompt, in order and without overlap");
    }
    if (media.bidirectional && e->rows > most_rows) {
      return InvalidArgument("an image of " + std::to_string(e->rows) +
                             " tokens does not fit into a step of " + std::to_string(most_rows) +
                             " tokens; raise max_batch_tokens");
    }
    next = media.end();
  }
  return OkStatus();
}

// One spelling for one choice, so that equal requests share the prefix cache and rows of a batch.
Status CheckAdapters(Request* request, const EngineOptions& options) {
  if (request->adapters == kAllAdapters) request->adapters = options.adapters;
  const uint64_t unknown = request->adapters & ~options.adapters;
  if (unknown != 0) {
    return InvalidArgument("adapter " + std::to_string(std::countr_zero(unknown)) +
                           " of the request is not loaded");
  }
  const uint64_t missing = options.shared_adapters & ~request->adapters;
  if (missing != 0) {
    return InvalidArgument("adapter " + std::to_string(std::countr_zero(missing)) +
                           " changes what all requests share (norms or the image tower); every "
                           "request must use it");
  }
  return OkStatus();
}

}  // namespace

const char* FinishReasonName(FinishReason reason) {
  switch (reason) {
    case FinishReason::kNone:
      return "none";
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kContext:
      return "context";
    case FinishReason::kCancelled:
      return "cancelled";
    case FinishReason::kError:
      return "error";
  }
  return "unknown";
}

Engine::Engine(const CausalLM& model, const EngineOptions& options, std::unique_ptr<KvPool> pool,
               ModelRunner runner)
    : model_(model),
      options_(options),
      pool_(std::move(pool)),
      cache_(options.prefix_cache
                 ? std::make_unique<PrefixCache>(
                       pool_.get(), pool_->group(0).pages.num_pages(),
                       kCachedWindows * PrefixCache::PagesOfWindow(
                                            std::max<int64_t>(model.config().sliding_window, 0)))
                 : nullptr),
      runner_(std::move(runner)),
      scheduler_(pool_.get(), cache_.get(),
                 {options.runner.max_batch_tokens, options.max_sequences}),
      pace_(options.step_seconds),
      single_rows_(RowsLikeSingleOnes(runner_.kernels(), options.runner)) {}

int64_t Engine::ReservedBytes(const CausalLM& model, const KernelTable& kernels, int num_threads,
                              const EngineOptions& requested) {
  const EngineOptions options = Completed(requested);
  const ModelConfig& config = model.config();
  const std::vector<int64_t> windows = KvPool::GroupWindows(config);
  const std::vector<int64_t> pages = PagesPerGroup(config, options);
  int64_t bytes = ModelRunner::ArenaBytes(model, kernels, num_threads, options.runner);
  for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const size_t g =
        std::find(windows.begin(), windows.end(), config.window(layer)) - windows.begin();
    bytes += pages[g] * KvPageBytes(options.kv_type, config.num_key_value_heads, config.head_dim);
  }
  return bytes;
}

Result<std::unique_ptr<Engine>> Engine::Create(const CausalLM& model, const KernelTable& kernels,
                                               ThreadPool& threads, const EngineOptions& options) {
  const ModelConfig& config = model.config();
  if (options.context < 1 || options.max_sequences < 1 || options.runner.max_batch_tokens < 1 ||
      options.max_draft < 1 || options.total_tokens < 0) {
    return InvalidArgument(
        "context, max_sequences, max_batch_tokens and max_draft must be at least 1, total_tokens "
        "at least 0");
  }
  if (options.context > config.max_position_embeddings) {
    return InvalidArgument(
        "a context of " + std::to_string(options.context) + " tokens exceeds the model's " +
        std::to_string(config.max_position_embeddings) + "; ask for less with --context");
  }
  const EngineOptions fixed = Completed(options);
  auto pool = std::make_unique<KvPool>();
  ASSIGN_OR_RETURN(*pool, KvPool::Create(config, options.kv_type, PagesPerGroup(config, fixed)));
  ASSIGN_OR_RETURN(ModelRunner runner, ModelRunner::Create(model, kernels, threads, fixed.runner));
  std::unique_ptr<Engine> engine(new Engine(model, fixed, std::move(pool), std::move(runner)));
  if (options.speculate == Speculate::kNgram) engine->drafter_ = std::make_unique<NgramDrafter>();
  if (options.speculate == Speculate::kModel) {
    GALEN_CHECK(options.draft_model != nullptr);
    const int64_t theirs = options.draft_model->config().vocab_size;
    if (theirs != config.vocab_size) {
      return InvalidArgument("the draft model has a vocabulary of " + std::to_string(theirs) +
                             " tokens, the model one of " + std::to_string(config.vocab_size) +
                             "; speculation needs the same");
    }
    ASSIGN_OR_RETURN(engine->drafter_,
                     ModelDrafter::Create(*options.draft_model, kernels, threads, options.runner,
                                          options.context, options.max_draft));
  }
  return engine;
}

Result<int64_t> Engine::Submit(Request request) {
  if (!failure_.empty())
    return Status(StatusCode::kIo, "this model was closed after an internal error: " + failure_);
  const ModelConfig& config = model_.config();
  if (request.prompt.empty()) return InvalidArgument("the prompt is empty");
  for (int32_t token : request.prompt) {
    if (token < 0 || token >= config.vocab_size) {
      return InvalidArgument("token " + std::to_string(token) +
                             " of the prompt is outside the vocabulary of " +
                             std::to_string(config.vocab_size));
    }
  }
  const int64_t size = static_cast<int64_t>(request.prompt.size());
  if (size >= options_.context) {
    return ResourceExhausted("the prompt has " + std::to_string(size) +
                             " tokens and the context only " + std::to_string(options_.context) +
                             "; shorten the prompt or raise --context (the model allows " +
                             std::to_string(config.max_position_embeddings) + ")");
  }
  if (request.max_tokens < 0) return InvalidArgument("max_tokens must not be negative");
  RETURN_IF_ERROR(CheckSamplingParams(request.sampling, config.vocab_size));
  // Sequences that generate come first in a step, with all their guesses.
  RETURN_IF_ERROR(CheckMedia(
      request, config, options_.runner.max_batch_tokens - options_.runner.max_logit_rows + 1));
  RETURN_IF_ERROR(CheckAdapters(&request, options_));
  auto sequence = std::make_unique<Sequence>();
  sequence->id = next_id_++;
  sequence->tokens = request.prompt;
  if (request.constraint != nullptr) {
    sequence->matcher =
        std::make_unique<grammar::GrammarMatcher>(request.constraint, request.thinking);
  }
  sequence->request = std::move(request);
  const int64_t id = sequence->id;
  scheduler_.Add(std::move(sequence));
  return id;
}

Sequence* Engine::FindRunning(int64_t id) const {
  for (const auto* list : {&scheduler_.running(), &scheduler_.waiting()}) {
    for (const auto& sequence : *list) {
      if (sequence->id == id) return sequence.get();
    }
  }
  return nullptr;
}

void Engine::Cancel(int64_t id) {
  if (Sequence* sequence = FindRunning(id)) sequence->cancelled = true;
}

void Engine::PreemptForTest(int64_t id) {
  for (const auto& sequence : scheduler_.running()) {
    if (sequence->id == id) return scheduler_.Preempt(sequence.get());
  }
}

void Engine::Finish(Sequence* sequence, FinishReason reason, const std::string& error) {
  if (drafter_ != nullptr) drafter_->Forget(sequence->id);
  const std::unique_ptr<Sequence> owned = scheduler_.Remove(sequence);
  const int64_t cached = owned->cached.value_or(0);
  counters_.cached_tokens += cached;
  CountPages();
  if (owned->request.on_usage) owned->request.on_usage(cached);
  if (owned->request.on_finish) owned->request.on_finish(reason, error);
}

void Engine::FinishCancelled() {
  std::vector<Sequence*> cancelled;
  for (const auto* list : {&scheduler_.running(), &scheduler_.waiting()}) {
    for (const auto& sequence : *list) {
      if (sequence->cancelled) cancelled.push_back(sequence.get());
    }
  }
  for (Sequence* sequence : cancelled) Finish(sequence, FinishReason::kCancelled);
}

// What the constraint leaves no choice about now, as the tokenizer spells it; whoever wants
// log-probabilities gets the model's choices instead (AddDrafts guesses them).
std::vector<int32_t> Engine::ForcedTokens(const Sequence& sequence) const {
  const Request& request = sequence.request;
  if (!options_.forced_drafts || sequence.matcher == nullptr || request.tokenizer == nullptr ||
      request.sampling.logprobs >= 0) {
    return {};
  }
  const int64_t size = static_cast<int64_t>(sequence.tokens.size());
  const int64_t most = std::min({kMostForced, options_.context - size - 1,
                                 request.max_tokens - (size - sequence.prompt_size()) - 1});
  if (most < 1) return {};
  return sequence.matcher->ForcedTokens(*request.tokenizer, static_cast<size_t>(most));
}

// It becomes part of the answer at once, all but its last token, which may grow into what follows.
// The next step computes it like a prompt, without output rows.
bool Engine::TakeForced(Sequence* sequence) {
  for (const int32_t token : ForcedTokens(*sequence)) {
    if (token >= model_.config().vocab_size || !sequence->matcher->Accept(token)) break;
    sequence->tokens.push_back(token);
    ++counters_.answer_tokens;
    ++counters_.forced_tokens;
    if (sequence->request.on_token && !sequence->request.on_token({token, 0.0f, {}})) {
      Finish(sequence, FinishReason::kStop);
      return false;
    }
  }
  return true;
}

// Appends guesses to sequences that generate. They count as pending tokens of the step. A step must
// compute no more rows than have the bits of single ones: greedy answers do not change, and beyond
// that a guess costs more than it saves.
void Engine::AddDrafts() {
  const auto generates = [this](const Sequence& sequence) {
    return sequence.pending() == 1 &&
           static_cast<int64_t>(sequence.tokens.size()) > sequence.prompt_size() &&
           (drafter_ != nullptr || (options_.forced_drafts && sequence.matcher != nullptr));
  };
  int64_t left = std::count_if(scheduler_.running().begin(), scheduler_.running().end(),
                               [&](const auto& sequence) { return generates(*sequence); });
  if (left == 0) return;
  int64_t rows = single_rows_;
  if (drafter_ == nullptr)
    rows = std::min(rows, left + options_.max_draft);  // max_logit_rows has room for these
  for (const auto& sequence : scheduler_.running()) {
    if (!generates(*sequence)) continue;
    const int64_t share = rows / left-- - 1;
    const int64_t size = static_cast<int64_t>(sequence->tokens.size());
    const int64_t answered = size - sequence->prompt_size();
    const int64_t most = std::min({options_.max_draft, share, options_.context - size - 1,
                                   sequence->request.max_tokens - answered - 1});
    --rows;
    if (most < 1) continue;
    const std::vector<int32_t> draft = DraftFor(*sequence, most);
    sequence->tokens.insert(sequence->tokens.end(), draft.begin(), draft.end());
    sequence->guesses = static_cast<int64_t>(draft.size());
    rows -= sequence->guesses;
  }
}

// What a constraint forces comes before what a drafter guesses; nothing that it forbids is guessed.
std::vector<int32_t> Engine::DraftFor(const Sequence& sequence, int64_t most) {
  const grammar::GrammarMatcher* matcher = sequence.matcher.get();
  if (matcher != nullptr && options_.forced_drafts && sequence.request.tokenizer != nullptr) {
    std::vector<int32_t> forced =
        matcher->ForcedTokens(*sequence.request.tokenizer, static_cast<size_t>(most));
    // A tokenizer may know more tokens than the model.
    const auto unknown = std::find_if(forced.begin(), forced.end(), [&](int32_t token) {
      return token >= model_.config().vocab_size;
    });
    forced.erase(unknown, forced.end());
    if (!forced.empty() || drafter_ == nullptr) return forced;
  }
  if (drafter_ == nullptr) return {};
  std::vector<int32_t> draft = drafter_->Draft(sequence, most);
  if (matcher != nullptr) draft.resize(matcher->CountAcceptable(draft));
  return draft;
}

bool Engine::Step() {
  FinishCancelled();
  if (scheduler_.idle() || !failure_.empty()) return false;
  try {
    AddDrafts();
    std::vector<Sequence*> impossible;
    const std::vector<ScheduledSpan> spans = scheduler_.Schedule(&impossible, pace_.PromptTokens());
    for (Sequence* sequence : impossible) {
      Finish(sequence, FinishReason::kError,
             "the KV cache has no room for one sequence of this length; raise --context");
    }
    counters_.preemptions = scheduler_.preemptions();
    if (!spans.empty()) Compute(spans);
    CountPages();
    return !spans.empty() || !impossible.empty();
  } catch (const InternalError& error) {
    failure_ = error.what();
    while (!scheduler_.running().empty())
      Finish(scheduler_.running().front().get(), FinishReason::kError, failure_);
    while (!scheduler_.waiting().empty())
      Finish(scheduler_.waiting().front().get(), FinishReason::kError, failure_);
    return false;
  }
}

void Engine::CountPages() {
  counters_.pages_used = 0;
  for (int g = 0; g < pool_->num_groups(); ++g) {
    const PageAllocator& pages = pool_->group(g).pages;
    counters_.pages_used += pages.num_pages() - pages.num_free();
  }
  counters_.pages_cached = cache_ != nullptr ? cache_->held_pages() : 0;
}

bool Engine::IsAnswer(const ScheduledSpan& span) const {
  // What is longer is an answer that is computed again, or what a constraint dictated.
  return span.begin >= span.sequence->prompt_size() &&
         span.count <= std::max(1 + span.sequence->guesses, single_rows_);
}

// Prompts and answers have an arithmetic each. They pass through the model apart, so that the bits
// of an answer do not depend on whether somebody's prompt is computed in the same step.
void Engine::Compute(const std::vector<ScheduledSpan>& spans) {
  const auto begin = std::chrono::steady_clock::now();
  std::vector<ScheduledSpan> answers, prompts;
  int64_t prompt_tokens = 0;
  bool next_tokens = false;
  for (const ScheduledSpan& span : spans) {
    const int64_t guesses = span.sequence->guesses;
    counters_.drafted_tokens += guesses;
    const bool in_prompt = span.begin < span.sequence->prompt_size();
    if (in_prompt) counters_.prompt_tokens += span.count;
    const bool next = !in_prompt && span.count == 1 + guesses;
    next_tokens |= next;
    prompt_tokens += next ? 0 : span.count;
    const bool apart = !options_.runner.batch_invariant && IsAnswer(span);
    (apart ? answers : prompts).push_back(span);
  }
  ++counters_.steps;
  ComputeTogether(answers, false);
  ComputeTogether(prompts, true);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  pace_.Add(took.count(), prompt_tokens, next_tokens);
}

void Engine::ComputeTogether(std::span<const ScheduledSpan> spans, bool prompt) {
  if (spans.empty()) return;
  std::vector<int64_t> logit_counts;
  for (const ScheduledSpan& span : spans) {
    logit_counts.push_back(span.last() ? 1 + span.sequence->guesses : 0);
  }
  const Tensor logits = runner_.Run(*pool_, spans, logit_counts, prompt);
  int64_t row = 0;
  for (size_t i = 0; i < spans.size(); ++i) {
    const ScheduledSpan& span = spans[i];
    if (logit_counts[i] == 0) {
      span.sequence->computed = span.begin + span.count;
      Remember(span, false);
      continue;
    }
    TakeTokens(span, logits, row, logit_counts[i]);
    row += logit_counts[i];
  }
}

// A hit must have the bits of a computed prompt: answers are computed like prompts under
// batch_invariant only. The unfinished page behind is remembered where a prompt ends, and where an
// answer does.
void Engine::Remember(const ScheduledSpan& span, bool finished) {
  if (cache_ == nullptr) return;
  Sequence* sequence = span.sequence;
  const int64_t computed = sequence->computed, prompt = sequence->prompt_size();
  const bool answers = options_.runner.batch_invariant;
  const bool prompt_ends = span.begin < prompt && computed >= prompt;
  cache_->Insert(sequence, answers ? computed : std::min(computed, prompt),
                 prompt_ends || (answers && finished));
}

TokenChoice Engine::Choose(const Sequence& sequence, float* logits) const {
  const SamplingParams& params = sequence.request.sampling;
  const int64_t vocab = model_.config().vocab_size;
  const bool plain = params.temperature == 0.0f && params.logprobs < 0 &&
                     params.repetition_penalty == 1.0f && params.frequency_penalty == 0.0f &&
                     params.presence_penalty == 0.0f && params.logit_bias.empty();
  const std::span<float> row(logits, static_cast<size_t>(vocab));
  grammar::GrammarMatcher* matcher = sequence.matcher.get();
  if (plain) {
    if (matcher != nullptr) matcher->Apply(row, sequence.request.stop_tokens);
    return {runner_.kernels().argmax(logits, vocab), 0.0f, {}};
  }
  std::function<void(std::span<float>)> constrain;
  if (matcher != nullptr) {
    constrain = [&](std::span<float> all) { matcher->Apply(all, sequence.request.stop_tokens); };
  }
  return Sample(params, row, sequence.tokens, sequence.request.prompt.size(), constrain);
}

bool Engine::TakeTokens(const ScheduledSpan& span, const Tensor& logits, int64_t row,
                        int64_t rows) {
  Sequence* sequence = span.sequence;
  const Request& request = sequence->request;
  // Tokens [0, known) are settled; behind them lie rows - 1 guesses.
  int64_t known = static_cast<int64_t>(sequence->tokens.size()) - (rows - 1);
  const std::vector<int32_t> guesses(sequence->tokens.begin() + known, sequence->tokens.end());
  sequence->KeepGuesses(0);
  FinishReason reason = FinishReason::kNone;
  for (int64_t i = 0; i < rows && reason == FinishReason::kNone; ++i) {
    const TokenChoice choice = Choose(*sequence, logits.row(row + i));
    grammar::GrammarMatcher* matcher = sequence->matcher.get();
    const float chosen = choice.token < 0 ? -INFINITY : logits.row(row + i)[choice.token];
    if (std::isnan(chosen) || chosen == -INFINITY) {
      Finish(sequence, FinishReason::kError,
             matcher != nullptr && !matcher->error().empty()
                 ? matcher->error()
                 : "no token can be chosen: the model's output is not finite (damaged weights?), "
                   "or logit_bias bans all");
      return false;
    }
    const bool stop = std::find(request.stop_tokens.begin(), request.stop_tokens.end(),
                                choice.token) != request.stop_tokens.end();
    if (stop) {
      reason = FinishReason::kStop;
    } else if (static_cast<int64_t>(sequence->tokens.size()) - sequence->prompt_size() >=
               request.max_tokens) {
      reason = FinishReason::kLength;
    } else {
      if (matcher != nullptr) GALEN_CHECK(matcher->Accept(choice.token));
      sequence->tokens.push_back(choice.token);
      ++counters_.answer_tokens;
      const int64_t size = static_cast<int64_t>(sequence->tokens.size());
      if (request.on_token && !request.on_token(choice))
        reason = FinishReason::kStop;
      else if (matcher != nullptr && matcher->finished())
        reason = FinishReason::kStop;  // nothing but an end token could follow
      else if (size - sequence->prompt_size() >= request.max_tokens)
        reason = FinishReason::kLength;
      else if (size >= options_.context)
        reason = FinishReason::kContext;
    }
    sequence->computed = known + i;
    if (i + 1 < rows) {
      if (reason != FinishReason::kNone || choice.token != guesses[i]) break;
      // What is dictated now is taken as the tokenizer spells it, whatever was guessed.
      if (!ForcedTokens(*sequence).empty()) break;
      ++counters_.accepted_tokens;
    }
  }
  Remember(span, reason != FinishReason::kNone);
  if (reason == FinishReason::kNone) return TakeForced(sequence);
  Finish(sequence, reason);
  return false;
}

}  // namespace galen
