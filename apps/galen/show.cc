// galen show: what a model's files say.
#include <iostream>
#include <map>

#include "commands.h"
#include "engine/memory_plan.h"
#include "formats/bitsandbytes.h"
#include "models/dual_encoder/open_dual_encoder.h"
#include "session.h"
#include "show_image_text.h"

namespace galen::cli {
namespace {

Json ConfigJson(const ModelConfig& c) {
  Json json = {{"hidden_size", c.hidden_size},
               {"intermediate_size", c.intermediate_size},
               {"num_hidden_layers", c.num_hidden_layers},
               {"num_attention_heads", c.num_attention_heads},
               {"num_key_value_heads", c.num_key_value_heads},
               {"head_dim", c.head_dim},
               {"vocab_size", c.vocab_size},
               {"max_position_embeddings", c.max_position_embeddings},
               {"rms_norm_eps", c.rms_norm_eps},
               {"sliding_window", c.sliding_window},
               {"tie_word_embeddings", c.tie_word_embeddings},
               {"attention_bias", c.attention_bias},
               {"attention_scale", c.attention_scale},
               {"eos_token_ids", c.eos_token_ids}};
  Json sliding = Json::array();
  for (uint8_t slides : c.layer_is_sliding) sliding.push_back(slides != 0);
  json["layer_is_sliding"] = sliding;
  return json;
}

Json VisionJson(const ModelFiles& files) {
  if (!files.vision_status.ok()) return {{"error", files.vision_status.message()}};
  const VisionConfig& c = files.vision;
  Json json = {{"path", files.vision_checkpoint->path()},
               {"hidden_size", c.hidden_size},
               {"intermediate_size", c.intermediate_size},
               {"num_hidden_layers", c.num_hidden_layers},
               {"num_attention_heads", c.num_attention_heads},
               {"patch_size", c.patch_size},
               {"parameters", c.num_parameters()},
               {"preprocessing", files.image_processor->version()}};
  if (c.any_shape()) {
    json.update({{"min_pixels", c.min_pixels},
                 {"max_pixels", c.max_pixels},
                 {"spatial_merge_size", c.spatial_merge_size},
                 {"window_size", c.window_size}});
  } else {
    json.update({{"image_size", c.image_size}, {"tokens_per_image", c.tokens_per_image}});
  }
  return json;
}

// Which images the tower takes, and how many tokens they become.
std::string Sizes(const VisionConfig& v) {
  if (!v.any_shape()) {
    const std::string side = std::to_string(v.image_size);
    return side + " x " + side + " pixels become " + std::to_string(v.tokens_per_image) + " tokens";
  }
  const std::string cell = std::to_string(v.patch_size * v.spatial_merge_size);
  return "any shape of " + std::to_string(v.min_pixels) + " to " + std::to_string(v.max_pixels) +
         " pixels, a token for each " + cell + " x " + cell;
}

Status Show(ModelOptions o) {
  RETURN_IF_ERROR(ResolveModel(&o));
  if (IsDualEncoderPath(o.model)) return ShowImageText(o.model, o.json);
  ASSIGN_OR_RETURN(const ModelFiles files, ReadModel(o.model, ReadOptionsOf(o)));
  const ModelConfig& c = files.config;
  const int64_t context = o.context > 0 ? std::min(o.context, c.max_position_embeddings)
                                        : std::min<int64_t>(4096, c.max_position_embeddings);
  ASSIGN_OR_RETURN(const Compute compute, ComputeOf(o));
  ASSIGN_OR_RETURN(const KvType kv_type, KvTypeOf(o, compute));
  std::map<std::string, std::pair<int64_t, int64_t>> formats;  // tensors, bytes
  int64_t bytes = 0;
  for (const TensorInfo& tensor : files.checkpoint->tensors()) {
    auto& [count, size] = formats[std::string(tensor.type_name)];
    ++count;
    const int64_t tensor_bytes = TensorBytes(tensor);
    size += tensor_bytes;
    bytes += tensor_bytes;
  }
  const int64_t kv = KvCacheBytes(c, kv_type, context, RunnerOptions{}.max_batch_tokens);
  Json json = {{"path", files.checkpoint->path()},
               {"architecture", c.architecture},
               {"name", c.name},
               {"parameters", c.num_parameters()},
               {"config", ConfigJson(c)},
               {"memory", {{"context", context}, {"weights_bytes", bytes}, {"kv_cache_bytes", kv}}},
               {"chat_template", files.chat_template_origin},
               {"vision", VisionJson(files)},
               {"notes", files.notes}};
  for (const auto& [name, figures] : formats) {
    json["tensors"][name] = {{"count", figures.first}, {"bytes", figures.second}};
  }
  if (files.tokenizer_status.ok()) {
    json["tokenizer"] = {{"vocab_size", files.tokenizer->vocab_size()},
                         {"adds_bos", files.tokenizer->add_bos_token()},
                         {"stop", files.tokenizer->special().stop}};
  } else {
    json["tokenizer"] = {{"error", files.tokenizer_status.message()}};
  }
  if (o.json) {
    std::cout << json.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
    return OkStatus();
  }
  std::cout << c.architecture << "  " << c.name << "  " << c.num_parameters() / 1000000
            << " M parameters\n"
            << c.num_hidden_layers << " layers, hidden " << c.hidden_size << ", "
            << c.num_attention_heads << " heads (" << c.num_key_value_heads << " for keys) of "
            << c.head_dim << ", feed-forward " << c.intermediate_size << ", vocabulary "
            << c.vocab_size << ", context up to " << c.max_position_embeddings << "\n";
  for (const auto& [name, figures] : formats) {
    std::cout << "  " << name << ": " << figures.first << " tensors, "
              << FormatBytes(figures.second) << "\n";
  }
  std::cout << "memory at a context of " << context << ": weights " << FormatBytes(bytes)
            << ", KV cache " << FormatBytes(kv) << "\nchat template: "
            << (files.chat_template.empty() ? "none" : files.chat_template_origin) << "\n";
  if (files.vision_status.ok()) {
    const VisionConfig& v = files.vision;
    std::cout << "images: " << v.num_parameters() / 1000000 << " M parameters, "
              << v.num_hidden_layers << " layers, hidden " << v.hidden_size << ", " << Sizes(v)
              << " (" << files.vision_checkpoint->path() << ")\n";
  } else {
    std::cout << "images: none: " << files.vision_status.message() << "\n";
  }
  for (const std::string& note : files.notes) std::cout << "note: " << note << "\n";
  if (!files.tokenizer_status.ok())
    std::cout << "tokenizer: " << files.tokenizer_status.message() << "\n";
  return OkStatus();
}

}  // namespace

void AddShow(CLI::App& app, Action* action) {
  auto o = std::make_shared<ModelOptions>();
  CLI::App* verb =
      app.add_subcommand("show", "Architecture, hyper-parameters, tensors and memory of a model");
  AddModelArgument(*verb, o.get());
  AddProjectorOption(*verb, o.get());
  verb->add_option("--context", o->context, "Tokens for the memory figure (default 4096)")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 30));
  verb->add_option("--kv", o->kv, "Type of the KV cache")
      ->check(CLI::IsMember({"auto", "bf16", "f16", "int8", "fp32"}));
  verb->add_flag("--json", o->json, "One JSON object");
  verb->callback([o, action] { *action = [o] { return Show(*o); }; });
}

}  // namespace galen::cli
