#include "kernels/machine_limits.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "kernels/machine_rates.h"
#include "tensor/arena.h"

namespace galen {
namespace {

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Operations per second, in units of 1e9, of fn(iterations) with `ops` operations an iteration;
// best of several.
double BestRate(ThreadPool& pool, double ops, void (*fn)(int64_t)) {
  if (fn == nullptr) return 0;
  constexpr int64_t kIterations = 2'000'000;
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    const double begin = Now();
    pool.Run([&](int) { fn(kIterations); });
    best = std::max(best, ops * kIterations * pool.size() / (Now() - begin) / 1e9);
  }
  return best;
}

// RateLoops::read where there is no better one.
uint64_t ReadWords(const uint8_t* data, int64_t bytes, int64_t streams, int64_t ahead) {
  constexpr int64_t kStep = 256;
  const int64_t part = bytes / streams;
  uint64_t sums[8] = {};
  for (int64_t i = 0; i + kStep <= part; i += kStep) {
    for (int64_t s = 0; s < streams; ++s) {
      const uint8_t* p = data + s * part + i;
      for (int64_t line = 0; line < kStep; line += 64) {
        if (ahead > 0) __builtin_prefetch(p + ahead + line);
        uint64_t words[8];
        std::memcpy(words, p + line, sizeof(words));
        for (int w = 0; w < 8; ++w) sums[w] ^= words[w];
      }
    }
  }
  uint64_t sum = 0;
  for (uint64_t s : sums) sum ^= s;
  return sum;
}

}  // namespace

#if !defined(__x86_64__)
RateLoops RateLoopsFor(Isa) { return {}; }
#endif

std::vector<RateLimits> MeasureRates(ThreadPool& pool) {
  std::vector<RateLimits> rates;
  for (Isa isa : SupportedIsas()) {
    if (isa == Isa::kRef) continue;
    const RateLoops loops = RateLoopsFor(isa);
    RateLimits limits;
    limits.isa = isa;
    limits.fp32_gflops = BestRate(pool, loops.fp32_ops, loops.fp32);
    limits.bf16_gflops = BestRate(pool, loops.bf16_ops, loops.bf16);
    limits.int8_gops = BestRate(pool, loops.int8_ops, loops.int8);
    rates.push_back(limits);
  }
  return rates;
}

double MeasureReadBandwidth(ThreadPool& pool, std::string* pattern) {
  constexpr int64_t kBytes = int64_t{512} << 20;
  constexpr int64_t kSlack = 8192;  // prefetches run ahead of the end
  Result<PageBuffer> memory = PageBuffer::Allocate(kBytes, "the bandwidth measurement");
  if (!memory.ok()) return 0;
  const RateLoops loops = RateLoopsFor(SupportedIsas().back());
  const auto read = loops.read == nullptr ? ReadWords : loops.read;
  const int64_t share = (kBytes - kSlack) / pool.size() / 4096 * 4096;
  pool.Run([&](int worker) { std::memset(memory->data() + worker * share, 1, share); });
  std::vector<uint64_t> sums(pool.size() * 16);
  double best = 0;
  for (int round = 0; round < 2; ++round) {
    for (int64_t streams : {1, 2, 4}) {
      for (int64_t ahead : {0, 512, 1024, 2048, 4096}) {
        const double begin = Now();
        pool.Run([&](int worker) {
          sums[worker * 16] ^= read(memory->data() + worker * share, share, streams, ahead);
        });
        const double rate = static_cast<double>(share) * pool.size() / (Now() - begin) / 1e9;
        if (rate <= best) continue;
        best = rate;
        *pattern =
            std::to_string(streams) + " streams, prefetch " + std::to_string(ahead) + " bytes";
      }
    }
  }
  // A result that nobody could foresee keeps the loops from being dropped.
  if (sums[0] == 0x5bd1e995) *pattern += " ";
  return best;
}

}  // namespace galen
