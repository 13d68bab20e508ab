#include "engine/memory_plan.h"

#include <gtest/gtest.h>

namespace galen {
namespace {

TEST(MemoryPlan, SaysWhatIsMissing) {
  const MemoryPlan plan{2500000000, 500000000, 100000000};
  EXPECT_TRUE(CheckMemory(plan, 3100000000).ok());
  const Status status = CheckMemory(plan, 2000000000);
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  for (const char* part : {"needs 3.1 GB", "weights 2.5 GB", "KV cache 500 MB",
                           "activations 100 MB", "2.0 GB free", "--context"}) {
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  }
}

TEST(MemoryPlan, Units) {
  EXPECT_EQ(FormatBytes(0), "0 kB");
  EXPECT_EQ(FormatBytes(12345), "12 kB");
  EXPECT_EQ(FormatBytes(12345678), "12 MB");
  EXPECT_EQ(FormatBytes(3140000000), "3.1 GB");
}

TEST(MemoryPlan, ThisMachineHasSomeMemory) {
  EXPECT_GT(AvailableMemory(), int64_t{10} << 20);
  EXPECT_LT(AvailableMemory(), int64_t{1} << 46);
}

}  // namespace
}  // namespace galen
