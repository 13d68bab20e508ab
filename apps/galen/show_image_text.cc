#include "show_image_text.h"

#include <iostream>
#include <map>

#include "base/json.h"
#include "engine/memory_plan.h"
#include "models/dual_encoder/image_preparer.h"
#include "models/dual_encoder/open_dual_encoder.h"
#include "models/dual_encoder/text_input.h"

namespace galen::cli {
namespace {

Json StackJson(const EncoderStackConfig& c) {
  return {{"hidden_size", c.hidden_size},
          {"intermediate_size", c.intermediate_size},
          {"num_hidden_layers", c.num_hidden_layers},
          {"num_attention_heads", c.num_attention_heads},
          {"head_dim", c.head_dim()},
          {"layer_norm_eps", c.layer_norm_eps}};
}

Json ConfigJson(const DualEncoderConfig& c) {
  Json json = {{"embedding_size", c.embedding_size}};
  if (c.vision) {
    json["vision"] = StackJson(c.vision->stack);
    json["vision"]["image_size"] = c.vision->image_size;
    json["vision"]["patch_size"] = c.vision->patch_size;
    json["vision"]["pooling_head"] = c.vision->pooling_head;
  }
  if (c.text) {
    json["text"] = StackJson(c.text->stack);
    json["text"]["vocab_size"] = c.text->vocab_size;
    json["text"]["max_position_embeddings"] = c.text->max_position_embeddings;
  }
  if (c.classifier) {
    json["classifier"] = {{"labels", c.classifier->labels},
                          {"multi_label", c.classifier->multi_label},
                          {"preprocessing", FramingName(c.classifier->framing)}};
    if (c.classifier->multi_label) json["classifier"]["thresholds"] = c.classifier->thresholds;
  }
  return json;
}

void PrintTower(const char* name, const EncoderStackConfig& c) {
  std::cout << name << ": " << c.num_hidden_layers << " layers, hidden " << c.hidden_size << ", "
            << c.num_attention_heads << " heads of " << c.head_dim() << ", feed-forward "
            << c.intermediate_size;
}

void Print(const DualEncoderConfig& c, const Json& json) {
  std::cout << c.model_type << "  " << c.name << "  " << c.num_parameters() / 1000000
            << " M parameters\n";
  if (c.vision) {
    PrintTower("image tower", c.vision->stack);
    std::cout << ", " << c.vision->image_size << "x" << c.vision->image_size
              << " pixels in patches of " << c.vision->patch_size << "\n";
  }
  if (c.text) {
    PrintTower("text tower", c.text->stack);
    std::cout << ", vocabulary " << c.text->vocab_size << ", " << c.text->max_position_embeddings
              << " tokens\n";
  }
  std::cout << "embeddings: " << c.embedding_size << " values\n";
  if (c.classifier) {
    std::cout << "head: " << (c.classifier->multi_label ? "sigmoid for each of " : "softmax over ")
              << c.classifier->labels.size() << " labels, images "
              << FramingName(c.classifier->framing) << "\n";
  }
  for (const auto& [format, figures] : json["tensors"].items()) {
    std::cout << "  " << format << ": " << figures["count"] << " tensors, "
              << FormatBytes(figures["bytes"].get<int64_t>()) << "\n";
  }
  for (const auto& note : json["notes"]) std::cout << "note: " << note.get<std::string>() << "\n";
}

}  // namespace

Status ShowImageText(const std::string& path, bool as_json) {
  ASSIGN_OR_RETURN(const DualEncoderFiles files, ReadDualEncoder(path));
  const DualEncoderConfig& c = files.config;
  Json json = {{"path", files.checkpoint->path()},
               {"architecture", c.model_type},
               {"name", c.name},
               {"parameters", c.num_parameters()},
               {"config", ConfigJson(c)},
               {"tensors", Json::object()},
               {"notes", Json::array()}};
  std::map<std::string, std::pair<int64_t, int64_t>> formats;  // tensors, bytes
  for (const TensorInfo& tensor : files.checkpoint->tensors()) {
    auto& [count, bytes] = formats[FormatOf(tensor.dtype).name];
    ++count;
    bytes += static_cast<int64_t>(tensor.bytes.size());
  }
  for (const auto& [name, figures] : formats) {
    json["tensors"][name] = {{"count", figures.first}, {"bytes", figures.second}};
  }
  // What would keep the model from running.
  const std::string& directory = files.checkpoint->directory();
  if (c.vision) {
    const auto processor = ReadImageProcessor(directory, c.family);
    if (!processor.ok()) json["notes"].push_back(processor.status().message());
  }
  if (c.text) {
    const auto text = TextInput::Open(directory, c.family, *c.text);
    if (!text.ok()) json["notes"].push_back(text.status().message());
  }
  if (as_json) {
    std::cout << json.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    Print(c, json);
  }
  return OkStatus();
}

}  // namespace galen::cli
