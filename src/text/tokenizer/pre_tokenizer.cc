#include "text/tokenizer/pre_tokenizer.h"

#include <array>
#include <span>

#include "text/tokenizer/unicode.h"

namespace galen::text {

const char kGpt2Pattern[] =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

// Printable Latin-1 bytes stand for themselves, the other 68 for U+0100, U+0101, ... in order.
constexpr bool StandsForItself(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) ||
         (byte >= 0xAE && byte <= 0xFF);
}

struct ByteAlphabet {
  std::array<char16_t, 256> to_char{};
  std::array<int16_t, 0x144> to_byte{};
  constexpr ByteAlphabet() {
    for (auto& byte : to_byte) byte = -1;
    int next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const int c = StandsForItself(byte) ? byte : next++;
      to_char[byte] = static_cast<char16_t>(c);
      to_byte[c] = static_cast<int16_t>(byte);
    }
  }
};
constexpr ByteAlphabet kAlphabet;

struct Part {
  Span span;
  bool is_match;
};

// Turns matches into parts that cover the text: the matches and the gaps between them.
void Cover(std::span<const Span> matches, size_t size, std::vector<Part>* parts) {
  size_t from = 0;
  for (const Span& match : matches) {
    if (match.begin != from) parts->push_back({{from, match.begin}, false});
    parts->push_back({match, true});
    from = match.end;
  }
  if (from != size) parts->push_back({{from, size}, false});
}

// Each character for which `is` holds is one match.
template <typename F>
void MatchChars(std::string_view text, F is, std::vector<Span>* matches) {
  for (size_t i = 0; i < text.size();) {
    const size_t length = Utf8Length(text[i]);
    if (is(CharAt(text, i))) matches->push_back({i, i + length});
    i += length;
  }
}

void Emit(const Piece& piece, Span span, std::vector<Piece>* out) {
  if (span.begin < span.end) {
    out->push_back(
        {piece.text.substr(span.begin, span.end - span.begin), piece.at_origin && span.begin == 0});
  }
}

void EmitParts(const Piece& piece, std::vector<Part>& parts, SplitBehavior behavior,
               std::vector<Piece>* out) {
  std::vector<Part> merged;
  bool previous = false;
  switch (behavior) {
    case SplitBehavior::kRemoved:
      for (const Part& part : parts) {
        if (!part.is_match) Emit(piece, part.span, out);
      }
      return;
    case SplitBehavior::kIsolated:
      for (const Part& part : parts) Emit(piece, part.span, out);
      return;
    case SplitBehavior::kContiguous:
      for (const Part& part : parts) {
        if (part.is_match == previous && !merged.empty()) {
          merged.back().span.end = part.span.end;
        } else {
          merged.push_back(part);
        }
        previous = part.is_match;
      }
      break;
    case SplitBehavior::kMergedWithPrevious:
      for (const Part& part : parts) {
        if (part.is_match && !previous && !merged.empty()) {
          merged.back().span.end = part.span.end;
        } else {
          merged.push_back(part);
        }
        previous = part.is_match;
      }
      break;
    case SplitBehavior::kMergedWithNext:
      for (auto it = parts.rbegin(); it != parts.rend(); ++it) {
        if (it->is_match && !previous && !merged.empty()) {
          merged.back().span.begin = it->span.begin;
        } else {
          merged.push_back(*it);
        }
        previous = it->is_match;
      }
      for (auto it = merged.rbegin(); it != merged.rend(); ++it) Emit(piece, it->span, out);
      return;
  }
  for (const Part& part : merged) Emit(piece, part.span, out);
}

struct Splitter {
  const Pieces& in;
  Pieces* out;    // takes over in.owned afterwards
  bool last_raw;  // ByteLevel may leave the mapping to the model
  std::vector<Span> matches;
  std::vector<Part> parts;

  void Finish(const Piece& piece, SplitBehavior behavior, bool invert) {
    parts.clear();
    Cover(matches, piece.text.size(), &parts);
    for (Part& part : parts) part.is_match ^= invert;
    EmitParts(piece, parts, behavior, &out->list);
  }

  Status operator()(const SplitPattern& step) {
    for (const Piece& piece : in.list) {
      matches.clear();
      if (step.regex) {
        RETURN_IF_ERROR(step.regex->FindAll(piece.text, &matches));
      } else if (!step.literal.empty()) {
        for (size_t at = 0; (at = piece.text.find(step.literal, at)) != std::string_view::npos;
             at += step.literal.size()) {
          matches.push_back({at, at + step.literal.size()});
        }
      }
      Finish(piece, step.behavior, step.invert);
    }
    return OkStatus();
  }

