#!/usr/bin/env python3
"""Writes fixtures/*.dcm: transfer syntaxes that neither pydicom's own files nor DCMTK's tools give.

    python3 -m venv V; V/bin/pip install imagecodecs==2026.3.6 pydicom==3.0.2 numpy; V/bin/python make_fixtures.py

HTJ2K by OpenJPH (in imagecodecs), lossless JPEG of process 14 with other predictors, JPEG 2000 signed and of odd depths.
The pictures are computed; no patient is behind them.
"""

from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

OUT = Path(__file__).resolve().parent / "fixtures"
UIDS = {"htj2k_lossless": "1.2.840.10008.1.2.4.201", "htj2k": "1.2.840.10008.1.2.4.203",
        "j2k_lossless": "1.2.840.10008.1.2.4.90", "j2k": "1.2.840.10008.1.2.4.91",
        "jpeg_lossless": "1.2.840.10008.1.2.4.57"}


def picture(rows, columns, bits, signed, samples=1):
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float64)
    planes = [np.sin(x / (7 + s)) + np.cos(y / (5 + 2 * s)) + (x * y) / (rows * columns) for s in range(samples)]
    wave = np.stack(planes, -1) if samples > 1 else planes[0]
    wave = (wave - wave.min()) / (wave.max() - wave.min())
    low = -(1 << (bits - 1)) if signed else 0
    values = np.round(wave * ((1 << bits) - 1)) + low
    width = 8 if bits <= 8 else 16
    return values.astype(np.dtype(f"{'i' if signed else 'u'}{width // 8}"))


def data_set(kind, frames, pixels, bits, photometric):
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UIDS[kind]
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = "2.25.1"
    ds.Modality = "OT"
    ds.PatientID = "made"
    ds.Rows, ds.Columns = pixels.shape[:2]
    ds.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    if ds.SamplesPerPixel == 3:
        ds.PlanarConfiguration = 0
    ds.PhotometricInterpretation = photometric
    ds.BitsAllocated = pixels.dtype.itemsize * 8
    ds.BitsStored, ds.HighBit = bits, bits - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    ds.NumberOfFrames = len(frames)
    ds.PixelData = encapsulate(frames)
    ds["PixelData"].is_undefined_length = True
    return ds


def write(name, kind, frames, pixels, bits, photometric="MONOCHROME2"):
    path = OUT / f"{name}.dcm"
    data_set(kind, frames, pixels, bits, photometric).save_as(path, enforce_file_format=True)
    print(path.name, path.stat().st_size)


def main():
    OUT.mkdir(exist_ok=True)
    for bits, signed in ((8, False), (12, True), (12, False), (16, True), (10, False)):
        pixels = picture(61, 83, bits, signed)
        name = f"{'s' if signed else 'u'}{bits}"
        # The encoder takes the container's depth; a picture of fewer bits is a valid stream of more.
        write(f"htj2k_lossless_{name}", "htj2k_lossless", [imagecodecs.htj2k_encode(pixels, reversible=True)] * 2, pixels, bits)
    pixels = picture(61, 83, 16, False)
    write("htj2k_lossy_u16", "htj2k", [imagecodecs.htj2k_encode(pixels, level=0.01)], pixels, 16)
    pixels = picture(61, 83, 8, False, 3)
    write("htj2k_lossless_rgb", "htj2k_lossless", [imagecodecs.htj2k_encode(pixels, reversible=True)], pixels, 8, "YBR_RCT")
    for bits in (8, 11, 16):
        pixels = picture(61, 83, bits, False)
        write(f"j2k_lossless_u{bits}", "j2k_lossless",
              [imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", reversible=True, bitspersample=bits)], pixels, bits)
    pixels = picture(61, 83, 8, False, 3)
    write("j2k_lossy_rgb", "j2k", [imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", level=40)], pixels, 8, "YBR_ICT")
    for bits in (8, 12, 16):
        pixels = picture(61, 83, bits, False)
        for predictor in (1, 2, 4, 5, 6, 7) if bits == 16 else (1, 7):
            write(f"jpeg_lossless_u{bits}_p{predictor}", "jpeg_lossless",
                  [imagecodecs.ljpeg_encode(pixels, bitspersample=bits) if predictor == 1 else
                   lossless_jpeg(pixels, bits, predictor)], pixels, bits)


def lossless_jpeg(pixels, bits, predictor):
    """A plain encoder of ITU T.81 annex H with one Huffman table, since common libraries write predictor 1 only."""
    rows, columns = pixels.shape
    values = pixels.astype(np.int64)
    out, bitbuf, bitcount = bytearray(), 0, 0

    def put(value, length):
        nonlocal bitbuf, bitcount
        bitbuf = (bitbuf << length) | value
        bitcount += length
        while bitcount >= 8:
            byte = (bitbuf >> (bitcount - 8)) & 0xFF
            out.append(byte)
            if byte == 0xFF:
                out.append(0)
            bitcount -= 8
            bitbuf &= (1 << bitcount) - 1

    # Seventeen categories: all codes of five bits, the all-ones code stays unused.
    for r in range(rows):
        for c in range(columns):
            a = values[r, c - 1] if c else 0
            b = values[r - 1, c] if r else 0
            d = values[r - 1, c - 1] if r and c else 0
            if r == 0 and c == 0:
                guess = 1 << (bits - 1)
            elif r == 0:
                guess = a
            elif c == 0:
                guess = b
            else:
                guess = {1: a, 2: b, 3: d, 4: a + b - d, 5: a + ((b - d) >> 1), 6: b + ((a - d) >> 1), 7: (a + b) >> 1}[predictor]
            diff = int(values[r, c] - guess) & 0xFFFF
            diff = diff - 0x10000 if diff > 0x8000 else diff
            category = abs(diff).bit_length() if diff != 0x8000 else 16
            put(category, 5)
            if 0 < category < 16:
                put(diff if diff > 0 else diff + (1 << category) - 1, category)
    if bitcount:
        put((1 << (8 - bitcount)) - 1, 8 - bitcount)
    sof = bytes([bits]) + rows.to_bytes(2, "big") + columns.to_bytes(2, "big") + bytes([1, 1, 0x11, 0])
    dht = bytes([0] + [0, 0, 0, 0, 17] + [0] * 11) + bytes(range(17))
    sos = bytes([1, 1, 0, predictor, 0, 0])

    def segment(marker, body):
        return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body

    return b"\xff\xd8" + segment(0xC3, sof) + segment(0xC4, dht) + segment(0xDA, sos) + bytes(out) + b"\xff\xd9"


if __name__ == "__main__":
    main()
