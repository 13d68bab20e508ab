#!/usr/bin/env python3
"""DICOM: every frame, table, window, palette and colour of galen against pydicom 3.0.2; series against made sets.

    run.py [--driver FILE] [--only PATTERN]

Files: those inside of pydicom's wheel, tests/data/dicom, fixtures/ (make_fixtures.py), variants that DCMTK's tools make here,
and sets that sets.py makes. What is left out is printed with its reason. The driver is dicom_driver of the build in
$GALEN_BUILD; 77 when it is not built.

Lossy JPEG of 8 bits is compared with pydicom's Pillow plug-in (libjpeg-turbo), not with pylibjpeg, whose IDCT rounds
otherwise: the slide in tests/data/dicom decodes to its published picture only by the former. Lossy JPEG of 12 bits is
compared with DCMTK's dcmdjpeg; pylibjpeg differs from both by at most 1, which ISO 10918-2 allows and this test checks.
"""

import argparse
import fnmatch
import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, apply_windowing, get_decoder

sys.path.insert(0, str(Path(__file__).resolve().parent))
import sets  # noqa: E402
from driver import Driver  # noqa: E402

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
WHEEL = Path(pydicom.__file__).resolve().parent / "data"
BASELINE, EXTENDED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
PROGRESSIVE = ("1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55")


class Tally:
    def __init__(self):
        self.compared, self.faults, self.skipped, self.without_pixels = {}, [], [], []

    def equal(self, what, name, mine, theirs):
        self.compared[what] = self.compared.get(what, 0) + 1
        if mine.shape == theirs.shape and np.array_equal(mine, theirs):
            return True
        detail = f"shape {mine.shape} for {theirs.shape}"
        if mine.shape == theirs.shape:
            off = mine.astype(np.float64) - theirs.astype(np.float64)
            detail = f"{np.count_nonzero(off)} of {off.size} values differ, by {np.abs(off).max():g} at most"
        self.faults.append(f"{what}: {name}: {detail}")
        return False

    def fault(self, text):
        self.faults.append(text)


def array_of(reply, data):
    shape = (reply["rows"], reply["columns"]) + ((reply["samples"],) if reply["samples"] > 1 else ())
    return np.frombuffer(data, dtype=reply["type"]).reshape(shape)


def syntax_of(ds):
    """The transfer syntax; guessed as galen does where the file names none."""
    uid = getattr(ds, "file_meta", {}).get("TransferSyntaxUID")
    if uid:
        return uid
    implicit, little = ds.original_encoding
    return {(True, True): "1.2.840.10008.1.2", (False, True): "1.2.840.10008.1.2.1"}.get((implicit, little), "1.2.840.10008.1.2.2")


def reference_frames(path):
    """pydicom's stored values and RGB (or None) per frame; raises when pydicom cannot."""
    ds = pydicom.dcmread(path, force=True)
    uid = syntax_of(ds)
    if not hasattr(ds, "file_meta"):
        ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid
    plugin = "pillow" if uid == BASELINE or (uid == EXTENDED and ds.get("BitsStored") == 8) else ""
    decoder = get_decoder(uid)
    raw, _ = decoder.as_array(ds, raw=True, decoding_plugin=plugin)
    rgb, _ = decoder.as_array(ds, raw=False, decoding_plugin=plugin)
    count = int(ds.get("NumberOfFrames") or 1)
    if count == 1:
        return ds, [raw], [rgb]
    return ds, list(raw[:count]), list(rgb[:count])


def compare_grey(driver, tally, name, path, ds, raw):
    if ds.get("PhotometricInterpretation") not in ("MONOCHROME1", "MONOCHROME2") or "SharedFunctionalGroupsSequence" in ds:
        return
    native = raw.astype(raw.dtype.newbyteorder("="))
    modality = apply_modality_lut(native, ds)
    reply, data = driver.ask("modality", path)
    tally.equal("modality LUT", name, np.frombuffer(data, "f8").reshape(native.shape), modality.astype(np.float64))
    reply, data = driver.ask("physical", path)
    tally.equal("physical values", name, np.frombuffer(data, "f4").reshape(native.shape), modality.astype(np.float32))
    for command, apply in (("voi", lambda: apply_voi_lut(modality, ds)), ("window", lambda: apply_windowing(modality, ds))):
        if ds.get("WindowWidth") is None and not (command == "voi" and ds.get("VOILUTSequence")):
            continue
        reply, data = driver.ask(command, path)
        if "error" in reply:
            tally.fault(f"{command}: {name}: {reply['error']}")
            continue
        mine, theirs = np.frombuffer(data, "f8").reshape(native.shape), apply().astype(np.float64)
        if ds.get("VOILUTFunction") == "SIGMOID":  # exp of numpy and of the C library may differ in the last bit
            scale = np.abs(theirs).max()
            mine, theirs = np.round(mine / scale, 13), np.round(theirs / scale, 13)
        tally.equal("VOI LUT" if command == "voi" else "window", name, mine, theirs)


