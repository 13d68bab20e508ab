#include "models/merge_adapter.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "formats/quote.h"
#include "formats/safetensors_writer.h"
#include "models/adapter_targets.h"
#include "models/param_sources.h"

namespace galen {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kRows = 64;  // of a matrix in memory at a time

std::vector<float> Decode(const TensorInfo& tensor) {
  const BlockFormat& format = FormatOf(tensor.dtype);
  std::vector<float> values(static_cast<size_t>(tensor.NumElements()));
  format.decode(tensor.bytes.data(), values.data(), tensor.NumElements() / format.block_elems);
  return values;
}

// What becomes of one tensor of the base.
struct Edit {
  const AdapterModule* low_rank = nullptr;
  const TensorInfo* replaced = nullptr;
};

// A tensor to write.
struct Output {
  SafetensorsEntry entry;
  const TensorInfo* base = nullptr;
  Edit edit;
};

class Merger {
 public:
  Merger(const std::string& base, const AdapterFile& adapter, const MergeOptions& options)
      : base_(base), adapter_(adapter), options_(options) {}

  Result<MergeReport> Write(const std::string& out) {
    RETURN_IF_ERROR(Open());
    for (const AdapterModule& module : adapter_.modules) RETURN_IF_ERROR(AddModule(module));
    RETURN_IF_ERROR(MakeOutputs());
    if (fs::exists(out)) {
      return InvalidArgument(out + " exists already; name a directory that does not");
    }
    const std::string temporary = out + ".tmp." + std::to_string(::getpid());
    std::error_code error;
    fs::create_directories(temporary, error);
    Status status =
        error ? IoError("cannot make " + temporary + ": " + error.message()) : OkStatus();
    if (status.ok()) status = WriteTensors(temporary + "/model.safetensors");
    if (status.ok()) status = CopyFiles(temporary);
    if (status.ok()) {
      fs::rename(temporary, out, error);
      if (error) status = IoError("cannot make " + out + ": " + error.message());
    }
    if (!status.ok()) {
      fs::remove_all(temporary, error);
      return status;
    }
    return report_;
  }

 private:
  Status Open() {
    ReadModelOptions read;
    read.tokenizer = false;
    ASSIGN_OR_RETURN(loaded_.files, ReadModel(base_, read));
    if (loaded_.files.checkpoint->kind() != CheckpointKind::kSafetensors) {
      return Unsupported(base_ +
                         " is a GGUF file; an adapter is merged into a Hugging Face directory "
                         "of dense weights (galen runs it beside packed ones: --adapter)");
    }
    loaded_.model = loaded_.files.architecture->make(loaded_.files.config);
    targets_ = std::make_unique<AdapterTargets>(loaded_);
    RETURN_IF_ERROR(AddNames(*loaded_.files.checkpoint, loaded_.model->Params(), TextScope()));
    if (loaded_.files.vision_status.ok()) {
      tower_ = loaded_.files.architecture->vision->make_tower(loaded_.files.vision);
      RETURN_IF_ERROR(AddNames(*loaded_.files.checkpoint, tower_->Params(), VisionScope()));
    }
    return OkStatus();
  }

  Status AddNames(const Checkpoint& checkpoint, const std::vector<ParamSpec>& specs,
                  const ParamScope& scope) {
    ASSIGN_OR_RETURN(const ParamSources sources, FindParams(checkpoint, specs, scope));
    for (const ParamSource& s : sources.params) names_.emplace(s.spec->name, s.tensor.name);
    return OkStatus();
  }

  Status Unmatched(const std::string& name) const {
    return Unsupported(adapter_.path + ": " + Quoted(name) + " fits nothing in " + base_ +
                       targets_->Nearest(name, adapter_.gguf));
  }

  // The name of the base's tensor; "" for a head that is tied.
  Result<std::string> NameOf(const std::string& name) const {
    const std::vector<const AdapterTarget*> found = targets_->Find(name, adapter_.gguf);
    if (found.empty()) return Unmatched(name);
    const auto known = names_.find(found[0]->spec.name);
    if (known != names_.end()) return known->second;
    if (found[0]->spec.name == "lm_head.weight") return std::string();
    return Unmatched(name);
  }

  Edit& EditOf(const std::string& tensor, bool embedding) {
    if (tensor.empty()) {
      untied_ = true;
      return head_;
    }
    if (embedding && loaded_.files.config.tie_word_embeddings) untied_ = true;
    return edits_[tensor];
  }

  Status AddModule(const AdapterModule& module) {
    const std::string table = names_.at("embed_tokens.weight");
    if (module.low_rank()) {
      ASSIGN_OR_RETURN(const std::string name, NameOf(module.path + ".weight"));
      if (module.b_bias != nullptr) {
        return Unsupported(adapter_.path + ": lora_bias is not merged; run it beside the base");
      }
      EditOf(name, name == table).low_rank = &module;
    }
    for (size_t i = 0; i < module.replaced.size(); ++i) {
      ASSIGN_OR_RETURN(const std::string name, NameOf(module.replaced_names[i]));
      // PEFT saves the base's table beside LoRA on it.
      if (module.low_rank() && module.embedding) continue;
      EditOf(name, name == table).replaced = module.replaced[i];
    }
    return OkStatus();
  }

