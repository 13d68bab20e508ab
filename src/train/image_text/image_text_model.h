// SigLIP models as they are trained: a classification head, whole towers, or their last layers.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/dual_encoder/open_dual_encoder.h"
#include "train/image_text/image_text_plan.h"
#include "train/train_model.h"

namespace galen {

struct ImageTextModelSetup {
  const ImageTextPlan* plan = nullptr;
  uint64_t seed = 0;  // of a new head
  Compute compute = Compute::kBf16;
  const KernelTable* kernels = nullptr;
  ThreadPool* pool = nullptr;
  // memory: base, parameters and gradients. An error ends the loading and is passed on.
  std::function<Status(const DualEncoder& network, const TrainMemory& memory,
                       const std::vector<TrainParam>& params)>
      admit;
};

class ImageTextModel final : public TrainModel {
 public:
  static Result<std::unique_ptr<ImageTextModel>> Open(const ImageTextModelSetup& setup);

  // Without the image tower where that is frozen.
  const DualEncoder& network() const { return *network_; }
  // What Export writes beside a head: one for each class, or none.
  void set_thresholds(std::vector<std::optional<double>> thresholds) {
    thresholds_ = std::move(thresholds);
  }
  // A Hugging Face directory: SiglipForImageClassification, or what the base was.
  Status Export(const std::string& directory) const override;
  const char* kind() const override { return "model"; }

 private:
  ImageTextModel() = default;
  Status Choose(const ImageTextPlan& plan);
  Status MakeHead(uint64_t seed);
  std::vector<ParamSource> Sources(bool trained, Compute compute) const;
  Status WriteHead(const std::string& directory) const;
  Status WritePairs(const std::string& directory) const;

  ImageTextPlan plan_;
  std::unique_ptr<DualEncoder> network_;
  std::vector<ParamGroup> groups_;
  struct Part {
    ParamSource source;
    std::string name;  // with the tower's
    bool trained = false;
  };
  std::vector<Part> parts_;      // what the base's file has
  std::vector<ParamSpec> head_;  // what it has not
  WeightStore frozen_, trained_;
  PageBuffer head_memory_;
  std::vector<std::optional<double>> thresholds_;
};

}  // namespace galen
