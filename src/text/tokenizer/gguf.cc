// Tokenizers from the keys tokenizer.ggml.* of a GGUF file, with the ids of the Hugging Face
// tokenizer it was made from.
#include <algorithm>
#include <array>

#include "text/tokenizer/impl.h"
#include "text/tokenizer/unicode.h"

namespace galen {

using namespace text;  // NOLINT: this file puts their parts together

namespace {

enum GgufTokenType : int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

// The pre-tokenizers that `tokenizer.ggml.pre` names. Patterns are those of the models'
// tokenizer.json files.
constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kGpt4o =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|)"
    R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct PreTokenizerRow {
  std::string_view name;
  const char* pattern;  // split in front of the byte alphabet; null: GPT-2's own
  bool digits = false;  // every digit alone, first of all
  bool nfc = false;
  bool ignore_merges = false;  // a piece that is a token is that token
  bool add_bos = false;        // where the file does not say
};
constexpr PreTokenizerRow kPreTokenizers[] = {
    {"", nullptr},
    {"default", nullptr},
    {"gpt-2", nullptr},
    {"phi-2", nullptr},
    {"mpt", nullptr},
    {"olmo", nullptr},
    {"roberta-bpe", nullptr},
    {"jais", nullptr},
    {"smollm", nullptr, true},
    {"starcoder", nullptr, true},
    {"refact", nullptr, true},
    {"codeshell", nullptr, true},
    {"command-r", nullptr, true, true},
    {"llama3", kLlama3, false, false, true, true},
    {"llama-v3", kLlama3, false, false, true, true},
    {"llama-bpe", kLlama3, false, false, true, true},
    {"falcon3", kLlama3, false, false, true},
    {"smaug-bpe", kLlama3},
    {"dbrx", kLlama3},
    {"qwen2", kQwen2, false, true},
    {"deepseek-r1-qwen", kQwen2, false, true},
    {"stablelm2", kQwen2},
    {"megrez", kQwen2},
    {"gpt-4o", kGpt4o},
    {"llama4", kGpt4o, false, false, true, true},
    {"tekken", kTekken, false, false, true, true},
};

Status CheckSizes(const GgufVocab& v) {
  if (v.tokens.empty()) return DataLoss("tokenizer.ggml.tokens is missing or empty");
  if (v.tokens.size() > static_cast<size_t>(kMaxVocab)) {
    return DataLoss("tokenizer.ggml.tokens: " + std::to_string(v.tokens.size()) + " tokens");
  }
  const auto check = [&](const char* name, size_t size) {
    return size == v.tokens.size()
               ? OkStatus()
               : DataLoss(std::string(name) + " has " + std::to_string(size) +
                          " entries, but there are " + std::to_string(v.tokens.size()) + " tokens");
  };
  if (!v.token_types.empty())
    RETURN_IF_ERROR(check("tokenizer.ggml.token_type", v.token_types.size()));
  if (v.model == "llama") RETURN_IF_ERROR(check("tokenizer.ggml.scores", v.scores.size()));
  for (const auto& [name, id] : {std::pair{"bos", v.bos},
                                 {"eos", v.eos},
                                 {"eot", v.eot},
                                 {"eom", v.eom},
                                 {"unknown", v.unk},
                                 {"padding", v.pad}}) {
    if (id && (*id < 0 || static_cast<size_t>(*id) >= v.tokens.size())) {
      return DataLoss(std::string("tokenizer.ggml.") + name + "_token_id is " +
                      std::to_string(*id) + ", but there are " + std::to_string(v.tokens.size()) +
                      " tokens");
    }
  }
  return OkStatus();
}

int32_t TypeOf(const GgufVocab& v, size_t id) {
  if (!v.token_types.empty()) return v.token_types[id];
  const auto i = static_cast<TokenId>(id);
  if (v.bos == i || v.eos == i || v.eot == i || v.pad == i) return kControl;
  return v.unk == i ? kUnknown : kNormal;
}

// Converters write Gemma's image markers as user-defined tokens; they are special in its
// tokenizer.json.
bool IsMarker(std::string_view text) {
  return text == "<start_of_image>" || text == "<end_of_image>" || text == "<image_soft_token>";
}

// Converters flag Gemma's reserved tokens as control tokens; in its tokenizer.json they are
// ordinary added tokens, which decoding shows (MedGemma writes <unused94> in front of its
// thoughts).
bool IsShown(std::string_view text) { return text.starts_with("<unused") || text == "<mask>"; }

// Texts, added tokens and flags.
void AddVocabulary(const GgufVocab& v, Tokenizer::Impl* impl) {
  const bool sentencepiece = v.model == "llama";
  impl->vocab.KeepAlive(v.owner);
  impl->vocab.Resize(v.tokens.size());
  impl->control.assign(v.tokens.size(), false);
  impl->hidden.assign(v.tokens.size(), false);
  for (size_t i = 0; i < v.tokens.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    std::string_view text = v.tokens[i];
    const int32_t type = TypeOf(v, i);
    if (type == kUserDefined && sentencepiece && text.find(' ') != std::string_view::npos) {
      // Converters write the spaces of user-defined tokens plainly; the vocabulary has "▁".
      std::string spelled;
      for (const char c : text) c == ' ' ? spelled.append(kMetaSpace) : spelled.append(1, c);
      text = impl->vocab.Own(std::move(spelled));
    } else if (v.owner == nullptr) {
      text = impl->vocab.Own(std::string(text));
    }
    impl->vocab.Set(id, text);
    if (type != kControl && type != kUserDefined && type != kUnknown) continue;
    AddedToken token{id, std::string(text)};
    token.control = type != kUserDefined || IsMarker(text);
    impl->control[i] = token.control;
    impl->hidden[i] = token.control && !(sentencepiece && IsShown(text));
    impl->added.Add(std::move(token));
  }
  impl->vocab.Index();
}

Status BuildSentencePiece(const GgufVocab& v, Tokenizer::Impl* impl) {
  MergeScores merges;
  merges.scores = v.scores;
  merges.may_merge.resize(v.tokens.size());
  for (size_t i = 0; i < v.tokens.size(); ++i) {
    const int32_t type = TypeOf(v, i);
    merges.may_merge[i] = type == kNormal || type == kUserDefined;
    // The SentencePiece model gives user-defined tokens the score 0; converters write another.
    if (type == kUserDefined) merges.scores[i] = 0;
    if (!(merges.scores[i] == merges.scores[i]))
      return DataLoss("tokenizer.ggml.scores[" + std::to_string(i) + "] is no number");
  }
  ModelOptions options;
  options.unk = v.unk;
  for (size_t i = 0; i < v.tokens.size() && !options.unk; ++i) {
    if (TypeOf(v, i) == kUnknown) options.unk = static_cast<TokenId>(i);
  }
  impl->special.unk = options.unk;
  options.fuse_unk = true;
  options.byte_fallback = true;
  options.control = impl->control;
  const bool prefix_space = v.add_space_prefix.value_or(true);
  if (prefix_space) impl->normalizer.Add(NormalizePrepend{std::string(kMetaSpace)});
  impl->normalizer.Add(NormalizeReplace{" ", std::string(kMetaSpace)});
  impl->model = MakeBpe(impl->vocab, std::move(merges), std::move(options));
  RETURN_IF_ERROR(impl->decoder.Add(DecodeReplace{std::string(kMetaSpace), " "}));
  RETURN_IF_ERROR(impl->decoder.Add(DecodeByteFallback{}));
  RETURN_IF_ERROR(impl->decoder.Add(DecodeFuse{}));
  return prefix_space ? impl->decoder.Add(DecodeStrip{" ", 1, 0}) : OkStatus();
}

Status BuildByteLevel(const GgufVocab& v, const PreTokenizerRow& row, Tokenizer::Impl* impl) {
  MergeList merges;
  merges.entries.reserve(v.merges.size());
  for (size_t i = 0; i < v.merges.size(); ++i) {
    const std::string_view merge = v.merges[i];
    const size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos)
      return DataLoss("tokenizer.ggml.merges[" + std::to_string(i) + "] is no pair");
    const std::string_view left = merge.substr(0, space), right = merge.substr(space + 1);
    const MergeList::Entry entry{impl->vocab.Find(left), impl->vocab.Find(right),
                                 impl->vocab.Find(std::string(left).append(right))};
    if (entry.left == Vocab::kNone || entry.right == Vocab::kNone || entry.merged == Vocab::kNone) {
      return DataLoss("tokenizer.ggml.merges[" + std::to_string(i) + "] = '" + std::string(merge) +
                      "' is not of tokens");
    }
    merges.entries.push_back(entry);
  }
  if (row.nfc) impl->normalizer.Add(NormalizeUnicode{UnicodeForm::kNfc});
  if (row.digits) impl->pre_tokenizer.Add(SplitDigits{true});
  ASSIGN_OR_RETURN(Regex regex,
                   Regex::Compile(row.pattern != nullptr ? row.pattern : kGpt2Pattern));
  impl->pre_tokenizer.Add(SplitByteLevel{v.add_space_prefix.value_or(false), std::move(regex)});
  impl->pre_tokenizer.set_allow_raw_bytes(true);
  ModelOptions options;
  options.ignore_merges = row.ignore_merges;
  options.control = impl->control;
  impl->model = MakeBpe(impl->vocab, std::move(merges), std::move(options));
  return impl->decoder.Add(DecodeByteLevel{});
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::FromGguf(GgufVocab v) {
  RETURN_IF_ERROR(CheckSizes(v));
  auto impl = std::make_unique<Impl>();
  impl->special = {v.bos, v.eos, v.unk, v.pad, {}};
  for (const auto& id : {v.eot, v.eom}) {
    if (id) impl->special.stop.push_back(*id);
  }
  bool add_bos = v.model == "llama";
  const PreTokenizerRow* row = nullptr;
  if (v.model == "gpt2") {
    row = std::find_if(std::begin(kPreTokenizers), std::end(kPreTokenizers),
                       [&](const auto& r) { return r.name == v.pre; });
    if (row == std::end(kPreTokenizers)) {
      return Unsupported("tokenizer.ggml.pre = '" + v.pre +
                         "': this pre-tokenizer is not known; use the model's tokenizer.json");
    }
    add_bos = row->add_bos;
  } else if (v.model != "llama") {
    return Unsupported("tokenizer.ggml.model = '" + v.model +
                       "': only 'llama' and 'gpt2' are read; use the model's tokenizer.json");
  }
  AddVocabulary(v, impl.get());
  RETURN_IF_ERROR(row != nullptr ? BuildByteLevel(v, *row, impl.get())
                                 : BuildSentencePiece(v, impl.get()));
  if (v.add_bos.value_or(add_bos) && v.bos) impl->prefix = {*v.bos};
  if (v.add_eos.value_or(false) && v.eos) impl->suffix = {*v.eos};
  return FinishTokenizer(std::move(impl));
}

}  // namespace galen
