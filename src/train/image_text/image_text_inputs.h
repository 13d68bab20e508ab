// What turns lines of data into what a SigLIP model sees.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/dual_encoder/image_preparer.h"
#include "models/dual_encoder/text_input.h"
#include "train/image_text/image_text_data.h"
#include "train/image_text/image_text_plan.h"

namespace galen {

class ImageTextInputs {
 public:
  ImageTextInputs() = default;
  ImageTextInputs(const ImageTextInputs&) = delete;  // data point into it
  ImageTextInputs& operator=(const ImageTextInputs&) = delete;

  // Errors are those of PlanImageText, and of the base's image processor and tokenizer.
  Status Open(const TrainOptions& options);
  // Examples of JSON Lines; this object must outlive them.
  Result<ImageTextData> Read(const std::vector<std::string>& paths, const TrainOptions& options,
                             ThreadPool& pool, const ReadProgress& progress);

  ImageTextPlan plan;
  std::optional<ImagePreparer> preparer;
  std::optional<TextInput> text;  // of pairs
  ImageList images;               // of all examples that were read
};

}  // namespace galen
