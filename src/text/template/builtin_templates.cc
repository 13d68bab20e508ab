#include "text/template/builtin_templates.h"

#include <algorithm>
#include <array>
#include <string>

namespace galen {
namespace {

// Our own wording of forms that the models' makers publish. tests/cases/templates holds the makers'
// templates; the unit test renders both and compares. Contents may be strings or lists of parts;
// where a model knows no images, only texts are taken.

#define GALEN_PLAIN_CONTENT                                                                     \
  "{%- macro plain(content) -%}"                                                                \
  "{%- if content is string or content is not iterable -%}{{ content }}"                        \
  "{%- else -%}{%- for part in content if part.type == 'text' -%}{{ part.text }}{%- endfor -%}" \
  "{%- endif -%}{%- endmacro -%}"

#define GALEN_ALTERNATE                                                                        \
  "{%- if (turn.role == 'user') != (loop.index0 % 2 == 0) -%}"                                 \
  "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') " \
  "}}{%- endif -%}"

constexpr std::string_view kGemma3 =
    "{%- set system = messages[0].content if messages[0].role == 'system' else none -%}"
    "{%- set turns = messages if system is none else messages[1:] -%}"
    "{{ bos_token }}"
    "{%- for turn in turns -%}" GALEN_ALTERNATE
    "{{ '<start_of_turn>' + ('model' if turn.role == 'assistant' else turn.role) + '\\n' }}"
    "{%- if loop.first and system is not none -%}{{ (system if system is string else "
    "system[0].text) + '\\n\\n' }}{%- endif -%}"
    "{%- if turn.content is string -%}{{ turn.content | trim }}"
    "{%- else -%}{%- for part in turn.content -%}"
    "{%- if part.type == 'image' -%}{{ '<start_of_image>' }}{%- elif part.type == 'text' -%}{{ "
    "part.text | trim }}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{{ '<end_of_turn>\\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<start_of_turn>model\\n' }}{%- endif -%}";

constexpr std::string_view kLlama2 = GALEN_PLAIN_CONTENT
    "{%- set system = plain(messages[0].content) if messages[0].role == 'system' else none -%}"
    "{%- for turn in (messages if system is none else messages[1:]) -%}" GALEN_ALTERNATE
    "{%- set text = plain(turn.content) -%}"
    "{%- if loop.first and system is not none -%}{%- set text = '<<SYS>>\\n' + system + "
    "'\\n<</SYS>>\\n\\n' + text -%}{%- endif -%}"
    "{%- if turn.role == 'user' -%}{{ bos_token + '[INST] ' + text.strip() + ' [/INST]' }}"
    "{%- elif turn.role == 'assistant' -%}{{ ' ' + text.strip() + ' ' + eos_token }}{%- endif -%}"
    "{%- endfor -%}";

constexpr std::string_view kLlama3Template = GALEN_PLAIN_CONTENT
    "{{ bos_token }}{%- for turn in messages -%}"
    "{{ '<|start_header_id|>' + turn.role + '<|end_header_id|>\\n\\n' + plain(turn.content) | trim "
    "+ '<|eot_id|>' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' "
    "}}{%- endif -%}";

constexpr std::string_view kZephyr = GALEN_PLAIN_CONTENT
    "{%- for turn in messages -%}"
    "{%- if turn.role in ('user', 'system', 'assistant') -%}"
    "{{ '<|' + turn.role + '|>\\n' + plain(turn.content) + eos_token + '\\n' }}{%- endif -%}{%- "
    "endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|assistant|>\\n' }}{%- endif -%}";

constexpr std::string_view kChatMl = GALEN_PLAIN_CONTENT
    "{%- for turn in messages -%}{{ '<|im_start|>' + turn.role + '\\n' + plain(turn.content) + "
    "'<|im_end|>\\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}";

constexpr std::string_view kMistral = GALEN_PLAIN_CONTENT
    "{%- set system = plain(messages[0].content) if messages[0].role == 'system' else none -%}"
    "{{ bos_token }}{%- for turn in (messages if system is none else messages[1:]) "
    "-%}" GALEN_ALTERNATE
    "{%- if turn.role == 'user' -%}"
    "{{ ' [INST] ' + (system + '\\n\\n' if loop.first and system is not none else '') + "
    "plain(turn.content) + ' [/INST]' }}"
    "{%- elif turn.role == 'assistant' -%}{{ ' ' + plain(turn.content) + eos_token }}"
    "{%- else -%}{{ raise_exception('Only user and assistant roles are supported, behind an "
    "optional system message!') }}"
    "{%- endif -%}{%- endfor -%}";

constexpr std::string_view kSmolLm2 = GALEN_PLAIN_CONTENT
    "{%- if messages[0].role != 'system' -%}"
    "{{ '<|im_start|>system\\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
    "Face<|im_end|>\\n' }}{%- endif -%}"
    "{%- for turn in messages -%}{{ '<|im_start|>' + turn.role + '\\n' + plain(turn.content) + "
    "'<|im_end|>\\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}";

#undef GALEN_PLAIN_CONTENT
#undef GALEN_ALTERNATE

constexpr std::array kTemplates = {
    BuiltinTemplate{"chatml", "ChatML: Qwen, Hermes and others, after OpenHermes-2.5", kChatMl},
    BuiltinTemplate{"gemma3", "Gemma 3 and MedGemma, with image parts, after google/gemma-3-4b-it",
                    kGemma3},
    BuiltinTemplate{"llama2", "Llama 2 Chat, after meta-llama/Llama-2-7b-chat-hf", kLlama2},
    BuiltinTemplate{"llama3", "Llama 3 Instruct, after meta-llama/Meta-Llama-3-8B-Instruct",
                    kLlama3Template},
    BuiltinTemplate{"mistral", "Mistral 7B Instruct v0.1 and v0.2, after mistral-common's v1 form",
                    kMistral},
    BuiltinTemplate{"smollm2", "SmolLM2 Instruct: ChatML with its system text", kSmolLm2},
    BuiltinTemplate{"zephyr", "Zephyr and TinyLlama Chat, after TinyLlama/TinyLlama-1.1B-Chat-v1.0",
                    kZephyr},
};

std::string Lower(std::string_view s) {
  std::string out(s);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

}  // namespace

std::span<const BuiltinTemplate> BuiltinTemplates() { return kTemplates; }

Result<BuiltinTemplate> FindBuiltinTemplate(std::string_view name) {
  std::string names;
  for (const BuiltinTemplate& t : kTemplates) {
    if (t.name == name) return t;
    names.append(names.empty() ? "" : ", ").append(t.name);
  }
  return NotFound("no built-in chat template is called '" + std::string(name) + "'; there are " +
                  names);
}

Result<BuiltinTemplate> BuiltinTemplateFor(const TemplateHints& hints) {
  const auto has = [&](std::string_view token) {
    return std::find(hints.vocabulary.begin(), hints.vocabulary.end(), token) !=
           hints.vocabulary.end();
  };
  const std::string name = Lower(hints.name), architecture = Lower(hints.architecture);
  const auto named = [&](std::string_view part) { return name.find(part) != std::string::npos; };
  if (has("<start_of_turn>")) return FindBuiltinTemplate("gemma3");
  if (has("<|start_header_id|>")) return FindBuiltinTemplate("llama3");
  if (has("<|im_start|>")) return FindBuiltinTemplate(named("smollm2") ? "smollm2" : "chatml");
  if (architecture.starts_with("gemma3") || architecture == "medgemma")
    return FindBuiltinTemplate("gemma3");
  if (architecture.starts_with("qwen2") || architecture.starts_with("qwen3"))
    return FindBuiltinTemplate("chatml");
  if (named("tinyllama") || named("zephyr")) return FindBuiltinTemplate("zephyr");
  if (architecture == "mistral" || named("mistral")) return FindBuiltinTemplate("mistral");
  if (named("llama-2") || named("llama2") || named("llama 2")) return FindBuiltinTemplate("llama2");
  if (named("llama-3") || named("llama3") || named("llama 3")) return FindBuiltinTemplate("llama3");
  return NotFound("the checkpoint carries no chat template and none is known for architecture '" +
                  std::string(hints.architecture) +
                  "'; name one of the built-in templates, or give a Jinja file");
}

}  // namespace galen
