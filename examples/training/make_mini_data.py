#!/usr/bin/env python3
"""The pages, lines and words that galen-mini learned from (docs/models/galen-mini.md), made by `galen data synth` and mixed.

    make_mini_data.py GALEN DIR

DIR/words.jsonl and DIR/words-eval.jsonl are for configs/training/mini-words.yaml, DIR/lines.jsonl and DIR/lines-eval.jsonl for
mini-lines.yaml, DIR/fields.jsonl and again DIR/lines-eval.jsonl for mini-fields.yaml. Some ten minutes of one processor, 1 GB. The same seeds give the same bytes with the same fonts.
"""

import json
import random
import subprocess
import sys
from pathlib import Path

OTHERS = "discharge_summary,radiology_report,prescription,medication_reconciliation,operative_note,cardiology_consult,diagnosis,vitals_flowsheet"
# What these documents print as laboratory reports do.
HEAD = {"patient", "institution", "document_date", "collection_date", "sample_id", "author"}
# Folder: options. Words and lines of random letters teach letters; those of reports teach what reports say.
PARTS = {
    "sw": "--words --scramble --count 700 --seed 3101",
    "w": "--words --count 500 --seed 3001",
    "sw-eval": "--words --scramble --count 5 --seed 9101",
    "w-eval": "--words --count 5 --seed 9001",
    "sl": "--lines --transcripts --scramble --count 450 --seed 3201",
    "l": "--lines --transcripts --count 1500 --seed 2001",
    "l3": "--lines --transcripts --count 1000 --seed 2101",
    "l-eval": "--lines --transcripts --count 8 --seed 9201",
    "l4": "--lines --count 1300 --seed 2301",
    "o4": f"--lines --kind {OTHERS} --count 240 --seed 2401",
    "c4": "--lines --count 200 --seed 2501 --level scan",
}


def samples(folder):
    for line in (folder / "samples.jsonl").read_text(encoding="utf-8").splitlines():
        sample = json.loads(line)
        sample["images"] = [f"{folder.name}/{name}" for name in sample["images"]]
        yield sample


def kind(sample):
    """A transcript, a line without values, a line with some."""
    if "Transcribe" in sample["messages"][0]["content"][1]["text"]:
        return "transcript"
    return "empty" if sample["messages"][1]["content"] == "{}" else "values"


def write(path, chosen):
    path.write_text("".join(json.dumps(s, ensure_ascii=False) + "\n" for s in chosen), encoding="utf-8")
    print(f"{path}: {len(chosen)} samples")


def main():
    galen, out = sys.argv[1], Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    for name, options in PARTS.items():
        if not (out / name).exists():
            kinds = [] if "--kind" in options else ["--kind", "lab_report"]
            subprocess.run([galen, "data", "synth", *kinds, "--language", "en", "--gray", "--samples", *options.split(), "--out", out / name],
                           check=True)
    draw = random.Random(5)
    words = [*samples(out / "sw"), *samples(out / "w")]
    draw.shuffle(words)
    write(out / "words.jsonl", words)
    write(out / "words-eval.jsonl", [*samples(out / "sw-eval"), *samples(out / "w-eval")])

    draw = random.Random(7)
    parts = {"values": [], "empty": [], "transcript": []}
    for name in ("l", "l3"):
        for sample in samples(out / name):
            parts[kind(sample)].append(sample)
    for part in parts.values():
        draw.shuffle(part)
    lines = parts["values"] + parts["empty"][:7000] + parts["transcript"][:15000] + [*samples(out / "sl")]
    lines += draw.sample([*samples(out / "sw")], 6000)
    draw.shuffle(lines)
    write(out / "lines.jsonl", lines)
    # New lines of reports, clean and scanned, and lines of other documents that are to be left alone.
    draw = random.Random(9)
    new = [s for name in ("l4", "c4") for s in samples(out / name)]
    fields = [s for s in new if kind(s) == "values"] + draw.sample([s for s in new if kind(s) == "empty"], 3000)
    for sample in samples(out / "o4"):
        printed = json.loads(sample["messages"][1]["content"])
        if not HEAD & printed.keys():
            sample["messages"][0]["content"][1]["text"] = "Extract this line of a lab_report as JSON."
            sample["messages"][1]["content"] = "{}"
            fields.append(sample)
    draw.shuffle(fields)
    write(out / "fields.jsonl", fields)
    write(out / "lines-eval.jsonl", [s for s in samples(out / "l-eval") if kind(s) != "transcript"])


if __name__ == "__main__":
    main()
