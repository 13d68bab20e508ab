#include "train/run_data.h"

#include <algorithm>
#include <utility>

#include "base/memory.h"
#include "data/shuffle.h"

namespace galen {

Result<std::unique_ptr<RunData>> RunData::Open(const ModelFiles& files, const TrainOptions& options,
                                               ThreadPool& pool, const ReadProgress& progress) {
  std::unique_ptr<RunData> data(new RunData(files, options, pool));
  RETURN_IF_ERROR(data->Read(progress));
  return data;
}

Status RunData::Read(const ReadProgress& progress) {
  ASSIGN_OR_RETURN(encoder_, ExampleEncoder::Create(files_, o_.chat_template));
  DataSources sources;
  sources.encoder = &*encoder_;
  sources.pool = &pool_;
  sources.progress = progress;
  Result<TrainImages> images = TrainImages::Create(files_, o_);
  if (images.ok()) {
    images_ = *std::move(images);
    sources.images = &*images_;
  } else {
    sources.no_images = images.status();
  }
  const auto open = [&](const std::vector<std::string>& paths, bool shuffle,
                        std::optional<DataPart>* part) -> Status {
    ASSIGN_OR_RETURN(TrainData data, TrainData::Open(paths, sources, o_));
    BatchPlan plan(data.examples(), o_, shuffle);
    part->emplace(DataPart{std::move(data), std::move(plan)});
    return OkStatus();
  };
  RETURN_IF_ERROR(open(o_.train_file, true, &train_));
  return o_.eval_file.empty() ? OkStatus() : open(o_.eval_file, false, &eval_);
}

void RunData::PlanBatches() {
  train_->plan = BatchPlan(train_->data.examples(), o_, true);
  if (eval_.has_value()) eval_->plan = BatchPlan(eval_->data.examples(), o_, false);
}

void RunData::AddLargest(StepShape* shape) const {
  for (const DataPart* part : {&*train_, eval()}) {
    if (part == nullptr) continue;
    const BatchPlan& plan = part->plan;
    shape->tokens = std::max(shape->tokens, plan.max_tokens());
    shape->labels = std::max(shape->labels, plan.max_labels());
    shape->sequences = std::max(shape->sequences, plan.max_examples());
    shape->patches = std::max(shape->patches, plan.max_patches());
    shape->views = std::max(shape->views, plan.max_views());
  }
}

Status RunData::Freeze(const KernelTable& kernels, Compute compute, int64_t available,
                       const ReadProgress& progress, std::string* note) {
  if (!images_.has_value() || images_->paths().empty()) return OkStatus();
  FrozenImagesSetup setup;
  setup.files = &files_;
  setup.images = &*images_;
  setup.path = o_.output_dir + "/image_vectors.bin";
  setup.compute = compute;
  setup.seed = static_cast<uint64_t>(o_.seed);
  setup.available = available;
  setup.kernels = &kernels;
  setup.pool = &pool_;
  setup.progress = progress;
  ASSIGN_OR_RETURN(frozen_, FrozenImages::Make(setup));
  *note = "image vectors: " + std::to_string(images_->paths().size()) + " images, " +
          FormatBytes(frozen_->file_bytes()) + " in " + setup.path +
          (frozen_->made() == 0 ? ", made before" : "");
  return OkStatus();
}

Status RunData::AddImages(const TrainExample& example, bool pixels, uint64_t key,
                          FlatBatch* batch) const {
  for (const ImagePlace& place : example.chat.places) {
    const PreparedImage& view = example.views[place.image][place.view];
    if (pixels) {
      batch->views.push_back(view);
      if (images_->parts()) batch->corners.push_back(images_->Corner(view, key + place.image));
      continue;
    }
    const size_t at = batch->vectors.size();
    batch->vectors.resize(at + static_cast<size_t>(place.count * frozen_->cols()));
    RETURN_IF_ERROR(
        frozen_->Read(example.images[place.image], place.view, batch->vectors.data() + at));
  }
  return OkStatus();
}

Result<FlatBatch> RunData::Gather(const TrainData& data, const std::vector<int64_t>& examples,
                                  bool pixels, uint64_t key) const {
  std::vector<std::optional<Result<TrainExample>>> encoded(examples.size());
  WorkQueue queue(static_cast<int64_t>(examples.size()), 1);
  pool_.Run([&](int) {
    for (int64_t i, end; queue.Next(&i, &end);) {
      const auto at = static_cast<size_t>(i);
      encoded[at].emplace(data.Encode(examples[at], pixels));
    }
  });
  FlatBatch batch;
  for (size_t i = 0; i < examples.size(); ++i) {
    RETURN_IF_ERROR(encoded[i]->status());
    const TrainExample& example = **encoded[i];
    batch.Add(example.chat, images_.has_value() && images_->bidirectional());
    const auto number = static_cast<uint64_t>(examples[i]);
    RETURN_IF_ERROR(AddImages(example, pixels, Mix64(Mix64(key) + number), &batch));
  }
  return batch;
}

std::string RunData::NameExamples(const std::vector<int64_t>& examples) const {
  return NameSome(examples, [this](int64_t i) { return train_->data.Name(i); });
}

}  // namespace galen
