#!/usr/bin/env python3
"""Adapters from outside: what the program answers, records and refuses. GALEN_BIN names the program."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PARITY = Path(__file__).resolve().parents[2] / "parity"
TINY = PARITY / "models/tiny"
ADAPTERS = PARITY / "adapters/tiny"
GALEN = os.environ.get("GALEN_BIN", "galen")
failures = []


def galen(*args):
    done = subprocess.run([GALEN, *map(str, args)], capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


def check(name, condition, detail=""):
    if not condition:
        failures.append(name)
        print(f"FAILED {name}: {detail}")


def run(*args, base="gemma3"):
    return galen("run", TINY / base, "hello", "--raw", "--max-tokens", "4", "--compute", "fp32", "--logprobs", "3", "--json", *args)


def answers():
    code, out, error = run()
    check("plain", code == 0 and "adapters" not in json.loads(out), error)
    plain = json.loads(out)["logprobs"]
    code, out, error = run("--adapter", ADAPTERS / "gemma3-all")
    check("one adapter", code == 0, error)
    one = json.loads(out)
    check("one adapter changes the answer", one["logprobs"] != plain)
    record = one["adapters"][0]
    check("record", record["name"] == "gemma3-all" and len(record["digest"]) == 64 and record["scale"] == 1.0, record)
    code, out, error = run("--adapter", ADAPTERS / "gemma3-all", "--adapter-scale", "0")
    check("scale 0 is the base", code == 0 and json.loads(out)["logprobs"] == plain, error)
    code, out, error = run("--adapter", ADAPTERS / "gemma3-all", "--adapter-scale", "0.7", "--adapter", ADAPTERS / "gemma3-dora")
    check("two adapters", code == 0 and [a["scale"] for a in json.loads(out)["adapters"]] == [0.7, 1.0], error)
    if (ADAPTERS / "gemma3-all.gguf").exists():
        code, out, error = run("--adapter", ADAPTERS / "gemma3-all.gguf", base="gemma3/f32.gguf")
        check("gguf on gguf", code == 0, error)
    else:
        print("gemma3-all.gguf is missing: make it with tests/parity/adapters/make_adapters.py")
    code, out, error = run("--adapter", ADAPTERS / "gemma3-all", base="gemma3/q8_0.gguf")
    check("on packed weights", code == 0, error)


def refused(name, says, *args, base="gemma3"):
    code, out, error = run(*args, base=base)
    missing = [text for text in says if text not in error]
    check(name, code == 1 and not out and error.startswith("galen: ") and error.count("\n") == 1 and not missing, error)


def refused_usage(name, says, *args):
    code, out, error = run(*args)
    check(name, code == 2 and not out and all(text in error for text in says), error)


def bad_input(folder):
    refused_usage("scale without adapter", ["--adapter-scale"], "--adapter-scale", "2", "--adapter", ADAPTERS / "gemma3-all")
    refused("another model", ["layers.3", "nearest names", "--allow-unmatched"], "--adapter", ADAPTERS / "gemma3-all", base="llama")
    refused("no adapter", ["adapter_config.json"], "--adapter", TINY / "llama")
    refused("a model", ["is a model"], "--adapter", TINY / "llama/f32.gguf")
    refused("a file of the directory", ["directory"], "--adapter", ADAPTERS / "gemma3-all/adapter_config.json")
    copy = folder / "copy"
    shutil.copytree(ADAPTERS / "gemma3-all", copy)
    tensors = copy / "adapter_model.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:3000])
    refused("cut", ["adapter_model.safetensors"], "--adapter", copy)
    tensors.rename(copy / "adapter_model.bin")
    refused("a pickle", ["pickle", "safe_serialization"], "--adapter", copy)
    config = json.loads((copy / "adapter_config.json").read_text()) | {"use_qalora": True}
    (copy / "adapter_config.json").write_text(json.dumps(config))
    refused("use_qalora", ["use_qalora"], "--adapter", copy)
    head = folder / "head"
    shutil.copytree(ADAPTERS / "gemma3-head", head)
    config = json.loads((head / "adapter_config.json").read_text()) | {"ensure_weight_tying": True}
    (head / "adapter_config.json").write_text(json.dumps(config))
    refused("a low-rank adapter of tied matrices", ["ensure_weight_tying", "head"], "--adapter", head)
    refused("two replacements", ["both replace"], "--adapter", ADAPTERS / "gemma3-google", "--adapter", ADAPTERS / "gemma3-google")


def verbs(folder):
    code, out, error = galen("adapter", "inspect", ADAPTERS / "gemma3-dora", "--base", TINY / "gemma3", "--json")
    report = json.loads(out) if code == 0 else {}
    check("inspect", report.get("ranks") == [3] and report["dora"] and report["rslora"] and not report["changes_nothing"]
          and len(report["modules"]) == 21 and report["base"]["fits"], error or out)
    code, out, error = galen("adapter", "inspect", ADAPTERS / "gemma3-all", "--base", TINY / "llama")
    check("inspect of another model", code == 1 and "fits " in out and ": no" in out and "does not fit" in error, error or out)
    code, out, error = galen("adapter", "merge", TINY / "gemma3", ADAPTERS / "gemma3-google", folder / "merged", "--type", "f32", "--json")
    check("merge", code == 0 and json.loads(out)["untied"], error)
    merged = galen("run", folder / "merged", "hello", "--raw", "--max-tokens", "4", "--compute", "fp32", "--json")
    beside = run("--adapter", ADAPTERS / "gemma3-google")
    check("merged answers alike", json.loads(merged[1])["tokens"] == json.loads(beside[1])["tokens"], merged[2])
    code, _, error = galen("adapter", "merge", TINY / "gemma3", ADAPTERS / "gemma3-all", folder / "merged")
    check("merge onto what exists", code == 1 and "exists already" in error, error)
    text = folder / "text.txt"
    text.write_text("hello hello")
    code, out, error = galen("score", TINY / "gemma3", "--file", text, "--adapter", ADAPTERS / "gemma3-all", "--json")
    check("score", code == 0 and json.loads(out)["adapters"][0]["name"] == "gemma3-all", error)


def main():
    answers()
    with tempfile.TemporaryDirectory() as folder:
        bad_input(Path(folder))
        verbs(Path(folder))
    print(f"{len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
