// A Hugging Face directory with bitsandbytes weights: safetensors, index, config.json with
// quantization_config; the other files of the source are copied.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <set>
#include <system_error>

#include "base/files.h"
#include "base/json.h"
#include "formats/bitsandbytes.h"
#include "formats/quote.h"
#include "formats/safetensors_writer.h"
#include "quantize/outputs.h"

namespace galen {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kBlocksize = 64;  // BitsAndBytesConfig has no other
constexpr size_t kLargestSideFile = size_t{256} << 20;

// ---- which tensors

bool InVision(std::string_view name) {
  for (const std::string_view part : {"vision_tower.", "vision_model.", "visual."}) {
    if (name.find(part) != std::string_view::npos) return true;
  }
  return false;
}

// Weights of nn.Linear modules, as transformers would replace them: matrices inside layers, and the
// merger of Qwen2.5-VL. Norms are vectors, embeddings and patches have names of their own.
bool IsLinear(const TensorInfo& tensor) {
  const std::string_view name = tensor.name;
  if (tensor.shape.size() != 2 || !name.ends_with(".weight")) return false;
  if (name.find("embed") != std::string_view::npos) return false;
  for (const std::string_view part : {".layers.", ".blocks.", "visual.merger."}) {
    if (name.find(part) != std::string_view::npos) return true;
  }
  return false;
}

bool IsHead(std::string_view name) { return name.ends_with("lm_head.weight"); }

// Modules that keep their weights, for llm_int8_skip_modules: short names, since the module tree
// differs between versions of transformers.
struct Selection {
  std::set<std::string> skipped;
  bool Quantised(const TensorInfo& tensor, const QuantizeOptions& options) {
    const bool plain =
        tensor.bnb == nullptr && (tensor.dtype == DType::kF32 || tensor.dtype == DType::kF16 ||
                                  tensor.dtype == DType::kBF16);
    if (!plain) return false;
    if (IsHead(tensor.name)) {
      if (options.head == HeadType::kSame) return true;
      skipped.insert("lm_head");
      return false;
    }
    if (!IsLinear(tensor)) {
      // A classification head and the like: a matrix outside of the layers.
      const std::string& name = tensor.name;
      if (tensor.shape.size() == 2 && name.ends_with(".weight") &&
          name.find("embed") == std::string::npos) {
        // Alone where no layer has a module of that name ("score"), else the whole path.
        const std::string module = name.substr(0, name.size() - 7);
        const bool top = std::count(module.begin(), module.end(), '.') <= 1;
        skipped.insert(top ? module.substr(module.rfind('.') + 1) : module);
      }
      return false;
    }
    if (InVision(tensor.name) && options.vision == VisionType::kKeep) {
      for (const char* part : {"vision_tower", "vision_model", "visual"}) {
        if (tensor.name.find(std::string(part) + ".") != std::string::npos) {
          skipped.insert(part);
          break;
        }
      }
      return false;
    }
    return true;
  }
};

// ---- what goes into the files

// One tensor of the output file that has constant bytes (tables).
struct Constant {
  size_t entry;
  std::vector<uint8_t> bytes;
};

// The entries of one safetensors file and where the parts of its tensors are among them.
struct Shard {
  std::vector<SafetensorsEntry> entries;
  std::vector<Constant> constants;
  struct Parts {
    size_t tensor;  // of the plan
    int64_t weight = -1, absmax = -1, nested_absmax = -1, state = -1;
  };
  std::vector<Parts> parts;
  int64_t bytes = 0;

