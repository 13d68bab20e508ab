"""`galen train` on a tiny Qwen2.5-VL with images of any shape, from outside."""

import json
import random
import subprocess

from common import GALEN, TINY, Bench, check, same_bits
from images import WORDS, line, png

SIZES = ((40, 23), (16, 16), (9, 70), (32, 31), (64, 24), (30, 30))


class QwenBench(Bench):
    def __init__(self, folder):
        self.begin(folder, TINY / "qwen2_5_vl")
        (self.folder / "pages").mkdir()
        rng = random.Random(11)
        for i, (width, height) in enumerate(SIZES):
            png(self.folder / f"pages/{i}.png", width, height, i)
        # Without an image, with one, with two.
        lines = [line(rng, *[f"pages/{(i + k) % 6}.png" for k in range(i % 3)]) for i in range(9)]
        self.write("train.jsonl", lines)
        self.write("eval.jsonl", lines[:3])
        # Six pages, an answer each.
        self.pages = [{"question": "read", "answer": f"{WORDS[7 * i]} {WORDS[5 * i + 3]}", "images": [f"pages/{i}.png"]} for i in range(6)]
        self.write("pages.jsonl", self.pages)

    def train(self, out, *args, **options):
        return super().train(out, *args, **(dict(max_seq_length=160) | options))

    def config(self, out, **options):
        return super().config(out, **(dict(max_seq_length=160) | options))


def learned(b):
    """Images are told apart, and galen run with the adapter says what was learned."""
    options = dict(train_file=str(b.folder / "pages.jsonl"), eval_file=str(b.folder / "pages.jsonl"), max_steps=150, eval_steps=1000,
                   save_steps=1000, learning_rate=0.01, per_device_train_batch_size=6, gradient_accumulation_steps=1)
    for name, frozen in (("learned-frozen", True), ("learned-adapted", False)):
        run = b.train(name, "--json", lora={"r": 8, "use_rslora": True}, freeze_vision_tower=frozen, **options)
        exact = [json.loads(x).get("eval_exact") for x in run.stdout.splitlines()]
        check(run.returncode == 0 and [e for e in exact if e is not None][-1:] == [1.0], f"qwen: {name}: pages are told apart", run.stderr)
        adapter = b.folder / name / "adapter"
        good = 0
        for page in b.pages:
            answer = subprocess.run([GALEN, "run", str(b.model), page["question"], "--image", str(b.folder / page["images"][0]),
                                     "--adapter", str(adapter), "--max-tokens", "20"], capture_output=True, text=True)
            good += answer.stdout.strip() == page["answer"]
        check(good == len(b.pages), f"qwen: {name}: galen run --adapter reads {good} of {len(b.pages)}", answer.stdout + answer.stderr)
        seen = subprocess.run([GALEN, "adapter", "inspect", str(adapter), "--base", str(b.model)], capture_output=True, text=True)
        check(seen.returncode == 0, f"qwen: {name}: galen adapter inspect", seen.stdout + seen.stderr)


def names(b):
    """Modules by their names before and since transformers 4.52; the adapter has those since."""
    for name, targets in (("older", ["model.layers.1.mlp.down_proj", "visual.blocks.0.attn.qkv", "visual.merger.mlp.2"]),
                          ("newer", ["model.language_model.layers.1.mlp.down_proj", "model.visual.blocks.0.attn.qkv", "merger.mlp.2"])):
        run = b.train(f"names-{name}", max_steps=2, freeze_vision_tower=False, lora={"r": 2, "target_modules": targets})
        config = b.folder / f"names-{name}/adapter/adapter_config.json"
        got = json.loads(config.read_text())["target_modules"] if run.returncode == 0 else []
        check(got == ["model.language_model.layers.1.mlp.down_proj", "model.visual.blocks.0.attn.qkv", "model.visual.merger.mlp.2"],
              f"qwen: {name} names of modules", run.stderr + str(got))
    check(b.digest("names-older") == b.digest("names-newer"), "qwen: names of both kinds mean the same")
    wrong = b.train("names-wrong", lora={"r": 2, "target_modules": "visual.blocks.0.attn.qkv"})
    check(wrong.returncode == 1 and "freeze_vision_tower: false" in wrong.stderr, "qwen: a module of a frozen tower", wrong.stderr)


def packed_base(b):
    """A GGUF base with its projector file: text in the file's own types, the tower adapted."""
    run = b.train("gguf", "--json", model=str(b.model / "text.gguf"), chat_template=str(b.model / "chat_template.jinja"),
                  freeze_vision_tower=False, lora={"r": 2, "modules_to_save": ["merger.mlp.2"]}, max_steps=3)
    check(run.returncode == 0, "qwen: a GGUF base and its projector", run.stderr)
    whole = b.train("gguf-whole", model=str(b.model / "text.gguf"), chat_template=str(b.model / "chat_template.jinja"),
                    freeze_vision_tower=False, lora={"r": 2, "modules_to_save": ["visual"]}, max_steps=3)
    check(whole.returncode == 1 and "v.patch_embd" in whole.stderr, "qwen: a tower of a GGUF file as a whole", whole.stderr)


def sizes(b):
    """Limits of images' areas: fewer pixels are fewer tokens, and what cannot be is said before anything is read."""
    def tokens(name, **options):
        shown = b.train(name, "--show", "100", "--json", **options)
        return sum(t == 90 for x in shown.stdout.splitlines() for t in json.loads(x)["tokens"]) if shown.returncode == 0 else shown.stderr
    plain, fewer, same, more = tokens("s1"), tokens("s2", max_pixels=512), tokens("s3", image_tokens=8), tokens("s4", min_pixels=1500)
    check(isinstance(plain, int) and fewer < plain < more and same == fewer, "qwen: max_pixels, image_tokens and min_pixels",
          (plain, fewer, same, more))
    refused = (
        ("parts of pages", dict(image_fit="part"), "image_fit: part is of models with a table"),
        ("a lower limit above the upper", dict(min_pixels=1000, max_pixels=600), "min_pixels is 1000"),
        ("a lower limit above image_tokens", dict(min_pixels=1000, image_tokens=4), "images have at most 256 pixels"),
        ("less than a token", dict(max_pixels=10), "64 pixels of one token"),
        ("from chance", dict(init="random", freeze_vision_tower=False), "Gemma 3 only"),
    )
    for what, options, message in refused:
        run = b.train("refused", **options)
        check(run.returncode == 1 and message in run.stderr, f"qwen: {what}", run.stderr)
    gemma = Bench(b.folder / "gemma", "gemma3-vision")
    squares = gemma.train("squares", max_pixels=400)
    check(squares.returncode == 1 and "image_tokens makes them smaller" in squares.stderr, "max_pixels of square images", squares.stderr)


def run(folder):
    b = QwenBench(folder)
    eval_file = dict(eval_file=str(b.folder / "eval.jsonl"), eval_steps=5)
    same_bits(b, "qwen-frozen", lora={"r": 4}, packing=True, **eval_file)
    same_bits(b, "qwen-adapted", lora={"r": 4, "lora_dropout": 0.2, "modules_to_save": ["blocks.1.attn.qkv", "lm_head"], "bias": "all"},
              freeze_vision_tower=False, **eval_file)
    same_bits(b, "qwen-full", freeze_vision_tower=False)
    learned(b)
    names(b)
    packed_base(b)
    sizes(b)
