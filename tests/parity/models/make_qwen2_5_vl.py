#!/usr/bin/env python3
"""Makes tests/parity/models/tiny/qwen2_5_vl: a random Qwen2.5-VL and what transformers computes from it in fp32.

    make_qwen2_5_vl.py --llama-cpp DIR [--out DIR]

Versions and DIR as in make_tiny.py. `expected.safetensors` holds the images (image.I), their pixel_values and grids in the order of
`image_order`, packed sequences with 1, 2 and 5 images (text before, between and behind; sizes that make border windows, and rows and
columns of empty ones), the tower's activations after each block, the merged tokens, the three rows of positions, the text model's
activations, logits, loss and gradients, and the greedy answer to each sequence. text.gguf and mmproj.gguf are written by llama.cpp's converter; expected_gguf.safetensors
holds the merged tokens and the logits from the values that they decode to, for the first sequence and for an image that needs
several windows of 112 pixels, which is what those files mean.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np
import sentencepiece
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file
from sentencepiece import sentencepiece_model_pb2
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

sys.path.insert(0, str(Path(__file__).resolve().parent))
import make_tiny  # noqa: E402
from make_tiny import load_gguf, randomise  # noqa: E402

HERE = Path(__file__).resolve().parent
TEMPLATE = HERE.parents[1] / "cases/templates/sources/qwen2.5_vl.jinja"
CONTROL = ["<|image_pad|>", "<|vision_start|>", "<|vision_end|>", "<|video_pad|>", "<|im_start|>", "<|im_end|>"]
IMAGE, START, END, VIDEO = 90, 91, 92, 93  # ids of the first four; text is 3..89
# Pixels (width, height) before resizing; patches of 4, merged 2 x 2: cells of 8; windows of 2 x 2 cells. As many columns and rows
# as whole windows hold make the reference add empty ones.
SIZES = ((40, 23), (16, 16), (9, 70), (32, 31))
ORDERS = ([0], [1, 2], [3, 1, 0, 2, 3])
LARGE = (150, 70)  # for windows of 112 pixels
ANSWER = 10  # tokens


def config():
    text = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
                vocab_size=96, max_position_embeddings=512, rms_norm_eps=1e-6, bos_token_id=1, eos_token_id=2, pad_token_id=0,
                rope_parameters=dict(rope_type="default", rope_theta=1000000.0, mrope_section=[1, 1, 2]))
    vision = dict(depth=4, hidden_size=24, intermediate_size=20, num_heads=2, patch_size=4, spatial_merge_size=2,
                  temporal_patch_size=2, window_size=16, out_hidden_size=32, fullatt_block_indexes=[1, 3])
    return transformers.Qwen2_5_VLConfig(text_config=text, vision_config=vision, image_token_id=IMAGE, video_token_id=VIDEO,
                                         vision_start_token_id=START, vision_end_token_id=END, tie_word_embeddings=False)


def write_tokenizer(folder):
    """SentencePiece puts control symbols first; here they are the last ids, as in the published vocabulary."""
    words = [a + b + c for a in "bdfglmnprst" for b in "aeiou" for c in "nrst"]
    with tempfile.TemporaryDirectory() as scratch:
        text = Path(scratch) / "text.txt"
        text.write_text("\n".join(" ".join(words[i:] + words[:i]) for i in range(0, 200, 2)), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(text), model_prefix=str(Path(scratch) / "tokenizer"), vocab_size=96, model_type="bpe", pad_id=0, bos_id=1,
            eos_id=2, unk_id=3, normalization_rule_name="identity", num_threads=1, control_symbols=CONTROL,
            user_defined_symbols=["\n"], add_dummy_prefix=False, character_coverage=1.0)
        model = sentencepiece_model_pb2.ModelProto.FromString((Path(scratch) / "tokenizer.model").read_bytes())
    pieces = list(model.pieces)
    del model.pieces[:]
    model.pieces.extend(pieces[:4] + pieces[4 + len(CONTROL):] + pieces[4:4 + len(CONTROL)])
    assert [p.piece for p in model.pieces[IMAGE:]] == CONTROL
    for path in ("input", "model_prefix"):  # of the scratch folder
        model.trainer_spec.ClearField(path)
    (folder / "tokenizer.model").write_bytes(model.SerializeToString())
    shutil.copy(TEMPLATE, folder / "chat_template.jinja")


def images(rng):
    return [Image.fromarray(rng.integers(0, 256, (h, w, 3), dtype=np.uint8)) for w, h in (*SIZES, LARGE)]


def sequence(rng, grids):
    """Text, and each image with some text behind it."""
    ids = list(rng.integers(4, IMAGE, 5))
    for i, (_, h, w) in enumerate(grids):
        ids += [START] + [IMAGE] * int(h * w // 4) + [END]
        ids += list(rng.integers(4, IMAGE, 3 + 4 * (i % 3)))
    return torch.tensor(ids)


def keep(seen, name):
    def hook(_module, _inputs, output):
        value = output[0] if isinstance(output, tuple) else output
        seen.setdefault(name, []).append((value[0] if value.dim() == 3 else value).detach())
    return hook


def run(model, sequences, gradients=False):
    """sequences: (ids, pixel_values, grids). Activations of the packed sequences."""
    seen, logits, positions, total, counted = {}, [], [], 0.0, 0
    tower, text = model.model.visual, model.model.language_model
    handles = [block.register_forward_hook(keep(seen, f"vision.blocks.{i}")) for i, block in enumerate(tower.blocks)]
    handles += [layer.register_forward_hook(keep(seen, f"layers.{i}")) for i, layer in enumerate(text.layers)]
    handles += [text.norm.register_forward_hook(keep(seen, "norm"))]
    for ids, pixels, grids in sequences:
        inputs = dict(input_ids=ids[None], attention_mask=torch.ones(1, len(ids), dtype=torch.long), pixel_values=pixels,
                      image_grid_thw=grids)
        kinds = (ids[None] == IMAGE).int()
        positions.append(model.model.get_rope_index(ids[None], kinds, grids)[0][:, 0])
        out = model(**inputs, mm_token_type_ids=kinds, use_cache=False).logits[0]
        logits.append(out.detach())
        # As in training: the loss counts text only.
        targets = torch.where(ids[1:] == IMAGE, torch.tensor(-100), ids[1:])
        total = total + torch.nn.functional.cross_entropy(out[:-1], targets, reduction="sum")
        counted += int((targets != -100).sum())
    for handle in handles:
        handle.remove()
    result = {name: torch.cat(parts) for name, parts in seen.items()}
    # The tower returns the merger's rows in the plain order.
    with torch.no_grad():
        outputs = [tower(pixels, grid_thw=grids).pooler_output for _, pixels, grids in sequences]
    result["vision.projected"] = torch.cat([torch.cat(list(o)) if isinstance(o, (list, tuple)) else o for o in outputs])
    result |= {"logits": torch.cat(logits), "loss": (total / counted).detach().reshape(1)}
    if gradients:
        model.zero_grad()
        (total / counted).backward()
        for name, p in model.named_parameters():
            if p.grad is not None:
                result["grad." + re.sub(r"^model\.(language_model\.)?", "", name)] = p.grad
    result = {name: value.detach().float().clone() for name, value in result.items()}
    return result | {"positions": torch.cat(positions, 1).to(torch.int32)}


@torch.inference_mode()
def answer(model, ids, pixels, grids):
    """The greedy continuation, every token of it clear of rounding."""
    out = model.generate(input_ids=ids[None], attention_mask=torch.ones(1, len(ids), dtype=torch.long), pixel_values=pixels,
                         image_grid_thw=grids, mm_token_type_ids=(ids[None] == IMAGE).int(), do_sample=False, max_new_tokens=ANSWER,
                         eos_token_id=None, output_scores=True, return_dict_in_generate=True)
    best = torch.cat(out.scores).topk(2).values
    assert (best[:, 0] - best[:, 1]).min() > 1e-3
    return out.sequences[0, len(ids):].to(torch.int32)


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


def convert(llama_cpp, folder, path, *more):
    # Without such a file the converter leaves the chat template out.
    config = folder / "tokenizer_config.json"
    config.write_text('{"model_max_length": 512}')
    subprocess.run([sys.executable, llama_cpp / "convert_hf_to_gguf.py", folder, "--outtype", "f16", "--outfile", path, *more],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    config.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--llama-cpp", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=HERE / "tiny")
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
    sizes = dict(patch_size=4, merge_size=2, temporal_patch_size=2)
    processor = Qwen2VLImageProcessorPil(**sizes, size={"shortest_edge": 256, "longest_edge": 1600})
    sources = images(rng)

    def prepare(order, processor=processor):
        prepared = processor([sources[i] for i in order], return_tensors="pt")
        grids = prepared["image_grid_thw"]
        return sequence(rng, grids.tolist()), prepared["pixel_values"], grids

    sequences = [prepare(order) for order in ORDERS]
    expected = run(model, sequences, gradients=True)
    model.to(torch.bfloat16).save_pretrained(folder)
    model.to(torch.float32)
    processor.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    write_tokenizer(folder)
    # The conversion rounded the rotary frequencies of `model`.
    again = type(model).from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    assert torch.equal(run(again, sequences)["logits"], expected["logits"])
    expected["answers"] = torch.stack([answer(again, *inputs) for inputs in sequences])
    expected |= {f"image.{i}": torch.from_numpy(np.array(image)) for i, image in enumerate(sources)}
    expected |= {"tokens": torch.cat([ids for ids, _, _ in sequences]).to(torch.int32),
                 "lengths": torch.tensor([len(ids) for ids, _, _ in sequences], dtype=torch.int32),
                 "image_order": torch.tensor(sum(ORDERS, []), dtype=torch.int32),
                 "grids": torch.cat([grids for _, _, grids in sequences]).to(torch.int32),
                 "pixel_values": torch.cat([pixels for _, pixels, _ in sequences]).float()}
    save_file({k: v.contiguous() for k, v in expected.items()}, folder / "expected.safetensors")
    print(f"qwen2_5_vl: {len(expected['tokens'])} tokens, loss {expected['loss'].item():.4f}, "
          f"logits up to {expected['logits'].abs().max():.3g}")
    convert(args.llama_cpp, folder, folder / "text.gguf")
    convert(args.llama_cpp, folder, folder / "mmproj.gguf", "--mmproj")
    load_gguf(make_tiny.Tiny("qwen2_5_vl", None), again, folder / "text.gguf")
    load_mmproj(again, folder / "mmproj.gguf")
    again.model.visual.window_size = 112
    large = prepare([len(SIZES)], Qwen2VLImageProcessorPil(**sizes, size={"shortest_edge": 256, "longest_edge": 1 << 20}))
    sequences = [sequences[0], large]
    result = run(again, sequences)
    save_file({"tokens": torch.cat([ids for ids, _, _ in sequences]).to(torch.int32),
               "lengths": torch.tensor([len(ids) for ids, _, _ in sequences], dtype=torch.int32),
               "image_order": torch.tensor(ORDERS[0] + [len(SIZES)], dtype=torch.int32),
               **{k: result[k].contiguous() for k in ("positions", "vision.projected", "logits")}},
              folder / "expected_gguf.safetensors")
    for f in sorted(folder.iterdir()):
        print(f"  {f.name}: {f.stat().st_size} bytes")


if __name__ == "__main__":
    main()
