#!/usr/bin/env python3
"""Makes the tiny SigLIP and CLIP checkpoints of tests/parity/dual_encoders and what transformers computes from them.

    make_dual_encoders.py [--out DIR]

Needs torch 2.13.0 (CPU), transformers 5.23.0, tokenizers 0.23.3, sentencepiece 0.2.3, safetensors 0.8.0, Pillow 12.3.0.

    tiny/NAME/            a Hugging Face directory, random weights in bf16, with expected.safetensors: activations after each
                          layer, features, logits and gradients of sum(seed * logits), all in fp32
    images/*.png          small pictures of odd sizes
    scores.json           what each checkpoint says about them, text cleaned, tokenised and pixels prepared by its processor
    pixels.json           digests of what the image processors give for pictures that both sides draw by the same formula
    texts_*.json          texts and the ids that SiglipTokenizer and CLIPTokenizer give
"""

import argparse
import json
import random
import shutil
import tempfile
from pathlib import Path

import numpy as np
import sentencepiece
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

import texts

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
SIZE, PATCH, POSITIONS = 21, 7, 16
LABELS = ("a chest X-ray with pleural effusion", "normal lungs", "Skin: erythema, edema!")
CLASSES = ("healing_status", "erythema", "edema", "infection_risk")
THRESHOLDS = (0.43, 0.51, 0.5, 0.35)
PICTURES = {"wide.png": (37, 23, "RGB"), "tall.png": (19, 64, "RGB"), "square.png": (21, 21, "RGB"), "grey.png": (50, 41, "L"),
            "palette.png": (33, 30, "P")}

VISION = dict(hidden_size=24, intermediate_size=44, num_hidden_layers=2, num_attention_heads=2, image_size=SIZE, patch_size=PATCH)
TEXT = dict(hidden_size=20, intermediate_size=36, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=POSITIONS)


def randomise(model, seed):
    """Weights at which every part of the model matters, exact in bf16."""
    generator = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        if name == "logit_scale":
            value = torch.full(p.shape, 1.5)
        elif name == "logit_bias":
            value = torch.full(p.shape, -0.75)
        elif name.endswith("bias"):
            value = 0.3 * noise
        elif "norm" in name:
            value = 0.2 * noise + 1
        elif "embedding" in name and "patch" not in name or name.endswith("probe"):
            value = 0.4 * noise
        else:
            value = noise * (p[0].numel() ** -0.5)
        p.data = value.to(torch.bfloat16).float()


def siglip_tokenizer(folder):
    """A unigram model with the ids of SigLIP's: pad 0, </s> 1, <unk> 2, bytes behind."""
    source = Path(folder) / "text.txt"
    source.write_text("\n".join(texts.PLAIN * 4), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(source), model_prefix=str(Path(folder) / "spiece"), vocab_size=420, model_type="unigram", pad_id=0, eos_id=1,
        unk_id=2, bos_id=-1, byte_fallback=True, num_threads=1, hard_vocab_limit=False, minloglevel=2)
    return transformers.SiglipTokenizer(str(Path(folder) / "spiece.model"), model_max_length=POSITIONS,
                                        model_input_names=["input_ids"])


