#!/usr/bin/env python3
"""Resizing 4,000 x 3,000 RGB to 896 x 896: galen beside Pillow, taking turns, one thread each, the fastest of several rounds.

    resize.py [--driver PROGRAM] [--rounds N]

PROGRAM: build/release/tests/parity/images/image_driver. Run with the environment of tools/oracle_requirements.txt.
"""

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from PIL import __version__ as pillow_version

FILTERS = {2: "bilinear", 3: "bicubic", 1: "lanczos"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--driver", default="build/release/tests/parity/images/image_driver")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    rng = np.random.default_rng(1)
    image = Image.fromarray(rng.integers(0, 256, (3000, 4000, 3), dtype=np.uint8))
    image.load()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.bmp"
        image.save(path)
        drivers = {}
        for isa in ("ref", "avx2", "avx512"):
            drivers[isa] = subprocess.Popen([args.driver], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            env=dict(os.environ) | {"GALEN_ISA": isa})
            drivers[isa].stdin.write(f"decode 0 {path}\n".encode())
            drivers[isa].stdin.flush()
            size = int(drivers[isa].stdout.readline().split()[4])
            drivers[isa].stdout.read(size)
        for number, name in FILTERS.items():
            best = {"Pillow " + pillow_version: float("inf")}
            for _ in range(args.rounds):
                start = time.perf_counter()
                image.resize((896, 896), number)
                pillow = next(iter(best))
                best[pillow] = min(best[pillow], time.perf_counter() - start)
                for isa, driver in drivers.items():
                    if isa == "ref" and name != "bilinear":
                        continue
                    driver.stdin.write(f"time 896 896 {number} 1\n".encode())
                    driver.stdin.flush()
                    spent = int(driver.stdout.readline().split()[1]) / 1e6
                    best[isa] = min(best.get(isa, float("inf")), spent)
            print(f"{name:9}", ", ".join(f"{who} {1e3 * spent:.1f} ms ({best[pillow] / spent:.1f}x)" for who, spent in best.items()))


if __name__ == "__main__":
    main()
