#include "engine/kv_pool.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

namespace galen {

std::vector<int64_t> KvPool::GroupWindows(const ModelConfig& config) {
  bool full = false, sliding = false;
  for (uint8_t slides : config.layer_is_sliding) (slides ? sliding : full) = true;
  std::vector<int64_t> windows;
  if (full) windows.push_back(0);
  if (sliding) windows.push_back(config.sliding_window);
  return windows;
}

int64_t KvPool::PagesPerSequence(int64_t window, int64_t context, int64_t chunk) {
  // A window that begins and a chunk that ends inside a page each touch one page more.
  const int64_t tokens = window == 0 ? context : std::min(context, window + chunk + kPageTokens);
  return (tokens + kPageTokens - 1) / kPageTokens + (window == 0 ? 0 : 1);
}

Result<KvPool> KvPool::Create(const ModelConfig& config, KvType type,
                              std::span<const int64_t> num_pages) {
  KvPool pool;
  pool.type_ = type;
  pool.num_kv_heads_ = config.num_key_value_heads;
  pool.head_dim_ = config.head_dim;
  const std::vector<int64_t> windows = GroupWindows(config);
  GALEN_CHECK(num_pages.size() == windows.size());
  pool.groups_.resize(windows.size());
  for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const int g = static_cast<int>(std::find(windows.begin(), windows.end(), config.window(layer)) -
                                   windows.begin());
    pool.layer_group_.push_back(g);
    pool.layer_index_.push_back(pool.groups_[g].num_layers++);
  }
  for (size_t g = 0; g < windows.size(); ++g) {
    Group& group = pool.groups_[g];
    group.window = windows[g];
    group.page_bytes = KvPageBytes(type, config.num_key_value_heads, config.head_dim);
    int64_t bytes = 0;
    if (num_pages[g] > std::numeric_limits<int32_t>::max() ||
        __builtin_mul_overflow(group.num_layers * num_pages[g], group.page_bytes, &bytes)) {
      return ResourceExhausted("a KV cache of " + std::to_string(num_pages[g]) +
                               " pages is more than any machine holds; " +
                               "use a smaller --context or fewer sequences");
    }
    ASSIGN_OR_RETURN(group.memory, PageBuffer::Allocate(bytes, "the KV cache"));
    group.pages = PageAllocator(num_pages[g]);
  }
  return pool;
}

uint8_t* KvPool::Address(int64_t layer, int32_t page) const {
  const Group& group = groups_[layer_group_[layer]];
  return group.memory.data() +
         (layer_index_[layer] * group.pages.num_pages() + page) * group.page_bytes;
}

void KvPool::CopyTokens(int g, int32_t from, int32_t to, int64_t tokens) {
  const KvPageLayout layout = KvLayoutOf(type_, head_dim_);
  const int64_t size = layout.element_bytes;
  for (int64_t layer = 0; layer < num_layers(); ++layer) {
    if (layer_group_[layer] != g) continue;
    uint8_t* page = Address(layer, to);
    std::memcpy(page, Address(layer, from), static_cast<size_t>(groups_[g].page_bytes));
    for (int64_t head = 0; head < num_kv_heads_; ++head, page += layout.head_bytes) {
      uint8_t* values = page + layout.v_offset;
      int64_t slot = tokens;
      if (slot % 2 == 1) {  // the second of a pair
        for (int64_t d = 0; d < head_dim_; ++d) {
          std::memset(values + KvPageLayout::VIndex(slot, d, head_dim_) * size, 0,
                      static_cast<size_t>(size));
        }
        ++slot;
      }
      std::memset(values + slot * head_dim_ * size, 0,
                  static_cast<size_t>((kPageTokens - slot) * head_dim_ * size));
      if (type_ != KvType::kI8) continue;
      float* scales = reinterpret_cast<float*>(page + layout.scale_offset);
      std::fill(scales + tokens, scales + kPageTokens, 0.0f);
      std::fill(scales + kPageTokens + tokens, scales + 2 * kPageTokens, 0.0f);
    }
  }
}

int64_t KvPool::reserved_bytes() const {
  int64_t bytes = 0;
  for (const Group& group : groups_)
    bytes += group.num_layers * group.pages.num_pages() * group.page_bytes;
  return bytes;
}

}  // namespace galen
