#!/usr/bin/env python3
"""`galen train` from outside, on a tiny random model: the same bits after a kill at any moment, with any number of threads and
with layers computed again; and what it says about bad data, options, memory, disks and bases. Standard library only.

    run.py            GALEN_BIN is the program
"""

import json
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import image_text
import images
import presets
import qwen_images
from common import GALEN, ROOT, SLOW, Bench, check, examples, failures, nan_base, same_bits


def life(b):
    process = subprocess.Popen(b.command(b.config("term", max_steps=100000, save_steps=1000000)), stderr=subprocess.PIPE, text=True)
    time.sleep(3 if SLOW else 1)
    process.send_signal(signal.SIGTERM)
    error = process.communicate()[1]
    saved = list((b.folder / "term").glob("checkpoint-*"))
    check(process.returncode == 1 and len(saved) == 1 and "continue with --resume" in error, "SIGTERM saves and ends", error)

    early = b.train("early", max_steps=60, eval_file=str(b.folder / "eval.jsonl"), eval_steps=2, early_stopping_patience=2,
                    learning_rate=0.5, max_grad_norm=0)
    log = [json.loads(x) for x in (b.folder / "early/train_log.jsonl").read_text().splitlines()]
    check(early.returncode == 0 and "stopped early" in early.stderr and max(x["step"] for x in log) < 60,
          "early stopping", early.stderr)

    dry = b.train("dry", "--dry-run", "2", "--json")
    check(dry.returncode == 0 and not (b.folder / "dry").exists() and '"memory"' in dry.stdout, "--dry-run writes nothing",
          dry.stderr)

    learned = b.train("learn", max_steps=150, save_steps=1000, lr_scheduler_type="linear", warmup_ratio=0.1, packing=True,
                      optim="adamw_8bit", weight_decay=0.01)
    losses = [json.loads(x)["loss"] for x in (b.folder / "learn/train_log.jsonl").read_text().splitlines()]
    check(learned.returncode == 0 and losses[-1] < losses[0] / 3, "8-bit states, packed: the loss falls",
          learned.stderr[-2000:])

    shown = b.train("shown", "--show", "1")
    check(shown.returncode == 0 and "[[" in shown.stdout and "user" in shown.stdout.split("[[")[0] and "</s>]]" in shown.stdout,
          "--show marks what is learned", shown.stdout + shown.stderr)


def bad_input(b):
    refused = (
        ("a wrong key", dict(learning_rat=1), "learning_rat\"; did you mean \"learning_rate\""),
        ("a file that is not there", dict(train_file="/nowhere.jsonl"), "/nowhere.jsonl"),
        ("no room", dict(memory_limit_gb=0.001), "needs "),
        ("a length beyond the model's", dict(max_seq_length=100000), "positions end at"),
        ("nothing to do", dict(max_steps=0, num_train_epochs=0), "nothing to do"),
        ("a base that is not there", dict(model="/nowhere"), "/nowhere"),
    )
    for what, options, message in refused:
        result = b.train("refused", **options)
        check(result.returncode == 1 and message in result.stderr and not (b.folder / "refused/checkpoint-1").exists(), what,
              result.stderr)
    check(subprocess.run([GALEN, "train"], capture_output=True).returncode == 2, "no configuration: usage")
    listed = subprocess.run([GALEN, "train", "--help-config"], capture_output=True, text=True)
    check(listed.returncode == 0 and "gradient_accumulation_steps" in listed.stdout, "--help-config")
    documented = subprocess.run([GALEN, "train", "--help-config", "--format", "markdown"], capture_output=True, text=True)
    check(documented.stdout in (ROOT / "docs/TRAINING.md").read_text(), "docs/TRAINING.md holds the options as they are")

    lines = list(examples(4))
    mixed = [lines[0], "{broken", {"messages": [{"role": "user", "content": "secret"}]}, lines[1],
             {"question": "a", "answer": "normal rate " * 60}, {"question": "x", "answer": ""}]
    b.write("mixed.jsonl", mixed)
    mixed_file = dict(train_file=str(b.folder / "mixed.jsonl"), max_steps=1)
    skipped = b.train("mixed", "--json", **mixed_file)
    report = json.loads(skipped.stdout.splitlines()[0])
    check(skipped.returncode == 0 and (report["used"], report["bad"], report["too_long"]) == (2, 3, 1)
          and any("mixed.jsonl:2: is no valid JSON" in n for n in report["notes"])
          and any("mixed.jsonl:3: has no answer" in n for n in report["notes"])
          and "secret" not in skipped.stdout, "lines that cannot be used are counted, named, left out", skipped.stdout)
    for option, line in (("on_bad_sample", "mixed.jsonl:2"), ("on_long_sample", "mixed.jsonl:5")):
        stopped = b.train("strict", **(mixed_file | {option: "error"}))
        check(stopped.returncode == 1 and line in stopped.stderr, f"{option}: error", stopped.stderr)
    cut = b.train("cut", "--json", **(mixed_file | {"on_long_sample": "truncate"}))
    check(json.loads(cut.stdout.splitlines()[0])["truncated"] == 1, "on_long_sample: truncate", cut.stdout)
    b.write("empty.jsonl", ["{broken"])
    none = b.train("none", train_file=str(b.folder / "empty.jsonl"))
    check(none.returncode == 1 and "none of the 1 lines" in none.stderr, "no line that can be used", none.stderr)

    again = b.train("early")
    check(again.returncode == 1 and "--resume" in again.stderr, "an output_dir with a run in it", again.stderr)
    other = b.train("term", "--resume", max_steps=100000, learning_rate=0.5)
    check(other.returncode == 1 and "learning_rate" in other.stderr, "resumed with another option", other.stderr)

    # A disk that is full: no file may grow beyond 16 kB.
    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))
    first = b.train("full", max_steps=2)
    shutil.rmtree(b.folder / "full/checkpoint-2")
    before = {p: p.read_bytes() for p in (b.folder / "full/checkpoint-1").iterdir()}
    full = b.train("full", "--resume", preexec=small_files, max_steps=2)
    check(first.returncode == 0 and full.returncode == 1 and "cannot write" in full.stderr
          and before == {p: p.read_bytes() for p in (b.folder / "full/checkpoint-1").iterdir()}
          and not (b.folder / "full/checkpoint-2").exists(), "a full disk: said, and what was saved stays", full.stderr)


def main():
    with tempfile.TemporaryDirectory() as folder:
        b = Bench(folder)
        same_bits(b, "full", compute="bf16")
        same_bits(b, "lora", lora={"r": 4, "lora_dropout": 0.2}, optim="adamw_8bit", packing=True)
        life(b)
        nan_base(b, "layers.1.mlp.down_proj.weight")
        bad_input(b)
        images.run(b.folder / "images")
        qwen_images.run(b.folder / "qwen")
        image_text.run(b.folder / "image_text")
        presets.run(b.folder / "presets")
    print(f"{len(failures)} failed: {'; '.join(failures)}" if failures else "all passed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
