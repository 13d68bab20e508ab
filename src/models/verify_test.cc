#include "models/verify.h"

#include <gtest/gtest.h>

#include <cstring>

#include "models/golden_data.h"

namespace galen {
namespace {

class VerifyTest : public testing::Test {
 protected:
  ThreadPool pool_{2};
};

TEST_F(VerifyTest, EveryArchitecturePassesOnEveryInstructionSet) {
  ASSERT_GE(GoldenNames().size(), 4u);
  for (const Isa isa : SupportedIsas()) {
    for (const std::string& name : GoldenNames()) {
      for (const Compute compute : {Compute::kFp32, Compute::kBf16}) {
        SCOPED_TRACE(std::string(IsaName(isa)) + " " + name +
                     (compute == Compute::kFp32 ? " fp32" : " bf16"));
        const auto result = Verify(name, KernelsFor(isa), pool_, compute);
        ASSERT_TRUE(result.ok()) << result.status().message();
        EXPECT_GE(result->layers.size(), 5u);
        EXPECT_EQ(result->layers.back().name, "logits");
        const LayerCheck* failure = result->first_failure();
        EXPECT_EQ(failure, nullptr)
            << failure->name << " " << failure->error << " > " << failure->limit;
      }
    }
  }
}

TEST_F(VerifyTest, VectorsOfAFamily) {
  EXPECT_EQ(GoldenNamesFor("gemma3", true), (std::vector<std::string>{"gemma3", "gemma3-vision"}));
  EXPECT_EQ(GoldenNamesFor("gemma3", false), std::vector<std::string>{"gemma3"});
  const auto result = Verify("nonsense", KernelsFor(Isa::kRef), pool_, Compute::kFp32);
  EXPECT_EQ(result.status().code(), StatusCode::kNotFound);
  EXPECT_NE(result.status().message().find("gemma3-vision"), std::string::npos);
}

// Changes one weight inside a copy of the vectors: every layer before it still passes.
TEST_F(VerifyTest, TheFirstLayerThatDiffersIsNamed) {
  for (const BuiltinFile& golden : GoldenFiles()) {
    if (GoldenName(golden) != "gemma3-vision") continue;
    std::vector<uint8_t> bytes(golden.bytes.begin(), golden.bytes.end());
    const std::string name = "vision_tower.encoder.layers.1.mlp.fc1.bias";
    const std::string header(reinterpret_cast<const char*>(bytes.data()), 65536);
    const size_t at = header.find(name), offsets = header.find("\"data_offsets\":[", at);
    ASSERT_NE(at, std::string::npos);
    uint64_t header_size;
    std::memcpy(&header_size, bytes.data(), sizeof(header_size));
    const size_t value = 8 + header_size + std::stoull(header.substr(offsets + 16));
    for (size_t i = 0; i < 8; ++i)
      bytes[value + 2 * i] = 0, bytes[value + 2 * i + 1] = 0x40;  // 2.0 in bf16
    for (const Compute compute : {Compute::kFp32, Compute::kBf16}) {
      const auto result = VerifyBytes(bytes, "damaged", KernelsFor(*ChooseIsa()), pool_, compute);
      ASSERT_TRUE(result.ok()) << result.status().message();
      ASSERT_NE(result->first_failure(), nullptr);
      EXPECT_EQ(result->first_failure()->name, "vision.layers.1");
    }
    bytes.resize(bytes.size() / 2);
    EXPECT_FALSE(VerifyBytes(bytes, "cut", KernelsFor(Isa::kRef), pool_, Compute::kFp32).ok());
  }
}

}  // namespace
}  // namespace galen
