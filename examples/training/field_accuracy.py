#!/usr/bin/env python3
"""How many fields of the held-out notes a model reads exactly right. Standard library only.

    field_accuracy.py MODEL eval.jsonl [--adapter DIR] [--count 100] [--galen build/release/galen]

Asks `galen run` greedily, one note at a time. A field counts where the answer is JSON and the value equals the truth (numbers as
numbers); an answer without JSON has no field right. Prints one JSON object.
"""

import argparse
import json
import re
import shutil
import subprocess


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("eval")
    parser.add_argument("--adapter")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--galen", default=shutil.which("galen") or "build/release/galen")
    args = parser.parse_args()
    right = fields = whole = no_json = n = 0
    for line in list(open(args.eval))[:args.count]:
        example = json.loads(line)
        truth = json.loads(example["answer"])
        command = [args.galen, "run", args.model, example["question"], "--json", "--max-tokens", "200", "--temperature", "0"]
        if args.adapter:
            command += ["--adapter", args.adapter]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            raise SystemExit(result.stderr)
        text = json.loads(result.stdout)["text"]
        match = re.search(r"\{.*\}", text, re.S)
        try:
            got = json.loads(match[0]) if match else None
        except json.JSONDecodeError:
            got = None
        if not isinstance(got, dict):
            no_json += 1
            got = {}
        good = sum(key in got and type(got[key]) is not bool and got[key] == value for key, value in truth.items())
        right += good
        whole += good == len(truth)
        fields += len(truth)
        n += 1
    print(json.dumps({"notes": n, "fields_right": right / fields, "notes_all_right": whole / n, "without_json": no_json / n}))


if __name__ == "__main__":
    main()
