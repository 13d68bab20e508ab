#!/usr/bin/env python3
"""Seconds an image of an image tower in OpenVINO, bf16, as one JSON line. usage: openvino_tower.py SHAPE BATCH THREADS CACHE

The tower is converted once, from PyTorch, into CACHE; OpenVINO's package lies in CACHE/python (make_openvino_tower.sh).
"""

import json
import sys
import time
from pathlib import Path


def convert(shape, path):
    import openvino as ov
    import torch
    from siglip_tower import SIZES, tower

    class LastHidden(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, pixels):
            return self.model(pixel_values=pixels).last_hidden_state

    example = torch.zeros(1, 3, SIZES[shape], SIZES[shape])
    model = ov.convert_model(LastHidden(tower(shape, torch.float32)), example_input=example)
    part = path.with_name("part-" + path.name)
    ov.save_model(model, part)
    part.with_suffix(".bin").rename(path.with_suffix(".bin"))
    part.rename(path)


def main():
    shape, batch, threads, cache = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    sys.path.insert(0, str(cache / "python"))
    import numpy as np
    import openvino as ov

    path = cache / f"{shape}.xml"
    if not path.exists():
        convert(shape, path)
    core = ov.Core()
    model = core.read_model(path)
    side = {"siglip-896": 896, "medsiglip-448": 448}[shape]
    model.reshape([batch, 3, side, side])
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": threads,
                                                 "NUM_STREAMS": 1})
    request = compiled.create_infer_request()
    pixels = np.random.default_rng(1).random((batch, 3, side, side), dtype=np.float32) * 2 - 1
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        request.infer({0: pixels})
        seconds.append((time.perf_counter() - begin) / batch)
    print(json.dumps({"encode_image": min(seconds), "version": ov.__version__}))


if __name__ == "__main__":
    main()
