#!/usr/bin/env python3
"""Makes a CT series for dicom_speed. usage: make_series.py FOLDER [slices, default 300] [size, default 512]"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
import sets  # noqa: E402


def main():
    folder, count, size = Path(sys.argv[1]), *(int(v) for v in (sys.argv[2:] + ["300", "512"][len(sys.argv) - 2:]))
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(1)
    y, x = np.mgrid[0:size, 0:size]
    body = np.where((x - size / 2) ** 2 + (y - size / 2) ** 2 < (0.4 * size) ** 2, 1060, 24)
    for k in range(count):
        pixels = (body + random.normal(0, 20, body.shape)).clip(0, 4095).astype(np.uint16)
        ds = sets.image(pixels, BitsStored=12, uid=f"2.25.{1000 + k}", InstanceNumber=count - k, RescaleSlope="1",
                        RescaleIntercept="-1024", RescaleType="HU", PixelSpacing=["0.7", "0.7"],
                        ImagePositionPatient=["-180", "-180", str(1.25 * k)], ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
        sets.save(ds, folder / f"{k * 7 % count:04d}.dcm")


if __name__ == "__main__":
    main()
