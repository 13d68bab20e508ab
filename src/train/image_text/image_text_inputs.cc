#include "train/image_text/image_text_inputs.h"

#include <utility>

namespace galen {

Status ImageTextInputs::Open(const TrainOptions& options) {
  ASSIGN_OR_RETURN(plan, PlanImageText(options));
  const DualEncoderConfig& config = plan.files.config;
  const std::string& directory = plan.files.checkpoint->directory();
  Result<ImagePreparer> created =
      ImagePreparer::Create(plan.processor, *config.vision, plan.framing);
  if (!created.ok()) return created.status().WithContext(directory);
  preparer = *std::move(created);
  if (plan.head) return OkStatus();
  ASSIGN_OR_RETURN(text, TextInput::Open(directory, config.family, *config.text));
  return OkStatus();
}

Result<ImageTextData> ImageTextInputs::Read(const std::vector<std::string>& paths,
                                            const TrainOptions& options, ThreadPool& pool,
                                            const ReadProgress& progress) {
  ImageTextSources sources;
  sources.preparer = &*preparer;
  sources.text = text.has_value() ? &*text : nullptr;
  sources.classes = plan.classes;
  sources.images = &images;
  sources.pool = &pool;
  sources.progress = progress;
  return ImageTextData::Open(paths, sources, options);
}

}  // namespace galen
