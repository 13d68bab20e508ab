#!/usr/bin/env python3
"""Runs clang-tidy over the compile commands of a build tree; what passed is remembered by content. See tidy.sh."""

import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Files that need flags which clang 14 does not have, or intrinsics that it lacks.
SKIP = re.compile(r"src/kernels/x86/.*(amx|tile16)")


def inputs(command, folder):
    """The file and everything of ours that it includes, as the preprocessor names them."""
    words = [w for w in shlex.split(command)]
    out = words.index("-o")
    words = words[:out] + words[out + 2:] + ["-MM"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        return None
    names = done.stdout.split(":", 1)[1].replace("\\\n", " ").split()
    return sorted(n for n in names if str(ROOT) in str((Path(folder) / n).resolve()))


def digest(entry, tidy_version):
    total = hashlib.sha256(tidy_version.encode() + (ROOT / ".clang-tidy").read_bytes())
    total.update(entry["command"].replace(str(ROOT), "").encode())
    names = inputs(entry["command"], entry["directory"])
    if names is None:
        return None
    for name in names:
        total.update(os.path.relpath(Path(entry["directory"], name).resolve(), ROOT).encode())
        total.update(Path(entry["directory"], name).read_bytes())
    return total.hexdigest()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()
    tidy = os.environ.get("CLANG_TIDY") or shutil.which("clang-tidy-14") or shutil.which("clang-tidy")
    if not tidy:
        print("tidy.py: clang-tidy is not installed (Debian: clang-tidy)", file=sys.stderr)
        return 1
    version = subprocess.run([tidy, "--version"], capture_output=True, text=True).stdout
    # Beside the other things that take long to make: neither a clean build nor another clone looks at a file again.
    root = os.environ.get("GALEN_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "galen"
    cache = Path(root) / "tidy"
    cache.mkdir(parents=True, exist_ok=True)
    wanted = {str((Path.cwd() / f).resolve()) for f in args.files}
    entries = [e for e in json.loads((args.build / "compile_commands.json").read_text())
               if str(ROOT) in e["file"] and not SKIP.search(e["file"]) and (not wanted or e["file"] in wanted)]

    def check(entry):
        key = digest(entry, version)
        if key and (cache / key).exists():
            return entry["file"], 0, ""
        done = subprocess.run([tidy, "-p", str(args.build), "--quiet", "--warnings-as-errors=*",
                               "--extra-arg=-Wno-unknown-warning-option", entry["file"]], capture_output=True, text=True)
        if done.returncode == 0 and key:
            (cache / key).touch()
        noise = re.compile(r"^\d+ warnings? (generated|treated)|^Suppressed|^Use -header-filter")
        errors = [line for line in done.stderr.splitlines() if "error:" in line] if done.returncode else []
        lines = [line for line in done.stdout.splitlines() if not noise.match(line)] + errors
        return entry["file"], done.returncode, "\n".join(lines)

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS", os.cpu_count() or 1))) as pool:
        for file, code, text in pool.map(check, entries):
            if code:
                failed += 1
                print(text or f"{file}: clang-tidy failed", flush=True)
    print(f"clang-tidy: {len(entries)} files, {failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
