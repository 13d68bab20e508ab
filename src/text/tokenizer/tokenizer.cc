#include "text/tokenizer.h"

#include <algorithm>

#include "text/tokenizer/impl.h"
#include "text/tokenizer/unicode.h"

namespace galen {

using text::Piece;
using text::Pieces;
using text::Segment;

namespace {

constexpr size_t kMaxText = size_t{1} << 29;  // bytes; ICU and the merge tables count in 32 bits

// Tokens by which chat models end their turn although the file names another EOS.
constexpr std::string_view kTurnEnds[] = {
    "<end_of_turn>",   "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|endoftext|>",
    "<|end_of_text|>", "<|end|>",    "<|eot|>",    "<|return|>", "<turn|>"};

// Text between added tokens.
Status EncodeText(const Tokenizer::Impl& impl, std::string_view text, bool at_origin,
                  bool parse_special, std::vector<TokenId>* ids) {
  std::string storage;
  ASSIGN_OR_RETURN(const std::string_view normal,
                   impl.normalizer.Normalize(text, &storage, &at_origin));
  std::vector<Segment> segments;
  impl.added.Split(normal, true, parse_special, &segments);
  Pieces pieces;
  for (const Segment& segment : segments) {
    if (segment.id >= 0) {
      ids->push_back(segment.id);
      continue;
    }
    const std::string_view part = normal.substr(segment.begin, segment.end - segment.begin);
    RETURN_IF_ERROR(impl.pre_tokenizer.Split(part, at_origin && segment.begin == 0, &pieces));
    for (const Piece& piece : pieces.list) {
      RETURN_IF_ERROR(impl.model->Encode(piece.text, pieces.raw_bytes, parse_special, ids));
    }
  }
  return OkStatus();
}

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;

Result<std::vector<TokenId>> Tokenizer::Encode(std::string_view text, EncodeOptions options) const {
  if (text.size() > kMaxText) {
    return InvalidArgument("a text of " + std::to_string(text.size()) + " bytes; at most " +
                           std::to_string(kMaxText) + " can be encoded at once");
  }
  std::string clean;
  if (text::ValidUtf8Prefix(text) != text.size()) {
    text::AppendLossy(text, false, &clean);
    text = clean;
  }
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 4 + 8);
  if (options.add_bos) ids = impl_->prefix;
  std::vector<Segment> segments;
  impl_->added.Split(text, false, options.parse_special, &segments);
  for (const Segment& segment : segments) {
    if (segment.id >= 0) {
      ids.push_back(segment.id);
    } else {
      RETURN_IF_ERROR(EncodeText(*impl_, text.substr(segment.begin, segment.end - segment.begin),
                                 segment.begin == 0, options.parse_special, &ids));
    }
  }
  if (options.add_eos) ids.insert(ids.end(), impl_->suffix.begin(), impl_->suffix.end());
  return ids;
}

std::string Tokenizer::Decode(std::span<const TokenId> ids, bool skip_special) const {
  std::string out;
  text::Decoder::State state;
  for (const TokenId id : ids) {
    if (!impl_->vocab.Has(id) || (skip_special && impl_->IsHidden(id))) continue;
    impl_->decoder.Push(&state, impl_->Text(id), &out);
  }
  impl_->decoder.Finish(&state, &out);
  return out;
}

std::string_view Tokenizer::TokenText(TokenId id) const { return impl_->Text(id); }

std::string Tokenizer::TokenBytes(TokenId id) const {
  const std::string_view text = impl_->Text(id);
  return impl_->added.FindById(id) != nullptr && impl_->IsControl(id)
             ? std::string(text)
             : impl_->decoder.TokenBytes(text);
}

std::optional<TokenId> Tokenizer::FindToken(std::string_view text) const {
  if (const auto* added = impl_->added.FindByText(text)) return added->id;
  const TokenId id = impl_->vocab.Find(text);
  return id == text::Vocab::kNone ? std::nullopt : std::optional(id);
}

int Tokenizer::vocab_size() const { return static_cast<int>(impl_->vocab.size()); }
const SpecialTokens& Tokenizer::special() const { return impl_->special; }
bool Tokenizer::IsControl(TokenId id) const { return impl_->IsControl(id); }
std::span<const TokenId> Tokenizer::prefix_ids() const { return impl_->prefix; }
std::span<const TokenId> Tokenizer::suffix_ids() const { return impl_->suffix; }

struct StreamingDetokenizer::State : text::Decoder::State {};

StreamingDetokenizer::StreamingDetokenizer(std::shared_ptr<const Tokenizer> tokenizer,
                                           bool skip_special)
    : tokenizer_(std::move(tokenizer)),
      skip_special_(skip_special),
      state_(std::make_unique<State>()) {}
StreamingDetokenizer::~StreamingDetokenizer() = default;

std::string StreamingDetokenizer::Add(TokenId id) {
  const Tokenizer::Impl& impl = *tokenizer_->impl_;
  std::string out;
  if (impl.vocab.Has(id) && !(skip_special_ && impl.IsHidden(id))) {
    impl.decoder.Push(state_.get(), impl.Text(id), &out);
  }
  return out;
}

std::string StreamingDetokenizer::Flush() {
  std::string out;
  tokenizer_->impl_->decoder.Finish(state_.get(), &out);
  return out;
}

Result<std::shared_ptr<const Tokenizer>> text::FinishTokenizer(
    std::unique_ptr<Tokenizer::Impl> impl) {
  RETURN_IF_ERROR(impl->added.Finish(impl->normalizer));
  // Hugging Face decodes an added token to its normalised content, and skips it when that spells a
  // special token.
  for (size_t i = 0; i < impl->added.tokens().size(); ++i) {
    const AddedToken& token = impl->added.tokens()[i];
    const std::string_view shown = impl->added.Shown(i);
    // A token that the model does not know; else the spelling is the model's, by which it finds the
    // token.
    if (impl->vocab.Text(token.id).empty())
      impl->vocab.Set(token.id, impl->vocab.Own(std::string(token.content)));
    if (impl->vocab.Text(token.id) != shown) impl->shown[token.id] = shown;
    if (!token.normalized || shown == token.content) continue;
    const AddedToken* spelled = impl->added.FindByText(shown);
    impl->hidden.resize(std::max(impl->hidden.size(), static_cast<size_t>(token.id) + 1));
    impl->hidden[token.id] = spelled != nullptr && impl->IsHidden(spelled->id);
  }
  for (const auto* around : {&impl->prefix, &impl->suffix}) {
    for (const TokenId id : *around) {
      if (!impl->vocab.Has(id))
        return DataLoss("the tokenizer puts id " + std::to_string(id) +
                        " around a text, but has no such token");
    }
  }
  SpecialTokens& special = impl->special;
  for (std::optional<TokenId>* id : {&special.bos, &special.eos, &special.unk, &special.pad}) {
    if (*id && !impl->vocab.Has(**id)) id->reset();
  }
  if (special.eos) special.stop.push_back(*special.eos);
  for (const std::string_view name : kTurnEnds) {
    const AddedToken* token = impl->added.FindByText(name);
    if (token != nullptr && impl->IsControl(token->id)) special.stop.push_back(token->id);
  }
  std::erase_if(special.stop, [&](TokenId id) { return !impl->vocab.Has(id); });
  std::sort(special.stop.begin(), special.stop.end());
  special.stop.erase(std::unique(special.stop.begin(), special.stop.end()), special.stop.end());
  return std::make_shared<const Tokenizer>(std::unique_ptr<const Tokenizer::Impl>(std::move(impl)));
}

}  // namespace galen
