// What a question brings beside text: files that become images, in the order in which the model
// sees them.
#pragma once

#include <CLI/CLI.hpp>
#include <span>
#include <string>
#include <vector>

#include "engine/chat_prompt.h"
#include "models/open_model.h"

namespace galen::cli {

struct MediaOptions {
  std::vector<std::string> images;  // files, "-", data URLs
  ImageOptions image;
};
void AddMediaOptions(CLI::App& verb, MediaOptions* options);

// The parts of a message as chat templates take them: {"type": "image"} stands for the next of
// `images`.
struct MediaContent {
  std::vector<Image> images;
  OrderedJson parts = OrderedJson::array();
  Json report =
      Json::array();  // one object for each image: source, sha256, width, height, recipe, warnings
};
Result<MediaContent> ReadMedia(const MediaOptions& options);

// What the model sees of each image; adds "tokens" and "views" to the report's entries.
Result<std::vector<PreparedViews>> PrepareImages(const ModelFiles& files,
                                                 const ImageOptions& options,
                                                 std::span<const Image> images, Json* report);

// The warnings of a report, on standard error.
void ShowWarnings(const Json& report);

// The content of a message: the text alone, or the parts and then the text.
OrderedJson MessageContent(const OrderedJson& parts, const std::string& text);

// ResourceExhausted for a prompt that leaves no room for an answer; with images, says how many fit.
Status CheckContext(const EncodedPrompt& prompt, std::span<const PreparedViews> images,
                    int64_t context, int64_t model_limit);

}  // namespace galen::cli
