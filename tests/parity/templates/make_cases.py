"""Writes tests/cases/templates/*.json: every template in sources/ with every conversation, and the language cases, as
transformers renders them.

    python make_cases.py            (an environment with transformers 5.23.0 and jinja2 3.1.6)

Each file: {"template" (a file in sources/), "bos_token", "eos_token", "now", "cases": [{"input", "text", "generation"} or
{"input", "error"}]}, where "input" names one of conversations.json; language.json has its own inputs and a template per case.
"""
import json
import pathlib
import re

import conversations
import language
import random_templates
import reference

# What Python prints of objects without a form of their own changes from run to run.
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
CASES = pathlib.Path(__file__).resolve().parents[2] / "cases" / "templates"
# Tokens that the templates print; absent: the model has none.
TOKENS = {
    "chatml": ("<s>", "</s>"), "deepseek_r1_distill": ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
    "deepseek_v2": ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
    "deepseek_v3": ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"), "functionary3.1": ("<|begin_of_text|>", "<|eot_id|>"),
    "gemma2": ("<bos>", "<eos>"), "gemma3": ("<bos>", "<end_of_turn>"), "gpt_oss": ("<|startoftext|>", "<|return|>"),
    "hermes3_tools": ("<|begin_of_text|>", "<|im_end|>"), "llama2": ("<s>", "</s>"), "llama3": ("<|begin_of_text|>", "<|eot_id|>"),
    "llama3.1": ("<|begin_of_text|>", "<|eot_id|>"), "llama3.2": ("<|begin_of_text|>", "<|eot_id|>"),
    "mistral_nemo": ("<s>", "</s>"), "mistral_small3.2": ("<s>", "</s>"), "mistral_v0.2": ("<s>", "</s>"),
    "mistral_v1": ("<s>", "</s>"), "mistral_v3": ("<s>", "</s>"), "mistral_v7": ("<s>", "</s>"), "phi3": ("<s>", "<|endoftext|>"),
    "phi3.5": ("<s>", "<|endoftext|>"), "smollm2": ("<|im_start|>", "<|im_end|>"), "vicuna": ("<s>", "</s>"),
    "zephyr": ("<s>", "</s>"),
}


def write(name, value):
    text = json.dumps(value, ensure_ascii=False, indent=1)
    (CASES / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def main():
    write("conversations", {name: {"messages": messages, **rest} for name, messages, rest in conversations.CONVERSATIONS})
    texts = errors = 0
    for path in sorted((CASES / "sources").glob("*.jinja")):
        # Read without translating line ends.
        template = path.read_bytes().decode()
        bos, eos = TOKENS.get(path.stem, (None, None))
        cases = []
        for name, messages, rest in conversations.CONVERSATIONS:
            result = reference.render(template, {"messages": messages, "bos_token": bos, "eos_token": eos, **rest})
            errors += "error" in result
            texts += "text" in result
            if not result.get("generation"):
                result.pop("generation", None)
            cases.append({"input": name, **result})
        write(path.stem, {"template": path.name, "bos_token": bos, "eos_token": eos, "now": reference.NOW, "cases": cases})
    inputs = {"data": language.DATA, "random": random_templates.INPUT}
    cases = []
    for template, name in language.all_cases():
        result = reference.render(template, {"messages": language.MESSAGES, **inputs[name]})
        if not result.get("generation"):
            result.pop("generation", None)
        if ADDRESS.search(result.get("text", "")):
            continue
        if template in language.REFUSED:
            # The reference renders it; galen says why it does not.
            result = {"refused": language.REFUSED[template]}
        errors += "error" in result
        texts += "text" in result
        cases.append({"template": template, "input": name, **result})
    write("language", {"now": reference.NOW, "inputs": {k: {"messages": language.MESSAGES, **v} for k, v in inputs.items()}, "cases": cases})
    print(f"{texts} texts, {errors} errors")


if __name__ == "__main__":
    main()
