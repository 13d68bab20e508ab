#include "formats/adapter_file.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/sha256.h"
#include "formats/quote.h"

namespace galen {
namespace {

constexpr std::string_view kPeftPrefix = "base_model.model.";
constexpr size_t kHashedWhole = size_t{64} << 20;
constexpr size_t kHashedEnd = size_t{1} << 20;

bool StripEnd(std::string_view* name, std::string_view end) {
  if (!name->ends_with(end)) return false;
  name->remove_suffix(end.size());
  return true;
}

std::string LastPart(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string DigestOf(std::string_view head, const Checkpoint& checkpoint) {
  std::string parts(head);
  for (const TensorInfo& tensor : checkpoint.tensors()) {
    parts.append(tensor.name).append(" ").append(tensor.type_name).append(ShapeText(tensor.shape));
    if (tensor.bytes.size() <= kHashedWhole) {
      parts.append(Sha256Hex(tensor.bytes));
    } else {
      parts.append(std::to_string(tensor.bytes.size()));
      parts.append(Sha256Hex(tensor.bytes.first(kHashedEnd)));
      parts.append(Sha256Hex(tensor.bytes.last(kHashedEnd)));
    }
  }
  return Sha256Hex({reinterpret_cast<const uint8_t*>(parts.data()), parts.size()});
}

// Where PEFT's name of a tensor puts it.
void Place(const TensorInfo& tensor, std::map<std::string, AdapterModule>* modules) {
  std::string_view name = tensor.name;
  if (name.starts_with(kPeftPrefix)) name.remove_prefix(kPeftPrefix.size());
  const std::string whole(name);
  const auto at = [&]() -> AdapterModule& { return (*modules)[std::string(name)]; };
  if (StripEnd(&name, ".lora_A.weight")) {
    at().a = &tensor;
  } else if (StripEnd(&name, ".lora_B.weight")) {
    at().b = &tensor;
  } else if (StripEnd(&name, ".lora_B.bias")) {
    at().b_bias = &tensor;
  } else if (StripEnd(&name, ".lora_magnitude_vector") ||
             StripEnd(&name, ".lora_magnitude_vector.weight")) {
    at().magnitude = &tensor;
  } else if (StripEnd(&name, ".lora_embedding_A")) {
    at().a = &tensor;
    at().embedding = true;
  } else if (StripEnd(&name, ".lora_embedding_B")) {
    at().b = &tensor;
    at().embedding = true;
  } else {
    // "X.base_layer.weight", or the plain name of a weight that replaces the base's.
    std::string base = whole;
    if (const size_t inner = base.find(".base_layer."); inner != std::string::npos) {
      base.erase(inner, std::string_view(".base_layer").size());
    }
    const size_t dot = base.rfind('.');
    AdapterModule& module = (*modules)[base.substr(0, dot)];
    module.replaced.push_back(&tensor);
    module.replaced_names.push_back(base);
  }
}

Status Half(const AdapterFile& file, const AdapterModule& module, const char* what) {
  return DataLoss(file.path + ": module " + Quoted(module.path) + " has " + what +
                  "; the file is damaged or half written: save or download the adapter again");
}

// Both halves are there and their inner sizes agree.
Status CheckModule(const AdapterFile& file, const AdapterModule& m) {
  if (m.a != nullptr && m.b == nullptr) return Half(file, m, "lora_A without lora_B");
  if (m.a == nullptr && m.b != nullptr) return Half(file, m, "lora_B without lora_A");
  if (m.a == nullptr && (m.magnitude != nullptr || m.b_bias != nullptr)) {
    return Half(file, m, "no lora_A and lora_B");
  }
  if (m.a == nullptr) return OkStatus();
  for (const TensorInfo* t : {m.a, m.b}) {
    if (t->shape.size() != 2 || FormatOf(t->dtype).decode == nullptr) {
      return Unsupported(file.path + ": tensor " + Quoted(t->name) +
                         ": expected a matrix of floats, found " + std::string(t->type_name) + " " +
                         ShapeText(t->shape));
    }
  }
  if (m.a->shape[0] != m.b->shape[1] || m.a->shape[0] < 1) {
    return DataLoss(file.path + ": module " + Quoted(m.path) + ": lora_A " + ShapeText(m.a->shape) +
                    " and lora_B " + ShapeText(m.b->shape) + " do not share a rank");
  }
  if (m.embedding && m.magnitude != nullptr) {
    return Unsupported(file.path + ": module " + Quoted(m.path) +
                       ": use_dora on an embedding table is not computed; merge it with PEFT");
  }
  return OkStatus();
}

Status FinishPeft(AdapterFile* file) {
  const PeftConfig& config = file->config;
  for (AdapterModule& m : file->modules) {
    RETURN_IF_ERROR(CheckModule(*file, m));
    if (!m.low_rank()) continue;
    const int64_t rank = m.a->shape[0];
    ASSIGN_OR_RETURN(const int64_t said, config.RankOf(m.path));
    if (said != rank) {
      return DataLoss(file->path + ": module " + Quoted(m.path) + " has rank " +
                      std::to_string(rank) + " and adapter_config.json says " +
                      std::to_string(said) + "; the two files do not belong together");
    }
    if (config.use_dora && !m.embedding && m.magnitude == nullptr) {
      return Half(*file, m, "no lora_magnitude_vector although use_dora is set");
    }
    if (!config.use_dora && m.magnitude != nullptr) {
      return Half(*file, m, "a lora_magnitude_vector although use_dora is not set");
    }
    ASSIGN_OR_RETURN(m.scaling, config.Scaling(m.path, rank));
  }
  return OkStatus();
}

Result<AdapterFile> OpenPeft(const std::string& path) {
  AdapterFile file;
  file.path = path;
  file.name = LastPart(path);
  const std::string config_path = path + "/adapter_config.json";
  const std::string tensors = path + "/adapter_model.safetensors";
  if (!FileExists(config_path)) {
    return NotFound(path +
                    " holds no adapter_config.json; --adapter wants a directory of PEFT or a "
                    "GGUF adapter");
  }
  ASSIGN_OR_RETURN(const std::string text, ReadFile(config_path, size_t{16} << 20));
  ASSIGN_OR_RETURN(file.config, ParsePeftConfig(text, config_path));
  if (!FileExists(tensors)) {
    if (FileExists(path + "/adapter_model.bin")) {
      return Unsupported(path +
                         "/adapter_model.bin is a Python pickle, which can run programs; "
                         "load it with PEFT once and save it with "
                         "save_pretrained(..., safe_serialization=True)");
    }
    return NotFound(tensors + " is missing; the adapter is incomplete: download it again");
  }
  ASSIGN_OR_RETURN(file.checkpoint, OpenCheckpoint(tensors));
  std::map<std::string, AdapterModule> modules;
  for (const TensorInfo& tensor : file.checkpoint->tensors()) {
    if (tensor.name.find(".token_adapter.") != std::string::npos ||
        tensor.name.find("trainable_tokens_") != std::string::npos) {
      return Unsupported(tensors + ": tensor " + Quoted(tensor.name) +
                         ": trainable_token_indices are not computed; merge the adapter with PEFT");
    }
    ASSIGN_OR_RETURN(const TensorInfo* checked, file.checkpoint->Find(tensor.name));
    file.tensor_bytes += static_cast<int64_t>(checked->bytes.size());
    Place(*checked, &modules);
  }
  for (auto& [name, module] : modules) {
    module.path = name;
    file.modules.push_back(std::move(module));
  }
  if (file.modules.empty()) return DataLoss(tensors + " holds no tensor");
  RETURN_IF_ERROR(FinishPeft(&file));
  file.digest = DigestOf(text, *file.checkpoint);
  return file;
}

// llama.cpp, convert_lora_to_gguf.py: NAME.lora_a [r, in] and NAME.lora_b [out, r] in our order,
// one adapter.lora.alpha.
Result<AdapterFile> OpenGguf(const std::string& path) {
  AdapterFile file;
  file.path = path;
  file.name = LastPart(path);
  file.gguf = true;
  ASSIGN_OR_RETURN(file.checkpoint, OpenCheckpoint(path));
  const GgufFile* gguf = file.checkpoint->gguf();
  if (gguf == nullptr) {
    return Unsupported(path +
                       " is no GGUF file; --adapter wants a directory of PEFT or a GGUF "
                       "adapter");
  }
  const Result<std::string_view> type = gguf->GetString("general.type");
  if (!type.ok() || *type != "adapter") {
    return InvalidArgument(path + " is a model, no adapter (general.type is not \"adapter\")");
  }
  ASSIGN_OR_RETURN(const std::string_view kind, gguf->GetString("adapter.type"));
  if (kind != "lora") {
    return Unsupported(path + ": adapter.type is " + Quoted(kind, 40) + "; galen runs lora");
  }
  if (gguf->Has("adapter.alora.invocation_tokens")) {
    return Unsupported(path + ": adapter.alora.invocation_tokens (activated LoRA) is not computed");
  }
  ASSIGN_OR_RETURN(const std::string_view architecture, gguf->GetString("general.architecture"));
  file.architecture = std::string(architecture);
  ASSIGN_OR_RETURN(file.config.lora_alpha, gguf->GetDouble("adapter.lora.alpha"));
  std::map<std::string, AdapterModule> modules;
  for (const TensorInfo& tensor : file.checkpoint->tensors()) {
    ASSIGN_OR_RETURN(const TensorInfo* checked, file.checkpoint->Find(tensor.name));
    file.tensor_bytes += static_cast<int64_t>(checked->bytes.size());
    std::string_view name = tensor.name;
    if (StripEnd(&name, ".weight.lora_a")) {
      modules[std::string(name)].a = checked;
    } else if (StripEnd(&name, ".weight.lora_b")) {
      modules[std::string(name)].b = checked;
    } else {
      return Unsupported(path + ": tensor " + Quoted(tensor.name) +
                         " is neither NAME.weight.lora_a nor NAME.weight.lora_b");
    }
  }
  for (auto& [name, module] : modules) {
    module.path = name;
    module.embedding = name == "token_embd";
    RETURN_IF_ERROR(CheckModule(file, module));
    // llama.cpp, llama-adapter.h, get_scale: alpha 0 stands for no scaling.
    if (file.config.lora_alpha != 0) {
      module.scaling = file.config.lora_alpha / static_cast<double>(module.a->shape[0]);
    }
    file.modules.push_back(std::move(module));
  }
  if (file.modules.empty()) return DataLoss(path + " holds no tensor");
  file.config.r = file.modules[0].a->shape[0];
  file.digest =
      DigestOf(file.architecture + std::to_string(file.config.lora_alpha), *file.checkpoint);
  return file;
}

}  // namespace

std::string ShapeText(const std::vector<int64_t>& dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(dims[i]);
  }
  return text + "]";
}

Result<AdapterFile> OpenAdapter(const std::string& path) {
  if (IsDirectory(path)) return OpenPeft(path);
  if (!FileExists(path)) return NotFound("there is no adapter at " + path);
  if (path.ends_with(".bin") || path.ends_with(".pt") || path.ends_with(".pth")) {
    return Unsupported(path +
                       " is a Python pickle, which can run programs; save the adapter with "
                       "safe_serialization=True");
  }
  if (path.ends_with(".safetensors") || path.ends_with(".json")) {
    const size_t slash = path.rfind('/');
    return InvalidArgument("--adapter wants the directory of the adapter, " +
                           (slash == std::string::npos ? "." : path.substr(0, slash)) +
                           ", not a file in it");
  }
  return OpenGguf(path);
}

}  // namespace galen
