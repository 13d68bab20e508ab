#include "models/dual_encoder/dual_encoder_config.h"

#include <algorithm>
#include <array>
#include <utility>

#include "models/dual_encoder/classifier_config.h"
#include "models/model_config.h"
#include "models/vision/vision_config.h"

namespace galen {
namespace {

constexpr int64_t kMaxTextPositions = 1 << 16;

// transformers 5.23, configuration_siglip.py and configuration_clip.py.
constexpr EncoderStackConfig kSiglipDefaults = {768, 3072,  12,
                                                12,  1e-6f, ActivationKind::kGeluTanh};
constexpr EncoderStackConfig kClipVisionDefaults = {768, 3072,  12,
                                                    12,  1e-5f, ActivationKind::kQuickGelu};
constexpr EncoderStackConfig kClipTextDefaults = {512, 2048,  12,
                                                  8,   1e-5f, ActivationKind::kQuickGelu};
constexpr int64_t kClipProjection = 512;

constexpr auto kDualEncoderTypes =
    std::to_array<std::string_view>({"siglip", "siglip_vision_model", "siglip_text_model", "clip",
                                     "clip_vision_model", "clip_text_model"});

constexpr auto kFramings = std::to_array<std::pair<std::string_view, Framing>>({
    {"plain", Framing::kPlain},
    {"pad_to_square", Framing::kPadToSquare},
    {"center_crop", Framing::kCenterCrop},
});

bool HasAny(const Checkpoint& checkpoint, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](const char* name) { return checkpoint.Has(name); });
}

Result<VisionEncoderConfig> ReadVision(const JsonView& view, bool siglip,
                                       const Checkpoint& checkpoint) {
  VisionEncoderConfig c;
  ASSIGN_OR_RETURN(c.stack, ReadEncoderStack(view, siglip ? kSiglipDefaults : kClipVisionDefaults));
  ASSIGN_OR_RETURN(c.patch_size, view.GetIntOr("patch_size", siglip ? 16 : 32, 1, kMaxPatchSize));
  ASSIGN_OR_RETURN(c.image_size, view.GetIntOr("image_size", 224, c.patch_size, kMaxImageSize));
  ASSIGN_OR_RETURN(const int64_t channels, view.GetIntOr("num_channels", 3, 1, 1 << 10));
  if (channels != 3) {
    return Unsupported(view.Describe("num_channels") + " is " + std::to_string(channels) +
                       ", expected 3 (RGB)");
  }
  // A convolution leaves out what is no whole patch; no published tower has such a border.
  if (c.image_size % c.patch_size != 0) {
    return Unsupported(view.Describe("image_size") + " is " + std::to_string(c.image_size) +
                       ", no multiple of patch_size " + std::to_string(c.patch_size));
  }
  c.pooling_head = siglip && HasAny(checkpoint, {"vision_model.head.probe", "head.probe"});
  return c;
}

Result<TextEncoderConfig> ReadText(const JsonView& view, bool siglip) {
  TextEncoderConfig c;
  ASSIGN_OR_RETURN(c.stack, ReadEncoderStack(view, siglip ? kSiglipDefaults : kClipTextDefaults));
  ASSIGN_OR_RETURN(c.vocab_size,
                   view.GetIntOr("vocab_size", siglip ? 32000 : 49408, 1, kMaxVocabSize));
  ASSIGN_OR_RETURN(
      c.max_position_embeddings,
      view.GetIntOr("max_position_embeddings", siglip ? 64 : 77, 2, kMaxTextPositions));
  ASSIGN_OR_RETURN(const int64_t eos,
                   view.GetIntOr("eos_token_id", 49407, 0, (int64_t{1} << 31) - 1));
  c.eos_token_id = static_cast<int32_t>(eos);
  return c;
}

// The object of one tower: the file itself when it is that tower's, else "vision_config" or
// "text_config".
Result<JsonView> TowerView(const HfConfig& file, const char* tower) {
  if (file.model_type().ends_with(std::string("_") + tower + "_model")) return file.root();
  return file.root().Object(std::string(tower) + "_config");
}

