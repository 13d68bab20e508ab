// Chat templates: a conversation in, the prompt string out, byte for byte what Hugging Face's
// `apply_chat_template` gives.
//
// A template is Jinja source that a checkpoint carries, so it is untrusted: it can do nothing but
// build a string, and steps, depth, memory and output are limited. The environment is that of
// transformers: immutable sandbox, trim_blocks, lstrip_blocks, `break`/`continue`,
// `raise_exception`, `strftime_now`, `tojson` without HTML escaping and
// `{% generation %}`. docs/formats/chat-templates.md lists what is covered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "text/template/limits.h"

namespace galen {

// JSON whose objects keep the order of their keys. Templates print tools and arguments in that
// order, so a request that is parsed into plain Json (sorted keys) renders differently from the
// reference.
using OrderedJson = nlohmann::ordered_json;

// As ParseJson, keeping the order of keys.
Result<OrderedJson> ParseOrderedJson(std::string_view text, int max_depth = 256);

struct ChatInput {
  // Array of {"role", "content", ...}. "content" is a string or an array of parts: {"type": "text",
  // "text": ...},
  // {"type": "image"}, ... Other keys (tool_calls, reasoning_content, ...) are seen by the template
  // as they are.
  OrderedJson messages = OrderedJson::array();
  OrderedJson tools;      // array of JSON schemas of functions; null = None
  OrderedJson documents;  // array of {"title", "text"}; null = None
  bool add_generation_prompt = false;
  // Special tokens are undefined in the template where they are absent here.
  std::optional<std::string> bos_token;
  std::optional<std::string> eos_token;
  // Further names that the template sees (enable_thinking, unk_token, date_string, ...); they win
  // over the ones above.
  OrderedJson variables = OrderedJson::object();
  // What strftime_now formats; the machine's local time where absent.
  std::optional<std::tm> now;
  // Texts of the tokenizer's control tokens. Where a string of messages, tools or documents spells
  // one of them, the place is reported in RenderedChat::plain_spans so that it can be encoded as
  // ordinary text.
  std::vector<std::string> control_tokens;
};

// Bytes [begin, end) of a rendered chat.
struct TextSpan {
  size_t begin = 0;
  size_t end = 0;
  bool operator==(const TextSpan&) const = default;
};

struct RenderedChat {
  std::string text;
  // What lies inside {% generation %} blocks (the assistant's words), in order: the loss mask of
  // training.
  std::vector<TextSpan> generation_spans;
  // Places where the conversation's own text spells one of ChatInput::control_tokens, in order.
  std::vector<TextSpan> plain_spans;
};

namespace jinja {
class Template;
}

// A parsed template. Immutable: one object may render on several threads at once.
class ChatTemplate {
 public:
  // Fails with kInvalidArgument and the template's line on a syntax error.
  static Result<ChatTemplate> Parse(std::string_view source, const TemplateLimits& limits = {});

  // Errors: kInvalidArgument with the template's line for raise_exception ("Conversation roles must
  // alternate ...") and for operations that Jinja refuses; kResourceExhausted for a limit.
  Result<std::string> Render(const ChatInput& input) const;
  Result<RenderedChat> RenderWithSpans(const ChatInput& input) const;

  const std::string& source() const;

 private:
  explicit ChatTemplate(std::shared_ptr<const jinja::Template> compiled);
  std::shared_ptr<const jinja::Template> template_;
};

}  // namespace galen
