// tokenizer.json as the keys tokenizer.ggml.* of a GGUF file. Two kinds of BPE exist there: "gpt2",
// over bytes with a named pre-tokenizer, and "llama", SentencePiece's, where the rank of a merge
// becomes the score of the token that it makes.
#include <algorithm>
#include <array>

#include "base/files.h"
#include "base/json.h"
#include "formats/quote.h"
#include "models/text_files.h"
#include "quantize/gguf_metadata.h"

namespace galen {
namespace {

constexpr int64_t kMaxTokens = 1 << 23;

// tokenizer.ggml.token_type
enum TokenType : int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

const Json& At(const Json& object, const char* key) {
  static const Json kNone;
  if (!object.is_object()) return kNone;
  const auto it = object.find(key);
  return it == object.end() ? kNone : *it;
}

std::string Text(const Json& json) { return json.is_string() ? json.get<std::string>() : ""; }
bool True(const Json& json) { return json.is_boolean() && json.get<bool>(); }

// The steps of a pre-tokenizer or normalizer, whether it is one or a sequence.
std::vector<const Json*> Steps(const Json& part, const char* list) {
  std::vector<const Json*> steps;
  if (Text(At(part, "type")) == "Sequence") {
    const Json& parts = At(part, list);
    if (parts.is_array()) {
      for (const Json& step : parts) steps.push_back(&step);
    }
  } else if (part.is_object()) {
    steps.push_back(&part);
  }
  return steps;
}

const Json* Step(const std::vector<const Json*>& steps, const char* type) {
  for (const Json* step : steps) {
    if (Text(At(*step, "type")) == type) return step;
  }
  return nullptr;
}

// llama.cpp names pre-tokenizers; the file spells them out (convert_hf_to_gguf.py tells them apart
// by what they do to a text).
Result<std::string> PreTokenizerName(const Json& json) {
  const std::vector<const Json*> steps = Steps(At(json, "pre_tokenizer"), "pretokenizers");
  if (const Json* split = Step(steps, "Split"); split != nullptr) {
    const std::string pattern = Text(At(At(*split, "pattern"), "Regex"));
    const std::string before = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})";
    const std::string after = R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
    if (pattern == before + "{1,3}" + after) return std::string("llama-bpe");
    if (pattern == before + after) return std::string("qwen2");
    return Unsupported("a pre-tokenizer with the pattern " + Quoted(pattern, 60) +
                       ", for which galen knows no name in llama.cpp");
  }
  if (Step(steps, "Digits") != nullptr) return std::string("smollm");
  return std::string("gpt-2");
}

struct Vocabulary {
  std::vector<std::string> tokens;
  std::vector<int32_t> types;
  std::vector<float> scores;
  std::vector<std::string> merges;
};

Status Put(int64_t id, const std::string& text, int32_t type, Vocabulary* v) {
  if (id < 0 || id >= kMaxTokens) {
    return DataLoss("token " + Quoted(text, 40) + " has the id " + std::to_string(id));
  }
  if (static_cast<size_t>(id) >= v->tokens.size()) {
    v->tokens.resize(static_cast<size_t>(id) + 1);
    v->types.resize(static_cast<size_t>(id) + 1, kUnused);
  }
  v->tokens[static_cast<size_t>(id)] = text;
  v->types[static_cast<size_t>(id)] = type;
  return OkStatus();
}

bool IsByteToken(const std::string& text) {
  return text.size() == 6 && text.starts_with("<0x") && text[5] == '>';
}

// "left right" of one merge, and the token that it makes.
Result<std::array<std::string, 2>> Merge(const Json& merge) {
  if (merge.is_array() && merge.size() == 2) {
    return std::array{Text(merge[0]) + " " + Text(merge[1]), Text(merge[0]) + Text(merge[1])};
  }
  const std::string text = Text(merge);
  const size_t space = text.find(' ');
  if (space == std::string::npos) return DataLoss("a merge that is no pair of tokens");
  return std::array{text, text.substr(0, space) + text.substr(space + 1)};
}

