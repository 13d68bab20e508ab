#!/usr/bin/env python3
"""Writes tests/cases/tokenizers/*.json: small tokenizers, texts, and the ids and texts that Hugging Face `tokenizers` 0.23.3
(or sentencepiece, for .model files) gives. The C++ unit test src/text/tokenizer/cases_test.cc reads them.

    make_cases.py [DIRECTORY]
"""

import base64
import json
import random
import sys
import tempfile
from pathlib import Path

import lines
import oracles
import zoo


def texts_for(case, seed, count):
    spelled = case.spelled[:60] + (zoo.EXTRA_SPELLED if case.small else [])
    rng = random.Random(seed)
    batch = [line for line in lines.lines(9000, seed, spelled) if len(line) < 120]
    head = [line for line in batch[:400] if len(line) < 100]
    return rng.sample(head, min(len(head), count // 3)) + rng.sample(batch[400:], count - count // 3)


def expectations(case, seed, count):
    out = []
    for i, line in enumerate(texts_for(case, seed, count)):
        text = line.decode("utf-8", errors="replace")
        entry = {"text": text} if text.encode() == line else {"base64": base64.b64encode(line).decode()}
        if case.special is None:
            entry["ids"] = case.plain.ids([text])[0]
        else:
            special, around = i % 3 != 0, i % 3 == 2
            (ids,) = oracles.encode(case.special if special else case.plain, [text], around)
            if ids is None:
                continue
            if special:
                entry["parse_special"] = True
            if around:
                entry["add"] = True
            entry["ids"] = ids
            entry["decoded"] = [case.special.decode(ids, skip_special_tokens=skip) for skip in (False, True)]
        out.append(entry)
    return out


def write(directory, name, tokenizer, case, seed, count):
    document = {"tokenizer": tokenizer, "cases": expectations(case, seed, count)}
    path = directory / f"{name}.json"
    path.write_text(json.dumps(document, ensure_ascii=True, separators=(",", ":")).replace('{"text"', '\n{"text"').replace('{"base64"', '\n{"base64"') + "\n")
    print(path, len(document["cases"]), path.stat().st_size)


def main():
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else oracles.REPOSITORY / "tests/cases/tokenizers"
    directory.mkdir(parents=True, exist_ok=True)
    medsiglip = oracles.REPOSITORY / "tests/data/medsiglip"
    write(directory, "medsiglip", {"json_file": "tests/data/medsiglip/tokenizer.json"}, oracles.from_json("medsiglip", medsiglip / "tokenizer.json"), 11, 240)
    write(directory, "medsiglip_spm", {"model_file": "tests/data/medsiglip/spiece.model"},
          oracles.sentencepiece_model("medsiglip", medsiglip / "spiece.model"), 12, 120)
    training = lines.training(1200, 7)
    with tempfile.TemporaryDirectory() as scratch:
        for path in zoo.zoo(scratch, training, size=420):
            write(directory, path.stem.replace("-", "_"), {"json": json.loads(path.read_text())}, oracles.from_json(path.stem, path, True), 13, 48)
        for case in oracles.trained_sentencepiece(scratch, training, vocab_size=520, rules=True):
            write(directory, case.name.replace("-", "_"), {"model": base64.b64encode(case.path.read_bytes()).decode()}, case, 14, 60)


if __name__ == "__main__":
    main()
