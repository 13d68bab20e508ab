#include "train_show.h"

#include <algorithm>
#include <iostream>
#include <span>

#include "base/json.h"
#include "train/train_data.h"

namespace galen::cli {
namespace {

// The text of the ids, special tokens spelled out, stretches with a label between brackets.
std::string Marked(const Tokenizer& tokenizer, const EncodedChat& chat) {
  std::string text;
  const std::span<const int32_t> tokens = chat.tokens;
  for (size_t begin = 0; begin < tokens.size();) {
    const bool learned = chat.labels[begin] >= 0;
    size_t end = begin;
    while (end < tokens.size() && (chat.labels[end] >= 0) == learned) ++end;
    const std::string part = tokenizer.Decode(tokens.subspan(begin, end - begin), false);
    text += learned ? "[[" + part + "]]" : part;
    begin = end;
  }
  return text;
}

}  // namespace

Status ShowExamples(const TrainOptions& options, int64_t count, bool json) {
  ASSIGN_OR_RETURN(const ModelFiles files, ReadModel(options.model));
  ASSIGN_OR_RETURN(const ExampleEncoder encoder,
                   ExampleEncoder::Create(files, options.chat_template));
  ASSIGN_OR_RETURN(const TrainData data,
                   TrainData::Open(options.train_file, encoder, options, nullptr));
  const auto size = static_cast<int64_t>(data.examples().size());
  for (int64_t i = 0; i < std::min(count, size); ++i) {
    ASSIGN_OR_RETURN(const EncodedChat chat, data.Encode(i));
    const std::string text = Marked(*files.tokenizer, chat);
    if (json) {
      const Json line = {
          {"name", data.Name(i)}, {"tokens", chat.tokens}, {"labels", chat.labels}, {"text", text}};
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
