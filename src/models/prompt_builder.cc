#include "models/prompt_builder.h"

#include <algorithm>

namespace galen {

PromptBuilder::PromptBuilder(const ModelFiles& files, std::span<const PreparedViews> images)
    : tokenizer_(*files.tokenizer), processor_(files.image_processor.get()), images_(images) {
  if (processor_ == nullptr) return;
  soft_token_ = tokenizer_.FindToken(processor_->soft_token()).value_or(-1);
  // Quantised files may end their embedding table before the placeholder. Its row is not read: any
  // id will do.
  if (soft_token_ < 0 || soft_token_ >= files.config.vocab_size)
    soft_token_ = std::max(0, files.config.pad_token_id);
}

Status PromptBuilder::Template(std::string_view text) {
  while (processor_ != nullptr) {
    const std::string_view placeholder = processor_->placeholder();
    const size_t at = text.find(placeholder);
    if (at == std::string_view::npos) break;
    pending_ += text.substr(0, at);
    text.remove_prefix(at + placeholder.size());
    RETURN_IF_ERROR(AddImage());
  }
  pending_ += text;
  return OkStatus();
}

Status PromptBuilder::Plain(std::string_view text) {
  RETURN_IF_ERROR(Flush());
  return Encode(text, false);
}

Status PromptBuilder::Flush() {
  RETURN_IF_ERROR(Encode(pending_, true));
  pending_.clear();
  return OkStatus();
}

Result<EncodedPrompt> PromptBuilder::Take() {
  RETURN_IF_ERROR(Flush());
  if (placeholders_ == images_.size()) return std::move(prompt_);
  return InvalidArgument(
      "the prompt has places for " + std::to_string(placeholders_) + " images, " +
      std::to_string(images_.size()) + " were given" +
      (placeholders_ < images_.size() ? "; this model's chat template may not know images" : ""));
}

void PromptBuilder::AddIds(std::span<const TokenId> ids) {
  prompt_.tokens.insert(prompt_.tokens.end(), ids.begin(), ids.end());
}

Status PromptBuilder::Encode(std::string_view text, bool parse_special) {
  if (text.empty()) return OkStatus();
  EncodeOptions options;
  options.parse_special = parse_special;
  ASSIGN_OR_RETURN(const std::vector<TokenId> ids, tokenizer_.Encode(text, options));
  AddIds(ids);
  return OkStatus();
}

Status PromptBuilder::AddImage() {
  const size_t image = placeholders_++;
  if (image >= images_.size()) return OkStatus();  // Take says so
  const PreparedViews& views = images_[image];
  for (const PromptPiece& piece : processor_->Expand(static_cast<int64_t>(views.size()))) {
    if (piece.view < 0) {
      pending_ += piece.text;
      continue;
    }
    RETURN_IF_ERROR(Flush());
    const auto view = static_cast<size_t>(piece.view);
    const int64_t count = views[view].tokens;
    prompt_.places.push_back({static_cast<int64_t>(prompt_.tokens.size()), count, image, view});
    prompt_.tokens.insert(prompt_.tokens.end(), static_cast<size_t>(count), soft_token_);
  }
  return OkStatus();
}

}  // namespace galen
