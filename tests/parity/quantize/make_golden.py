#!/usr/bin/env python3
"""Writes golden.safetensors: what bitsandbytes makes of blocks of every kind, for
src/formats/bitsandbytes_test.cc.

    build/.venv-oracle/bin/python tests/parity/quantize/make_golden.py

For each CASE: CASE.weight and its parts as transformers saves them, CASE.input (what was quantised)
and CASE.decoded (what bitsandbytes decodes to in fp32).
"""

import os
from importlib.metadata import version

import bitsandbytes.functional as bnb
import torch
from safetensors.torch import save_file

assert version("bitsandbytes") == "0.50.2", "the golden file is pinned to bitsandbytes 0.50.2"

HERE = os.path.dirname(os.path.abspath(__file__))
GENERATOR = torch.Generator().manual_seed(7)


def normal(*shape):
    return torch.randn(*shape, generator=GENERATOR)


def ties():
    """Values on the borders between two codes, and one step of fp32 beside them."""
    code = bnb.get_4bit_type("nf4", device="cpu")
    middle = (code[1:] + code[:-1]) * 0.5
    values = torch.cat([middle, torch.nextafter(middle, middle + 1),
                        torch.nextafter(middle, middle - 1), code])
    block = torch.zeros(64)
    block[: values.numel()] = values
    block[63] = 1.0
    return torch.stack([block, block * 0.37, -block])


def inputs():
    mixed = normal(24, 64)
    mixed[3] = 0.0
    mixed[4] = 0.0
    mixed[4, 17] = 1e-30
    mixed[5] = 0.25
    mixed[6] = -3.0
    mixed[7] *= 1e-30
    mixed[8] *= 1e30
    mixed[9] *= 1e-41  # subnormal
    mixed[10] *= 3e-38
    mixed[11, 0] = 1e30
    mixed[12, ::2] = 0.0
    yield "normal", normal(16, 128) * 0.02
    yield "mixed", mixed
    yield "ties", ties()
    yield "odd_cols", normal(5, 48)  # blocks cross rows, the last is short
    yield "odd_count", normal(3, 21)
    yield "short", normal(1, 34) * 1e-3
    yield "large", normal(96, 192) * 0.05  # 288 blocks: more than one nested block
    yield "bf16", (normal(16, 128) * 0.02).bfloat16()
    yield "f16", (normal(8, 64) * 0.02).half()


def put(tensors, name, packed, state, values):
    tensors[name + ".weight"] = packed
    for key, value in state.as_dict(packed=True).items():
        tensors[name + ".weight." + key] = value.contiguous().clone()
    tensors[name + ".input"] = values.contiguous().clone()
    tensors[name + ".decoded"] = decoded(packed, state)


def decoded(packed, state):
    """The definition: table[code] * absmax in fp32. bitsandbytes' own CPU code has to agree wherever
    no block crosses the end of a row; there 0.50.2 takes a wrong scale on processors with AVX-512."""
    absmax = state.absmax
    if state.nested:
        absmax = bnb.dequantize_blockwise(absmax, state.state2) + state.offset
    data = packed.contiguous().view(torch.uint8).view(-1)
    codes = torch.stack([data >> 4, data & 15], 1).view(-1).long()
    scales = absmax.float().repeat_interleave(state.blocksize)[: codes.numel()]
    values = (state.code[codes[: scales.numel()]] * scales)[: state.shape.numel()].view(state.shape)
    if state.shape[-1] % state.blocksize == 0:
        state.dtype = torch.float32
        assert torch.equal(values, bnb.dequantize_4bit(packed, state))
    return values.contiguous()


def main():
    tensors = {}
    for name, values in inputs():
        cases = [("nf4", 64, False, torch.uint8)]
        if name in ("normal", "mixed", "large", "bf16"):
            cases += [("nf4", 64, True, torch.uint8), ("fp4", 64, False, torch.uint8)]
        if name == "normal":
            cases += [("nf4", size, False, torch.uint8) for size in (32, 128, 256, 1024)]
            cases += [("nf4", 64, False, torch.bfloat16), ("nf4", 64, True, torch.float32)]
        if name == "odd_cols":
            cases += [("nf4", 64, True, torch.uint8), ("nf4", 128, False, torch.uint8)]
        for kind, size, nested, storage in cases:
            packed, state = bnb.quantize_4bit(values, blocksize=size, quant_type=kind,
                                              compress_statistics=nested, quant_storage=storage)
            label = f"{name}.{kind}.{size}.{'nested' if nested else 'plain'}.{str(storage)[6:]}"
            put(tensors, label, packed, state, values)
    rows = normal(20, 80)
    rows[3] = 0.0
    rows[4] = 1.0
    rows[5] *= 1e-6  # subnormal in fp16
    rows[6] *= 1e4
    rows[7, ::3] = 0.5 / 127 * rows[7].abs().max()
    for name, values in (("int8.rows", rows), ("int8.odd", normal(5, 21)), ("int8.many", normal(128, 64) * 0.08)):
        codes, scb, _ = bnb.int8_vectorwise_quant(values.half())
        tensors[name + ".weight"] = codes
        tensors[name + ".SCB"] = scb
        tensors[name + ".weight_format"] = torch.tensor(0, dtype=torch.uint8)
        tensors[name + ".input"] = values
        tensors[name + ".decoded"] = bnb.int8_vectorwise_dequant(codes, scb)
    tensors["dynamic_map"] = bnb.create_dynamic_map()
    save_file(tensors, os.path.join(HERE, "golden.safetensors"))
    print(sum(t.numel() * t.element_size() for t in tensors.values()), "bytes")


if __name__ == "__main__":
    main()