def compare_file(driver, tally, name, path):
    try:
        ds, frames, colours = reference_frames(path)
    except Exception as error:  # noqa: BLE001: whatever pydicom refuses is no reference
        reply, _ = driver.ask("info", path)
        if "error" not in reply:
            reply, _ = driver.ask("raw", path, 0)
        mine = reply["error"].removeprefix(f"{path}: ") if "error" in reply else "decoded"
        if mine == "DICOM object without pixel data":
            tally.without_pixels.append(name)
        else:
            tally.skipped.append(f"{name}: pydicom: {str(error).splitlines()[0][:90]}; galen: {mine[:90]}")
        return
    for i, frame in enumerate(frames):
        reply, data = driver.ask("raw", path, i)
        if "error" in reply:
            tally.fault(f"frame: {name}[{i}]: {reply['error']}")
            continue
        mine = array_of(reply, data)
        frame = frame.astype(frame.dtype.newbyteorder("="))
        if mine.dtype != frame.dtype:
            tally.fault(f"frame: {name}[{i}]: type {mine.dtype} for {frame.dtype}")
        tally.equal("frame", f"{name}[{i}]", mine, frame)
        if mine.ndim == 3 and mine.dtype == np.uint8:
            reply, data = driver.ask("render", path, i)
            if "error" in reply:
                tally.fault(f"colour: {name}[{i}]: {reply['error']}")
            else:
                tally.equal("colour", f"{name}[{i}]", np.frombuffer(data, "u1").reshape(mine.shape), colours[i])
    if len(frames) == 1:
        compare_grey(driver, tally, name, path, ds, frames[0])
    if ds.get("PhotometricInterpretation") == "PALETTE COLOR":
        reply, data = driver.ask("palette", path)
        if "error" in reply:
            tally.fault(f"palette: {name}: {reply['error']}")
        else:
            tally.equal("palette", name, np.frombuffer(data, "u2").reshape(frames[0].shape + (3,)), apply_color_lut(frames[0], ds))


def compare_with_dcmtk(driver, tally, name, path, folder):
    """Lossy JPEG of 12 bits, and processes that pydicom lacks: DCMTK's own tool is the reference, pydicom within 1."""
    if not shutil.which("dcmdjpeg"):
        tally.skipped.append(f"{name}: no dcmdjpeg (package dcmtk)")
        return
    plain = Path(folder) / f"{name}.plain"
    if subprocess.run(["dcmdjpeg", "+cn", str(path), str(plain)], capture_output=True).returncode != 0:
        tally.skipped.append(f"{name}: dcmdjpeg cannot decode it")
        return
    _, frames, _ = reference_frames(plain)
    try:
        _, theirs, _ = reference_frames(path)
    except Exception:  # noqa: BLE001: pydicom does not have every process
        theirs = [None] * len(frames)
    for i, (frame, other) in enumerate(zip(frames, theirs)):
        reply, data = driver.ask("raw", path, i)
        if "error" in reply:
            tally.fault(f"frame by DCMTK: {name}[{i}]: {reply['error']}")
            continue
        mine = array_of(reply, data)
        tally.equal("frame by DCMTK", f"{name}[{i}]", mine, frame)
        if other is not None and np.abs(mine.astype(np.int64) - other.astype(np.int64)).max() > 1:
            tally.fault(f"frame by DCMTK: {name}[{i}]: more than 1 from pydicom")


