// A checkpoint is named tensors in mapped files, whatever the container: a GGUF file, a
// .safetensors file, or a Hugging Face directory (model.safetensors, or shards listed by
// model.safetensors.index.json). Opening reads headers only; weights are paged in by whoever
// touches their bytes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/status.h"
#include "formats/gguf.h"
#include "formats/tensor_info.h"

namespace galen {

enum class CheckpointKind { kGguf, kSafetensors };

// Immutable, hence usable from any thread, once opened.
class Checkpoint {
 public:
  CheckpointKind kind() const { return kind_; }
  // The file or directory that was opened.
  const std::string& path() const { return path_; }
  // In file order (shards: in the order of their names).
  const std::vector<TensorInfo>& tensors() const { return tensors_; }

  bool Has(std::string_view name) const { return by_name_.count(name) != 0; }
  // NotFound names the tensor and the most similar one; Unsupported names a type that galen cannot
  // read. Valid while the Checkpoint lives.
  Result<const TensorInfo*> Find(std::string_view name) const;
  // Lets go of the tensor's pages once it was copied elsewhere, so that they no longer count as
  // resident.
  void DropPages(const TensorInfo& tensor) const;

  // The GGUF header (metadata, tokenizer), or null when kind() is kSafetensors.
  const GgufFile* gguf() const { return gguf_.get(); }
  // The directory that holds config.json and the tokenizer files; empty for GGUF.
  const std::string& directory() const { return directory_; }

 private:
  friend class CheckpointOpener;
  Checkpoint() = default;

  CheckpointKind kind_ = CheckpointKind::kGguf;
  std::string path_;
  std::string directory_;
  std::vector<std::shared_ptr<MappedFile>> files_;
  std::unique_ptr<GgufFile> gguf_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string_view, size_t> by_name_;  // views into tensors_
};

// Opens `path`: a .gguf file, a .safetensors file, or a directory with config.json and
// *.safetensors. Files are told apart by their first bytes, not by their names.
Result<std::shared_ptr<const Checkpoint>> OpenCheckpoint(const std::string& path);

// The same from the bytes of a .gguf or .safetensors file, which must outlive the result. `name` is
// what path() will say.
Result<std::shared_ptr<const Checkpoint>> CheckpointFromBytes(std::span<const uint8_t> bytes,
                                                              const std::string& name);

}  // namespace galen
