#include "bench_tower.h"

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "bench_limits.h"
#include "engine/memory_plan.h"
#include "kernels/isa.h"
#include "models/random_tower.h"

namespace galen::cli {
namespace {

// Uniform in [-1, 1), as normalised pixels are.
void FillRandom(uint64_t seed, float* values, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    values[i] = static_cast<float>(static_cast<int32_t>(seed >> 32)) * 0x1p-31f;
  }
}

}  // namespace

Status BenchTower(const TowerBench& bench, const ModelOptions& options) {
  ThreadPool pool(options.threads > 0 ? options.threads : AvailableProcessors());
  ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
  ASSIGN_OR_RETURN(const Compute compute, ComputeOf(options));
  const KernelTable& kernels = KernelsFor(isa);
  Json json;
  const Limits limits = MeasureLimits(pool, isa, &json["machine"]);
  const double load_begin = Now();
  ASSIGN_OR_RETURN(const auto tower, RandomTower::Make(bench.shape, compute, kernels, pool));
  const double load_seconds = Now() - load_begin;
  const TowerShape& shape = tower->shape();
  const int64_t rows = bench.batch * shape.tokens();
  ASSIGN_OR_RETURN(Arena arena, Arena::Create(tower->ArenaBytes(bench.batch, pool.size())));
  const int64_t before = ResidentBytes();
  const Tensor patches = arena.NewTensor({rows, shape.patch_values()});
  FillRandom(1, patches.f32(), patches.num_elements());
  ExecContext ctx;
  ctx.kernels = &kernels;
  ctx.pool = &pool;
  ctx.arena = &arena;
  ctx.compute = compute;
  std::vector<double> seconds;
  float shown = 0;
  for (int i = 0; i < bench.repeat; ++i) {
    const ArenaScope scope(&arena);
    const double begin = Now();
    shown = tower->Encode(ctx, patches, bench.batch).f32()[0];
    seconds.push_back((Now() - begin) / static_cast<double>(bench.batch));
  }
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  const bool fp32 = compute == Compute::kFp32 || limits.bf16 == 0;
  const bool int8 = compute == Compute::kInt8;
  const double rate = (int8 ? limits.int8 : fp32 ? limits.fp32 : limits.bf16) * 1e9;
  const double attention_rate = (fp32 ? limits.fp32 : limits.bf16) * 1e9;
  const char* rate_name = int8 ? "int8, attention bf16" : fp32 ? "fp32" : "bf16";
  const double least =
      (shape.Flops() - shape.AttentionFlops()) / rate + shape.AttentionFlops() / attention_rate;
  const double share = least / median;
  json["machine"]["isa"] = IsaName(isa);
  json["machine"]["bf16_gflops"] = limits.bf16;
  json["machine"]["fp32_gflops"] = limits.fp32;
  json["machine"]["int8_gops"] = limits.int8;
  json["results"] = Json::array();
  json["results"].push_back({{"name", "load"},
                             {"value", load_seconds},
                             {"unit", "s"},
                             {"limit", "none"},
                             {"share_of_limit", 0}});
  json["results"].push_back({{"name", "encode_image"},
                             {"value", median},
                             {"unit", "s"},
                             {"limit", rate_name},
                             {"share_of_limit", share},
                             {"batch", bench.batch},
                             {"best", seconds.front()},
                             {"gflop", shape.Flops() * 1e-9},
                             {"first_value", shown},
                             {"extra_bytes", PeakResidentBytes() - before},
                             {"peak_bytes", PeakResidentBytes()}});
  if (options.json) {
    std::cout << json.dump() << "\n";
    return OkStatus();
  }
  std::printf("%s: bf16 %.0f, fp32 %.0f GFLOP/s, int8 %.0f GOP/s\n", IsaName(isa).data(),
              limits.bf16, limits.fp32, limits.int8);
  std::printf("encode_image  %.2f s an image (best %.2f) in batches of %lld, %.1f %% of %s\n",
              median, seconds.front(), static_cast<long long>(bench.batch), 100 * share, rate_name);
  std::printf("memory        %s above the weights, peak %s\n",
              FormatBytes(PeakResidentBytes() - before).c_str(),
              FormatBytes(PeakResidentBytes()).c_str());
  return OkStatus();
}

}  // namespace galen::cli
