#include "bench_tower.h"

#include <algorithm>

#include "bench_limits.h"
#include "engine/dual_encoder_runner.h"
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

// Seconds of one image at the rates of the limits, and the name of these rates.
double LeastSeconds(const TowerShape& shape, Compute compute, const Limits& limits,
                    const char** name) {
  const bool fp32 = compute == Compute::kFp32 || limits.bf16 == 0;
  const bool int8 = compute == Compute::kInt8;
  *name = int8 ? "int8, attention bf16" : fp32 ? "fp32" : "bf16";
  const double attention_rate = 1e9 * (fp32 ? limits.fp32 : limits.bf16);
  const double rate = int8 ? 1e9 * limits.int8 : attention_rate;
  const double attention = shape.AttentionFlops();
  return (shape.Flops() - attention) / rate + attention / attention_rate;
}

}  // namespace

Result<Json> MeasureTower(const BenchOptions& o) {
  if (o.long_context > 0 || !o.repeated_file.empty()) {
    return InvalidArgument(o.shape +
                           " is an image tower; --context and --repeated measure language models");
  }
  const int64_t batch = std::max<int64_t>(o.streams, 1);
  ThreadPool pool(ThreadsOf(o.threads));
  ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
  ASSIGN_OR_RETURN(const Compute compute, ComputeOf(o));
  const KernelTable& kernels = KernelsFor(isa);
  Json json = {{"results", Json::array()}};
  MeasureLimits(pool, isa, &json["machine"]);
  const double load_begin = Now();
  ASSIGN_OR_RETURN(const auto tower, RandomTower::Make(o.shape, kernels, pool));
  if (compute == Compute::kInt8) RETURN_IF_ERROR(tower->MakeInt8(kernels, pool));
  const double load_seconds = Now() - load_begin;
  const TowerShape& shape = tower->shape();
  ASSIGN_OR_RETURN(Arena arena, Arena::Create(tower->ArenaBytes(batch, pool.size())));
  const int64_t load_peak = PeakResidentBytes();
  ResetPeakResidentBytes();  // the weights' making needed more
  const int64_t before = ResidentBytes();
  const Tensor patches = arena.NewTensor({batch * shape.tokens(), shape.patch_values()});
  FillRandom(1, patches.f32(), patches.num_elements());
  ExecContext ctx;
  ctx.kernels = &kernels;
  ctx.pool = &pool;
  ctx.arena = &arena;
  ctx.compute = compute;
  std::vector<double> seconds;
  std::vector<float> result;
  for (int i = 0; i < o.repeat; ++i) {
    const ArenaScope scope(&arena);
    const double begin = Now();
    const Tensor y = tower->Encode(ctx, patches, batch);
    seconds.push_back((Now() - begin) / static_cast<double>(batch));
    if (compute == Compute::kInt8) result.assign(y.f32(), y.f32() + y.num_elements());
  }
  const int64_t peak = PeakResidentBytes();
  const Limits limits = MeasureLimits(pool, isa, &json["machine"]);
  const char* limit;
  const double least = LeastSeconds(shape, compute, limits, &limit), median = Median(seconds);
  json["results"].push_back({{"name", "load"},
                             {"value", load_seconds},
                             {"unit", "s"},
                             {"limit", "none"},
                             {"share_of_limit", 0},
                             {"peak_bytes", load_peak}});
  json["results"].push_back({{"name", "encode_image"},
                             {"value", median},
                             {"unit", "s"},
                             {"limit", limit},
                             {"share_of_limit", least / median},
                             {"batch", batch},
                             {"best", *std::min_element(seconds.begin(), seconds.end())},
                             {"gflop", shape.Flops() * 1e-9},
                             {"extra_bytes", peak - before},
                             {"peak_bytes", peak}});
  if (compute == Compute::kInt8) {  // what it costs
    ctx.compute = Compute::kBf16;
    const Tensor y = tower->Encode(ctx, patches, batch);
    const auto n = static_cast<size_t>(y.num_elements());
    const Agreement agreement = CompareRows(result, {y.f32(), n}, y.cols());
    json["results"].back()["cosine_min"] = agreement.least;
    json["results"].back()["cosine_mean"] = agreement.mean;
  }
  return json;
}

}  // namespace galen::cli
