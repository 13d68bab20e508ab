// A low-rank adapter on disk: a directory of PEFT (adapter_config.json, adapter_model.safetensors)
// or a GGUF file of llama.cpp (general.type "adapter"). What it holds, module by module; whether it
// fits a model is the business of models/adapters.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "formats/peft_config.h"

namespace galen {

// The tensors of one module; null: absent.
struct AdapterModule {
  // PEFT: the path inside the base model ("model.layers.0.self_attn.q_proj"). GGUF: the tensor's
  // name without ".weight" ("blk.0.attn_q").
  std::string path;
  const TensorInfo* a = nullptr;       // [r, in]; of an embedding [r, vocabulary]
  const TensorInfo* b = nullptr;       // [out, r]
  const TensorInfo* b_bias = nullptr;  // [out]
  const TensorInfo* magnitude = nullptr;
  bool embedding = false;
  // What stands in place of the base's: a weight or bias of modules_to_save, a trained bias.
  std::vector<const TensorInfo*> replaced;  // named as in the base model, with PEFT's prefix
  std::vector<std::string> replaced_names;  // without it: "model.norm.weight"
  double scaling = 1.0;                     // of a, b

  bool low_rank() const { return a != nullptr; }
};

struct AdapterFile {
  std::string path;  // as given
  std::string name;  // its last part, for people
  bool gguf = false;
  PeftConfig config;         // GGUF: alpha only
  std::string architecture;  // GGUF: general.architecture; else ""
  std::vector<AdapterModule> modules;
  int64_t tensor_bytes = 0;
  // SHA-256 over configuration and tensors (of tensors above 64 MiB: size, first and last MiB).
  std::string digest;
  std::shared_ptr<const Checkpoint> checkpoint;  // what the tensors point into
};

// NotFound: no adapter there. DataLoss: damaged or half written (a without b, another shape).
// Unsupported: what galen does not compute, by name. Each says file, tensor and what to do.
Result<AdapterFile> OpenAdapter(const std::string& path);

// "[8, 640]".
std::string ShapeText(const std::vector<int64_t>& shape);

}  // namespace galen
