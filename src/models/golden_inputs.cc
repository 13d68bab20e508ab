#include "models/golden_inputs.h"

#include <cstring>

namespace galen {

Result<std::vector<int32_t>> GoldenInts(const Checkpoint& file, const std::string& name) {
  ASSIGN_OR_RETURN(const TensorInfo* tensor, file.Find(name));
  if (tensor->dtype != DType::kI32)
    return DataLoss(file.path() + ": " + name + " is no I32 tensor");
  std::vector<int32_t> values(static_cast<size_t>(tensor->NumElements()));
  if (!values.empty()) std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
  return values;
}

Result<std::vector<float>> GoldenFloats(const Checkpoint& file, const std::string& name) {
  ASSIGN_OR_RETURN(const TensorInfo* tensor, file.Find(name));
  if (tensor->dtype != DType::kF32)
    return DataLoss(file.path() + ": " + name + " is no F32 tensor");
  std::vector<float> values(static_cast<size_t>(tensor->NumElements()));
  FormatOf(DType::kF32).decode(tensor->bytes.data(), values.data(), tensor->NumElements());
  return values;
}

Result<GoldenInputs> GoldenInputs::Read(const Checkpoint& file, int32_t soft_token,
                                        bool bidirectional) {
  GoldenInputs in;
  ASSIGN_OR_RETURN(in.tokens_, GoldenInts(file, "tokens"));
  ASSIGN_OR_RETURN(const std::vector<int32_t> lengths, GoldenInts(file, "lengths"));
  in.look_ahead_.assign(in.tokens_.size(), -1);
  const auto size = static_cast<int64_t>(in.tokens_.size());
  for (const int32_t length : lengths) {
    const auto begin = static_cast<int64_t>(in.positions_.size());
    if (length < 1 || begin + length > size)
      return DataLoss(file.path() + ": lengths do not add up to the tokens");
    in.spans_.push_back({begin, begin + length, 0, nullptr});
    for (int32_t i = 0; i < length; ++i) in.positions_.push_back(i);
  }
  if (static_cast<int64_t>(in.positions_.size()) != size)
    return DataLoss(file.path() + ": lengths do not add up to the tokens");
  for (int64_t i = 0; i < size; ++i) in.rows_.push_back(static_cast<int32_t>(i));
  for (const SequenceSpan& span : in.spans_) {
    for (int64_t row = span.begin; row < span.end;) {
      int64_t end = row;
      while (end < span.end && in.tokens_[end] == soft_token) ++end;
      if (end == row) {
        ++row;
        continue;
      }
      in.runs_.push_back({row, end - row});
      for (; row < end; ++row) {
        if (bidirectional) in.look_ahead_[row] = static_cast<int32_t>(end - 1 - span.begin);
      }
    }
  }
  if (!file.Has("positions")) return in;
  ASSIGN_OR_RETURN(in.positions_, GoldenInts(file, "positions"));
  if (in.positions_.size() != 3 * in.tokens_.size())
    return DataLoss(file.path() + ": positions are not three for each token");
  return in;
}

Batch GoldenInputs::batch(const Tensor& images) {
  sources_.clear();
  int64_t first = 0;
  for (const auto& [row, count] : runs_) {
    sources_.push_back({images, first, row, count});
    first += count;
  }
  Batch batch;
  batch.tokens = tokens_;
  const size_t n = tokens_.size();
  const std::span<const int32_t> positions = positions_;
  batch.positions = positions.first(n);
  if (positions.size() > n) {
    batch.row_positions = positions.subspan(n, n);
    batch.column_positions = positions.subspan(2 * n, n);
  }
  batch.spans = spans_;
  batch.logit_rows = rows_;
  if (!images.empty()) {
    batch.embeddings = sources_;
    batch.look_ahead = look_ahead_.data();
  }
  return batch;
}

Result<PreparedImage> GoldenImage(const Checkpoint& file, int64_t i, int64_t side,
                                  const VisionConfig& config, const ImageProcessor& processor) {
  ASSIGN_OR_RETURN(const TensorInfo* pixels, file.Find("images"));
  const std::vector<int64_t>& shape = pixels->shape;
  if (pixels->dtype != DType::kU8 || shape.size() != 4 || shape[1] != config.image_size ||
      shape[2] != shape[1] || shape[3] != 3 || i < 0 || i >= shape[0] || side > shape[1]) {
    return DataLoss(file.path() + ": images do not fit the configuration");
  }
  Image image{side, side, 3, {}};
  for (int64_t y = 0; y < side; ++y) {
    const uint8_t* row = pixels->bytes.data() + (i * shape[1] + y) * shape[1] * 3;
    image.pixels.insert(image.pixels.end(), row, row + side * 3);
  }
  ImageOptions options;
  options.tokens = config.tokens_per_image * side * side / (shape[1] * shape[1]);
  ASSIGN_OR_RETURN(std::vector<PreparedImage> views, processor.Prepare(image, options));
  if (views.size() != 1 || views[0].pixels.pixels != image.pixels) {
    return DataLoss(file.path() + ": an image was resampled");
  }
  return std::move(views[0]);
}

Result<PreparedImage> GoldenImage(const Checkpoint& file, int64_t i,
                                  const ImageProcessor& processor) {
  ASSIGN_OR_RETURN(const TensorInfo* pixels, file.Find("image." + std::to_string(i)));
  const std::vector<int64_t>& shape = pixels->shape;
  if (pixels->dtype != DType::kU8 || shape.size() != 3 || shape[2] != 3)
    return DataLoss(file.path() + ": " + pixels->name + " is no picture");
  Image image{shape[1], shape[0], 3, {pixels->bytes.begin(), pixels->bytes.end()}};
  ImageOptions options;
  options.min_pixels = 1;  // as small as they are
  ASSIGN_OR_RETURN(std::vector<PreparedImage> views, processor.Prepare(image, options));
  return std::move(views.at(0));
}

Tensor EncodeImages(ExecContext& ctx, const ImageTower& tower, const ImageProcessor& processor,
                    std::span<const PreparedImage> images) {
  int64_t patches = 0;
  for (const PreparedImage& image : images) patches += image.grid.patches();
  ImageBatch batch;
  batch.patches = ctx.arena->NewTensor({patches, tower.config().patch_values()});
  std::vector<ImageGrid> grids;
  int64_t row = 0;
  for (const PreparedImage& image : images) {
    processor.FillPatches(image, batch.patches.row(row));
    row += image.grid.patches();
    grids.push_back(image.grid);
  }
  batch.grids = grids;
  return tower.Forward(ctx, batch);
}

}  // namespace galen
