// Hyper-parameters of image-text models with two towers and one space of embeddings (SigLIP, CLIP),
// of their single towers, and of classification heads on the image tower.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "formats/checkpoint.h"
#include "formats/hf_config.h"
#include "models/dual_encoder/encoder_stack.h"

namespace galen {

// The two differ in their embeddings, norms and pooling: docs/models/medsiglip.md, clip.md.
enum class DualEncoderFamily { kSiglip, kClip };

struct VisionEncoderConfig {
  EncoderStackConfig stack;
  int64_t image_size = 0;  // side of the square that the tower sees, in pixels
  int64_t patch_size = 0;
  bool pooling_head = false;  // SigLIP: attention with a learned query

  int64_t patches() const { return (image_size / patch_size) * (image_size / patch_size); }
  int64_t patch_values() const { return 3 * patch_size * patch_size; }
};

struct TextEncoderConfig {
  EncoderStackConfig stack;
  int64_t vocab_size = 0;
  int64_t max_position_embeddings = 0;
  int32_t eos_token_id = -1;  // CLIP: the token whose row stands for the text
};

// How an image is brought to a square before it is resized.
enum class Framing {
  kPlain,        // as the processor's file says
  kPadToSquare,  // zeros around, centred, up to the longer side
  kCenterCrop,   // the largest centred square
};
// "plain", "pad_to_square", "center_crop".
std::string_view FramingName(Framing framing);
Result<Framing> FramingFromName(std::string_view name);

// A classification head: mean of the patch tokens, one linear layer.
struct ClassifierConfig {
  int64_t features = 0;               // width of what it sees
  std::vector<std::string> labels;    // in the order of the logits
  bool multi_label = false;           // a sigmoid for each label; else a softmax over all
  std::vector<float> thresholds;      // of multi-label scores, one for each label
  Framing framing = Framing::kPlain;  // that the head was trained with
};

struct DualEncoderConfig {
  DualEncoderFamily family = DualEncoderFamily::kSiglip;
  std::string name;          // of the directory, for people
  std::string model_type;    // "siglip", "clip_vision_model", ...
  std::string architecture;  // the class that wrote the file; may be empty

  std::optional<VisionEncoderConfig> vision;
  std::optional<TextEncoderConfig> text;
  // Width of the embeddings that images and texts share.
  int64_t embedding_size = 0;
  bool vision_projection = false;  // CLIP: visual_projection.weight is there
  bool text_projection = false;  // CLIP: text_projection.weight; SigLIP's head belongs to its tower
  bool similarity = false;       // both towers and a logit scale
  std::optional<ClassifierConfig> classifier;

  // Weights of all matrices and tables.
  int64_t num_parameters() const;
};

// config.json's model_type names such a model or one of its towers.
bool IsDualEncoder(std::string_view model_type);

// Which parts there are is what the tensors say: a file without a text tower embeds images.
// Defaults are those of transformers 5.23's configuration classes.
//
// A head's class names are config.json's id2label, in full. problem_type
// "multi_label_classification" makes it multi-label. Optional, galen's own, for what Hugging Face's
// files cannot say: "galen": {"preprocessing": "plain" | "pad_to_square" | "center_crop",
// "thresholds": {label: number}}; a label without a threshold has 0.5.
Result<DualEncoderConfig> ReadDualEncoderConfig(const HfConfig& file, const Checkpoint& checkpoint);

}  // namespace galen
