#include "train/image_text/image_text_data.h"

#include <algorithm>
#include <set>
#include <utility>

#include "data/image_record.h"
#include "ops/binary_loss.h"
#include "train/read_image.h"

namespace galen {

size_t ImageList::Add(const std::string& path) {
  const auto [at, added] = places_.try_emplace(path, paths_.size());
  if (added) paths_.push_back(path);
  return at->second;
}

Result<Image> ImageTextData::ReadFitted(int64_t line, const std::string& path) const {
  const auto fit = [&]() -> Result<Image> {
    ASSIGN_OR_RETURN(const Image image, ReadUnnamedImage(path));
    return sources_.preparer->Fit(image);
  };
  Result<Image> fitted = fit();
  if (!fitted.ok()) return fitted.status().WithContext(lines_.Name(line) + ": its image");
  return fitted;
}

Result<ImageTextData::Record> ImageTextData::ReadRecord(int64_t line) const {
  ASSIGN_OR_RETURN(const OrderedJson json, lines_.Parse(line));
  const auto read = [&]() -> Result<Record> {
    Record record;
    if (sources_.text != nullptr) {
      ASSIGN_OR_RETURN(CaptionedImage pair, ToCaptionedImage(json));
      RETURN_IF_ERROR(sources_.text->Encode(pair.text).status());
      record.path = std::move(pair.image);
      return record;
    }
    ASSIGN_OR_RETURN(LabelledImage image, ToLabelledImage(json));
    record.path = std::move(image.image);
    record.targets.assign(sources_.classes.size(), image.complete ? int8_t{0} : kMaskedTarget);
    for (const auto& [name, label] : image.labels) {
      const auto known = classes_.find(name);
      if (known == classes_.end()) {
        return InvalidArgument("has a label that is none of the " +
                               std::to_string(classes_.size()) + " classes");
      }
      record.targets[known->second] = label;
    }
    if (std::all_of(record.targets.begin(), record.targets.end(),
                    [](int8_t target) { return target == kMaskedTarget; })) {
      return InvalidArgument("has no label that is known");
    }
    return record;
  };
  Result<Record> record = read();
  if (!record.ok()) {
    return Status(record.status().code(), lines_.Name(line) + ": " + record.status().message());
  }
  if (const Status path = CheckImagePath(record->path); !path.ok()) {
    return InvalidArgument(lines_.Name(line) + ": its image " + path.message());
  }
  record->path = lines_.PathOf(line, record->path);
  RETURN_IF_ERROR(ReadFitted(line, record->path).status());
  return record;
}

// Errors only where the options want them.
Status ImageTextData::Take(int64_t line, Result<Record> record, const TrainOptions& options) {
  if (!record.ok()) {
    if (options.on_bad_sample == "error") return record.status();
    ++report_.bad;
    report_.Note(record.status().message());
    return OkStatus();
  }
  // A pair is one label: that these two belong together.
  ExampleInfo info{line, 1, 1, 0, 1};
  if (sources_.text == nullptr) info.labels = 0;
  for (size_t c = 0; c < record->targets.size(); ++c) {
    const int8_t target = record->targets[c];
    if (target == kMaskedTarget) continue;
    ++info.labels;
    ++(target != 0 ? report_.classes[c].positive : report_.classes[c].negative);
  }
  report_.labels += info.labels;
  ++report_.images;
  examples_.push_back(info);
  images_.push_back(sources_.images->Add(record->path));
  targets_.insert(targets_.end(), record->targets.begin(), record->targets.end());
  return OkStatus();
}

Result<ImageTextData> ImageTextData::Open(const std::vector<std::string>& paths,
                                          const ImageTextSources& sources,
                                          const TrainOptions& options) {
  ASSIGN_OR_RETURN(JsonLines lines, JsonLines::Open(paths));
  ImageTextData data(std::move(lines), sources);
  for (size_t c = 0; c < sources.classes.size(); ++c) {
    data.classes_[sources.classes[c]] = c;
    data.report_.classes.push_back({sources.classes[c]});
  }
  data.report_.lines = data.lines_.size();
  RETURN_IF_ERROR(ReadLines<Record>(
      data.lines_.size(), *sources.pool, sources.progress,
      [&](int64_t line) { return data.ReadRecord(line); },
      [&](int64_t line, Result<Record> record) {
        return data.Take(line, std::move(record), options);
      }));
  data.report_.used = static_cast<int64_t>(data.examples_.size());
  if (data.examples_.empty()) {
    return InvalidArgument("none of the " + std::to_string(data.report_.lines) + " lines of " +
                           paths[0] + " can be used; the first: " + data.report_.notes.front());
  }
  return data;
}

Result<Image> ImageTextData::Fitted(int64_t i) const {
  return ReadFitted(examples_[static_cast<size_t>(i)].line, sources_.images->paths()[image(i)]);
}

std::span<const int8_t> ImageTextData::targets(int64_t i) const {
  const size_t classes = sources_.classes.size();
  return std::span(targets_).subspan(static_cast<size_t>(i) * classes, classes);
}

Result<std::string> ImageTextData::Text(int64_t i) const {
  ASSIGN_OR_RETURN(const OrderedJson json, lines_.Parse(examples_[static_cast<size_t>(i)].line));
  Result<CaptionedImage> pair = ToCaptionedImage(json);
  if (!pair.ok()) return pair.status().WithContext(Name(i));
  return std::move(pair->text);
}

Result<std::vector<int32_t>> ImageTextData::Ids(int64_t i) const {
  ASSIGN_OR_RETURN(const std::string text, Text(i));
  return sources_.text->EncodePadded(text);
}

Result<std::vector<std::string>> ClassesOfData(const std::vector<std::string>& paths) {
  ASSIGN_OR_RETURN(const JsonLines lines, JsonLines::Open(paths));
  std::set<std::string> names;
  for (int64_t i = 0; i < lines.size(); ++i) {
    const Result<OrderedJson> json = lines.Parse(i);
    if (!json.ok()) continue;
    const Result<LabelledImage> image = ToLabelledImage(*json);
    if (!image.ok()) continue;
    for (const auto& [name, label] : image->labels) names.insert(name);
  }
  if (names.empty()) {
    return InvalidArgument("no line of " + paths[0] +
                           " names a class; give lines {\"image\": PATH, \"labels\": [...]}, or "
                           "the classes as labels: in the configuration");
  }
  return std::vector<std::string>(names.begin(), names.end());
}

}  // namespace galen
