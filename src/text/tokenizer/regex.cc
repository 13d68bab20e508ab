#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/tokenizer/regex.h"

#include <pcre2.h>

#include "text/tokenizer/unicode.h"

namespace galen::text {
namespace {

constexpr size_t kMaxPattern = 16384;
// Steps of one match. The patterns of real tokenizers stay far below; a hostile one fails instead
// of running for hours.
constexpr uint32_t kMatchLimit = 20'000'000;
constexpr uint32_t kHeapLimitKib = 128 * 1024;

struct FreeMatchData {
  void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
};

}  // namespace

struct Regex::Code {
  pcre2_code* code = nullptr;
  pcre2_match_context* context = nullptr;
  ~Code() {
    pcre2_match_context_free(context);
    pcre2_code_free(code);
  }
};

Result<Regex> Regex::Compile(std::string_view pattern) {
  if (pattern.size() > kMaxPattern) {
    return Unsupported("a regular expression of " + std::to_string(pattern.size()) +
                       " bytes; at most " + std::to_string(kMaxPattern) + " are read");
  }
  auto translated = TranslatePattern(pattern);
  if (!translated.ok())
    return translated.status().WithContext("regular expression '" + std::string(pattern) + "'");
  auto code = std::make_shared<Code>();
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_compile_context* compile = pcre2_compile_context_create(nullptr);
  if (compile == nullptr) return ResourceExhausted("no memory for a regular expression");
  pcre2_set_newline(compile, PCRE2_NEWLINE_LF);
  code->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated->data()), translated->size(),
                             PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &error, &offset, compile);
  pcre2_compile_context_free(compile);
  if (code->code == nullptr) {
    PCRE2_UCHAR message[256];
    pcre2_get_error_message(error, message, sizeof message);
    return DataLoss("regular expression '" + std::string(pattern) +
                    "': " + reinterpret_cast<const char*>(message));
  }
  // Without JIT (not built in, or no executable memory) the interpreter does the same, slower.
  (void)pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE);
  code->context = pcre2_match_context_create(nullptr);
  if (code->context == nullptr) return ResourceExhausted("no memory for a regular expression");
  pcre2_set_match_limit(code->context, kMatchLimit);
  pcre2_set_depth_limit(code->context, kMatchLimit);
  pcre2_set_heap_limit(code->context, kHeapLimitKib);
  Regex regex;
  regex.code_ = std::move(code);
  regex.pattern_ = pattern;
  return regex;
}

Status Regex::FindAll(std::string_view text, std::vector<Span>* matches) const {
  matches->clear();
  std::unique_ptr<pcre2_match_data, FreeMatchData> data(pcre2_match_data_create(1, nullptr));
  if (data == nullptr) return ResourceExhausted("no memory to match a regular expression");
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  size_t from = 0;
  size_t last_end = std::string_view::npos;
  while (from <= text.size()) {
    int rc = pcre2_match(code_->code, subject, text.size(), from, PCRE2_NO_UTF_CHECK, data.get(),
                         code_->context);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) {
      rc = pcre2_match(code_->code, subject, text.size(), from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                       data.get(), code_->context);
    }
    if (rc == PCRE2_ERROR_NOMATCH) break;
    if (rc < 0) {
      return ResourceExhausted("the regular expression '" + pattern_ +
                               "' exceeds its limits at byte " + std::to_string(from) +
                               " of the text: the tokenizer file is unusable for it");
    }
    const PCRE2_SIZE* where = pcre2_get_ovector_pointer(data.get());
    const size_t begin = where[0], end = where[1];
    if (begin >= end) {
      if (end == last_end || begin > end) {
        // No progress: step over one character and search again.
        if (from >= text.size()) break;
        from += Utf8Length(text[from]);
        continue;
      }
    }
    matches->push_back({begin, end});
    from = last_end = end;
  }
  return OkStatus();
}

}  // namespace galen::text
