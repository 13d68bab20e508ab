#include "extract/media_prompt.h"

namespace galen {

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

}  // namespace galen
