#!/usr/bin/env python3
"""The pages, lines and words that galen-mini learned from (docs/models/galen-mini.md), made by `galen data synth` and mixed.

    make_mini_data.py GALEN DIR        # of the first three runs
    make_mini_data.py GALEN DIR 4      # DIR/more-4.jsonl of the fourth, 5 and 6 likewise

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
# Fourth to sixth run: number, pages of each part. The same mixture with seeds of its own.
MORE = {4: 5, 5: 9, 6: 4}
MIX = {
    "clean": "--lines --count 300",
    "french": "--lines --count 50 --language fr",
    "german": "--lines --count 50 --language de",
    "scan": "--lines --count 40 --level scan",
    "fax": "--lines --count 25 --level fax",
    "letters": "--lines --transcripts --scramble --count 30",
    "words": "--words --scramble --count 20",
    "others": f"--lines --kind {OTHERS} --count 36",
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


def synth(galen, folder, options):
    if not folder.exists():
        kinds = [] if "--kind" in options else ["--kind", "lab_report"]
        language = [] if "--language" in options else ["--language", "en"]
        subprocess.run([galen, "data", "synth", *kinds, *language, "--gray", "--samples", *options.split(), "--out", folder], check=True)


def left_alone(folder):
    """Lines of other documents that print nothing which a laboratory report prints: the answer is {}."""
    for sample in samples(folder):
        if not HEAD & json.loads(sample["messages"][1]["content"]).keys():
            sample["messages"][0]["content"][1]["text"] = "Extract this line of a lab_report as JSON."
            sample["messages"][1]["content"] = "{}"
            yield sample


def more(galen, out, run):
    """DIR/more-RUN.jsonl: lines with values, a fifth of those without, letters at random, other documents."""
    draw = random.Random(run)
    chosen = []
    for part in range(MORE[run]):
        for i, (name, options) in enumerate(MIX.items()):
            folder = out / f"m{run}" / f"{name}{part}"
            folder.parent.mkdir(exist_ok=True)
            synth(galen, folder, f"{options} --seed {run * 10000 + part * 100 + i}")
            lines = [*(left_alone(folder) if name == "others" else samples(folder))]
            for sample in lines:
                sample["images"] = [f"m{run}/{image}" for image in sample["images"]]
            empty = [s for s in lines if kind(s) == "empty"]
            chosen += [s for s in lines if kind(s) != "empty"] + draw.sample(empty, len(empty) // 5)
    draw.shuffle(chosen)
    write(out / f"more-{run}.jsonl", chosen)


def main():
    galen, out = sys.argv[1], Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    if len(sys.argv) > 3:
        return more(galen, out, int(sys.argv[3]))
    for name, options in PARTS.items():
        synth(galen, out / name, options)
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
    fields += left_alone(out / "o4")
    draw.shuffle(fields)
    write(out / "fields.jsonl", fields)
    write(out / "lines-eval.jsonl", [s for s in samples(out / "l-eval") if kind(s) != "transcript"])


if __name__ == "__main__":
    main()
