#include "text/tokenizer/decoder.h"

#include <algorithm>

#include "text/tokenizer/model.h"
#include "text/tokenizer/pre_tokenizer.h"
#include "text/tokenizer/unicode.h"

namespace galen::text {
namespace {

std::string ReplaceAll(std::string_view text, std::string_view literal, std::string_view content) {
  std::string out;
  size_t from = 0;
  for (size_t at; !literal.empty() && (at = text.find(literal, from)) != std::string_view::npos;
       from = at + literal.size()) {
    out.append(text.substr(from, at - from)).append(content);
  }
  out.append(text.substr(from));
  return out;
}

// The bytes that a token of the byte alphabet stands for; the token itself if it holds other
// characters.
std::string FromByteAlphabet(std::string_view token) {
  std::string bytes;
  if (ValidUtf8Prefix(token) != token.size()) return std::string(token);
  for (size_t i = 0; i < token.size(); i += Utf8Length(token[i])) {
    const int byte = CharToByte(CharAt(token, i));
    if (byte < 0) return std::string(token);
    bytes.push_back(static_cast<char>(byte));
  }
  return bytes;
}

std::string_view StripChars(std::string_view token, const DecodeStrip& strip) {
  for (size_t i = 0; i < strip.start && token.starts_with(strip.content); ++i)
    token.remove_prefix(strip.content.size());
  for (size_t i = 0; i < strip.stop && token.ends_with(strip.content); ++i)
    token.remove_suffix(strip.content.size());
  return token;
}

}  // namespace

Status Decoder::Add(DecoderStep step) {
  if (fused_ && std::holds_alternative<DecodeFuse>(step)) return OkStatus();
  if (fused_) {
    const auto* strip = std::get_if<DecodeStrip>(&step);
    if (strip == nullptr || strip->stop != 0 || !strips_after_fuse_.empty()) {
      return Unsupported(
          "a decoder step behind Fuse or ByteLevel other than one Strip at the start");
    }
    strips_after_fuse_.push_back(*strip);
    return OkStatus();
  }
  byte_level_ |= std::holds_alternative<DecodeByteLevel>(step);
  fused_ = byte_level_ || std::holds_alternative<DecodeFuse>(step);
  steps_.push_back(std::move(step));
  return OkStatus();
}

void Decoder::Push(State* state, std::string_view token, std::string* out) const {
  if (join_with_spaces_ && !state->first) Emit(state, " ", out);
  Apply(state, 0, std::string(token), out);
  state->first = false;
}

void Decoder::Apply(State* state, size_t step, std::string token, std::string* out) const {
  for (; step < steps_.size(); ++step) {
    if (const auto* replace = std::get_if<DecodeReplace>(&steps_[step])) {
      token = ReplaceAll(token, replace->literal, replace->content);
    } else if (const auto* meta = std::get_if<DecodeMetaspace>(&steps_[step])) {
      token = ReplaceAll(token, meta->replacement, state->first && meta->drop_in_first ? "" : " ");
    } else if (const auto* strip = std::get_if<DecodeStrip>(&steps_[step])) {
      token = StripChars(token, *strip);
    } else if (std::holds_alternative<DecodeByteLevel>(steps_[step])) {
      token = FromByteAlphabet(token);
    } else if (std::holds_alternative<DecodeByteFallback>(steps_[step])) {
      if (const int byte = ParseByteToken(token); byte >= 0) {
        state->run.push_back(static_cast<char>(byte));
        return;
      }
      FlushRun(state, step, out);
    }
  }
  Emit(state, token, out);
}

void Decoder::FlushRun(State* state, size_t step, std::string* out) const {
  const std::string run = std::exchange(state->run, {});
  if (run.empty()) return;
  if (ValidUtf8Prefix(run) == run.size()) {
    Apply(state, step + 1, run, out);
  } else {
    for (size_t i = 0; i < run.size(); ++i) Apply(state, step + 1, std::string(kReplacement), out);
  }
}

// Whole characters only: the rest waits in state->tail.
void Decoder::Emit(State* state, std::string_view text, std::string* out) const {
  if (text.empty()) return;
  std::string ready;
  state->tail.append(text);
  const std::string bytes = std::exchange(state->tail, {});
  const size_t held = AppendLossy(bytes, true, &ready);
  state->tail = bytes.substr(bytes.size() - held);
  std::string_view rest = ready;
  for (const DecodeStrip& strip : strips_after_fuse_) {
    while (state->strip_open && !rest.empty()) {
      state->strip_open = state->stripped < strip.start && rest.starts_with(strip.content);
      if (!state->strip_open) break;
      rest.remove_prefix(strip.content.size());
      ++state->stripped;
    }
  }
  out->append(rest);
}

void Decoder::Finish(State* state, std::string* out) const {
  for (size_t step = 0; step < steps_.size(); ++step) {
    if (std::holds_alternative<DecodeByteFallback>(steps_[step])) FlushRun(state, step, out);
  }
  AppendLossy(state->tail, false, out);
  *state = State();
}

std::string Decoder::TokenBytes(std::string_view token) const {
  std::string bytes(token);
  for (const DecoderStep& step : steps_) {
    if (const auto* replace = std::get_if<DecodeReplace>(&step)) {
      bytes = ReplaceAll(bytes, replace->literal, replace->content);
    } else if (const auto* meta = std::get_if<DecodeMetaspace>(&step)) {
      bytes = ReplaceAll(bytes, meta->replacement, " ");
    } else if (std::holds_alternative<DecodeByteLevel>(step)) {
      bytes = FromByteAlphabet(bytes);
    } else if (std::holds_alternative<DecodeByteFallback>(step)) {
      if (const int byte = ParseByteToken(bytes); byte >= 0)
        return std::string(1, static_cast<char>(byte));
    }
  }
  return bytes;
}

}  // namespace galen::text
