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
    note = f"{scans}: 3 files passed over, not named as images; `galen look FILE --out FOLDER` makes images of PDF files (1)"
    model = FIXTURES / "tiny/siglip"
    for args in (["classify", model, "--labels", "a"], ["embed", model]):
        out = json.loads(galen(*args, "--image", scans, "--json", code=1))
        check(out["notes"] == [note], f"{args[0]}: the note on files passed over")
        # DICOM files of which none can be read are one row.
        row = (out["images"] if args[0] == "classify" else out["failed"])[-1]
        check(row["source"] == str(scans) and "no DICOM image" in row["error"], f"{args[0]}: broken DICOM files: {row}")
    done = subprocess.run([GALEN, "classify", model, "--labels", "a", "--image", scans, "--csv"], capture_output=True, text=True)
    check(f"note: {note}" in done.stderr and "note" not in done.stdout, f"csv: {done.stderr}")
    files = [scans / name for name in ("IM0001", "letter.pdf", "notes.txt")]
    rows = json.loads(galen("classify", model, "--labels", "a", "--json", "--image", *files, code=1))["images"]
    for row, part in zip(rows, ("DICOM file", "makes images of PDF files", "BMP)")):
        check(part in row["error"] and row["error"].startswith(row["source"]), f"a file that is no image: {row}")
    for name in ("wide.png", "IM0001", "two.dcm"):
        (scans / name).unlink()
    done = subprocess.run([GALEN, "embed", model, "--image", scans], capture_output=True, text=True)
    check(done.returncode == 1 and "3 files passed over" in done.stderr and "DICOM" in done.stderr, f"no image: {done.stderr}")


def dicom(values, patient="Nobody", modality="DX", photometric="MONOCHROME2", frames=1, extra=()):
    """A DICOM file of 8 x 8 pixels and 12 bits; values is a function of frame, row and column."""
    def element(group, number, vr, value):
        value += b"" if len(value) % 2 == 0 else (b"\0" if vr == "UI" else b" ")
        head = struct.pack("<HH", group, number) + vr.encode()
        return head + (b"\0\0" + struct.pack("<I", len(value)) if vr in ("OW", "OB", "SQ") else struct.pack("<H", len(value))) + value

    def us(group, number, value):
        return element(group, number, "US", struct.pack("<H", value))

    uid = f"1.2.3.{zlib.crc32(repr((patient, modality, photometric, frames)).encode())}"
    meta = element(2, 2, "UI", b"1.2.840.10008.5.1.4.1.1.1.1") + element(2, 3, "UI", uid.encode()) + element(2, 0x10, "UI", b"1.2.840.10008.1.2.1")
    pixels = b"".join(struct.pack("<H", values(f, r, c)) for f in range(frames) for r in range(8) for c in range(8))
    body = (element(8, 0x16, "UI", b"1.2.840.10008.5.1.4.1.1.1.1") + element(8, 0x18, "UI", uid.encode()) + element(8, 0x60, "CS", modality.encode())
            + element(0x10, 0x10, "PN", patient.encode()) + element(0x10, 0x20, "LO", patient.encode()) + element(0x20, 0xD, "UI", (uid + ".1").encode())
            + element(0x20, 0xE, "UI", (uid + ".2").encode()) + element(0x20, 0x13, "IS", b"1") + us(0x28, 2, 1)
            + element(0x28, 4, "CS", photometric.encode()) + element(0x28, 8, "IS", str(frames).encode()) + us(0x28, 0x10, 8) + us(0x28, 0x11, 8)
            + us(0x28, 0x100, 16) + us(0x28, 0x101, 12) + us(0x28, 0x102, 11) + us(0x28, 0x103, 0)
            + element(0x28, 0x1050, "DS", b"2000") + element(0x28, 0x1051, "DS", b"3000") + element(0x7FE0, 0x10, "OW", pixels))
    return b"\0" * 128 + b"DICM" + element(2, 0, "UL", struct.pack("<I", len(meta))) + meta + body