Result<Vocabulary> ReadVocabulary(const Json& json, bool bytes, int64_t vocab_size) {
  const Json& model = At(json, "model");
  const Json& vocab = At(model, "vocab");
  const Json& merges = At(model, "merges");
  if (Text(At(model, "type")) != "BPE" || !vocab.is_object() || !merges.is_array()) {
    return Unsupported("a tokenizer of the type " + Quoted(Text(At(model, "type")), 40) +
                       "; only BPE can be written as GGUF");
  }
  const std::string unknown = Text(At(model, "unk_token"));
  Vocabulary v;
  for (const auto& [text, id] : vocab.items()) {
    if (!id.is_number_integer()) return DataLoss("the id of a token is no integer");
    const int32_t type = text == unknown && !bytes     ? kUnknown
                         : !bytes && IsByteToken(text) ? kByte
                                                       : kNormal;
    RETURN_IF_ERROR(Put(id.get<int64_t>(), text, type, &v));
  }
  const Json& added = At(json, "added_tokens");
  for (const Json& token : added.is_array() ? added : Json::array()) {
    const Json& id = At(token, "id");
    if (!id.is_number_integer()) return DataLoss("an added token without an id");
    const std::string text = Text(At(token, "content"));
    const bool is_unknown = !bytes && text == unknown;
    RETURN_IF_ERROR(Put(id.get<int64_t>(), text,
                        is_unknown                   ? kUnknown
                        : True(At(token, "special")) ? kControl
                                                     : kUserDefined,
                        &v));
  }
  // Rows of the embedding table that no token has.
  const size_t rows = std::max(v.tokens.size(), static_cast<size_t>(vocab_size));
  v.tokens.resize(rows);
  v.types.resize(rows, kUnused);
  for (size_t i = 0; i < rows; ++i) {
    if (v.types[i] == kUnused && v.tokens[i].empty())
      v.tokens[i] = "[PAD" + std::to_string(i) + "]";
  }
  v.scores.assign(rows, -1e9f);
  float rank = 0;
  for (const Json& merge : merges) {
    ASSIGN_OR_RETURN(auto parts, Merge(merge));
    rank -= 1;
    if (bytes) {
      v.merges.push_back(std::move(parts[0]));
      continue;
    }
    const auto made = vocab.find(parts[1]);
    if (made == vocab.end()) continue;
    float& score = v.scores[made->get<size_t>()];
    score = std::max(score, rank);
  }
  return v;
}

bool AddsSpace(const Json& json) {
  if (Step(Steps(At(json, "normalizer"), "normalizers"), "Prepend") != nullptr) return true;
  const Json* space = Step(Steps(At(json, "pre_tokenizer"), "pretokenizers"), "Metaspace");
  return space != nullptr && Text(At(*space, "prepend_scheme")) != "never";
}

}  // namespace

Status SetGgufTokenizer(const ModelFiles& files, GgufWriter* writer) {
  RETURN_IF_ERROR(files.tokenizer_status);
  const std::string path = files.checkpoint->directory() + "/tokenizer.json";
  if (!FileExists(path)) {
    return Unsupported(path +
                       " is missing: a GGUF file needs it (transformers writes it: "
                       "AutoTokenizer.from_pretrained(..).save_pretrained(..))");
  }
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxTokenizerBytes));
  const Result<Json> json = ParseJson(text);
  if (!json.ok()) return json.status().WithContext(path);
  const bool bytes =
      Step(Steps(At(*json, "pre_tokenizer"), "pretokenizers"), "ByteLevel") != nullptr;
  Result<Vocabulary> v = ReadVocabulary(*json, bytes, files.config.vocab_size);
  if (!v.ok()) return v.status().WithContext(path);
  writer->Set("tokenizer.ggml.model", bytes ? "gpt2" : "llama");
  if (bytes) {
    const Result<std::string> pre = PreTokenizerName(*json);
    if (!pre.ok()) return pre.status().WithContext(path);
    writer->Set("tokenizer.ggml.pre", *pre);
  } else {
    writer->Set("tokenizer.ggml.pre", "default");
  }
  writer->Set("tokenizer.ggml.tokens", std::span<const std::string>(v->tokens));
  if (!bytes) writer->Set("tokenizer.ggml.scores", std::span<const float>(v->scores));
  writer->Set("tokenizer.ggml.token_type", std::span<const int32_t>(v->types));
  if (bytes) writer->Set("tokenizer.ggml.merges", std::span<const std::string>(v->merges));

  const Tokenizer& tokenizer = *files.tokenizer;
  const SpecialTokens& special = tokenizer.special();
  const auto set_id = [&](const char* key, std::optional<TokenId> id) {
    if (id) writer->Set(std::string("tokenizer.ggml.") + key, static_cast<uint32_t>(*id));
  };
  set_id("bos_token_id", special.bos);
  set_id("eos_token_id", special.eos);
  set_id("unknown_token_id", special.unk);
  set_id("padding_token_id", special.pad);
  for (const char* name : {"<end_of_turn>", "<|im_end|>", "<|eot_id|>"}) {
    const std::optional<TokenId> id = tokenizer.FindToken(name);
    if (!id || id == special.eos) continue;
    set_id("eot_token_id", id);
    break;
  }
  writer->Set("tokenizer.ggml.add_bos_token", !tokenizer.prefix_ids().empty());
  writer->Set("tokenizer.ggml.add_eos_token", !tokenizer.suffix_ids().empty());
  if (!bytes) writer->Set("tokenizer.ggml.add_space_prefix", AddsSpace(*json));
  if (!files.chat_template.empty() && !files.chat_template_origin.starts_with("built in")) {
    writer->Set("tokenizer.chat_template", files.chat_template);
  }
  return OkStatus();
}

}  // namespace galen
