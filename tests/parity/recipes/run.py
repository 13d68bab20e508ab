#!/usr/bin/env python3
"""What `galen look` writes, byte by byte, against Google's notebook code in NumPy, pydicom, nibabel, Pillow and poppler.

  ct      windows, choice and order of slices, of a DICOM series (made here by pydicom) and of a NIfTI volume
  mr      the percentile window
  localise, xray-pair, image   padding and pixels of photographs
  page    pixels of PDF pages
  slide   the patch of a DICOM slide
$GALEN_BIN is the program.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

ROOT = Path(__file__).resolve().parents[3]
GALEN = os.environ.get("GALEN_BIN", "galen")
failures = []


def check(ok, what):
    print(("ok    " if ok else "FAILED ") + what, flush=True)
    if not ok:
        failures.append(what)


def look(out, *args):
    done = subprocess.run([GALEN, "look", *map(str, args), "--out", str(out), "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"galen look {args}: {done.stderr}")
    result = json.loads(done.stdout)
    result["pixels"] = [np.array(Image.open(Path(out) / image["png"])) for image in result["images"]]
    return result


def norm(ct_vol, low, high):
    """The notebook's arithmetic: clip, single precision, subtract, divide, multiply."""
    ct_vol = np.clip(ct_vol, low, high).astype(np.float32)
    ct_vol -= low
    ct_vol /= high - low
    ct_vol *= 255.0
    return ct_vol


def windowed(values, windows):
    return np.round(np.stack([norm(values, *w) for w in windows], axis=-1), 0).astype(np.uint8)


CT = [(-1024, 1024), (-135, 215), (0, 80)]


def chosen(n, most=85):
    return list(range(n)) if n <= most else [int(round(i / most * (n - 1))) for i in range(1, most + 1)]


def write_series(folder, n, rng):
    """Slices in a random order of files; numbers run against the positions. Returns values by instance number."""
    study, series, values = generate_uid(), generate_uid(), {}
    for k in rng.permutation(n):
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = study, series, "CT"
        ds.PatientName, ds.PatientID = "Secret^Name", "SECRET-ID"
        ds.SeriesNumber, ds.InstanceNumber = 3, int(n - k)
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, float(2.5 * k)], [1, 0, 0, 0, 1, 0]
        ds.PixelSpacing, ds.SliceThickness = [0.75, 0.5], 2.5
        ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = 20, 24, 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 1, -1024, "HU"
        pixels = rng.integers(0, 4096, (20, 24), dtype=np.uint16)
        ds.PixelData = pixels.tobytes()
        ds.save_as(folder / f"Secret_Name_{k}.dcm", enforce_file_format=True)
        values[int(n - k)] = pixels.astype(np.float64) - 1024
    return [values[k] for k in sorted(values)]


def check_ct(folder, rng):
    for n in (3, 120):
        series = folder / f"series{n}"
        series.mkdir()
        values = write_series(series, n, rng)
        result = look(folder / f"ct{n}", "--dicom", series)
        wanted = [windowed(values[i], CT) for i in chosen(n)]
        equal = len(wanted) == len(result["pixels"]) and all(np.array_equal(a, b) for a, b in zip(result["pixels"], wanted))
        check(equal and result["recipe"]["name"] == "ct", f"ct: {len(wanted)} of {n} DICOM slices by instance number")
        lines = result["prompt"].split("\n")
        order = [line for line in lines if line.startswith(("[image", "SLICE"))]
        check(order == [x for k in range(1, len(wanted) + 1) for x in (f"[image {k}]", f"SLICE {k}")], "ct: SLICE k after each image")
        check("secret" not in json.dumps({k: v for k, v in result.items() if k != "pixels"}).lower(), "ct: no name, no number of the patient")
    data = rng.integers(-1500, 3000, (24, 20, 90)).astype(np.int16)
    nib.save(nib.Nifti1Image(data, np.diag([0.7, 0.7, 2, 1])), folder / "ct.nii.gz")
    result = look(folder / "nifti", folder / "ct.nii.gz")
    slices = [data[::-1, ::-1, k].T for k in range(89, -1, -1)]
    wanted = [windowed(slices[i], CT) for i in chosen(90)]
    check(result["recipe"]["name"] == "ct" and all(np.array_equal(a, b) for a, b in zip(result["pixels"], wanted, strict=True)),
          "ct: NIfTI, head to foot, right on the left")


