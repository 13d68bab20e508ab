// Rows of images: replaced embeddings and interpolated position tables.
#include "ops/op_test_util.h"

namespace galen {
namespace {

using cases::Uniform;

class ImageRows : public OpsTest {};
INSTANTIATE_TEST_SUITE_P(AllIsas, ImageRows, ::testing::ValuesIn(SupportedIsas()), IsaTestName);

TEST_P(ImageRows, ReplacedRowsAreTheSources) {
  std::vector<float> x = Uniform(5 * 3, 1), a = Uniform(4 * 3, 2);
  const std::vector<float> before = x;
  const RowSource sources[] = {{Wrap(a, {4, 3}), 2, 1, 2}, {Wrap(a, {4, 3}), 0, 4, 1}};
  const Tensor y = ReplaceRows(ctx, Wrap(x, {5, 3}), sources);
  EXPECT_EQ(y.data, x.data());
  const int64_t from[] = {-1, 2, 3, -1, 0};  // row of a; -1: kept
  for (int64_t r = 0; r < 5; ++r) {
    for (int64_t j = 0; j < 3; ++j) {
      EXPECT_EQ(y.row(r)[j], from[r] < 0 ? before[r * 3 + j] : a[from[r] * 3 + j]) << r << " " << j;
    }
  }
}

TEST_P(ImageRows, ReplacedRowsPassGradientsToTheirSources) {
  std::vector<float> x = Uniform(5 * 3, 1), a = Uniform(4 * 3, 2), b = Uniform(3, 3),
                     zero(15, 0.0f);
  const auto forward = [&](ExecContext& c) {
    // A copy by an op: replacing consumes it.
    const Tensor copy = Add(c, Wrap(x, {5, 3}), Wrap(zero, {5, 3}));
    const RowSource sources[] = {{Wrap(a, {4, 3}), 2, 1, 2}, {Wrap(b, {1, 3}), 0, 3, 1}};
    return ReplaceRows(c, copy, sources);
  };
  CheckGradients(ctx, forward, {{"x", &x}, {"a", &a}, {"b", &b}}, 0.5);
}

TEST_P(ImageRows, InterpolatedTableOfTheSameSizeIsTheTable) {
  std::vector<float> x = Uniform(2 * 6 * 5, 1), table = Uniform(6 * 5, 2);
  const VectorParam param{table.data(), 30, nullptr};
  const std::vector<float> y =
      Values(AddInterpolatedRows(ctx, Wrap(x, {12, 5}), param, {2, 3}, {2, 3}));
  for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], x[i] + table[i % 30], 1e-6);
}

// torch.nn.functional.interpolate(arange(16).reshape(1, 1, 4, 4), size=(2, 3), mode="bicubic",
// align_corners=False)
TEST_P(ImageRows, InterpolationIsThatOfPyTorch) {
  std::vector<float> table(16), x(6, 0.0f);
  for (size_t i = 0; i < 16; ++i) table[i] = static_cast<float>(i);
  const VectorParam param{table.data(), 16, nullptr};
  const std::vector<float> y =
      Values(AddInterpolatedRows(ctx, Wrap(x, {6, 1}), param, {4, 4}, {2, 3}));
  const float expected[] = {1.75115788f, 3.125f, 4.49884367f, 10.5011597f, 11.875f, 13.2488451f};
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(y[i], expected[i], 2e-6) << i;
}

TEST_P(ImageRows, InterpolationHasGradients) {
  std::vector<float> x = Uniform(2 * 6 * 2, 1), table = Uniform(20 * 2, 2), dtable(40);
  const VectorParam param{table.data(), 40, dtable.data()};
  const auto forward = [&](ExecContext& c) {
    return AddInterpolatedRows(c, Wrap(x, {12, 2}), param, {4, 5}, {3, 2});
  };
  CheckGradients(ctx, forward, {{"x", &x}, {"table", &table, &dtable}}, 0.5);
}

}  // namespace
}  // namespace galen
