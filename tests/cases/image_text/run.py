#!/usr/bin/env python3
"""`galen classify`, `embed` and `show` on tiny SigLIP and CLIP checkpoints, from outside.

cases.json holds rows as tests/cases/cli does ({siglip}, {clip}, ... stand for checkpoints, {images} for the pictures).
scores.json of tests/parity/dual_encoders holds what transformers computes from them; here it is compared with `--compute fp32`.
GALEN_BIN names the program.
"""

import importlib.util
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIXTURES = HERE.parents[1] / "parity/dual_encoders"
GALEN = os.environ.get("GALEN_BIN", "galen")
# Both sides compute in fp32; a logit is exp(1.5) times a cosine, or a sum of 24 products.
TOLERANCE = 2e-5

failures = []


def check(ok, what):
    if not ok:
        failures.append(what)
        print(f"FAILED {what}")


def load_cli():
    spec = importlib.util.spec_from_file_location("cli_cases", HERE.parent / "cli/run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.MODELS = {name.replace("-", "_"): os.path.relpath(FIXTURES / "tiny" / name, module.TINY)
                     for name in ("siglip", "siglip-vision", "siglip-classifier", "clip", "clip-eos", "clip-classifier")}
    module.MODELS |= {"images": os.path.relpath(FIXTURES / "images", module.TINY),
                      "png": os.path.relpath(FIXTURES / "images/wide.png", module.TINY), "llama": "llama/f32.gguf"}
    return module


def galen(*args, code=0):
    done = subprocess.run([GALEN, *map(str, args)], capture_output=True, timeout=600)
    check(done.returncode == code, f"{args}: exit code {done.returncode}: {done.stderr.decode(errors='replace')[-800:]}")
    return done.stdout.decode()


def rows_of_cases(folder):
    cli = load_cli()
    rows = json.loads((HERE / "cases.json").read_text())
    seen = {}
    for row in rows:
        fault = cli.check(row, cli.run(row, GALEN, folder), seen)
        check(not fault, f"{row['name']}: {fault}")
    return len(rows)


def close(mine, wanted):
    return len(mine) == len(wanted) and all(abs(a - b) <= TOLERANCE for a, b in zip(mine, wanted))


def scores_of_the_reference(folder):
    reference = json.loads((FIXTURES / "scores.json").read_text())
    labels = folder / "labels.txt"
    labels.write_text("\n".join(reference["labels"]) + "\n")
    for name, pictures in reference["models"].items():
        head = name.endswith("classifier")
        kinds = {"siglip": ("sigmoid", "softmax"), "siglip-classifier": ("sigmoid",)}.get(name, ("softmax",))
        files = [str(FIXTURES / "images" / p) for p in pictures]
        for kind in kinds:
            args = [] if head else ["--labels-file", labels, "--scores", kind]
            for batch in (1, 2, 8):
                out = json.loads(galen("classify", FIXTURES / "tiny" / name, "--image", *files, "--compute", "fp32", "--batch", batch,
                                       "--json", *args))
                check(out["labels"] == (reference["classes"] if head else reference["labels"]), f"{name}: labels {out['labels']}")
                for row, (picture, wanted) in zip(out["images"], pictures.items()):
                    check(close(row["scores"], wanted[kind]), f"{name} {picture} {kind}: {row['scores']}, reference {wanted[kind]}")
                    best = max(range(len(wanted[kind])), key=wanted[kind].__getitem__)
                    check(row["best"] == out["labels"][best], f"{name} {picture}: best is {row['best']}")
                    if name == "siglip-classifier":
                        above = [c for c, s, t in zip(reference["classes"], wanted[kind], reference["thresholds"]) if s >= t]
                        check(row["positive"] == above, f"{name} {picture}: positive {row['positive']}, reference {above}")
        if head:
            continue
        out = json.loads(galen("embed", FIXTURES / "tiny" / name, "--image", *files, "--compute", "fp32", "--raw", "--json"))
        for row, (picture, wanted) in zip(out["rows"], pictures.items()):
            check(close(row["embedding"], wanted["embedding"]), f"{name} {picture}: embedding differs")
        unit = json.loads(galen("embed", FIXTURES / "tiny" / name, "--text", "normal lungs", "x", "--json"))
        for row in unit["rows"]:
            check(abs(sum(x * x for x in row["embedding"]) - 1) < 1e-5, f"{name}: a text's vector is not of length 1")


