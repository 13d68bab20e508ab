#!/usr/bin/env python3
"""Schema decoding against JSON-Schema-Test-Suite and Python's jsonschema.

    run.py [--all] [--walks N] [--verbose] [--driver FILE]

1. Each case of JSON-Schema-Test-Suite (draft 2020-12, with the optional ones about formats and regular expressions):
   the masks accept exactly the valid documents, or the schema is refused by name. A document is accepted if one of its
   texts is, whatever the order of its properties; all texts of invalid documents must be refused. What differs must be
   listed below, with its reason.
2. Random walks through the masks with real tokenizers over schemas.jsonl: each document must be valid for jsonschema.
3. Greedy answers of real models: where the free answer satisfies the schema, the answer under the schema is the same.

Needs jsonschema and what `tools/fetch_models.py schemas tokenizers` leaves in $GALEN_MODELS; the driver is
grammar_driver of the build in $GALEN_BUILD. Exit code 1 on a difference, 77 where something is missing.
"""

import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import canonical  # noqa: E402

# File of the suite -> reason for which valid documents of it are refused (a subset is generated, nothing invalid), or
# for which the file says something else than galen's documentation does.
SUBSET = {
    "optional/format/time": "leap seconds only where UTC shows them",
    "optional/format/date-time": "leap seconds only where UTC shows them",
    "optional/format/hostname": "no labels with -- as third and fourth character",
    "optional/format/email": "no comments or folded white space",
}
SKIPPED = {
    "format": "says that formats are annotations; galen enforces them as the optional tests say",
    "optional/format-assertion": "about a vocabulary that metaschemas switch on",
    "optional/cross-draft": "about other drafts",
    "optional/format/unknown": "says that unknown formats are ignored; galen refuses them",
    "optional/float-overflow": "about numbers that are no finite double",
    "optional/bignum": "schemas are read with doubles",
}


def missing(text):
    print(f"skipped: {text}")
    sys.exit(77)


def drive(driver, vocabulary, requests):
    payload = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run([driver, vocabulary], input=payload.encode(), capture_output=True)
    if done.returncode != 0:
        raise SystemExit(f"driver failed ({done.returncode}): {done.stderr.decode(errors='replace')[-1000:]}")
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def suite_files(root):
    base = root / "schemas" / "tests" / "draft2020-12"
    if not base.is_dir():
        missing(f"no {base}; run tools/fetch_models.py schemas")
    for path in sorted(base.rglob("*.json")):
        yield str(path.relative_to(base).with_suffix("")), json.loads(path.read_text())


def check_suite(driver, root, verbose):
    requests, cases = [], []
    for name, groups in suite_files(root):
        if name in SKIPPED:
            continue
        for group in groups:
            candidates = [canonical.texts(test["data"]) for test in group["tests"]]
            requests.append({"schema": json.dumps(group["schema"]), "documents": sum(candidates, [])})
            cases.append((name, group, candidates))
    answers = drive(driver, "bytes", requests)
    faults, refused, files = [], collections.Counter(), collections.Counter()
    accepted = rejected = subset = 0
    for (name, group, candidates), answer in zip(cases, answers, strict=True):
        files[name] += 1
        if "error" in answer:
            contradiction = answer["code"] == "invalid argument" and "contradicts itself" in answer["error"]
            if contradiction and not any(test["valid"] for test in group["tests"]):
                rejected += len(group["tests"])
                continue
            if not contradiction and answer["code"] in ("unsupported", "resource exhausted"):
                refused[name] += 1
                if verbose:
                    print(f"refused: {name}: {group['description']}: {answer['error']}")
                continue
            faults.append(f"{name}: {group['description']}: {answer['error']}")
            continue
        at = 0
        for test, texts in zip(group["tests"], candidates):
            valid = any(answer["valid"][at:at + len(texts)])
            at += len(texts)
            if valid == test["valid"]:
                accepted, rejected = accepted + valid, rejected + (not valid)
            elif test["valid"] and name in SUBSET:
                subset += 1
            else:
                faults.append(f"{name}: {group['description']}: {test['description']}: "
                              f"{json.dumps(test['data'])[:100]} is {'valid' if test['valid'] else 'invalid'}")
    print(f"suite: {len(cases)} schemas, {sum(refused.values())} refused by name; {accepted} valid documents accepted, "
          f"{rejected} invalid ones rejected, {subset} valid ones outside a declared subset; {len(faults)} faults")
    print("refused: " + ", ".join(f"{name} {n} of {files[name]}" for name, n in sorted(refused.items())))
    for fault in faults:
        print("FAULT " + fault)
    return not faults


