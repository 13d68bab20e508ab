#!/usr/bin/env python3
"""`galen look` from outside, as cases.json says. Standard library only; $GALEN_BIN is the program.

A case gives `args` (run in the root of the repository) and either what the JSON must hold (recipe, sizes, count, sources,
facts; prompt is a regular expression; each warning must contain one of `warnings`, and each of these must occur; `hides` must occur nowhere) or `fails`,
the exit code, with `says`, a regular expression for standard error.
"""

import json
import os
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
GALEN = os.environ.get("GALEN_BIN", "galen")


def png_size(path):
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", f"{path.name} is no PNG"
    return list(struct.unpack(">II", data[16:24]))


def check_result(case, done, out):
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr.strip()}"
    result = json.loads(done.stdout)
    assert json.loads((out / "look.json").read_text()) == result, "look.json differs from the output"
    assert (out / "prompt.txt").read_text() == result["prompt"] + "\n"
    page = (out / "index.html").read_text()
    images = result["images"]
    sizes = [[i["width"], i["height"]] for i in images]
    assert [png_size(out / i["png"]) for i in images] == sizes, "a PNG has another size than stated"
    assert all(f'src="{i["png"]}"' in page for i in images), "an image is missing on the page"
    assert result["recipe"]["name"] == case.get("recipe", result["recipe"]["name"]), result["recipe"]
    assert sizes == case.get("sizes", sizes), sizes
    assert len(images) == case.get("count", len(images)), len(images)
    assert [i["source"] for i in images] == case.get("sources", [i["source"] for i in images])
    assert re.search(case.get("prompt", ""), result["prompt"]), result["prompt"]
    facts = {fact["name"]: fact["value"] for fact in result["facts"]}
    assert case.get("facts", {}).items() <= facts.items(), facts
    assert not [text for text in case.get("hides", []) if text in done.stdout + done.stderr + page], "what was to be hidden"
    wanted = case.get("warnings", [])
    assert all(any(w in text for w in wanted) for text in result["warnings"]), result["warnings"]
    assert all(any(w in text for text in result["warnings"]) for w in wanted), result["warnings"]
    return result


def run(case, folder):
    out = folder / "out"
    command = [GALEN, "look", *case["args"], "--json"]
    if "fails" not in case:
        command += ["--out", str(out), "--gallery"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if "fails" in case:
        assert done.returncode == case["fails"], f"exit code {done.returncode} instead of {case['fails']}"
        assert re.search(case["says"], done.stderr + done.stdout), done.stderr
        return
    first = check_result(case, done, out)
    again = subprocess.run([GALEN, "look", *case["args"], "--json"], cwd=ROOT, capture_output=True, text=True)
    second = json.loads(again.stdout)
    assert second["digest"] == first["digest"], "another digest the second time"
    assert all(i["png"] is None for i in second["images"]), "names of files that were not written"


def main():
    failed = 0
    cases = json.loads((Path(__file__).parent / "cases.json").read_text())
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            try:
                run(case, Path(folder))
            except (AssertionError, ValueError, OSError) as error:
                failed += 1
                print(f"FAILED {case['name']}: {error}")
    print(f"{len(cases) - failed} of {len(cases)} cases pass")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