def array_file(folder):
    path = folder / "e.npy"
    plain = json.loads(galen("embed", FIXTURES / "tiny/siglip", "--image", FIXTURES / "images", "--json"))
    listed = json.loads(galen("embed", FIXTURES / "tiny/siglip", "--image", FIXTURES / "images", "--out", path, "--json"))
    check([r["source"] for r in listed["rows"]] == [r["source"] for r in plain["rows"]], "npy: sources")
    data = path.read_bytes()
    check(data[:8] == b"\x93NUMPY\x01\x00", "npy: magic")
    size = struct.unpack("<H", data[8:10])[0]
    header = data[10:10 + size].decode()
    check(f"'shape': ({len(plain['rows'])}, {plain['size']})" in header and "'descr': '<f4'" in header, f"npy: {header}")
    values = struct.unpack(f"<{(len(data) - 10 - size) // 4}f", data[10 + size:])
    wanted = [x for r in plain["rows"] for x in r["embedding"]]
    check(list(values) == [struct.unpack("<f", struct.pack("<f", x))[0] for x in wanted], "npy: values")


def resume(folder):
    """A run that was cut off goes on, and nothing is computed twice or lost."""
    model = FIXTURES / "tiny/siglip"
    pictures = folder / "pictures"
    shutil.copytree(FIXTURES / "images", pictures)
    (pictures / "broken.png").write_bytes((pictures / "wide.png").read_bytes()[:60])
    out, whole = folder / "out.csv", folder / "whole.csv"
    args = ["classify", model, "--image", pictures, "--labels", "lungs,skin", "--csv", "--batch", 2, "--compute", "fp32"]
    galen(*args, "--out", whole, code=1)
    text = whole.read_text()
    lines = text.splitlines(keepends=True)
    check(lines[0] == "source,error,lungs,skin\n" and len(lines) == 7, f"csv: {text}")
    check(sum("broken.png" in line for line in lines) == 1, "csv: the broken file is one row")
    check(galen(*args, code=1) == text, "csv: standard output is the same")
    record = Path(f"{whole}.run.json")
    shutil.copy(record, f"{out}.run.json")
    for cut in (0, 1, len(lines[0]), len(lines[0]) + 5, len(lines[0]) + len(lines[1]), len(text) - 3, len(text)):
        out.write_text(text[:cut])
        galen(*args, "--out", out, "--resume", code=1)
        again = out.read_text().splitlines(keepends=True)
        check(sorted(again) == sorted(lines) and again[0] == lines[0], f"resume at {cut}: {again}")
    # Once the broken file is mended, only it is missing.
    shutil.copy(pictures / "wide.png", pictures / "broken.png")
    galen(*args, "--out", out, "--resume")
    rows = [line.split(",") for line in out.read_text().splitlines()[1:]]
    check(len(rows) == 6 and all(row[1] == "" for row in rows), f"resume: {rows}")
    by_name = {Path(row[0]).name: row[2:] for row in rows}
    check(by_name["broken.png"] == by_name["wide.png"], "resume: the mended file has the scores of its copy")
    done = subprocess.run([GALEN, *map(str, args), "--labels", "other", "--out", str(out), "--resume"], capture_output=True)
    check(done.returncode == 1 and b"other settings: labels" in done.stderr, f"resume with other labels: {done.stderr}")
    check(out.read_text().splitlines()[1:] == [",".join(r) for r in rows], "resume: a refused run changes nothing")
    refused_resumes(folder, model, args, out)


