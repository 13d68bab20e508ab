#!/usr/bin/env python3
"""Pixel values and grids of galen for Qwen2.5-VL against transformers' Qwen2VLImageProcessorPil, bit for bit.

Images of all kinds of sizes, written as PNG and JPEG files by Pillow, under several limits of the area; every value in its place.
Images that the reference refuses must be refused. $GALEN_BUILD holds tests/parity/qwen2_5_vl_images/qwen2_5_vl_patches.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

DRIVER = Path(os.environ.get("GALEN_BUILD", "build/release")) / "tests/parity/qwen2_5_vl_images/qwen2_5_vl_patches"
LIMITS = [(3136, 1003520), (3136, 12845056), (200704, 200704), (784, 10000)]
# Width, height, mode.
CASES = [(1, 1, "RGB"), (1, 200, "RGB"), (200, 1, "L"), (28, 28, "RGB"), (42, 70, "RGB"), (70, 42, "RGB"), (14, 14, "RGB"),
         (56, 112, "RGB"), (112, 112, "L"), (224, 448, "RGB"), (640, 480, "RGB"), (481, 641, "P"), (1000, 30, "RGB"), (300, 777, "LA"),
         (1200, 900, "RGB"), (2000, 1500, "RGB"), (99, 1500, "RGB"), (10, 2000, "RGB")]
REFUSED = [(10, 2001), (402, 2)]


def picture(rng, width, height, mode):
    low = rng.integers(0, 256, (max(2, height // 16), max(2, width // 16), 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(low).resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    noisy = np.clip(smooth + rng.integers(-20, 21, smooth.shape), 0, 255).astype(np.uint8)
    return Image.fromarray(noisy).convert(mode)


def ask(path, limits):
    return subprocess.run([DRIVER, *map(str, limits), path], capture_output=True)


def compare(path, limits):
    done = ask(path, limits)
    if done.returncode != 0:
        return done.stderr.decode()
    processor = Qwen2VLImageProcessorPil(size={"shortest_edge": limits[0], "longest_edge": limits[1]})
    prepared = processor(Image.open(path), return_tensors="np")
    grid = np.frombuffer(done.stdout[:16], np.int64)
    wanted_grid = prepared["image_grid_thw"][0]
    if wanted_grid[0] != 1 or grid.tolist() != wanted_grid[1:].tolist():
        return f"grid {grid.tolist()}, expected {wanted_grid.tolist()}"
    wanted = np.asarray(prepared["pixel_values"], np.float32).reshape(-1, 3, 2, 14 * 14)
    if not np.array_equal(wanted[:, :, 0], wanted[:, :, 1]):
        return "the reference's frames differ"
    different = int((np.frombuffer(done.stdout[16:], np.float32) != wanted[:, :, 0].ravel()).sum())
    return f"{different} values differ" if different else ""


def main():
    if not DRIVER.exists():
        print(f"{DRIVER} is not built")
        return 1
    rng = np.random.default_rng(5)
    failures = count = 0
    with tempfile.TemporaryDirectory() as folder:
        for width, height, mode in CASES:
            image = picture(rng, width, height, mode)
            for kind in ("png", "jpg") if mode in ("RGB", "L") else ("png",):
                path = Path(folder) / f"image.{kind}"
                image.save(path)
                for limits in LIMITS:
                    fault = compare(path, limits)
                    count += 1
                    if fault:
                        failures += 1
                        print(f"FAILED {width}x{height} {mode} {kind} pixels {limits}: {fault}")
        for width, height in REFUSED:
            path = Path(folder) / "image.png"
            picture(rng, width, height, "RGB").save(path)
            count += 1
            if ask(path, LIMITS[0]).returncode != 1:
                failures += 1
                print(f"FAILED {width}x{height}: taken, the reference refuses it")
    print(f"{count} images, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
