#!/usr/bin/env python3
"""Token ids and decoded text of galen against Hugging Face `tokenizers` and sentencepiece.

    run.py [--lines N | --all] [--seed S] [--only NAME] [--driver FILE]

Files: tests/data/medsiglip, small tokenizers trained here, and what tools/fetch_models.py left in $GALEN_MODELS (the two
GGUF files and tokenizers/NAME). Needs tokenizers 0.23.3, sentencepiece, gguf. The driver is tokenizer_driver of the build
in $GALEN_BUILD. Exit code 1 on any difference, of which the first ones are shown; 77 when the driver is not built.
"""

import argparse
import os
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import oracles  # noqa: E402

PARSE_SPECIAL, ADD_BOS, ADD_EOS = 1, 2, 4
SHOWN = 5


def drive(driver, case, requests):
    """The driver's (ids, text, text without special tokens) for each (flags, bytes)."""
    payload = b"".join(struct.pack("<BI", flags, len(line)) + line for flags, line in requests)
    done = subprocess.run([driver, case.kind, str(case.path)], input=payload, capture_output=True)
    if done.returncode != 0:
        raise SystemExit(f"{case.name}: driver failed: {done.stderr.decode(errors='replace')[-1000:]}")
    out, at, replies = done.stdout, 0, []
    while at < len(out):
        (count,) = struct.unpack_from("<I", out, at)
        ids = list(struct.unpack_from(f"<{count}i", out, at + 4))
        at += 4 + 4 * count
        texts = []
        for _ in range(2):
            (size,) = struct.unpack_from("<I", out, at)
            texts.append(out[at + 4:at + 4 + size].decode("utf-8"))
            at += 4 + size
        replies.append((ids, *texts))
    assert len(replies) == len(requests), (len(replies), len(requests))
    return replies


def expected_ids(case, requests):
    texts = [line.decode("utf-8", errors="replace") for _, line in requests]
    if case.special is None:
        return case.plain.ids(texts)
    want = [None] * len(requests)
    for special in (False, True):
        for around in (False, True):
            chosen = [i for i, (flags, _) in enumerate(requests) if bool(flags & PARSE_SPECIAL) == special and bool(flags & ADD_BOS) == around]
            oracle = case.special if special else case.plain
            for i, ids in zip(chosen, oracles.encode(oracle, [texts[i] for i in chosen], around)):
                want[i] = ids
    return want


def compare(driver, case, count, seed):
    import lines
    from zoo import EXTRA_SPELLED
    started = time.time()
    wrong = unknown = 0
    batch = lines.lines(count, seed, case.spelled + (EXTRA_SPELLED if case.small else []))
    for begin in range(0, len(batch), 20000):
        part = batch[begin:begin + 20000]
        # Two thirds with special tokens; a quarter with what the post-processor adds (the plain oracle of a Unigram model has none).
        requests = []
        for i, line in enumerate(part):
            special = case.special is not None and i % 3 != 0
            around = special and i % 4 == 0 and case.kind == "json"
            requests.append((PARSE_SPECIAL * special | (ADD_BOS | ADD_EOS) * around, line))
        replies = drive(driver, case, requests)
        want = expected_ids(case, requests)
        texts = [None, None]
        if case.special is not None:
            texts = [case.special.decode_batch([r[0] for r in replies], skip_special_tokens=skip) for skip in (False, True)]
        for i, ((flags, line), (ids, text, shown)) in enumerate(zip(requests, replies)):
            if want[i] is None:
                unknown += 1
            elif ids != want[i]:
                wrong += 1
                if wrong <= SHOWN:
                    print(f"{case.name}: flags {flags} line {line!r}\n  expected {want[i]}\n  got      {ids}")
            elif texts[0] is not None and (text != texts[0][i] or shown != texts[1][i]):
                wrong += 1
                if wrong <= SHOWN:
                    print(f"{case.name}: ids {ids} of {line!r} decode\n  expected {texts[0][i]!r} / {texts[1][i]!r}\n  got      {text!r} / {shown!r}")
    print(f"{case.name}: {len(batch)} lines, {wrong} differ{f', {unknown} crash the library' if unknown else ''}, {time.time() - started:.0f} s", flush=True)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=20000, help="per tokenizer; small ones get a tenth")
    parser.add_argument("--all", action="store_true", help="100,000 lines per tokenizer")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="tokenizers whose name contains this")
    parser.add_argument("--driver", default=os.path.join(os.environ.get("GALEN_BUILD", ""), "tests/parity/tokenizers/tokenizer_driver"))
    arguments = parser.parse_args()
    if not os.path.exists(arguments.driver):
        print(f"skipped: {arguments.driver} is not built")
        return 77
    if arguments.all:
        arguments.lines = 100_000
    import lines
    models = os.environ.get("GALEN_MODELS")
    if not models:
        print("GALEN_MODELS is not set: only the tokenizers of this repository are compared")
    wrong = compared = 0
    with tempfile.TemporaryDirectory() as directory:
        training = lines.training(3000, 7)
        for name, make in oracles.cases(Path(models) if models else None, directory, training):
            if arguments.only not in name:
                continue
            case = make()
            count = max(2000, arguments.lines // 10) if case.small else arguments.lines
            wrong += compare(arguments.driver, case, count, arguments.seed)
            compared += 1
    print(f"{compared} tokenizers, {wrong} lines differ")
    return 1 if wrong or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
