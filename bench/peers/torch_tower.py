#!/usr/bin/env python3
"""Seconds an image of an image tower in PyTorch, bf16, as one JSON line. usage: torch_tower.py SHAPE BATCH THREADS"""

import json
import sys
import time

import torch
from siglip_tower import SIZES, tower


def main():
    shape, batch, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(threads)
    model = tower(shape, torch.bfloat16)
    pixels = torch.rand(batch, 3, SIZES[shape], SIZES[shape]).mul(2).sub(1).to(torch.bfloat16)
    seconds = []
    with torch.inference_mode():
        for _ in range(2):
            begin = time.perf_counter()
            model(pixel_values=pixels)
            seconds.append((time.perf_counter() - begin) / batch)
    print(json.dumps({"encode_image": min(seconds), "version": torch.__version__}))


if __name__ == "__main__":
    main()