  int64_t Add(std::string name, DType dtype, std::vector<int64_t> shape) {
    entries.push_back({std::move(name), dtype, std::move(shape)});
    bytes += entries.back().bytes();
    return static_cast<int64_t>(entries.size()) - 1;
  }
  void AddConstant(std::string name, DType dtype, std::vector<int64_t> shape, const void* data) {
    const int64_t entry = Add(std::move(name), dtype, std::move(shape));
    const auto* from = static_cast<const uint8_t*>(data);
    constants.push_back(
        {static_cast<size_t>(entry), {from, from + entries[static_cast<size_t>(entry)].bytes()}});
  }
};

void AddToShard(const OutputTensor& t, size_t index, Shard* shard) {
  Shard::Parts parts;
  parts.tensor = index;
  const int64_t n = t.elements();
  if (t.kind == OutputKind::kCopy) {
    parts.weight = shard->Add(t.name, t.source.dtype, t.source.shape);
  } else if (t.kind == OutputKind::kBnbInt8) {
    parts.weight = shard->Add(t.name, DType::kI8, {t.rows, t.cols});
    const std::string stem = t.name.substr(0, t.name.size() - 7);
    parts.absmax = shard->Add(stem + ".SCB", DType::kF32, {t.rows});
    constexpr uint8_t kRowFormat = 0;
    shard->AddConstant(t.name + "_format", DType::kU8, {}, &kRowFormat);
  } else {
    const int64_t blocks = (n + t.blocksize - 1) / t.blocksize;
    parts.weight = shard->Add(t.name, DType::kU8, {(n + 1) / 2, 1});
    parts.absmax = shard->Add(t.name + ".absmax", t.nested ? DType::kU8 : DType::kF32, {blocks});
    shard->AddConstant(t.name + ".quant_map", DType::kF32, {16}, kNf4Values);
    if (t.nested) {
      parts.nested_absmax =
          shard->Add(t.name + ".nested_absmax", DType::kF32, {(blocks + 255) / 256});
      shard->AddConstant(t.name + ".nested_quant_map", DType::kF32, {256}, BnbDynamicMap().data());
    }
    parts.state =
        shard->Add(t.name + ".quant_state.bitsandbytes__nf4", DType::kU8, {kBnbStateBytes});
  }
  shard->parts.push_back(parts);
}

Json QuantizationConfig(bool int8, const QuantizeOptions& options,
                        const std::set<std::string>& skipped, const std::string& dtype) {
  Json json = {{"quant_method", "bitsandbytes"},
               {"load_in_4bit", !int8},
               {"load_in_8bit", int8},
               {"_load_in_4bit", !int8},
               {"_load_in_8bit", int8},
               {"bnb_4bit_compute_dtype", int8 ? "float32" : dtype},
               {"bnb_4bit_quant_storage", "uint8"},
               {"bnb_4bit_quant_type", int8 ? "fp4" : "nf4"},
               {"bnb_4bit_use_double_quant", !int8 && options.double_quant},
               {"llm_int8_enable_fp32_cpu_offload", false},
               {"llm_int8_has_fp16_weight", false},
               {"llm_int8_skip_modules", skipped},
               {"llm_int8_threshold", 6.0}};
  return json;
}

// ---- the directory

// A directory beside the destination that takes its name at the end.
class StagedDirectory {
 public:
  explicit StagedDirectory(const std::string& destination)
      : destination_(WithoutSlash(destination)),
        path_(destination_ + ".tmp." + std::to_string(::getpid())) {}
  ~StagedDirectory() {
    std::error_code error;
    if (!committed_) fs::remove_all(path_, error);
  }
  StagedDirectory(const StagedDirectory&) = delete;
  StagedDirectory& operator=(const StagedDirectory&) = delete;

  const std::string& path() const { return path_; }
  Status Create() {
    std::error_code error;
    if (!fs::create_directory(path_, error)) {
      return IoError("cannot create " + path_ + ": " +
                     (error ? error.message() : "it exists already"));
    }
    return OkStatus();
  }
  Status Commit() {
    RETURN_IF_ERROR(SyncDirectory(path_));
    std::error_code error;
    fs::rename(path_, destination_, error);
    if (error) {
      return IoError("cannot rename " + path_ + " to " + destination_ + ": " + error.message());
    }
    committed_ = true;
    const std::string parent = fs::path(destination_).parent_path().string();
    return SyncDirectory(parent.empty() ? "." : parent);
  }

 private:
  static std::string WithoutSlash(std::string path) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
  }
  const std::string destination_, path_;
  bool committed_ = false;
};

bool IsWeightFile(const std::string& name) {
  for (const char* end : {".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json",
                          ".gguf", ".pth", ".pt", ".msgpack", ".h5", ".onnx"}) {
    if (name.ends_with(end)) return true;
  }
  return name == "config.json" || name.starts_with(".");
}

// Tokenizer, template, generation settings, licence: what else lies beside the weights.
Status CopySideFiles(const std::string& from, const std::string& to) {
  std::error_code error;
  for (fs::directory_iterator it(from, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!it->is_regular_file() || IsWeightFile(name)) continue;
    ASSIGN_OR_RETURN(const std::string bytes, ReadFile(it->path().string(), kLargestSideFile));
    RETURN_IF_ERROR(WriteFileAtomically(to + "/" + name, bytes));
  }
  return error ? IoError("cannot list " + from + ": " + error.message()) : OkStatus();
}

std::string ShardName(size_t index, size_t count) {
  if (count == 1) return "model.safetensors";
  char name[64];
  std::snprintf(name, sizeof(name), "model-%05zu-of-%05zu.safetensors", index + 1, count);
  return name;
}

