#!/usr/bin/env python3
"""Writes head.nii.gz beside this script: an invented head of ellipsoids in Hounsfield units, 64 x 72 x 40 voxels of
3 x 3 x 5 mm, stored from left to right, back to front, foot to head (RAS). A small bright ball marks the patient's right side.

Needs nothing but Python.
"""

import gzip
import struct
from pathlib import Path

SHAPE, SPACING = (64, 72, 40), (3.0, 3.0, 5.0)
# centre and radii in mm from the middle of the volume, value; later ones lie over earlier ones
BODIES = [
    ((0, 0, 0), (78, 98, 88), 60),  # scalp
    ((0, 0, 0), (72, 92, 82), 900),  # skull
    ((0, 0, 0), (66, 86, 76), 35),  # brain
    ((12, 5, 10), (7, 26, 14), 5),  # ventricles
    ((-12, 5, 10), (7, 26, 14), 5),
    ((38, -20, 5), (12, 12, 12), 68),  # an invented bleed on the right
    ((84, 60, 0), (6, 6, 10), 1000),  # the marker, on the right
]


def value(x, y, z):
    v = -1000
    for (cx, cy, cz), (rx, ry, rz), hu in BODIES:
        if ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2 <= 1:
            v = hu
    return v


def header():
    h = bytearray(352)
    struct.pack_into("<i", h, 0, 348)
    struct.pack_into("<8h", h, 40, 3, *SHAPE, 1, 1, 1, 1)
    struct.pack_into("<hh", h, 70, 4, 16)  # int16
    struct.pack_into("<8f", h, 76, 1, *SPACING, 1, 1, 1, 1)
    struct.pack_into("<3f", h, 108, 352, 1, 0)  # offset, slope, intercept
    h[123] = 2  # mm
    struct.pack_into("<hh", h, 252, 0, 1)  # sform: scanner
    for axis in range(3):
        row = [0.0] * 4
        row[axis] = SPACING[axis]
        row[3] = -SPACING[axis] * (SHAPE[axis] - 1) / 2
        struct.pack_into("<4f", h, 280 + 16 * axis, *row)
    h[344:348] = b"n+1\0"
    return bytes(h)


def main():
    middle = [(n - 1) / 2 for n in SHAPE]
    data = bytearray()
    for k in range(SHAPE[2]):
        for j in range(SHAPE[1]):
            for i in range(SHAPE[0]):
                place = [(v - m) * s for v, m, s in zip((i, j, k), middle, SPACING)]
                data += struct.pack("<h", value(*place))
    path = Path(__file__).resolve().parent / "head.nii.gz"
    path.write_bytes(gzip.compress(header() + bytes(data), 9, mtime=0))


if __name__ == "__main__":
    main()
