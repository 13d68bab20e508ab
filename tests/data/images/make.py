#!/usr/bin/env python3
"""Writes the small images of the unit tests here, and beside each NAME the pixels that Pillow reads from it, NAME.png.

Also resize_FILTER_WxH.png and torch_FILTER_WxH.png: what Pillow and PyTorch make of source.png. Run with the environment of
tools/oracle_requirements.txt; the fixtures in the tree come from Pillow 13.0.0 and torch 2.13.0.
"""

import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "parity" / "images"))
from make_fixtures import Maker, picture  # noqa: E402

NAMES = [
    "png_1_17x31.png", "png_LA_17x31.png", "png_P_17x31.png", "png_RGBA_5x4.png", "png_I16_5x4.png", "raw_2_16_1_9.png",
    "raw_3_4_1.png", "png_exif6.png", "png_xmp6.png", "png_profile8.png", "jpeg_L_75_17.jpg", "jpeg_s2_p1_15.jpg",
    "jpeg_CMYK_10_17.jpg", "jpeg_ycck.jpg", "jpeg_exif7.jpg", "jpeg_xmp3.jpg", "webp_RGB_17x31.webp",
    "webp_lossless_RGBA_5x4.webp", "webp_exif5.webp", "tiff_P_tiff_lzw.tif", "tiff_1_group4.tif", "tiff_orient8.tif",
    "tiff_YCbCr_None.tif", "tiff_LAB_None.tif", "tf_planar_be.tif", "tf_assocalpha_le.tif", "tf_minisblack_u2_be_tiled.tif",
    "gif_P_17x31.gif", "gif_interlaced.gif", "bmp_1_17x31.bmp", "bmp_565f.bmp", "bmp_rle8.bmp", "bmp_rle4.bmp", "bmp_os2.bmp",
]
SEVERAL = ["tiff_pages.tif", "gif_d2_4.gif", "gif_d3_None.gif", "webp_animated.webp"]
SIZES = [(7, 5), (61, 40), (12, 90)]


def main():
    warnings.simplefilter("ignore")
    for old in HERE.iterdir():
        if old.is_file() and old.suffix != ".py":
            old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        Maker(folder).run()
        for name in NAMES + SEVERAL:
            shutil.copy(Path(folder) / name, HERE / name)
    for name in NAMES:
        ImageOps.exif_transpose(Image.open(HERE / name)).convert("RGB").save(HERE / f"{name}.png", optimize=True)
    for name in SEVERAL:
        image = Image.open(HERE / name)
        for frame in range(image.n_frames):
            image.seek(frame)
            ImageOps.exif_transpose(image).convert("RGB").save(HERE / f"{name}.{frame}.png", optimize=True)
    source = Image.fromarray(picture(33, 27, 4711))
    source.save(HERE / "source.png", optimize=True)
    tensor = torch.from_numpy(np.array(source)).permute(2, 0, 1)[None]
    for width, height in SIZES:
        for filter in range(6):
            source.resize((width, height), filter).save(HERE / f"resize_{filter}_{width}x{height}.png", optimize=True)
        for filter, mode in ((2, "bilinear"), (3, "bicubic")):
            out = torch.nn.functional.interpolate(tensor, (height, width), mode=mode, antialias=True)[0]
            Image.fromarray(out.permute(1, 2, 0).numpy()).save(HERE / f"torch_{filter}_{width}x{height}.png", optimize=True)
    source.resize((10, 8), 3, box=(2.5, 1.25, 30.75, 20.5)).save(HERE / "resize_box.png", optimize=True)


if __name__ == "__main__":
    main()
