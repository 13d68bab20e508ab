#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "base/json.h"
#include "formats/checkpoint.h"
#include "tensor/arena.h"
#include "train/adamw.h"
#include "train/atomic_directory.h"
#include "train/collator.h"
#include "train/event_file.h"
#include "train/options.h"
#include "train/schedule.h"

namespace galen {
namespace {

std::string TempDir() {
  std::string pattern = testing::TempDir() + "/galen_train_XXXXXX";
  return ::mkdtemp(pattern.data());
}

TEST(Options, FileAndSets) {
  const std::string dir = TempDir();
  std::ofstream(dir + "/a.yaml")
      << "model: m\noutput_dir: o\ntrain_file: [a.jsonl, b.jsonl]\n"
      << "learning_rate: 1e-3\nlora:\n  r: 4\n  target_modules: q_proj\n";
  std::ofstream(dir + "/a.jsonl") << "x";
  const auto o = ReadTrainOptions(dir + "/a.yaml", {"max_steps=7", "lora.use_rslora=true"});
  ASSERT_TRUE(o.ok()) << o.status().message();
  EXPECT_EQ(o->train_file, (std::vector<std::string>{dir + "/a.jsonl", "b.jsonl"}));
  EXPECT_EQ(o->learning_rate, 1e-3);
  EXPECT_EQ(o->max_steps, 7);
  EXPECT_TRUE(o->lora.enabled && o->lora.use_rslora);
  EXPECT_EQ(o->lora.r, 4);
  EXPECT_EQ(o->lora.target_modules, std::vector<std::string>{"q_proj"});
}

TEST(Options, MistakesAreNamedWithTheirLine) {
  const std::string dir = TempDir();
  const auto error = [&](const std::string& line, const std::vector<std::string>& sets) {
    std::ofstream(dir + "/a.yaml") << "model: m\noutput_dir: o\ntrain_file: a\n" << line << "\n";
    const auto o = ReadTrainOptions(dir + "/a.yaml", sets);
    return o.ok() ? "no error" : o.status().message();
  };
  const auto has = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  has(error("learning_rat: 1", {}), dir +
                                        "/a.yaml:4: unknown option \"learning_rat\"; did you "
                                        "mean \"learning_rate\"?");
  has(error("lora:\n  rr: 1", {}), "a.yaml:5: unknown option \"lora.rr\"; did you mean \"lora.r\"");
  has(error("max_steps: 1.5", {}), "a.yaml:4: max_steps is \"1.5\"; allowed: 0 or more");
  has(error("optim: sgd", {}), "allowed: adamw, adamw_8bit");
  has(error("packing: maybe", {}), "allowed: true, false");
  has(error("seed: [1, 2]", {}), "a.yaml:4");
  has(error("a: [", {}), "a.yaml:");
  has(error("", {"packing"}), "--set wants NAME=VALUE");
  has(error("task: contrastive\npacking: true", {}),
      "packing is of task: language; leave it out with task: contrastive");
  has(error("pos_weight: [1, 2]", {}), "pos_weight is of task: classification");
  has(error("task: classification\nlora:\n  r: 2", {}), "lora: is of task: language");
  has(error("task: classification\ntrain_last_layers: 2", {}), "freeze_vision_tower: false");
  has(error("", {"weight_decay=-1"}), "--set: weight_decay is \"-1\"");
  has(error("early_stopping_patience: 2", {}), "eval_file");
}

TEST(Schedule, AsTransformers) {
  // get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup, transformers 5.23.
  EXPECT_EQ(ScheduleFactor("cosine", 0, 4, 20), 0.0);
  EXPECT_EQ(ScheduleFactor("cosine", 2, 4, 20), 0.5);
  EXPECT_EQ(ScheduleFactor("cosine", 4, 4, 20), 1.0);
  EXPECT_NEAR(ScheduleFactor("cosine", 8, 4, 20), 0.8535533905932737, 1e-15);
  EXPECT_NEAR(ScheduleFactor("cosine", 20, 4, 20), 0.0, 1e-15);
  EXPECT_EQ(ScheduleFactor("linear", 12, 4, 20), 0.5);
  EXPECT_EQ(ScheduleFactor("constant", 19, 0, 20), 1.0);
}

struct Toy {
  explicit Toy(int64_t n) : value(n), grad(n) {
    for (int64_t i = 0; i < n; ++i) value[static_cast<size_t>(i)] = std::sin(static_cast<float>(i));
    params = {{"w", value.data(), grad.data(), {n}, true}};
  }
  // The gradient of half of sum c_i (w_i - t_i)^2, coordinates of very different curvature.
  void Gradient() {
    for (size_t i = 0; i < value.size(); ++i) {
      grad[i] = std::exp2(static_cast<float>(i % 12) - 6) * (value[i] - Target(i));
    }
  }
  static float Target(size_t i) { return std::cos(static_cast<float>(i)); }
  double Error() const {
    double sum = 0;
    for (size_t i = 0; i < value.size(); ++i) sum += std::fabs(value[i] - Target(i));
    return sum / static_cast<double>(value.size());
  }
  std::vector<float> value, grad;
  std::vector<TrainParam> params;
};

TEST(AdamW, EightBitsFollowThirtyTwo) {
  constexpr int64_t kSize = 70000;  // several pieces, a last block that is short
  double errors[2];
  for (const bool eight : {false, true}) {
    Toy toy(kSize);
    ThreadPool pool(2);
    auto adam = AdamW::Create(toy.params, {0.9, 0.999, 1e-8, 0, eight});
    ASSERT_TRUE(adam.ok());
    const double before = toy.Error();
    for (int step = 1; step <= 200; ++step) {
      toy.Gradient();
      adam->Step(pool, step, 0.02, 1.0f);
    }
    errors[eight] = toy.Error();
    EXPECT_LT(errors[eight], before / 20);
    EXPECT_EQ(toy.grad, std::vector<float>(kSize));  // set to zero
  }
  EXPECT_LT(errors[1], 2 * errors[0] + 0.01);
}

TEST(AdamW, SameBitsWithAnyNumberOfWorkers) {
  for (const bool eight : {false, true}) {
    std::vector<float> results[2];
    double norms[2];
    for (const int workers : {1, 2}) {
      Toy toy(50001);
      ThreadPool pool(workers);
      auto adam = AdamW::Create(toy.params, {0.9, 0.99, 1e-8, 0.1, eight});
      ASSERT_TRUE(adam.ok());
      for (int step = 1; step <= 3; ++step) {
        toy.Gradient();
        norms[workers - 1] = GradientNorm(toy.params, pool);
        adam->Step(pool, step, 0.02, 0.5f);
      }
      results[workers - 1] = toy.value;
    }
    EXPECT_EQ(results[0], results[1]);
    EXPECT_EQ(norms[0], norms[1]);
  }
}

// Pages of a block that are in memory.
int64_t ResidentPages(const void* begin, int64_t bytes) {
  const auto first = (reinterpret_cast<uintptr_t>(begin) + 4095) / 4096 * 4096;
  std::vector<unsigned char> pages(static_cast<size_t>(bytes) / 4096 + 1);
  EXPECT_EQ(
      ::mincore(reinterpret_cast<void*>(first), static_cast<size_t>(bytes) - 4096, pages.data()),
      0);
  return std::count_if(pages.begin(), pages.end(), [](unsigned char p) { return p & 1; });
}

TEST(AdamW, SparseGradientsTakeTheRowsThatAreWritten) {
  constexpr int64_t kRows = 3000, kCols = 1000;
  for (const bool eight : {false, true}) {
    Result<PageBuffer> memory = PageBuffer::Allocate(4 * kRows * kCols + 64, "gradients");
    ASSERT_TRUE(memory.ok());
    // It need not begin with a page.
    auto* const grad = reinterpret_cast<float*>(memory->data() + 64);
    MakeSparse(grad, 4 * kRows * kCols);
    std::vector<float> sparse_value(kRows * kCols, 1.0f), dense_value = sparse_value;
    std::vector<float> dense_grad(kRows * kCols);
    std::vector<TrainParam> sparse = {{"w", sparse_value.data(), grad, {kRows, kCols}, true}};
    sparse[0].sparse = true;
    const std::vector<TrainParam> dense = {
        {"w", dense_value.data(), dense_grad.data(), {kRows, kCols}, true}};
    ThreadPool pool(2);
    auto one = AdamW::Create(sparse, {0.9, 0.99, 1e-8, 0.1, eight});
    auto other = AdamW::Create(dense, {0.9, 0.99, 1e-8, 0.1, eight});
    ASSERT_TRUE(one.ok() && other.ok());
    for (int step = 1; step <= 3; ++step) {
      for (const int64_t row : {int64_t{0}, int64_t{7} * step, kRows - 1}) {
        for (int64_t i = row * kCols; i < (row + 1) * kCols; ++i) {
          grad[i] = dense_grad[i] = std::sin(static_cast<float>(i + step));
        }
      }
      // Before anybody reads the rest, which maps the page of zeros.
      EXPECT_LT(ResidentPages(grad, 4 * kRows * kCols), 20);
      EXPECT_EQ(GradientNorm(sparse, pool), GradientNorm(dense, pool));
      one->Step(pool, step, 0.02, 0.5f);
      other->Step(pool, step, 0.02, 0.5f);
      EXPECT_EQ(sparse_value, dense_value);
    }
    EXPECT_TRUE(std::all_of(grad, grad + kRows * kCols, [](float g) { return g == 0; }));
  }
}

std::vector<ExampleInfo> Examples(int n) {
  std::vector<ExampleInfo> examples;
  for (int i = 0; i < n; ++i) examples.push_back({i, 5 + i * 7 % 20, 2 + i % 3});
  return examples;
}

TEST(BatchPlan, EveryExampleOnceARound) {
  const auto examples = Examples(101);
  for (const bool packing : {false, true}) {
    TrainOptions o;
    o.max_seq_length = 40;
    o.per_device_train_batch_size = 3;
    o.packing = packing;
    const BatchPlan plan(examples, o, true);
    std::vector<int64_t> first;
    for (int64_t round = 0; round < 3; ++round) {
      std::vector<int64_t> seen;
      for (int64_t b = 0; b < plan.batches_per_round(); ++b) {
        int64_t tokens = 0, labels = 0;
        const std::vector<int64_t> batch = plan.Examples(round, b);
        EXPECT_FALSE(batch.empty());
        for (const int64_t e : batch) {
          tokens += examples[static_cast<size_t>(e)].tokens;
          labels += examples[static_cast<size_t>(e)].labels;
        }
        EXPECT_LE(tokens, plan.max_tokens());
        EXPECT_LE(labels, plan.max_labels());
        if (packing) {
          EXPECT_LE(tokens, 120);
        }
        seen.insert(seen.end(), batch.begin(), batch.end());
      }
      if (round == 0) first = seen;
      if (round == 1) {
        EXPECT_NE(seen, first);
      }
      std::sort(seen.begin(), seen.end());
      std::vector<int64_t> all(101);
      std::iota(all.begin(), all.end(), 0);
      EXPECT_EQ(seen, all);
    }
  }
}

TEST(FlatBatch, PositionsRestartAndTargetsStayInside) {
  FlatBatch batch;
  batch.Add({{1, 2, 3}, {-100, 2, 3}});
  batch.Add({{4, 5}, {4, 5}});  // the first token is never predicted
  EXPECT_EQ(batch.positions, (std::vector<int32_t>{0, 1, 2, 0, 1}));
  EXPECT_EQ(batch.logit_rows, (std::vector<int32_t>{0, 1, 3}));
  EXPECT_EQ(batch.targets, (std::vector<int32_t>{2, 3, 5}));
  ASSERT_EQ(batch.spans.size(), 2u);
  EXPECT_EQ(batch.spans[1].begin, 3);
  EXPECT_EQ(batch.spans[1].position, 0);
}

TEST(AtomicDirectory, ReplacesAsAWhole) {
  const std::string dir = TempDir() + "/x";
  for (const char* text : {"old", "new"}) {
    auto folder = AtomicDirectory::Create(dir);
    ASSERT_TRUE(folder.ok()) << folder.status().message();
    ASSERT_TRUE(folder->WriteFile("a", text).ok());
    ASSERT_TRUE(folder->Commit().ok());
  }
  {
    auto dropped = AtomicDirectory::Create(dir);
    ASSERT_TRUE(dropped.ok() && dropped->WriteFile("a", "never").ok());
  }
  EXPECT_EQ(*ReadFile(dir + "/a"), "new");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir + "/.."),
                          std::filesystem::directory_iterator()),
            1);
}

TEST(EventFile, FramesAreWhole) {
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283u);  // RFC 3720, B.4
  const std::string dir = TempDir();
  auto events = EventFile::Create(dir);
  ASSERT_TRUE(events.ok());
  ASSERT_TRUE(events->Add(3, {{"a", 1.5}}).ok());
  const auto path = std::filesystem::directory_iterator(dir)->path().string();
  const std::string bytes = *ReadFile(path);
  size_t at = 0;
  int records = 0;
  while (at < bytes.size()) {
    uint64_t length;
    std::memcpy(&length, bytes.data() + at, 8);
    at += 8 + 4 + length + 4;
    ++records;
  }
  EXPECT_EQ(at, bytes.size());
  EXPECT_EQ(records, 2);
}

}  // namespace
}  // namespace galen
