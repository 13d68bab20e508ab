#!/usr/bin/env python3
"""Makes tests/parity/models/tiny/qwen2_5_vl: a random Qwen2.5-VL and what transformers computes from it in fp32.

    make_qwen2_5_vl.py [--llama-cpp DIR] [--out DIR]

Versions as in make_tiny.py. `expected.safetensors` holds, for one prompt with three images of unlike sizes (text before,
between and behind; sizes that make border windows and rows of empty ones): the pixels of each image as Pillow resized
them, pixel_values, grids, the tower's activations after each block, the merged tokens, the three rows of positions, the
text model's activations, logits, loss and gradients. With --llama-cpp also text.gguf and mmproj.gguf, written by
llama.cpp's converter, and the logits of the same program on the values that they decode to.
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parent))
from make_tiny import randomise  # noqa: E402

IMAGE, START, END = 90, 91, 92
# Pixels (width, height) before resizing; patches of 4, merged 2 x 2: cells of 8; windows of 2 x 2 cells.
SIZES = ((40, 23), (16, 16), (9, 70))


def config():
    text = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
                vocab_size=96, max_position_embeddings=512, rms_norm_eps=1e-6, bos_token_id=1, eos_token_id=2, pad_token_id=0,
                rope_parameters=dict(rope_type="default", rope_theta=1000000.0, mrope_section=[1, 1, 2]))
    vision = dict(depth=4, hidden_size=24, intermediate_size=20, num_heads=2, patch_size=4, spatial_merge_size=2,
                  temporal_patch_size=2, window_size=16, out_hidden_size=32, fullatt_block_indexes=[1, 3])
    return transformers.Qwen2_5_VLConfig(text_config=text, vision_config=vision, image_token_id=IMAGE, video_token_id=93,
                                         vision_start_token_id=START, vision_end_token_id=END, tie_word_embeddings=False)


def images(rng):
    return [Image.fromarray(rng.integers(0, 256, (h, w, 3), dtype=np.uint8)) for w, h in SIZES]


def prompt(rng, grids):
    ids = list(rng.integers(3, 90, 5))
    for i, (_, h, w) in enumerate(grids):
        ids += [START] + [IMAGE] * int(h * w // 4) + [END]
        ids += list(rng.integers(3, 90, 3 + 4 * i))
    return torch.tensor(ids)


def run(model, inputs):
    seen = {}

    def keep(name):
        def hook(_module, _inputs, output):
            value = output[0] if isinstance(output, tuple) else output
            seen[name] = (value[0] if value.dim() == 3 else value).detach()
        return hook

    tower, text = model.model.visual, model.model.language_model
    handles = [block.register_forward_hook(keep(f"blocks.{i}")) for i, block in enumerate(tower.blocks)]
    handles += [layer.register_forward_hook(keep(f"layers.{i}")) for i, layer in enumerate(text.layers)]
    handles += [text.norm.register_forward_hook(keep("norm"))]
    merged = tower(inputs["pixel_values"], grid_thw=inputs["image_grid_thw"])
    merged = merged.pooler_output if hasattr(merged, "pooler_output") else merged
    kinds = (inputs["input_ids"] == IMAGE).int()
    positions, _ = model.model.get_rope_index(inputs["input_ids"], kinds, inputs["image_grid_thw"])
    out = model(**inputs, mm_token_type_ids=kinds, use_cache=False).logits[0]
    for handle in handles:
        handle.remove()
    ids = inputs["input_ids"][0]
    # As in training: the loss counts text only.
    targets = torch.where(ids[1:] == IMAGE, torch.tensor(-100), ids[1:])
    loss = torch.nn.functional.cross_entropy(out[:-1], targets)
    model.zero_grad()
    loss.backward()
    seen |= {"merger": torch.cat(list(merged)) if isinstance(merged, (list, tuple)) else merged, "logits": out,
             "loss": loss.reshape(1)}
    for name, p in model.named_parameters():
        if p.grad is not None:
            seen["grad." + re.sub(r"^model\.(language_model\.)?", "", name)] = p.grad
    result = {name: value.detach().float().clone() for name, value in seen.items()}
    return result | {"positions": positions[:, 0].to(torch.int32)}


VISION = [(r"v\.blk\.(\d+)\.ln([12])\.weight", r"blocks.\1.norm\2.weight"),
          (r"v\.blk\.(\d+)\.attn_out\.(.*)", r"blocks.\1.attn.proj.\2"),
          (r"v\.blk\.(\d+)\.ffn_(gate|up|down)\.(.*)", r"blocks.\1.mlp.\2_proj.\3"),
          (r"v\.post_ln\.weight", "merger.ln_q.weight"), (r"mm\.([02])\.(.*)", r"merger.mlp.\1.\2")]


def load_mmproj(model, path):
    """Puts the values of an mmproj file into the tower."""
    tower = dict(model.model.visual.named_parameters())
    frames, thirds = {}, {}
    for tensor in gguf.GGUFReader(path).tensors:
        value = torch.from_numpy(np.array(gguf.dequantize(tensor.data, tensor.tensor_type), dtype=np.float32))
        value = value.reshape([int(n) for n in reversed(tensor.shape)])
        if m := re.fullmatch(r"v\.patch_embd\.weight(\.1)?", tensor.name):
            frames[1 if m[1] else 0] = value
        elif m := re.fullmatch(r"v\.blk\.(\d+)\.attn_([qkv])\.(weight|bias)", tensor.name):
            thirds[(m[1], m[3], "qkv".index(m[2]))] = value
        else:
            name = next(re.sub(p, r, tensor.name) for p, r in VISION if re.fullmatch(p, tensor.name))
            assert tower[name].shape == value.shape, name
            tower[name].data = value.contiguous()
    tower["patch_embed.proj.weight"].data = torch.stack([frames[0], frames[1]], dim=2).contiguous()
    for block, kind in {(b, k) for b, k, _ in thirds}:
        tower[f"blocks.{block}.attn.qkv.{kind}"].data = torch.cat([thirds[(block, kind, i)] for i in range(3)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--llama-cpp", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "tiny")
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    rng = np.random.default_rng(1)
    folder = args.out / "qwen2_5_vl"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = transformers.Qwen2_5_VLForConditionalGeneration._from_config(config(), attn_implementation="eager").eval()
    randomise(model, 11)
    processor = transformers.models.qwen2_vl.image_processing_pil_qwen2_vl.Qwen2VLImageProcessorPil(
        patch_size=4, merge_size=2, temporal_patch_size=2, size={"shortest_edge": 256, "longest_edge": 1600})
    sources = images(rng)
    prepared = processor(sources, return_tensors="pt")
    grids = prepared["image_grid_thw"]
    ids = prompt(rng, grids.tolist())
    inputs = dict(input_ids=ids[None], attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                  pixel_values=prepared["pixel_values"], image_grid_thw=grids)
    expected = run(model, inputs)
    model.to(torch.bfloat16).save_pretrained(folder)
    model.to(torch.float32)
    processor.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    for i, image in enumerate(sources):
        expected[f"image.{i}"] = torch.from_numpy(np.array(image))
    save_file({k: v.contiguous() for k, v in (expected | {
        "tokens": ids.to(torch.int32), "grids": grids.to(torch.int32), "pixel_values": prepared["pixel_values"].float(),
    }).items()}, folder / "expected.safetensors")
    print(f"qwen2_5_vl: grids {grids.tolist()}, {len(ids)} tokens, loss {expected['loss'].item():.4f}, "
          f"logits up to {expected['logits'].abs().max():.3g}")
    if args.llama_cpp:
        for name, extra in (("text", ()), ("mmproj", ("--mmproj",))):
            subprocess.run([sys.executable, args.llama_cpp / "convert_hf_to_gguf.py", folder, "--outtype", "f32", "--outfile",
                            folder / f"{name}.gguf", *extra], check=True)
        load_mmproj(model, folder / "mmproj.gguf")
        again = run(model, inputs)
        save_file({"merger": again["merger"].contiguous(), "logits": again["logits"].contiguous()},
                  folder / "expected_gguf.safetensors")
    print(f"{sum(f.stat().st_size for f in folder.iterdir())} bytes")


if __name__ == "__main__":
    main()
