#include "models/dual_encoder/text_input.h"

#include <algorithm>

#include "base/files.h"
#include "base/json.h"
#include "models/text_files.h"
#include "text/canonicalize.h"

namespace galen {
namespace {

constexpr int64_t kMaxLength = 1 << 16;
constexpr std::string_view kUnk = "<unk>";

Result<std::string> ReadOr(const std::string& path, std::string_view fallback) {
  if (!FileExists(path)) return std::string(fallback);
  return ReadFile(path, kMaxTokenizerBytes);
}

// CLIPTokenizer.__init__ of transformers 5.23 as a tokenizer.json.
Result<std::string> ClipTokenizerJson(const std::string& directory) {
  ASSIGN_OR_RETURN(const std::string vocab,
                   ReadFile(directory + "/vocab.json", kMaxTokenizerBytes));
  ASSIGN_OR_RETURN(const std::string merges,
                   ReadFile(directory + "/merges.txt", kMaxTokenizerBytes));
  Result<Json> ids = ParseJson(vocab, 8);
  if (!ids.ok()) return ids.status().WithContext(directory + "/vocab.json");
  if (!ids->is_object()) return DataLoss(directory + "/vocab.json: expected a JSON object");
  Json pairs = Json::array();
  for (size_t begin = 0; begin < merges.size();) {
    const size_t end = std::min(merges.find('\n', begin), merges.size());
    std::string line = merges.substr(begin, end - begin);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty() && !line.starts_with("#version")) pairs.push_back(std::move(line));
    begin = end + 1;
  }
  Json added = Json::array();
  Json around = Json::object();
  for (const char* token : {"<|startoftext|>", "<|endoftext|>"}) {
    const auto id = ids->find(token);
    if (id == ids->end() || !id->is_number_integer()) {
      return DataLoss(directory + "/vocab.json: '" + token + "' is missing");
    }
    added.push_back({{"id", *id}, {"content", token}, {"special", true}, {"normalized", false}});
    around[token] = Json::array({token, *id});
  }
  constexpr const char* kPattern =
      R"(<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";
  const Json spaces = {{"type", "Replace"}, {"pattern", {{"Regex", "\\s+"}}}, {"content", " "}};
  const Json split = {{"type", "Split"},
                      {"pattern", {{"Regex", kPattern}}},
                      {"behavior", "Removed"},
                      {"invert", true}};
  const Json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  Json json = {
      {"added_tokens", added},
      {"normalizer",
       {{"type", "Sequence"},
        {"normalizers", Json::array({{{"type", "NFC"}}, spaces, {{"type", "Lowercase"}}})}}},
      {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", Json::array({split, bytes})}}},
      {"post_processor",
       {{"type", "RobertaProcessing"},
        {"cls", around["<|startoftext|>"]},
        {"sep", around["<|endoftext|>"]}}},
      {"decoder", {{"type", "ByteLevel"}}},
      {"model",
       {{"type", "BPE"},
        {"end_of_word_suffix", "</w>"},
        {"unk_token", "<|endoftext|>"},
        {"vocab", *ids},
        {"merges", pairs}}}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// "pad_token": "</s>" or {"content": "</s>", ...}.
std::string TokenOf(const Json& config, const char* key, std::string_view fallback) {
  const auto it = config.find(key);
  if (it == config.end()) return std::string(fallback);
  if (it->is_string()) return it->get<std::string>();
  if (it->is_object() && it->contains("content") && (*it)["content"].is_string()) {
    return (*it)["content"].get<std::string>();
  }
  return std::string(fallback);
}

Result<int32_t> IdOf(const Tokenizer& tokenizer, const std::string& token,
                     const std::string& directory) {
  const std::optional<TokenId> id = tokenizer.FindToken(token);
  if (!id)
    return DataLoss(directory + ": the tokenizer has no token '" + token.substr(0, 64) + "'");
  return *id;
}

}  // namespace

Result<TextInput> TextInput::Open(const std::string& directory, DualEncoderFamily family,
                                  const TextEncoderConfig& config) {
  TextInput input;
  input.siglip_ = family == DualEncoderFamily::kSiglip;
  input.positions_ = config.max_position_embeddings;
  input.vocab_size_ = config.vocab_size;
  const std::string config_path = directory + "/tokenizer_config.json";
  ASSIGN_OR_RETURN(const std::string config_text, ReadOr(config_path, "{}"));
  const Result<Json> parsed = ParseJson(config_text, 64);
  if (!parsed.ok()) return parsed.status().WithContext(config_path);
  if (!parsed->is_object()) return DataLoss(config_path + ": expected a JSON object");
  const JsonView view(*parsed, config_path);
  ASSIGN_OR_RETURN(input.lower_case_, view.GetBoolOr("do_lower_case", true));
  // Files without a limit carry 1e30.
  const Json limit = parsed->value("model_max_length", Json());
  input.max_length_ = input.positions_;
  if (limit.is_number() && limit.get<double>() < static_cast<double>(kMaxLength)) {
    ASSIGN_OR_RETURN(const int64_t length, view.GetInt("model_max_length", 2, kMaxLength));
    input.max_length_ = std::min(length, input.positions_);
  }
  const std::string pieces = directory + "/spiece.model";
  const std::string json = directory + "/tokenizer.json";
  if (input.siglip_ && FileExists(pieces)) {
    ASSIGN_OR_RETURN(const std::string bytes, ReadFile(pieces, kMaxTokenizerBytes));
    auto tokenizer = Tokenizer::FromSentencePiece(bytes);
    if (!tokenizer.ok()) return tokenizer.status().WithContext(pieces);
    input.tokenizer_ = *tokenizer;
    input.sentencepiece_ = true;
    ASSIGN_OR_RETURN(const std::vector<int32_t> unk, input.tokenizer_->Encode(kUnk));
    input.unk_tokens_ = unk.size();
  } else if (FileExists(json) || (!input.siglip_ && FileExists(directory + "/vocab.json") &&
                                  FileExists(directory + "/merges.txt"))) {
    ASSIGN_OR_RETURN(const std::string text, FileExists(json) ? ReadFile(json, kMaxTokenizerBytes)
                                                              : ClipTokenizerJson(directory));
    auto tokenizer = Tokenizer::FromJson(text, config_text);
    if (!tokenizer.ok()) return tokenizer.status().WithContext(directory);
    input.tokenizer_ = *tokenizer;
  } else {
    return NotFound(directory + (input.siglip_
                                     ? ": neither spiece.model nor tokenizer.json is there"
                                     : ": neither tokenizer.json nor vocab.json and "
                                       "merges.txt are there"));
  }
  const std::string end = input.siglip_ ? "</s>" : "<|endoftext|>";
  ASSIGN_OR_RETURN(input.eos_,
                   IdOf(*input.tokenizer_, TokenOf(*parsed, "eos_token", end), directory));
  ASSIGN_OR_RETURN(input.pad_,
                   IdOf(*input.tokenizer_, TokenOf(*parsed, "pad_token", end), directory));
  return input;
}

// SentencePiece strips a leading space, so the reference encodes "<unk>" in front and cuts its
// pieces off (SiglipTokenizer._tokenize).
Result<std::vector<int32_t>> TextInput::EncodeSiglip(std::string_view text) const {
  // "_" (U+2581) in a text is a space, and one stands in front.
  constexpr std::string_view kSpace = "\xE2\x96\x81";
  std::string plain(kSpace);
  for (size_t i = 0; i < text.size();) {
    const bool space = text.substr(i).starts_with(kSpace);
    plain += space ? ' ' : text[i];
    i += space ? kSpace.size() : 1;
  }
  const std::string clean = CanonicalizeText(plain, lower_case_);
  if (!sentencepiece_) return tokenizer_->Encode(std::string_view(clean).substr(kSpace.size()));
  ASSIGN_OR_RETURN(std::vector<int32_t> ids, tokenizer_->Encode(std::string(kUnk) + clean));
  if (ids.size() >= unk_tokens_) {
    ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(unk_tokens_));
  }
  return ids;
}

Result<std::vector<int32_t>> TextInput::Encode(std::string_view text, bool* truncated) const {
  std::vector<int32_t> ids;
  if (siglip_) {
    ASSIGN_OR_RETURN(ids, EncodeSiglip(text));
    if (ids.empty() || ids.back() != eos_) ids.push_back(eos_);
  } else {
    ASSIGN_OR_RETURN(ids, tokenizer_->Encode(text, {.add_bos = true, .add_eos = true}));
  }
  const bool longer = static_cast<int64_t>(ids.size()) > max_length_;
  if (truncated != nullptr) *truncated = longer;
  if (longer) {
    ids.resize(static_cast<size_t>(max_length_));
    ids.back() = eos_;
  }
  for (const int32_t id : ids) {
    if (id >= vocab_size_) {
      return DataLoss("token " + std::to_string(id) + " lies outside the model's vocabulary of " +
                      std::to_string(vocab_size_) + ": the tokenizer belongs to another model");
    }
  }
  return ids;
}

Result<std::vector<int32_t>> TextInput::EncodePadded(std::string_view text, bool* truncated) const {
  ASSIGN_OR_RETURN(std::vector<int32_t> ids, Encode(text, truncated));
  if (siglip_) ids.resize(static_cast<size_t>(positions_), pad_);
  return ids;
}

}  // namespace galen
