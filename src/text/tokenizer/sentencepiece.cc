// SentencePiece models (tokenizer.model, spiece.model): a protocol buffer `ModelProto`. Read here
// rather than by libsentencepiece, which trusts the file's tables; the field numbers are those of
// sentencepiece_model.proto.
#include <cmath>
#include <cstring>

#include "text/tokenizer/impl.h"
#include "text/tokenizer/unicode.h"

namespace galen {

using namespace text;  // NOLINT: this file puts their parts together

namespace {

struct PieceType {
  enum : uint64_t {
    kNormal = 1,
    kUnknown = 2,
    kControl = 3,
    kUserDefined = 4,
    kUnused = 5,
    kByte = 6
  };
};

struct Field {
  uint32_t number = 0;
  uint64_t value = 0;      // varint, or the bits of a fixed field
  std::string_view bytes;  // length-delimited
};

// Reads the fields of one message.
class Message {
 public:
  explicit Message(std::string_view bytes) : rest_(bytes) {}
  bool more() const { return !rest_.empty(); }
  Result<Field> Next() {
    ASSIGN_OR_RETURN(const uint64_t tag, Varint());
    Field field;
    if (tag >> 3 == 0 || tag >> 3 > 1u << 29)
      return DataLoss("a field with number " + std::to_string(tag >> 3));
    field.number = static_cast<uint32_t>(tag >> 3);
    switch (tag & 7) {
      case 0: {
        ASSIGN_OR_RETURN(field.value, Varint());
        return field;
      }
      case 1:
        return Fixed(8, field);
      case 2: {
        ASSIGN_OR_RETURN(const uint64_t size, Varint());
        if (size > rest_.size()) {
          return DataLoss("field " + std::to_string(field.number) + " of " + std::to_string(size) +
                          " bytes, " + std::to_string(rest_.size()) + " are left");
        }
        field.bytes = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return field;
      }
      case 5:
        return Fixed(4, field);
      default:
        return DataLoss("wire type " + std::to_string(tag & 7));
    }
  }

 private:
  Result<uint64_t> Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_[0]);
      rest_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    return DataLoss("a broken or truncated number");
  }
  Result<Field> Fixed(size_t size, Field field) {
    if (rest_.size() < size) return DataLoss("truncated");
    std::memcpy(&field.value, rest_.data(), size);
    rest_.remove_prefix(size);
    return field;
  }
  std::string_view rest_;
};

template <typename F>
Status ForEachField(std::string_view bytes, F take) {
  for (Message message(bytes); message.more();) {
    ASSIGN_OR_RETURN(const Field field, message.Next());
    RETURN_IF_ERROR(take(field));
  }
  return OkStatus();
}

struct SpPiece {
  std::string_view text;
  float score = 0;
  uint64_t type = PieceType::kNormal;
};

struct SpModel {
  std::vector<SpPiece> pieces;
  uint64_t model_type = 1;  // 1 unigram, 2 BPE, 3 word, 4 char
  bool byte_fallback = false, space_as_suffix = false;
  int64_t bos = 1, eos = 2, pad = -1;
  std::string_view charsmap;
  bool dummy_prefix = true, remove_extra_spaces = true, escape_spaces = true;
};

Status ReadPiece(std::string_view bytes, SpModel* model) {
  SpPiece piece;
  RETURN_IF_ERROR(ForEachField(bytes, [&](const Field& f) {
    if (f.number == 1) piece.text = f.bytes;
    if (f.number == 2) {
      const auto bits = static_cast<uint32_t>(f.value);
      std::memcpy(&piece.score, &bits, sizeof bits);
    }
    if (f.number == 3) piece.type = f.value;
    return OkStatus();
  }));
  const std::string where = "piece " + std::to_string(model->pieces.size());
  if (piece.text.empty() || ValidUtf8Prefix(piece.text) != piece.text.size())
    return DataLoss(where + " is no text");
  if (!std::isfinite(piece.score)) return DataLoss("the score of " + where + " is no number");
  if (piece.type < PieceType::kNormal || piece.type > PieceType::kByte)
    return DataLoss(where + " is of type " + std::to_string(piece.type));
  if (model->pieces.size() >= static_cast<size_t>(kMaxVocab))
    return DataLoss("more than " + std::to_string(kMaxVocab) + " pieces");
  model->pieces.push_back(piece);
  return OkStatus();
}

Status ReadTrainer(std::string_view bytes, SpModel* model) {
  return ForEachField(bytes, [&](const Field& f) {
    switch (f.number) {
      case 3:
        model->model_type = f.value;
        break;
      case 24:
        model->space_as_suffix = f.value != 0;
        break;
      case 35:
        model->byte_fallback = f.value != 0;
        break;
      case 41:
        model->bos = static_cast<int64_t>(f.value);
        break;
      case 42:
        model->eos = static_cast<int64_t>(f.value);
        break;
      case 43:
        model->pad = static_cast<int64_t>(f.value);
        break;
      default:
        break;
    }
    return OkStatus();
  });
}

