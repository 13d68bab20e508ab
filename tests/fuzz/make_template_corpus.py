#!/usr/bin/env python3
"""Writes corpus/template_fuzz: templates of real checkpoints, each with a conversation behind a zero byte, and pieces of the
language taken from tests/cases/templates. Standard library only."""

import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
CASES = HERE.parent / "cases/templates"
REAL = ("chatml", "gemma3", "llama2", "llama3.2", "mistral_v3", "zephyr", "smollm3", "granite4", "vicuna")
PIECES = 40


def main():
    out = HERE / "corpus/template_fuzz"
    out.mkdir(parents=True, exist_ok=True)
    conversations = list(json.loads((CASES / "conversations.json").read_text()).values())
    for i, name in enumerate(REAL):
        source = (CASES / "sources" / f"{name}.jinja").read_bytes()
        given = conversations[i * 4 % len(conversations)] | {"bos_token": "<s>", "eos_token": "</s>", "control_tokens": ["<s>", "</s>"]}
        (out / name).write_bytes(source + b"\0" + json.dumps(given, ensure_ascii=False).encode())
    language = [c["template"] for c in json.loads((CASES / "language.json").read_text())["cases"]]
    for i in range(PIECES):
        part = language[i * len(language) // PIECES:(i + 1) * len(language) // PIECES]
        (out / f"language_{i:02}").write_bytes(max(part, key=lambda t: (len(set(t)), t)).encode())


if __name__ == "__main__":
    main()
