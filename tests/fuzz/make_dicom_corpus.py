#!/usr/bin/env python3
"""Writes the seeds of dicom_fuzz: small right files of several transfer syntaxes, and one for each known attack.

Needs pydicom and numpy (the environment of the parity tests). usage: make_dicom_corpus.py
"""

import shutil
import struct
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "parity" / "dicom"))
import sets  # noqa: E402

OUT = HERE / "corpus" / "dicom_fuzz"
FIXTURES = HERE.parent / "parity" / "dicom" / "fixtures"
SYNTAX = b"1.2.840.10008.1.2.1\0"


def attack(name, data):
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", len(SYNTAX)) + SYNTAX
    (OUT / name).write_bytes(b"\0" * 128 + b"DICM" + meta + data)


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    pixels = np.arange(48, dtype=np.uint16).reshape(6, 8) * 80
    sets.save(sets.image(pixels, BitsStored=12, WindowCenter="40", WindowWidth="400", RescaleSlope="1", RescaleIntercept="-1024"),
              OUT / "grey")
    sets.save(sets.image([pixels, pixels + 1], BitsStored=12, VOILUTSequence=[sets.lut(0, range(300), 10)]), OUT / "table")
    sets.save(sets.segmented((pixels >> 4).astype(np.uint8), 16), OUT / "segmented")
    sets.save(sets.image(np.zeros((4, 4, 3), np.uint8), PhotometricInterpretation="YBR_FULL_422",
                         PixelData=bytes(32)), OUT / "shared_chroma")
    for name in ("htj2k_lossless_u8", "j2k_lossless_u8", "jpeg_lossless_u8_p1", "j2k_lossy_rgb"):
        shutil.copy(FIXTURES / f"{name}.dcm", OUT / name)
    wheel = Path(sets.pydicom.__file__).resolve().parent / "data" / "test_files"
    for name in ("SC_rgb_small_odd_jpeg", "JPEGLSNearLossless_08", "rtdose_rle_1frame", "SC_rgb_jls_lossy_line", "ExplVR_LitEndNoMeta"):
        shutil.copy(wheel / f"{name}.dcm", OUT / name)
    long = struct.pack("<HH2sHI", 0x28, 0x3006, b"OW", 0, 0xFFFFFFFE)
    attack("negative_length", long)
    nested = struct.pack("<HH2sHI", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    attack("deep", nested * 300)
    attack("stray_item", struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF))


if __name__ == "__main__":
    main()
