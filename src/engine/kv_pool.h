// The KV cache of an engine: one set of pages for the layers that see everything, one for the
// sliding-window layers. A page number of a group stands for one page in each of the group's
// layers. Memory is reserved at once and becomes resident when written. Owned and called by one
// thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/page_allocator.h"
#include "models/model_config.h"
#include "tensor/arena.h"

namespace galen {

class KvPool {
 public:
  struct Group {
    int64_t window = 0;  // 0: sees everything
    int64_t num_layers = 0;
    int64_t page_bytes = 0;  // of one layer
    PageAllocator pages{0};
    PageBuffer memory;  // [num_layers][num_pages] pages
  };

  // num_pages[g]: pages of group g, in the order of GroupWindows(config).
  static Result<KvPool> Create(const ModelConfig& config, KvType type,
                               std::span<const int64_t> num_pages);
  // The windows of the groups that a model needs: {0}, {0, window} or {window}.
  static std::vector<int64_t> GroupWindows(const ModelConfig& config);
  // Pages that one sequence of `context` tokens needs at most in a group, prefilled in chunks of
  // `chunk` tokens.
  static int64_t PagesPerSequence(int64_t window, int64_t context, int64_t chunk);

  KvType type() const { return type_; }
  int num_groups() const { return static_cast<int>(groups_.size()); }
  Group& group(int g) { return groups_[g]; }
  const Group& group(int g) const { return groups_[g]; }
  int group_of_layer(int64_t layer) const { return layer_group_[layer]; }
  int64_t num_layers() const { return static_cast<int64_t>(layer_group_.size()); }
  uint8_t* Address(int64_t layer, int32_t page) const;
  // Makes the first `tokens` slots of page `to` of group g those of page `from`, in every layer of
  // the group, and clears the values behind them, as kv_write leaves a page that is begun.
  void CopyTokens(int g, int32_t from, int32_t to, int64_t tokens);
  int64_t reserved_bytes() const;

 private:
  KvType type_ = KvType::kBf16;
  int64_t num_kv_heads_ = 0;
  int64_t head_dim_ = 0;
  std::vector<Group> groups_;
  std::vector<int> layer_group_;
  std::vector<int64_t> layer_index_;  // within its group
};

}  // namespace galen
