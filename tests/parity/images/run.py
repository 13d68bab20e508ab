#!/usr/bin/env python3
"""Images as galen reads, turns, converts and resizes them against Pillow, byte for byte.

    run.py [--fixtures DIR] [--real DIR]...

Pictures: those of make_fixtures.py, made anew, and the real ones of scikit-image and of --real. Each is compared with
ImageOps.exif_transpose(Image.open(f)).convert("RGB"), further frames too, then resized with Pillow's filters and
PyTorch's integer antialiasing, on every instruction set in turn; normalisation, crops and padding with transformers'
functions. The driver is $GALEN_BUILD/tests/parity/images/image_driver. Exit code 77: no driver or no Pillow.
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
try:
    import numpy as np
    import skimage
    import torch
    from PIL import Image, ImageOps, UnidentifiedImageError
    from transformers.image_transforms import center_crop, normalize, rescale

    from make_fixtures import Maker
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".gif", ".bmp"}
ISAS = ("avx512", "avx2", "ref")
SMALL = 400_000  # pixels up to which every filter and the scalar kernels are tried
# Pillow fails on these, galen reads them (docs/media.md): nothing to compare.
PILLOW_FAILS = {}


class Driver:
    def __init__(self, program, isa):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=dict(os.environ) | {"GALEN_ISA": isa})

    def ask(self, command, dtype=np.uint8):
        """(header, warnings, data); raises ValueError for an error answer."""
        self.process.stdin.write((command + "\n").encode())
        self.process.stdin.flush()
        head = self.process.stdout.readline().decode().rstrip("\n")
        if not head.startswith("ok "):
            raise ValueError(head or f"the driver ended on: {command}")
        width, height, channels, size, count = map(int, head.split()[1:])
        notes = [self.process.stdout.readline().decode().rstrip("\n") for _ in range(count)]
        return (width, height, channels), notes, np.frombuffer(self.process.stdout.read(size), dtype)

    def image(self, command):
        (width, height, channels), notes, data = self.ask(command)
        return data.reshape(height, width, channels), notes


class Checker:
    def __init__(self, program):
        self.drivers = [Driver(program, isa) for isa in ISAS]
        self.rng = np.random.default_rng(2026)
        self.failures = []
        self.counts = {}

    def check(self, kind, name, got, want):
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if got.shape == want.shape and got.dtype == want.dtype and np.array_equal(got, want):
            return True
        where = f"{got.shape} for {want.shape}"
        if got.shape == want.shape:
            differ = got != want
            where = f"{differ.sum()} of {differ.size} values, by {np.abs(got.astype(float) - want).max()}"
        self.failures.append(f"{kind} {name}: {where}")
        return False

    def file(self, path):
        """Every frame of one file."""
        try:
            opened = Image.open(path)
            frames = getattr(opened, "n_frames", 1) if opened.format != "PNG" else 1
        except UnidentifiedImageError:
            return
        (width, height, count), _, _ = self.drivers[0].ask(f"probe {path}")
        self.check("probe", path.name, np.array([width, height, count]), np.array([*self.stored_size(opened), frames]))
        for frame in range(frames):
            self.frame(path, frame)

    @staticmethod
    def stored_size(opened):
        if opened.format == "TIFF" and opened.tag_v2.get(274) in (5, 6, 7, 8):
            return opened.size[::-1]
        return opened.size

    def frame(self, path, frame):
        name = f"{path.name}[{frame}]"
        opened = Image.open(path)
        opened.seek(frame)
        image = ImageOps.exif_transpose(opened).convert("RGB")
        driver = self.drivers[len(self.counts) and sum(self.counts.values()) % len(self.drivers)]
        if image.width * image.height > SMALL:
            driver = self.drivers[0]
        try:
            got, _ = driver.image(f"decode {frame} {path}")
        except ValueError as error:
            self.failures.append(f"decode {name}: {error}")
            return
        if self.check("decode", name, got, np.asarray(image)):
            self.resizes(driver, name, image)

    def resizes(self, driver, name, image):
        small = image.width * image.height <= SMALL
        filters = self.rng.permutation(6)[: 3 if small else 1]
        for number in filters:
            size = tuple(int(v) for v in self.rng.integers(1, 257, 2)) if small else (896, 896)
            box = (0.0, 0.0, float(image.width), float(image.height))
            if small and self.rng.random() < 0.25:
                left, right = np.sort(self.rng.random(2) * image.width)
                top, bottom = np.sort(self.rng.random(2) * image.height)
                box = tuple(float(np.float32(v)) for v in (left, top, right, bottom))
            self.resize(driver, name, image, size, int(number), box)
        if self.rng.random() < 0.5:
            self.torch(driver, name, image, tuple(int(v) for v in self.rng.integers(1, 257, 2)))

    def resize(self, driver, name, image, size, number, box):
        want = np.asarray(image.resize(size, number, box=box))
        got, _ = driver.image(f"resize {size[0]} {size[1]} {number} " + " ".join(map(repr, box)))
        self.check("resize", f"{name} to {size}, filter {number}, box {box}", got, want)

    def torch(self, driver, name, image, size):
        tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
        for number, mode in ((2, "bilinear"), (3, "bicubic")):
            want = torch.nn.functional.interpolate(tensor, size[::-1], mode=mode, antialias=True)
            want = want[0].permute(1, 2, 0).numpy()
            got, _ = driver.image(f"torch {size[0]} {size[1]} {number}")
            self.check("torch", f"{name} to {size}, {mode}", got, want)

    def large(self, path):
        """All filters on the largest picture, to the sizes that models take."""
        image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        self.drivers[0].image(f"decode 0 {path}")
        for number in (1, 2, 3, 4, 5):
            self.resize(self.drivers[0], path.name, image, (896, 896), number, (0.0, 0.0, image.width, image.height))
        self.resize(self.drivers[0], path.name, image, (448, 448), 2, (0.0, 0.0, image.width, image.height))
        self.torch(self.drivers[0], path.name, image, (448, 336))

    def processing(self, path):
        """What image processors do besides resizing."""
        image = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
        driver, planes = self.drivers[0], image.transpose(2, 0, 1)
        driver.image(f"decode 0 {path}")
        height, width = image.shape[:2]
        for mean, std in ((0.5, 0.5), (0.48145466, 0.26862954), (0.40821073, 0.27577711)):
            want = normalize(rescale(planes, 1 / 255), [mean] * 3, [std] * 3, input_data_format="channels_first")
            _, _, got = driver.ask(f"normalize {1 / 255!r} {mean!r} {std!r}", np.float32)
            self.check("normalize", path.name, got.reshape(planes.shape), want)
        for w, h in ((7, 5), (width, height), (width + 3, 6), (4, height + 5), (width + 1, height + 2)):
            want = center_crop(planes, (h, w), input_data_format="channels_first")
            got, _ = driver.image(f"center {w} {h}")
            self.check("center_crop", f"{path.name} {w} {h}", got, want.transpose(1, 2, 0))
        box = (-2, 3, width - 1, height + 4)
        want = np.asarray(Image.fromarray(image).crop(box))
        got, _ = driver.image(f"crop {box[0]} {box[1]} {box[2] - box[0]} {box[3] - box[1]}")
        self.check("crop", path.name, got, want)
        side = max(width, height)
        want = np.full((side, side, 3), (9, 8, 7), np.uint8)
        y, x = (side - height) // 2, (side - width) // 2
        want[y: y + height, x: x + width] = image
        got, _ = driver.image("pad 9 8 7")
        self.check("pad", path.name, got, want)
        _, _, png = driver.ask("png")
        self.check("png", path.name, np.asarray(Image.open(io.BytesIO(png.tobytes()))), image)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fixtures")
    parser.add_argument("--real", action="append", default=[])
    args = parser.parse_args()
    program = Path(os.environ.get("GALEN_BUILD", "build/release")) / "tests/parity/images/image_driver"
    if not program.exists():
        print(f"skipped: {program} is not built")
        return 77
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        files = Maker(args.fixtures or folder).run()
        real = [Path(skimage.__file__).parent / "data", *map(Path, args.real)]
        files += sorted(p for directory in real for p in directory.rglob("*") if p.suffix.lower() in SUFFIXES)
        checker = Checker(str(program))
        for path in files:
            if path.name not in PILLOW_FAILS:
                checker.file(path)
        by_name = {path.name: path for path in files}
        checker.large(by_name["large.jpg"])
        for name in ("png_RGB_131x97.png", "jpeg_exif6.jpg", "png_RGB_1x1.png"):
            checker.processing(by_name[name])
    for failure in checker.failures:
        print("FAILED", failure)
    print(f"{len(files)} files:", ", ".join(f"{count} {kind}" for kind, count in sorted(checker.counts.items())),
          f"compared, {len(checker.failures)} differ")
    return 1 if checker.failures else 0


if __name__ == "__main__":
    sys.exit(main())
