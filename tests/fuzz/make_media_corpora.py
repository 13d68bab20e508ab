#!/usr/bin/env python3
"""Writes the corpora of pdf_text_fuzz, nifti_fuzz and recipe_fuzz: small good inputs to mutate.

    make_media_corpora.py [corpus directory, default: corpus/ beside this script]

Needs Python and poppler's pdftotext.
"""

import gzip
import struct
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUT = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "corpus"
ROOT = HERE.parents[1]
VOXELS = bytes(range(48))


def write(target, name, data):
    folder = OUT / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def pdf_text():
    write("pdf_text_fuzz", "range", b"1-3,7")
    write("pdf_text_fuzz", "open_range", b" 2 - , 1-")
    write("pdf_text_fuzz", "ppm", b"P6\n2 2\n255\n123456789012")
    for name, file, page in (("words", "escapes.pdf", "1"), ("turned", "pages.pdf", "2")):
        command = ["pdftotext", "-cropbox", "-bbox-layout", "-f", page, "-l", page, ROOT / "tests/data/documents" / file, "-"]
        write("pdf_text_fuzz", name, subprocess.run(command, check=True, capture_output=True).stdout)


def nifti1(order="<", dims=(3, 2, 3, 4, 1, 1, 1, 1), sform=1, qform=0):
    h = bytearray(348)
    struct.pack_into(order + "i", h, 0, 348)
    struct.pack_into(order + "8h", h, 40, *dims)
    struct.pack_into(order + "hh", h, 70, 4, 16)
    struct.pack_into(order + "8f", h, 76, 1, 1, 2, 3, 1, 1, 1, 1)
    struct.pack_into(order + "f", h, 108, 352)
    h[123] = 2
    struct.pack_into(order + "hh", h, 252, qform, sform)
    struct.pack_into(order + "12f", h, 280, -1, 0, 0, 10, 0, 2, 0, -5, 0, 0, 3, 7)
    h[344:348] = b"n+1\0"
    return bytes(h) + bytes(4)


def nifti2():
    h = bytearray(540)
    struct.pack_into("<i", h, 0, 540)
    h[4:12] = b"n+2\0\r\n\x1a\n"
    struct.pack_into("<hh8q", h, 12, 2, 8, 3, 2, 3, 4, 1, 1, 1, 1)
    struct.pack_into("<8d", h, 104, *[1.0] * 8)
    struct.pack_into("<q", h, 168, 544)
    struct.pack_into("<ii", h, 344, 1, 0)
    return bytes(h) + bytes(4)


def nifti():
    write("nifti_fuzz", "plain.nii", nifti1() + VOXELS)
    write("nifti_fuzz", "packed.nii.gz", gzip.compress(nifti1() + VOXELS, mtime=0))
    write("nifti_fuzz", "big_endian.nii", nifti1(">") + VOXELS)
    write("nifti_fuzz", "qform.nii", nifti1(sform=0, qform=1) + VOXELS)
    write("nifti_fuzz", "frames.nii", nifti1(dims=(4, 2, 3, 2, 2, 1, 1, 1)) + VOXELS)
    write("nifti_fuzz", "second.nii", nifti2() + VOXELS[:24])


def recipes():
    for name in ("ct", "localise", "page"):
        write("recipe_fuzz", f"{name}.json", (ROOT / f"configs/recipes/{name}.json").read_bytes())
    write("recipe_fuzz", "answer", b'Final Answer: ```json[{"box_2d": [800, 3, 840, 471], "label": "car"}, '
          b'{"box_2d": [400, 22, 600, 73], "label": "dog"}]```')


pdf_text()
nifti()
recipes()
