// Whole models over a paged cache, in chunks and token by token, against the variable-length form.
#include <cmath>
#include <cstring>
#include <random>

#include "models/tiny_models_test.h"
#include "tensor/arena.h"

namespace galen {
namespace {

// Pages of one sequence in every layer; those that a window has left behind are taken away.
class Cache {
 public:
  Cache(const ModelConfig& config, int64_t tokens, KvType type) : config_(config), type_(type) {
    const int64_t pages = (tokens + kPageTokens - 1) / kPageTokens;
    const int64_t bytes = KvPageBytes(type, config.num_key_value_heads, config.head_dim);
    const int64_t stride = (bytes + 63) / 64 * 64;
    memory_ = *PageBuffer::Allocate(stride * pages * config.num_hidden_layers, "test pages");
    for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
      std::vector<uint8_t*>& layer = addresses_.emplace_back();
      for (int64_t p = 0; p < pages; ++p) {
        layer.push_back(memory_.data() + (i * pages + p) * stride);
      }
    }
    views_.resize(addresses_.size());
  }

  // For rows from `position` on.
  const KvPages* At(int64_t position) {
    for (size_t i = 0; i < views_.size(); ++i) {
      const int64_t window = config_.window(static_cast<int64_t>(i));
      const int64_t oldest = window == 0 ? 0 : std::max<int64_t>(0, position - window + 1);
      const int64_t first = oldest / kPageTokens;
      for (int64_t p = 0; p < first; ++p) addresses_[i][p] = nullptr;  // reading it would crash
      views_[i] = {addresses_[i].data() + first, first};
    }
    return views_.data();
  }
  KvType type() const { return type_; }

 private:
  const ModelConfig& config_;
  KvType type_;
  PageBuffer memory_;
  std::vector<std::vector<uint8_t*>> addresses_;
  std::vector<KvPages> views_;
};

class PagedModel : public testing::TestWithParam<const char*> {
 protected:
  // Logits of all tokens, computed in chunks of the given sizes and then one by one.
  std::vector<float> Run(const CausalLM& model, const std::vector<int32_t>& tokens,
                         std::vector<int64_t> chunks, Cache* cache) {
    std::vector<float> logits;
    int64_t position = 0;
    const int64_t total = static_cast<int64_t>(tokens.size());
    while (position < total) {
      int64_t n = 1;
      if (!chunks.empty()) {
        n = chunks.front();
        chunks.erase(chunks.begin());
      }
      std::vector<int32_t> positions;
      std::vector<int32_t> rows;
      for (int64_t i = 0; i < n; ++i) {
        positions.push_back(static_cast<int32_t>(position + i));
        rows.push_back(static_cast<int32_t>(i));
      }
      const SequenceSpan span{0, n, position, cache == nullptr ? nullptr : cache->At(position)};
      Batch batch;
      batch.tokens = {tokens.data() + position, static_cast<size_t>(n)};
      batch.positions = positions;
      batch.spans = {&span, 1};
      batch.logit_rows = rows;
      if (cache != nullptr) batch.kv_type = cache->type();
      arena_.Rewind(0);
      const Tensor out = model.Forward(ctx_, batch);
      logits.insert(logits.end(), out.f32(), out.f32() + out.num_elements());
      position += n;
    }
    return logits;
  }

  ThreadPool pool_{2};
  Arena arena_ = *Arena::Create(int64_t{64} << 20);
  ExecContext ctx_;
};

TEST_P(PagedModel, ChunksAndDecodeEqualTheVariableLengthForm) {
  constexpr int64_t kTokens = 64;  // two pages; every window leaves the first one behind
  std::mt19937 random(7);
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < kTokens; ++i) tokens.push_back(static_cast<int32_t>(random() % 96));
  for (const Isa isa : SupportedIsas()) {
    SCOPED_TRACE(IsaName(isa));
    auto tiny = OpenTiny(TinyFolder(GetParam()), WeightUse::kInference, KernelsFor(isa), pool_);
    ASSERT_TRUE(tiny.ok()) << tiny.status().message();
    const ModelConfig& config = tiny->model->config();
    ctx_.kernels = &KernelsFor(isa);
    ctx_.pool = &pool_;
    ctx_.arena = &arena_;
    ctx_.compute = Compute::kFp32;
    const std::vector<float> whole = Run(*tiny->model, tokens, {kTokens}, nullptr);
    double squares = 0;
    for (const float x : whole) squares += static_cast<double>(x) * x;
    const double rms = std::sqrt(squares / static_cast<double>(whole.size()));
    // Roundings of both forms, as in parity_test.cc; and of a cache in 16 bits, whose errors
    // average out. Where there are bf16 products, many rows meet a 16-bit cache in them.
    const double layers = static_cast<double>(config.num_hidden_layers);
    const double exact = 2 * 4 * 4 * 0x1p-24 * std::sqrt(18 * (layers + 3));
    const double half = isa >= Isa::kAvx512Bf16 ? 0x1p-8 : 0x1p-11;
    const struct {
      KvType type;
      double bound;
    } cases[] = {{KvType::kF32, exact}, {KvType::kF16, 4 * half * std::sqrt(2 * layers)}};
    for (const auto& c : cases) {
      Cache cache(config, kTokens, c.type);
      const std::vector<float> paged = Run(*tiny->model, tokens, {17, 1, 20, 9}, &cache);
      ASSERT_EQ(paged.size(), whole.size());
      double largest = 0;
      for (size_t i = 0; i < whole.size(); ++i) {
        largest = std::max(largest, static_cast<double>(std::fabs(paged[i] - whole[i])));
      }
      EXPECT_LE(largest, rms * c.bound) << static_cast<int>(c.type);
    }
  }
}

// One arithmetic whatever the number of rows: the same bits in one piece, in chunks, and token by
// token.
TEST_P(PagedModel, InvariantBits) {
  constexpr int64_t kTokens = 48;
  std::mt19937 random(8);
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < kTokens; ++i) tokens.push_back(static_cast<int32_t>(random() % 96));
  for (const Isa isa : SupportedIsas()) {
    for (const Compute compute : {Compute::kBf16, Compute::kFp32, Compute::kInt8}) {
      SCOPED_TRACE(std::string(IsaName(isa)) + ", compute " +
                   std::to_string(static_cast<int>(compute)));
      auto tiny = OpenTiny(TinyFolder(GetParam()), WeightUse::kInference, KernelsFor(isa), pool_);
      ASSERT_TRUE(tiny.ok()) << tiny.status().message();
      ctx_.kernels = &KernelsFor(isa);
      ctx_.pool = &pool_;
      ctx_.arena = &arena_;
      ctx_.compute = compute;
      ctx_.batch_invariant = true;
      ctx_.invariant_head = true;
      std::vector<float> first;
      for (const std::vector<int64_t>& chunks :
           {std::vector<int64_t>{kTokens}, std::vector<int64_t>{5, 32, 3},
            std::vector<int64_t>{}}) {
        Cache cache(tiny->model->config(), kTokens, KvType::kBf16);
        const std::vector<float> logits = Run(*tiny->model, tokens, chunks, &cache);
        if (first.empty()) first = logits;
        ASSERT_EQ(logits.size(), first.size());
        EXPECT_EQ(0, std::memcmp(logits.data(), first.data(), logits.size() * sizeof(float)))
            << chunks.size() << " chunks";
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Tiny, PagedModel, testing::Values("gemma3", "llama", "mistral", "qwen2"));

}  // namespace
}  // namespace galen
