#include "train/image_text/image_text_plan.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <utility>

#include "train/image_text/image_text_data.h"

namespace galen {
namespace {

constexpr std::string_view kLayerNames = "encoder.layers.";
constexpr std::string_view kEmbeddingNames = "embeddings.";

Status CheckBase(const TrainOptions& o, const DualEncoderConfig& config) {
  if (config.family != DualEncoderFamily::kSiglip) {
    return Unsupported(o.model + ": galen train knows SigLIP's towers; this is " +
                       config.model_type);
  }
  if (!config.vision) return NotFound(o.model + " has no image tower to train on images");
  if (o.task == "classification") return OkStatus();
  if (!config.text || !config.similarity || !config.vision->pooling_head) {
    return NotFound(o.model +
                    ": task: contrastive needs both towers, the pooling head of the image tower, "
                    "logit_scale and logit_bias; a part is missing");
  }
  return OkStatus();
}

Status CheckLayers(const ImageTextPlan& plan, const DualEncoderConfig& trained) {
  const auto check = [&](const char* tower, int64_t layers) {
    if (plan.last_layers <= layers) return OkStatus();
    return InvalidArgument("train_last_layers is " + std::to_string(plan.last_layers) + ", the " +
                           tower + " tower has " + std::to_string(layers) + " layers");
  };
  if (trained.vision) RETURN_IF_ERROR(check("image", trained.vision->stack.num_hidden_layers));
  return trained.text ? check("text", trained.text->stack.num_hidden_layers) : OkStatus();
}

Result<float> WeightOf(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value > 0) || value > 1e6) {
    return InvalidArgument("pos_weight: \"" + text.substr(0, 64) +
                           "\" is neither none, balanced nor a number above 0");
  }
  return static_cast<float>(value);
}

}  // namespace

DualEncoderConfig ImageTextPlan::TrainedConfig() const {
  DualEncoderConfig c = files.config;
  if (head) {
    c.text.reset();
    c.similarity = false;
    ClassifierConfig classifier;
    classifier.features = c.vision->stack.hidden_size;
    classifier.labels = classes;
    classifier.multi_label = true;
    classifier.framing = framing;
    c.classifier = std::move(classifier);
    c.vision->pooling_head = false;  // has no part in it
  } else {
    c.classifier.reset();
  }
  if (frozen_images) c.vision.reset();
  return c;
}

bool ImageTextPlan::Trains(std::string_view tower, std::string_view name) const {
  if (last_layers == 0 || tower.empty()) return true;
  if (name.starts_with(kEmbeddingNames)) return false;
  if (!name.starts_with(kLayerNames)) return true;
  int64_t layer = 0;
  std::from_chars(name.data() + kLayerNames.size(), name.data() + name.size(), layer);
  const EncoderStackConfig& stack =
      tower.starts_with("vision") ? files.config.vision->stack : files.config.text->stack;
  return layer >= stack.num_hidden_layers - last_layers;
}

Result<ImageTextPlan> PlanImageText(const TrainOptions& o) {
  ImageTextPlan plan;
  if (!IsDualEncoderPath(o.model)) {
    return InvalidArgument(o.model + ": task: " + o.task +
                           " trains SigLIP models (Hugging Face directories); this is none");
  }
  ASSIGN_OR_RETURN(plan.files, ReadDualEncoder(o.model));
  const DualEncoderConfig& config = plan.files.config;
  RETURN_IF_ERROR(CheckBase(o, config));
  ASSIGN_OR_RETURN(plan.processor,
                   ReadImageProcessor(plan.files.checkpoint->directory(), config.family));
  plan.head = o.task == "classification";
  plan.frozen_images = o.freeze_vision_tower;
  plan.last_layers = o.train_last_layers;
  if (o.preprocessing != "own") {
    ASSIGN_OR_RETURN(plan.framing, FramingFromName(o.preprocessing));
  } else if (plan.head && config.classifier) {
    plan.framing = config.classifier->framing;
  }
  RETURN_IF_ERROR(CheckLayers(plan, plan.TrainedConfig()));
  if (!plan.head) return plan;
  std::set<std::string> seen;
  for (const std::string& label : o.labels) {
    if (label.empty() || !seen.insert(label).second) {
      return InvalidArgument("labels: \"" + label.substr(0, 64) +
                             "\" is there twice, or is no name");
    }
  }
  return plan;
}

Status ChooseClasses(const TrainOptions& o, ImageTextPlan* plan) {
  const std::optional<ClassifierConfig>& own = plan->files.config.classifier;
  if (!o.labels.empty()) {
    plan->classes = o.labels;
  } else if (own) {
    plan->classes = own->labels;
  } else {
    ASSIGN_OR_RETURN(plan->classes, ClassesOfData(o.train_file));
  }
  plan->new_head = !own || own->labels != plan->classes || !own->multi_label;
  return OkStatus();
}

Result<std::vector<float>> PositiveWeights(const TrainOptions& o,
                                           const std::vector<ClassCount>& counts) {
  std::vector<float> weights;
  if (o.pos_weight == std::vector<std::string>{"none"}) return weights;
  if (o.pos_weight == std::vector<std::string>{"balanced"}) {
    for (const ClassCount& c : counts) {
      const auto ratio = static_cast<double>(c.negative) / static_cast<double>(c.positive);
      weights.push_back(c.positive > 0 && c.negative > 0 ? static_cast<float>(ratio) : 1.0f);
    }
    return weights;
  }
  for (const std::string& text : o.pos_weight) {
    ASSIGN_OR_RETURN(const float weight, WeightOf(text));
    weights.push_back(weight);
  }
  if (weights.size() != counts.size()) {
    return InvalidArgument("pos_weight has " + std::to_string(weights.size()) +
                           " numbers, there are " + std::to_string(counts.size()) + " classes");
  }
  return weights;
}

}  // namespace galen
