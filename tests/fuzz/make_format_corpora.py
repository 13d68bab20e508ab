#!/usr/bin/env python3
"""Writes the seeds of gguf_fuzz, safetensors_fuzz and config_fuzz: small right files, and one for each known attack.

Needs nothing but Python. usage: make_format_corpora.py [corpus directory, default: corpus/ beside this script]
"""
import json
import math
import os
import struct
import sys

OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
CODES = "BbHhIif?  Qqd"


def save(target, name, data):
    directory = os.path.join(OUT, target)
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, name), "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())


def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(data)) + data


def value(kind, content):
    if kind == STRING:
        return string(content)
    if kind == ARRAY:
        element, items = content
        return struct.pack("<IQ", element, len(items)) + b"".join(value(element, i) for i in items)
    return struct.pack("<" + CODES[kind], content)


def entry(key, kind, content):
    return string(key) + struct.pack("<I", kind) + value(kind, content)


def tensor(name, dims, kind, offset):
    return string(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)


def gguf(entries, tensors, data=b"", alignment=32, version=3, counts=None):
    counts = counts or (len(tensors), len(entries))
    head = b"GGUF" + struct.pack("<IQQ", version, *counts) + b"".join(entries) + b"".join(tensors)
    return head + b"\0" * (-len(head) % alignment) + data


def gguf_corpus():
    tokens = ["<pad>", "<s>", "</s>", "\u2581a", "<0x0A>"]
    model = [entry("general.architecture", STRING, "gemma3"), entry("gemma3.block_count", U32, 2),
             entry("gemma3.rope.freq_base", F32, 1e6), entry("gemma3.rope.scaling.type", STRING, "linear"),
             entry("gemma3.rope.scaling.factor", F32, 8.0),
             entry("gemma3.attention.sliding_window_pattern", ARRAY, (BOOL, [True] * 5 + [False, True])),
             entry("tokenizer.ggml.tokens", ARRAY, (STRING, tokens)),
             entry("tokenizer.ggml.scores", ARRAY, (F32, [0.0, -1.0, -2.0, -3.0, -4.0])),
             entry("tokenizer.ggml.token_type", ARRAY, (I32, [3, 3, 3, 1, 6]))]
    weights = [tensor("token_embd.weight", [32, 5], 8, 0), tensor("blk.0.attn_q.weight", [256], 12, 192),
               tensor("output_norm.weight", [3], 0, 352)]
    save("gguf_fuzz", "model", gguf(model, weights, bytes(364)))
    save("gguf_fuzz", "version2", gguf([entry("k", U64, 1)], [tensor("w", [2, 2], 1, 0)], bytes(8), version=2))
    every = [entry(f"k{kind}", kind, True if kind == BOOL else "s" if kind == STRING else 1) for kind in range(13) if kind != ARRAY]
    every += [entry(f"a{kind}", ARRAY, (kind, [True] if kind == BOOL else ["s"] if kind == STRING else [1]))
              for kind in range(13) if kind != ARRAY]
    save("gguf_fuzz", "every_type", gguf(every, []))
    nested = (ARRAY, [(I16, [1, 2]), (ARRAY, [(U8, [7])]), (STRING, ["x"])])
    save("gguf_fuzz", "nested", gguf([entry("k", ARRAY, nested)], []))
    save("gguf_fuzz", "alignment", gguf([entry("general.alignment", U32, 64)], [tensor("w", [4], 0, 0)], bytes(16), 64))
    save("gguf_fuzz", "alignment_huge", gguf([entry("general.alignment", U32, 0x80000000)], []))
    save("gguf_fuzz", "product_overflow", gguf([], [tensor("w", [1 << 32, 1 << 32], 0, 0)], bytes(32)))
    save("gguf_fuzz", "sum_overflow", gguf([], [tensor("w", [8], 0, 2**64 - 32)], bytes(32)))
    save("gguf_fuzz", "count_lies", gguf([], [], counts=(2**64 - 1, 2**64 - 1)))
    save("gguf_fuzz", "string_lies", gguf([string("k") + struct.pack("<IQ", STRING, 2**64 - 1)], [], counts=(0, 1)))
    save("gguf_fuzz", "array_lies", gguf([string("k") + struct.pack("<IIQ", ARRAY, STRING, 2**61)], [], counts=(0, 1)))
    save("gguf_fuzz", "foreign_type", gguf([], [tensor("w", [64, 2], 39, 0)], bytes(68)))
    save("gguf_fuzz", "old_magic", b"tjgg\x03\0\0\0" + bytes(16))


