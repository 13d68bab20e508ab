// Adapters (formats/adapter_file.h) on a loaded model: every tensor finds its place or is refused,
// then its layer carries it beside the base weight (nn/lora.h).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "formats/adapter_file.h"
#include "models/open_model.h"
#include "nn/lora.h"

namespace galen {

struct AdapterOptions {
  double scale = 1.0;  // times the adapter's own
  // Tensors that fit no module of the model are skipped and named in AttachedAdapter::skipped
  // instead of refused.
  bool allow_unmatched = false;
};

struct AttachedAdapter {
  std::string name, path, digest;
  double scale = 1.0;
  int64_t modules = 0;  // that it changes
  int64_t bytes = 0;    // of memory
  // It changes what all requests share (norms, the image tower): every request must use it.
  bool serves_all = false;
  bool changes_nothing = false;      // every b is zero, and nothing is replaced
  std::vector<std::string> skipped;  // tensors, with the reason
  std::vector<std::string> notes;    // for people
};

// Memory that adapters take from the arena of a forward pass, all of them together.
struct AdapterCosts {
  int64_t row_floats = 0;    // for each row of the batch
  int64_t logit_floats = 0;  // for each row whose logits are wanted
  int64_t patch_floats = 0;  // for each patch of images
  int64_t max_rank = 0;
  int64_t fixed_bytes = 0;
  // Upper bound for a pass of that many rows.
  int64_t ArenaBytes(const KernelTable& kernels, int threads, int64_t rows,
                     int64_t logit_rows) const;
  int64_t TowerArenaBytes(const KernelTable& kernels, int threads, int64_t patches) const;
};

// The adapters of one model; must outlive its use. Adapter i is bit i of AdapterRun::adapters.
class ModelAdapters {
 public:
  ModelAdapters();
  ~ModelAdapters();
  ModelAdapters(ModelAdapters&&) noexcept;
  ModelAdapters& operator=(ModelAdapters&&) noexcept;

  // Adds an adapter. Nothing is changed when it fails. Unsupported, DataLoss: it does not fit; the
  // message names file, tensor, what was expected, and the nearest names.
  Status Attach(LoadedModel& loaded, const AdapterFile& file, const AdapterOptions& options,
                const KernelTable& kernels, ThreadPool& pool);

  const std::vector<AttachedAdapter>& adapters() const { return adapters_; }
  const AdapterCosts& costs() const { return costs_; }

 private:
  struct Memory;
  std::vector<AttachedAdapter> adapters_;
  AdapterCosts costs_;
  std::map<const void*, std::unique_ptr<LoraLayer>> layers_;  // by the layer's address
  std::vector<const VectorParam*> replaced_vectors_;
  std::vector<std::unique_ptr<Memory>> memory_;
};

}  // namespace galen
