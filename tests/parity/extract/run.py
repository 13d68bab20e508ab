#!/usr/bin/env python3
"""The checks and the FHIR and DICOM SR writers of `galen extract` over made-up documents with text layers.

    run.py [--all] [--count N] [--language en|fr|de] [--verbose]
    run.py --ocr [--levels clean,scan,fax,photo] [--languages en,fr,de] [--count N] [--long-side PX] [--verbose]

`galen data synth` makes PDF files of the nine kinds, with their truth. The truth, given as a model's answer, must pass the checks:
values flagged are false alarms (at most 5 % of clean pages have one). Then one fault is planted into each answer (altered
digit, swapped unit, wrong flag, impossible date, value from another page or row, invented row); at least 95 % must be flagged at
the very value. The kind must be recognised from the words (at least 98 %). Each FHIR bundle must satisfy FHIR.js 4.12.0
(R4 4.0.1, independent of galen), which `tools/fetch_models.py fhir` fetches. Each structured report must be read by dsrdump
without a complaint and by highdicom, and have the numbers of the bundle.

Then the same with pictures that Tesseract reads (skipped loudly where it is missing): a page's answer that is right must be found, at the
place where the document has it, and faults must be flagged. `--ocr` measures only this, on levels and languages of one's choice
(docs/EXTRACTION.md has the table): share of printed words read, of true values found, boxes, faults flagged, seconds a page.

$GALEN_BIN names the program, $GALEN_BUILD the build with extract_driver. Exit code 1 on a failure, 77 where something is missing.
"""

import argparse
import base64
import collections
import copy
import importlib.util
import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
KINDS = ["lab_report", "prescription", "medication_reconciliation", "discharge_summary", "radiology_report",
         "cardiology_consult", "operative_note", "diagnosis", "vitals_flowsheet"]
UNITS = {"results": ["mg/dL", "mmol/L", "g/L", "µmol/L", "U/L", "%", "ng/mL"], "medications": ["mg", "g", "µg", "mL", "IU"]}
LISTS = {"lab_report": "results", "prescription": "medications", "medication_reconciliation": "medications",
         "discharge_summary": "medications", "vitals_flowsheet": "readings", "diagnosis": "diagnoses"}


def missing(text):
    print(f"skipped: {text}")
    sys.exit(77)


def wilson(hits, total):
    """95 % interval of a share."""
    if total == 0:
        return (0.0, 1.0)
    z, p = 1.96, hits / total
    middle = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return (max(0.0, middle - half), min(1.0, middle + half))


def leaves(value, path=""):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}/{key}")
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from leaves(item, f"{path}/{i}")
    else:
        yield path, value


def put(document, path, value):
    parts = path.split("/")[1:]
    for part in parts[:-1]:
        document = document[int(part)] if isinstance(document, list) else document[part]
    if isinstance(document, list):
        document[int(parts[-1])] = value
    else:
        document[parts[-1]] = value


def alter_digit(rng, value):
    text = list(f"{value}")
    places = [i for i, c in enumerate(text) if c.isdigit()]
    i = rng.choice(places)
    text[i] = rng.choice([c for c in "123456789" if c != text[i]])
    return json.loads("".join(text))


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def plant(rng, kind, document, others):
    """(name, answer, paths of which one must be flagged) for each fault that fits the document."""
    found = []

    def fault(name, paths, *changes):
        answer = copy.deepcopy(document)
        for path, value in changes:
            put(answer, path, value)
        found.append((name, answer, paths))

    flat = list(leaves(document))
    rows = LISTS.get(kind)
    numbers = [(p, v) for p, v in flat if is_number(v) and v != 0 and "reference" not in p and "refills" not in p]
    if numbers:
        path, value = rng.choice(numbers)
        fault("altered digit", [path], (path, alter_digit(rng, value)))
    units = [(p, v) for p, v in flat if p.endswith("unit") and v and rows in UNITS and "temperature" not in p]
    if units:
        path, value = rng.choice(units)
        same = {"mg": ("mg",), "g": ("g",), "µg": ("µg", "mcg", "ug"), "IU": ("IU", "units", "UI", "IE"), "mL": ("mL", "ml")}
        choices = [u for u in UNITS[rows] if u.lower() != value.lower() and value not in same.get(u, ())]
        fault("swapped unit", [path], (path, rng.choice(choices)))
    flags = [(p, v) for p, v in flat if p.endswith("/flag")]
    if flags:
        path, value = rng.choice(flags)
        fault("wrong flag", [path], (path, rng.choice([f for f in ("N", "L", "H") if f != value and value[0] != f])))
    dates = [(p, v) for p, v in flat if "date" in p and isinstance(v, str)]
    if dates:
        path, value = rng.choice(dates)
        fault("impossible date", [path], (path, rng.choice([value[:5] + "02-30", "2089" + value[4:], value[:5] + "13-01"])))
    if rows and len(document[rows]) > 1:
        fields = [f for f in ("value", "dose", "heart_rate", "systolic", "icd10") if f in document[rows][0]]
        if fields:
            field = fields[0]
            values = [(i, row[field]) for i, row in enumerate(document[rows]) if row[field] is not None]
            pairs = [(i, w) for i, v in values for j, w in values if i != j and v != w]
            if pairs:
                # The farthest row is the likeliest on another page.
                i, value = pairs[-1] if rng.random() < 0.5 else rng.choice(pairs)
                fault("value from elsewhere", [f"/{rows}/{i}/{field}"], (f"/{rows}/{i}/{field}", value))
    if rows and kind != "vitals_flowsheet":
        name = "test" if rows == "results" else "name"
        known = json.dumps(document, ensure_ascii=False).lower()
        strange = [row for other in others for row in other[rows] if row[name].lower() not in known]
        if strange:
            answer = copy.deepcopy(document)
            answer[rows].append(copy.deepcopy(rng.choice(strange)))
            found.append(("invented row", answer, [f"/{rows}/{len(document[rows])}/{name}"]))
    return found


