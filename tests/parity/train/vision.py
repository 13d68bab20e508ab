"""Training of Gemma 3 with images against PyTorch and PEFT in fp32, from the same start: all parameters with the tower, LoRA on all
linear layers of both parts, LoRA on the text with a frozen tower; and a model that began from chance."""

import json
import random
import shutil

import numpy as np
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

from common import STEPS, TINY, check, compare_steps, decayed, galen, relative, train_torch

SOFT = 8  # <image_soft_token> of the tiny model
TEMPLATE = ("{{ bos_token }}{% for m in messages %}{{ m.role }} {% if m.content is string %}{{ m.content }}{% else %}"
            "{% for p in m.content %}{% if p.type == 'image' %}<start_of_image>{% else %}{{ p.text }}{% endif %}{% endfor %}"
            "{% endif %}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %} {% endfor %}"
            "{% if add_generation_prompt %}assistant {% endif %}")
TEXT_LAYERS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"


def write_data(folder):
    """No image, one, two, and one that another line has too; of several sizes; in all shapes that data may have."""
    rng = np.random.default_rng(5)
    for i, size in enumerate(((30, 41), (28, 28), (19, 64))):
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / f"image{i}.png")
    words = [a + b + c for a in "bdfglm" for b in "aeiou" for c in "nrst"]
    pick = random.Random(2)
    say = lambda n: " ".join(pick.choices(words, k=n))
    image, text = {"type": "image"}, lambda n: {"type": "text", "text": say(n)}
    turn = lambda role, content: {"role": role, "content": content}
    lines = [
        {"messages": [turn("user", say(2)), turn("assistant", say(2))]},
        {"messages": [turn("user", [{"type": "image", "path": "image0.png"}, text(1)]), turn("assistant", say(2)),
                      turn("user", say(1)), turn("assistant", say(1))]},
        {"messages": [turn("user", [text(1), image, text(2), image]), turn("assistant", say(1))],
         "images": ["image1.png", "image2.png"]},
        {"conversations": [{"from": "human", "value": "<image>\n" + say(2)}, {"from": "gpt", "value": say(2)}],
         "image": "image0.png"},
    ]
    (folder / "vision.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


class Reference:
    """transformers' Gemma 3, and how galen's names and files differ from its own."""
    model_class = transformers.Gemma3ForConditionalGeneration
    soft = SOFT

    def __init__(self, base):
        self.model = self.open(base)
        self.processor = Gemma3ImageProcessorPil.from_pretrained(base)

    @classmethod
    def open(cls, base, **more):
        return cls.model_class.from_pretrained(base, dtype=torch.float32, attn_implementation="eager", **more)

    def images(self, example):
        return [Image.open(image["path"]) for image in example.get("images") or []]

    def inputs(self, example):
        ids = torch.tensor([example["tokens"]])
        inputs = dict(input_ids=ids, token_type_ids=(ids == SOFT).long())
        images = self.images(example)
        if images:
            inputs["pixel_values"] = self.processor(images, return_tensors="pt")["pixel_values"]
        return inputs

    def logits(self, model):
        return lambda example: model(**self.inputs(example)).logits[0]

    @staticmethod
    def idle(names):
        """A bias of keys adds the same to all scores of a query: its gradient is 0 but for rounding, and so is what it does."""
        return [n for n in names if n.endswith("k_proj.bias")]

    @staticmethod
    def gradient(state, name):
        """What the second checkpoint holds of a parameter's first gradients, in transformers' layout."""
        value = state["exp_avg." + name.removeprefix("model.").removeprefix("language_model.")]
        return value.T if name.endswith("mm_input_projection_weight") else value  # which is kept transposed

    @staticmethod
    def file_name(name):
        name = name.removeprefix("model.")
        return name.replace("language_model.", "language_model.model.") if name.startswith("language_model.") else name


def options_of(folder, name, base, **more):
    return dict(model=str(base), output_dir=str(folder / name), train_file=str(folder / "vision.jsonl"), max_seq_length=64,
                per_device_train_batch_size=16, max_steps=STEPS, warmup_steps=2, max_grad_norm=0.5, compute="fp32", save_steps=1,
                save_total_limit=STEPS, report_to_tensorboard=False) | more


def check_shown(shown):
    soft = [sum(t == SOFT for t in e["tokens"]) for e in shown]
    check(soft == [0, 4, 8, 4] and all(l != SOFT for e in shown for l in e["labels"]),
          "images: four tokens each, none of them learned", soft)


def full(folder, base, name="vision-full", kind=Reference, look=check_shown, **more):
    options = options_of(folder, name, base, learning_rate=1e-3, weight_decay=0.1, packing=True, freeze_vision_tower=False) | more
    shown = galen(folder, name, options, "--show", "1000")
    look(shown)
    log = [e for e in galen(folder, name, options) if "grad_norm" in e]
    reference = kind(base)
    model = reference.model.train()
    named = dict(model.named_parameters())
    start = {n: p.detach().clone() for n, p in named.items()}
    groups = decayed(named.values(), 0.1)
    losses, norms, first = train_torch(reference.logits(model), groups, shown, options)
    compare_steps(name, log, losses, norms)
    state = load_file(folder / name / "checkpoint-2/state.safetensors")
    idle = reference.idle(named)
    if idle:
        largest = max(first[id(p)].abs().max().item() for p in named.values())
        worst = max(reference.gradient(state, n).abs().max().item() / 0.19 / largest for n in idle)
        check(len(idle) == 2 and worst < 1e-6, f"{name}: biases of keys have no gradient, {worst:.1e} of the largest")
    named = {n: p for n, p in named.items() if n not in idle}
    off = {n: relative(reference.gradient(state, n).flatten() / 0.19, first[id(p)].flatten()) for n, p in named.items()}
    worst = max(off, key=off.get)
    check(off[worst] < 3e-5, f"{name}: gradients of every parameter, off by {off[worst]:.1e} ({worst})")
    result = load_file(folder / name / "model/model.safetensors")
    worst = max(((result[reference.file_name(n)].double() - p.double()).norm() / (p - start[n]).double().norm()).item()
                for n, p in named.items())
    check(worst < 3e-3, f"{name}: weights after ten steps, off by {worst:.1e} of what they moved")
    opened, info = reference.open(folder / name / "model", output_loading_info=True)
    with torch.no_grad():
        worst = relative(reference.logits(opened.eval())(shown[2]), reference.logits(model.eval())(shown[2]))
    check(not info["missing_keys"] and not info["unexpected_keys"] and worst < 1e-4,
          f"{name}: the result opens in transformers, logits off by {worst:.1e}", info)


def adapters(folder, base, name, targets, kind=Reference, lora={}, **more):
    """targets: what PEFT is told; lora: options of both. Returns the examples and PEFT's model after its steps."""
    import peft
    options = options_of(folder, name, base, learning_rate=5e-3, lora=dict(r=4, lora_alpha=6, target_modules="all-linear") | lora, **more)
    shown = galen(folder, name, options, "--show", "1000")
    log = [e for e in galen(folder, name, options) if "grad_norm" in e]
    reference = kind(base)
    lora = {key: value for key, value in lora.items() if key != "target_modules"}
    config = peft.LoraConfig(**(dict(r=4, lora_alpha=6, target_modules=targets, task_type="CAUSAL_LM") | lora))
    model = peft.get_peft_model(reference.model, config).train()
    trained = {n.removeprefix("base_model.model.").replace(".default", ""): p for n, p in model.named_parameters()
               if p.requires_grad}
    trained = {n.removesuffix(".weight") if "magnitude" in n else n: p for n, p in trained.items()}
    start = {n.removeprefix("param."): t for n, t in load_file(folder / name / "checkpoint-1/state.safetensors").items()
             if n.startswith("param.")}
    check(sorted(start) == sorted(trained), f"{name}: the same parameters", sorted(set(start) ^ set(trained))[:4])
    if sorted(start) != sorted(trained):
        return shown, None
    for n, p in trained.items():
        p.data.copy_(start[n].view_as(p))
    losses, norms, first = train_torch(reference.logits(model), [{"params": list(trained.values()), "weight_decay": 0.0}], shown,
                                       options)
    compare_steps(name, log, losses, norms)
    state = load_file(folder / name / "checkpoint-2/state.safetensors")
    worst = max(relative(state["exp_avg." + n].view_as(p) / 0.19, first[id(p)]) for n, p in trained.items()
                if first[id(p)].norm() > 0)
    check(worst < 5e-5, f"{name}: gradients of every parameter, off by {worst:.1e}")
    result = load_file(folder / name / "adapter/adapter_model.safetensors")
    worst = max(((result["base_model.model." + n].double().view_as(p) - p.double()).norm()
                 / (p - start[n].view_as(p)).double().norm()).item() for n, p in trained.items())
    check(worst < 5e-3, f"{name}: adapters after ten steps, off by {worst:.1e} of what they moved")
    fresh = kind(base)
    opened = peft.PeftModel.from_pretrained(fresh.model, folder / name / "adapter").eval()
    with torch.no_grad():
        worst = relative(fresh.logits(opened)(shown[2]), reference.logits(model.eval())(shown[2]))
    check(worst < 1e-4, f"{name}: the adapter opens in PEFT, logits off by {worst:.1e}")
    return shown, opened


def from_chance(folder, base):
    """`init: random`: transformers opens what galen began with, and finds its distributions there."""
    source = folder / "vision-config"
    source.mkdir()
    for path in base.iterdir():
        if path.suffix in (".json", ".jinja", ".model"):
            shutil.copy(path, source)
    name = "vision-chance"
    options = options_of(folder, name, source, init="random", max_steps=1, freeze_vision_tower=False, learning_rate=1e-3)
    log = [e for e in galen(folder, name, options) if "grad_norm" in e]
    shown = galen(folder, name, options, "--show", "1000")
    reference = Reference(folder / name / "init")
    _, info = transformers.Gemma3ForConditionalGeneration.from_pretrained(folder / name / "init", dtype=torch.float32,
                                                                          output_loading_info=True)
    losses, norms, _ = train_torch(reference.logits(reference.model.train()),
                                   [{"params": list(reference.model.parameters()), "weight_decay": 0.0}], shown, options)
    check(not info["missing_keys"] and not info["unexpected_keys"], f"{name}: transformers finds every weight", info)
    compare_steps(name, log, losses, norms)


def run(folder):
    base = folder / "base-vision"
    shutil.copytree(TINY / "gemma3-vision", base)
    for packed in base.glob("*.gguf"):
        packed.unlink()
    (base / "chat_template.jinja").write_text(TEMPLATE)
    write_data(folder)
    full(folder, base)
    adapters(folder, base, "vision-lora", "all-linear", freeze_vision_tower=False)
    adapters(folder, base, "vision-frozen", TEXT_LAYERS, packing=True)
    from_chance(folder, base)