def dcmtk_variants(folder, tally):
    """The same pictures through DCMTK's encoders."""
    if not shutil.which("dcmcjpeg"):
        tally.skipped.append("variants by DCMTK: its tools are missing (package dcmtk)")
        return
    test_files = WHEEL / "test_files"
    sources = {"ct16": "CT_small.dcm", "mr16": "MR_small.dcm", "us12": "examples_overlay.dcm", "rgb": "SC_rgb_small_odd.dcm",
               "rgb_us": "examples_rgb_color.dcm", "grey8": "image_dfl.dcm", "frames32": "SC_rgb_rle_2frame.dcm"}
    jpeg = {"lossless": ["dcmcjpeg", "+el"], "sv1": ["dcmcjpeg", "+e1"], "baseline": ["dcmcjpeg", "+eb"],
            "rle": ["dcmcrle"], "jls": ["dcmcjpls", "+el"], "jls_near": ["dcmcjpls", "+en", "+md", "3"],
            "jls_sample": ["dcmcjpls", "+el", "+is"], "extended": ["dcmcjpeg", "+ee"],
            "progressive": ["dcmcjpeg", "+ep"], "spectral": ["dcmcjpeg", "+es"],
            "implicit": ["dcmconv", "+ti"], "big": ["dcmconv", "+tb"], "explicit": ["dcmconv", "+te"], "deflated": ["dcmconv", "+td"],
            "fragmented": ["dcmcjpeg", "+e1", "+fs", "1"], "no_table": ["dcmcjpeg", "+e1", "-ot", "+fs", "1"],
            "no_meta": ["dcmconv", "-F", "+te"], "undefined": ["dcmconv", "+te", "-e"], "defined": ["dcmconv", "+te", "+e"]}
    for source, file in sources.items():
        plain = Path(folder) / f"{source}.plain.dcm"
        tools = [["dcmdrle"], ["dcmconv", "+te"]]
        if not any(subprocess.run(t + [str(test_files / file), str(plain)], capture_output=True).returncode == 0 for t in tools):
            continue
        for kind, command in jpeg.items():
            if kind in ("extended",) and source in ("ct16", "mr16"):
                continue
            out = Path(folder) / f"{source}.{kind}.dcm"
            done = subprocess.run(command + [str(plain), str(out)], capture_output=True)
            if done.returncode == 0 and out.exists():
                yield f"{source}.{kind}", out
            else:
                tally.skipped.append(f"{source}.{kind}: DCMTK does not encode it")


def compare_slide(driver, tally):
    """The tiled slide put together equals the picture beside it."""
    path = ROOT / "tests/data/dicom/multiframe_camelyon_challenge_image.dcm"
    reply, _ = driver.ask("info", path)
    width, height = reply["matrix"]
    canvas = np.zeros((height + 256, width + 256, 3), np.uint8)
    for i, (column, row) in enumerate(reply["tiles"]):
        shape, data = driver.ask("render", path, i)
        tile = np.frombuffer(data, "u1").reshape(shape["rows"], shape["columns"], 3)
        canvas[row:row + tile.shape[0], column:column + tile.shape[1]] = tile
    wanted = path.with_suffix(".sha256").read_text().split()[0]
    digest = hashlib.sha256(canvas[:height, :width].tobytes()).hexdigest()
    tally.compared["slide"] = 1
    if digest != wanted:
        tally.fault("slide: the assembled tiles are not the published picture")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--driver", default=str(Path(os.environ.get("GALEN_BUILD", ROOT / "build/release")) /
                                                "tests/parity/dicom/dicom_driver"))
    parser.add_argument("--only", default="*")
    args = parser.parse_args()
    if not Path(args.driver).is_file():
        print(f"skipped: {args.driver} is not built")
        return 77
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    tally = Tally()
    with Driver(args.driver) as driver, tempfile.TemporaryDirectory() as folder:
        files = sorted((WHEEL / "test_files").glob("*.dcm")) + sorted((WHEEL / "charset_files").glob("*.dcm"))
        files += sorted((ROOT / "tests/data/dicom").glob("*.dcm")) + sorted((HERE / "fixtures").glob("*.dcm"))
        files += sorted(p for p in (WHEEL / "test_files/dicomdirtests").rglob("*") if p.is_file() and p.suffix == "" and
                        not p.name.startswith(("DICOMDIR", "README")))
        named = [(p.name, p) for p in files] + list(dcmtk_variants(folder, tally)) + list(sets.make_images(folder))
        for name, path in named:
            if not fnmatch.fnmatch(name, args.only):
                continue
            ds = pydicom.dcmread(path, force=True, stop_before_pixels=True)
            uid = getattr(ds, "file_meta", {}).get("TransferSyntaxUID")
            try:
                if uid in PROGRESSIVE or (uid == EXTENDED and ds.get("BitsStored", 8) > 8):
                    compare_with_dcmtk(driver, tally, name, path, folder)
                else:
                    compare_file(driver, tally, name, path)
            except (ValueError, TypeError, NotImplementedError) as error:
                tally.fault(f"{name}: the comparison failed: {error!r}")
        if args.only == "*":
            compare_slide(driver, tally)
            sets.compare_sets(driver, tally, folder, WHEEL)
    for line in tally.skipped:
        print("left out:", line)
    print("left out, no pixels in them:", ", ".join(tally.without_pixels))
    print(", ".join(f"{count} x {what}" for what, count in tally.compared.items()), "compared")
    for fault in tally.faults:
        print("DIFFERS", fault)
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
