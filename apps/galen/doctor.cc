// galen doctor: this machine, and what fits on it.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "commands.h"
#include "doctor_hub.h"
#include "engine/memory_plan.h"
#include "extract/source/tesseract.h"
#include "kernels/machine_limits.h"
#include "models/dual_encoder/open_dual_encoder.h"
#include "models/random_model.h"
#include "session.h"
#include "store/model_name.h"

namespace galen::cli {
namespace {

std::string ProcessorName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

Json Machine(ThreadPool& pool, Isa isa, int64_t available) {
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
  return json;
}

bool InPath(std::string_view program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (::access((folder + "/" + std::string(program)).c_str(), X_OK) == 0) return true;
  }
  return false;
}

// Other programs that galen asks: without Tesseract, values of pictures are not compared with their
// pages; without poppler's, there are no PDF files.
Json OtherPrograms() {
  const Result<std::string> languages = extract::TesseractLanguages();
  std::string missing;
  for (const char* program : {"pdfinfo", "pdftoppm", "pdftotext"}) {
    if (!InPath(program)) missing += (missing.empty() ? "" : ", ") + std::string(program);
  }
  return {{"tesseract", languages.ok() ? "reads " + *languages : languages.status().message()},
          {"poppler", missing.empty() ? "ok"
                                      : missing + " not installed (Debian: apt-get install "
                                                  "poppler-utils)"}};
}

// Published shapes at 4.5 bits a weight, as q4_0 and q4_k have.
Result<Json> WhatFits(int64_t available) {
  constexpr int64_t kContext = 4096;
  Json json;
  for (std::string_view shape : RandomModelShapes()) {
    ASSIGN_OR_RETURN(const ModelConfig config, ShapeConfig(shape));
    const int64_t bytes = config.num_parameters() * 9 / 16 +
                          KvCacheBytes(config, KvType::kBf16,
                                       std::min(kContext, config.max_position_embeddings), 512);
    json[std::string(shape)] = {{"four_bit_bytes", bytes}, {"fits", bytes < available}};
  }
  return json;
}

int64_t TensorBytes(const Checkpoint& checkpoint) {
  int64_t bytes = 0;
  for (const TensorInfo& tensor : checkpoint.tensors())
    bytes += static_cast<int64_t>(tensor.bytes.size());
  return bytes;
}

Result<Json> LookAtModel(const ModelOptions& o, int64_t available) {
  if (IsDualEncoderPath(o.model)) {
    return Unsupported(o.model +
                       " is an image-text model without a language model: galen show, classify and "
                       "embed take it");
  }
  ASSIGN_OR_RETURN(const ModelFiles files, ReadModel(o.model, ReadOptionsOf(o)));
  int64_t bytes = TensorBytes(*files.checkpoint);
  const bool images = files.vision_status.ok();
  if (images && files.vision_checkpoint != files.checkpoint)
    bytes += TensorBytes(*files.vision_checkpoint);
  return Json{{"path", o.model},
              {"architecture", files.config.architecture},
              {"weights_bytes", bytes},
              {"fits", bytes < available},
              {"tokenizer", files.tokenizer_status.ok() ? "ok" : files.tokenizer_status.message()},
              {"images", images ? "ok" : files.vision_status.message()},
              {"chat_template", files.chat_template.empty() ? "none" : files.chat_template_origin}};
}

std::string Rate(const Json& rates, const char* key, const char* unit) {
  const double value = rates[key].get<double>();
  char text[64];
  std::snprintf(text, sizeof(text), "%.0f %s", value, unit);
  return value > 0 ? text : "none";
}

void Print(const Json& json) {
  std::cout << json["cpu"].get<std::string>() << ", " << json["threads"] << " threads, "
            << FormatBytes(json["available_bytes"].get<int64_t>()) << " of memory free\n"
            << "computes with " << json["isa"].get<std::string>() << "; GALEN_ISA forces one of:";
  for (const Json& isa : json["isas"]) std::cout << " " << isa.get<std::string>();
  std::cout << "\n\nmeasured limits\n";
  for (const auto& [name, rates] : json["limits"].items()) {
    if (!rates.is_object()) continue;
    std::cout << "  " << name << std::string(name.size() < 14 ? 14 - name.size() : 1, ' ')
              << "fp32 " << Rate(rates, "fp32_gflops", "GFLOP/s") << ", bf16 "
              << Rate(rates, "bf16_gflops", "GFLOP/s") << ", int8 "
              << Rate(rates, "int8_gops", "GOP/s") << "\n";
  }
  char text[64];
  std::snprintf(text, sizeof(text), "%.1f GB/s", json["limits"]["read_gb_per_s"].get<double>());
  std::cout << "  memory reads  " << text << "\n\nwhat fits, at four bits a weight and a context "
            << "of 4,096 tokens\n";
  for (const auto& [name, fit] : json["fits"].items()) {
    std::cout << "  " << name << std::string(name.size() < 14 ? 14 - name.size() : 1, ' ')
              << FormatBytes(fit["four_bit_bytes"].get<int64_t>())
              << (fit["fits"].get<bool>() ? "" : ": does not fit") << "\n";
  }
  std::cout << "\nprograms that documents need\n";
  for (const auto& [name, state] : json["programs"].items()) {
    std::cout << "  " << name << std::string(14 - std::min<size_t>(name.size(), 13), ' ')
              << state.get<std::string>() << "\n";
  }
  if (!json.contains("model")) return;
  const Json& model = json["model"];
  std::cout << "\n"
            << model["path"].get<std::string>() << "\n  "
            << model["architecture"].get<std::string>() << ", weights "
            << FormatBytes(model["weights_bytes"].get<int64_t>())
            << (model["fits"].get<bool>() ? "" : ": does not fit") << "\n";
  for (const char* part : {"tokenizer", "chat_template", "images"})
    std::cout << "  " << part << ": " << model[part].get<std::string>() << "\n";
}

// Quick: nothing is measured.
Status DoctorOfHub(const ModelOptions& o, const std::string& token_file, int64_t available) {
  ASSIGN_OR_RETURN(const Json hub, LookAtHub(o.model, token_file, available));
  if (o.json)
    std::cout << Json{{"hub", hub}}.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
  else
    PrintHub(hub);
  if (!hub.contains("access") || hub["access"]["granted"].get<bool>()) return OkStatus();
  return InvalidArgument(o.model + " cannot be fetched; see above");
}

Status Doctor(ModelOptions o, const std::string& token_file) {
  ASSIGN_OR_RETURN(const Isa isa, ChooseIsa());
  const int64_t available = AvailableMemory();
  if (IsHubName(o.model)) return DoctorOfHub(o, token_file, available);
  Json model;
  if (!o.model.empty()) {  // first: what is wrong with it is known at once
    RETURN_IF_ERROR(ResolveModel(&o));
    ASSIGN_OR_RETURN(model, LookAtModel(o, available));
  }
  ThreadPool pool(ThreadsOf(o.threads));
  Json json = Machine(pool, isa, available);
  ASSIGN_OR_RETURN(json["fits"], WhatFits(available));
  json["programs"] = OtherPrograms();
  if (!model.is_null()) json["model"] = model;
  if (o.json)
    std::cout << json.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
  else
    Print(json);
  return OkStatus();
}

}  // namespace

void AddDoctor(CLI::App& app, Action* action) {
  auto o = std::make_shared<ModelOptions>();
  auto token_file = std::make_shared<std::string>();
  CLI::App* verb = app.add_subcommand(
      "doctor", "This machine: instruction sets, memory, measured limits, what fits");
  verb->add_option("model", o->model, "A model to look at, too; hf:ORG/NAME: whether it can be had")
      ->type_name("MODEL");
  verb->add_option("--token-file", *token_file, "Of hf:ORG/NAME: file with the hub's token")
      ->type_name("FILE");
  verb->add_option("--threads", o->threads, "Threads that compute (0: all processors)")
      ->check(CLI::Range(0, 1024));
  verb->add_flag("--json", o->json, "One line of JSON");
  verb->callback(
      [o, token_file, action] { *action = [o, token_file] { return Doctor(*o, *token_file); }; });
}

}  // namespace galen::cli