Status ReadNormalization(std::string_view bytes, SpModel* model) {
  return ForEachField(bytes, [&](const Field& f) {
    switch (f.number) {
      case 2:
        model->charsmap = f.bytes;
        break;
      case 3:
        model->dummy_prefix = f.value != 0;
        break;
      case 4:
        model->remove_extra_spaces = f.value != 0;
        break;
      case 5:
        model->escape_spaces = f.value != 0;
        break;
      default:
        break;
    }
    return OkStatus();
  });
}

Result<SpModel> ReadPieces(std::string_view bytes) {
  SpModel model;
  RETURN_IF_ERROR(ForEachField(bytes, [&](const Field& f) {
    if (f.number == 1) return ReadPiece(f.bytes, &model);
    if (f.number == 2) return ReadTrainer(f.bytes, &model);
    if (f.number == 3) return ReadNormalization(f.bytes, &model);
    return OkStatus();
  }));
  if (model.pieces.empty()) return DataLoss("no pieces: this is no SentencePiece model");
  if (model.model_type != 1 && model.model_type != 2) {
    return Unsupported("model type " + std::to_string(model.model_type) +
                       " (word or char); unigram and BPE are read");
  }
  return model;
}

Result<std::unique_ptr<Tokenizer::Impl>> Build(const SpModel& sp) {
  auto impl = std::make_unique<Tokenizer::Impl>();
  const size_t count = sp.pieces.size();
  impl->control.assign(count, false);
  std::vector<std::pair<std::string_view, int32_t>> user_defined;
  UnigramOptions unigram;
  MergeScores merges;
  ModelOptions options;
  for (size_t i = 0; i < count; ++i) {
    const SpPiece& piece = sp.pieces[i];
    const auto id = static_cast<TokenId>(i);
    impl->vocab.Set(id, impl->vocab.Own(std::string(piece.text)));
    if (piece.type == PieceType::kUnknown) options.unk = id;
    if (piece.type == PieceType::kControl || piece.type == PieceType::kUnknown) {
      impl->control[i] = true;
      AddedToken token{id, std::string(piece.text)};
      token.control = true;
      impl->added.Add(std::move(token));
    }
    if (piece.type == PieceType::kUserDefined) user_defined.emplace_back(impl->vocab.Text(id), id);
    unigram.scores.push_back(piece.score);
    unigram.in_trie.push_back(piece.type == PieceType::kNormal ||
                              piece.type == PieceType::kUserDefined);
    unigram.user_defined.push_back(piece.type == PieceType::kUserDefined);
    merges.scores.push_back(piece.score);
    merges.may_merge.push_back(piece.type == PieceType::kNormal);
  }
  if (!options.unk) return DataLoss("no piece of type UNKNOWN");
  impl->vocab.Index();
  impl->hidden = impl->control;
  impl->special.unk = options.unk;
  const auto control_id = [&](int64_t id) -> std::optional<TokenId> {
    if (id < 0 || id >= static_cast<int64_t>(count) || sp.pieces[id].type != PieceType::kControl)
      return std::nullopt;
    return static_cast<TokenId>(id);
  };
  impl->special.bos = control_id(sp.bos);
  impl->special.eos = control_id(sp.eos);
  impl->special.pad = control_id(sp.pad);

  NormalizeSentencePiece normalize;
  if (!sp.charsmap.empty()) {
    ASSIGN_OR_RETURN(Charsmap map, Charsmap::Parse(sp.charsmap));
    normalize.map = std::make_shared<const Charsmap>(std::move(map));
  }
  normalize.user_defined = Trie(user_defined);
  normalize.dummy_prefix = sp.dummy_prefix;
  normalize.remove_extra_spaces = sp.remove_extra_spaces;
  normalize.escape_spaces = sp.escape_spaces;
  normalize.space_as_suffix = sp.space_as_suffix;
  impl->normalizer.Add(std::move(normalize));

  options.fuse_unk = true;
  options.byte_fallback = sp.byte_fallback;
  options.control = impl->control;
  if (sp.model_type == 1) {
    unigram.single_precision = true;
    impl->model = MakeUnigram(impl->vocab, std::move(unigram), std::move(options));
  } else {
    merges.user_defined = Trie(std::move(user_defined));
    impl->model = MakeBpe(impl->vocab, std::move(merges), std::move(options));
  }
  RETURN_IF_ERROR(impl->decoder.Add(DecodeReplace{std::string(kMetaSpace), " "}));
  RETURN_IF_ERROR(impl->decoder.Add(DecodeByteFallback{}));
  RETURN_IF_ERROR(impl->decoder.Add(DecodeFuse{}));
  if (sp.dummy_prefix) RETURN_IF_ERROR(impl->decoder.Add(DecodeStrip{" ", 1, 0}));
  return impl;
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::FromSentencePiece(std::string_view bytes,
                                                                      bool add_bos, bool add_eos) {
  auto model = ReadPieces(bytes);
  if (!model.ok()) return model.status().WithContext("SentencePiece model");
  auto impl = Build(*model);
  if (!impl.ok()) return impl.status().WithContext("SentencePiece model");
  const SpecialTokens& special = (*impl)->special;
  if (add_bos && special.bos) (*impl)->prefix = {*special.bos};
  if (add_eos && special.eos) (*impl)->suffix = {*special.eos};
  return FinishTokenizer(std::move(impl).value());
}

}  // namespace galen
