#!/usr/bin/env python3
"""Makes the tiny checkpoints with images of tests/parity/models/tiny and what PyTorch computes from them.

    make_vision.py --llama-cpp DIR [--out DIR]

Needs what make_tiny.py needs. `gemma3-vision` holds a Gemma 3 with a small image tower as transformers 5 writes it, with
  expected.safetensors   images, pixel values, activations of tower and decoder after each layer, logits, loss, gradients
                         (sequences with 1, 2 and 5 images), half-size images (interpolated positions), and the last logits of
                         a sequence of more than 4,096 image tokens
  q8_0.gguf, mmproj-f16.gguf   text and image part by llama.cpp's converter, and the logits from their values
  mmproj-old.gguf        the latter with ffn_up and ffn_down exchanged, as the first converters wrote it
  ollama.gguf            both in one file, under the names and keys of Ollama's converter (written here: no second reader)
`gemma3-vision-old` has the names and the config.json of transformers 4, and image blocks longer than its sliding window.
"""

import argparse
import json
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
from safetensors.torch import load_file, save_file
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

import make_tiny
from make_tiny import decoder, load_gguf, randomise

CONTROL = ["<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>", "<unused94>",
           "<unused95>"]
FIRST = 4  # id of the first of them; pad 0, bos 1, eos 2, unk 3
BOI, EOI, SOFT = FIRST + 2, FIRST + 3, FIRST + 4
PIECES = 100


