#!/usr/bin/env python3
"""`galen extract --ocr` with the real Tesseract, and with programs of its name that do not work. Skipped where Tesseract or its language
data are missing (tools/install_deps.sh test). That planted faults are flagged against its words: tests/parity/extract. Standard library
only; $GALEN_BIN is the program.
"""

import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
GALEN = os.environ.get("GALEN_BIN", "galen")
CACHE = Path(os.environ.get("GALEN_CACHE", Path.home() / ".cache/galen"))
REAL = Path(os.environ.get("GALEN_MODELS") or CACHE / "models") / "SmolLM2-135M-Instruct.Q4_1.gguf"
TINY = ROOT / "tests/parity/models/tiny/gemma3/q8_0.gguf"
SLOW = "GALEN_SLOW" in os.environ
SECONDS = 180  # for a hostile picture, on a busy machine


def extract(*args, code, path=None, model=TINY, **environment):
    env = {**os.environ, **environment}
    if path is not None:
        env["PATH"] = str(path)
    start = time.monotonic()
    done = subprocess.run([GALEN, "extract", *map(str, args), "--model", str(model)], capture_output=True, text=True, cwd=ROOT, env=env,
                          timeout=600)
    assert done.returncode == code, f"{args}: exit code {done.returncode}: {done.stderr[-500:]}"
    assert time.monotonic() - start < SECONDS, f"{args}: {time.monotonic() - start:.0f} s"
    return done


def refused(says, *args, **environment):
    done = extract(*args, code=1, **environment)
    for text in [says] if isinstance(says, str) else says:
        assert text in done.stderr, f"{args}: {done.stderr!r} lacks {text!r}"
    assert done.stdout == "", f"{args}: something on standard output"


