// Speed of paged attention, for docs/SPEED.md. Not run by default:
//   kernels_test --gtest_also_run_disabled_tests --gtest_filter='*AttentionSpeed*'
#include <gtest/gtest.h>
#include <time.h>

#include <chrono>
#include <cstdio>

#include "base/threads.h"
#include "kernels/attention_cases.h"

namespace galen {
namespace {

using cases::Sequence;

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Best time of one call of fn(), over about `budget` seconds.
template <typename Fn>
double BestTime(double budget, Fn&& fn) {
  double best = 1e9;
  for (const double start = Seconds(); Seconds() - start < budget;) {
    const double begin = Seconds();
    fn();
    best = std::min(best, Seconds() - begin);
  }
  return best;
}

// Processor time of this thread: what a busy machine does in between does not count.
double ThreadSeconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Time of items 0 .. n-1, run as fn(item, worker): on all workers of a pool at once (by the clock),
// and on one (its processor time).
struct Times {
  double together;
  double alone;
};
template <typename Fn>
Times TimeItems(int64_t n, double budget, Fn&& fn) {
  Times times{1e9, 1e9};
  for (const double start = Seconds(); Seconds() - start < budget;) {
    const double begin = ThreadSeconds();
    for (int64_t item = 0; item < n; ++item) fn(item, 0);
    times.alone = std::min(times.alone, ThreadSeconds() - begin);
  }
  ThreadPool pool(AvailableProcessors());
  times.together = BestTime(budget, [&] {
    WorkQueue queue(n, 1);
    pool.Run([&](int worker) {
      int64_t item, end;
      while (queue.Next(&item, &end)) fn(item, worker);
    });
  });
  return times;
}

struct Model {
  const char* name;
  int64_t heads, kv_heads, head_dim;
};
constexpr Model kModels[] = {
    {"gemma3-270m", 4, 1, 256}, {"medgemma-4b", 8, 4, 256}, {"smollm2-135m", 9, 3, 64}};

const char* NameOf(KvType type) {
  constexpr const char* kNames[] = {"f32", "bf16", "f16", "i8"};
  return kNames[static_cast<int>(type)];
}

// One layer's prefill of `tokens` tokens, by pieces of 128 (token, head) rows as the op cuts it.
void Prefill(const Model& model, int64_t tokens, int64_t window, KvType type, bool only_best) {
  AttentionShape shape{model.heads, model.kv_heads, model.head_dim, 0.0625f, window, type, false};
  Sequence sequence(shape, tokens, 3);
  std::vector<float> out(sequence.q.size());
  const int64_t rows = std::clamp<int64_t>(128 * shape.num_kv_heads / shape.num_heads, 16, 64);
  const int64_t pieces = (tokens + rows - 1) / rows * shape.num_kv_heads;
  const AttentionSpan span = sequence.Span(0, tokens);
  double keys = 0;
  for (int64_t row = 0; row < tokens; ++row) {
    const KeyInterval seen = VisibleKeysOfRow(shape, span, nullptr, row);
    keys += static_cast<double>(seen.end - seen.begin);
  }
  const double flops = 4.0 * static_cast<double>(model.head_dim * model.heads) * keys;
  for (Isa isa : SupportedIsas()) {
    if (isa == Isa::kRef || (only_best && isa != SupportedIsas().back())) continue;
    const KernelTable& kernels = KernelsFor(isa);
    sequence.WriteAll(kernels);
    const int64_t bytes = (kernels.paged_attention_scratch_bytes(shape, rows) + 63) / 64 * 64;
    std::vector<uint8_t> scratch(bytes * AvailableProcessors());
    const Times write =
        TimeItems((tokens + kPageTokens - 1) / kPageTokens, 0.02, [&](int64_t page, int) {
          kernels.kv_write(shape, span, sequence.k.data(), sequence.v.data(), page * kPageTokens,
                           std::min(tokens, (page + 1) * kPageTokens));
        });
    const Times times = TimeItems(pieces, 0.2, [&](int64_t item, int worker) {
      const int64_t piece = pieces - 1 - item;
      const int64_t row0 = piece / shape.num_kv_heads * rows;
      kernels.paged_attention(shape, span, sequence.q.data(), nullptr, piece % shape.num_kv_heads,
                              row0, std::min(tokens, row0 + rows), 0, 0, nullptr, out.data(),
                              scratch.data() + worker * bytes);
    });
    std::printf(
        "prefill %-12s %5lld tokens window %4lld %-4s %-11s | %d threads %8.3f ms %6.0f GFLOP/s, "
        "write %.3f ms | "
        "1 thread %8.3f ms %6.0f GFLOP/s, write %.3f ms\n",
        model.name, static_cast<long long>(tokens), static_cast<long long>(window), NameOf(type),
        IsaName(isa).data(), AvailableProcessors(), times.together * 1e3,
        flops / times.together * 1e-9, write.together * 1e3, times.alone * 1e3,
        flops / times.alone * 1e-9, write.alone * 1e3);
  }
}

// One token's attention over `context` keys, cut into segments, over as many caches as exceed the
// processor's own.
void Decode(const Model& model, int64_t context, KvType type, bool only_best) {
  AttentionShape shape{model.heads, model.kv_heads, model.head_dim, 0.0625f, 0, type, false};
  const int64_t page_bytes = KvPageBytes(type, shape.num_kv_heads, shape.head_dim);
  const int64_t num_pages = context / kPageTokens;
  const int64_t copies = std::max<int64_t>(1, (int64_t{1200} << 20) / (num_pages * page_bytes));
  std::vector<uint8_t> memory(copies * num_pages * page_bytes + 63, 0x11);
  uint8_t* base = memory.data() + (-reinterpret_cast<uintptr_t>(memory.data()) & 63);
  std::vector<uint8_t*> pages(copies * num_pages);
  for (size_t i = 0; i < pages.size(); ++i) pages[i] = base + static_cast<int64_t>(i) * page_bytes;
  const std::vector<float> q = cases::Uniform(shape.num_heads * shape.head_dim, 1);
  const int64_t segments = (context + kSegmentTokens - 1) / kSegmentTokens;
  const int64_t group = shape.num_heads / shape.num_kv_heads;
  const int64_t part = group * (shape.head_dim + 2);
  std::vector<float> partials(shape.num_kv_heads * segments * part), out(q.size());
  for (Isa isa : SupportedIsas()) {
    if (isa == Isa::kRef || (only_best && isa != SupportedIsas().back())) continue;
    const KernelTable& kernels = KernelsFor(isa);
    for (bool invariant : {false, true}) {
      shape.invariant = invariant;
      const int64_t bytes = (kernels.paged_attention_scratch_bytes(shape, 1) + 63) / 64 * 64;
      std::vector<uint8_t> scratch(bytes * AvailableProcessors());
      // Items: segments of one copy after the other, so that none is still in a cache.
      const int64_t items = shape.num_kv_heads * segments * copies;
      const Times times = TimeItems(items, 0.3, [&](int64_t item, int worker) {
        const int64_t copy = item / (shape.num_kv_heads * segments);
        const int64_t part_of_copy = item % (shape.num_kv_heads * segments);
        const int64_t key0 = part_of_copy % segments * kSegmentTokens;
        const AttentionSpan span{0, 1, context - 1, {pages.data() + copy * num_pages, 0}};
        kernels.paged_attention(shape, span, q.data(), nullptr, part_of_copy / segments, 0, 1, key0,
                                key0 + kSegmentTokens, partials.data() + part_of_copy * part,
                                nullptr, scratch.data() + worker * bytes);
      });
      const double gigabytes = static_cast<double>(copies * num_pages * page_bytes) * 1e-9;
      const double merge = BestTime(0.01, [&] {
        for (int64_t g = 0; g < shape.num_kv_heads; ++g) {
          kernels.merge_partials(partials.data() + g * segments * part, segments, part, group,
                                 shape.head_dim, out.data() + g * group * shape.head_dim);
        }
      });
      std::printf(
          "decode  %-12s %6lld keys %-4s %-11s %s | %d threads %5.1f GB/s | 1 thread %5.1f GB/s | "
          "merge %.3f ms\n",
          model.name, static_cast<long long>(context), NameOf(type), IsaName(isa).data(),
          invariant ? "invariant" : "         ", AvailableProcessors(), gigabytes / times.together,
          gigabytes / times.alone, merge * 1e3);
    }
  }
}

TEST(DISABLED_AttentionSpeed, Prefill) {
  for (KvType type : {KvType::kBf16, KvType::kF32, KvType::kI8})
    Prefill(kModels[0], 512, 512, type, type != KvType::kBf16);
  for (const Model& model : kModels) Prefill(model, 512, 0, KvType::kBf16, true);
  for (const Model& model : kModels) Prefill(model, 4096, 0, KvType::kBf16, true);
  Prefill(kModels[1], 4096, 1024, KvType::kBf16, true);
}

TEST(DISABLED_AttentionSpeed, Decode) {
  // The limit: sums of the same bytes, in pieces of 1 MiB.
  constexpr int64_t kPiece = (int64_t{1} << 20) / 8;
  std::vector<uint64_t> memory(1200 * kPiece, 1);
  std::vector<uint64_t> sums(64);
  const Times times = TimeItems(1200, 0.3, [&](int64_t item, int worker) {
    uint64_t lanes[16] = {};
    const uint64_t* from = memory.data() + item * kPiece;
    for (int64_t i = 0; i < kPiece; i += 16) {
      __builtin_prefetch(from + i + 512);
      __builtin_prefetch(from + i + 520);
      for (int j = 0; j < 16; ++j) lanes[j] += from[i + j];
    }
    for (uint64_t lane : lanes) sums[worker * 8] += lane;
  });
  EXPECT_NE(sums[0], 0u);
  const double gigabytes = static_cast<double>(memory.size() * 8) * 1e-9;
  std::printf("read %d threads %.1f GB/s, 1 thread %.1f GB/s\n", AvailableProcessors(),
              gigabytes / times.together, gigabytes / times.alone);
  memory = {};
  for (int64_t context : {8192, 131072}) {
    for (const Model& model : {kModels[0], kModels[1]})
      Decode(model, context, KvType::kBf16, false);
    Decode(kModels[1], context, KvType::kI8, true);
    Decode(kModels[1], context, KvType::kF16, true);
  }
}

}  // namespace
}  // namespace galen