def clip_tokenizer():
    """Byte pairs with </w>, and CLIP's own normaliser and pre-tokenizer."""
    trainer = trainers.BpeTrainer(vocab_size=640, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), end_of_word_suffix="</w>",
                                  show_progress=False)
    trained = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.train_from_iterator([t.lower() for t in texts.PLAIN], trainer)
    state = json.loads(trained.to_str())["model"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [tuple(m) for m in state["merges"]]
    pieces = alphabet + [c + "</w>" for c in alphabet] + ["".join(m) for m in merges]
    pieces = list(dict.fromkeys(pieces)) + ["<|startoftext|>", "<|endoftext|>"]
    return transformers.CLIPTokenizer({p: i for i, p in enumerate(pieces)}, merges, model_max_length=POSITIONS)


def draw(width, height):
    """The picture of pixels.json: PatternImage of dual_encoder_test.h draws the same."""
    x, y, c = np.meshgrid(np.arange(width), np.arange(height), np.arange(3), indexing="xy")
    x, y, c = (np.moveaxis(a, 0, 0) for a in (x, y, c))
    return Image.fromarray(((x * 7 + y * 13 + c * 29 + (x * y // 8) * (c + 1)) & 255).astype(np.uint8))


def fnv1a(data):
    digest = 0xCBF29CE484222325
    for byte in data:
        digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{digest:016x}"


class FastProcessor:
    """What the torchvision classes compute (TorchvisionBackend), by torch alone: torchvision's resize of bytes on a CPU is this call."""

    def __init__(self, pil, name):
        self.settings = json.loads(pil.to_json_string()) | {"image_processor_type": name}

    def to_json_string(self):
        return json.dumps(self.settings)

    def __call__(self, images, return_tensors):
        s, (width, height) = self.settings, images.size
        pixels = torch.from_numpy(np.array(images)).permute(2, 0, 1)[None].contiguous()
        size = s["size"]
        if "shortest_edge" in size:
            edge, short, long = size["shortest_edge"], min(width, height), max(width, height)
            shape = (int(edge * long / short), edge) if width <= height else (edge, int(edge * long / short))
        else:
            shape = (size["height"], size["width"])
        mode = {2: "bilinear", 3: "bicubic"}[s["resample"]]
        pixels = torch.nn.functional.interpolate(pixels, shape, mode=mode, antialias=True, align_corners=False)
        if s.get("do_center_crop"):
            crop = s["crop_size"]
            top, left = int((shape[0] - crop["height"]) / 2.0), int((shape[1] - crop["width"]) / 2.0)
            pixels = pixels[..., top:top + crop["height"], left:left + crop["width"]]
        mean, std = (torch.tensor(s[k]) * (1.0 / s["rescale_factor"]) for k in ("image_mean", "image_std"))
        return {"pixel_values": (pixels.float().sub(mean[:, None, None]).div(std[:, None, None])).numpy()}


def write_pixels(out):
    processors = {
        "medsiglip": SiglipImageProcessorPil(size={"height": 448, "width": 448}, resample=2),
        "siglip": SiglipImageProcessorPil(),
        "clip": CLIPImageProcessorPil(),
        "tiny-clip": CLIPImageProcessorPil(size={"shortest_edge": 25}, crop_size={"height": 21, "width": 21}),
    }
    processors["medsiglip-fast"] = FastProcessor(processors["medsiglip"], "SiglipImageProcessorFast")
    processors["tiny-clip-fast"] = FastProcessor(processors["tiny-clip"], "CLIPImageProcessorFast")
    cases = []
    for name, processor in processors.items():
        for width, height in ((37, 23), (448, 448), (1, 1), (601, 333), (225, 447), (20, 300)):
            image = draw(width, height)
            pixels = processor(images=image, return_tensors="np")["pixel_values"][0].astype(np.float32)
            cases.append({"processor": name, "width": width, "height": height, "shape": list(pixels.shape),
                          "first": float(pixels.flat[0]), "fnv1a": fnv1a(pixels.tobytes())})
    settings = {name: json.loads(p.to_json_string()) for name, p in processors.items()}
    (out / "pixels.json").write_text(json.dumps({"processors": settings, "cases": cases}, indent=1) + "\n")


def write_texts(out, clip, tiny_siglip):
    medsiglip = transformers.SiglipTokenizer(str(REPOSITORY / "tests/data/medsiglip/spiece.model"), model_input_names=["input_ids"])
    lines = texts.lines()
    for name, folder, tokenizer in (("medsiglip", "tests/data/medsiglip", medsiglip),
                                    ("tiny_siglip", "tests/parity/dual_encoders/tiny/siglip", tiny_siglip),
                                    ("clip", "tests/parity/dual_encoders/tiny/clip", clip)):
        limit = tokenizer.model_max_length
        cases = []
        for line in lines:
            # The text of a user never becomes a control token in galen.
            if any(token in line.lower() for token in ("</s>", "<unk>", "<pad>", "<|startoftext|>", "<|endoftext|>")):
                continue
            cases.append({"text": line, "ids": tokenizer(line, truncation=True, max_length=limit)["input_ids"]})
        dumped = ",\n".join(json.dumps(c, ensure_ascii=True, separators=(",", ":")) for c in cases)
        (out / f"texts_{name}.json").write_text(
            f'{{"directory":"{folder}","max_length":{limit},"cases":[\n{dumped}\n]}}\n')
        print(f"texts_{name}.json: {len(cases)} texts")


def keep_layers(model, seen):
    """Records what the modules give, under the names that galen's observer uses."""
    def hook(name):
        def keep(_module, _inputs, output):
            value = output[0] if isinstance(output, tuple) else output
            seen[name] = value.detach().reshape(-1, value.shape[-1]).clone()
        return keep

    towers = {}
    for tower in ("vision", "text"):
        inner = getattr(model, f"{tower}_model", None)
        if inner is None:
            continue
        towers[f"{tower}.embeddings"] = inner.embeddings
        for i, layer in enumerate(inner.encoder.layers):
            towers[f"{tower}.layers.{i}"] = layer
        for module in ("pre_layrnorm", "post_layernorm", "final_layer_norm"):
            if hasattr(inner, module):
                towers[f"{tower}.{module}"] = getattr(inner, module)
    return [module.register_forward_hook(hook(name)) for name, module in towers.items()]


def token_rows(tokenizer, siglip):
    """Ids as the towers take them: SigLIP's padded to all positions, CLIP's up to the end token."""
    if siglip:
        return tokenizer(list(LABELS), padding="max_length", truncation=True)["input_ids"]
    return tokenizer(list(LABELS), truncation=True)["input_ids"]


def compute(model, siglip, pixels, rows):
    """Every activation, logits and the gradients of sum(seed * logits)."""
    seen = {}
    handles = keep_layers(model, seen)
    if hasattr(model, "classifier"):
        logits = model(pixel_values=pixels).logits
    else:
        width = max(len(r) for r in rows)
        mask = torch.tensor([[1] * len(r) + [0] * (width - len(r)) for r in rows])
        pad = max(max(r) for r in rows)  # CLIP pads with its end token
        ids = torch.tensor([r + [pad] * (width - len(r)) for r in rows])
        out = model(pixel_values=pixels, input_ids=ids, attention_mask=None if siglip else mask)
        logits = out.logits_per_image
        seen["image_embeds"], seen["text_embeds"] = out.image_embeds, out.text_embeds
        seen["image_features"] = model.get_image_features(pixel_values=pixels).pooler_output
        seen["text_features"] = model.get_text_features(input_ids=ids, attention_mask=None if siglip else mask).pooler_output
        keep = mask.bool().reshape(-1)
        for name in list(seen):  # galen computes no padding of CLIP's
            if not siglip and name.startswith("text.") and seen[name].shape[0] == keep.numel():
                seen[name] = seen[name][keep]
    for handle in handles:
        handle.remove()
    seed = torch.randn(logits.shape, generator=torch.Generator().manual_seed(5))
    model.zero_grad()
    (logits * seed).sum().backward()
    grads = {f"grad.{n}": p.grad.detach().clone() for n, p in model.named_parameters() if p.grad is not None}
    return {k: v.detach().float().contiguous() for k, v in seen.items()} | {"logits": logits.detach().contiguous(), "seed": seed} | grads


def scores_of(model, folder, siglip, processor, tokenizer):
    """What the checkpoint says about the pictures, as its own processor and a pipeline would compute it."""
    result = {}
    for name in PICTURES:
        image = Image.open(HERE / "images" / name)
        pixels = processor(images=image, return_tensors="pt")["pixel_values"]
        with torch.no_grad():
            if hasattr(model, "classifier"):
                logits = model(pixel_values=pixels).logits[0]
            else:
                ids = tokenizer(list(LABELS), return_tensors="pt", truncation=True, padding="max_length" if siglip else True)
                logits = model(pixel_values=pixels, **ids).logits_per_image[0]
        result[name] = {"logits": logits.tolist(), "sigmoid": logits.sigmoid().tolist(), "softmax": logits.softmax(-1).tolist()}
        if not hasattr(model, "classifier"):
            result[name]["embedding"] = model.get_image_features(pixel_values=pixels).pooler_output[0].tolist()
    return result


def save(out, name, model, seed, processor, tokenizer, siglip, rewrite=None, expected=True, fresh=True):
    folder = out / "tiny" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if fresh:
        randomise(model, seed)
    model.to(torch.bfloat16).save_pretrained(folder)
    model.to(torch.float32)
    processor.save_pretrained(folder)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    if expected:
        pixels = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed + 100))
        rows = token_rows(tokenizer, siglip) if tokenizer is not None else None
        values = compute(model, siglip, pixels, rows) | {"pixels": pixels}
        if rows is not None:
            values["ids"] = torch.tensor([i for r in rows for i in r], dtype=torch.int32)
            values["lengths"] = torch.tensor([len(r) for r in rows], dtype=torch.int32)
        save_file(values, folder / "expected.safetensors")
    if rewrite is not None:
        rewrite(folder)
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{name}: {size} bytes, {sorted(f.name for f in folder.iterdir())}")
    return folder


def add_head_settings(folder):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["galen"] = {"preprocessing": "pad_to_square", "thresholds": dict(zip(CLASSES, THRESHOLDS))}
    path.write_text(json.dumps(config, indent=2) + "\n")


def old_names(folder):
    """Stand-alone towers as transformers 4.x saved them, with the inner level."""
    path = folder / "model.safetensors"
    save_file({f"vision_model.{k}": v for k, v in load_file(path).items()}, path, {"format": "pt"})


def split_vocabulary(folder):
    """vocab.json and merges.txt instead of tokenizer.json, as CLIP was first published."""
    path = folder / "tokenizer.json"
    model = json.loads(path.read_text())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    lines = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(lines) + "\n", encoding="utf-8")
    path.unlink()


def pad_square(image):
    """Zeros around, as torchvision's CenterCrop of the longer side does."""
    image, side = image.convert("RGB"), max(image.size)
    canvas = Image.new("RGB", (side, side))
    canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return canvas


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE)
    out = parser.parse_args().out
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    (out / "images").mkdir(parents=True, exist_ok=True)
    for name, (width, height, mode) in PICTURES.items():
        draw(width, height).convert(mode).save(out / "images" / name)
    with tempfile.TemporaryDirectory() as scratch:
        siglip_words = siglip_tokenizer(scratch)
        clip_words = clip_tokenizer()
        clip_ids = dict(vocab_size=len(clip_words), bos_token_id=len(clip_words) - 2, eos_token_id=len(clip_words) - 1, pad_token_id=1)
        siglip_text = TEXT | dict(vocab_size=len(siglip_words), projection_size=VISION["hidden_size"], bos_token_id=0,
                                  eos_token_id=1, pad_token_id=1)
        bilinear = SiglipImageProcessorPil(size={"height": SIZE, "width": SIZE}, resample=2)
        crop = CLIPImageProcessorPil(size={"shortest_edge": 25}, crop_size={"height": SIZE, "width": SIZE})

        siglip = transformers.SiglipModel(transformers.SiglipConfig(text_config=siglip_text, vision_config=VISION)).eval()
        save(out, "siglip", siglip, 1, bilinear, siglip_words, True)
        tower = transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**VISION)).eval()
        tower.load_state_dict(siglip.vision_model.state_dict())
        save(out, "siglip-vision", tower, 0, bilinear, None, True, expected=False, fresh=False)
        save(out, "siglip-vision-4x", tower, 0, bilinear, None, True, rewrite=old_names, expected=False, fresh=False)

        labels = dict(id2label=dict(enumerate(CLASSES)), label2id={c: i for i, c in enumerate(CLASSES)}, num_labels=len(CLASSES))
        head = transformers.SiglipForImageClassification(transformers.SiglipConfig(
            text_config=siglip_text, vision_config=VISION, problem_type="multi_label_classification", **labels)).eval()
        save(out, "siglip-classifier", head, 2, bilinear, None, True, rewrite=add_head_settings)

        clip = transformers.CLIPModel(transformers.CLIPConfig(
            text_config=TEXT | clip_ids | dict(eos_token_id=2), vision_config=VISION, projection_dim=16)).eval()
        save(out, "clip", clip, 3, crop, clip_words, False)
        # The later rule of pooling, another activation, and the vocabulary in two files.
        new_clip = transformers.CLIPModel(transformers.CLIPConfig(
            text_config=TEXT | clip_ids | dict(hidden_act="gelu"), vision_config=VISION | dict(hidden_act="gelu"),
            projection_dim=16)).eval()
        save(out, "clip-eos", new_clip, 4, crop, clip_words, False, rewrite=split_vocabulary)
        clip_head = transformers.CLIPForImageClassification(transformers.CLIPConfig(
            text_config=TEXT | clip_ids, vision_config=VISION, problem_type="single_label_classification", **labels)).eval()
        save(out, "clip-classifier", clip_head, 5, crop, None, False)

        padded = lambda images, **k: bilinear(images=pad_square(images), **k)  # noqa: E731
        scores = {"labels": LABELS, "classes": CLASSES, "thresholds": THRESHOLDS, "models": {
            "siglip": scores_of(siglip, "siglip", True, bilinear, siglip_words),
            "siglip-classifier": scores_of(head, "siglip-classifier", True, padded, None),
            "clip": scores_of(clip, "clip", False, crop, clip_words),
            "clip-eos": scores_of(new_clip, "clip-eos", False, crop, clip_words),
            "clip-classifier": scores_of(clip_head, "clip-classifier", False, crop, None),
        }}
        (out / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")
        write_texts(out, clip_words, siglip_words)
    write_pixels(out)


if __name__ == "__main__":
    random.seed(0)
    main()
