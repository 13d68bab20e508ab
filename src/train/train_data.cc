#include "train/train_data.h"

#include <algorithm>
#include <utility>

#include "train/read_image.h"

namespace galen {
namespace {

int32_t CountLabels(const EncodedChat& chat) {
  // The first token is never predicted.
  return static_cast<int32_t>(std::count_if(chat.labels.begin() + (chat.labels.empty() ? 0 : 1),
                                            chat.labels.end(),
                                            [](int32_t label) { return label != kNotLabelled; }));
}

bool SameShapes(const PreparedViews& a, const PreparedViews& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const PreparedImage& x, const PreparedImage& y) {
                      return x.grid.height == y.grid.height && x.grid.width == y.grid.width &&
                             x.tokens == y.tokens;
                    });
}

// Without what lies behind `most` tokens. False: that goes through an image.
bool Cut(EncodedChat* chat, int64_t most) {
  if (static_cast<int64_t>(chat->tokens.size()) <= most) return true;
  chat->tokens.resize(static_cast<size_t>(most));
  chat->labels.resize(static_cast<size_t>(most));
  std::erase_if(chat->places, [most](const ImagePlace& p) { return p.begin >= most; });
  return chat->places.empty() || chat->places.back().begin + chat->places.back().count <= most;
}

}  // namespace

Result<TrainExample> TrainData::EncodeLine(int64_t line, bool pixels) const {
  ASSIGN_OR_RETURN(Conversation conversation, lines_.Read(line));
  if (!conversation.images.empty() && sources_.images == nullptr) {
    return sources_.no_images.WithContext(lines_.Name(line) + " has images");
  }
  TrainExample example;
  for (size_t i = 0; i < conversation.images.size(); ++i) {
    const std::string& named = conversation.images[i];
    const std::string where = lines_.Name(line) + ": image " + std::to_string(i + 1);
    if (const Status path = CheckImagePath(named); !path.ok()) {
      return InvalidArgument(where + " " + path.message());
    }
    const std::string path = lines_.PathOf(line, named);
    const PreparedViews* known = sources_.images->Find(path);
    if (known != nullptr && !pixels) {
      example.views.push_back(*known);
    } else {
      Result<PreparedViews> views = sources_.images->Read(path);
      if (!views.ok()) return views.status().WithContext(where);
      if (known != nullptr && !SameShapes(*known, *views)) {
        return DataLoss(where + " has another size than when the run began");
      }
      example.views.push_back(*std::move(views));
    }
    example.images.push_back(path);
  }
  Result<EncodedChat> chat = sources_.encoder->Encode(conversation.messages, example.views);
  if (!chat.ok()) return chat.status().WithContext(lines_.Name(line));
  example.chat = *std::move(chat);
  return example;
}

// Errors only where the options want them.
Status TrainData::Inspect(int64_t line, Result<TrainExample> example, const TrainOptions& options) {
  Status bad = example.ok() ? OkStatus() : example.status();
  if (example.ok() && CountLabels(example->chat) == 0) {
    bad = InvalidArgument(lines_.Name(line) + ": its answer is empty");
  }
  if (!bad.ok()) {
    if (options.on_bad_sample == "error") return bad;
    ++report_.bad;
    report_.Note(bad.message());
    return OkStatus();
  }
  EncodedChat& chat = example->chat;
  const auto tokens = static_cast<int64_t>(chat.tokens.size());
  if (tokens > max_tokens_) {
    const std::string what = lines_.Name(line) + ": " + std::to_string(tokens) +
                             " tokens, max_seq_length is " + std::to_string(max_tokens_);
    if (options.on_long_sample == "error") return InvalidArgument(what);
    const bool whole_images = Cut(&chat, max_tokens_);
    if (options.on_long_sample == "skip" || CountLabels(chat) == 0 || !whole_images) {
      ++report_.too_long;
      report_.Note(what + (options.on_long_sample == "skip" ? ""
                           : whole_images                   ? ", and its answer begins behind that"
                                                            : ", and an image lies across that"));
      return OkStatus();
    }
    ++report_.truncated;
    report_.Note(what + ": cut");
  }
  ExampleInfo info{line, static_cast<int32_t>(chat.tokens.size()), CountLabels(chat), 0,
                   static_cast<int32_t>(chat.places.size())};
  for (const ImagePlace& place : chat.places) {
    info.patches += static_cast<int32_t>(example->views[place.image][place.view].grid.patches());
  }
  report_.tokens += info.tokens;
  report_.labels += info.labels;
  report_.images += static_cast<int64_t>(example->images.size());
  examples_.push_back(info);
  for (size_t i = 0; i < example->images.size(); ++i) {
    sources_.images->Remember(example->images[i], std::move(example->views[i]));
  }
  return OkStatus();
}

Result<TrainData> TrainData::Open(const std::vector<std::string>& paths, const DataSources& sources,
                                  const TrainOptions& options) {
  ASSIGN_OR_RETURN(JsonLines lines, JsonLines::Open(paths));
  TrainData data(std::move(lines), sources, options.max_seq_length);
  const int64_t size = data.report_.lines = data.lines_.size();
  RETURN_IF_ERROR(ReadLines<TrainExample>(
      size, *sources.pool, sources.progress,
      [&](int64_t line) { return data.EncodeLine(line, false); },
      [&](int64_t line, Result<TrainExample> example) {
        return data.Inspect(line, std::move(example), options);
      }));
  data.report_.used = static_cast<int64_t>(data.examples_.size());
  if (data.examples_.empty()) {
    return InvalidArgument("none of the " + std::to_string(data.report_.lines) + " lines of " +
                           paths[0] + " can be used; the first: " + data.report_.notes.front());
  }
  return data;
}

Result<TrainExample> TrainData::Encode(int64_t i, bool pixels) const {
  ASSIGN_OR_RETURN(TrainExample example,
                   EncodeLine(examples_[static_cast<size_t>(i)].line, pixels));
  Cut(&example.chat, max_tokens_);
  return example;
}

}  // namespace galen
