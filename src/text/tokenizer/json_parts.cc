#include "text/tokenizer/json_parts.h"

#include "text/tokenizer/base64.h"
#include "text/tokenizer/json_fields.h"
#include "text/tokenizer/unicode.h"

namespace galen::text {
namespace {

constexpr int kMaxSteps = 64;

Status Unknown(std::string_view what, const std::string& kind) {
  return Unsupported("tokenizer.json: the " + std::string(what) + " '" + kind + "' is not known");
}

// {"String": "x"} or {"Regex": "x"}, as Split and Replace have them.
struct Pattern {
  std::string literal;
  std::optional<Regex> regex;
};
Result<Pattern> ReadPattern(const Fields& fields) {
  const Json* json = fields.Find("pattern");
  Pattern pattern;
  if (json != nullptr && json->is_string()) {
    pattern.literal = json->get<std::string>();
    return pattern;
  }
  if (json == nullptr || !json->is_object())
    return fields.Wrong("pattern", "an object with String or Regex");
  ASSIGN_OR_RETURN(const Fields inner, Fields::Of(*json, fields.where() + ".pattern"));
  if (inner.Find("String") != nullptr) {
    ASSIGN_OR_RETURN(pattern.literal, inner.String("String"));
    return pattern;
  }
  ASSIGN_OR_RETURN(const std::string source, inner.String("Regex"));
  ASSIGN_OR_RETURN(pattern.regex, Regex::Compile(source));
  return pattern;
}

Result<SplitBehavior> ReadBehavior(const Fields& fields, const char* fallback) {
  ASSIGN_OR_RETURN(const std::string name, fields.StringOr("behavior", fallback));
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  return Unknown("split behaviour", name);
}

// A string of exactly one character.
Result<std::string> ReadChar(const Fields& fields, const char* name, std::string fallback) {
  ASSIGN_OR_RETURN(std::string text, fields.StringOr(name, std::move(fallback)));
  if (CountChars(text) != 1) return fields.Wrong(name, "one character");
  return text;
}

struct Metaspace {
  std::string replacement;
  PrependScheme prepend;
  bool split;
};
Result<Metaspace> ReadMetaspace(const Fields& fields) {
  Metaspace meta;
  ASSIGN_OR_RETURN(meta.replacement, ReadChar(fields, "replacement", std::string(kMetaSpace)));
  ASSIGN_OR_RETURN(const bool add_prefix,
                   fields.BoolOr("add_prefix_space", true));  // before tokenizers 0.15
  ASSIGN_OR_RETURN(const std::string scheme,
                   fields.StringOr("prepend_scheme", add_prefix ? "always" : "never"));
  ASSIGN_OR_RETURN(meta.split, fields.BoolOr("split", true));
  if (scheme != "always" && scheme != "first" && scheme != "never")
    return Unknown("prepend_scheme", scheme);
  meta.prepend = scheme == "always"  ? PrependScheme::kAlways
                 : scheme == "first" ? PrependScheme::kFirst
                                     : PrependScheme::kNever;
  return meta;
}

// Calls read(fields, kind) for a component, or for each member of a Sequence (which may hold
// Sequences).
template <typename F>
Status ForEachStep(const Json& json, const std::string& where, const char* members, int* left,
                   F read) {
  if (--*left < 0)
    return Unsupported("tokenizer.json: " + where + " has more than " + std::to_string(kMaxSteps) +
                       " steps");
  ASSIGN_OR_RETURN(const Fields fields, Fields::Of(json, where));
  ASSIGN_OR_RETURN(const std::string kind, fields.String("type"));
  if (kind != "Sequence") return read(fields, kind);
  ASSIGN_OR_RETURN(const Json* list, fields.Array(members));
  for (const Json& step : *list) RETURN_IF_ERROR(ForEachStep(step, where, members, left, read));
  return OkStatus();
}

Result<NormalizerStep> NormalizerOf(const Fields& fields, const std::string& kind) {
  if (kind == "NFC") return NormalizerStep(NormalizeUnicode{UnicodeForm::kNfc});
  if (kind == "NFD") return NormalizerStep(NormalizeUnicode{UnicodeForm::kNfd});
  if (kind == "NFKC") return NormalizerStep(NormalizeUnicode{UnicodeForm::kNfkc});
  if (kind == "NFKD") return NormalizerStep(NormalizeUnicode{UnicodeForm::kNfkd});
  if (kind == "Lowercase") return NormalizerStep(NormalizeLowercase{});
  if (kind == "StripAccents") return NormalizerStep(NormalizeStripAccents{});
  if (kind == "Strip") {
    ASSIGN_OR_RETURN(const bool left, fields.BoolOr("strip_left", true));
    ASSIGN_OR_RETURN(const bool right, fields.BoolOr("strip_right", true));
    return NormalizerStep(NormalizeStrip{left, right});
  }
  if (kind == "Prepend") {
    ASSIGN_OR_RETURN(std::string text, fields.String("prepend"));
    return NormalizerStep(NormalizePrepend{std::move(text)});
  }
  if (kind == "Replace") {
    ASSIGN_OR_RETURN(Pattern pattern, ReadPattern(fields));
    ASSIGN_OR_RETURN(std::string content, fields.String("content"));
    if (pattern.regex)
      return NormalizerStep(NormalizeReplaceRegex{std::move(*pattern.regex), std::move(content)});
    return NormalizerStep(NormalizeReplace{std::move(pattern.literal), std::move(content)});
  }
  if (kind == "Precompiled") {
    ASSIGN_OR_RETURN(const std::string encoded, fields.String("precompiled_charsmap"));
    const auto blob = DecodeBase64(encoded);
    if (!blob) return fields.Wrong("precompiled_charsmap", "base64");
    ASSIGN_OR_RETURN(Charsmap map, Charsmap::Parse(*blob));
    return NormalizerStep(NormalizeCharsmap{std::move(map)});
  }
  return Unknown("normalizer", kind);
}

Result<PreTokenizerStep> PreTokenizerOf(const Fields& fields, const std::string& kind) {
  if (kind == "Whitespace") return PreTokenizerStep(SplitWhitespace{true});
  if (kind == "WhitespaceSplit") return PreTokenizerStep(SplitWhitespace{false});
  if (kind == "ByteLevel") {
    SplitByteLevel step;
    ASSIGN_OR_RETURN(step.add_prefix_space, fields.BoolOr("add_prefix_space", true));
    ASSIGN_OR_RETURN(const bool use_regex, fields.BoolOr("use_regex", true));
    if (use_regex) {
      ASSIGN_OR_RETURN(step.regex, Regex::Compile(kGpt2Pattern));
    }
    return PreTokenizerStep(std::move(step));
  }
  if (kind == "Split") {
    ASSIGN_OR_RETURN(Pattern pattern, ReadPattern(fields));
    ASSIGN_OR_RETURN(const SplitBehavior behavior, ReadBehavior(fields, ""));
    ASSIGN_OR_RETURN(const bool invert, fields.BoolOr("invert", false));
    return PreTokenizerStep(
        SplitPattern{std::move(pattern.regex), std::move(pattern.literal), behavior, invert});
  }
  if (kind == "CharDelimiterSplit") {
    ASSIGN_OR_RETURN(std::string delimiter, ReadChar(fields, "delimiter", ""));
    return PreTokenizerStep(
        SplitPattern{std::nullopt, std::move(delimiter), SplitBehavior::kRemoved, false});
  }
  if (kind == "Digits") {
    ASSIGN_OR_RETURN(const bool individual, fields.BoolOr("individual_digits", false));
    return PreTokenizerStep(SplitDigits{individual});
  }
  if (kind == "Punctuation") {
    ASSIGN_OR_RETURN(const SplitBehavior behavior, ReadBehavior(fields, "Isolated"));
    return PreTokenizerStep(SplitPunctuation{behavior});
  }
  if (kind == "Metaspace") {
    ASSIGN_OR_RETURN(Metaspace meta, ReadMetaspace(fields));
    return PreTokenizerStep(SplitMetaspace{std::move(meta.replacement), meta.prepend, meta.split});
  }
  return Unknown("pre-tokenizer", kind);
}

Result<DecoderStep> DecoderOf(const Fields& fields, const std::string& kind) {
  if (kind == "ByteLevel") return DecoderStep(DecodeByteLevel{});
  if (kind == "ByteFallback") return DecoderStep(DecodeByteFallback{});
  if (kind == "Fuse") return DecoderStep(DecodeFuse{});
  if (kind == "Replace") {
    ASSIGN_OR_RETURN(Pattern pattern, ReadPattern(fields));
    ASSIGN_OR_RETURN(std::string content, fields.String("content"));
    if (pattern.regex)
      return Unsupported(
          "tokenizer.json: a decoder 'Replace' with a regular expression is not known");
    return DecoderStep(DecodeReplace{std::move(pattern.literal), std::move(content)});
  }
  if (kind == "Strip") {
    DecodeStrip strip;
    ASSIGN_OR_RETURN(strip.content, ReadChar(fields, "content", " "));
    ASSIGN_OR_RETURN(const int64_t start, fields.IntOr("start", 0));
    ASSIGN_OR_RETURN(const int64_t stop, fields.IntOr("stop", 0));
    if (start < 0 || stop < 0) return fields.Wrong("start", "a count");
    strip.start = static_cast<size_t>(start);
    strip.stop = static_cast<size_t>(stop);
    return DecoderStep(std::move(strip));
  }
  if (kind == "Metaspace") {
    ASSIGN_OR_RETURN(Metaspace meta, ReadMetaspace(fields));
    return DecoderStep(
        DecodeMetaspace{std::move(meta.replacement), meta.prepend != PrependScheme::kNever});
  }
  return Unknown("decoder", kind);
}

}  // namespace

Status ReadNormalizer(const Json& json, Normalizer* out) {
  int left = kMaxSteps;
  return ForEachStep(json, "normalizer", "normalizers", &left,
                     [&](const Fields& fields, const std::string& kind) -> Status {
                       ASSIGN_OR_RETURN(NormalizerStep step, NormalizerOf(fields, kind));
                       out->Add(std::move(step));
                       return OkStatus();
                     });
}

Status ReadPreTokenizer(const Json& json, PreTokenizer* out) {
  int left = kMaxSteps;
  return ForEachStep(json, "pre_tokenizer", "pretokenizers", &left,
                     [&](const Fields& fields, const std::string& kind) -> Status {
                       ASSIGN_OR_RETURN(PreTokenizerStep step, PreTokenizerOf(fields, kind));
                       out->Add(std::move(step));
                       return OkStatus();
                     });
}

Status ReadDecoder(const Json& json, Decoder* out) {
  int left = kMaxSteps;
  return ForEachStep(json, "decoder", "decoders", &left,
                     [&](const Fields& fields, const std::string& kind) -> Status {
                       ASSIGN_OR_RETURN(DecoderStep step, DecoderOf(fields, kind));
                       return out->Add(std::move(step));
                     });
}

}  // namespace galen::text
