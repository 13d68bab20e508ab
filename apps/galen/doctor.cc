// galen doctor: this machine, and what fits on it.
#include <fstream>
#include <iostream>

#include "commands.h"
#include "engine/memory_plan.h"
#include "kernels/machine_limits.h"
#include "models/random_model.h"
#include "session.h"

namespace galen::cli {
namespace {

std::string ProcessorName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

Status Doctor(const ModelOptions& o) {
  ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
  ThreadPool pool(o.threads > 0 ? o.threads : AvailableProcessors());
  const int64_t available = AvailableMemory();
  Json json = {{"cpu", ProcessorName()},
               {"threads", pool.size()},
               {"isa", IsaName(isa)},
               {"available_bytes", available}};
  json["isas"] = Json::array();
  for (Isa each : SupportedIsas()) json["isas"].push_back(IsaName(each));
  for (const RateLimits& rates : MeasureRates(pool)) {
    json["limits"][std::string(IsaName(rates.isa))] = {{"fp32_gflops", rates.fp32_gflops},
                                                       {"bf16_gflops", rates.bf16_gflops},
                                                       {"int8_gops", rates.int8_gops}};
  }
  std::string pattern;
  json["limits"]["read_gb_per_s"] = MeasureReadBandwidth(pool, &pattern);
  json["limits"]["read_pattern"] = pattern;
  constexpr int64_t kContext = 4096;
  for (std::string_view shape : RandomModelShapes()) {
    ASSIGN_OR_RETURN(const ModelConfig config, ShapeConfig(shape));
    // 4.5 bits a weight, as q4_0 and q4_k have.
    const int64_t bytes = config.num_parameters() * 9 / 16 +
                          KvCacheBytes(config, KvType::kBf16,
                                       std::min(kContext, config.max_position_embeddings), 512);
    json["fits"][std::string(shape)] = {{"four_bit_bytes", bytes}, {"fits", bytes < available}};
  }
  if (!o.model.empty()) {
    ASSIGN_OR_RETURN(const ModelFiles files, ReadModel(o.model));
    int64_t bytes = 0;
    for (const TensorInfo& tensor : files.checkpoint->tensors())
      bytes += static_cast<int64_t>(tensor.bytes.size());
    json["model"] = {
        {"path", o.model},
        {"architecture", files.config.architecture},
        {"weights_bytes", bytes},
        {"fits", bytes < available},
        {"tokenizer", files.tokenizer_status.ok() ? "ok" : files.tokenizer_status.message()},
        {"chat_template", files.chat_template.empty() ? "none" : files.chat_template_origin}};
  }
  std::cout << (o.json ? json.dump(-1, ' ', false, Json::error_handler_t::replace)
                       : json.dump(2, ' ', false, Json::error_handler_t::replace))
            << "\n";
  return OkStatus();
}

}  // namespace

void AddDoctor(CLI::App& app, Action* action) {
  auto o = std::make_shared<ModelOptions>();
  CLI::App* verb = app.add_subcommand(
      "doctor", "This machine: instruction sets, memory, measured limits, what fits");
  verb->add_option("model", o->model, "A model to look at, too");
  verb->add_option("--threads", o->threads, "Threads that compute (0: all processors)")
      ->check(CLI::Range(0, 1024));
  verb->add_flag("--json", o->json, "One line of JSON");
  verb->callback([o, action] { *action = [o] { return Doctor(*o); }; });
}

}  // namespace galen::cli