def synth(galen, folder, count, language, form="pdf", level="clean", side=1024):
    command = [galen, "data", "synth", "--kind", "all", "--count", str(count), "--out", str(folder), "--format", form, "--level", level,
               "--language", language, "--seed", "7", "--layouts", "all", "--long-side", str(side)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 2:
        missing("this galen has no `data synth`")
    if done.returncode != 0:
        raise SystemExit(done.stderr[-1000:])
    return [json.loads(line) for line in (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines()]


def drive(requests):
    driver = Path(os.environ.get("GALEN_BUILD", "build/release")) / "tests/parity/extract/extract_driver"
    if not driver.exists():
        missing(f"no {driver}")
    payload = "".join(json.dumps(request, ensure_ascii=False) + "\n" for request in requests)
    done = subprocess.run([str(driver)], input=payload.encode(), capture_output=True)
    if done.returncode != 0:
        raise SystemExit(f"driver failed ({done.returncode}): {done.stderr.decode(errors='replace')[-1000:]}")
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def questions(folder, truths, rng, **options):
    """For each document what is asked of the driver, the truth first, and the faults planted into the others: (requests, faults)."""
    by_kind = collections.defaultdict(list)
    for truth in truths:
        by_kind[truth["kind"]].append(truth["fields"])
    requests, planted = [], []
    for truth in truths:
        files = list(dict.fromkeys(str(folder / page["file"]) for page in truth["pages"]))
        others = [fields for fields in by_kind[truth["kind"]] if fields is not truth["fields"]]
        faults = plant(rng, truth["kind"], truth["fields"], others)
        planted.append(faults)
        answers = [json.dumps(document, ensure_ascii=False) for document in [truth["fields"]] + [f[1] for f in faults]]
        requests.append({"files": files, "kind": truth["kind"], "answers": answers, **options})
    return requests, planted


def printed_words(pdf):
    done = subprocess.run(["pdftotext", "-layout", str(pdf), "-"], capture_output=True, text=True, check=True)
    return done.stdout.split()


def bare(words):
    """Words without what readers do to them at their edges; "10 - 40" and "10-40" are the same."""
    parts = (part for word in words for part in re.split("[-–—−]+", word.replace("μ", "µ").replace("’", "'")))
    return collections.Counter(filter(None, (part.strip(".,;:()[]|*'\"").lower() for part in parts)))


def same_place(found, true):
    """The middle of either box lies in the other, of the same page, with two pixels to spare."""
    def holds(box, other):
        x, y = (other[0] + other[2]) / 2, (other[1] + other[3]) / 2
        return box[0] - 2 <= x <= box[2] + 2 and box[1] - 2 <= y <= box[3] + 2
    return found[4] == true[4] and (holds(found, true) or holds(true, found))


def read_pictures(scratch, levels, languages, count, side, verbose):
    """{(language, level): measurements as (hits, total)} with Tesseract; "seconds" is (seconds, pages)."""
    galen = os.environ.get("GALEN_BIN", "build/release/galen")
    table = {}
    for language in languages:
        printed = Path(scratch) / f"{language}-printed"
        synth(galen, printed, count, language)
        for level in levels:
            folder = Path(scratch) / f"{language}-{level}"
            truths = synth(galen, folder, count, language, "png", level, side)
            requests, planted = questions(folder, truths, random.Random(11), ocr=True, written=False)
            row = collections.defaultdict(lambda: [0, 0])

            def add(what, hits, total, row=row):
                row[what][0] += hits
                row[what][1] += total

            for truth, found, answered in zip(truths, planted, drive(requests)):
                clean = answered["results"][0]
                add("seconds", answered["seconds"], len(truth["pages"]))
                want, have = bare(printed_words(printed / (Path(truth["file"]).stem + ".pdf"))), bare(answered["words"])
                add("words", sum((want & have).values()), sum(want.values()))
                if "error" in clean:
                    print(f"  {language} {level}: {truth['file']}: {clean['error']}")
                    add("read", 0, 1)
                    continue
                add("read", 1, 1)
                flat = dict(leaves(truth["fields"]))
                for path, value in flat.items():
                    true = truth["boxes"].get(path)
                    if value is None or true is None:
                        continue
                    lost = {"source.not_found", "source.elsewhere", "source.differs"} & set(clean["flags"].get(path, []))
                    add("found", not lost, 1)
                    if not lost and path in clean["boxes"]:
                        right = same_place(clean["boxes"][path], true)
                        add("place", right, 1)
                        if verbose and not right:
                            print(f"  place: {truth['file']} {path} = {value!r}: {clean['boxes'][path]} is {true}")
                add("unflagged", clean["values"] - len(clean["flags"]), clean["values"])
                if verbose:
                    for path, ids in clean["flags"].items():
                        print(f"  false alarm: {truth['file']} {path} = {flat.get(path)!r}: {' '.join(ids)}")
                for (name, answer, paths), result in zip(found, answered["results"][1:]):
                    # What is flagged anyway, because it was not read, is no merit.
                    if any(path in clean["flags"] for path in paths):
                        add("faults at unread values", 1, 1)
                        continue
                    hit = any(path in result.get("flags", {}) for path in paths)
                    add(name, hit, 1)
                    add("faults", hit, 1)
                    if verbose and not hit:
                        print(f"  missed: {name}: {truth['file']} {paths[0]} {flat.get(paths[0])!r} -> "
                              f"{dict(leaves(answer)).get(paths[0])!r}")
            table[language, level] = row
    return table


def tesseract_missing():
    """Why pictures cannot be read here, or nothing."""
    if shutil.which("tesseract") is None:
        return "Tesseract is not installed (tools/install_deps.sh test)"
    has = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True).stdout.split()
    lacks = [language for language in ("eng", "fra", "deu") if language not in has]
    return f"Tesseract has no data for {' '.join(lacks)} (tools/install_deps.sh test)" if lacks else ""


def show_pictures(table):
    """One line of Markdown for each level and language, and one for each sort of fault over all."""
    share = lambda pair: f"{100 * pair[0] / pair[1]:.1f}" if pair[1] else "-"
    print("| language | level | pages | words read | values found | at the right place | values not flagged | faults flagged | s a page |")
    print("|---|---|---|---|---|---|---|---|---|")
    for (language, level), row in table.items():
        print(f"| {language} | {level} | {row['seconds'][1]} | {share(row['words'])} | {share(row['found'])} of {row['found'][1]} | "
              f"{share(row['place'])} | {share(row['unflagged'])} | {row['faults'][0]} of {row['faults'][1]} | "
              f"{row['seconds'][0] / max(row['seconds'][1], 1):.1f} |")
    names = sorted({name for row in table.values() for name in row} - {"seconds", "words", "read", "found", "place", "unflagged"})
    for name in names:
        hits, total = (sum(row[name][i] for row in table.values() if name in row) for i in (0, 1))
        print(f"{name}: {hits} of {total}")


def validate(bundles):
    """Messages of FHIR.js for each bundle."""
    models = Path(os.environ.get("GALEN_MODELS") or Path(os.environ.get("GALEN_CACHE", Path.home() / ".cache/galen")) / "models")
    if shutil.which("node") is None or not (models / "fhir/package").is_dir():
        print("FHIR.js: not there (node, tools/fetch_models.py fhir): bundles are not validated")
        return None
    done = subprocess.run(["node", str(HERE / "validate.js"), str(models / "fhir/package")], input="".join(bundles).encode(),
                          capture_output=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr.decode(errors="replace")[-2000:])
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def shipped_bundles():
    """Of the documents that the repository ships, read by the model inside the program."""
    documents = HERE.parents[2] / "examples/documents"
    bundles = []
    for path in sorted(p for p in documents.iterdir() if p.suffix in (".pdf", ".png", ".tiff", ".jpg")):
        done = subprocess.run([os.environ.get("GALEN_BIN", "build/release/galen"), "extract", path, "--model", "galen-mini", "--schema",
                               "lab_report", "--format", "fhir"], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{path.name}: {done.stderr[-500:]}")
        bundles.append(json.dumps(json.loads(done.stdout)) + "\n")
    return bundles


def bundle_numbers(bundle):
    """(value, UCUM code) of each observation, with the digits as written."""
    numbers = []
    for entry in json.loads(bundle, parse_float=str, parse_int=str)["entry"]:
        quantity = entry["resource"].get("valueQuantity") if entry["resource"]["resourceType"] == "Observation" else None
        if quantity is not None:
            numbers.append((quantity["value"], quantity.get("code")))
    return sorted(numbers, key=repr)


def read_report(path):
    """(value, UCUM code) of each measurement, by highdicom. Raises where the report is none of TID 1500."""
    import highdicom
    report = highdicom.sr.srread(path)
    assert report.CompletionFlag == "PARTIAL" and report.VerificationFlag == "UNVERIFIED" and report.PreliminaryFlag == "PRELIMINARY"
    content = report.content
    assert isinstance(content, highdicom.sr.MeasurementReport), type(content)
    observers = content.get_observer_contexts()
    names = [str(observer.observer_identifying_attributes.name) for observer in observers]
    assert names[0] == "galen" and len(names) == 2, names
    numbers = []
    for group in content.get_image_measurement_groups():
        assert group.tracking_identifier and group.tracking_uid
        for measurement in group.get_measurements():
            unit = measurement.unit
            numbers.append((float(measurement.value), unit.value if unit.scheme_designator == "UCUM" else None))
    return sorted(numbers, key=repr)


def report_digits(path):
    """The same by pydicom, with the digits as written."""
    import pydicom
    numbers = []

    def walk(item):
        if item.ValueType == "NUM" and item.RelationshipType == "CONTAINS":
            value = item.MeasuredValueSequence[0]
            unit = value.MeasurementUnitsCodeSequence[0]
            numbers.append((value.NumericValue.original_string, unit.CodeValue if unit.CodingSchemeDesignator == "UCUM" else None))
        for child in item.get("ContentSequence", []):
            walk(child)

    for item in pydicom.dcmread(path).ContentSequence:
        walk(item)
    return sorted(numbers, key=repr)


def validate_reports(reports):
    """Faults of each (structured report, bundle)."""
    highdicom = importlib.util.find_spec("highdicom") is not None
    if not highdicom:
        print("highdicom: not there (tools/make_oracle.sh)")
    faults = []
    dump = shutil.which("dsrdump")
    if dump is None:
        print("dsrdump: not there (Debian: apt-get install dcmtk)")
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "report.dcm"
        for report, bundle in reports:
            path.write_bytes(base64.b64decode(report))
            found = []
            if dump is not None:
                done = subprocess.run([dump, str(path)], capture_output=True, text=True, errors="replace")
                # DCMTK 3.6.7 checks values of few character sets only, and says so.
                said = [line for line in done.stderr.splitlines() if "VR checker does not support this Specific Character Set" not in line]
                if done.returncode != 0 or said or "Comprehensive SR Document" not in done.stdout:
                    found.append(f"dsrdump ({done.returncode}): {done.stderr.strip()[:300]}")
            try:
                wanted = bundle_numbers(bundle)
                digits = report_digits(path) if highdicom else wanted
                if digits != wanted:
                    found.append(f"digits differ from the bundle's: {digits[:4]} {wanted[:4]}")
                if highdicom and read_report(path) != sorted(((float(value), unit) for value, unit in wanted), key=repr):
                    found.append("highdicom has other numbers than the bundle")
            except Exception as error:  # whatever highdicom raises is a fault of the report
                found.append(f"highdicom: {type(error).__name__}: {error}")
            faults.append(found)
    return faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--count", type=int)
    parser.add_argument("--language", default="en")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--ocr", action="store_true")
    parser.add_argument("--levels", default="clean,scan,fax,photo")
    parser.add_argument("--languages", default="en,fr,de")
    parser.add_argument("--long-side", type=int, default=2200, help="pixels of the pictures' longer side; 2200: 200 dpi")
    args = parser.parse_args()
    if args.ocr:
        if tesseract_missing():
            missing(tesseract_missing())
        with tempfile.TemporaryDirectory() as scratch:
            show_pictures(read_pictures(scratch, args.levels.split(","), args.languages.split(","), args.count or 9, args.long_side,
                                        args.verbose))
        return
    count = args.count or (450 if args.all else 45)
    rng = random.Random(11)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "documents"
        truths = synth(os.environ.get("GALEN_BIN", "build/release/galen"), folder, count, args.language)
        asked, planted = questions(folder, truths, rng)
        requests = []
        for request in asked:
            requests += [request, {**request, "kind": "auto", "answers": request["answers"][:1]}]
        results = [answered["results"] for answered in drive(requests)]

    failed = False
    alarms, pages, values, flagged_values = 0, 0, 0, 0
    per_kind = collections.defaultdict(lambda: [0, 0])
    faults = collections.defaultdict(lambda: [0, 0])
    kinds, bundles, reports = 0, [], []
    for truth, found, checked, auto in zip(truths, planted, results[0::2], results[1::2]):
        clean = checked[0]
        if "error" in clean:
            print(f"{truth['kind']}: {clean['error']}")
            failed = True
            continue
        bundles.append(clean["fhir"])
        reports.append((clean["sr"], clean["fhir"]))
        pages += 1
        alarms += bool(clean["flags"])
        values += clean["values"]
        flagged_values += len(clean["flags"])
        per_kind[truth["kind"]][1] += 1
        per_kind[truth["kind"]][0] += bool(clean["flags"])
        if args.verbose:
            flat = dict(leaves(truth["fields"]))
            for path, ids in clean["flags"].items():
                print(f"  false alarm: {truth['kind']} {path} = {flat.get(path)!r}: {' '.join(ids)}")
        for (name, answer, paths), result in zip(found, checked[1:]):
            hit = "error" not in result and any(path in result["flags"] for path in paths)
            faults[name][0] += hit
            faults[name][1] += 1
            if args.verbose and not hit:
                old, new = dict(leaves(truth["fields"])), dict(leaves(answer))
                print(f"  missed: {name}: {truth['kind']} {paths[0]} {old.get(paths[0])!r} -> {new.get(paths[0])!r}")
            if "fhir" in result and len(bundles) < 3 * len(truths):
                bundles.append(result["fhir"])
                reports.append((result["sr"], result["fhir"]))
        right = auto[0].get("kind") == truth["kind"]
        kinds += right
        if args.verbose and not right:
            print(f"  kind: {truth['kind']} taken for {auto[0]}"[:200])

    def show(what, hits, total, good):
        nonlocal failed
        low, high = wilson(hits, total)
        share = hits / max(total, 1)
        print(f"{what:28} {hits:5} of {total:5}  {100 * share:5.1f} %  [{100 * low:.1f}, {100 * high:.1f}]  {'ok' if good(share) else 'FAILED'}")
        failed = failed or not good(share)

    for name, (hits, total) in sorted(faults.items()):
        show(name, hits, total, lambda share: True)
    show("faults flagged", sum(h for h, _ in faults.values()), sum(t for _, t in faults.values()), lambda share: share >= 0.95)
    for kind, (hits, total) in sorted(per_kind.items()):
        show(f"alarms, {kind}"[:28], hits, total, lambda share: True)
    show("clean documents with alarms", alarms, pages, lambda share: share <= 0.05)
    show("values with false alarms", flagged_values, values, lambda share: share <= 0.05)
    show("kind recognised by words", kinds, len(truths), lambda share: share >= 0.98)
    why = tesseract_missing()
    if why:
        print(f"SKIPPED: pictures read by Tesseract: {why}")
    else:
        least = {"clean": 0.88, "scan": 0.80}
        with tempfile.TemporaryDirectory() as scratch:
            table = read_pictures(scratch, list(least), ["en"], 9, 2200, args.verbose)
        for (language, level), row in table.items():
            show(f"{level}: documents read", *row["read"], lambda share: share == 1)
            show(f"{level}: true values found", *row["found"], lambda share, level=level: share >= least[level])
            show(f"{level}: at their place", *row["place"], lambda share: share >= 0.95)
            show(f"{level}: faults flagged", *row["faults"], lambda share: share >= 0.95)
    messages = validate(bundles + shipped_bundles())
    if messages is not None:
        bad = [m for m in messages if m]
        show("bundles valid (FHIR.js)", len(messages) - len(bad), len(messages), lambda share: share == 1)
        for text in collections.Counter(t for m in bad for t in m).most_common(12):
            print(f"  {text}")
    wrong = [found for found in validate_reports(reports) if found]
    show("structured reports read", len(reports) - len(wrong), len(reports), lambda share: share == 1)
    for text, times in collections.Counter(t for found in wrong for t in found).most_common(8):
        print(f"  {times} x {text}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
