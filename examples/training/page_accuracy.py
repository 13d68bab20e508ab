#!/usr/bin/env python3
"""How many fields of made-up pages a model reads exactly right: `galen extract` against truth.jsonl of `galen data synth`.

    page_accuracy.py GALEN PAGES --model MODEL [--limit N] [--ocr never|auto] [--json]

A field is a value of the truth that is not null. Entries of lists are matched by their first value (the name of the test), what is left
by how many values are the same. "invented" are values where the truth has none. "confidence" is how well the reader's own doubt finds what it read wrongly or
invented: the area under the ROC curve of 1 - confidence (0.5: not at all). "flagged" is what the checks of galen extract say of it; with
`--ocr auto` they compare it with what Tesseract reads. Standard library only.
"""

import argparse
import json
import math
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def wilson(right, total):
    """The 95 % interval of a share."""
    if total == 0:
        return 0.0, 1.0
    z, p = 1.96, right / total
    middle, half = p + z * z / (2 * total), z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    return (middle - half) / (1 + z * z / total), (middle + half) / (1 + z * z / total)


def paired(truth, read):
    """Entries of two lists beside each other with the place of the second, None where one has no partner."""
    name = lambda entry: next(iter(entry.values()), None) if isinstance(entry, dict) else entry
    left = list(range(len(read)))
    partner = {}
    for i, entry in enumerate(truth):
        for j in left:
            if name(read[j]) == name(entry):
                partner[i] = j
                left.remove(j)
                break
    same = lambda a, b: sum(a.get(k) == v for k, v in b.items() if v is not None) if isinstance(a, dict) and isinstance(b, dict) else a == b
    for i in range(len(truth)):
        if i not in partner and left:
            partner[i] = max(left, key=lambda j: same(truth[i], read[j]))  # the first of equals
            left.remove(partner[i])
    pairs = [(entry, read[partner[i]] if i in partner else None, partner.get(i)) for i, entry in enumerate(truth)]
    return pairs + [(None, read[j], j) for j in left]


def compare(truth, read, path, counts, place, wrong):
    """Adds to counts[path] = [right, true, invented]. wrong[pointer into what was read]: whether the value there is wrong."""
    if isinstance(truth, dict) or isinstance(read, dict):
        truth, read = truth or {}, read if isinstance(read, dict) else {}
        for key in list(truth) + [k for k in read if k not in truth]:
            compare(truth.get(key), read.get(key), f"{path}/{key}", counts, f"{place}/{key}", wrong)
    elif isinstance(truth, list) or isinstance(read, list):
        for a, b, j in paired(truth or [], read if isinstance(read, list) else []):
            compare(a, b, path + "/*", counts, f"{place}/{j}", wrong)
    elif truth is not None or read is not None:
        sums = counts.setdefault(path, [0, 0, 0])
        if truth is None:
            sums[2] += 1
        else:
            sums[0] += truth == read
            sums[1] += 1
        if read is not None:
            wrong[place] = truth != read


def area_under_curve(wrong, right):
    """That a wrong value's doubt is above a right one's; ties are halves."""
    if not wrong or not right:
        return None
    ranks, place = {}, 0
    ordered = sorted(wrong + right)
    while place < len(ordered):
        end = place
        while end < len(ordered) and ordered[end] == ordered[place]:
            end += 1
        ranks[ordered[place]] = (place + 1 + end) / 2
        place = end
    return (sum(ranks[x] for x in wrong) - len(wrong) * (len(wrong) + 1) / 2) / (len(wrong) * len(right))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("galen")
    parser.add_argument("pages", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--ocr", choices=("never", "auto"), default="never")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    truth = [json.loads(line) for line in (args.pages / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
    truth = truth[:args.limit] if args.limit else truth

    def read(entry):
        command = [args.galen, "extract", *(str(args.pages / page["file"]) for page in entry["pages"]), "--model", args.model, "--schema",
                   entry["kind"], "--ocr", args.ocr] + (["--threads", "1"] if args.jobs > 1 else [])
        begin = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True)
        return done, time.monotonic() - begin

    counts, failed, whole, seconds, doubts, flags = {}, 0, 0, [], {True: [], False: []}, {True: [], False: []}
    with ThreadPoolExecutor(args.jobs) as pool:
        for entry, (done, took) in zip(truth, pool.map(read, truth)):
            report = json.loads(done.stdout) if done.returncode == 0 else {"document": {}, "values": []}
            failed += done.returncode != 0
            seconds.append(took)
            page, wrong = {}, {}
            compare(entry["fields"], report["document"], "", page, "", wrong)
            for value in report["values"]:
                if value["path"] not in wrong:
                    continue
                flags[wrong[value["path"]]].append(any(verdict["level"] == "flag" for verdict in value["verdicts"]))
                if "confidence" in value:
                    doubts[wrong[value["path"]]].append(1 - value["confidence"]["lowest"])
            whole += all(right == total and not more for right, total, more in page.values())
            for path, (right, total, more) in page.items():
                sums = counts.setdefault(path, [0, 0, 0])
                counts[path] = [sums[0] + right, sums[1] + total, sums[2] + more]
    right, total, invented = (sum(c[i] for c in counts.values()) for i in range(3))
    low, high = wilson(right, total)
    result = {"documents": len(truth), "failed": failed, "whole": whole, "fields": total, "right": right, "share": right / max(total, 1),
              "interval": [low, high], "invented": invented, "confidence": area_under_curve(doubts[True], doubts[False]),
              "flagged": {name: {"flagged": sum(flags[which]), "values": len(flags[which])} for name, which in (("wrong", True), ("right", False))},
              "median_s": sorted(seconds)[len(seconds) // 2] if seconds else None,
              "by_field": {path: {"right": c[0], "total": c[1], "invented": c[2]} for path, c in sorted(counts.items())}}
    if args.json:
        print(json.dumps(result, indent=1))
        return
    print(f"{len(truth)} documents, {failed} without an answer, {whole} without a fault; median {result['median_s']:.2f} s")
    print(f"fields right: {right} of {total}, {100 * right / max(total, 1):.1f} % [{100 * low:.1f}, {100 * high:.1f}]; invented: {invented}")
    passed = [len(flags[which]) - sum(flags[which]) for which in (True, False)]
    print(f"flagged: {sum(flags[True])} of {len(flags[True])} values that are wrong or invented, {sum(flags[False])} of {len(flags[False])} right ones; "
          f"of those without a flag {100 * passed[1] / max(sum(passed), 1):.2f} % are right")
    if result["confidence"] is not None:  # both lists hold something
        for bound in (0.7, 0.9, 0.98):
            doubted = [sum(x > 1 - bound for x in doubts[wrong]) / len(doubts[wrong]) for wrong in (True, False)]
            print(f"confidence below {bound}: {100 * doubted[0]:.1f} % of the wrong, {100 * doubted[1]:.1f} % of the right")
        print(f"confidence: area under the curve {result['confidence']:.3f} ({len(doubts[True])} wrong, {len(doubts[False])} right values)")
    for path, (a, b, more) in sorted(counts.items()):
        print(f"  {path:28} {a:6} of {b:6}  {100 * a / max(b, 1):5.1f} %  invented {more}")


if __name__ == "__main__":
    sys.exit(main())