def make_model(tokens_per_side, window):
    """A tower with head_dim 72 and an intermediate size that no block of 32 divides, as the real one has. Every sixth layer sees
    everything: readers of GGUF files take that for granted."""
    text = dict(hidden_size=32, intermediate_size=32, num_attention_heads=4, num_key_value_heads=2, head_dim=12,
                vocab_size=104, max_position_embeddings=8192, bos_token_id=1, eos_token_id=2, pad_token_id=0,
                num_hidden_layers=7, sliding_window=window, query_pre_attn_scalar=12,
                rope_parameters={"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
                                 "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}})
    vision = dict(hidden_size=72, intermediate_size=70, num_hidden_layers=2, num_attention_heads=1,
                  image_size=14 * tokens_per_side, patch_size=7, vision_use_head=False)
    config = transformers.Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=tokens_per_side ** 2,
                                       image_token_index=SOFT, boi_token_index=BOI, eoi_token_index=EOI)
    return transformers.Gemma3ForConditionalGeneration(config)


def train_tokenizer(folder):
    words = [a + b + c for a in "bdfglmnprst" for b in "aeiou" for c in "nrst"]
    text = Path(folder) / "text.txt"
    text.write_text("\n".join(" ".join(words[i:] + words[:i]) for i in range(0, 200, 2)), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(Path(folder) / "tokenizer"), vocab_size=PIECES, model_type="bpe", pad_id=0,
        bos_id=1, eos_id=2, unk_id=3, normalization_rule_name="identity", num_threads=1, control_symbols=CONTROL,
        user_defined_symbols=["\n", "\n\n"], add_dummy_prefix=False)
    return Path(folder) / "tokenizer.model"


def sequence(rng, images, count, text=(2, 5)):
    """bos, then text and images by turns; images: indices. Returns ids and the images' indices."""
    ids = [1]
    for image in images:
        ids += rng.integers(FIRST + len(CONTROL) + 2, PIECES, rng.integers(*text)).tolist()
        ids += [BOI] + [SOFT] * count + [EOI]
    ids += rng.integers(FIRST + len(CONTROL) + 2, PIECES, 5).tolist()
    return torch.tensor(ids), list(images)


def hooks(model, seen, vision):
    def keep(name, first_only=True):
        def hook(_module, _inputs, output):
            value = output[0] if isinstance(output, tuple) else output
            value = getattr(value, "last_hidden_state", value)
            seen.setdefault(name, []).append(value.detach().reshape(-1, value.shape[-1]))
        return hook

    text, tower, projector = decoder(model), model.model.vision_tower, model.model.multi_modal_projector
    handles = [text.norm.register_forward_hook(keep("norm"))]
    handles += [layer.register_forward_hook(keep(f"layers.{i}")) for i, layer in enumerate(text.layers)]
    # What enters the first layer, after the images took their places.
    handles.append(text.layers[0].register_forward_pre_hook(
        lambda _m, args, kwargs: seen.setdefault("embed_tokens", []).append(
            (args[0] if args else kwargs["hidden_states"]).detach()[0]), with_kwargs=True))
    if vision:
        handles += [tower.embeddings.register_forward_hook(keep("vision.embeddings")),
                    tower.post_layernorm.register_forward_hook(keep("vision.post_layernorm")),
                    projector.register_forward_hook(keep("vision.projected"))]
        handles += [layer.register_forward_hook(keep(f"vision.layers.{i}"))
                    for i, layer in enumerate(tower.encoder.layers)]
    return handles


def run(model, sequences, pixels, gradients):
    """Activations of the packed sequences; the tower's are those of each sequence's images in turn."""
    seen, logits, total, counted = {}, [], 0.0, 0
    handles = hooks(model, seen, True)
    for ids, images in sequences:
        out = model(input_ids=ids[None], pixel_values=pixels[images], token_type_ids=(ids == SOFT).long()[None],
                    use_cache=False).logits[0]
        logits.append(out.detach())
        targets = ids[1:].clone()
        targets[targets == SOFT] = -100
        total = total + torch.nn.functional.cross_entropy(out[:-1], targets, reduction="sum")
        counted += int((targets != -100).sum())
    for handle in handles:
        handle.remove()
    loss = total / counted
    result = {name: torch.cat(parts) for name, parts in seen.items()}
    result["logits"] = torch.cat(logits)
    result["loss"] = loss.detach().reshape(1)
    if gradients:
        model.zero_grad()
        loss.backward()
        for name, p in model.named_parameters():
            if p.grad is not None:
                result["grad." + name.removeprefix("model.").removeprefix("language_model.")] = p.grad
    return {name: value.detach().float().clone() for name, value in result.items()}


@torch.inference_mode()
def half_size(model, pixels):
    """The tower on images of half the side: positions interpolated, a quarter of the tokens."""
    hidden = model.model.vision_tower(pixel_values=pixels, interpolate_pos_encoding=True).last_hidden_state
    projector = model.model.multi_modal_projector
    before = projector.patches_per_image
    projector.patches_per_image = before // 2
    projected = projector(hidden)
    projector.patches_per_image = before
    return hidden.reshape(-1, hidden.shape[-1]), projected.reshape(-1, projected.shape[-1])


@torch.inference_mode()
def long_sequence(model, rng, pixels, count):
    ids, images = sequence(rng, [i % len(pixels) for i in range(4200 // count)], count, text=(0, 2))
    out = model(input_ids=ids[None], pixel_values=pixels[images], token_type_ids=(ids == SOFT).long()[None],
                use_cache=False, logits_to_keep=8).logits[0]
    return ids, images, out


def vision_name(name):
    """llama.cpp's name of a tensor of the image part -> transformers 5."""
    parts = name.split(".")
    if parts[0] == "mm":
        return {"mm.input_projection.weight": "multi_modal_projector.mm_input_projection_weight",
                "mm.soft_emb_norm.weight": "multi_modal_projector.mm_soft_emb_norm.weight"}[name]
    outer = {"patch_embd": "embeddings.patch_embedding", "position_embd": "embeddings.position_embedding",
             "post_ln": "post_layernorm"}
    inner = {"ln1": "layer_norm1", "ln2": "layer_norm2", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
             "attn_v": "self_attn.v_proj", "attn_out": "self_attn.out_proj", "ffn_up": "mlp.fc1", "ffn_down": "mlp.fc2"}
    if parts[1] == "blk":
        return f"vision_tower.encoder.layers.{parts[2]}.{inner[parts[3]]}.{parts[4]}"
    return f"vision_tower.{outer[parts[1]]}.{parts[2]}"


def load_mmproj(model, path):
    params = dict(model.model.named_parameters())
    for tensor in gguf.GGUFReader(path).tensors:
        value = torch.from_numpy(np.array(gguf.dequantize(tensor.data, tensor.tensor_type), dtype=np.float32))
        value = value.reshape([int(n) for n in reversed(tensor.shape)])
        name = vision_name(tensor.name)
        if "soft_emb_norm" in name:
            value = value - 1
        assert params[name].shape == value.shape, name
        params[name].data = value.contiguous()


def copy_fields(reader, writer, skip=()):
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture" or field.name.startswith(tuple(skip) or "\0"):
            continue
        kind = field.types[0]
        if kind == gguf.GGUFValueType.ARRAY:
            writer.add_array(field.name, field.contents())
        else:
            writer.add_key_value(field.name, field.contents(), kind)


def write(path, architecture, fields, tensors):
    """fields: function of the writer; tensors: (name, ReaderTensor)."""
    writer = gguf.GGUFWriter(path, architecture)
    fields(writer)
    for name, tensor in tensors:
        writer.add_tensor(name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_old_mmproj(source, path):
    reader = gguf.GGUFReader(source)
    exchange = {"ffn_up": "ffn_down", "ffn_down": "ffn_up"}
    write(path, "clip", lambda w: copy_fields(reader, w),
          [(".".join(exchange.get(part, part) for part in t.name.split(".")), t) for t in reader.tensors])


OLLAMA = {"v.patch_embd": "v.patch_embedding", "v.position_embd": "v.position_embedding", "v.post_ln": "v.post_layernorm",
          "mm.input_projection": "mm.mm_input_projection", "mm.soft_emb_norm": "mm.mm_soft_emb_norm"}
OLLAMA_LAYER = {"ln1": "layer_norm1", "ln2": "layer_norm2", "attn_out": "attn_output", "ffn_up": "mlp.fc1",
                "ffn_down": "mlp.fc2"}


def write_ollama(model, text, mmproj, path):
    """Ollama's convert/convert_gemma3.go: the multimodal case writes neither rope nor epsilon keys."""
    text, mmproj, c = gguf.GGUFReader(text), gguf.GGUFReader(mmproj), model.config

    def fields(writer):
        copy_fields(text, writer, skip=["gemma3.", "general.size_label", "general.quantization_version"])
        t, v = c.text_config, c.vision_config
        ints = {"block_count": t.num_hidden_layers, "attention.head_count": t.num_attention_heads,
                "attention.head_count_kv": t.num_key_value_heads, "context_length": t.max_position_embeddings,
                "embedding_length": t.hidden_size, "feed_forward_length": t.intermediate_size,
                "attention.sliding_window": t.sliding_window, "attention.key_length": t.head_dim,
                "attention.value_length": t.head_dim, "vision.block_count": v.num_hidden_layers,
                "vision.embedding_length": v.hidden_size, "vision.feed_forward_length": v.intermediate_size,
                "vision.image_size": v.image_size, "vision.patch_size": v.patch_size, "vision.num_channels": 3,
                "vision.attention.head_count": v.num_attention_heads, "mm.tokens_per_image": c.mm_tokens_per_image}
        for key, value in ints.items():
            writer.add_uint32("gemma3." + key, value)
        writer.add_float32("gemma3.vision.attention.layer_norm_epsilon", v.layer_norm_eps)
        # A reader supplies the scaling of the published sizes only.
        writer.add_string("gemma3.rope.scaling.type", "linear")
        writer.add_float32("gemma3.rope.scaling.factor", 8.0)

    def name(n):
        parts = n.split(".")
        if parts[:2] == ["v", "blk"]:
            return ".".join(parts[:3] + [OLLAMA_LAYER.get(parts[3], parts[3])] + parts[4:])
        stem = ".".join(parts[:2])
        return ".".join([OLLAMA.get(stem, stem)] + parts[2:])

    write(path, "gemma3", fields, [(t.name, t) for t in text.tensors] + [(name(t.name), t) for t in mmproj.tensors])


def old_names(source, target):
    """transformers 5 dropped a level of the tower's names, which the published checkpoints and llama.cpp's converter have."""
    tensors = load_file(source)
    renamed = {name.replace("vision_tower.", "vision_tower.vision_model."): t for name, t in tensors.items()}
    save_file(renamed, target, {"format": "pt"})


def old_layout(folder):
    """Names and config.json as transformers 4.5x wrote them."""
    old_names(folder / "model.safetensors", folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    text = config["text_config"]
    for key in ("rope_parameters", "_sliding_window_pattern", "use_bidirectional_attention", "tie_word_embeddings",
                "hidden_activation", "rms_norm_eps", "attn_logit_softcapping", "final_logit_softcapping"):
        text.pop(key, None)
    text |= dict(rope_theta=1000000.0, rope_local_base_freq=10000.0, rope_scaling={"rope_type": "linear", "factor": 8.0})
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def convert(llama_cpp, folder, kind, path, *more):
    subprocess.run([sys.executable, llama_cpp / "convert_hf_to_gguf.py", folder, "--outtype", kind, "--outfile", path, *more],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make(name, seed, out, tokenizer, tokens_per_side, window, llama_cpp, old):
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = make_model(tokens_per_side, window).eval()
    randomise(model, seed)
    side, count = model.config.vision_config.image_size, tokens_per_side ** 2
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (8, side, side, 3), dtype=np.uint8)
    processor = Gemma3ImageProcessorPil(size={"height": side, "width": side})
    pixels = torch.tensor(np.array(processor(list(images), return_tensors="np")["pixel_values"]))
    sequences = [sequence(rng, used, count) for used in ([3], [0, 5], [1, 2, 4, 6, 7])]
    expected = run(model, sequences, pixels, not old)
    model.to(torch.bfloat16).save_pretrained(folder)
    model.to(torch.float32)
    (folder / "generation_config.json").unlink(missing_ok=True)
    # From here on `again`: the conversion rounded the rotary frequencies of `model`.
    if old:
        old_layout(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(dict(
        do_convert_rgb=None, do_normalize=True, do_pan_and_scan=None, do_rescale=True, do_resize=True,
        image_mean=[0.5] * 3, image_std=[0.5] * 3, image_processor_type="Gemma3ImageProcessor", image_seq_length=count,
        resample=2, rescale_factor=1 / 255, size=dict(height=side, width=side)), indent=2) + "\n")
    shutil.copy(tokenizer, folder / "tokenizer.model")
    again = type(model).from_pretrained(folder, dtype=torch.float32).eval()
    assert torch.equal(run(again, sequences, pixels, False)["logits"], expected["logits"]), name
    expected |= {"images": torch.from_numpy(images),
                 "tokens": torch.cat([ids for ids, _ in sequences]).to(torch.int32),
                 "lengths": torch.tensor([len(ids) for ids, _ in sequences], dtype=torch.int32),
                 "image_order": torch.tensor(sum((i for _, i in sequences), []), dtype=torch.int32)}
    if not old:
        expected["pixel_values"] = pixels
        small = torch.tensor(np.array(Gemma3ImageProcessorPil(size={"height": side // 2, "width": side // 2})(
            list(images[:, :side // 2, :side // 2]), return_tensors="np")["pixel_values"]))
        expected["half.post_layernorm"], expected["half.projected"] = half_size(again, small)
        ids, used, logits = long_sequence(again, rng, pixels, count)
        assert int((ids == SOFT).sum()) > 4096
        expected |= {"long.tokens": ids.to(torch.int32), "long.image_order": torch.tensor(used, dtype=torch.int32),
                     "long.logits": logits}
        text, mmproj = folder / "q8_0.gguf", folder / "mmproj-f16.gguf"
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch) / name
            shutil.copytree(folder, copy)
            old_names(folder / "model.safetensors", copy / "model.safetensors")
            convert(llama_cpp, copy, "q8_0", text)
            convert(llama_cpp, copy, "f16", mmproj, "--mmproj")
        write_old_mmproj(mmproj, folder / "mmproj-old.gguf")
        write_ollama(model, text, mmproj, folder / "ollama.gguf")
        load_gguf(make_tiny.Tiny(name, None, offset=1.0), again, text)
        load_mmproj(again, mmproj)
        save_file({"logits": run(again, sequences, pixels, False)["logits"]}, folder / "expected_gguf.safetensors")
    save_file({k: v.contiguous() for k, v in expected.items()}, folder / "expected.safetensors")
    for f in sorted(folder.iterdir()):
        print(f"  {f.name}: {f.stat().st_size} bytes")
    print(f"{name}: loss {expected['loss'].item():.4f}, {len(expected['tokens'])} tokens", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--llama-cpp", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "tiny")
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = train_tokenizer(scratch)
        make("gemma3-vision", 21, args.out, tokenizer, 2, 5, args.llama_cpp, False)
        make("gemma3-vision-old", 22, args.out, tokenizer, 3, 5, args.llama_cpp, True)


if __name__ == "__main__":
    main()
