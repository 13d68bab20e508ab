#include "train/fit_plan.h"

#include <gtest/gtest.h>

namespace galen {
namespace {

constexpr int64_t kMega = 1000000;

// A run whose parts shrink as the options say.
Result<TrainMemory> PlanOfFake(const TrainOptions& o) {
  if (o.max_seq_length < 512) return InvalidArgument("none of the lines can be used");
  TrainMemory m;
  m.base = o.weights == "file" ? 800 : o.weights == "q8_0" ? 400 : 200;
  m.base += o.head_weights == "file" ? 200 : o.head_weights == "q8_0" ? 100 : 80;
  m.optimiser = o.optim == "adamw" ? 100 : 25;
  const int64_t image = o.image_tokens == 64 ? 64 : 256;
  m.activations = o.per_device_train_batch_size * (o.max_seq_length + image) / 8;
  if (o.gradient_checkpointing) m.activations /= 4;
  for (int64_t* part : {&m.base, &m.optimiser, &m.activations}) *part *= kMega;
  return m;
}

class Fit : public testing::Test {
 protected:
  Fit() {
    options_.max_seq_length = 1024;
    options_.per_device_train_batch_size = 5;
    options_.gradient_accumulation_steps = 2;
    options_.lora.enabled = true;
    setup_.image_tokens = 256;
    setup_.plan = PlanOfFake;
  }
  Result<FitResult> Into(int64_t megabytes) {
    setup_.bytes = megabytes * kMega;
    return FitOptions(options_, setup_);
  }
  static std::string Names(const FitResult& fit) {
    std::string names;
    for (const FitStep& s : fit.steps) names += s.option + ":" + s.from + ">" + s.to + " ";
    return names;
  }
  TrainOptions options_;
  FitSetup setup_;
};

TEST_F(Fit, NothingIsChangedThatNeedNotBe) {
  const auto fit = Into(1900);
  ASSERT_TRUE(fit.ok()) << fit.status().message();
  EXPECT_TRUE(fit->steps.empty());
  EXPECT_EQ(fit->memory.total(), 1900 * kMega);
  EXPECT_EQ(fit->options.per_device_train_batch_size, 5);
}

TEST_F(Fit, TheLeastHarmfulFirst) {
  const auto one = Into(1899);
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(Names(*one), "gradient_checkpointing:false>true ");
  const auto two = Into(1000);
  ASSERT_TRUE(two.ok());
  EXPECT_EQ(Names(*two),
            "gradient_checkpointing:false>true per_device_train_batch_size:5>3 "
            "per_device_train_batch_size:3>2 per_device_train_batch_size:2>1 "
            "optim:adamw>adamw_8bit weights:file>q8_0 ")
      << two->memory.total();
  EXPECT_EQ(two->options.gradient_accumulation_steps, 10);
  EXPECT_EQ(two->steps.front().before, 1900 * kMega);
  EXPECT_EQ(two->steps.back().after, two->memory.total());
}

TEST_F(Fit, AllLeversThenRefused) {
  const auto last = Into(329);
  ASSERT_TRUE(last.ok()) << last.status().message();
  EXPECT_EQ(last->options.weights, "nf4");
  EXPECT_EQ(last->options.head_weights, "q6_k");
  EXPECT_EQ(last->options.image_tokens, 64);
  // 256 tokens cannot be: the plan says so.
  EXPECT_EQ(last->options.max_seq_length, 512);
  EXPECT_EQ(last->memory.total(), 323 * kMega);
  const auto none = Into(322);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.status().code(), StatusCode::kResourceExhausted);
  EXPECT_NE(none.status().message().find("the smallest plan needs 323 MB"), std::string::npos)
      << none.status().message();
  EXPECT_NE(none.status().message().find("weights: nf4"), std::string::npos);
}

TEST_F(Fit, WhatTheRunDoesNotHaveIsNotChanged) {
  options_.lora.enabled = false;
  setup_.image_tokens = 0;
  const auto none = Into(1);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.status().message().find("weights"), std::string::npos);
  EXPECT_EQ(none.status().message().find("image_tokens"), std::string::npos);
}

TEST_F(Fit, StopsAndFailsWithThePlan) {
  setup_.plan = [](const TrainOptions& o) -> Result<TrainMemory> {
    if (o.gradient_checkpointing) return Cancelled("stopped");
    return PlanOfFake(o);
  };
  EXPECT_EQ(Into(1).status().code(), StatusCode::kCancelled);
  setup_.plan = [](const TrainOptions&) -> Result<TrainMemory> { return NotFound("no base"); };
  EXPECT_EQ(Into(1).status().code(), StatusCode::kNotFound);
}

TEST(MemorySize, IsReadStrictly) {
  EXPECT_EQ(*ParseMemorySize("4GB"), 4000000000);
  EXPECT_EQ(*ParseMemorySize("1.5G"), 1500000000);
  EXPECT_EQ(*ParseMemorySize("512MB"), 512000000);
  for (const char* bad :
       {"", "GB", "4", "4TB", "-1GB", "0GB", "nanGB", "infGB", "1e99GB", "4GB "}) {
    EXPECT_FALSE(ParseMemorySize(bad).ok()) << bad;
  }
  EXPECT_GT(ProcessBytes(), 1000000);
}

}  // namespace
}  // namespace galen
