#!/usr/bin/env python3
"""Writes corpus/image_fuzz: small images of every format from tests/data/images, and headers that claim too much.

Findings of the fuzzer, also there, stay as they are: tiff_broken_page, png_text_bomb.
"""

import shutil
import struct
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
IMAGES = HERE.parent / "data" / "images"
OUT = HERE / "corpus" / "image_fuzz"
NAMES = ["raw_3_4_1.png", "raw_2_16_1_9.png", "png_xmp6.png", "png_profile8.png", "jpeg_CMYK_10_17.jpg", "jpeg_s2_p1_15.jpg",
         "jpeg_exif7.jpg", "webp_RGB_17x31.webp", "webp_lossless_RGBA_5x4.webp", "webp_animated.webp", "tiff_1_group4.tif",
         "tiff_P_tiff_lzw.tif", "tiff_LAB_None.tif", "tiff_pages.tif", "tf_minisblack_u2_be_tiled.tif",
         "tf_assocalpha_le.tif", "tf_planar_be.tif", "gif_interlaced.gif", "gif_d2_4.gif", "bmp_rle8.bmp", "bmp_rle4.bmp",
         "bmp_565f.bmp", "bmp_os2.bmp"]


def png_header(width, height, depth=8, color=2):
    data = b"IHDR" + struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    pixels = b"IDAT" + zlib.compress(b"\0" * 4096)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (data, pixels, b"IEND"))


def tiff(tags):
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in sorted(tags))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 8)  # the next page is this one


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        shutil.copy(IMAGES / name, OUT / name)
    made = {
        "png_bomb": png_header(100_000, 100_000),
        "png_wide16": png_header(0x7FFFFFFF, 1, 16, 6),
        "tiff_tile_bomb": tiff([(256, 4, 8), (257, 4, 8), (258, 3, 16), (259, 3, 8), (262, 3, 1), (322, 4, 0x10000),
                                (323, 4, 0x10000), (324, 4, 8), (325, 4, 64)]),
        "tiff_zero_strip": tiff([(256, 4, 8), (257, 4, 8), (258, 3, 8), (262, 3, 1), (273, 4, 8), (278, 4, 0), (279, 4, 64)]),
        "gif_empty": b"GIF89a\0\0\0\0\0\0\0;",
        "bmp_negative": b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, -1, -2**31, 1, 24, 0, 0, 0, 0, 0, 0),
        "data_url": b"data:image/png;base64,iVBORw0KGgo=",
    }
    for name, data in made.items():
        (OUT / name).write_bytes(data)


if __name__ == "__main__":
    main()
