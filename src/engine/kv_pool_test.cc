#include "engine/kv_pool.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "engine/engine_test_util.h"

namespace galen {
namespace {

TEST(KvPool, OneGroupForEachKindOfLayer) {
  EXPECT_EQ(KvPool::GroupWindows(TestConfig("llama")), std::vector<int64_t>{0});
  EXPECT_EQ(KvPool::GroupWindows(TestConfig("gemma3")), (std::vector<int64_t>{0, 40}));
  ModelConfig sliding = TestConfig("gemma3");
  sliding.layer_is_sliding.assign(7, 1);
  EXPECT_EQ(KvPool::GroupWindows(sliding), std::vector<int64_t>{40});
}

TEST(KvPool, PagesOfLayersDoNotOverlap) {
  const ModelConfig config = TestConfig("gemma3");
  for (KvType type : {KvType::kF32, KvType::kBf16, KvType::kF16, KvType::kI8}) {
    const std::vector<int64_t> pages = {5, 3};
    auto pool = KvPool::Create(config, type, pages);
    ASSERT_TRUE(pool.ok());
    EXPECT_EQ(pool->num_layers(), 7);
    EXPECT_EQ(pool->group(0).num_layers, 1);
    EXPECT_EQ(pool->group(1).num_layers, 6);
    const int64_t bytes = KvPageBytes(type, config.num_key_value_heads, config.head_dim);
    EXPECT_EQ(pool->reserved_bytes(), (1 * 5 + 6 * 3) * bytes);
    std::set<const uint8_t*> addresses;
    for (int64_t layer = 0; layer < 7; ++layer) {
      const KvPool::Group& group = pool->group(pool->group_of_layer(layer));
      EXPECT_EQ(group.window, config.window(layer));
      for (int32_t page = 0; page < group.pages.num_pages(); ++page) {
        const uint8_t* at = pool->Address(layer, page);
        EXPECT_GE(at, group.memory.data());
        EXPECT_LE(at + bytes,
                  group.memory.data() + group.num_layers * group.pages.num_pages() * bytes);
        EXPECT_TRUE(addresses.insert(at).second);
      }
    }
    for (auto at = addresses.begin(), next = std::next(at); next != addresses.end(); at = next++)
      EXPECT_GE(*next - *at, bytes);
  }
}

// Whatever chunks of at most `chunk` tokens a text comes in, its pages fit the bound, and the bound
// is no waste.
TEST(KvPool, PagesPerSequenceBoundsEveryWayThroughAText) {
  for (int64_t window : {0, 1, 6, 32, 40, 64, 100}) {
    for (int64_t chunk : {1, 7, 32, 100}) {
      for (int64_t context : {1, 33, 64, 500}) {
        const int64_t bound = KvPool::PagesPerSequence(window, context, chunk);
        int64_t most = 0;
        for (int64_t first = 1; first <= std::min(chunk, kPageTokens); ++first) {
          for (int64_t computed = 0, count = std::min(first, context); count > 0;
               computed += count, count = std::min(chunk, context - computed)) {
            const int64_t begin =
                window == 0 ? 0 : std::max<int64_t>(0, computed - window + 1) / kPageTokens;
            most = std::max(most, (computed + count + kPageTokens - 1) / kPageTokens - begin);
          }
        }
        EXPECT_LE(most, bound) << window << " " << chunk << " " << context;
        EXPECT_LE(bound, most + 3) << window << " " << chunk << " " << context;
        if (window == 0) {
          EXPECT_EQ(bound, most);
        }
      }
    }
  }
}

TEST(KvPool, CopyTokensOfAPage) {
  const ModelConfig config = TestConfig("gemma3");
  const int64_t head_dim = config.head_dim;
  for (KvType type : {KvType::kF32, KvType::kBf16, KvType::kF16, KvType::kI8}) {
    const KvPageLayout layout = KvLayoutOf(type, head_dim);
    for (int64_t tokens : {1, 2, 15, 16, 17, 31}) {
      const std::vector<int64_t> pages = {4, 4};
      auto pool = KvPool::Create(config, type, pages);
      ASSERT_TRUE(pool.ok());
      const int64_t bytes = pool->group(1).page_bytes;
      for (int64_t layer = 0; layer < 7; ++layer) {
        for (int32_t page = 0; page < 4; ++page)
          std::memset(pool->Address(layer, page), static_cast<int>(10 * layer + page + 1), bytes);
      }
      pool->CopyTokens(1, 2, 0, tokens);
      for (int64_t layer = 0; layer < 7; ++layer) {
        const uint8_t from = static_cast<uint8_t>(10 * layer + 3);
        const uint8_t* page = pool->Address(layer, 0);
        for (int32_t other : {1, 2, 3})
          EXPECT_EQ(pool->Address(layer, other)[5], 10 * layer + other + 1);
        if (pool->group_of_layer(layer) != 1) {
          EXPECT_EQ(page[0], 10 * layer + 1);
          continue;
        }
        for (int64_t head = 0; head < config.num_key_value_heads;
             ++head, page += layout.head_bytes) {
          const uint8_t* values = page + layout.v_offset;
          const uint8_t* scales = page + layout.scale_offset;
          for (int64_t slot = 0; slot < kPageTokens; ++slot) {
            const uint8_t value = slot < tokens ? from : 0;
            for (int64_t i = 0; i < head_dim * layout.element_bytes; ++i) {
              const int64_t d = i / layout.element_bytes, byte = i % layout.element_bytes;
              const auto at = [&](int64_t index) { return index * layout.element_bytes + byte; };
              ASSERT_EQ(values[at(KvPageLayout::VIndex(slot, d, head_dim))], value) << slot;
              if (slot < tokens) {
                ASSERT_EQ(page[at(KvPageLayout::KIndex(slot, d, head_dim))], from);
              }
            }
            for (int64_t i = 0; type == KvType::kI8 && i < 4; ++i) {
              ASSERT_EQ(scales[4 * slot + i], value);
              ASSERT_EQ(scales[4 * (kPageTokens + slot) + i], value);
            }
          }
        }
      }
    }
  }
}

TEST(KvPool, MemoryThatDoesNotExistIsAnError) {
  for (int64_t count : {int64_t{1} << 30, int64_t{1} << 40, int64_t{1} << 61}) {
    ModelConfig config = TestConfig("llama");
    config.num_key_value_heads = 4096;
    config.head_dim = 1024;
    const auto pool = KvPool::Create(config, KvType::kF32, std::vector<int64_t>{count});
    ASSERT_FALSE(pool.ok());
    EXPECT_EQ(pool.status().code(), StatusCode::kResourceExhausted);
    EXPECT_NE(pool.status().message().find("KV cache"), std::string::npos);
  }
}

}  // namespace
}  // namespace galen