def check_patients(folder):
    """Two patients in one folder, or in two files, are refused unless asked for."""
    mixed = folder / "mixed"
    mixed.mkdir()
    files = sorted((folder / "series3").glob("*.dcm"))[:2]
    for k, path in enumerate(files):
        ds = pydicom.dcmread(path)
        ds.PatientID, ds.PatientName = f"OTHER-{k}", f"Other^{k}"
        ds.StudyInstanceUID = ds.SeriesInstanceUID = generate_uid()
        ds.save_as(mixed / f"{k}.dcm")
    both = [str(mixed / "0.dcm"), str(mixed / "1.dcm")]
    for args in ([str(mixed)], both):
        for flag, code in (([], 1), (["--allow-mixed-patients"], 0)):
            done = subprocess.run([GALEN, "look", *args, "--recipe", "image", *flag], capture_output=True, text=True)
            check(done.returncode == code and "OTHER" not in done.stdout + done.stderr, f"two patients in {len(args)} arguments {flag}")


def check_mr(folder, rng):
    data = rng.gamma(2, 200, (16, 18, 10)).astype(np.float32)
    nib.save(nib.Nifti1Image(data, np.eye(4)), folder / "mr.nii")
    result = look(folder / "mr", folder / "mr.nii")
    low, high = np.percentile(data.astype(np.float64), [1, 99])
    wanted = [windowed(data[::-1, ::-1, k].T, [(np.float32(low), np.float32(high))] * 3) for k in range(9, -1, -1)]
    check(result["recipe"]["name"] == "mr" and all(np.array_equal(a, b) for a, b in zip(result["pixels"], wanted, strict=True)), "mr: percentiles")
    check(any("galen's own" in w for w in result["warnings"]), "mr: marked as galen's own")


def pad_image_to_square(array):
    """The localisation notebook's, without its second scaling."""
    h, w = array.shape[:2]
    side = max(h, w)
    top, left = (side - h) // 2, (side - w) // 2
    return np.pad(array, ((top, side - h - top), (left, side - w - left), (0, 0)))


def check_photos(folder, rng):
    for size in ((31, 20), (20, 31), (16, 16), (1, 7)):
        array = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(array).save(folder / "photo.png")
        seen = look(folder / "photo", folder / "photo.png")
        check(np.array_equal(seen["pixels"][0], array) and seen["recipe"]["name"] == "image", f"image {size}")
        seen = look(folder / "square", folder / "photo.png", "--recipe", "localise", "--question", "Where is the heart?")
        check(np.array_equal(seen["pixels"][0], pad_image_to_square(array)), f"localise {size}")
        check("Where is the heart? Don't give a final answer without reasoning." in seen["prompt"], "localise: question in its template")
    earlier, later = folder / "earlier.png", folder / "later.png"
    for k, path in enumerate((earlier, later)):
        Image.fromarray(np.full((5, 6), 40 + k, np.uint8)).save(path)
    seen = look(folder / "pair", earlier, later, "--recipe", "xray-pair")
    check([p[0, 0, 0] for p in seen["pixels"]] == [40, 41], "xray-pair: earlier, then later")


def check_pages(folder):
    pdf = ROOT / "tests/data/documents/pages.pdf"
    seen = look(folder / "pages", pdf, "--pages", "3,1-2", "--dpi", "110")
    for page, pixels in zip((3, 1, 2), seen["pixels"], strict=True):
        png = subprocess.run(["pdftoppm", "-cropbox", "-r", "110", "-f", str(page), "-l", str(page), "-png", pdf], capture_output=True, check=True).stdout
        (folder / "page.png").write_bytes(png)
        check(np.array_equal(pixels, np.array(Image.open(folder / "page.png"))), f"page {page}")


def check_slide(folder):
    path = ROOT / "examples/images/multiframe_camelyon_challenge_image.dcm"
    slide = pydicom.dcmread(path)
    slide.pixel_array_options(decoding_plugin="pillow")  # libjpeg-turbo, as published; pylibjpeg rounds otherwise
    tiles = slide.pixel_array.reshape(3, 5, 256, 256, 3)  # TILED_FULL, row by row
    reference = tiles.swapaxes(1, 2).reshape(768, 1280, 3)[:700, :1152]
    seen = look(folder / "slide", path)
    wanted = np.full((896, 896, 3), 255, np.uint8)
    crop = reference[:896, :896]
    wanted[: crop.shape[0], : crop.shape[1]] = crop
    check(seen["recipe"]["name"] == "slide" and len(seen["pixels"]) == 1 and np.array_equal(seen["pixels"][0], wanted), "slide: patch of the DICOM slide")


def main():
    rng = np.random.default_rng(11)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        check_ct(folder, rng)
        check_patients(folder)
        check_mr(folder, rng)
        check_photos(folder, rng)
        check_pages(folder)
        check_slide(folder)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