def mmproj_corpus():
    """A tower of one layer: hidden 4, inner 6, 2 x 2 patches of 2 x 2 pixels, one token of 8 values."""
    layer = {"ln1.weight": [4], "ln1.bias": [4], "ln2.weight": [4], "ln2.bias": [4], "ffn_up.weight": [4, 6], "ffn_up.bias": [6],
             "ffn_down.weight": [6, 4], "ffn_down.bias": [4]}
    layer |= {f"attn_{part}.{kind}": [4, 4] if kind == "weight" else [4] for part in ("q", "k", "v", "out")
              for kind in ("weight", "bias")}
    shapes = {"v.patch_embd.weight": [2, 2, 3, 4], "v.patch_embd.bias": [4], "v.position_embd.weight": [4, 4],
              "v.post_ln.weight": [4], "v.post_ln.bias": [4], "mm.soft_emb_norm.weight": [4],
              "mm.input_projection.weight": [8, 4]} | {f"v.blk.0.{name}": dims for name, dims in layer.items()}
    sizes = {"embedding_length": 4, "feed_forward_length": 6, "block_count": 1, "attention.head_count": 2, "image_size": 4,
             "patch_size": 2}

    def file(names, entries, shapes=shapes):
        tensors, offset = [], 0
        for name, dims in shapes.items():
            tensors.append(tensor(names(name), dims, 0, offset))
            offset += -(-4 * math.prod(dims) // 32) * 32
        return gguf(entries, tensors, bytes(offset))

    clip = [entry("general.architecture", STRING, "clip"), entry("clip.has_vision_encoder", BOOL, True),
            entry("clip.projector_type", STRING, "gemma3"), entry("clip.vision.projection_dim", U32, 8),
            entry("clip.vision.projector.scale_factor", U32, 2),
            entry("clip.vision.attention.layer_norm_epsilon", F32, 1e-6),
            entry("clip.vision.image_mean", ARRAY, (F32, [0.5] * 3)), entry("clip.vision.image_std", ARRAY, (F32, [0.5] * 3))]
    clip += [entry("clip.vision." + key, U32, n) for key, n in sizes.items()]
    save("mmproj_fuzz", "new", file(lambda name: name, clip))
    swap = {"ffn_up": "ffn_down", "ffn_down": "ffn_up"}
    save("mmproj_fuzz", "old", file(lambda name: ".".join(swap.get(p, p) for p in name.split(".")), clip))
    own = [entry("general.architecture", STRING, "gemma3"), entry("gemma3.mm.tokens_per_image", U32, 1)]
    own += [entry("gemma3.vision." + key, U32, n) for key, n in sizes.items()]
    spell = {"v.patch_embd": "v.patch_embedding", "v.position_embd": "v.position_embedding", "v.post_ln": "v.post_layernorm",
             "mm.soft": "mm.mm_soft", "mm.input": "mm.mm_input", ".ln": ".layer_norm", "attn_out": "attn_output",
             "ffn_up": "mlp.fc1", "ffn_down": "mlp.fc2"}

    def ollama(name):
        for old, new in spell.items():
            name = name.replace(old, new)
        return name
    save("mmproj_fuzz", "ollama", file(ollama, own))
    # Qwen2.5-VL: hidden 8, inner 6, cells of 2 x 2 patches.
    qwen = {"ln1.weight": [8], "ln2.weight": [8], "ffn_gate.weight": [8, 6], "ffn_gate.bias": [6], "ffn_up.weight": [8, 6],
            "ffn_up.bias": [6], "ffn_down.weight": [6, 8], "ffn_down.bias": [8]}
    qwen |= {f"attn_{part}.{kind}": [8, 8] if kind == "weight" else [8] for part in ("q", "k", "v", "out")
             for kind in ("weight", "bias")}
    qwen = {f"v.blk.0.{name}": dims for name, dims in qwen.items()}
    qwen |= {"v.patch_embd.weight": [2, 2, 3, 8], "v.patch_embd.weight.1": [2, 2, 3, 8], "v.post_ln.weight": [8],
             "mm.0.weight": [32, 32], "mm.0.bias": [32], "mm.2.weight": [32, 8], "mm.2.bias": [8]}
    clip = [entry("general.architecture", STRING, "clip"), entry("clip.has_vision_encoder", BOOL, True),
            entry("clip.projector_type", STRING, "qwen2.5vl_merger"), entry("clip.use_silu", BOOL, True),
            entry("clip.vision.projection_dim", U32, 8), entry("clip.vision.attention.layer_norm_epsilon", F32, 1e-6),
            entry("clip.vision.n_wa_pattern", U32, 2)]
    clip += [entry("clip.vision." + key, U32, n) for key, n in (sizes | {"embedding_length": 8, "image_size": 560}).items()]
    save("mmproj_fuzz", "qwen2_5_vl", file(lambda name: name, clip, qwen))


def safetensors(header, size):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(size)


def bitsandbytes_corpus():
    """Quantised matrices: NF4 with plain and with nested scales, and LLM.int8."""
    table = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
             -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
             0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]

    def file(parts):
        header, data = {}, b""
        for name, dtype, shape, content in parts:
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
            data += content
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data

    def state(**more):
        return json.dumps({"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [2, 48]} | more).encode()

    def matrix(absmax, state_bytes, extra=()):
        return [("a.weight", "U8", [48, 1], bytes(range(48))), absmax, ("a.weight.quant_map", "F32", [16], struct.pack("<16f", *table)),
                ("a.weight.quant_state.bitsandbytes__nf4", "U8", [len(state_bytes)], state_bytes), *extra]

    save("safetensors_fuzz", "nf4", file(matrix(("a.weight.absmax", "F32", [2], struct.pack("<2f", 1, 2)), state())))
    nested = state(nested_blocksize=256, nested_dtype="float32", nested_offset=0.5)
    save("safetensors_fuzz", "nf4_nested", file(matrix(("a.weight.absmax", "U8", [2], b"\x01\xfe"), nested, [
        ("a.weight.nested_absmax", "F32", [1], struct.pack("<f", 0.25)),
        ("a.weight.nested_quant_map", "F32", [256], struct.pack("<256f", *(i / 128 - 1 for i in range(256))))])))
    save("safetensors_fuzz", "int8", file([("a.weight", "I8", [2, 16], bytes(range(32))), ("a.SCB", "F32", [2], struct.pack("<2f", 1, 2)),
                                           ("a.weight_format", "U8", [], b"\x00")]))


def safetensors_corpus():
    def t(dtype, shape, begin, end):
        return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    save("safetensors_fuzz", "model", safetensors({"__metadata__": {"format": "pt"}, "a": t("F32", [2], 0, 8),
         "b.weight": t("BF16", [2, 3], 8, 20), "s": t("F16", [], 20, 22), "e": t("I64", [0, 3], 22, 22)}, 22))
    save("safetensors_fuzz", "types", safetensors({k: t(k, [2], i * 2, i * 2 + 2) for i, k in enumerate(
        ["U8", "I8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0"])}, 12))
    save("safetensors_fuzz", "wide", safetensors({"F64": t("F64", [1], 0, 8), "I16": t("I16", [1], 8, 10),
         "F4": t("F4", [4], 10, 12), "F6": t("F6_E2M3", [4], 12, 15), "C64": t("C64", [1], 15, 23)}, 23))
    save("safetensors_fuzz", "overflow", safetensors({"a": t("F32", [0, 2**32, 2**32], 0, 0)}, 0))
    save("safetensors_fuzz", "beyond", safetensors({"a": t("U8", [2], 2**64 - 2, 2**64 - 1)}, 2))
    save("safetensors_fuzz", "overlap", safetensors({"a": t("U8", [2], 0, 2), "b": t("U8", [2], 1, 3)}, 3))
    save("safetensors_fuzz", "length_lies", struct.pack("<Q", 2**64 - 8) + b"{}")
    save("safetensors_fuzz", "deep", safetensors(b'{"a":' + b"[" * 500, 0))
    bitsandbytes_corpus()
    save("safetensors_fuzz", "index", json.dumps({"metadata": {"total_size": 8}, "weight_map": {
        "a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}))
    save("safetensors_fuzz", "index_escapes", json.dumps({"weight_map": {"a": "../../etc/passwd", "b": "/x"}}))


def config_corpus():
    linear = {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0}
    llama3 = {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": 8192}
    kinds = ["sliding_attention"] * 5 + ["full_attention", "sliding_attention"]
    gemma = {"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"], "eos_token_id": [1, 106],
             "text_config": {"hidden_size": 2560, "rope_theta": 1000000, "rope_local_base_freq": 10000,
                             "rope_scaling": {"type": "linear", "factor": 8.0}, "sliding_window_pattern": 6,
                             "final_logit_softcapping": None}}
    save("config_fuzz", "gemma3_old", json.dumps(gemma) + "\n---\n" + json.dumps({"eos_token_id": [1, 106]}))
    save("config_fuzz", "gemma3_new", json.dumps({"layer_types": kinds, "sliding_window": 512.0, "rope_parameters": {
        "full_attention": linear, "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}}))
    save("config_fuzz", "llama3_old", json.dumps({"rope_theta": 500000.0, "rope_scaling": llama3, "eos_token_id": 2,
                                                  "max_position_embeddings": 131072, "tie_word_embeddings": True}))
    save("config_fuzz", "llama3_new", json.dumps({"rope_parameters": {**llama3, "rope_theta": 5e5},
                                                  "partial_rotary_factor": 0.5}))
    save("config_fuzz", "pattern_list", json.dumps({"_sliding_window_pattern": [True, False, True, True, False, True, 1]}))
    save("config_fuzz", "deep", '{"a":' * 200 + "1" + "}" * 200)
    save("config_fuzz", "numbers", '{"hidden_size":18446744073709551616,"eos_token_id":-1,"rope_theta":1e308,"x":-0.0}')


gguf_corpus()
mmproj_corpus()
safetensors_corpus()
config_corpus()