  Status Check(const TensorInfo& base, const Edit& edit) const {
    const std::string where = base_ + ": tensor " + Quoted(base.name);
    if (FormatOf(base.dtype).decode == nullptr || FormatOf(base.dtype).block_elems != 1) {
      return Unsupported(where + " is " + std::string(base.type_name) +
                         "; an adapter is merged into F32, F16 or BF16");
    }
    if (edit.replaced != nullptr) {
      if (edit.replaced->shape == base.shape && FormatOf(edit.replaced->dtype).block_elems == 1 &&
          FormatOf(edit.replaced->dtype).decode != nullptr) {
        return OkStatus();
      }
      return DataLoss(where + " has the shape " + ShapeText(base.shape) + ", the adapter's " +
                      ShapeText(edit.replaced->shape) + "; the adapter is for another model");
    }
    const AdapterModule& m = *edit.low_rank;
    const int64_t rows = m.embedding ? m.a->shape[1] : m.b->shape[0];
    const int64_t cols = m.embedding ? m.b->shape[0] : m.a->shape[1];
    if (base.shape == std::vector<int64_t>{rows, cols} &&
        (m.magnitude == nullptr || m.magnitude->NumElements() == rows)) {
      return OkStatus();
    }
    return DataLoss(where + " has the shape " + ShapeText(base.shape) + ", the adapter changes " +
                    ShapeText({rows, cols}) + "; the adapter is for another model");
  }

  Status AddOutput(const std::string& name, const TensorInfo& base, const Edit& edit) {
    Output out{{name, base.dtype, base.shape, 0}, &base, edit};
    if (edit.low_rank != nullptr || edit.replaced != nullptr) {
      RETURN_IF_ERROR(Check(base, edit));
      if (options_.float32) out.entry.dtype = DType::kF32;
      ++report_.changed;
    }
    outputs_.push_back(std::move(out));
    return OkStatus();
  }

  Status MakeOutputs() {
    const TensorInfo* table = nullptr;
    for (const TensorInfo& tensor : loaded_.files.checkpoint->tensors()) {
      if (tensor.name == names_.at("embed_tokens.weight")) table = &tensor;
      if (untied_ && tensor.name == "lm_head.weight") continue;
      const auto edit = edits_.find(tensor.name);
      RETURN_IF_ERROR(AddOutput(tensor.name, tensor, edit == edits_.end() ? Edit() : edit->second));
    }
    if (untied_) RETURN_IF_ERROR(AddOutput("lm_head.weight", *table, head_));
    report_.untied = untied_;
    return OkStatus();
  }

  // Rows [row0, row1) of a changed tensor.
  void Compute(const Output& out, const std::vector<float>& a, const std::vector<float>& b,
               const std::vector<float>& magnitude, int64_t row0, int64_t row1,
               float* values) const {
    const TensorInfo& from = out.edit.replaced != nullptr ? *out.edit.replaced : *out.base;
    const int64_t cols = from.shape.empty() ? 1 : from.shape.back();
    FormatOf(from.dtype)
        .decode(from.bytes.data() + row0 * RowBytes(from.dtype, cols), values,
                (row1 - row0) * cols);
    if (out.edit.replaced != nullptr || out.edit.low_rank == nullptr) return;
    const AdapterModule& m = *out.edit.low_rank;
    const int64_t rank = m.a->shape[0];
    const auto scale = static_cast<float>(m.scaling * options_.scale);
    std::vector<float> delta(static_cast<size_t>(cols));
    for (int64_t i = row0; i < row1; ++i) {
      float* row = values + (i - row0) * cols;
      std::fill(delta.begin(), delta.end(), 0.0f);
      for (int64_t q = 0; q < rank; ++q) {
        if (m.embedding) {  // a [r, rows], b [cols, r]
          const float factor = a[q * m.a->shape[1] + i];
          for (int64_t j = 0; j < cols; ++j) delta[j] += factor * b[j * rank + q];
        } else {
          const float factor = b[i * rank + q];
          for (int64_t j = 0; j < cols; ++j) delta[j] += factor * a[q * cols + j];
        }
      }
      double squares = 0;
      for (int64_t j = 0; j < cols; ++j) {
        row[j] += scale * delta[j];
        squares += double{row[j]} * row[j];
      }
      if (magnitude.empty() || squares == 0) continue;
      const auto factor = static_cast<float>(magnitude[i] / std::sqrt(squares));
      for (int64_t j = 0; j < cols; ++j) row[j] *= factor;
    }
  }

