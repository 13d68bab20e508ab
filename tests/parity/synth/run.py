#!/usr/bin/env python3
"""The truth of `galen data synth` against other programs.

    run.py [--all]

1. Fields of every kind, language and unit system satisfy configs/schemas/KIND.json: jsonschema, with formats.
2. PDF pages: the words that pdftotext finds inside of a value's box say the value.
3. Pictures: Pillow opens each with the size that the truth tells; grey ones are grey.
4. The schemas themselves are valid draft 2020-12, and strips satisfy the schema of their rows.

--all: more documents. Needs jsonschema, Pillow and poppler-utils. GALEN_BIN names the program.
"""

import argparse
import html
import json
import os
import re
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

import jsonschema
from PIL import Image

ROOT = Path(__file__).resolve().parents[3]
GALEN = os.environ.get("GALEN_BIN", "galen")
MARKS = {"L": {"L", "↓", "-"}, "H": {"H", "↑", "+"}, "LL": {"C", "LL", "↓↓", "--"}, "HH": {"C", "HH", "↑↑", "++"}, "A": {"A", "!", "*"}}
MONTHS = {name: 1 + i % 12 for i, name in enumerate(
    "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec janvier février mars avril mai juin juillet août septembre octobre novembre "
    "décembre Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split())}
failures = []


def check(condition, name, detail=""):
    if not condition:
        failures.append(name)
        if len(failures) < 20:
            print(f"FAILED {name}: {detail}")


def synth(folder, *args):
    subprocess.run([GALEN, "data", "synth", "--out", str(folder), *map(str, args)], check=True, capture_output=True)
    return [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines()]


def schema(kind):
    return json.loads((ROOT / f"configs/schemas/{kind}.json").read_text())


def validate(lines):
    for line in lines:
        validator = jsonschema.Draft202012Validator(schema(line["kind"]), format_checker=jsonschema.FormatChecker())
        for error in validator.iter_errors(line["fields"]):
            check(False, f"schema {line['file']}", f"{error.json_path}: {error.message}")


def at(fields, pointer):
    for part in pointer.split("/")[1:]:
        fields = fields[int(part)] if isinstance(fields, list) else fields[part]
    return fields


def words_of(pdf):
    """[(page from 1, x0, y0, x1, y1, word)]"""
    text = subprocess.run(["pdftotext", "-bbox", str(pdf), "-"], check=True, capture_output=True, text=True).stdout
    words, page = [], 0
    for tag in re.finditer(r'<page |<word xMin="([\d.-]+)" yMin="([\d.-]+)" xMax="([\d.-]+)" yMax="([\d.-]+)">(.*?)</word>', text):
        if tag.group(1) is None:
            page += 1
        else:
            words.append((page, *map(float, tag.groups()[:4]), html.unescape(tag.group(5))))
    return words


def dates(text):
    """What a printed date may mean; words beside it do not matter."""
    found = set(re.findall(r"\d{4}-\d\d-\d\d", text))
    found |= {f"{y}-{MONTHS[m]:02}-{int(d):02}" for d, m, y in re.findall(r"(\d+)\.? (\w+) (\d{4})", text) if m in MONTHS}
    for a, b, year in re.findall(r"(\d\d)[./](\d\d)[./](\d{4})", text):
        found |= {f"{year}-{b}-{a}", f"{year}-{a}-{b}"}
    return found


def plain(text):
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


def says(text, pointer, value, line):
    """Whether the text inside of a box prints the value. Neighbours without a space between may hang on."""
    if pointer.endswith("/flag"):
        return plain(text) in MARKS[value]
    if pointer.endswith(("/action", "/status", "/sex")):  # words of the language for a code
        return bool(text.strip())
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return value in dates(" ".join(text.split()))
    if isinstance(value, str):
        return plain(value) in plain(text)
    numbers = [float(n.replace(",", ".")) for n in re.findall(r"\d+(?:[.,]\d+)?", text)]
    return float(value) in numbers


def text_layer(folder, lines):
    values = 0
    for line in lines:
        words = words_of(folder / line["file"])
        for pointer, (x0, y0, x1, y1, page) in line["boxes"].items():
            value = at(line["fields"], pointer)
            inside = [w for w in words if w[0] == page and w[1] < x1 - 0.3 and w[3] > x0 + 0.3 and
                      w[2] < y1 and w[4] > y0 and min(w[4], y1) - max(w[2], y0) > 0.3 * (y1 - y0 if y1 - y0 < 18 else 18)]
            text = " ".join(w[5] for w in inside)
            values += 1
            check(says(text, pointer, value, line), f"text {line['file']} {pointer}", f"{value!r} printed as {text!r}")
    return values


def pictures(folder, lines, mode):
    for line in lines:
        for page in line["pages"]:
            with Image.open(folder / page["file"]) as image:
                check(image.size == (page["width"], page["height"]) and image.mode == mode, f"picture {page['file']}", image)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    count = 900 if parser.parse_args().all else 108
    for path in sorted((ROOT / "configs/schemas").glob("*.json")):
        jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = synth(folder / "pdf", "--kind", "all", "--count", count, "--seed", 11, "--format", "pdf", "--layouts", "all")
        validate(lines)
        values = text_layer(folder / "pdf", lines)
        for level in ("scan", "fax", "photo"):
            jpegs = synth(folder / level, "--kind", "all", "--count", 9, "--format", "jpeg", "--level", level, "--gray", "--long-side", 600)
            validate(jpegs)
            pictures(folder / level, jpegs, "L")
        scans = synth(folder / "scans", "--kind", "lab_report", "--count", 2, "--format", "pdf", "--level", "scan")
        check(not any(words_of(folder / "scans" / line["file"]) for line in scans), "scanned PDFs have no text")
        strips = synth(folder / "strips", "--kind", "lab_report", "--strip", "--rows", "1-3", "--count", 30, "--size", "384x48", "--seed", 3)
        rows = jsonschema.Draft202012Validator(schema("lab_report")["properties"]["results"])
        check(all(rows.is_valid(line["fields"]["results"]) for line in strips), "strips")
        pictures(folder / "strips", strips, "RGB")
    print(f"{len(lines)} PDF documents, {values} values found in the text layer" if not failures else f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
