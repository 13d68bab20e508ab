// Written for galen from the forms that the families' own files describe; builtin_templates_test.cc holds them against those.
#include "text/template/builtin_templates.h"

#include <algorithm>
#include <array>
#include <string>

namespace galen {
namespace {

constexpr std::string_view kGemma3 = R"({{ bos_token }}
{%- set ns = namespace(prefix='', turns=messages) -%}
{%- if messages[0].role == 'system' -%}
{%- set ns.prefix = (messages[0].content if messages[0].content is string else messages[0].content[0].text) + '\n\n' -%}
{%- set ns.turns = messages[1:] -%}
{%- endif -%}
{%- for turn in ns.turns -%}
{%- if (turn.role == 'user') != (loop.index0 % 2 == 0) -%}
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
{%- endif -%}
{{ '<start_of_turn>' ~ ('model' if turn.role == 'assistant' else turn.role) ~ '\n' ~ (ns.prefix if loop.first else '') }}
{%- if turn.content is string -%}
{{ turn.content | trim }}
{%- else -%}
{%- for part in turn.content -%}
{{ '<start_of_image>' if part.type == 'image' else (part.text | trim if part.type == 'text' else '') }}
{%- endfor -%}
{%- endif -%}
{{ '<end_of_turn>\n' }}
{%- endfor -%}
{{ '<start_of_turn>model\n' if add_generation_prompt else '' }})";

constexpr std::string_view kLlama2 = R"({%- set ns = namespace(system='', turns=messages) -%}
{%- if messages[0].role == 'system' -%}
{%- set ns.system = '<<SYS>>\n' ~ messages[0].content ~ '\n<</SYS>>\n\n' -%}
{%- set ns.turns = messages[1:] -%}
{%- endif -%}
{%- for turn in ns.turns -%}
{%- if (turn.role == 'user') != (loop.index0 % 2 == 0) -%}
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
{%- endif -%}
{%- if turn.role == 'user' -%}
{{ bos_token ~ '[INST] ' ~ ((ns.system if loop.first else '') ~ turn.content) | trim ~ ' [/INST]' }}
{%- else -%}
{{ ' ' ~ turn.content | trim ~ ' ' ~ eos_token }}
{%- endif -%}
{%- endfor -%})";

constexpr std::string_view kLlama3 = R"({%- for turn in messages -%}
{{ (bos_token if loop.first else '') ~ '<|start_header_id|>' ~ turn.role ~ '<|end_header_id|>\n\n' ~ turn.content | trim ~ '<|eot_id|>' }}
{%- endfor -%}
{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' if add_generation_prompt else '' }})";

constexpr std::string_view kZephyr = R"({%- for turn in messages -%}
{{ '<|' ~ turn.role ~ '|>\n' ~ turn.content ~ eos_token ~ '\n' }}
{%- endfor -%}
{{ '<|assistant|>\n' if add_generation_prompt else '' }})";

constexpr std::string_view kChatml = R"({%- for turn in messages -%}
{{ '<|im_start|>' ~ turn.role ~ '\n' ~ turn.content ~ '<|im_end|>\n' }}
{%- endfor -%}
{{ '<|im_start|>assistant\n' if add_generation_prompt else '' }})";

constexpr std::string_view kMistral = R"({{ bos_token }}
{%- for turn in messages -%}
{%- if (turn.role == 'user') != (loop.index0 % 2 == 0) -%}
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
{%- endif -%}
{{ '[INST] ' ~ turn.content ~ ' [/INST]' if turn.role == 'user' else turn.content ~ eos_token }}
{%- endfor -%})";

constexpr std::string_view kSmolLm2 = R"({%- for turn in messages -%}
{%- if loop.first and turn.role != 'system' -%}
{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}
{%- endif -%}
{{ '<|im_start|>' ~ turn.role ~ '\n' ~ turn.content ~ '<|im_end|>\n' }}
{%- endfor -%}
{{ '<|im_start|>assistant\n' if add_generation_prompt else '' }})";

constexpr std::array<BuiltinTemplate, 7> kTemplates = {{
    {"gemma3", "Gemma 3 and MedGemma, instruction-tuned", kGemma3},
    {"llama2", "Llama 2 chat", kLlama2},
    {"llama3", "Llama 3 instruct", kLlama3},
    {"zephyr", "Zephyr, TinyLlama chat", kZephyr},
    {"chatml", "ChatML: Qwen2 and many fine-tuned models", kChatml},
    {"mistral", "Mistral instruct v0.1", kMistral},
    {"smollm2", "SmolLM2 instruct: ChatML with a system text of its own", kSmolLm2},
}};

bool Contains(std::string_view text, std::string_view part) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return lower.find(part) != std::string::npos;
}

}  // namespace

std::span<const BuiltinTemplate> BuiltinTemplates() { return kTemplates; }

Result<BuiltinTemplate> FindBuiltinTemplate(std::string_view name) {
  std::string names;
  for (const BuiltinTemplate& each : kTemplates) {
    if (each.name == name) return each;
    names += (names.empty() ? "" : ", ") + std::string(each.name);
  }
  return NotFound("there is no built-in chat template " + std::string(name) + "; known: " + names);
}

Result<BuiltinTemplate> BuiltinTemplateFor(const TemplateHints& hints) {
  const auto has = [&](std::string_view token) {
    return std::find(hints.vocabulary.begin(), hints.vocabulary.end(), token) != hints.vocabulary.end();
  };
  // Pre-trained models share the vocabulary of the tuned ones; only a name that says so makes the difference.
  const bool tuned = Contains(hints.name, "-it") || Contains(hints.name, " it") || Contains(hints.name, "instruct") ||
                     Contains(hints.name, "chat") || Contains(hints.name, "medgemma");
  if (tuned && has("<start_of_turn>")) return FindBuiltinTemplate("gemma3");
  if (tuned && has("<|start_header_id|>")) return FindBuiltinTemplate("llama3");
  if (tuned && has("<|im_start|>")) return FindBuiltinTemplate(Contains(hints.name, "smollm2") ? "smollm2" : "chatml");
  if (Contains(hints.name, "zephyr") || (tuned && Contains(hints.name, "tinyllama"))) return FindBuiltinTemplate("zephyr");
  if (tuned && Contains(hints.name, "mistral")) return FindBuiltinTemplate("mistral");
  if (tuned && (Contains(hints.name, "llama-2") || Contains(hints.name, "llama 2"))) return FindBuiltinTemplate("llama2");
  return NotFound("no built-in chat template fits this model (architecture " + std::string(hints.architecture) +
                  "); give the text as it is with --raw");
}

}  // namespace galen
