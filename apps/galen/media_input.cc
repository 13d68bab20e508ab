#include "media_input.h"

#include <iostream>

#include "base/files.h"
#include "base/sha256.h"
#include "media/image/decode.h"

namespace galen::cli {
namespace {

// Tokens around the placeholders of a view: its two markers and a token of line breaks on either
// side.
constexpr int64_t kTokensAround = 4;

// A file, standard input ("-") or a data URL.
Result<std::vector<uint8_t>> ReadSource(const std::string& source, size_t max_bytes) {
  if (source.starts_with("data:")) return DecodeDataUrl(source, max_bytes);
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(source, max_bytes));
  return std::vector<uint8_t>(bytes.begin(), bytes.end());
}

Status AddImage(const std::string& source, MediaContent* content) {
  const DecodeOptions limits;
  // Of a data URL, which is the image itself, its beginning says which it was.
  const std::string name = source.starts_with("data:") ? source.substr(0, 40) : source;
  ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, ReadSource(source, limits.max_bytes));
  std::vector<std::string> warnings;
  Result<Image> image = DecodeImage(bytes, limits, &warnings);
  if (!image.ok()) return image.status().WithContext(name);
  content->report.push_back({{"source", name},
                             {"sha256", Sha256Hex(bytes)},
                             {"width", image->width},
                             {"height", image->height},
                             {"recipe", "image"},
                             {"warnings", warnings}});
  content->images.push_back(*std::move(image));
  content->parts.push_back({{"type", "image"}});
  return OkStatus();
}

}  // namespace

void AddMediaOptions(CLI::App& verb, MediaOptions* o) {
  verb.add_option("--image", o->images,
                  "An image that the question is about: a file, - for standard input, or a data URL (again "
                  "for more; they go before the text)");
  verb.add_option("--image-tokens", o->image.tokens,
                  "Tokens of each image; fewer mean a smaller image (default: the model's)");
  verb.add_flag("--pan-and-scan", o->image.pan_and_scan,
                "Long images also as crops along their long side");
}

Result<MediaContent> ReadMedia(const MediaOptions& options) {
  MediaContent content;
  for (const std::string& path : options.images) RETURN_IF_ERROR(AddImage(path, &content));
  return content;
}

Result<std::vector<PreparedViews>> PrepareImages(const ModelFiles& files,
                                                 const ImageOptions& options,
                                                 std::span<const Image> images, Json* report) {
  std::vector<PreparedViews> prepared;
  if (images.empty()) return prepared;
  RETURN_IF_ERROR(files.vision_status);
  for (const Image& image : images) {
    ASSIGN_OR_RETURN(PreparedViews views, files.image_processor->Prepare(image, options));
    if (report != nullptr) {
      Json& entry = (*report)[prepared.size()];
      entry["views"] = Json::array();
      int64_t tokens = 0;
      for (const PreparedImage& view : views) {
        entry["views"].push_back({{"width", view.pixels.width},
                                  {"height", view.pixels.height},
                                  {"tokens", view.tokens}});
        tokens += view.tokens;
      }
      entry["tokens"] = tokens;
      entry["preprocessing"] = files.image_processor->version();
    }
    prepared.push_back(std::move(views));
  }
  return prepared;
}

void ShowWarnings(const Json& report) {
  for (const Json& entry : report) {
    for (const Json& warning : entry["warnings"]) {
      std::cerr << "galen: " << entry["source"].get<std::string>() << ": "
                << warning.get<std::string>() << "\n";
    }
  }
}

OrderedJson MessageContent(const OrderedJson& parts, const std::string& text) {
  if (parts.empty()) return text;
  OrderedJson content = parts;
  content.push_back({{"type", "text"}, {"text", text}});
  return content;
}

Status CheckContext(const EncodedPrompt& prompt, std::span<const PreparedViews> images,
                    int64_t context, int64_t model_limit) {
  const int64_t size = static_cast<int64_t>(prompt.tokens.size());
  if (size < context) return OkStatus();
  std::string message = "the prompt has " + std::to_string(size) + " tokens and the context only " +
                        std::to_string(context);
  if (images.empty()) {
    return ResourceExhausted(message + "; shorten it or raise --context (the model allows " +
                             std::to_string(model_limit) + ")");
  }
  std::vector<int64_t> cost(images.size(), 0);
  int64_t text = size;
  for (const ImagePlace& place : prompt.places) {
    cost[place.image] += place.count + kTokensAround;
    text -= place.count + kTokensAround;
  }
  size_t fit = 0;
  for (int64_t used = text; fit < cost.size() && (used += cost[fit]) < context;) ++fit;
  return ResourceExhausted(
      message + ": " + std::to_string(fit) + " of the " + std::to_string(images.size()) +
      " images fit beside this text; give fewer, make them smaller with --image-tokens, or raise "
      "--context (the model allows " +
      std::to_string(model_limit) + ")");
}

}  // namespace galen::cli