// Creates the files of the shards, writes headers and tables, and gives every tensor its places.
Status PlaceShards(std::vector<Shard>& shards, const std::string& directory,
                   std::vector<OutputTensor>& tensors, std::vector<OutputFile>* files,
                   QuantizeReport* report) {
  Json map = Json::object();
  files->reserve(shards.size());
  int64_t total = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    Shard& shard = shards[i];
    const std::string name = ShardName(i, shards.size());
    ASSIGN_OR_RETURN(const SafetensorsLayout layout, LayOutSafetensors(&shard.entries));
    ASSIGN_OR_RETURN(OutputFile file,
                     OutputFile::Create(directory + "/" + name, layout.file_bytes));
    RETURN_IF_ERROR(file.WriteAt(
        0, {reinterpret_cast<const uint8_t*>(layout.header.data()), layout.header.size()}));
    for (const Constant& constant : shard.constants) {
      RETURN_IF_ERROR(file.WriteAt(shard.entries[constant.entry].offset, constant.bytes));
    }
    files->push_back(std::move(file));
    const auto at = [&](int64_t entry) {
      return entry < 0 ? 0 : shard.entries[static_cast<size_t>(entry)].offset;
    };
    for (const Shard::Parts& parts : shard.parts) {
      OutputTensor& t = tensors[parts.tensor];
      t.file = &files->back();
      t.at = at(parts.weight);
      t.absmax_at = at(parts.absmax);
      t.nested_absmax_at = at(parts.nested_absmax);
      t.state_at = at(parts.state);
    }
    for (const SafetensorsEntry& entry : shard.entries) map[entry.name] = name;
    total += shard.bytes;
    report->bytes += layout.file_bytes;
  }
  if (shards.size() == 1) return OkStatus();
  const Json index = {{"metadata", {{"total_size", total}}}, {"weight_map", map}};
  return WriteFileAtomically(directory + "/model.safetensors.index.json", index.dump(2) + "\n");
}

}  // namespace

Result<QuantizeReport> QuantizeToBitsandbytes(const Checkpoint& source,
                                              const std::string& destination, bool int8,
                                              const QuantizeOptions& options, ThreadPool& pool) {
  if (options.head == HeadType::kQ8_0) {
    return InvalidArgument(
        "--head q8_0 is a GGUF type; bitsandbytes checkpoints keep the head "
        "(keep) or quantise it like the rest (same)");
  }
  const std::string config_path = source.directory() + "/config.json";
  ASSIGN_OR_RETURN(const std::string config_text, ReadFile(config_path));
  Result<Json> config = ParseJson(config_text, 64);
  if (!config.ok() || !config->is_object())
    return DataLoss(config_path + ": expected a JSON object");
  if (config->contains("quantization_config")) {
    return InvalidArgument(config_path +
                           ": the model is quantised already; start from the unquantised one");
  }

  QuantizeReport report;
  report.path = destination;
  Selection selection;
  const bool has_head = std::any_of(source.tensors().begin(), source.tensors().end(),
                                    [](const TensorInfo& t) { return IsHead(t.name); });
  if (!has_head) selection.skipped.insert("lm_head");  // tied to the embedding table
  std::vector<OutputTensor> tensors;
  std::vector<Shard> shards(1);
  std::string dtype = "float32";
  int64_t quantised = 0;
  for (const TensorInfo& info : source.tensors()) {
    if (!info.supported || info.bnb != nullptr) {
      return Unsupported(source.path() + ": tensor " + Quoted(info.name) + " has type " +
                         std::string(info.type_name) +
                         "; start from a checkpoint in bf16, fp16 or fp32");
    }
    OutputTensor t;
    t.name = info.name;
    t.source = info;
    if (selection.Quantised(info, options) && info.NumElements() > 0) {
      t.kind = int8 ? OutputKind::kBnbInt8 : OutputKind::kBnb4;
      t.rows = info.shape[0];
      t.cols = info.shape[1];
      t.nested = !int8 && options.double_quant;
      t.blocksize = kBlocksize;
      dtype = info.dtype == DType::kBF16  ? "bfloat16"
              : info.dtype == DType::kF16 ? "float16"
                                          : dtype;
      ++quantised;
    }
    Shard next;
    AddToShard(t, tensors.size(), &next);
    if (shards.back().bytes > 0 && shards.back().bytes + next.bytes > options.shard_bytes) {
      shards.emplace_back();
    }
    const int64_t before = shards.back().bytes;
    AddToShard(t, tensors.size(), &shards.back());
    AddReport(t,
              t.kind == OutputKind::kCopy ? info.type_name
              : int8                      ? "int8"
                                          : "nf4",
              shards.back().bytes - before, &report);
    tensors.push_back(std::move(t));
  }
  if (quantised == 0) {
    return InvalidArgument(source.path() + ": no matrix of a linear layer was found to quantise");
  }

  StagedDirectory staged(destination);
  RETURN_IF_ERROR(staged.Create());
  std::vector<OutputFile> files;
  RETURN_IF_ERROR(PlaceShards(shards, staged.path(), tensors, &files, &report));
  RETURN_IF_ERROR(WriteAndReport(source, tensors, options, pool, &report));
  for (OutputFile& file : files) RETURN_IF_ERROR(file.Commit());
  RETURN_IF_ERROR(CopySideFiles(source.directory(), staged.path()));
  (*config)["quantization_config"] = QuantizationConfig(int8, options, selection.skipped, dtype);
  RETURN_IF_ERROR(WriteFileAtomically(staged.path() + "/config.json", config->dump(2) + "\n"));
  RETURN_IF_ERROR(staged.Commit());
  return report;
}

}  // namespace galen
