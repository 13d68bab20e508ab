#!/usr/bin/env python3
"""Strips of a page for the example of docs/TRAINING.md: grey noise, an analyte, a value and a unit in a dot-matrix face at a place and
a size that change, and the text as the answer. Standard library only.

    make_strips.py --out DIR [--train 20000] [--eval 200] [--seed 1]
"""

import argparse
import json
import random
import struct
import zlib
from pathlib import Path

# 5 x 7 dots, rows from the top.
FONT = {
    "0": "01110 10001 10011 10101 11001 10001 01110", "1": "00100 01100 00100 00100 00100 00100 01110",
    "2": "01110 10001 00001 00010 00100 01000 11111", "3": "11111 00010 00100 00010 00001 10001 01110",
    "4": "00010 00110 01010 10010 11111 00010 00010", "5": "11111 10000 11110 00001 00001 10001 01110",
    "6": "00110 01000 10000 11110 10001 10001 01110", "7": "11111 00001 00010 00100 01000 01000 01000",
    "8": "01110 10001 10001 01110 10001 10001 01110", "9": "01110 10001 10001 01111 00001 00010 01100",
    ".": "00000 00000 00000 00000 00000 01100 01100", "/": "00000 00001 00010 00100 01000 10000 00000",
    "N": "10001 10001 11001 10101 10011 10001 10001", "K": "10001 10010 10100 11000 10100 10010 10001",
    "C": "01110 10001 10000 10000 10000 10001 01110", "H": "10001 10001 10001 11111 10001 10001 10001",
    "R": "11110 10001 10001 11110 10100 10010 10001", "P": "11110 10001 10001 11110 10000 10000 10000",
    "a": "00000 00000 01110 00001 01111 10001 01111", "b": "10000 10000 10110 11001 10001 10001 11110",
    "l": "01100 00100 00100 00100 00100 00100 01110", "g": "00000 01111 10001 10001 01111 00001 01110",
    "m": "00000 00000 11010 10101 10101 10001 10001", "o": "00000 00000 01110 10001 10001 10001 01110",
}
TESTS = [("Na", "mmol/l", 120, 160, 0), ("K", "mmol/l", 25, 65, 1), ("Cl", "mmol/l", 85, 115, 0), ("Hb", "g/l", 70, 180, 0),
         ("CRP", "mg/l", 0, 2500, 1)]
WIDTH, HEIGHT = 256, 32


def draw(rows, text, left, top, size, ink):
    for letter in text:
        for y, dots in enumerate(FONT.get(letter, " ".join(["00000"] * 7)).split()):
            for x, dot in enumerate(dots):
                if dot == "1":
                    for dy in range(size):
                        at = left + x * size
                        rows[top + y * size + dy][at:at + size] = bytes([ink] * size)
        left += 6 * size
    return left


def strip(rng):
    name, unit, low, high, digits = rng.choice(TESTS)
    value = rng.randint(low, high)
    number = f"{value / 10:.1f}" if digits else str(value)
    paper = rng.randint(235, 255)
    rows = [bytearray(max(0, min(255, paper - rng.getrandbits(3))) for _ in range(WIDTH)) for _ in range(HEIGHT)]
    words = [name, number, unit]
    left = rng.randint(2, 20)
    for word in words:
        left = draw(rows, word, left, rng.randint(4, 12), 2, rng.randint(0, 90)) + rng.randint(8, 18)
    return rows, " ".join(words)


def write_png(path, rows):
    part = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    pixels = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows), 1)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 0, 0, 0, 0))
                     + part(b"IDAT", pixels) + part(b"IEND", b""))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--train", type=int, default=20000)
    parser.add_argument("--eval", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    o = parser.parse_args()
    (o.out / "strips").mkdir(parents=True, exist_ok=True)
    rng = random.Random(o.seed)
    for name, count in (("eval", o.eval), ("train", o.train)):
        with open(o.out / f"{name}.jsonl", "w") as lines:
            for i in range(count):
                rows, text = strip(rng)
                path = f"strips/{name}-{i:06}.png"
                write_png(o.out / path, rows)
                lines.write(json.dumps({"question": "read", "answer": text, "image": path}) + "\n")


if __name__ == "__main__":
    main()
