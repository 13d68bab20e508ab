#!/usr/bin/env python3
"""Packs golden vectors for `galen verify`: share/verify/NAME.safetensors out of tests/parity/{models,dual_encoders}/tiny/NAME.

    make_verify.py [--out DIR]

A file holds the checkpoint's weights under their names, the inputs (`tokens`, `lengths`, with images also `images` and
`image_order`; image-text models have `pixels`, `ids` and `lengths`), `expected.LAYER` for the activations, and in its metadata config.json and who made it. Run it after make_tiny.py
make_vision.py and make_dual_encoders.py. Needs safetensors 0.8.0 and torch.
"""

import argparse
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file

HERE = Path(__file__).resolve().parent
FOLDERS = {HERE / "tiny": ("gemma3", "gemma3-vision", "llama", "qwen2"),
           HERE.parent / "dual_encoders" / "tiny": ("siglip", "siglip-classifier", "clip")}
INPUTS = ("tokens", "lengths", "images", "image_order", "pixels", "ids")
NOT_ACTIVATIONS = ("loss", "pixel_values", "seed")
MADE_BY = "transformers 5.23.0, torch 2.13.0, CPU, fp32"


def pack(folder, out):
    tensors = load_file(folder / "model.safetensors")
    with safe_open(folder / "expected.safetensors", "pt") as expected:
        for key in expected.keys():
            if key in INPUTS:
                tensors[key] = expected.get_tensor(key)
            elif not key.startswith(("grad.", "half.", "long.")) and key not in NOT_ACTIVATIONS:
                tensors["expected." + key] = expected.get_tensor(key)
    path = out / f"{folder.name}.safetensors"
    save_file(tensors, path, {"config": (folder / "config.json").read_text(), "made_by": MADE_BY})
    path.chmod(0o644)
    print(f"{path.name}: {path.stat().st_size} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE.parents[2] / "share" / "verify")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for folder, names in FOLDERS.items():
        for name in names:
            pack(folder / name, args.out)


if __name__ == "__main__":
    main()
