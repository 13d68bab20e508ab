#include "formats/checkpoint.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "base/nearest_name.h"
#include "formats/bitsandbytes.h"
#include "formats/quote.h"
#include "formats/safetensors.h"

namespace galen {
namespace {

constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";

std::string Join(const std::string& directory, const std::string& file) {
  return directory.empty() || directory.back() == '/' ? directory + file : directory + "/" + file;
}

std::string ParentDirectory(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

// What to do about a directory without safetensors.
std::string Advice(const std::string& directory) {
  std::error_code error;
  std::string gguf;
  bool pickled = false;
  bool adapter = false;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.ends_with(".gguf")) gguf = name;
    if (name.starts_with("pytorch_model") && name.ends_with(".bin")) pickled = true;
    if (name == "adapter_model.safetensors") adapter = true;
  }
  if (!gguf.empty()) return "; it holds " + Quoted(gguf) + ": name that file instead";
  if (adapter)
    return "; it holds a LoRA adapter, which needs its base model: name the base model, and the "
           "adapter with --adapter";
  if (pickled)
    return "; it holds pickled PyTorch weights, which can run code: save the model as safetensors";
  return "; download the model again";
}

Status TensorUnsupported(const std::string& path, const TensorInfo& tensor) {
  return Unsupported(path + ": tensor " + Quoted(tensor.name) + " has type " +
                     std::string(tensor.type_name) +
                     ", which galen does not compute with; use a file in another quantisation "
                     "(q4_k_m, q8_0, bf16)");
}

}  // namespace

// Fills a Checkpoint; the only code that changes one.
class CheckpointOpener {
 public:
  explicit CheckpointOpener(const std::string& path) : checkpoint_(new Checkpoint()) {
    checkpoint_->path_ = path;
  }

  Result<std::shared_ptr<const Checkpoint>> Open() {
    if (!FileExists(checkpoint_->path_)) {
      return NotFound("cannot open " + Quoted(checkpoint_->path_) +
                      ": no such file or directory; name a GGUF file or the directory of a "
                      "Hugging Face checkpoint");
    }
    RETURN_IF_ERROR(IsDirectory(checkpoint_->path_) ? OpenDirectory() : OpenFile());
    return Finish();
  }

  Result<std::shared_ptr<const Checkpoint>> Open(std::span<const uint8_t> bytes) {
    RETURN_IF_ERROR(OpenBytes(bytes));
    return Finish();
  }

 private:
  Result<std::shared_ptr<const Checkpoint>> Finish() {
    if (checkpoint_->kind_ == CheckpointKind::kSafetensors) {
      RETURN_IF_ERROR(FoldBnbTensors(&checkpoint_->tensors_, checkpoint_->path_));
    }
    for (size_t i = 0; i < checkpoint_->tensors_.size(); ++i) {
      checkpoint_->by_name_.emplace(checkpoint_->tensors_[i].name, i);
    }
    return std::shared_ptr<const Checkpoint>(std::move(checkpoint_));
  }

  Result<std::shared_ptr<MappedFile>> Map(const std::string& path) {
    Result<std::shared_ptr<MappedFile>> file = MappedFile::Open(path);
    if (file.ok()) checkpoint_->files_.push_back(*file);
    return file;
  }

  Status OpenFile() {
    ASSIGN_OR_RETURN(const std::shared_ptr<MappedFile> file, Map(checkpoint_->path_));
    return OpenBytes(file->bytes());
  }

  Status OpenBytes(std::span<const uint8_t> bytes) {
    const std::string& path = checkpoint_->path_;
    if (bytes.empty()) return DataLoss(path + ": the file is empty; download or copy it again");
    // A safetensors header length has zeros in its upper bytes, and its header starts with "{".
    if (bytes.size() > 8 && bytes[7] == 0 && bytes[8] == '{') return OpenSafetensors(bytes);
    const bool gguf = bytes.size() >= 4 && std::memcmp(bytes.data(), "GGUF", 4) == 0;
    return !gguf && path.ends_with(".safetensors") ? OpenSafetensors(bytes) : OpenGguf(bytes);
  }

  Status OpenGguf(std::span<const uint8_t> bytes) {
    ASSIGN_OR_RETURN(GgufFile gguf, GgufFile::Parse(bytes, checkpoint_->path_));
    if (gguf.Has("split.count")) {
      ASSIGN_OR_RETURN(const int64_t count, gguf.GetInt("split.count"));
      if (count > 1) {
        return Unsupported(checkpoint_->path_ + ": one of " + std::to_string(count) +
                           " parts of a split model; join them with llama-gguf-split --merge");
      }
    }
    checkpoint_->kind_ = CheckpointKind::kGguf;
    checkpoint_->gguf_ = std::make_unique<GgufFile>(std::move(gguf));
    checkpoint_->tensors_ = checkpoint_->gguf_->tensors();
    return OkStatus();
  }