def refused_resumes(folder, model, args, out):
    """Rows of one file are made alike, whatever of the model and the settings would change them."""
    shutil.copytree(model, folder / "siglip")
    weights = bytearray((folder / "siglip/model.safetensors").read_bytes())
    weights[-1] ^= 1
    record = Path(f"{out}.run.json")
    for change, part in ((["--scores", "softmax"], "scores (sigmoid there, softmax now)"), (["--template", "an x-ray of {}"], "template"),
                         (["--preprocessing", "center_crop"], "preprocessing"), (["--threshold", "0.5"], "thresholds"),
                         (["--compute", "bf16"], "compute (fp32 there, bf16 now)"),
                         (["--compute", "bf16", "--activations", "int8"], "activations")):
        before = (out.read_bytes(), record.read_bytes())
        kept = args[:-2] if "--compute" in change else args
        done = subprocess.run([GALEN, *map(str, [*kept, *change, "--out", out, "--resume"])], capture_output=True, text=True)
        check(done.returncode == 1 and part in done.stderr, f"resume with {change}: {done.stderr}")
        check((out.read_bytes(), record.read_bytes()) == before, f"resume with {change}: a refused run changes nothing")
    copy = [folder / "siglip" if a == model else a for a in args]
    galen(*copy, "--out", out, "--resume")
    (folder / "siglip/model.safetensors").write_bytes(weights)
    done = subprocess.run([GALEN, *map(str, [*copy, "--out", out, "--resume"])], capture_output=True, text=True)
    check(done.returncode == 1 and "model_digest" in done.stderr, f"resume with another weight: {done.stderr}")
    for text, part in (("{", "damaged"), (None, "missing")):
        record.unlink() if text is None else record.write_text(text)
        done = subprocess.run([GALEN, *map(str, [*args, "--out", out, "--resume"])], capture_output=True, text=True)
        check(done.returncode == 1 and part in done.stderr and record.name in done.stderr, f"resume with a {part} record: {done.stderr}")
    galen(*args, "--out", out)
    check(record.exists(), "a file that is begun anew has its record")
    # A file that is not there yet is begun.
    fresh = folder / "fresh.csv"
    galen(*args, "--out", fresh, "--resume")
    galen(*args, "--out", fresh, "--resume")
    check(fresh.read_text() == out.read_text(), "resume: a file that is not there is begun")


def batches_do_not_matter():
    """An image has the same numbers to the last bit, whatever is computed beside it."""
    for name in ("siglip", "siglip-classifier", "clip", "clip-classifier"):
        calls = [("classify", [])] if name.endswith("classifier") else [("classify", ["--labels", "lungs,skin"]), ("embed", [])]
        for verb, more in calls:
            for mode in (["--compute", "fp32"], ["--compute", "bf16"], ["--activations", "int8"]):
                args = [verb, FIXTURES / "tiny" / name, "--image", FIXTURES / "images", "--json", *more, *mode]
                alone, *others = [json.loads(galen(*args, "--batch", batch))["images" if verb == "classify" else "rows"]
                                  for batch in (1, 2, 3, 8)]
                check(all(rows == alone for rows in others), f"{name} {verb} {mode}: rows depend on --batch")