def png(path, width, height, rows):
    """A grey picture; rows gives the bytes of one row."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    data = zlib.compress(b"".join(b"\0" + rows(y) for y in range(height)), 1)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) + chunk(b"IDAT", data) +
                     chunk(b"IEND", b""))
    return path


def program(folder, script):
    """A folder that holds a program named tesseract, for PATH."""
    folder.mkdir()
    (folder / "tesseract").write_text("#!/bin/sh\n" + script + "\n")
    (folder / "tesseract").chmod(0o755)
    return folder


def pages(folder, language):
    command = [GALEN, "data", "synth", "--kind", "lab_report", "--count", "1", "--rows", "8", "--one-page", "--level", "scan", "--language",
               language, "--long-side", "2000", "--seed", "3", "--out", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
    truth = json.loads((folder / "truth.jsonl").read_text(encoding="utf-8"))
    return folder / truth["pages"][0]["file"], truth


def check_failures(folder, page):
    ready = "case $1 in --version) echo tesseract 5.3.0; exit;; --list-langs) echo eng; exit;; esac\n"
    always = (page, "--ocr", "always")
    nowhere = folder / "nowhere"
    nowhere.mkdir()
    refused([f"{page.name} page 1: ", "apt-get install tesseract-ocr"], *always, path=nowhere)
    refused("not installed", page, path=nowhere)  # auto: the model cannot see it either
    refused("(ocr: never)", page, "--ocr", "never")
    refused("Tesseract 3 is too old", *always, path=program(folder / "old", "echo tesseract 3.04.01"))
    refused("is not Tesseract", *always, path=program(folder / "other", "echo hello"))
    refused("no language data", *always, TESSDATA_PREFIX=str(nowhere))
    refused(["galen: warning: Tesseract has no language data", "reads text alone"], page, TESSDATA_PREFIX=str(nowhere))
    refused("another shape", *always, path=program(folder / "garbage", ready + "echo SECRET"))
    refused("exit code 7", *always, path=program(folder / "fails", ready + "echo SECRET >&2; exit 7"))
    killed = program(folder / "killed", ready + "kill -KILL $$")
    refused("signal 9", *always, path=killed)
    refused([f"{page.name} page 1: Tesseract", "signal 9", "3 pages in a row"], *[page] * 4, path=killed)


def check_hostile(folder):
    if not SLOW:
        refused("the pages are empty", png(folder / "huge.png", 12000, 9000, lambda y: b"\xff" * 12000), "--ocr", "always")
    refused("the pages are empty", png(folder / "dot.png", 1, 1, lambda y: b"\x40"), "--ocr", "always")
    refused("the pages are empty", png(folder / "line.png", 3000, 1, lambda y: b"\xff" * 3000), "--ocr", "always")
    refused("the pages are empty", png(folder / "blank.png", 800, 1000, lambda y: b"\xf0" * 800), "--ocr", "always")
    noise = random.Random(5)
    # Whatever it takes noise for, it is no document, and nothing of it passes.
    extract(png(folder / "noise.png", 700, 900, lambda y: noise.randbytes(700)), "--ocr", "always", code=1)
    extract(png(folder / "bars.png", 900, 700, lambda y: bytes(255 * (x // 2 % 2) for x in range(900))), "--ocr", "always", code=1)


def check_reading(folder, page, truth):
    """A text model reads the words that Tesseract found; its answer is worth nothing, and is compared with them."""
    done = extract(page, "--ocr", "always", "--schema", "lab_report", "--max-tokens", "200", code=0, model=REAL)
    report = json.loads(done.stdout)
    size = truth["pages"][0]
    shown, = report["pages"]
    assert shown["word_source"] == "tesseract" and shown["words"] > 40, shown
    assert (shown["width"], shown["height"]) == (size["width"], size["height"]), shown
    compared = [value for value in report["values"] for verdict in value["verdicts"] if verdict["id"].startswith("source.")]
    assert compared and all(v["id"] != "source.not_checked" for value in compared for v in value["verdicts"]), compared
    for value in compared:
        if "evidence" in value:
            x0, y0, x1, y1 = value["evidence"]["box"]
            assert 0 <= x0 < x1 <= size["width"] and 0 <= y0 < y1 <= size["height"], value


def check_second_look(folder):
    """One page whose second look fails keeps its first; the other page's is taken all the same, and the report says which failed."""
    both = []
    for seed in ("3", "8"):  # rows of both are in doubt at first
        made = subprocess.run([GALEN, "data", "synth", "--kind", "lab_report", "--count", "1", "--rows", "6", "--one-page", "--level", "clean",
                               "--long-side", "1024", "--seed", seed, "--out", str(folder / f"slip-{seed}")], capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        page, = (folder / f"slip-{seed}").glob("*.png")
        both.append(page.rename(folder / f"slip-{seed}.png"))
    first, second = both
    mark = folder / "mark"
    # The mode of the second look is lines below each other; it is refused once.
    once = program(folder / "once", f"""case " $* " in *" --psm 6 "*) /bin/mkdir {mark} 2>/dev/null && exit 7;; esac
exec {shutil.which("tesseract")} "$@" """)
    seen, warned = [], []
    for path in (None, f"{once}:{os.environ['PATH']}"):
        done = extract(first, second, "--schema", "lab_report", "--today", "2026-01-01", "--threads", "1", code=0, path=path, model="galen-mini")
        report = json.loads(done.stdout)
        seen.append({Path(v["evidence"]["file"]).name for v in report["values"] for x in v["verdicts"] if "read at a second look" in x["message"]})
        warned.append([w for w in report["warnings"] if "second look" in w])
        assert all(w in done.stderr for w in warned[-1]), done.stderr
    assert warned[0] == [] and seen[0] == {first.name, second.name}, (warned, seen)
    assert mark.exists() and len(warned[1]) == 1 and first.name in warned[1][0] and "exit code 7" in warned[1][0], warned
    assert seen[1] == {second.name}, seen


def main():
    if shutil.which("tesseract") is None:
        print("skipped: Tesseract is not installed (tools/install_deps.sh test)")
        return 77
    has = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True).stdout.split()
    if not {"eng", "fra", "deu"} <= set(has):
        print(f"skipped: Tesseract lacks language data, it has {' '.join(has)} (tools/install_deps.sh test)")
        return 77
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        page, truth = pages(folder / "en", "en")
        check_failures(folder, page)
        check_hostile(folder)
        if not SLOW:
            check_second_look(folder)
        # The words reach the model: there are too many for this one.
        for language in ["en"] if SLOW else ["en", "fr", "de"]:
            read = page if language == "en" else pages(folder / language, language)[0]
            refused("leaves no room for an answer", read, "--schema", "lab_report")
        if REAL.exists() and not SLOW:
            check_reading(folder, page, truth)
        else:
            print("no SmolLM2 or a slow program: nothing is asked of a model")
    print("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
