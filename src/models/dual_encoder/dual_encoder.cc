#include "models/dual_encoder/dual_encoder.h"

#include <utility>

namespace galen {
namespace {

// Whole models keep the towers under these names; transformers 5 saves a stand-alone tower without
// them, 4.x with them.
constexpr std::string_view kVisionPrefixes[] = {"vision_model.", ""};
constexpr std::string_view kTextTowerPrefixes[] = {"text_model.", ""};
constexpr std::string_view kRootPrefixes[] = {""};
// What a tensor's name must not begin with: it would be a layer that no tower knows.
constexpr std::string_view kLayers = "encoder.layers.";
constexpr std::string_view kNoLayers = "classifier.";

}  // namespace

DualEncoder::DualEncoder(DualEncoderConfig config) : config_(std::move(config)) {
  if (config_.vision) vision_ = std::make_unique<VisionEncoder>(config_);
  if (config_.text) text_ = std::make_unique<TextEncoder>(config_);
}

bool DualEncoder::can_embed_images() const {
  return config_.vision &&
         (config_.family == DualEncoderFamily::kClip || config_.vision->pooling_head);
}

Tensor DualEncoder::EmbedImages(ExecContext& ctx, const Tensor& patches, int64_t n) const {
  GALEN_CHECK(can_embed_images());
  const Tensor pooled = vision_->Pool(ctx, vision_->Forward(ctx, patches, n), n);
  const Tensor x = config_.vision_projection ? Project(ctx, visual_projection_, pooled) : pooled;
  Observe(ctx, "image_features", x);
  return x;
}

Tensor DualEncoder::EmbedTexts(ExecContext& ctx, std::span<const int32_t> ids,
                               std::span<const int32_t> cu_seqlens) const {
  GALEN_CHECK(text_ != nullptr);
  const Tensor pooled = text_->Forward(ctx, ids, cu_seqlens);
  const Tensor x = config_.text_projection ? Project(ctx, text_projection_, pooled) : pooled;
  Observe(ctx, "text_features", x);
  return x;
}

Tensor DualEncoder::ImageTextLogits(ExecContext& ctx, const Tensor& images,
                                    const Tensor& texts) const {
  GALEN_CHECK(config_.similarity);
  const Tensor image_embeds = NormalizeRows(ctx, images);
  const Tensor text_embeds = NormalizeRows(ctx, texts);
  Observe(ctx, "image_embeds", image_embeds);
  Observe(ctx, "text_embeds", text_embeds);
  return Similarity(ctx, image_embeds, text_embeds, logit_scale_, &logit_bias_);
}

Tensor DualEncoder::PoolImages(ExecContext& ctx, const Tensor& patches, int64_t n) const {
  GALEN_CHECK(vision_ != nullptr);
  return vision_->MeanPatches(ctx, vision_->Forward(ctx, patches, n), n);
}

Tensor DualEncoder::ClassifyPooled(ExecContext& ctx, const Tensor& pooled) const {
  GALEN_CHECK(config_.classifier.has_value());
  return Project(ctx, classifier_, pooled);
}

Tensor DualEncoder::ClassifyImages(ExecContext& ctx, const Tensor& patches, int64_t n) const {
  return ClassifyPooled(ctx, PoolImages(ctx, patches, n));
}

Status DualEncoder::MakeInt8Images(const KernelTable& kernels, ThreadPool& pool) {
  GALEN_CHECK(vision_ != nullptr);
  return vision_->stack().MakeInt8(kernels, pool);
}

int64_t DualEncoder::Int8ImageBytes(const KernelTable& kernels) const {
  GALEN_CHECK(vision_ != nullptr);
  return vision_->stack().Int8Bytes(kernels);
}

std::vector<ParamGroup> DualEncoder::Params() {
  std::vector<ParamGroup> groups;
  const auto add = [&groups](ParamTable table, std::span<const std::string_view> prefixes,
                             std::string_view layers) {
    groups.push_back({table.Take(), {prefixes, layers, "", false}});
  };
  ParamTable root;
  if (vision_ != nullptr) {
    ParamTable table = EncoderStack::Table();
    vision_->AddParams(&table);
    add(std::move(table), kVisionPrefixes, kLayers);
    const int64_t hidden = config_.vision->stack.hidden_size;
    if (config_.vision_projection) {
      AddLinearParams(&root, "visual_projection", config_.embedding_size, hidden, false,
                      &visual_projection_);
    }
  }
  if (config_.classifier) {
    AddLinearParams(&root, "classifier", static_cast<int64_t>(config_.classifier->labels.size()),
                    config_.classifier->features, true, &classifier_);
  }
  if (text_ != nullptr) {
    ParamTable table = EncoderStack::Table();
    text_->AddParams(&table);
    add(std::move(table), kTextTowerPrefixes, kLayers);
    if (config_.text_projection) {
      AddLinearParams(&root, "text_projection", config_.embedding_size,
                      config_.text->stack.hidden_size, false, &text_projection_);
    }
  }
  if (config_.similarity) {
    root.Vector("logit_scale", "", 1, &logit_scale_).flat = true;
    if (config_.family == DualEncoderFamily::kSiglip) {
      root.Vector("logit_bias", "", 1, &logit_bias_).flat = true;
    }
  }
  add(std::move(root), kRootPrefixes, kNoLayers);
  return groups;
}

int64_t DualEncoder::ImageArenaBytes(const KernelTable& kernels, int num_threads, int64_t n) const {
  GALEN_CHECK(vision_ != nullptr);
  const int64_t labels =
      config_.classifier ? static_cast<int64_t>(config_.classifier->labels.size()) : 0;
  const int64_t results = n * (3 * config_.embedding_size + labels);
  return vision_->ArenaBytes(kernels, num_threads, n) +
         results * static_cast<int64_t>(sizeof(float)) +
         LinearArenaBytes(kernels, num_threads, n, config_.vision->stack.hidden_size);
}

int64_t DualEncoder::TextArenaBytes(const KernelTable& kernels, int num_threads, int64_t n) const {
  GALEN_CHECK(text_ != nullptr);
  return text_->ArenaBytes(kernels, num_threads, n) +
         2 * n * config_.embedding_size * static_cast<int64_t>(sizeof(float)) +
         LinearArenaBytes(kernels, num_threads, n, config_.text->stack.hidden_size);
}

}  // namespace galen
