#!/usr/bin/env python3
"""Makes gemma3.json and qwen2_5_vl.json: conversations with images and the token ids that transformers' processors give for them.

    make_cases.py [--models DIR]

Needs transformers 5.23.0, Pillow, numpy, and tokenizers/gemma3 and tokenizers/qwen3 in DIR (default $GALEN_MODELS;
tools/fetch_models.py). Qwen3's tokenizer has Qwen2.5-VL's vocabulary, pre-tokenizer and control tokens. Runs of equal ids are
written as [id, count].
"""

import argparse
import itertools
import json
import os
import random
from pathlib import Path

import numpy as np
from PIL import Image
from transformers import AutoTokenizer, Gemma3Processor, Qwen2_5_VLProcessor
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

HERE = Path(__file__).resolve().parent


def text(t):
    return {"type": "text", "text": t}


IMAGE = {"type": "image"}
QUESTION = "Describe this image."
TEXTS = ["What is shown?", "Compare them.\n\nBriefly.", "  spaces around  ", "\n\nlines around\n\n", "SLICE 1", "Größe: 3 × 4 cm ≥ 2",
         "a", "1. first\n2. second\n", "\ttab", "x" * 40, "Is there <b>an effusion</b>?", "胸部X線"]


def layouts():
    """(messages, sizes of the images, pan-and-scan)."""
    rng = random.Random(7)
    small = [(64, 48)]
    for t in TEXTS:
        yield [{"role": "user", "content": [IMAGE, text(t)]}], small, False
    for t in TEXTS[:6]:
        yield [{"role": "user", "content": [text(t), IMAGE]}], small, False
    yield [{"role": "user", "content": [IMAGE]}], small, False
    for n in (2, 3, 5):
        yield [{"role": "user", "content": [IMAGE] * n + [text(QUESTION)]}], small * n, False
        yield [{"role": "user", "content": [text(QUESTION)] + [IMAGE] * n}], small * n, False
        yield [{"role": "user", "content": list(itertools.chain(*([IMAGE, text(f"SLICE {i + 1}")] for i in range(n))))}], small * n, False
    yield [{"role": "user", "content": [text("First:"), IMAGE, text("Second:"), IMAGE, text("Which is worse?")]}], small * 2, False
    for system in ("You are an expert radiologist.", "  Untrimmed system.\n", "SYSTEM INSTRUCTION: think silently if needed. Role."):
        yield [{"role": "system", "content": system}, {"role": "user", "content": [IMAGE, text(QUESTION)]}], small, False
        yield [{"role": "system", "content": [text(system)]}, {"role": "user", "content": [text(QUESTION), IMAGE]}], small, False
    # In later turns, and in several.
    turn = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Good morning."}]
    yield turn + [{"role": "user", "content": [IMAGE, text(QUESTION)]}], small, False
    yield [{"role": "user", "content": [IMAGE, text(QUESTION)]}, {"role": "assistant", "content": "A chest film."},
           {"role": "user", "content": [text("And this one?"), IMAGE]}], small * 2, False
    yield [{"role": "user", "content": [IMAGE, text(QUESTION)]}, {"role": "assistant", "content": [text("A chest film.")]},
           {"role": "user", "content": "Sure?"}], small, False
    yield turn * 2 + [{"role": "user", "content": [IMAGE, IMAGE]}], small * 2, False
    # Crops: landscape, portrait, none.
    for size in ((700, 300), (300, 700), (1300, 300), (600, 512), (640, 512), (256, 1100), (520, 250), (900, 600)):
        yield [{"role": "user", "content": [IMAGE, text(QUESTION)]}], [size], True
    yield [{"role": "user", "content": [IMAGE, text("and"), IMAGE, text(QUESTION)]}], [(700, 300), (64, 48)], True
    for _ in range(8):
        content = [rng.choice([IMAGE, text(rng.choice(TEXTS))]) for _ in range(rng.randint(2, 6))]
        images = sum(part is IMAGE for part in content)
        if images:
            yield [{"role": "user", "content": content}], small * images, False
    slices = list(itertools.chain(*([IMAGE, text(f"SLICE {i + 1}")] for i in range(85))))
    yield [{"role": "user", "content": slices + [text(QUESTION)]}], small * 85, False


def runs(ids):
    return [[int(key), len(list(group))] for key, group in itertools.groupby(ids)]


def gemma3(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder / "gemma3")
    processor = Gemma3Processor(Gemma3ImageProcessorPil(size={"height": 896, "width": 896}), tokenizer,
                                chat_template=tokenizer.chat_template)
    return processor, list(layouts())


class StillsProcessor(Qwen2_5_VLProcessor):
    """Without its video part, which needs torchvision."""

    def check_argument_for_proper_class(self, argument_name, argument):
        return None if argument_name == "video_processor" else super().check_argument_for_proper_class(argument_name, argument)


def qwen2_5_vl(folder):
    """Without crops; the images of a conversation differ in size."""
    template = (HERE.parent / "templates/sources/qwen2.5_vl.jinja").read_text()
    processor = StillsProcessor(Qwen2VLImageProcessorPil(), AutoTokenizer.from_pretrained(folder / "qwen3"), None,
                                chat_template=template)
    sizes = itertools.cycle([(64, 48), (100, 300), (28, 28), (1, 90), (224, 224), (500, 333)])
    cases = [(messages, [next(sizes) for _ in images], False) for messages, images, _ in layouts()]
    return processor, cases


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=os.environ.get("GALEN_MODELS", Path.home() / ".cache/galen/models"))
    args = parser.parse_args()
    for family in (gemma3, qwen2_5_vl):
        processor, layouts_of_family = family(Path(args.models) / "tokenizers")
        cases = []
        for messages, sizes, pan_and_scan in layouts_of_family:
            prompt = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            images = [Image.fromarray(np.zeros((h, w, 3), np.uint8)) for w, h in sizes]
            more = {"add_special_tokens": False} if family is gemma3 else {}
            if pan_and_scan:
                more["images_kwargs"] = {"do_pan_and_scan": True}
            ids = processor(text=[prompt], images=images, **more)["input_ids"][0]
            cases.append({"messages": messages, "sizes": sizes, "pan_and_scan": pan_and_scan, "ids": runs(ids)})
        path = HERE / f"{family.__name__}.json"
        path.write_text("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False, separators=(",", ":")) for c in cases) + "\n]\n")
        print(f"{len(cases)} layouts, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
