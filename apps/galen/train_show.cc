#include "train_show.h"

#include <algorithm>
#include <iostream>
#include <span>

#include "base/json.h"
#include "ops/binary_loss.h"
#include "train/image_text/image_text_inputs.h"
#include "train/train_data.h"
#include "train/trainer.h"

namespace galen::cli {
namespace {

// The text of the ids, special tokens spelled out, stretches with a label between brackets.
std::string Marked(const Tokenizer& tokenizer, const EncodedChat& chat) {
  std::string text;
  const std::span<const int32_t> tokens = chat.tokens;
  auto image = chat.places.begin();
  for (size_t begin = 0; begin < tokens.size();) {
    if (image != chat.places.end() && static_cast<size_t>(image->begin) == begin) {
      text.append("<").append(std::to_string(image->count)).append(" tokens of an image>");
      begin += static_cast<size_t>(image->count);
      ++image;
      continue;
    }
    const size_t most =
        image == chat.places.end() ? tokens.size() : static_cast<size_t>(image->begin);
    const bool learned = chat.labels[begin] >= 0;
    size_t end = begin;
    while (end < most && (chat.labels[end] >= 0) == learned) ++end;
    const std::string part = tokenizer.Decode(tokens.subspan(begin, end - begin), false);
    text += learned ? "[[" + part + "]]" : part;
    begin = end;
  }
  return text;
}

// Images with labels or texts.
Status ShowImages(const TrainOptions& options, int64_t count, bool json) {
  ImageTextInputs inputs;
  RETURN_IF_ERROR(inputs.Open(options));
  if (inputs.plan.head) RETURN_IF_ERROR(ChooseClasses(options, &inputs.plan));
  ThreadPool pool(AvailableProcessors());
  ASSIGN_OR_RETURN(const ImageTextData data, inputs.Read(options.train_file, options, pool, {}));
  const auto size = static_cast<int64_t>(data.examples().size());
  for (int64_t i = 0; i < std::min(count, size); ++i) {
    Json line = {{"name", data.Name(i)}, {"image", inputs.images.paths()[data.image(i)]}};
    if (inputs.plan.head) {
      const std::span<const int8_t> targets = data.targets(i);
      for (size_t c = 0; c < targets.size(); ++c) {
        line["labels"][inputs.plan.classes[c]] =
            targets[c] == kMaskedTarget ? Json() : Json(static_cast<int>(targets[c]));
      }
    } else {
      ASSIGN_OR_RETURN(line["text"], data.Text(i));
      ASSIGN_OR_RETURN(line["tokens"], data.Ids(i));
    }
    std::cout << line.dump(json ? -1 : 2) << "\n";
  }
  if (json) return OkStatus();
  for (const std::string& note : data.report().notes) std::cerr << note << "\n";
  return OkStatus();
}

}  // namespace

Status ShowExamples(TrainOptions options, int64_t count, bool json) {
  if (options.task != "language") return ShowImages(options, count, json);
  RETURN_IF_ERROR(MakeInitialModel(true, &options));
  ASSIGN_OR_RETURN(const ModelFiles files, ReadModel(options.model));
  ASSIGN_OR_RETURN(const ExampleEncoder encoder,
                   ExampleEncoder::Create(files, options.chat_template));
  ThreadPool pool(AvailableProcessors());
  DataSources sources;
  sources.encoder = &encoder;
  sources.pool = &pool;
  Result<TrainImages> images = TrainImages::Create(files, options);
  if (images.ok()) {
    sources.images = &*images;
  } else {
    sources.no_images = images.status();
  }
  ASSIGN_OR_RETURN(const TrainData data, TrainData::Open(options.train_file, sources, options));
  const auto size = static_cast<int64_t>(data.examples().size());
  for (int64_t i = 0; i < std::min(count, size); ++i) {
    ASSIGN_OR_RETURN(const TrainExample example, data.Encode(i, false));
    const EncodedChat& chat = example.chat;
    const std::string text = Marked(*files.tokenizer, chat);
    if (json) {
      Json line = {
          {"name", data.Name(i)}, {"tokens", chat.tokens}, {"labels", chat.labels}, {"text", text}};
      for (const ImagePlace& place : chat.places) {
        line["images"].push_back({{"path", example.images[place.image]},
                                  {"view", place.view},
                                  {"begin", place.begin},
                                  {"tokens", place.count}});
      }
      std::cout << line.dump() << "\n";
    } else {
      std::cout << "--- " << data.Name(i) << " (" << chat.tokens.size() << " tokens)\n"
                << text << "\n";
    }
  }
  if (json) return OkStatus();
  for (const std::string& note : data.report().notes) std::cerr << note << "\n";
  return OkStatus();
}

}  // namespace galen::cli