def validator(schema):
    import jsonschema
    loaded = json.loads(schema, parse_float=Decimal)
    return jsonschema.Draft202012Validator(loaded, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def check_walks(driver, root, walks):
    lines = [json.loads(line) for line in (HERE / "schemas.jsonl").read_text().splitlines() if line]
    schemas = [json.dumps(line["schema"]) for line in lines]
    ok, total = True, 0
    for name in ("gemma3", "qwen3"):
        path = root / "tokenizers" / name / "tokenizer.json"
        if not path.is_file():
            missing(f"no {path}; run tools/fetch_models.py tokenizers")
        each = max(1, walks // (2 * len(schemas)))
        requests = [{"schema": s, "walk": each, "seed": 7 + i} for i, s in enumerate(schemas)]
        for schema, answer in zip(schemas, drive(driver, str(path), requests), strict=True):
            if "error" in answer:
                print(f"FAULT {schema[:200]}: {answer['error']}")
                ok = False
                continue
            check = validator(schema)
            for text in answer["walks"]:
                total += 1
                try:
                    document = json.loads(text, parse_float=Decimal)
                    error = next(check.iter_errors(document), None)
                except ValueError as unreadable:
                    error = unreadable
                if error is not None:
                    ok = False
                    print(f"FAULT {name}: {schema[:200]}: {text[:200]!r}: {str(error)[:200]}")
    print(f"walks: {total} documents over {len(schemas)} schemas and 2 tokenizers")
    return ok


PEOPLE = [("Carla", 28), ("Dmitri", 63), ("Eve", 7), ("Farid", 51), ("Grete", 90)]
PERSON = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 40}, "age": {"type": "integer", "minimum": 0}},
          "required": ["name", "age"], "additionalProperties": False}


def answer(binary, model, prompt, *options):
    done = subprocess.run([binary, "run", str(model), prompt, "--raw", "--max-tokens", "48", "--json", *options],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"galen failed: {done.stderr[-500:]}")
    return json.loads(done.stdout)


def check_greedy(binary, root, names):
    check, same, satisfied, ok = validator(json.dumps(PERSON)), 0, 0, True
    with tempfile.TemporaryDirectory() as folder:
        schema = Path(folder) / "person.json"
        schema.write_text(json.dumps(PERSON))
        for name in names:
            if not (root / name).is_file():
                missing(f"no {root / name}; run tools/fetch_models.py models")
            for person, age in PEOPLE:
                prompt = ("Ann is 31.\n{\"name\": \"Ann\", \"age\": 31}\n\nBob is 45.\n{\"name\": \"Bob\", \"age\": 45}\n\n"
                          f"{person} is {age}.\n")
                free = answer(binary, root / name, prompt, "--stop", "\n")
                bound = answer(binary, root / name, prompt, "--schema", str(schema))
                if not bound["constraint"]["complete"] or not check.is_valid(json.loads(bound["text"])):
                    print(f"FAULT {name}: {bound['text']!r} does not satisfy the schema")
                    ok = False
                try:
                    if not check.is_valid(json.loads(free["text"])):
                        continue
                except ValueError:
                    continue
                satisfied += 1
                same += free["text"] == bound["text"]
                if free["text"] != bound["text"]:
                    print(f"FAULT {name}: free {free['text']!r}, under the schema {bound['text']!r}")
                    ok = False
    print(f"greedy: {same} of {satisfied} free answers that satisfy the schema are unchanged under it")
    if satisfied < len(names):
        print("FAULT too few free answers satisfy the schema to show anything")
    return ok and satisfied >= len(names)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--walks", type=int, default=400)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--driver")
    args = parser.parse_args()
    build = os.environ.get("GALEN_BUILD", str(HERE.parents[2] / "build" / "release"))
    driver = args.driver or f"{build}/tests/parity/grammar/grammar_driver"
    if not os.path.exists(driver):
        missing(f"no {driver}")
    cache = os.environ.get("GALEN_CACHE") or os.path.expanduser("~/.cache/galen")
    root = Path(os.environ.get("GALEN_MODELS") or os.path.join(cache, "models"))
    ok = check_suite(driver, root, args.verbose)
    ok &= check_walks(driver, root, 10400 if args.all else args.walks)
    models = ["SmolLM2-135M-Instruct.Q4_1.gguf"] + (["gemma-3-270m-q4_k_m.gguf"] if args.all else [])
    ok &= check_greedy(os.environ.get("GALEN_BIN", f"{build}/galen"), root, models)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
