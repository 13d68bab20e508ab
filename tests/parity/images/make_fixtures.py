#!/usr/bin/env python3
"""Writes the images that run.py compares: every format and mode, sizes from 1 x 1 to 6,000 x 4,000, from a fixed seed.

    make_fixtures.py DIRECTORY
"""

import sys
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, ImageDraw

sys.path.insert(0, str(Path(__file__).resolve().parent))
import raw_bmp  # noqa: E402
import raw_png  # noqa: E402

SIZES = [(1, 1), (2, 1), (1, 3), (5, 4), (17, 31), (64, 64), (255, 3), (3, 258), (131, 97)]


def picture(width, height, seed, channels=3):
    """Edges, gradients and noise, so that filters, subsampling and palettes all have something to do."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    planes = [(x * (3 + c) + y * (5 - c)) * 255 // (3 * width + 5 * height + 1) % 256 for c in range(channels)]
    image = np.stack(planes, axis=-1).astype(np.int32)
    image[height // 3: height // 2 + 1, width // 4: width // 2 + 1] = rng.integers(0, 256, channels)
    image += rng.integers(-20, 21, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010E] = "fixture"
    return tags


class Maker:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.seed = 0

    def path(self, name):
        return str(self.folder / name)

    def image(self, mode, size):
        self.seed += 1
        width, height = size
        rgb = Image.fromarray(picture(width, height, self.seed))
        if mode in ("I;16", "I", "F"):
            top = {"I;16": 65536, "I": 400, "F": 400}[mode]
            values = np.random.default_rng(self.seed).integers(0, top, (height, width))
            if self.seed % 2:
                values %= 256  # within 8 bits: nothing is clipped
            return Image.fromarray(values.astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
        if mode in ("LA", "RGBA"):
            alpha = Image.fromarray(picture(width, height, self.seed + 1000, 1)[:, :, 0])
            base = rgb.convert("L" if mode == "LA" else "RGB")
            base.putalpha(alpha)
            return base
        if mode == "P":
            return rgb.quantize(64)
        if mode == "PA":
            image = rgb.quantize(64).convert("PA")
            return image
        return rgb.convert(mode)

    def each(self, prefix, suffix, modes, sizes, **options):
        for mode in modes:
            for width, height in sizes:
                name = f"{prefix}_{mode.replace(';', '')}_{width}x{height}.{suffix}"
                self.image(mode, (width, height)).save(self.path(name), **options)

    def png(self):
        self.each("png", "png", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"], SIZES)
        self.image("P", (33, 20)).save(self.path("png_p_trns.png"), transparency=3)
        self.image("P", (33, 20)).save(self.path("png_p_alphas.png"), transparency=bytes(range(64)))
        self.image("RGB", (33, 20)).save(self.path("png_rgb_trns.png"), transparency=(1, 2, 3))
        self.image("L", (33, 20)).save(self.path("png_l_trns.png"), transparency=7)
        for bits in (1, 2, 4):
            self.image("RGB", (37, 11)).quantize(1 << bits).save(self.path(f"png_p{bits}.png"), bits=bits)
        for o in range(1, 9):
            self.image("RGB", (24, 11)).save(self.path(f"png_exif{o}.png"), exif=exif(o))
        rng = np.random.default_rng(5)
        colors = {0: 1, 2: 3, 4: 2, 6: 4}
        for interlaced in (False, True):
            for color, channels in colors.items():
                for depth in (1, 2, 4, 8, 16) if color == 0 else (8, 16):
                    for width, height in ((1, 1), (3, 2), (9, 7), (50, 41)):
                        samples = rng.integers(0, 1 << depth, (height, width, channels))
                        name = f"raw_{color}_{depth}_{int(interlaced)}_{width}.png"
                        raw_png.write(self.path(name), samples, depth, color, interlaced)
            for depth in (1, 2, 4, 8):
                samples = rng.integers(0, 1 << depth, (13, 21, 1))
                palette = rng.integers(0, 256, 3 << depth).astype(np.uint8).tobytes()
                raw_png.write(self.path(f"raw_3_{depth}_{int(interlaced)}.png"), samples, depth, 3, interlaced,
                              [(b"PLTE", palette)])
        xmp = b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta><a tiff:Orientation=\"6\"/></x:xmpmeta>"
        raw_png.write(self.path("png_xmp6.png"), rng.integers(0, 256, (5, 9, 3)), 8, 2, chunks=[(b"iTXt", xmp)])
        tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0\0\0\0\0"
        profile = b"Raw profile type exif\0\nexif\n%8d\n%s\n" % (len(tiff) + 6, (b"Exif\0\0" + tiff).hex().encode())
        raw_png.write(self.path("png_profile8.png"), rng.integers(0, 256, (5, 9, 3)), 8, 2, chunks=[(b"tEXt", profile)])

    def jpeg(self):
        for mode in ("L", "RGB", "CMYK"):
            for quality in (10, 75, 100):
                for width, height in ((1, 1), (8, 8), (17, 31), (131, 97)):
                    image = self.image(mode, (width, height))
                    image.save(self.path(f"jpeg_{mode}_{quality}_{width}.jpg"), quality=quality)
        for sampling in (0, 1, 2):
            for progressive in (False, True):
                for size in ((1, 1), (15, 33), (200, 133)):
                    name = f"jpeg_s{sampling}_p{int(progressive)}_{size[0]}.jpg"
                    self.image("RGB", size).save(self.path(name), subsampling=sampling, progressive=progressive)
        self.image("RGB", (90, 70)).save(self.path("jpeg_rgb_kept.jpg"), keep_rgb=True)
        self.image("RGB", (90, 70)).save(self.path("jpeg_restart.jpg"), restart_marker_blocks=3)
        self.image("RGB", (90, 70)).save(self.path("jpeg_optimized.jpg"), optimize=True)
        for o in range(1, 9):
            self.image("RGB", (41, 24)).save(self.path(f"jpeg_exif{o}.jpg"), exif=exif(o))
        xmp = b"<x:xmpmeta><tiff:Orientation>3</tiff:Orientation></x:xmpmeta>"
        self.image("RGB", (41, 24)).save(self.path("jpeg_xmp3.jpg"), xmp=xmp)
        # Adobe's YCCK: the same four planes, declared as transformed.
        cmyk = (self.folder / "jpeg_CMYK_75_17.jpg").read_bytes()
        at = cmyk.index(b"Adobe")
        (self.folder / "jpeg_ycck.jpg").write_bytes(cmyk[:at + 11] + b"\2" + cmyk[at + 12:])
        # The same with 4:4:0 sampling: 4:2:2 with its factors exchanged gives other pixels but a valid file only for sizes
        # whose block counts agree.
        data = bytearray((self.folder / "jpeg_exif1.jpg").read_bytes())
        square = Image.fromarray(picture(64, 64, 99))
        square.save(self.path("jpeg_440.jpg"), subsampling=1)
        data = bytearray((self.folder / "jpeg_440.jpg").read_bytes())
        at = data.index(b"\xff\xc0") + 11
        assert data[at] == 0x21
        data[at] = 0x12
        (self.folder / "jpeg_440.jpg").write_bytes(data)

    def webp(self):
        self.each("webp", "webp", ["RGB", "RGBA"], SIZES[:7], quality=80)
        self.each("webp_lossless", "webp", ["RGB", "RGBA"], SIZES[2:6], lossless=True, exact=True)
        for o in (1, 3, 5, 8):
            self.image("RGB", (30, 19)).save(self.path(f"webp_exif{o}.webp"), exif=exif(o))
        frames = [self.image("RGBA", (40, 30)) for _ in range(4)]
        frames[0].save(self.path("webp_animated.webp"), save_all=True, append_images=frames[1:], duration=40)

    def tiff(self):
        modes = ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I", "F"]
        for mode in modes:
            for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma"):
                name = f"tiff_{mode.replace(';', '')}_{compression}.tif"
                self.image(mode, (39, 27)).save(self.path(name), compression=compression)
        for width, height in SIZES:
            self.image("RGB", (width, height)).save(self.path(f"tiff_{width}x{height}.tif"))
        for compression in ("group3", "group4", "tiff_ccitt"):
            self.image("1", (39, 27)).save(self.path(f"tiff_1_{compression}.tif"), compression=compression)
        for mode in ("L", "RGB", "YCbCr", "CMYK"):
            self.image(mode, (39, 27)).save(self.path(f"tiff_{mode}_jpeg.tif"), compression="jpeg", quality=80)
        for o in range(1, 9):
            self.image("RGB", (23, 14)).save(self.path(f"tiff_orient{o}.tif"), tiffinfo={274: o})
        pages = [self.image(mode, (20 + 9 * i, 30)) for i, mode in enumerate(("RGB", "L", "1", "P"))]
        pages[0].save(self.path("tiff_pages.tif"), save_all=True, append_images=pages[1:])
        self.image("RGB", (50, 40)).save(self.path("tiff_big.tif"), big_tiff=True)
        rng = np.random.default_rng(7)
        for order in ("<", ">"):
            word = {"<": "le", ">": "be"}[order]
            for kind, shape in (("minisblack", (29, 37)), ("miniswhite", (29, 37)), ("rgb", (29, 37, 3))):
                for dtype in ("u1", "u2"):
                    data = rng.integers(0, 256 if dtype == "u1" else 65536, shape).astype(dtype)
                    for tile in (None, (16, 32)):
                        name = f"tf_{kind}_{dtype}_{word}_{'tiled' if tile else 'strips'}.tif"
                        tifffile.imwrite(self.path(name), data, photometric=kind, byteorder=order, tile=tile,
                                         compression="zlib" if tile else None)
            data = rng.integers(0, 256, (3, 29, 37)).astype("u1")
            tifffile.imwrite(self.path(f"tf_planar_{word}.tif"), data, photometric="rgb", planarconfig="separate",
                             byteorder=order, compression="zlib")
            for alpha in ("unassalpha", "assocalpha", "unspecified"):
                data = rng.integers(0, 256, (29, 37, 4)).astype("u1")
                tifffile.imwrite(self.path(f"tf_{alpha}_{word}.tif"), data, photometric="rgb", extrasamples=[alpha],
                                 byteorder=order)
            data = rng.integers(-300, 300, (31, 20))
            tifffile.imwrite(self.path(f"tf_i2_{word}.tif"), data.astype("i2"), photometric="minisblack", byteorder=order)
            tifffile.imwrite(self.path(f"tf_i4_{word}.tif"), data.astype("i4"), photometric="minisblack", byteorder=order)
            tifffile.imwrite(self.path(f"tf_f4_{word}.tif"), data.astype("f4") / 3, photometric="minisblack", byteorder=order)

    def gif(self):
        self.each("gif", "gif", ["L", "P", "1"], SIZES[:7])
        self.image("P", (40, 30)).save(self.path("gif_interlaced.gif"), interlace=1)
        self.image("P", (40, 30)).save(self.path("gif_transparent.gif"), transparency=5)
        for disposal in (0, 1, 2, 3):
            for transparency in (None, 4):
                frames = []
                for i in range(4):
                    frame = Image.fromarray(picture(60, 44, 300)).quantize(32, dither=0)
                    ImageDraw.Draw(frame).rectangle((5 + 9 * i, 6, 20 + 9 * i, 25), fill=4 + i)
                    frames.append(frame)
                options = {} if transparency is None else {"transparency": transparency}
                frames[0].save(self.path(f"gif_d{disposal}_{transparency}.gif"), save_all=True, append_images=frames[1:],
                               disposal=disposal, optimize=False, **options)
        frames = [self.image("P", (50, 37)) for _ in range(3)]  # a palette each
        frames[0].save(self.path("gif_palettes.gif"), save_all=True, append_images=frames[1:])

    def bmp(self):
        self.each("bmp", "bmp", ["1", "L", "P", "RGB", "RGBA"], SIZES)
        rng = np.random.default_rng(9)
        words = rng.integers(0, 65536, (9, 13)).astype("<u2")
        rows = [row.tobytes() for row in words]
        raw_bmp.write(self.path("bmp_555.bmp"), 13, 9, 16, raw_bmp.lines(rows))
        for name, masks in (("555f", (0x7C00, 0x3E0, 0x1F)), ("565f", (0xF800, 0x7E0, 0x1F))):
            raw_bmp.write(self.path(f"bmp_{name}.bmp"), 13, 9, 16, raw_bmp.lines(rows), compression=3, masks=masks)
        rows = [row.tobytes() for row in rng.integers(0, 256, (9, 13, 4)).astype(np.uint8)]
        raw_bmp.write(self.path("bmp_32.bmp"), 13, 9, 32, raw_bmp.lines(rows))
        for i, masks in enumerate([(0xFF0000, 0xFF00, 0xFF), (0xFF000000, 0xFF0000, 0xFF00), (0xFF000000, 0xFF00, 0xFF)]):
            raw_bmp.write(self.path(f"bmp_32f{i}.bmp"), 13, 9, 32, raw_bmp.lines(rows), compression=3, masks=masks)
        rows = [row.tobytes() for row in rng.integers(0, 256, (9, 13, 3)).astype(np.uint8)]
        raw_bmp.write(self.path("bmp_top_down.bmp"), 13, 9, 24, raw_bmp.lines(rows), top_down=True)
        raw_bmp.write(self.path("bmp_os2.bmp"), 13, 9, 24, raw_bmp.lines(rows), os2=True)
        palette = rng.integers(0, 256, 1024).astype(np.uint8).tobytes()
        indices = np.repeat(rng.integers(0, 256, (9, 13)), 3, axis=1)[:, :31]
        raw_bmp.write(self.path("bmp_rle8.bmp"), 31, 9, 8, raw_bmp.rle8(indices.tolist()), palette, compression=1)
        nibbles = rng.integers(0, 16, (9, 31))
        raw_bmp.write(self.path("bmp_rle4.bmp"), 31, 9, 4, raw_bmp.rle4(nibbles.tolist()), palette[:64], compression=2)
        packed = [bytes(int(a) << 4 | int(b) for a, b in zip(row[::2], list(row[1::2]) + [0])) for row in nibbles]
        raw_bmp.write(self.path("bmp_4.bmp"), 31, 9, 4, raw_bmp.lines(packed), palette[:64])

    def large(self):
        image = Image.fromarray(picture(6000, 4000, 77))
        image.save(self.path("large.jpg"), quality=80)
        self.image("L", (3000, 5)).save(self.path("wide.png"))
        self.image("RGB", (4, 2500)).save(self.path("tall.png"))
        self.image("RGB", (1501, 1103)).save(self.path("odd.webp"), quality=60, method=0)

    def run(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        for part in (self.png, self.jpeg, self.webp, self.tiff, self.gif, self.bmp, self.large):
            part()
        return sorted(p for p in self.folder.iterdir())


if __name__ == "__main__":
    print(len(Maker(sys.argv[1]).run()), "files")
