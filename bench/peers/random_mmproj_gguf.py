#!/usr/bin/env python3
"""An image projector file of MedGemma-4B's shape with random weights in bf16, as llama.cpp's converter names them.

usage: random_mmproj_gguf.py OUT.gguf
"""

import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType

HIDDEN, FEED_FORWARD, LAYERS, HEADS, IMAGE, PATCH, PROJECTION = 1152, 4304, 27, 16, 896, 14, 2560


def main():
    writer = gguf.GGUFWriter(sys.argv[1], "clip")
    writer.add_name("random")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "gemma3")
    writer.add_uint32("clip.vision.image_size", IMAGE)
    writer.add_uint32("clip.vision.patch_size", PATCH)
    writer.add_uint32("clip.vision.embedding_length", HIDDEN)
    writer.add_uint32("clip.vision.feed_forward_length", FEED_FORWARD)
    writer.add_uint32("clip.vision.projection_dim", PROJECTION)
    writer.add_uint32("clip.vision.block_count", LAYERS)
    writer.add_uint32("clip.vision.attention.head_count", HEADS)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-6)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])
    writer.add_bool("clip.use_gelu", True)
    rng = np.random.default_rng(0)

    def bf16(name, rows, columns):
        values = (0.02 * rng.standard_normal((rows, columns), np.float32)).view(np.uint32)
        writer.add_tensor(name, (values >> 16).astype(np.uint16).view(np.uint8).reshape(rows, -1),
                          raw_dtype=GGMLQuantizationType.BF16)

    def f32(name, *shape, value=None):
        array = 0.02 * rng.standard_normal(shape, np.float32) if value is None else np.full(shape, value, np.float32)
        writer.add_tensor(name, array)

    f32("v.patch_embd.weight", HIDDEN, 3, PATCH, PATCH)
    f32("v.patch_embd.bias", HIDDEN, value=0)
    f32("v.position_embd.weight", (IMAGE // PATCH) ** 2, HIDDEN)
    for layer in range(LAYERS):
        p = f"v.blk.{layer}."
        for name in ("ln1", "ln2"):
            f32(p + name + ".weight", HIDDEN, value=1)
            f32(p + name + ".bias", HIDDEN, value=0)
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            bf16(p + name + ".weight", HIDDEN, HIDDEN)
            f32(p + name + ".bias", HIDDEN, value=0)
        bf16(p + "ffn_up.weight", FEED_FORWARD, HIDDEN)
        f32(p + "ffn_up.bias", FEED_FORWARD, value=0)
        bf16(p + "ffn_down.weight", HIDDEN, FEED_FORWARD)
        f32(p + "ffn_down.bias", HIDDEN, value=0)
    f32("v.post_ln.weight", HIDDEN, value=1)
    f32("v.post_ln.bias", HIDDEN, value=0)
    f32("mm.soft_emb_norm.weight", HIDDEN, value=1)
    f32("mm.input_projection.weight", HIDDEN, PROJECTION)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
