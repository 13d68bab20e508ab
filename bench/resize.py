#!/usr/bin/env python3
"""Resizing 4,000 x 3,000 RGB to 896 x 896: galen beside Pillow, taking turns, one thread each, the fastest of several rounds.

    resize.py [--driver PROGRAM] [--rounds N] [--json]

PROGRAM: build/release/tests/parity/images/image_driver. Run with the environment of tools/oracle_requirements.txt. --json:
{filter: {"Pillow" or the instruction set: seconds}}. Instruction sets that the processor lacks are left out.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from PIL import __version__ as pillow_version

FILTERS = {2: "bilinear", 3: "bicubic", 1: "lanczos"}


def open_drivers(program, path):
    """{instruction set: a driver that has decoded the picture}."""
    drivers = {}
    for isa in ("ref", "avx2", "avx512"):
        driver = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  env=dict(os.environ) | {"GALEN_ISA": isa})
        try:
            driver.stdin.write(f"decode 0 {path}\n".encode())
            driver.stdin.flush()
            answer = driver.stdout.readline().split()
        except BrokenPipeError:
            answer = []
        if len(answer) < 5:
            driver.kill()
            driver.wait()
            continue
        driver.stdout.read(int(answer[4]))
        drivers[isa] = driver
    return drivers


def resize_in(driver, number):
    """Seconds of one resize."""
    driver.stdin.write(f"time 896 896 {number} 1\n".encode())
    driver.stdin.flush()
    return int(driver.stdout.readline().split()[1]) / 1e6


def measure(program, rounds):
    """{filter: {who: the fewest seconds}}."""
    rng = np.random.default_rng(1)
    image = Image.fromarray(rng.integers(0, 256, (3000, 4000, 3), dtype=np.uint8))
    image.load()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.bmp"
        image.save(path)
        drivers = open_drivers(program, path)
        found = {}
        for number, name in FILTERS.items():
            best = {}
            for _ in range(rounds):
                start = time.perf_counter()
                image.resize((896, 896), number)
                best["Pillow"] = min(best.get("Pillow", float("inf")), time.perf_counter() - start)
                for isa, driver in drivers.items():
                    if isa != "ref" or name == "bilinear":
                        best[isa] = min(best.get(isa, float("inf")), resize_in(driver, number))
            found[name] = best
        for driver in drivers.values():
            driver.stdin.close()
            driver.wait()
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--driver", default="build/release/tests/parity/images/image_driver")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = measure(args.driver, args.rounds)
    if args.json:
        print(json.dumps(found))
        return
    print("Pillow", pillow_version)
    for name, best in found.items():
        print(f"{name:9}", ", ".join(f"{who} {1e3 * s:.1f} ms ({best['Pillow'] / s:.1f}x)" for who, s in best.items()))


if __name__ == "__main__":
    main()