def dicom_files(folder):
    """DICOM files give the scores of the pictures that `look` makes of them, whoever they are of; names inside of folders stay there."""
    model, root = FIXTURES / "tiny/siglip", HERE.parents[2]
    study = folder / "study"
    study.mkdir()
    (study / "DOE_JANE.dcm").write_bytes(dicom(lambda f, r, c: 500 * r + 20 * c, patient="Doe^Jane"))
    (study / "ROE_JOHN").write_bytes(dicom(lambda f, r, c: 3000 - 300 * c, patient="Roe^John", photometric="MONOCHROME1"))
    (study / "cine.dcm").write_bytes(dicom(lambda f, r, c: 1000 * f + 200 * r, patient="Poe^Jack", modality="CT", frames=3))
    (study / "cut.dcm").write_bytes(dicom(lambda f, r, c: 100 * r, patient="Cut^Off")[:-20])
    (study / "notes.txt").write_text("x")
    args = ["classify", model, "--labels", "lungs,skin", "--compute", "fp32", "--json"]
    out = json.loads(galen(*args, "--dicom", study, code=1))
    good = [row for row in out["images"] if "error" not in row]
    bad = [row for row in out["images"] if "error" in row]
    check(len(good) == 5 and len(bad) == 1, f"dicom rows: {out['images']}")
    check(sum(" frame " in row["source"] for row in good) == 3, f"dicom frames: {[row['source'] for row in good]}")
    check(all(any("not-a-radiograph" in w for w in row["warnings"]) == ("frame" in row["source"]) for row in good), f"dicom warnings: {good}")
    check(any("1 files are no DICOM" in note for note in out["notes"]), f"dicom notes: {out['notes']}")
    text = json.dumps(out)
    check(not any(name in text for name in ("DOE", "Doe", "ROE", "Roe", "Poe", "cine")), f"names in the output: {text}")
    # The same pixels by way of `look`.
    for name in ("DOE_JANE.dcm", "ROE_JOHN", "cine.dcm"):
        seen = folder / f"seen-{name}"
        galen("look", study / name, "--recipe", "xray", "--out", seen)
        by_picture = json.loads(galen(*args, "--image", seen))["images"]
        by_dicom = json.loads(galen(*args, "--dicom", study / name))["images"]
        by_image = json.loads(galen(*args, "--image", study / name))["images"]
        check([r["scores"] for r in by_dicom] == [r["scores"] for r in by_picture] and len(by_picture) == (3 if "cine" in name else 1),
              f"{name}: {by_dicom}, of the pictures {by_picture}")
        check(by_image == by_dicom, f"{name}: --image and --dicom differ")
        check(all(any(row["scores"] == other["scores"] for other in good) for row in by_dicom), f"{name}: alone and in the folder differ")
        check(by_dicom[0]["source"] == str(study / name) + (" frame 1" if "cine" in name else ""), f"{name}: {by_dicom[0]['source']}")
    kept = json.loads(galen(*args, "--dicom", study, "--keep-identity", code=1))["images"]
    jane = [row for row in kept if row["source"] == str(study / "DOE_JANE.dcm")]
    check(len(jane) == 1 and jane[0]["identity"]["patient"] == "Doe^Jane", f"kept identity: {kept}")
    embedded = json.loads(galen("embed", model, "--image", study, "--compute", "fp32", "--json", code=1))
    check([r["source"] for r in embedded["rows"]] == [r["source"] for r in good] and len(embedded["failed"]) == 1, f"embed: {embedded['failed']}")
    # A picture beside them, and a slide, whose tiles are none.
    shutil.copy(FIXTURES / "images/wide.png", study / "wide.png")
    both = json.loads(galen(*args, "--image", study, code=1))["images"]
    check([row["source"] for row in both][0] == str(study / "wide.png") and len(both) == 7, f"pictures and DICOM files: {both}")
    slide = json.loads(galen(*args, "--dicom", root / "tests/data/dicom/multiframe_camelyon_challenge_image.dcm", code=1))["images"]
    check(all("whole slide" in row["error"] for row in slide), f"a slide: {slide}")
    # Rows that are named by numbers are not mixed with those of other files.
    csv = folder / "dicom.csv"
    args = ["classify", model, "--labels", "lungs,skin", "--csv", "--out", csv, "--dicom", study]
    galen(*args, code=1)
    galen(*args, "--resume", code=1)
    (study / "A_FIRST.dcm").write_bytes((study / "ROE_JOHN").read_bytes())
    done = subprocess.run([GALEN, *map(str, args), "--resume"], capture_output=True, text=True)
    check(done.returncode == 1 and "dicom_files" in done.stderr, f"resume in a changed folder: {done.stderr}")


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
        dicom_files(folder)
        head_settings(folder)
    print(f"{count} rows and the checks of this file, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