def png_file(path, bits, colour, rows):
    """Rows are bytes without their filter byte."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    width = len(rows[0]) * 8 // (bits * {0: 1, 6: 4}[colour])
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), bits, colour, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))) + chunk(b"IEND", b""))
    return path


def warnings(folder):
    """What a reader of the images should know is told in every kind of output, and never inside a table."""
    grey = png_file(folder / "grey16.png", 16, 0, [struct.pack(">4H", 0, 100, 300, 65535)] * 4)
    clear = png_file(folder / "clear.png", 8, 6, [bytes([9, 8, 7, 0] * 4)] * 4)
    plain = FIXTURES / "images/wide.png"
    wanted = {grey: ["grey_clipped"], clear: ["alpha_dropped"], plain: []}
    model = FIXTURES / "tiny/siglip"
    for verb, rows, more in (("classify", "images", ["--labels", "lungs,skin"]), ("embed", "rows", [])):
        args = [verb, model, "--image", *wanted, *more]
        told = {row["source"]: [w.split(":")[0] for w in row["warnings"]] for row in json.loads(galen(*args, "--json"))[rows]}
        check(told == {str(path): names for path, names in wanted.items()}, f"{verb}: warnings {told}")
        for form in ([], ["--csv"] if verb == "classify" else ["--out", folder / "w.npy"]):
            done = subprocess.run([GALEN, *map(str, [*args, *form])], capture_output=True, text=True)
            lines = [line for line in done.stderr.splitlines() if "grey_clipped" in line or "alpha_dropped" in line]
            check(len(lines) == 2 and lines[0].startswith(f"{grey}: grey_clipped: ") and lines[1].startswith(f"{clear}: alpha_dropped: "),
                  f"{verb} {form}: {done.stderr}")
            check("_clipped" not in done.stdout and "_dropped" not in done.stdout, f"{verb} {form}: {done.stdout}")


def other_files(folder):
    """Files of a folder that are no images are counted, and what `look` reads is named."""
    scans = folder / "scans"
    scans.mkdir()
    shutil.copy(FIXTURES / "images/wide.png", scans / "wide.png")
    head = b"\0" * 128 + b"DICM" + b"\0" * 64
    for name, data in (("IM0001", head), ("two.dcm", head), ("letter.pdf", b"%PDF-1.4\n"), ("notes.txt", b"x"), ("none", b"")):
        (scans / name).write_bytes(data)
    note = f"{scans}: 5 files passed over, not named as images; `galen look FILE --out FOLDER` makes images of DICOM files (2), PDF files (1)"
    model = FIXTURES / "tiny/siglip"
    for args in (["classify", model, "--labels", "a"], ["embed", model]):
        check(json.loads(galen(*args, "--image", scans, "--json"))["notes"] == [note], f"{args[0]}: the note on files passed over")
    done = subprocess.run([GALEN, "classify", model, "--labels", "a", "--image", scans, "--csv"], capture_output=True, text=True)
    check(f"note: {note}" in done.stderr and "note" not in done.stdout, f"csv: {done.stderr}")
    files = [scans / name for name in ("IM0001", "letter.pdf", "notes.txt")]
    rows = json.loads(galen("classify", model, "--labels", "a", "--json", "--image", *files, code=1))["images"]
    for row, part in zip(rows, ("makes images of DICOM files", "makes images of PDF files", "BMP)")):
        check(row["error"].endswith(part) and row["error"].startswith(row["source"]), f"a file that is no image: {row}")
    (scans / "wide.png").unlink()
    done = subprocess.run([GALEN, "embed", model, "--image", scans], capture_output=True, text=True)
    check(done.returncode == 1 and "5 files passed over" in done.stderr and "DICOM" in done.stderr, f"no image: {done.stderr}")


def head_settings(folder):
    model = folder / "head"
    shutil.copytree(FIXTURES / "tiny/siglip-classifier", model)
    picture = FIXTURES / "images/wide.png"
    config = json.loads((model / "config.json").read_text())
    for change, part in (({"id2label": None}, "id2label"), ({"galen": {"preprocessing": "x"}}, "pad_to_square")):
        (model / "config.json").write_text(json.dumps({**config, **change}))
        done = subprocess.run([GALEN, "classify", str(model), "--image", str(picture)], capture_output=True, text=True)
        check(done.returncode == 1 and part in done.stderr, f"{change}: {done.stderr}")
    (model / "config.json").write_text(json.dumps(config))
    (model / "preprocessor_config.json").unlink()
    done = subprocess.run([GALEN, "classify", str(model), "--image", str(picture)], capture_output=True, text=True)
    check(done.returncode == 1 and "preprocessor_config.json" in done.stderr, f"no processor: {done.stderr}")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = rows_of_cases(folder)
        scores_of_the_reference(folder)
        array_file(folder)
        resume(folder)
        batches_do_not_matter()
        warnings(folder)
        other_files(folder)
        head_settings(folder)
    print(f"{count} rows and the checks of this file, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