Status ReadSizes(const HfConfig& file, const Checkpoint& checkpoint, DualEncoderConfig* c) {
  const bool siglip = c->family == DualEncoderFamily::kSiglip;
  if (siglip) {
    if (c->text) {
      ASSIGN_OR_RETURN(const JsonView view, TowerView(file, "text"));
      ASSIGN_OR_RETURN(
          c->embedding_size,
          view.GetIntOr("projection_size", c->text->stack.hidden_size, 1, kMaxHiddenSize));
    }
    if (c->vision) {
      const int64_t hidden = c->vision->stack.hidden_size;
      if (c->text && c->embedding_size != hidden) {
        return DataLoss(file.root().Describe("text_config.projection_size") + " is " +
                        std::to_string(c->embedding_size) + ", but the image tower is " +
                        std::to_string(hidden) + " wide");
      }
      c->embedding_size = hidden;
    }
    return OkStatus();
  }
  c->vision_projection = c->vision && checkpoint.Has("visual_projection.weight");
  c->text_projection = c->text && checkpoint.Has("text_projection.weight");
  ASSIGN_OR_RETURN(c->embedding_size,
                   file.root().GetIntOr("projection_dim", kClipProjection, 1, kMaxHiddenSize));
  // A tower without projection gives its own width.
  if (c->vision && !c->text && !c->vision_projection) {
    c->embedding_size = c->vision->stack.hidden_size;
  }
  if (c->text && !c->vision && !c->text_projection) {
    c->embedding_size = c->text->stack.hidden_size;
  }
  return OkStatus();
}

}  // namespace

std::string_view FramingName(Framing framing) {
  for (const auto& [name, candidate] : kFramings) {
    if (candidate == framing) return name;
  }
  return "?";
}

Result<Framing> FramingFromName(std::string_view name) {
  for (const auto& [candidate, framing] : kFramings) {
    if (candidate == name) return framing;
  }
  return InvalidArgument("preprocessing '" + std::string(name.substr(0, 64)) +
                         "' is not known; known: plain, pad_to_square, center_crop");
}

int64_t DualEncoderConfig::num_parameters() const {
  int64_t n = 0;
  if (vision) {
    const int64_t hidden = vision->stack.hidden_size;
    n += vision->stack.num_parameters() + hidden * (vision->patch_values() + vision->patches());
    if (vision->pooling_head) {
      n += 4 * hidden * hidden + 2 * hidden * vision->stack.intermediate_size;
    }
    if (vision_projection) n += hidden * embedding_size;
  }
  if (classifier) n += classifier->features * static_cast<int64_t>(classifier->labels.size());
  if (text) {
    const int64_t hidden = text->stack.hidden_size;
    n += text->stack.num_parameters();
    n += hidden * (text->vocab_size + text->max_position_embeddings + embedding_size);
  }
  return n;
}

bool IsDualEncoder(std::string_view model_type) {
  return std::find(kDualEncoderTypes.begin(), kDualEncoderTypes.end(), model_type) !=
         kDualEncoderTypes.end();
}

Result<DualEncoderConfig> ReadDualEncoderConfig(const HfConfig& file,
                                                const Checkpoint& checkpoint) {
  DualEncoderConfig c;
  c.model_type = file.model_type();
  c.architecture = file.architecture();
  if (!IsDualEncoder(c.model_type)) {
    return Unsupported(file.root().Describe("model_type") + " is '" + c.model_type.substr(0, 64) +
                       "'; galen embeds and classifies with siglip and clip");
  }
  const bool siglip = c.model_type.starts_with("siglip");
  c.family = siglip ? DualEncoderFamily::kSiglip : DualEncoderFamily::kClip;
  const bool whole = c.model_type == "siglip" || c.model_type == "clip";
  const bool vision = whole ? checkpoint.Has("vision_model.embeddings.patch_embedding.weight")
                            : c.model_type.ends_with("_vision_model");
  const bool text = whole ? checkpoint.Has("text_model.embeddings.token_embedding.weight")
                          : c.model_type.ends_with("_text_model");
  if (!vision && !text) {
    return NotFound(checkpoint.path() +
                    ": neither vision_model.embeddings.patch_embedding.weight nor "
                    "text_model.embeddings.token_embedding.weight is there: no tower to run");
  }
  if (vision) {
    ASSIGN_OR_RETURN(const JsonView view, TowerView(file, "vision"));
    ASSIGN_OR_RETURN(c.vision, ReadVision(view, siglip, checkpoint));
  }
  if (text) {
    ASSIGN_OR_RETURN(const JsonView view, TowerView(file, "text"));
    ASSIGN_OR_RETURN(c.text, ReadText(view, siglip));
  }
  RETURN_IF_ERROR(ReadSizes(file, checkpoint, &c));
  c.similarity = vision && text && checkpoint.Has("logit_scale");
  if (vision && checkpoint.Has("classifier.weight")) {
    ASSIGN_OR_RETURN(c.classifier, ReadClassifier(file.root()));
    c.classifier->features = c.vision->stack.hidden_size;
  } else if (c.architecture.ends_with("ForImageClassification")) {
    return NotFound(checkpoint.path() +
                    ": classifier.weight is missing, though config.json names " + c.architecture);
  }
  return c;
}

}  // namespace galen
