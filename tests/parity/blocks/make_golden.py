#!/usr/bin/env python3
"""Writes golden.bin: what the reference implementations make of the block formats.

    pip install gguf==0.19.0 numpy llama-cpp-python==0.3.36
    python3 make_golden.py [path of libggml-base.so, default: the one in llama-cpp-python]

Sections of golden.bin (read by src/tensor/formats/golden_test.cc):
    decode/FORMAT/bytes    blocks of random bytes, with zero, subnormal, infinite and NaN scales among
                           them
    decode/FORMAT/values   gguf.quants.dequantize of these (f32)
    encode/values          rows of 1,024 values, one row for each of the distributions below (f32)
    encode/importance      their weights (f32)
    encode/FORMAT/bytes    gguf.quants.quantize of the rows, for formats that it encodes
    encode/FORMAT/errors   weighted root mean square error of ggml_quantize_chunk for each row: first
                           without importance, then with (f64)
    half/values, half/f16, half/bf16   scalars and numpy's and gguf's rounding of them

File: "GALENGB1", then sections: u32 length of the name, the name, u64 length of the data, the data.
"""

import ctypes
import glob
import os
import struct
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from importlib.metadata import version

assert version("gguf") == "0.19.0", "the golden file is pinned to gguf 0.19.0"

PLAIN = ["F32", "F16", "BF16"]
LEGACY = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]
SEARCHED = ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"]
# Byte offsets of the f16 scales in a block.
SCALES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82],
    "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0],
}
ODD_HALVES = [0x0000, 0x8000, 0x0001, 0x83FF, 0x7BFF, 0x7C00, 0xFC00, 0x7E00]
COLS = 1024


def load_ggml(path):
    if path is None:
        import llama_cpp
        path = glob.glob(os.path.join(os.path.dirname(llama_cpp.__file__), "lib", "libggml-base.so*"))[0]
    library = ctypes.CDLL(path)
    library.ggml_quantize_chunk.argtypes = [
        ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
        ctypes.c_int64, ctypes.c_void_p]
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    return library


def ggml_quantize(library, name, row, importance):
    elems, size = gguf.GGML_QUANT_SIZES[Type[name]]
    blocks = np.zeros(row.size // elems * size, np.uint8)
    weights = importance.ctypes.data if importance is not None else None
    library.ggml_quantize_chunk(int(Type[name]), row.ctypes.data, blocks.ctypes.data, 0, 1, row.size,
                                weights)
    return blocks


def dequantize(name, blocks):
    with np.errstate(all="ignore"):
        return gguf.quants.dequantize(blocks.reshape(1, -1), Type[name]).astype(np.float32).ravel()


def random_blocks(name, rng):
    elems, size = gguf.GGML_QUANT_SIZES[Type[name]]
    count = 256 if elems == 1 else 24 if elems == 32 else 11
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for i, offset in enumerate(SCALES.get(name, [])):
        for b, half in enumerate(ODD_HALVES):
            blocks[(b + 3 * i) % count, offset:offset + 2] = [half & 255, half >> 8]
    return blocks.ravel()


def rows(rng):
    normal = rng.standard_normal(COLS) * 0.02
    laplace = rng.laplace(size=COLS) * 0.02
    heavy = rng.standard_t(3, size=COLS) * 0.02
    uniform = rng.uniform(-0.1, 0.1, COLS)
    shifted = rng.standard_normal(COLS) * 0.02 + 0.03
    outliers = rng.standard_normal(COLS) * 0.02
    outliers[::97] *= 40
    return np.stack([normal, laplace, heavy, uniform, shifted, outliers]).astype(np.float32)


def main():
    library = load_ggml(sys.argv[1] if len(sys.argv) > 1 else None)
    rng = np.random.default_rng(20240131)
    sections = {}
    for name in PLAIN + LEGACY + SEARCHED:
        blocks = random_blocks(name, rng)
        sections[f"decode/{name.lower()}/bytes"] = blocks
        sections[f"decode/{name.lower()}/values"] = dequantize(name, blocks)

    values = rows(rng)
    importance = np.exp(2 * rng.standard_normal(values.shape)).astype(np.float32)
    sections["encode/values"] = values
    sections["encode/importance"] = importance
    for name in LEGACY:
        sections[f"encode/{name.lower()}/bytes"] = gguf.quants.quantize(values, Type[name])
    for name in LEGACY + SEARCHED:
        errors = []
        for weighted in (False, True):
            for row, weights in zip(values, importance):
                blocks = ggml_quantize(library, name, row, weights if weighted else None)
                error = dequantize(name, blocks).astype(np.float64) - row
                w = weights.astype(np.float64) if weighted else 1.0
                errors.append(np.sqrt(np.mean(w * error**2)))
        sections[f"encode/{name.lower()}/errors"] = np.array(errors, np.float64)

    odd = np.array([0.0, -0.0, 1e-45, -1e-40, 2**-25, 2**-24, 3 * 2**-25, 2**-14, 65504, 65519.99,
                    65520, -65520, 1e30, np.inf, -np.inf, 3.4e38, 1.0009765, 1.00146484375],
                   np.float32)
    scalars = np.concatenate([odd, rng.integers(0, 2**32, 2000, dtype=np.uint32).view(np.float32),
                              (rng.standard_normal(2000) * 10.0**rng.integers(-8, 6, 2000))])
    scalars = scalars[~np.isnan(scalars)].astype(np.float32)
    sections["half/values"] = scalars
    with np.errstate(all="ignore"):
        sections["half/f16"] = gguf.quants.quantize(scalars, Type.F16)
    sections["half/bf16"] = gguf.quants.quantize(scalars, Type.BF16)

    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.bin")
    with open(path, "wb") as file:
        file.write(b"GALENGB1")
        for name, data in sections.items():
            raw = np.ascontiguousarray(data).tobytes()
            file.write(struct.pack("<I", len(name)) + name.encode() + struct.pack("<Q", len(raw)) + raw)
    print(path, os.path.getsize(path), "bytes")


if __name__ == "__main__":
    main()
