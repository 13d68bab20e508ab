#include "train/train_data.h"

#include <algorithm>

namespace galen {
namespace {

constexpr int32_t kNotLabelled = -100;
constexpr size_t kMaxNotes = 20;

int32_t CountLabels(const EncodedChat& chat) {
  // The first token is never predicted.
  return static_cast<int32_t>(std::count_if(chat.labels.begin() + (chat.labels.empty() ? 0 : 1),
                                            chat.labels.end(),
                                            [](int32_t label) { return label != kNotLabelled; }));
}

}  // namespace

void TrainData::Note(std::string note) {
  if (report_.notes.size() < kMaxNotes) report_.notes.push_back(std::move(note));
}

Result<EncodedChat> TrainData::EncodeLine(int64_t line) const {
  ASSIGN_OR_RETURN(const Conversation conversation, lines_.Read(line));
  if (!conversation.images.empty()) {
    return InvalidArgument(lines_.Name(line) + ": has images, and galen train learns from text");
  }
  Result<EncodedChat> chat = encoder_->Encode(conversation.messages);
  if (!chat.ok()) return chat.status().WithContext(lines_.Name(line));
  return chat;
}

// Errors only where the options want them.
Status TrainData::Inspect(int64_t line, const TrainOptions& options) {
  Result<EncodedChat> chat = EncodeLine(line);
  Status bad = chat.ok() ? OkStatus() : chat.status();
  if (chat.ok() && CountLabels(*chat) == 0) {
    bad = InvalidArgument(lines_.Name(line) + ": its answer is empty");
  }
  if (!bad.ok()) {
    if (options.on_bad_sample == "error") return bad;
    ++report_.bad;
    Note(bad.message());
    return OkStatus();
  }
  const auto tokens = static_cast<int64_t>(chat->tokens.size());
  if (tokens > max_tokens_) {
    const std::string what = lines_.Name(line) + ": " + std::to_string(tokens) +
                             " tokens, max_seq_length is " + std::to_string(max_tokens_);
    if (options.on_long_sample == "error") return InvalidArgument(what);
    chat->tokens.resize(static_cast<size_t>(max_tokens_));
    chat->labels.resize(static_cast<size_t>(max_tokens_));
    if (options.on_long_sample == "skip" || CountLabels(*chat) == 0) {
      ++report_.too_long;
      Note(what + (options.on_long_sample == "skip" ? "" : ", and its answer begins behind that"));
      return OkStatus();
    }
    ++report_.truncated;
    Note(what + ": cut");
  }
  ExampleInfo info{line, static_cast<int32_t>(chat->tokens.size()), CountLabels(*chat)};
  report_.tokens += info.tokens;
  report_.labels += info.labels;
  examples_.push_back(info);
  return OkStatus();
}

Result<TrainData> TrainData::Open(const std::vector<std::string>& paths,
                                  const ExampleEncoder& encoder, const TrainOptions& options,
                                  const std::function<bool(int64_t done, int64_t of)>& progress) {
  ASSIGN_OR_RETURN(JsonLines lines, JsonLines::Open(paths));
  TrainData data(std::move(lines), &encoder, options.max_seq_length);
  data.report_.lines = data.lines_.size();
  for (int64_t line = 0; line < data.lines_.size(); ++line) {
    if (line % 64 == 0 && progress != nullptr && !progress(line, data.lines_.size())) {
      return Cancelled("stopped while the data were read");
    }
    RETURN_IF_ERROR(data.Inspect(line, options));
  }
  data.report_.used = static_cast<int64_t>(data.examples_.size());
  if (data.examples_.empty()) {
    return InvalidArgument("none of the " + std::to_string(data.report_.lines) + " lines of " +
                           paths[0] + " can be used; the first: " + data.report_.notes.front());
  }
  return data;
}

Result<EncodedChat> TrainData::Encode(int64_t i) const {
  ASSIGN_OR_RETURN(EncodedChat chat, EncodeLine(examples_[static_cast<size_t>(i)].line));
  const auto most = static_cast<size_t>(max_tokens_);
  if (chat.tokens.size() > most) {
    chat.tokens.resize(most);
    chat.labels.resize(most);
  }
  return chat;
}

}  // namespace galen
