"""Training of Qwen2.5-VL with images against PyTorch and PEFT in fp32, from the same start: all parameters with the tower; LoRA and DoRA
on all linear layers of both parts, the tower's fused q, k, v among them; LoRA on the text with a frozen tower; LoRA on what the endings
of names reach in the tower. Images of several shapes, several in a sample, packed beside samples without; positions by rows and
columns."""

import json
import shutil
import subprocess

import torch
import transformers
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

import vision
import whole
from common import GALEN, TINY, check

SOFT = 90  # <|image_pad|> of the tiny model
TEXT_LAYERS = vision.TEXT_LAYERS
# What the names of the text's layers alone reach: the tower's MLPs have the same (its attention has not).
NAMES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
MAX_PIXELS = 900  # of images once resized, less than the model's own limit


class Reference(vision.Reference):
    model_class = transformers.Qwen2_5_VLForConditionalGeneration
    soft = SOFT

    def __init__(self, base):
        self.model = self.open(base)
        # The files' limits but for the upper one.
        self.processor = Qwen2VLImageProcessorPil.from_pretrained(base, size={"shortest_edge": 256, "longest_edge": MAX_PIXELS})

    def inputs(self, example):
        ids = torch.tensor([example["tokens"]])
        images = self.images(example)
        if not images:
            return dict(input_ids=ids)
        prepared = self.processor(images, return_tensors="pt")
        return dict(input_ids=ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=(ids == SOFT).int(),
                    pixel_values=prepared["pixel_values"], image_grid_thw=prepared["image_grid_thw"])

    @staticmethod
    def idle(names):
        return []  # keys are turned behind their bias

    @staticmethod
    def gradient(state, name):
        name = name.removeprefix("model.").removeprefix("language_model.")
        name = name.replace("visual.blocks.", "vision_tower.encoder.layers.").replace("visual.", "vision_tower.")
        if ".attn.qkv." in name:
            return torch.cat([state[f"exp_avg.{name}.{i}"] for i in range(3)])
        return state["exp_avg." + name]

    @staticmethod
    def file_name(name):
        return name.replace("model.language_model.", "model.").replace("model.visual.", "visual.")


def check_shown(shown):
    soft = [sum(t == SOFT for t in e["tokens"]) for e in shown]
    good = soft[0] == 0 and all(soft[1:]) and len(set(soft)) > 2 and all(l != SOFT for e in shown for l in e["labels"])
    check(good, "qwen: images of several sizes, none of their tokens learned", soft)
    lines = [example["text"].split("[[")[1:] for example in shown]
    learned = [["".join(part.split("]]")[0].split()) for part in parts] for parts in lines]
    check(all(answer.endswith("<|im_end|>") and answer != "<|im_end|>" for answers in learned for answer in answers)
          and [len(a) for a in learned] == [1, 2, 1, 1], "qwen: answers and what ends their turns are learned, nothing behind", learned)


def answers_alike(folder, base, name, shown, opened):
    """galen run with the adapter sees the tokens of the training, and says what transformers says with it."""
    example = shown[1]
    image, text = json.loads((folder / "vision.jsonl").read_text().splitlines()[1])["messages"][0]["content"]
    first = next(i for i, label in enumerate(example["labels"]) if label != -100)
    prompt = dict(example, tokens=example["tokens"][:first])
    with torch.no_grad():
        out = opened.generate(**Reference(base).inputs(prompt), do_sample=False, max_new_tokens=6, eos_token_id=None,
                              output_scores=True, return_dict_in_generate=True)
    best = torch.cat(out.scores).topk(2).values
    clear = int(((best[:, 0] - best[:, 1]) > 1e-3).long().cumprod(0).sum())  # until a choice that rounding could turn
    want = out.sequences[0, first:first + clear].tolist()
    command = [GALEN, "run", str(base), text["text"], "--image", str(folder / image["path"]), "--max-pixels", str(MAX_PIXELS), "--adapter",
               str(folder / name / "adapter"), "--compute", "fp32", "--max-tokens", "6", "--json"]
    run = subprocess.run(command, capture_output=True, text=True)
    said = json.loads(run.stdout) if run.returncode == 0 else {}
    got = said.get("tokens", [])[:clear]
    ended = said.get("finish_reason") == "stop"
    check(said.get("prompt_tokens") == prompt["tokens"] and len(got) > 1 and (got == want or ended and got == want[:len(got)]),
          f"{name}: galen run with the adapter gives PEFT's answer, {len(got)} tokens", (want, prompt["tokens"], said, run.stderr))


def run(folder):
    folder.mkdir()
    base = folder / "base"
    shutil.copytree(TINY / "qwen2_5_vl", base)
    for packed in base.glob("*.gguf"):
        packed.unlink()
    vision.write_data(folder)
    options = dict(max_pixels=MAX_PIXELS, max_seq_length=192)
    vision.full(folder, base, "qwen-full", Reference, check_shown, **options)
    shown, opened = vision.adapters(folder, base, "qwen-lora", "all-linear", Reference, freeze_vision_tower=False, packing=True,
                                    **options)
    if opened is not None:
        answers_alike(folder, base, "qwen-lora", shown, opened)
    vision.adapters(folder, base, "qwen-dora", "all-linear", Reference, lora=dict(use_dora=True, use_rslora=True),
                    freeze_vision_tower=False, **options)
    vision.adapters(folder, base, "qwen-frozen", TEXT_LAYERS, Reference, packing=True, **options)
    vision.adapters(folder, base, "qwen-names", NAMES, Reference, lora=dict(target_modules=NAMES), freeze_vision_tower=False, **options)
    whole.images(folder, base, "qwen-whole", Reference, ["blocks.1.attn.qkv", "patch_embed", "merger.mlp.2", "lm_head"], **options)
