#!/usr/bin/env python3
"""A GGUF file of MedGemma-4B's shape with random Q4_0 weights, for peers that want a file. Speed does not depend on values.

usage: random_4b_gguf.py OUT.gguf GEMMA_270M.gguf    (the second lends its tokenizer)
"""

import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType, GGUFValueType

VOCAB, HIDDEN, LAYERS, FEED_FORWARD, HEADS, KV_HEADS, HEAD_DIM = 262144, 2560, 34, 10240, 8, 4, 256


def blocks(rng, rows, columns, block_bytes, scale):
    """Valid blocks: random codes under one small fp16 scale, so that activations stay finite."""
    data = np.frombuffer(rng.bytes(rows * columns // 32 * block_bytes), np.uint8).copy().reshape(-1, block_bytes)
    data[:, 0:2] = np.frombuffer(np.float16(scale).tobytes(), np.uint8)
    return data.reshape(rows, -1)


def copy_tokenizer(writer, source):
    for field in gguf.GGUFReader(source).fields.values():
        if not field.name.startswith("tokenizer."):
            continue
        kind, value = field.types[0], field.contents()
        if kind == GGUFValueType.ARRAY:
            writer.add_array(field.name, value)
        elif kind == GGUFValueType.STRING:
            writer.add_string(field.name, value)
        elif kind == GGUFValueType.BOOL:
            writer.add_bool(field.name, value)
        elif kind == GGUFValueType.UINT32:
            writer.add_uint32(field.name, value)


def main():
    writer = gguf.GGUFWriter(sys.argv[1], "gemma3")
    writer.add_name("random")
    writer.add_context_length(131072)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(HEAD_DIM)
    writer.add_value_length(HEAD_DIM)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_sliding_window(1024)
    writer.add_rope_freq_base(1e6)
    writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
    writer.add_rope_scaling_factor(8.0)
    writer.add_file_type(2)
    copy_tokenizer(writer, sys.argv[2])
    rng = np.random.default_rng(0)

    def q4_0(name, rows, columns):
        writer.add_tensor(name, blocks(rng, rows, columns, 18, 0.004), raw_dtype=GGMLQuantizationType.Q4_0)

    def ones(name, size):
        writer.add_tensor(name, np.ones(size, np.float32))

    writer.add_tensor("token_embd.weight", blocks(rng, VOCAB, HIDDEN, 34, 0.0003), raw_dtype=GGMLQuantizationType.Q8_0)
    ones("output_norm.weight", HIDDEN)
    for layer in range(LAYERS):
        p = f"blk.{layer}."
        for name in ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"):
            ones(p + name + ".weight", HIDDEN)
        ones(p + "attn_q_norm.weight", HEAD_DIM)
        ones(p + "attn_k_norm.weight", HEAD_DIM)
        q4_0(p + "attn_q.weight", HEADS * HEAD_DIM, HIDDEN)
        q4_0(p + "attn_k.weight", KV_HEADS * HEAD_DIM, HIDDEN)
        q4_0(p + "attn_v.weight", KV_HEADS * HEAD_DIM, HIDDEN)
        q4_0(p + "attn_output.weight", HIDDEN, HEADS * HEAD_DIM)
        q4_0(p + "ffn_gate.weight", FEED_FORWARD, HIDDEN)
        q4_0(p + "ffn_up.weight", FEED_FORWARD, HIDDEN)
        q4_0(p + "ffn_down.weight", HIDDEN, FEED_FORWARD)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
