#!/usr/bin/env python3
"""Packs golden vectors for `galen verify`: share/verify/NAME.safetensors out of tests/parity/models/tiny/NAME.

    make_verify.py [--out DIR]

A file holds the checkpoint's weights under their names, the inputs (`tokens`, `lengths`, with images also `images` and
`image_order`), `expected.LAYER` for the activations, and in its metadata config.json and who made it. Run it after make_tiny.py
and make_vision.py. Needs safetensors 0.8.0 and torch.
"""

import argparse
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file

HERE = Path(__file__).resolve().parent
NAMES = ("gemma3", "gemma3-vision", "llama", "qwen2")
INPUTS = ("tokens", "lengths", "images", "image_order")
MADE_BY = "transformers 5.23.0, torch 2.13.0, CPU, fp32"


def pack(name, out):
    folder = HERE / "tiny" / name
    tensors = load_file(folder / "model.safetensors")
    with safe_open(folder / "expected.safetensors", "pt") as expected:
        for key in expected.keys():
            if key in INPUTS:
                tensors[key] = expected.get_tensor(key)
            elif not key.startswith(("grad.", "half.", "long.")) and key not in ("loss", "pixel_values"):
                tensors["expected." + key] = expected.get_tensor(key)
    path = out / f"{name}.safetensors"
    save_file(tensors, path, {"config": (folder / "config.json").read_text(), "made_by": MADE_BY})
    path.chmod(0o644)
    print(f"{path.name}: {path.stat().st_size} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE.parents[2] / "share" / "verify")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        pack(name, args.out)


if __name__ == "__main__":
    main()
