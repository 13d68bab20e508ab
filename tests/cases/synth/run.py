#!/usr/bin/env python3
"""galen data synth from outside: what it writes, says and refuses. GALEN_BIN names the program; standard library only."""

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GALEN = os.environ.get("GALEN_BIN", "galen")
failures = []


def check(name, condition, detail=""):
    if not condition:
        failures.append(name)
        print(f"FAILED {name}: {detail}")


def synth(*args, **more):
    done = subprocess.run([GALEN, "data", "synth", *map(str, args)], capture_output=True, text=True, timeout=300, **more)
    return done.returncode, done.stdout, done.stderr


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir()) if p.name != "synth.json"}


def writes(work):
    out = work / "new" / "pages"
    code, text, error = synth("--kind", "all", "--count", 9, "--seed", 4, "--out", out, "--format", "jpeg", "--gray", "--long-side", 512,
                              "--level", "mixed", "--samples", "--threads", 1, "--json")
    check("exit code", code == 0, error)
    summary = json.loads(text)
    check("summary", summary["documents"] == 9 and summary["pages"] >= 9 and summary["fonts"], text)
    truth = [json.loads(line) for line in (out / "truth.jsonl").read_text().splitlines()]
    check("a line a document", len(truth) == 9 and len({t["kind"] for t in truth}) == 9)
    for line in truth:
        check("files are there", all((out / page["file"]).stat().st_size > 0 for page in line["pages"]), line["file"])
        check("keys", set(line) == {"file", "kind", "language", "level", "layout", "font", "pages", "fields", "boxes"}, sorted(line))
    samples = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
    check("samples answer the truth", [json.loads(s["messages"][1]["content"]) for s in samples] == [t["fields"] for t in truth])
    check("no partial folder", [p.name for p in out.parent.iterdir()] == ["pages"])

    # The same documents with two threads and as the beginning of more.
    again = work / "again"
    code, _, error = synth("--kind", "all", "--count", 11, "--seed", 4, "--out", again, "--format", "jpeg", "--gray", "--long-side", 512,
                           "--level", "mixed", "--threads", 2)
    check("exit code with two threads", code == 0, error)
    one, two = digests(out), digests(again)
    pages = [name for name in one if name.endswith(".jpg")]
    check("the same bytes", all(two.get(name) == one[name] for name in pages), pages)
    first = (again / "truth.jsonl").read_text().splitlines()[:9]
    check("the same truth", first == (out / "truth.jsonl").read_text().splitlines())

    code, _, error = synth("--kind", "lab_report", "--count", 1, "--out", out)
    check("a full folder is refused", code == 1 and "not empty" in error, error)
    check("and left alone", digests(out) == one)


def refuses(work):
    base = ["--count", 1, "--out", work / "never"]
    for name, args, code, says in [
            ("unknown kind", ["--kind", "prescripton"], 2, ["prescripton", "did you mean 'prescription'"]),
            ("no kind", [], 2, ["--kind"]),
            ("unknown language", ["--kind", "diagnosis", "--language", "es"], 2, ["--language", "en, fr, de, all"]),
            ("unknown level", ["--kind", "diagnosis", "--level", "xerox"], 2, ["--level"]),
            ("long side", ["--kind", "diagnosis", "--long-side", 9], 2, ["--long-side", "64 to 8192"]),
            ("size", ["--kind", "diagnosis", "--size", "12"], 2, ["--size", "WIDTHxHEIGHT"]),
            ("huge size", ["--kind", "diagnosis", "--size", "90000x90000"], 2, ["--size", "8192"]),
            ("rows", ["--kind", "diagnosis", "--rows", "5-2"], 2, ["--rows"]),
            ("no rows", ["--kind", "diagnosis", "--rows", "0"], 2, ["--rows"]),
            ("words for rows", ["--kind", "diagnosis", "--rows", "many"], 2, ["--rows", "many"]),
            ("strip of letters", ["--kind", "radiology_report", "--strip"], 2, ["--strip", "lab_report"])]:
        got, _, error = synth(*base, *args)
        check(name, got == code and all(s in error for s in says), f"{got} {error}")
    for count in (0, -3, "lots"):
        got, _, error = synth("--kind", "diagnosis", "--count", count, "--out", work / "never")
        check(f"count {count}", got == 2 and "--count" in error, error)
    (work / "file").write_text("x")
    got, _, error = synth("--kind", "diagnosis", "--count", 1, "--out", work / "file")
    check("a file as folder", got == 1 and "is a file" in error, error)
    got, _, error = synth("--kind", "diagnosis", "--count", 1, "--out", "/proc/nowhere/x")
    check("no permission", got == 1 and "/proc/nowhere" in error, error)

    def small_files():  # a write beyond the limit fails as on a full disk
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    got, _, error = synth("--kind", "lab_report", "--count", 3, "--out", work / "never", preexec_fn=small_files)
    check("a write that fails", got == 1 and "writing" in error and ".partial-" in error, error)
    check("nothing is left", {p.name for p in work.iterdir()} <= {"file", "new", "again"}, list(work.iterdir()))


def stops(work):
    process = subprocess.Popen([GALEN, "data", "synth", "--kind", "all", "--count", "1000000", "--out", str(work / "stopped")],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    begin = time.time()
    while time.time() - begin < 60 and not list(work.glob("stopped.partial-*/*.png")):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=120)
    check("SIGINT", process.returncode == 1 and "stopped" in error, f"{process.returncode} {error}")
    check("SIGINT leaves nothing", not list(work.glob("stopped*")), list(work.glob("stopped*")))


with tempfile.TemporaryDirectory() as folder:
    writes(Path(folder))
    refuses(Path(folder))
    stops(Path(folder))
print("failed: " + ", ".join(failures) if failures else "ok")
sys.exit(1 if failures else 0)
