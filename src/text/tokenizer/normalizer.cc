#include "text/tokenizer/normalizer.h"

#include <unicode/normalizer2.h>
#include <unicode/uniset.h>
#include <unicode/unistr.h>

#include <optional>

#include "text/tokenizer/unicode.h"

namespace galen::text {
namespace {

// `tokenizers` normalises with tables of Unicode 9: younger characters are inert there.
const icu::Normalizer2* Form(UnicodeForm form) {
  struct Forms {
    icu::UnicodeSet known;
    std::optional<icu::FilteredNormalizer2> by_form[4];
    Forms() {
      UErrorCode error = U_ZERO_ERROR;
      known.applyPattern(icu::UnicodeString::fromUTF8("[:age=9.0:]"), error);
      known.freeze();
      const icu::Normalizer2* plain[] = {
          icu::Normalizer2::getNFCInstance(error), icu::Normalizer2::getNFDInstance(error),
          icu::Normalizer2::getNFKCInstance(error), icu::Normalizer2::getNFKDInstance(error)};
      if (U_FAILURE(error)) return;
      for (int i = 0; i < 4; ++i) by_form[i].emplace(*plain[i], known);
    }
  };
  static const Forms forms;
  const auto& found = forms.by_form[static_cast<int>(form)];
  return found ? &*found : nullptr;
}

// Characters below this lead byte are in that form already and do not interact with neighbours.
unsigned char FirstActiveLead(UnicodeForm form) {
  switch (form) {
    case UnicodeForm::kNfc:
      return 0xCC;  // U+0300
    case UnicodeForm::kNfd:
      return 0xC3;  // U+00C0
    default:
      return 0xC2;  // U+0080
  }
}

struct Applier {
  std::string_view in;
  std::string* out;  // empty at the start
  bool* origin;

  // Each returns false when the text stays as it is.
  Result<bool> operator()(const NormalizeUnicode& step) const {
    const unsigned char active = FirstActiveLead(step.form);
    bool any = false;
    for (const char c : in) any |= static_cast<unsigned char>(c) >= active;
    if (!any) return false;
    const icu::Normalizer2* normalizer = Form(step.form);
    if (normalizer == nullptr) return Unsupported("ICU has no normalisation data");
    UErrorCode error = U_ZERO_ERROR;
    const auto text =
        icu::UnicodeString::fromUTF8(icu::StringPiece(in.data(), static_cast<int32_t>(in.size())));
    icu::UnicodeString normal;
    normalizer->normalize(text, normal, error);
    if (U_FAILURE(error))
      return ResourceExhausted("ICU failed to normalise a text: " +
                               std::string(u_errorName(error)));
    normal.toUTF8String(*out);
    return true;
  }

  Result<bool> operator()(const NormalizeLowercase&) const {
    out->reserve(in.size());
    for (size_t i = 0; i < in.size(); i += Utf8Length(in[i])) AppendLower(CharAt(in, i), out);
    return true;
  }

  Result<bool> operator()(const NormalizeStrip& step) const {
    size_t begin = 0, end = in.size();
    while (step.left && begin < end && IsWhitespace(CharAt(in, begin)))
      begin += Utf8Length(in[begin]);
    for (size_t start; step.right && end > begin && IsWhitespace(CharBefore(in, end, &start));
         end = start) {
    }
    if (begin > 0) *origin = false;
    *out = in.substr(begin, end - begin);
    return true;
  }

  Result<bool> operator()(const NormalizeStripAccents&) const {
    for (size_t i = 0; i < in.size();) {
      const size_t length = Utf8Length(in[i]);
      if (!IsStrippedMark(CharAt(in, i))) {
        out->append(in.substr(i, length));
      } else if (i == 0) {
        *origin = false;
      }
      i += length;
    }
    return true;
  }

  Result<bool> operator()(const NormalizePrepend& step) const {
    if (in.empty()) return false;
    *out = step.text;
    out->append(in);
    return true;
  }

  Result<bool> operator()(const NormalizeReplace& step) const {
    if (step.literal.empty()) return false;
    size_t at = in.find(step.literal);
    if (at == std::string_view::npos) return false;
    if (at == 0 && step.content.empty()) *origin = false;
    out->reserve(in.size() + in.size() / 2);
    size_t from = 0;
    for (; at != std::string_view::npos; at = in.find(step.literal, from)) {
      out->append(in.substr(from, at - from)).append(step.content);
      from = at + step.literal.size();
    }
    out->append(in.substr(from));
    return true;
  }

  Result<bool> operator()(const NormalizeReplaceRegex& step) const {
    std::vector<Span> matches;
    RETURN_IF_ERROR(step.regex.FindAll(in, &matches));
    if (matches.empty()) return false;
    if (matches[0].begin == 0 && matches[0].end > 0 && step.content.empty()) *origin = false;
    size_t from = 0;
    for (const Span& match : matches) {
      out->append(in.substr(from, match.begin - from)).append(step.content);
      from = match.end;
    }
    out->append(in.substr(from));
    return true;
  }

  Result<bool> operator()(const NormalizeCharsmap& step) const {
    step.map.NormalizeClusters(in, out);
    return true;
  }

  Result<bool> operator()(const NormalizeSentencePiece& step) const {
    // The normal form of the front of `text`, and how many bytes that takes.
    const auto front = [&](std::string_view text) -> std::pair<std::string_view, size_t> {
      if (const size_t length = step.user_defined.Longest(text).first; length > 0)
        return {text.substr(0, length), length};
      if (step.map != nullptr) {
        const Charsmap::Match match = step.map->Longest(text);
        if (match.length > 0) {
          // A crafted table may match half a character.
          if (match.length == text.size() || (text[match.length] & 0xC0) != 0x80)
            return {match.replacement, match.length};
        }
      }
      const size_t length = Utf8Length(text[0]);
      return {text.substr(0, length), length};
    };
    const std::string_view space = step.escape_spaces ? kMetaSpace : std::string_view(" ");
    std::string_view rest = in;
    while (step.remove_extra_spaces && !rest.empty()) {
      const auto [form, length] = front(rest);
      if (form != " ") break;
      rest.remove_prefix(length);
    }
    if (rest.empty()) return true;
    if (step.dummy_prefix && !step.space_as_suffix) out->append(space);
    bool after_space = step.remove_extra_spaces;
    while (!rest.empty()) {
      auto [form, length] = front(rest);
      while (after_space && form.starts_with(' ')) form.remove_prefix(1);
      if (!form.empty()) {
        for (const char c : form) {
          if (c == ' ') {
            out->append(space);
          } else {
            out->push_back(c);
          }
        }
        after_space = form.ends_with(' ');
      }
      if (!step.remove_extra_spaces) after_space = false;
      rest.remove_prefix(length);
    }
    while (step.remove_extra_spaces && out->ends_with(space))
      out->resize(out->size() - space.size());
    if (step.dummy_prefix && step.space_as_suffix) out->append(space);
    return true;
  }
};

}  // namespace

Result<std::string_view> Normalizer::Normalize(std::string_view in, std::string* storage,
                                               bool* starts_at_origin) const {
  std::string scratch;
  for (const NormalizerStep& step : steps_) {
    scratch.clear();
    ASSIGN_OR_RETURN(const bool changed, std::visit(Applier{in, &scratch, starts_at_origin}, step));
    if (!changed) continue;
    storage->swap(scratch);
    in = *storage;
  }
  return in;
}

}  // namespace galen::text
