#!/usr/bin/env python3
"""A Hugging Face directory of MedGemma 4B's shape with random bf16 weights: text model, image tower, projector.

    make_4b_checkpoint.py FOLDER [--tokenizer DIR] [--layers N] [--text-only]

8.6 GB with everything. Speed and memory do not depend on the values: one pool of normal deviates (0.02) is repeated, beginning
elsewhere for each matrix; vectors are zero, as norms of Gemma 3 that scale by 1 are. DIR: tokenizer.json and tokenizer_config.json,
which are copied. Nothing but Python's standard library is needed.
"""

import argparse
import array
import json
import random
import shutil
import struct
from pathlib import Path

HIDDEN, INNER, HEADS, KV_HEADS, HEAD_DIM, VOCAB, LAYERS = 2560, 10240, 8, 4, 256, 262208, 34
TOWER = dict(hidden_size=1152, intermediate_size=4304, num_hidden_layers=27, num_attention_heads=16, image_size=896, patch_size=14)
POOL = 1 << 22  # values


def text_tensors(prefix, layers):
    """(name, shape) in the order of the file."""
    yield prefix + "embed_tokens.weight", (VOCAB, HIDDEN)
    for i in range(layers):
        layer = f"{prefix}layers.{i}."
        for norm in ("input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"):
            yield f"{layer}{norm}.weight", (HIDDEN,)
        yield layer + "self_attn.q_norm.weight", (HEAD_DIM,)
        yield layer + "self_attn.k_norm.weight", (HEAD_DIM,)
        yield layer + "self_attn.q_proj.weight", (HEADS * HEAD_DIM, HIDDEN)
        yield layer + "self_attn.k_proj.weight", (KV_HEADS * HEAD_DIM, HIDDEN)
        yield layer + "self_attn.v_proj.weight", (KV_HEADS * HEAD_DIM, HIDDEN)
        yield layer + "self_attn.o_proj.weight", (HIDDEN, HEADS * HEAD_DIM)
        yield layer + "mlp.gate_proj.weight", (INNER, HIDDEN)
        yield layer + "mlp.up_proj.weight", (INNER, HIDDEN)
        yield layer + "mlp.down_proj.weight", (HIDDEN, INNER)
    yield prefix + "norm.weight", (HIDDEN,)


def image_tensors():
    width, inner, patch = TOWER["hidden_size"], TOWER["intermediate_size"], TOWER["patch_size"]
    tower = "vision_tower.vision_model."
    yield tower + "embeddings.patch_embedding.weight", (width, 3, patch, patch)
    yield tower + "embeddings.patch_embedding.bias", (width,)
    yield tower + "embeddings.position_embedding.weight", ((TOWER["image_size"] // patch) ** 2, width)
    for i in range(TOWER["num_hidden_layers"]):
        layer = f"{tower}encoder.layers.{i}."
        for name, rows, cols in (("self_attn.q_proj", width, width), ("self_attn.k_proj", width, width),
                                 ("self_attn.v_proj", width, width), ("self_attn.out_proj", width, width),
                                 ("mlp.fc1", inner, width), ("mlp.fc2", width, inner)):
            yield f"{layer}{name}.weight", (rows, cols)
            yield f"{layer}{name}.bias", (rows,)
        for norm in ("layer_norm1", "layer_norm2"):
            yield f"{layer}{norm}.weight", (width,)
            yield f"{layer}{norm}.bias", (width,)
    yield tower + "post_layernorm.weight", (width,)
    yield tower + "post_layernorm.bias", (width,)
    yield "multi_modal_projector.mm_input_projection_weight", (width, HIDDEN)
    yield "multi_modal_projector.mm_soft_emb_norm.weight", (width,)


def elements(shape):
    count = 1
    for size in shape:
        count *= size
    return count


def random_pool():
    """Little-endian bf16 values of a normal distribution, as bytes."""
    deviates = random.Random(1)
    short = [deviates.gauss(0, 0.02) for _ in range(1 << 16)]
    bits = array.array("I", struct.pack(f"<{len(short)}f", *short))
    values = array.array("H", [b >> 16 for b in bits])
    return values.tobytes() * (POOL // len(short))


def write_safetensors(path, tensors):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors:
        size = 2 * elements(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pool = memoryview(random_pool())
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for number, (_, shape) in enumerate(tensors):
            left = 2 * elements(shape)
            if len(shape) == 1:
                file.write(bytes(left))
                continue
            begin = 2 * (number * 977 % 65536)
            while left > 0:
                piece = pool[begin:begin + left]
                file.write(piece)
                left, begin = left - len(piece), 0


def text_config(layers):
    return dict(model_type="gemma3_text", hidden_size=HIDDEN, intermediate_size=INNER, num_hidden_layers=layers, num_attention_heads=HEADS,
                num_key_value_heads=KV_HEADS, head_dim=HEAD_DIM, vocab_size=VOCAB, max_position_embeddings=131072, rms_norm_eps=1e-6,
                hidden_activation="gelu_pytorch_tanh", query_pre_attn_scalar=256, sliding_window=1024, rope_theta=1e6,
                rope_local_base_freq=1e4, rope_scaling={"factor": 8.0, "rope_type": "linear"}, tie_word_embeddings=True,
                bos_token_id=2, eos_token_id=1, pad_token_id=0,
                layer_types=["full_attention" if (i + 1) % 6 == 0 else "sliding_attention" for i in range(layers)])


def make(folder, layers=LAYERS, images=True, tokenizer=None):
    folder.mkdir(parents=True)
    if images:
        tensors = [*text_tensors("language_model.model.", layers), *image_tensors()]
        config = dict(model_type="gemma3", architectures=["Gemma3ForConditionalGeneration"], text_config=text_config(layers),
                      vision_config=dict(model_type="siglip_vision_model", hidden_act="gelu_pytorch_tanh", layer_norm_eps=1e-6,
                                         num_channels=3, vision_use_head=False, **TOWER),
                      mm_tokens_per_image=256, boi_token_index=255999, eoi_token_index=256000, image_token_index=262144,
                      tie_word_embeddings=True)
        processor = dict(image_processor_type="Gemma3ImageProcessor", do_normalize=True, do_rescale=True, do_resize=True,
                         image_mean=[0.5] * 3, image_std=[0.5] * 3, image_seq_length=256, resample=2, rescale_factor=1 / 255,
                         size=dict(height=TOWER["image_size"], width=TOWER["image_size"]))
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    else:
        tensors = list(text_tensors("model.", layers))
        config = text_config(layers) | dict(architectures=["Gemma3ForCausalLM"])
    (folder / "config.json").write_text(json.dumps(config | {"torch_dtype": "bfloat16"}))
    if tokenizer is not None:
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(tokenizer / name, folder / name)
    write_safetensors(folder / "model.safetensors", tensors)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--layers", type=int, default=LAYERS)
    parser.add_argument("--text-only", action="store_true")
    args = parser.parse_args()
    make(args.folder, args.layers, not args.text_only, args.tokenizer)


if __name__ == "__main__":
    main()
