// tokenizer.json of Hugging Face's `tokenizers` library: vocabulary, added tokens and what is put
// around a text.
#include <algorithm>

#include "text/tokenizer/impl.h"
#include "text/tokenizer/json_document.h"
#include "text/tokenizer/json_fields.h"
#include "text/tokenizer/json_parts.h"

namespace galen {

using namespace text;  // NOLINT: this file puts their parts together

namespace {

Status BadVocab(const std::string& what) { return DataLoss("tokenizer.json: model.vocab " + what); }

// {"token": id, ...}
Status ReadVocabObject(const TokenizerDocument& document, Vocab* vocab) {
  vocab->KeepAlive(document.vocab_bytes);
  const size_t count = document.vocab_texts.size();
  // Ids need not be dense, but a file may not make us allocate much more than it holds.
  const int64_t limit = std::min<int64_t>(kMaxVocab, static_cast<int64_t>(count) * 4 + 65536);
  for (size_t i = 0; i < count; ++i) {
    const int64_t id = document.vocab_ids[i];
    if (id < 0 || id >= limit) {
      return BadVocab("['" + std::string(document.VocabText(i)) +
                      "'] is out of range or no integer");
    }
    vocab->Set(static_cast<int32_t>(id), document.VocabText(i));
  }
  vocab->Index();
  return OkStatus();
}

// [["token", score], ...]
Status ReadVocabList(const TokenizerDocument& document, Vocab* vocab) {
  const size_t count = document.vocab_texts.size();
  if (count > static_cast<size_t>(kMaxVocab))
    return BadVocab("has " + std::to_string(count) + " tokens");
  vocab->KeepAlive(document.vocab_bytes);
  for (size_t i = 0; i < count; ++i) vocab->Set(static_cast<int32_t>(i), document.VocabText(i));
  vocab->Index();
  return OkStatus();
}

Result<MergeList> ReadMerges(const TokenizerDocument& document, const Vocab& vocab) {
  MergeList merges;
  const size_t count = document.merges_left.size();
  merges.entries.reserve(count);
  std::string joined;
  for (size_t i = 0; i < count; ++i) {
    std::string_view left = document.MergeText(document.merges_left[i]);
    std::string_view right = document.MergeText(document.merges_right[i]);
    const auto wrong = [&](const char* what) {
      return DataLoss("tokenizer.json: model.merges[" + std::to_string(i) + "] " + what);
    };
    if (right.empty()) {
      const size_t space = left.find(' ');
      if (space == std::string_view::npos || left.find(' ', space + 1) != std::string_view::npos)
        return wrong("is no pair");
      right = left.substr(space + 1);
      left = left.substr(0, space);
    }
    joined.assign(left).append(right);
    const MergeList::Entry entry{vocab.Find(left), vocab.Find(right), vocab.Find(joined)};
    if (entry.left == Vocab::kNone || entry.right == Vocab::kNone || entry.merged == Vocab::kNone) {
      return wrong("names a token that is not in the vocabulary");
    }
    merges.entries.push_back(entry);
  }
  return merges;
}

Status ReadAddedTokens(const Json& json, Tokenizer::Impl* impl) {
  if (!json.is_array()) return DataLoss("tokenizer.json: added_tokens must be an array");
  const int64_t limit = std::min<int64_t>(
      kMaxVocab, static_cast<int64_t>(impl->vocab.size() + json.size()) * 4 + 65536);
  for (const Json& item : json) {
    ASSIGN_OR_RETURN(const Fields fields, Fields::Of(item, "added_tokens"));
    AddedToken token{-1, {}};
    ASSIGN_OR_RETURN(token.content, fields.String("content"));
    ASSIGN_OR_RETURN(token.single_word, fields.BoolOr("single_word", false));
    ASSIGN_OR_RETURN(token.lstrip, fields.BoolOr("lstrip", false));
    ASSIGN_OR_RETURN(token.rstrip, fields.BoolOr("rstrip", false));
    ASSIGN_OR_RETURN(token.normalized, fields.BoolOr("normalized", true));
    ASSIGN_OR_RETURN(token.control, fields.BoolOr("special", false));
    ASSIGN_OR_RETURN(const int64_t id, fields.IntOr("id", -1));
    if (id < 0 || id >= limit) return fields.Wrong("id", "an id within the vocabulary");
    // A token that the model knows keeps the model's id, as in `tokenizers`.
    const int32_t known = impl->vocab.Find(token.content);
    token.id = known != Vocab::kNone ? known : static_cast<int32_t>(id);
    if (known == Vocab::kNone && !impl->vocab.Text(token.id).empty()) {
      return DataLoss("tokenizer.json: added token '" + token.content + "' has id " +
                      std::to_string(id) + ", which belongs to '" +
                      std::string(impl->vocab.Text(token.id)) + "'");
    }
    impl->added.Add(std::move(token));
  }
  for (const AddedToken& token : impl->added.tokens()) {
    const size_t need = std::max(impl->control.size(), static_cast<size_t>(token.id) + 1);
    impl->control.resize(need);
    impl->control[token.id] = token.control;
  }
  impl->hidden = impl->control;
  return OkStatus();
}

// Reads the added tokens as well, in between: the model has to know which tokens are control
// tokens.
Status ReadModel(TokenizerDocument& document, const Json& json, const Json* added,
                 Tokenizer::Impl* impl) {
  ASSIGN_OR_RETURN(const Fields fields, Fields::Of(json, "model"));
  using Table = TokenizerDocument::Table;
  // Files written before 2020 do not name the type.
  ASSIGN_OR_RETURN(const std::string kind,
                   fields.StringOr("type", document.vocab == Table::kList ? "Unigram" : "BPE"));
  ModelOptions options;
  ASSIGN_OR_RETURN(options.byte_fallback, fields.BoolOr("byte_fallback", false));
  if (kind == "BPE") {
    if (document.vocab != Table::kObject) return fields.Wrong("vocab", "an object");
    RETURN_IF_ERROR(ReadVocabObject(document, &impl->vocab));
    if (added != nullptr) RETURN_IF_ERROR(ReadAddedTokens(*added, impl));
    if (!document.has_merges) return fields.Wrong("merges", "an array");
    ASSIGN_OR_RETURN(MergeList merges, ReadMerges(document, impl->vocab));
    ASSIGN_OR_RETURN(const std::string prefix, fields.StringOr("continuing_subword_prefix", ""));
    if (!prefix.empty()) {
      return Unsupported("tokenizer.json: model.continuing_subword_prefix '" + prefix +
                         "' is not known");
    }
    ASSIGN_OR_RETURN(options.end_of_word_suffix, fields.StringOr("end_of_word_suffix", ""));
    if (const Json* dropout = fields.Find("dropout"); dropout != nullptr && *dropout != 0) {
      return Unsupported("tokenizer.json: model.dropout makes ids random; set it to null");
    }
    ASSIGN_OR_RETURN(options.fuse_unk, fields.BoolOr("fuse_unk", false));
    ASSIGN_OR_RETURN(options.ignore_merges, fields.BoolOr("ignore_merges", false));
    ASSIGN_OR_RETURN(const std::string unk, fields.StringOr("unk_token", ""));
    if (!unk.empty()) {
      const int32_t id = impl->vocab.Find(unk);
      if (id == Vocab::kNone)
        return DataLoss("tokenizer.json: model.unk_token '" + unk + "' is not in the vocabulary");
      options.unk = impl->special.unk = id;
    }
    options.control = impl->control;
    impl->model = MakeBpe(impl->vocab, std::move(merges), std::move(options));
    impl->pre_tokenizer.set_allow_raw_bytes(true);
    return OkStatus();
  }
  if (kind == "Unigram") {
    if (document.vocab != Table::kList) return fields.Wrong("vocab", "an array");
    RETURN_IF_ERROR(ReadVocabList(document, &impl->vocab));
    if (added != nullptr) RETURN_IF_ERROR(ReadAddedTokens(*added, impl));
    ASSIGN_OR_RETURN(const int64_t unk, fields.IntOr("unk_id", -1));
    if (unk >= static_cast<int64_t>(impl->vocab.size()) || unk < -1)
      return fields.Wrong("unk_id", "an id of the vocabulary");
    if (unk >= 0) options.unk = impl->special.unk = static_cast<TokenId>(unk);
    UnigramOptions unigram;
    unigram.scores = std::move(document.vocab_scores);
    options.control = impl->control;
    impl->model = MakeUnigram(impl->vocab, std::move(unigram), std::move(options));
    return OkStatus();
  }
  return Unsupported("tokenizer.json: the model '" + kind + "' is not known (BPE and Unigram are)");
}

// What the post-processor puts around a single text.
Status ReadPostProcessor(const Json& json, int depth, Tokenizer::Impl* impl) {
  if (depth > 8) return Unsupported("tokenizer.json: post_processor is nested too deeply");
  ASSIGN_OR_RETURN(const Fields fields, Fields::Of(json, "post_processor"));
  ASSIGN_OR_RETURN(const std::string kind, fields.String("type"));
  if (kind == "ByteLevel") return OkStatus();  // changes offsets only
  const auto check = [&](const Json& id) {
    return id.is_number_integer() && id.get<int64_t>() >= 0 && id.get<int64_t>() < kMaxVocab;
  };
  if (kind == "Sequence") {
    ASSIGN_OR_RETURN(const Json* list, fields.Array("processors"));
    for (const Json& step : *list) RETURN_IF_ERROR(ReadPostProcessor(step, depth + 1, impl));
    return OkStatus();
  }
  if (kind == "RobertaProcessing" || kind == "BertProcessing") {
    for (const auto& [name, ids] : {std::pair{"cls", &impl->prefix}, {"sep", &impl->suffix}}) {
      ASSIGN_OR_RETURN(const Json* pair, fields.Array(name));  // ["<s>", 0]
      if (pair->size() != 2 || !check((*pair)[1])) return fields.Wrong(name, "a token and its id");
      ids->assign(1, (*pair)[1].get<TokenId>());
    }
    return OkStatus();
  }
  if (kind != "TemplateProcessing")
    return Unsupported("tokenizer.json: the post-processor '" + kind + "' is not known");
  ASSIGN_OR_RETURN(const Json* single, fields.Array("single"));
  const Json* tokens = fields.Find("special_tokens");
  std::vector<TokenId>* side = &impl->prefix;
  for (const Json& piece : *single) {
    ASSIGN_OR_RETURN(const Fields entry, Fields::Of(piece, "post_processor.single"));
    if (entry.Find("Sequence") != nullptr) {
      side = &impl->suffix;
      continue;
    }
    const Json* special = entry.Find("SpecialToken");
    if (special == nullptr) return entry.Wrong("SpecialToken", "present where Sequence is not");
    ASSIGN_OR_RETURN(const Fields named,
                     Fields::Of(*special, "post_processor.single.SpecialToken"));
    ASSIGN_OR_RETURN(const std::string name, named.String("id"));
    if (tokens == nullptr || !tokens->is_object() || !tokens->contains(name)) {
      return DataLoss("tokenizer.json: post_processor.special_tokens lacks '" + name + "'");
    }
    ASSIGN_OR_RETURN(const Fields token,
                     Fields::Of((*tokens)[name], "post_processor.special_tokens"));
    ASSIGN_OR_RETURN(const Json* ids, token.Array("ids"));
    for (const Json& id : *ids) {
      if (!check(id)) return token.Wrong("ids", "token ids");
      side->push_back(id.get<TokenId>());
    }
  }
  return OkStatus();
}

// "bos_token": "<s>" or {"content": "<s>", ...}
std::optional<TokenId> NamedToken(const Json& config, const char* name,
                                  const Tokenizer::Impl& impl) {
  const auto it = config.find(name);
  if (it == config.end()) return std::nullopt;
  const Json* text = &*it;
  if (text->is_object() && text->contains("content")) text = &(*text)["content"];
  if (!text->is_string()) return std::nullopt;
  const auto& content = text->get_ref<const std::string&>();
  if (const AddedToken* added = impl.added.FindByText(content)) return added->id;
  const int32_t id = impl.vocab.Find(content);
  return id == Vocab::kNone ? std::nullopt : std::optional(id);
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::FromJson(std::string_view tokenizer_json,
                                                             std::string_view tokenizer_config) {
  ASSIGN_OR_RETURN(TokenizerDocument document, ParseTokenizerJson(tokenizer_json));
  ASSIGN_OR_RETURN(const Fields fields, Fields::Of(document.rest, "the file"));
  auto impl = std::make_unique<Impl>();
  const Json* model = fields.Find("model");
  if (model == nullptr) return fields.Wrong("model", "present");
  RETURN_IF_ERROR(ReadModel(document, *model, fields.Find("added_tokens"), impl.get()));
  if (const Json* normalizer = fields.Find("normalizer"))
    RETURN_IF_ERROR(ReadNormalizer(*normalizer, &impl->normalizer));
  if (const Json* pre = fields.Find("pre_tokenizer"))
    RETURN_IF_ERROR(ReadPreTokenizer(*pre, &impl->pre_tokenizer));
  if (const Json* post = fields.Find("post_processor"))
    RETURN_IF_ERROR(ReadPostProcessor(*post, 0, impl.get()));
  if (const Json* decoder = fields.Find("decoder")) {
    RETURN_IF_ERROR(ReadDecoder(*decoder, &impl->decoder));
  } else {
    impl->decoder.set_join_with_spaces(true);
  }
  if (!tokenizer_config.empty()) {
    auto config = ParseJson(tokenizer_config);
    if (!config.ok()) return config.status().WithContext("tokenizer_config.json");
    if (!config->is_object()) return DataLoss("tokenizer_config.json is no object");
    SpecialTokens& special = impl->special;
    special.bos = NamedToken(*config, "bos_token", *impl);
    special.eos = NamedToken(*config, "eos_token", *impl);
    special.pad = NamedToken(*config, "pad_token", *impl);
    if (const auto unk = NamedToken(*config, "unk_token", *impl)) special.unk = unk;
  } else if (!impl->prefix.empty()) {
    impl->special.bos = impl->prefix.front();
  }
  return FinishTokenizer(std::move(impl));
}

}  // namespace galen