  Status operator()(const SplitWhitespace& step) {
    for (const Piece& piece : in.list) {
      int run = 0;  // 0 space, 1 word, 2 other
      size_t begin = 0;
      for (size_t i = 0; i < piece.text.size(); i += Utf8Length(piece.text[i])) {
        const char32_t c = CharAt(piece.text, i);
        const int kind = IsWhitespace(c) ? 0 : step.words && !IsWord(c) ? 2 : 1;
        if (kind == run) continue;
        if (run != 0) Emit(piece, {begin, i}, &out->list);
        begin = i;
        run = kind;
      }
      if (run != 0) Emit(piece, {begin, piece.text.size()}, &out->list);
    }
    return OkStatus();
  }

  Status operator()(const SplitDigits& step) {
    for (const Piece& piece : in.list) {
      matches.clear();
      MatchChars(piece.text, IsNumeric, &matches);
      Finish(piece, step.individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous, false);
    }
    return OkStatus();
  }

  Status operator()(const SplitPunctuation& step) {
    for (const Piece& piece : in.list) {
      matches.clear();
      MatchChars(piece.text, IsPunctuation, &matches);
      Finish(piece, step.behavior, false);
    }
    return OkStatus();
  }

  Status operator()(const SplitMetaspace& step) {
    for (const Piece& piece : in.list) {
      const bool prepend = !piece.text.starts_with(step.replacement) &&
                           !piece.text.starts_with(' ') &&
                           (step.prepend == PrependScheme::kAlways ||
                            (step.prepend == PrependScheme::kFirst && piece.at_origin));
      std::string text = prepend ? step.replacement : std::string();
      for (const char c : piece.text) {
        if (c == ' ') {
          text += step.replacement;
        } else {
          text += c;
        }
      }
      const Piece changed{out->owned.emplace_back(std::move(text)), piece.at_origin};
      if (!step.split) {
        out->list.push_back(changed);
        continue;
      }
      matches.clear();
      for (size_t at = 0; (at = changed.text.find(step.replacement, at)) != std::string_view::npos;
           at += step.replacement.size()) {
        matches.push_back({at, at + step.replacement.size()});
      }
      Finish(changed, SplitBehavior::kMergedWithNext, false);
    }
    return OkStatus();
  }

  Status operator()(const SplitByteLevel& step) {
    for (Piece piece : in.list) {
      if (step.add_prefix_space && !piece.text.starts_with(' ')) {
        piece.text = out->owned.emplace_back(" " + std::string(piece.text));
      }
      const size_t first = out->list.size();
      if (step.regex) {
        matches.clear();
        RETURN_IF_ERROR(step.regex->FindAll(piece.text, &matches));
        Finish(piece, SplitBehavior::kIsolated, false);
      } else {
        out->list.push_back(piece);
      }
      if (last_raw) continue;
      for (size_t i = first; i < out->list.size(); ++i) {
        std::string mapped;
        for (const char c : out->list[i].text)
          AppendUtf8(ByteToChar(static_cast<unsigned char>(c)), &mapped);
        out->list[i].text = out->owned.emplace_back(std::move(mapped));
      }
    }
    out->raw_bytes = last_raw;
    return OkStatus();
  }
};

}  // namespace

char32_t ByteToChar(unsigned char byte) { return kAlphabet.to_char[byte]; }
int CharToByte(char32_t c) { return c < kAlphabet.to_byte.size() ? kAlphabet.to_byte[c] : -1; }

Status PreTokenizer::Split(std::string_view text, bool at_origin, Pieces* out) const {
  out->list.assign(1, {text, at_origin});
  out->owned.clear();
  out->raw_bytes = false;
  Pieces next;
  for (size_t i = 0; i < steps_.size(); ++i) {
    next.list.clear();
    Splitter splitter{*out, &next, allow_raw_bytes_ && i + 1 == steps_.size(), {}, {}};
    // Elements of a deque stay in place when it grows or is moved, so older views remain valid.
    next.owned = std::move(out->owned);
    out->owned.clear();
    RETURN_IF_ERROR(std::visit(splitter, steps_[i]));
    std::swap(*out, next);
  }
  return OkStatus();
}

}  // namespace galen::text
