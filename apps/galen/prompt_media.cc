#include "prompt_media.h"

namespace galen::cli {
namespace {

constexpr int64_t kMaxPixels = int64_t{1} << 28;

}  // namespace

void AddImageOptions(CLI::App& verb, ImageOptions* o) {
  verb.add_option("--image-tokens", o->tokens,
                  "Tokens of each image; fewer mean a smaller image (default: the model's)");
  verb.add_option("--min-pixels", o->min_pixels,
                  "Area that smaller images are enlarged to, of models that take any shape "
                  "(default: the model's)")
      ->check(CLI::Range(int64_t{1}, kMaxPixels));
  verb.add_option(
          "--max-pixels", o->max_pixels,
          "Area that larger images are reduced to, of the same models (default: the model's)")
      ->check(CLI::Range(int64_t{1}, kMaxPixels));
  verb.add_flag("--pan-and-scan", o->pan_and_scan,
                "Long images also as crops along their long side");
}

Result<std::vector<PreparedViews>> PrepareImages(const ModelFiles& files, ImageOptions options,
                                                 const MediaInput& input, Json* report) {
  std::vector<PreparedViews> prepared;
  if (input.images.empty()) return prepared;
  RETURN_IF_ERROR(files.vision_status);
  options.pan_and_scan = options.pan_and_scan || input.pan_and_scan;
  for (const SeenImage& seen : input.images) {
    Result<PreparedViews> views = files.image_processor->Prepare(seen.image, options);
    if (!views.ok()) return views.status().WithContext(seen.source);
    Json& entry = (*report)["images"][prepared.size()];
    entry["views"] = Json::array();
    int64_t tokens = 0;
    for (const PreparedImage& view : *views) {
      entry["views"].push_back(
          {{"width", view.pixels.width}, {"height", view.pixels.height}, {"tokens", view.tokens}});
      tokens += view.tokens;
    }
    entry["tokens"] = tokens;
    entry["preprocessing"] = files.image_processor->version();
    prepared.push_back(*std::move(views));
  }
  return prepared;
}

OrderedJson MessageContent(const std::string& text) { return text; }

OrderedJson MessageContent(const MediaInput& input) {
  OrderedJson content = OrderedJson::array();
  for (const PromptPart& part : input.parts) {
    if (part.kind == PromptPart::kImage) {
      content.push_back({{"type", "image"}});
    } else {
      content.push_back({{"type", "text"}, {"text", part.text}});
    }
  }
  return content;
}

OrderedJson MessagesOf(const std::string& system, const OrderedJson& content) {
  OrderedJson messages = OrderedJson::array();
  if (!system.empty()) messages.push_back({{"role", "system"}, {"content", system}});
  messages.push_back({{"role", "user"}, {"content", content}});
  return messages;
}

}  // namespace galen::cli
