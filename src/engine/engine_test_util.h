// Small random models and sequences for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "models/architecture.h"
#include "models/weight_store.h"

namespace galen {

// Seven layers, the sixth of them sees everything in "gemma3"; head_dim * heads != hidden_size. The
// window is no multiple of a page.
inline ModelConfig TestConfig(const std::string& architecture, int64_t window = 40) {
  ModelConfig c;
  c.architecture = architecture;
  c.name = "test";
  c.hidden_size = 64;
  c.intermediate_size = 96;
  c.num_hidden_layers = 7;
  c.num_attention_heads = 4;
  c.num_key_value_heads = 2;
  c.head_dim = 24;
  c.vocab_size = 101;
  c.max_position_embeddings = 1024;
  c.rms_norm_eps = 1e-6f;
  c.attention_scale = 1.0f / std::sqrt(24.0f);
  c.tie_word_embeddings = true;
  c.layer_is_sliding.assign(7, 0);
  if (architecture == "gemma3") {
    c.hidden_activation = GateKind::kGeluTanh;
    c.embedding_scale = 8.0f;
    c.sliding_window = window;
    for (int64_t i = 0; i < 7; ++i) c.layer_is_sliding[i] = i != 5;
  }
  c.attention_bias = architecture == "qwen2";
  return c;
}

struct TestModel {
  std::unique_ptr<CausalLM> model;
  WeightStore weights;
};

inline TestModel MakeTestModel(const ModelConfig& config, const KernelTable& kernels,
                               ThreadPool& threads, DType dtype = DType::kBF16) {
  TestModel test;
  const Status valid = ValidateConfig(config, "test");
  EXPECT_TRUE(valid.ok()) << valid.message();
  test.model = (*FindArchitecture(config.architecture))->make(config);
  const std::vector<ParamSpec> specs = test.model->Params();
  std::vector<DType> types;
  for (const ParamSpec& spec : specs) types.push_back(spec.is_vector() ? DType::kF32 : dtype);
  auto weights = WeightStore::Random(specs, types, kernels, threads);
  EXPECT_TRUE(weights.ok()) << weights.status().message();
  test.weights = *std::move(weights);
  return test;
}

// Ids in [0, vocab), the same for the same seed.
inline std::vector<int32_t> TestTokens(int64_t n, uint64_t seed, int32_t vocab = 101) {
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < n; ++i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    tokens.push_back(static_cast<int32_t>((seed >> 33) % static_cast<uint64_t>(vocab)));
  }
  return tokens;
}

// Pages of every group of a pool that are in use.
inline int64_t UsedPages(const KvPool& pool) {
  int64_t used = 0;
  for (int g = 0; g < pool.num_groups(); ++g)
    used += pool.group(g).pages.num_pages() - pool.group(g).pages.num_free();
  return used;
}

}  // namespace galen
