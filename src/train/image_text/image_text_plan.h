// What a run trains of which SigLIP model.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/dual_encoder/image_preparer.h"
#include "models/dual_encoder/open_dual_encoder.h"
#include "train/data_report.h"
#include "train/options.h"

namespace galen {

struct ImageTextPlan {
  DualEncoderFiles files;  // of the base
  ImageProcessorConfig processor;
  bool head = false;          // a classification head; else pairs of images and texts
  bool new_head = false;      // which begins from chance
  bool frozen_images = true;  // the image tower is no part of the training
  int64_t last_layers = 0;    // of each trained tower; 0: all
  Framing framing = Framing::kPlain;
  std::vector<std::string> classes;  // of a head; empty until the data have been read

  // The base without what the training does not need.
  DualEncoderConfig TrainedConfig() const;
  // Whether a weight is trained. tower: "vision_model.", "text_model.", or "" of what is on top.
  bool Trains(std::string_view tower, std::string_view name) const;
};

// From options and headers. InvalidArgument, NotFound, Unsupported: the base is no SigLIP model, or
// lacks what the task needs.
Result<ImageTextPlan> PlanImageText(const TrainOptions& options);

// A head's classes: those of options.labels, of the base's head, or of the data. Sets new_head.
Status ChooseClasses(const TrainOptions& options, ImageTextPlan* plan);

// What a yes of each class counts, from options.pos_weight; balanced: by the training data's
// counts, 1 where there is no yes or no no. Empty: 1 each. InvalidArgument: not one number for each
// class.
Result<std::vector<float>> PositiveWeights(const TrainOptions& options,
                                           const std::vector<ClassCount>& counts);

}  // namespace galen
