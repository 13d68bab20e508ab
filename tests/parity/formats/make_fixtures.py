#!/usr/bin/env python3
"""Writes the model files of this folder with the reference packages, and beside each what those packages read from it.

gguf==0.19.0 safetensors==0.8.0 torch==2.13.0 transformers==5.23.0 numpy==2.4.6
usage: make_fixtures.py [output directory, default: this script's own]
"""
import json
import os
import sys

import gguf
import numpy as np
import torch
from gguf.constants import GGML_QUANT_SIZES
from safetensors.torch import save_file
from transformers import Gemma3TextConfig, LlamaConfig, MistralConfig, Qwen2Config

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = sys.argv[1] if len(sys.argv) > 1 else HERE
RNG = np.random.default_rng(20)


def write(name, value):
    with open(os.path.join(OUT, name), "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, ensure_ascii=True)
        file.write("\n")


def plain(value):
    if isinstance(value, (np.bool_, bool)):
        return bool(value)
    if isinstance(value, (np.integer, int)):
        return int(value)
    if isinstance(value, (np.floating, float)):
        return float(value)
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return value


def make_gguf(name, alignment=None):
    path = os.path.join(OUT, name)
    writer = gguf.GGUFWriter(path, "llama")
    if alignment:
        writer.add_custom_alignment(alignment)
    writer.add_uint8("t.u8", 255)
    writer.add_int8("t.i8", -128)
    writer.add_uint16("t.u16", 65535)
    writer.add_int16("t.i16", -32768)
    writer.add_uint32("t.u32", 4294967295)
    writer.add_int32("t.i32", -2147483648)
    writer.add_uint64("t.u64", 9223372036854775807)
    writer.add_int64("t.i64", -9223372036854775808)
    writer.add_float32("t.f32", 0.1)
    writer.add_float64("t.f64", 0.1)
    writer.add_bool("t.bool", True)
    writer.add_string("t.string", "Fi\u00e8vre 39,5 \u00b0C \U0001fa7a")
    writer.add_array("t.strings", ["<pad>", "\u2581the", "", "\n"])
    writer.add_array("t.ints", [3, -1, 4, -1, 5])
    writer.add_array("t.floats", [-1000.0, 0.0, 2.5])
    writer.add_array("t.bools", [True, False, True])
    writer.add_array("t.lists", [[1, 2], [3], [-4, 5, 6]])
    # Shapes with 1 to 4 dimensions, every block format that galen reads.
    for dtype in (np.float32, np.float16, np.float64, np.int8, np.int16, np.int32, np.int64):
        shape = [(5,), (3, 4), (2, 3, 4), (2, 2, 3, 4)][len(writer.tensors[0]) % 4]
        writer.add_tensor(f"plain.{np.dtype(dtype).name}", (RNG.standard_normal(shape) * 50).astype(dtype))
    types = "BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS".split()
    for type_name in types + ["MXFP4"]:
        kind = gguf.GGMLQuantizationType[type_name]
        elems, size = GGML_QUANT_SIZES[kind]
        row = max(elems, 32)
        data = RNG.integers(0, 256, (3, row // elems * size), dtype=np.uint8)
        writer.add_tensor(f"block.{type_name}", data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    reader = gguf.GGUFReader(path)
    metadata = {}
    for key, field in reader.fields.items():
        if key.startswith("GGUF."):
            continue
        value = field.contents()
        if isinstance(value, list):
            value = [[plain(x) for x in v] if isinstance(v, list) else plain(v) for v in value]
        metadata[key] = {"types": [t.name for t in field.types], "value": plain(value)}
    # The package's reader flattens inner lists; what the writer was given is the truth here.
    metadata["t.lists"]["value"] = [[1, 2], [3], [-4, 5, 6]]
    tensors = [{"name": t.name, "shape": [int(d) for d in reversed(t.shape)], "type": t.tensor_type.name,
                "offset": int(t.data_offset), "bytes": int(t.n_bytes), "hex": t.data.tobytes().hex()}
               for t in reader.tensors]
    write(name + ".json", {"metadata": metadata, "tensors": tensors, "alignment": int(reader.alignment)})


def make_safetensors(name):
    torch.manual_seed(20)
    tensors = {
        "f32": torch.randn(3, 5), "f16": torch.randn(2, 3, 4).half(), "bf16": torch.randn(7).bfloat16(),
        "f64": torch.randn(2).double(), "i64": torch.arange(4), "i32": torch.arange(3, dtype=torch.int32),
        "i16": torch.arange(3, dtype=torch.int16), "i8": torch.arange(5, dtype=torch.int8),
        "u8": torch.arange(5, dtype=torch.uint8), "bool": torch.tensor([True, False, True]),
        "scalar": torch.tensor(2.5), "empty": torch.zeros(0, 4), "f8": torch.randn(6).to(torch.float8_e4m3fn),
        "u16": torch.tensor([1, 2, 3], dtype=torch.uint16),
    }
    path = os.path.join(OUT, name)
    save_file(tensors, path, metadata={"format": "pt", "note": "\u00e9"})
    expected = [{"name": k, "shape": list(v.shape), "dtype": str(v.dtype).removeprefix("torch."),
                 "hex": v.contiguous().view(-1).view(torch.uint8).numpy().tobytes().hex() if v.numel() else ""}
                for k, v in sorted(tensors.items())]
    write(name + ".json", {"metadata": {"format": "pt", "note": "\u00e9"}, "tensors": expected})


LLAMA3 = {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192,
          "rope_type": "llama3"}
FULL, SLIDING = "full_attention", "sliding_attention"
# config.json of one family -> what transformers makes of it.
CONFIGS = [
    (Gemma3TextConfig, {"num_hidden_layers": 7}),
    (Gemma3TextConfig, {"num_hidden_layers": 7, "rope_theta": 1000000, "rope_local_base_freq": 10000,
                        "rope_scaling": {"rope_type": "linear", "factor": 8.0}, "sliding_window_pattern": 6}),
    (Gemma3TextConfig, {"num_hidden_layers": 5, "rope_theta": 123456.0, "rope_local_base_freq": 4321.0,
                        "rope_scaling": None, "sliding_window_pattern": 2}),
    (Gemma3TextConfig, {"num_hidden_layers": 3, "layer_types": [SLIDING, FULL, SLIDING], "rope_parameters": {
        FULL: {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6}, SLIDING: {"rope_type": "default", "rope_theta": 1e4}}}),
    (Gemma3TextConfig, {"num_hidden_layers": 2, "rope_parameters": {FULL: {"rope_type": "default", "rope_theta": 77.0}}}),
    (Gemma3TextConfig, {"num_hidden_layers": 2, "rope_theta": 99.0, "rope_parameters": {SLIDING: {"rope_type": "default"}}}),
    (LlamaConfig, {"num_hidden_layers": 2}),
    (LlamaConfig, {"num_hidden_layers": 2, "rope_theta": 500000.0, "rope_scaling": LLAMA3, "max_position_embeddings": 131072}),
    (LlamaConfig, {"num_hidden_layers": 2, "rope_parameters": {**LLAMA3, "rope_theta": 500000.0},
                   "max_position_embeddings": 131072}),
    (LlamaConfig, {"num_hidden_layers": 2, "rope_theta": 1e5, "rope_scaling": {"type": "linear", "factor": 4},
                   "max_position_embeddings": 8192}),
    (LlamaConfig, {"num_hidden_layers": 2, "rope_scaling": {"type": "dynamic", "factor": 2.0}}),
    (MistralConfig, {"num_hidden_layers": 2, "rope_theta": 1e6, "sliding_window": None}),
    (Qwen2Config, {"num_hidden_layers": 3, "rope_theta": 1e6, "use_sliding_window": False, "sliding_window": 4096}),
    (Qwen2Config, {"num_hidden_layers": 3, "rope_parameters": {"rope_theta": 1e6, "rope_type": "default"}}),
]


def make_configs(name):
    cases = []
    for family, config in CONFIGS:
        text = json.loads(json.dumps(config))  # the constructor changes what it is given
        parsed = family(**json.loads(json.dumps(config)))
        saved = parsed.to_dict()
        rope = saved["rope_parameters"]
        nested = FULL in rope or SLIDING in rope
        layer_types = saved.get("layer_types") or [FULL] * parsed.num_hidden_layers
        default = {"Gemma3TextConfig": [1e6, 1e4]}.get(family.__name__, [1e4, 1e4])
        expected = {"global": rope[FULL] if nested else rope, "sliding": rope.get(SLIDING) if nested else None,
                    "layer_is_sliding": [t == SLIDING for t in layer_types]}
        pattern = 6 if family is Gemma3TextConfig else 0
        for written in (text, saved):  # as published, and as transformers writes it again
            kept = {k: v for k, v in written.items()
                    if "rope" in k or k in ("layer_types", "sliding_window_pattern", "_sliding_window_pattern",
                                            "num_hidden_layers", "max_position_embeddings")}
            kept.setdefault("max_position_embeddings", parsed.max_position_embeddings)
            cases.append({"family": family.__name__, "config": kept, "default_theta": default, "default_pattern": pattern,
                          "expected": expected})
    write(name, cases)


if __name__ == "__main__":
    make_gguf("types.gguf")
    make_gguf("aligned.gguf", alignment=128)
    make_safetensors("types.safetensors")
    make_configs("hf_configs.json")
