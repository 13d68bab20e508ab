#!/usr/bin/env python3
"""Slices per second of a CT series with pydicom, NumPy and Pillow, as one JSON line. usage: pydicom_series.py FOLDER PROCESSES

What dicom_speed does: headers read and put in order along the normal, then each slice decoded, rescaled, put through three windows
into RGB and resized to 896 x 896 (bilinear). The processes are started before the clock.
"""

import json
import multiprocessing
import sys
import time
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image

WINDOWS = ((-1024, 1024), (-135, 215), (0, 80))


def place(path):
    header = pydicom.dcmread(path, stop_before_pixels=True)
    row, column = np.array(header.ImageOrientationPatient, float).reshape(2, 3)
    return float(np.dot(np.cross(row, column), np.array(header.ImagePositionPatient, float))), str(path)


def picture(path):
    """The sum of the picture's bytes, so that it is not sent between processes."""
    data = pydicom.dcmread(path)
    values = data.pixel_array.astype(np.float32) * float(data.RescaleSlope) + float(data.RescaleIntercept)
    channels = [np.clip((values - low) * (255.0 / (high - low)) + 0.5, 0, 255).astype(np.uint8) for low, high in WINDOWS]
    image = Image.fromarray(np.stack(channels, axis=-1)).resize((896, 896), Image.Resampling.BILINEAR)
    return int(np.asarray(image).sum(dtype=np.int64))


def main():
    files = sorted(Path(sys.argv[1]).iterdir())
    with multiprocessing.Pool(int(sys.argv[2])) as pool:
        pool.map(place, files[:int(sys.argv[2])])
        begin = time.perf_counter()
        order = [path for _, path in sorted(pool.map(place, files, chunksize=8))]
        sums = pool.map(picture, order, chunksize=4)
        seconds = time.perf_counter() - begin
    print(json.dumps({"slices_per_s": len(files) / seconds, "slices": len(files), "sum": sum(sums), "version": pydicom.__version__}))


if __name__ == "__main__":
    main()
