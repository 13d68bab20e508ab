#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "kernels/kernel_table.h"

namespace galen {
namespace {

// Sets GALEN_ISA for one test.
class ForcedIsa {
 public:
  explicit ForcedIsa(const char* name) {
    const char* before = std::getenv("GALEN_ISA");
    had_ = before != nullptr;
    if (had_) before_ = before;
    ::setenv("GALEN_ISA", name, 1);
  }
  ~ForcedIsa() {
    if (had_)
      ::setenv("GALEN_ISA", before_.c_str(), 1);
    else
      ::unsetenv("GALEN_ISA");
  }

 private:
  bool had_;
  std::string before_;
};

TEST(Isa, SupportedOnesAscendFromTheReference) {
  const std::vector<Isa> isas = SupportedIsas();
  ASSERT_FALSE(isas.empty());
  EXPECT_EQ(isas.front(), Isa::kRef);
  EXPECT_TRUE(std::is_sorted(isas.begin(), isas.end()));
}

TEST(Isa, TheVariableForcesASupportedOne) {
  for (Isa isa : SupportedIsas()) {
    const ForcedIsa forced(IsaName(isa).data());
    const Result<Isa> chosen = ChooseIsa();
    ASSERT_TRUE(chosen.ok());
    EXPECT_EQ(*chosen, isa);
  }
  const ForcedIsa empty("");
  ASSERT_TRUE(ChooseIsa().ok());
  EXPECT_EQ(*ChooseIsa(), SupportedIsas().back());
}

TEST(Isa, AnUnknownNameIsRefusedWithTheChoice) {
  const ForcedIsa forced("sse9");
  const Result<Isa> chosen = ChooseIsa();
  ASSERT_FALSE(chosen.ok());
  EXPECT_EQ(chosen.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(chosen.status().message().find("sse9"), std::string::npos);
  EXPECT_NE(chosen.status().message().find("ref"), std::string::npos);
}

TEST(KernelTable, EveryEntryIsThere) {
  for (Isa isa : SupportedIsas()) {
    const KernelTable& t = KernelsFor(isa);
    EXPECT_EQ(t.name, IsaName(isa));
    EXPECT_TRUE(t.packed_bytes && t.pack_rows && t.decode_rows && t.plan_linear &&
                t.linear_operand_bytes && t.linear_prepare && t.linear_units &&
                t.linear_scratch_bytes && t.linear_compute);
    EXPECT_TRUE(t.linear_backward_scratch_bytes && t.linear_backward_input &&
                t.linear_backward_weight);
    EXPECT_TRUE(t.rms_norm && t.rms_norm_backward && t.rope && t.gate_mul && t.gate_mul_backward &&
                t.add && t.scale && t.log_sum_exp && t.scaled_softmax && t.argmax);
    EXPECT_TRUE(t.kv_write && t.paged_attention && t.paged_attention_scratch_bytes &&
                t.merge_partials && t.attention && t.attention_scratch_bytes &&
                t.attention_backward);
  }
}

}  // namespace
}  // namespace galen
