#!/usr/bin/env python3
"""The int8 weights that ship as galen-mini, unpacked to fp32, so that `galen train` goes on from them. Standard library only.

    unpack_mini.py share/galen-mini DIR
"""

import json
import shutil
import struct
import sys
from array import array
from pathlib import Path


def unpack(source, target):
    """LLM.int8: weight[i][j] = code[i][j] * SCB[i] / 127."""
    data = source.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    kind = header.pop("__metadata__", {})

    def raw(name):
        begin, end = header[name]["data_offsets"]
        return data[8 + length + begin:8 + length + end]

    out, blobs, at = {"__metadata__": kind}, [], 0
    for name, entry in header.items():
        if name.endswith((".SCB", ".weight_format")):
            continue
        blob = raw(name)
        if entry["dtype"] == "I8":
            rows, columns = entry["shape"]
            scale = array("f", raw(name.removesuffix("weight") + "SCB"))
            codes = array("b", blob)
            blob = array("f", (codes[i * columns + j] * (scale[i] / 127) for i in range(rows) for j in range(columns))).tobytes()
        elif entry["dtype"] != "F32":
            sys.exit(f"{source}: {name} is {entry['dtype']}; I8 or F32 expected")
        out[name] = {"dtype": "F32", "shape": entry["shape"], "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    head = json.dumps(out).encode()
    head += b" " * (-len(head) % 8)
    target.write_bytes(struct.pack("<Q", len(head)) + head + b"".join(blobs))


def main():
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    target.mkdir(parents=True)
    for path in source.iterdir():
        if path.name == "config.json":
            config = json.loads(path.read_text())
            config.pop("quantization_config", None)
            (target / path.name).write_text(json.dumps(config, indent=2) + "\n")
        elif path.suffix != ".safetensors":
            shutil.copy(path, target)
    unpack(source / "model.safetensors", target / "model.safetensors")


if __name__ == "__main__":
    main()
