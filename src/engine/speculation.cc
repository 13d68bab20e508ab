#include "engine/speculation.h"

#include <algorithm>

namespace galen {
namespace {

constexpr int kShortest = 2;
constexpr int kLongest = 4;

// FNV-1a over the tokens of an n-gram and its length; a collision only costs a wrong guess.
uint64_t Hash(const int32_t* tokens, int n) {
  uint64_t h = 0xcbf29ce484222325 ^ static_cast<uint64_t>(n);
  for (int i = 0; i < n; ++i) h = (h ^ static_cast<uint32_t>(tokens[i])) * 0x100000001b3;
  return h;
}

}  // namespace

std::vector<int32_t> NgramDrafter::Draft(const Sequence& sequence, int64_t most) {
  Index& index = indices_[sequence.id];
  const std::vector<int32_t>& tokens = sequence.tokens;
  const int64_t size = static_cast<int64_t>(tokens.size());
  // N-grams that end before the last token: the last one is what we look for.
  for (int64_t end = std::max<int64_t>(index.indexed, kShortest); end < size; ++end) {
    for (int n = kShortest; n <= kLongest && n <= end; ++n)
      index.ends[Hash(tokens.data() + end - n, n)] = end;
  }
  index.indexed = std::max(index.indexed, size);
  for (int n = kLongest; n >= kShortest; --n) {
    if (size < n) continue;
    const auto found = index.ends.find(Hash(tokens.data() + size - n, n));
    if (found == index.ends.end()) continue;
    const int64_t end = std::min(size, found->second + most);
    return {tokens.begin() + found->second, tokens.begin() + end};
  }
  return {};
}

Result<std::unique_ptr<ModelDrafter>> ModelDrafter::Create(const CausalLM& model,
                                                           const KernelTable& kernels,
                                                           ThreadPool& threads,
                                                           const RunnerOptions& options,
                                                           int64_t context, int64_t max_draft) {
  context = std::min(context, model.config().max_position_embeddings);
  std::vector<int64_t> pages;
  for (int64_t window : KvPool::GroupWindows(model.config())) {
    pages.push_back(
        KvPool::PagesPerSequence(window, context, options.max_batch_tokens + max_draft));
  }
  const KvType type = options.compute == Compute::kFp32 ? KvType::kF32 : KvType::kBf16;
  ASSIGN_OR_RETURN(KvPool pool, KvPool::Create(model.config(), type, pages));
  ASSIGN_OR_RETURN(ModelRunner runner, ModelRunner::Create(model, kernels, threads, options));
  return std::unique_ptr<ModelDrafter>(new ModelDrafter(
      std::move(pool), std::move(runner),
      {.max_batch_tokens = options.max_batch_tokens, .max_sequences = 1, .rollback = max_draft},
      context));
}

void ModelDrafter::Forget(int64_t sequence_id) {
  if (sequence_id != following_) return;
  scheduler_.Remove(mirror_);
  mirror_ = nullptr;
  following_ = -1;
}

std::vector<int32_t> ModelDrafter::Draft(const Sequence& sequence, int64_t most) {
  const int64_t size = static_cast<int64_t>(sequence.tokens.size());
  most = std::min(most, context_ - size);
  if (most < 1) return {};
  if (following_ == sequence.id) {
    // What was drafted before and not accepted is dropped; cached keys stay as far as the tokens
    // agree.
    const auto differ = std::mismatch(mirror_->tokens.begin(), mirror_->tokens.end(),
                                      sequence.tokens.begin(), sequence.tokens.end());
    const int64_t good =
        std::min<int64_t>({mirror_->computed, differ.first - mirror_->tokens.begin(), size - 1});
    if (mirror_->computed - good > rollback_)
      Forget(following_);
    else
      mirror_->computed = good;
  }
  if (following_ != sequence.id) {
    if (mirror_ != nullptr) Forget(following_);
    auto mirror = std::make_unique<Sequence>();
    mirror->request.prompt = {sequence.tokens[0]};
    mirror_ = mirror.get();
    following_ = sequence.id;
    scheduler_.Add(std::move(mirror));
  }
  mirror_->tokens = sequence.tokens;
  std::vector<int32_t> draft;
  std::vector<Sequence*> impossible;
  while (static_cast<int64_t>(draft.size()) < most) {
    const std::vector<ScheduledSpan> spans = scheduler_.Schedule(&impossible);
    if (spans.empty()) break;
    const int64_t wanted = spans[0].last() ? 1 : 0;
    const Tensor logits =
        runner_.Run(pool_, spans, std::span<const int64_t>(&wanted, 1), spans[0].count > 8);
    mirror_->computed += spans[0].count;
    if (wanted == 0) continue;
    draft.push_back(runner_.kernels().argmax(logits.row(0), logits.cols()));
    mirror_->tokens.push_back(draft.back());
  }
  return draft;
}

}  // namespace galen