  Status OpenSafetensors(std::span<const uint8_t> bytes) {
    ASSIGN_OR_RETURN(SafetensorsFile file, ParseSafetensors(bytes, checkpoint_->path_));
    checkpoint_->kind_ = CheckpointKind::kSafetensors;
    checkpoint_->directory_ = ParentDirectory(checkpoint_->path_);
    checkpoint_->tensors_ = std::move(file.tensors);
    return OkStatus();
  }

  Status OpenDirectory() {
    const std::string& directory = checkpoint_->path_;
    checkpoint_->kind_ = CheckpointKind::kSafetensors;
    checkpoint_->directory_ = directory;
    const std::string single = Join(directory, kSingleFile);
    if (FileExists(single)) {  // as transformers does, before an index is looked for
      ASSIGN_OR_RETURN(const std::shared_ptr<MappedFile> file, Map(single));
      ASSIGN_OR_RETURN(SafetensorsFile parsed, ParseSafetensors(file->bytes(), single));
      checkpoint_->tensors_ = std::move(parsed.tensors);
      return OkStatus();
    }
    const std::string index = Join(directory, kIndexFile);
    if (!FileExists(index)) {
      return NotFound(directory + ": neither " + kSingleFile + " nor " + kIndexFile + " is there" +
                      Advice(directory));
    }
    ASSIGN_OR_RETURN(const std::string json, ReadFile(index));
    ASSIGN_OR_RETURN(const SafetensorsIndex shards, ParseSafetensorsIndex(json, index));
    for (const auto& [shard, names] : shards)
      RETURN_IF_ERROR(AddShard(index, Join(directory, shard), names));
    return OkStatus();
  }

  // The index and the shard have to list the same tensors: files of two versions of a model must
  // not be mixed.
  Status AddShard(const std::string& index, const std::string& path,
                  const std::vector<std::string>& names) {
    if (!FileExists(path)) {
      return NotFound(path + ": this shard, named by " + index +
                      ", is missing; download the model again");
    }
    ASSIGN_OR_RETURN(const std::shared_ptr<MappedFile> file, Map(path));
    ASSIGN_OR_RETURN(SafetensorsFile parsed, ParseSafetensors(file->bytes(), path));
    std::unordered_map<std::string_view, bool> found;
    for (const std::string& name : names) found.emplace(name, false);
    for (TensorInfo& tensor : parsed.tensors) {
      const auto listed = found.find(tensor.name);
      if (listed == found.end()) {
        return DataLoss(path + ": holds tensor " + Quoted(tensor.name) + ", which " + index +
                        " does not place there; shards and index are of different downloads: "
                        "download the model again");
      }
      listed->second = true;
      checkpoint_->tensors_.push_back(std::move(tensor));
    }
    for (const std::string& name : names) {
      if (!found[name]) {
        return DataLoss(path + ": tensor " + Quoted(name) + " is missing, though " + index +
                        " places it there; download the model again");
      }
    }
    return OkStatus();
  }

  std::unique_ptr<Checkpoint> checkpoint_;
};

Result<const TensorInfo*> Checkpoint::Find(std::string_view name) const {
  const auto it = by_name_.find(name);
  if (it != by_name_.end()) {
    const TensorInfo& tensor = tensors_[it->second];
    if (!tensor.supported) return TensorUnsupported(path_, tensor);
    return &tensor;
  }
  std::string message = path_ + ": tensor " + Quoted(name) + " is missing";
  const TensorInfo* nearest = nullptr;
  size_t best = 12;  // more edits than this are no likeness
  for (const TensorInfo& tensor :
       std::span(tensors_).first(std::min<size_t>(tensors_.size(), 4096))) {
    const size_t distance = EditDistance(name, tensor.name, best);
    if (distance < best) {
      best = distance;
      nearest = &tensor;
    }
  }
  if (nearest != nullptr) message += " (the most similar name is " + Quoted(nearest->name) + ")";
  return NotFound(message + "; the file is incomplete or of another architecture");
}

void Checkpoint::DropPages(const TensorInfo& tensor) const {
  if (tensor.bytes.empty()) return;
  for (const auto& file : files_) {
    const std::span<const uint8_t> bytes = file->bytes();
    if (tensor.bytes.data() < bytes.data() || tensor.bytes.data() >= bytes.data() + bytes.size())
      continue;
    file->DropPages(static_cast<size_t>(tensor.bytes.data() - bytes.data()), tensor.bytes.size());
    return;
  }
}

Result<std::shared_ptr<const Checkpoint>> OpenCheckpoint(const std::string& path) {
  return CheckpointOpener(path).Open();
}

Result<std::shared_ptr<const Checkpoint>> CheckpointFromBytes(std::span<const uint8_t> bytes,
                                                              const std::string& name) {
  return CheckpointOpener(name).Open(bytes);
}

}  // namespace galen
