#!/usr/bin/env python3
"""Packs golden vectors for `galen verify`: share/verify/NAME.safetensors out of tests/parity/{models,dual_encoders}/tiny.

    make_verify.py [--out DIR]

A file holds the checkpoint's weights under their names, the inputs (`tokens`, `lengths`, with images also `images` or `image.I`,
`image_order`, and `positions` where a token has three; image-text models have `pixels`, `ids` and `lengths`), `expected.LAYER` for
the activations, and in its metadata config.json and who made it. Run it after make_tiny.py, make_vision.py, make_qwen2_5_vl.py and
make_dual_encoders.py. Needs safetensors 0.8.0 and torch.
"""

import argparse
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file

HERE = Path(__file__).resolve().parent
# Name of the vectors (the family's, with -vision where they have images) and the folder that they are packed from.
TINY, DUAL = HERE / "tiny", HERE.parent / "dual_encoders" / "tiny"
VECTORS = {"gemma3": TINY / "gemma3", "gemma3-vision": TINY / "gemma3-vision", "llama": TINY / "llama", "qwen2": TINY / "qwen2",
           "qwen2-vision": TINY / "qwen2_5_vl", "siglip": DUAL / "siglip", "siglip-classifier": DUAL / "siglip-classifier",
           "clip": DUAL / "clip"}
INPUTS = ("tokens", "lengths", "images", "image_order", "positions", "pixels", "ids")
NOT_EXPECTED = ("loss", "pixel_values", "grids", "answers", "seed")
MADE_BY = "transformers 5.23.0, torch 2.13.0, CPU, fp32"


def pack(name, folder, out):
    tensors = load_file(folder / "model.safetensors")
    with safe_open(folder / "expected.safetensors", "pt") as expected:
        keys = set(expected.keys())
        used = {f"image.{i}" for i in expected.get_tensor("image_order").tolist()} if "image_order" in keys else set()
        for key in sorted(keys):
            if key in INPUTS or key in used:
                tensors[key] = expected.get_tensor(key)
            elif not key.startswith(("grad.", "half.", "long.", "image.")) and key not in NOT_EXPECTED:
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
    for name, folder in VECTORS.items():
        pack(name, folder, args.out)


if __name__ == "__main__":
    main()
