#!/usr/bin/env python3
"""Files, prompts and options that galen must refuse: each row of cases.json changes one thing of a tiny checkpoint.

A row: "name"; what it opens, one of
  "gguf" (default llama/f32.gguf): a GGUF file with edits: "field" {key: [type, value]}, "drop_field" key, "tensor" {name:
      {"dims" | "type" | "offset": value}}, "drop_tensor" name
  "directory": a Hugging Face checkpoint with edits: "config" {key: value}, "drop" file, "write" {file: text}, "header"
      {tensor: {key: value}, or null: it gets another name} of the safetensors file, or "header_text"
and then, on the bytes of the model file, "cut" size, "patch" {offset: hex}, "text" instead of all;
"args" (MODEL stands for the path; default: a short run), "env", "stdin"; "says": what the message must contain, besides the
file's name unless "file" is false; "code", 1 unless given. Every message is one line behind "galen: " on stderr, nothing is on
stdout. GALEN_BIN names the program.
"""

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from gguf_edit import Gguf

HERE = Path(__file__).resolve().parent
TINY = HERE.parents[1] / "parity/models/tiny"
RUN = ["run", "MODEL", "hello", "--raw", "--max-tokens", "2"]


def edited_gguf(case):
    data = (TINY / case.get("gguf", "llama/f32.gguf")).read_bytes()
    if not case.keys() & {"field", "drop_field", "tensor", "drop_tensor", "version"}:
        return data
    file = Gguf(data)
    file.version = case.get("version", file.version)
    for key, (kind, value) in case.get("field", {}).items():
        file.fields[key] = kind, value
    file.fields.pop(case.get("drop_field"), None)
    for name, changes in case.get("tensor", {}).items():
        for what, value in changes.items():
            file.tensors[name][("dims", "type", "offset").index(what)] = value
    file.tensors.pop(case.get("drop_tensor"), None)
    return file.bytes()


def edited_safetensors(path, case):
    data = path.read_bytes()
    size = struct.unpack_from("<Q", data)[0]
    text = case.get("header_text")
    if text is None:
        header = json.loads(data[8:8 + size])
        for name, changes in case.get("header", {}).items():
            if changes is None:
                header["unrelated"] = header.pop(name)
            else:
                header[name] |= changes
        text = json.dumps(header)
    return struct.pack("<Q", len(text.encode())) + text.encode() + data[8 + size:]


def make(case, folder):
    """The path to give to galen, and the file that the message must name."""
    if "directory" in case:
        path = folder / "model"
        shutil.copytree(TINY / case["directory"], path, ignore=shutil.ignore_patterns("expected*", "*.gguf"))
        target = path / "model.safetensors"
        data = edited_safetensors(target, case) if case.keys() & {"header", "header_text"} else target.read_bytes()
        config = json.loads((path / "config.json").read_text()) | case.get("config", {})
        (path / "config.json").write_text(json.dumps(config))
        for file, text in case.get("write", {}).items():
            (path / file).write_text(text)
    else:
        path = target = folder / "bad.gguf"
        data = edited_gguf(case)
    data = data[:case.get("cut", len(data))] if "text" not in case else case["text"].encode()
    for at, change in case.get("patch", {}).items():
        change = bytes.fromhex(change)
        data = data[:int(at)] + change + data[int(at) + len(change):]
    target.write_bytes(data)
    if "drop" in case:
        (path / case["drop"]).unlink()
    return path


def problem(case, galen):
    with tempfile.TemporaryDirectory() as folder:
        path = make(case, Path(folder))
        args = [str(path) if a == "MODEL" else a for a in case.get("args", RUN)]
        done = subprocess.run([galen, *args], input=case.get("stdin", "").encode("utf-8", "surrogateescape"), capture_output=True, timeout=300,
                              env=os.environ | case.get("env", {}))
    error = done.stderr.decode(errors="replace")
    code = case.get("code", 1)
    if done.returncode != code:
        return f"exit code {done.returncode}, expected {code}: {error[-1500:]}"
    if code == 1:
        if not error.startswith("galen: ") or error.count("\n") != 1:
            return f"not one line behind 'galen: ': {error[-1500:]}"
        if done.stdout:
            return f"prints {done.stdout[:200]!r}"
    wanted = case["says"] + ([path.name] if case.get("file", code == 1) else [])
    missing = [text for text in wanted if text not in error]
    return f"the message lacks {missing}: {error}" if missing else ""


def main():
    galen = os.environ.get("GALEN_BIN", "galen")
    cases = json.loads((HERE / "cases.json").read_text())
    only = sys.argv[1:]
    failed = 0
    for case in cases:
        if only and case["name"] not in only:
            continue
        found = problem(case, galen)
        if found:
            failed += 1
            print(f"FAILED {case['name']}: {found}")
    print(f"{len(cases)} cases, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