  Status WriteTensors(const std::string& path) {
    std::vector<SafetensorsEntry> entries;
    for (const Output& out : outputs_) entries.push_back(out.entry);
    ASSIGN_OR_RETURN(const SafetensorsLayout layout, LayOutSafetensors(&entries));
    report_.bytes = layout.file_bytes;
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wb"),
                                                               std::fclose);
    if (file == nullptr) return IoError("cannot create " + path);
    bool ok = true;
    const auto write = [&](const void* data, size_t bytes) {
      ok = ok && std::fwrite(data, 1, bytes, file.get()) == bytes;
    };
    write(layout.header.data(), layout.header.size());
    int64_t done = 0;
    for (const Output& out : outputs_) {
      const bool changed = out.edit.low_rank != nullptr || out.edit.replaced != nullptr;
      if (!changed && out.entry.dtype == out.base->dtype) {
        write(out.base->bytes.data(), out.base->bytes.size());
      } else {
        std::vector<float> a, b, magnitude;
        if (out.edit.low_rank != nullptr && out.edit.replaced == nullptr) {
          a = Decode(*out.edit.low_rank->a);
          b = Decode(*out.edit.low_rank->b);
          if (out.edit.low_rank->magnitude != nullptr) {
            magnitude = Decode(*out.edit.low_rank->magnitude);
          }
        }
        const int64_t cols =
            out.base->shape.empty() ? 1 : std::max<int64_t>(out.base->shape.back(), 1);
        const int64_t rows = out.base->NumElements() / cols;
        std::vector<float> values(static_cast<size_t>(kRows * cols));
        std::vector<uint8_t> bytes;
        for (int64_t row = 0; row < rows; row += kRows) {
          const int64_t end = std::min(row + kRows, rows);
          Compute(out, a, b, magnitude, row, end, values.data());
          bytes.resize(static_cast<size_t>((end - row) * RowBytes(out.entry.dtype, cols)));
          FormatOf(out.entry.dtype)
              .encode(values.data(), nullptr, bytes.data(), (end - row) * cols);
          write(bytes.data(), bytes.size());
        }
      }
      done += out.entry.bytes();
      loaded_.files.checkpoint->DropPages(*out.base);
      if (options_.progress && !options_.progress(done, layout.file_bytes)) {
        return Cancelled("the merge was stopped");
      }
      if (!ok) break;
    }
    if (!ok || std::fflush(file.get()) != 0 || ::fsync(::fileno(file.get())) != 0) {
      return IoError("cannot write " + path + " (is the disk full?)");
    }
    return OkStatus();
  }

  // Everything but weights; config.json says that the head is untied where it is.
  Status CopyFiles(const std::string& to) const {
    std::error_code error;
    for (const fs::directory_entry& entry :
         fs::directory_iterator(loaded_.files.checkpoint->directory(), error)) {
      const std::string name = entry.path().filename().string();
      if (!entry.is_regular_file() || name.find(".safetensors") != std::string::npos ||
          name.ends_with(".bin") || name.ends_with(".gguf")) {
        continue;
      }
      if (name == "config.json" && untied_) {
        RETURN_IF_ERROR(CopyConfig(entry.path().string(), to + "/" + name));
        continue;
      }
      fs::copy_file(entry.path(), to + "/" + name, error);
      if (error) return IoError("cannot copy " + name + ": " + error.message());
    }
    return OkStatus();
  }

  static Status CopyConfig(const std::string& from, const std::string& to) {
    ASSIGN_OR_RETURN(const std::string text, ReadFile(from));
    ASSIGN_OR_RETURN(Json config, ParseJson(text));
    config["tie_word_embeddings"] = false;
    if (config.contains("text_config") && config["text_config"].is_object()) {
      config["text_config"]["tie_word_embeddings"] = false;
    }
    return WriteFileAtomically(to,
                               config.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  }

  const std::string base_;
  const AdapterFile& adapter_;
  const MergeOptions& options_;
  LoadedModel loaded_;
  std::unique_ptr<ImageTower> tower_;
  std::unique_ptr<AdapterTargets> targets_;
  std::map<std::string, std::string> names_;  // spec -> tensor of the base
  std::map<std::string, Edit> edits_;         // by tensor of the base
  Edit head_;
  bool untied_ = false;
  std::vector<Output> outputs_;
  MergeReport report_;
};

}  // namespace

Result<MergeReport> MergeAdapter(const std::string& base, const AdapterFile& adapter,
                                 const MergeOptions& options, const std::string& out) {
  return Merger(base, adapter, options).Write(out);
}

// |b a|^2 = tr((b^T b)(a a^T)).
double DeltaNorm(const AdapterModule& module) {
  if (!module.low_rank()) return 0;
  const std::vector<float> a = Decode(*module.a), b = Decode(*module.b);
  const int64_t r = module.a->shape[0], in = module.a->shape[1], out = module.b->shape[0];
  double sum = 0;
  for (int64_t i = 0; i < r; ++i) {
    for (int64_t j = 0; j < r; ++j) {
      double aa = 0, bb = 0;
      for (int64_t k = 0; k < in; ++k) aa += double{a[i * in + k]} * a[j * in + k];
      for (int64_t k = 0; k < out; ++k) bb += double{b[k * r + i]} * b[k * r + j];
      sum += aa * bb;
    }
  }
  return std::fabs(module.scaling) * std::sqrt(std::max(sum, 0.0));
}

}  // namespace galen
