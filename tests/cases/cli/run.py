#!/usr/bin/env python3
"""The contract of the command line for machines: each row of cases.json runs the program once.

A row: "name", "args" ({llama}, {gemma}, ... stand for tiny checkpoints, {NAME} for a file of "files" {NAME: text}), "stdin",
"env", "code" (0 unless given); "json": the pattern that the one object on stdout must match; "stdout" / "stderr": texts that
must be in there; "same": {field: row}: the field's value equals that of an earlier row.

Patterns: "string", "int", "number", "bool", "ids" (whole numbers from 0), "utf8"; {"$is": value}, {"$len": n, "$each": pattern,
"$min": x, "$max": x}; another object wants exactly its keys, those that end in ? may be absent. GALEN_BIN names the program.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TINY = HERE.parents[1] / "parity/models/tiny"
MODELS = {"llama": "llama/f32.gguf", "gemma": "gemma3/q8_0.gguf", "gemma_dir": "gemma3", "llama_dir": "llama", "mistral_dir": "mistral",
          "qwen": "qwen2-full/q8_0.gguf", "llama_weights": "llama/model.safetensors"}


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_id(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


TYPES = {"string": lambda v: isinstance(v, str), "int": is_id, "number": is_number, "bool": lambda v: isinstance(v, bool),
         "ids": lambda v: isinstance(v, list) and all(map(is_id, v)), "any": lambda v: True}


def mismatch(value, pattern, at="$"):
    """Where the value is not what the pattern says; empty if it is."""
    if isinstance(pattern, str):
        return "" if TYPES[pattern](value) else f"{at} is {value!r:.80}, expected {pattern}"
    if "$is" in pattern:
        return "" if value == pattern["$is"] else f"{at} is {value!r:.80}, expected {pattern['$is']!r}"
    if any(key.startswith("$") for key in pattern):
        size = value if is_number(value) else None
        if "$len" in pattern and len(value) != pattern["$len"]:
            return f"{at} has {len(value)} entries, expected {pattern['$len']}"
        if "$min" in pattern and not (size is not None and size >= pattern["$min"]):
            return f"{at} is {value!r:.80}, expected at least {pattern['$min']}"
        if "$max" in pattern and not (size is not None and size <= pattern["$max"]):
            return f"{at} is {value!r:.80}, expected at most {pattern['$max']}"
        entries = value.items() if isinstance(value, dict) else enumerate(value) if "$each" in pattern else ()
        return next(filter(None, (mismatch(v, pattern["$each"], f"{at}[{k}]") for k, v in entries)), "")
    if not isinstance(value, dict):
        return f"{at} is {value!r:.80}, expected an object"
    known = {key.removesuffix("?"): key for key in pattern}
    absent = [key for key, spelled in known.items() if key not in value and not spelled.endswith("?")]
    more = [key for key in value if key not in known]
    if absent or more:
        return f"{at} lacks {absent} and has {more} too much"
    return next(filter(None, (mismatch(value[k], pattern[s], f"{at}.{k}") for k, s in known.items() if k in value)), "")


def logprobs_fault(result):
    """What no pattern can say of `run --json --logprobs K`."""
    for token, entry in zip(result["tokens"], result["logprobs"]):
        if entry["token"] != token or entry["logprob"] > 0:
            return f"the entry of token {token} is {entry}"
        values = [x for _, x in entry["top"]]
        if values != sorted(values, reverse=True):
            return f"alternatives are not sorted: {entry}"
    return ""


def run(row, galen, folder):
    names = {name: str(TINY / path) for name, path in MODELS.items()}
    for name, text in row.get("files", {}).items():
        names[name] = str(folder / name)
        # Bytes that are no UTF-8 are spelled as lone surrogates.
        Path(names[name]).write_bytes(text.encode("utf-8", "surrogateescape"))
    args = [a.format(**names) if isinstance(a, str) else str(a) for a in row["args"]]
    return subprocess.run([galen, *args], input=row.get("stdin", "").encode("utf-8", "surrogateescape"), capture_output=True, timeout=600,
                          env=os.environ | row.get("env", {}))


def check(row, done, seen):
    out, error = done.stdout, done.stderr.decode(errors="replace")
    if done.returncode != row.get("code", 0):
        return f"exit code {done.returncode}: {error[-1500:]}"
    try:
        text = out.decode()
    except UnicodeDecodeError as fault:
        return f"stdout is no UTF-8: {fault}"
    for wanted, found in ((row.get("stdout", []), text), (row.get("stderr", []), error)):
        missing = [w for w in wanted if w not in found]
        if missing:
            return f"no {missing} in {found!r:.1500}"
    if "json" not in row:
        return ""
    if text.count("\n") != 1 or not text.endswith("\n"):
        return f"not one line of JSON: {text!r:.300}"
    value = seen[row["name"]] = json.loads(text)
    fault = mismatch(value, row["json"])
    if not fault and "logprobs" in value and "tokens" in value and "text" in value:
        fault = logprobs_fault(value)
    for field, other in row.get("same", {}).items():
        if not fault and value[field] != seen[other][field]:
            fault = f"{field} is {value[field]!r:.200}, but that of '{other}' is {seen[other][field]!r:.200}"
    return fault


def demo_text_fault(folder):
    """tools/demo_text.sh, with a program that says what it was asked: nobody is to take the base model's continuation for an answer."""
    fake = folder / "galen"
    fake.write_text('#!/bin/sh\necho "asked: $*"\n')
    fake.chmod(0o755)
    done = subprocess.run([HERE.parents[2] / "tools/demo_text.sh", fake, "/models", HERE.parents[1] / "e2e/note.txt"], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    gemma = next((i for i, line in enumerate(lines) if line.startswith("Gemma 3 270M")), None)
    if done.returncode or gemma is None:
        return f"{done}"
    said = " ".join(lines[gemma:gemma + 2])
    missing = [w for w in ("base model", "not tuned to follow instructions", "a continuation, not an answer") if w not in said]
    return f"no {missing} in {said}" if missing or not any("--raw" in line for line in lines[gemma:]) else ""


def main():
    galen = os.environ.get("GALEN_BIN", "galen")
    rows = json.loads((HERE / "cases.json").read_text())
    slow = os.environ.get("GALEN_SLOW")
    failed = skipped = 0
    seen = {}
    with tempfile.TemporaryDirectory() as folder:
        for row in rows:
            if slow and row.get("heavy"):
                skipped += 1
                continue
            fault = check(row, run(row, galen, Path(folder)), seen)
            if fault:
                failed += 1
                print(f"FAILED {row['name']}: {fault}")
        if fault := demo_text_fault(Path(folder)):
            failed += 1
            print(f"FAILED demo_text.sh: {fault}")
    print(f"{len(rows)} rows, {failed} failed" + (f", {skipped} left out of a sanitized program" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
