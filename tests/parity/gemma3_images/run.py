#!/usr/bin/env python3
"""Pixel values of galen for Gemma 3 against transformers' Gemma3ImageProcessorPil, bit for bit, crops included.

Images of all kinds of sizes, written as PNG and JPEG files by Pillow; every value of every view must be equal.
$GALEN_BUILD holds tests/parity/gemma3_images/gemma3_patches.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

DRIVER = Path(os.environ.get("GALEN_BUILD", "build/release")) / "tests/parity/gemma3_images/gemma3_patches"
# Width, height, mode, crops.
CASES = [(1, 1, "RGB", 0), (1, 500, "RGB", 0), (896, 896, "RGB", 0), (897, 895, "RGB", 0), (448, 448, "L", 0), (60, 40, "RGB", 0),
         (1200, 900, "RGB", 0), (900, 1200, "L", 0), (2000, 1500, "RGB", 0), (333, 777, "P", 0), (512, 300, "LA", 0),
         (700, 300, "RGB", 1), (300, 700, "RGB", 1), (1301, 300, "RGB", 1), (257, 1100, "L", 1), (640, 512, "RGB", 1),
         (600, 512, "RGB", 1), (520, 250, "RGB", 1), (1500, 400, "RGB", 1), (899, 701, "RGB", 1)]


def picture(rng, width, height, mode):
    low = rng.integers(0, 256, (max(2, height // 16), max(2, width // 16), 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(low).resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    noisy = np.clip(smooth + rng.integers(-20, 21, smooth.shape), 0, 255).astype(np.uint8)
    return Image.fromarray(noisy).convert(mode)


def patches(values, patch):
    """[C, H, W] -> rows of a convolution with stride `patch`."""
    c, h, w = values.shape
    return values.reshape(c, h // patch, patch, w // patch, patch).transpose(1, 3, 0, 2, 4).reshape(-1, c * patch * patch)


def compare(path, side, patch, crops):
    done = subprocess.run([DRIVER, str(side), str(patch), str(crops), path], capture_output=True)
    if done.returncode != 0:
        return done.stderr.decode()
    processor = Gemma3ImageProcessorPil(size={"height": side, "width": side}, do_convert_rgb=True)
    more = dict(do_pan_and_scan=True, pan_and_scan_min_crop_size=256, pan_and_scan_max_num_crops=4,
                pan_and_scan_min_ratio_to_activate=1.2) if crops else {}
    wanted = processor(Image.open(path), return_tensors="np", **more)["pixel_values"]
    wanted = np.concatenate([patches(np.asarray(view, np.float32), patch) for view in wanted])
    found = np.frombuffer(done.stdout, np.float32)
    if found.size != wanted.size:
        return f"{found.size} values, expected {wanted.size}"
    different = int((found != wanted.ravel()).sum())
    return f"{different} of {found.size} values differ" if different else ""


def main():
    if not DRIVER.exists():
        print(f"{DRIVER} is not built")
        return 1
    rng = np.random.default_rng(5)
    failures = count = 0
    with tempfile.TemporaryDirectory() as folder:
        for width, height, mode, crops in CASES:
            image = picture(rng, width, height, mode)
            for kind in ("png", "jpg") if mode in ("RGB", "L") else ("png",):
                path = Path(folder) / f"image.{kind}"
                image.save(path)
                for side, patch in ((896, 14), (448, 14)) if not crops else ((896, 14),):
                    fault = compare(path, side, patch, crops)
                    count += 1
                    if fault:
                        failures += 1
                        print(f"FAILED {width}x{height} {mode} {kind} crops {crops} side {side}: {fault}")
    print(f"{count} images, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
