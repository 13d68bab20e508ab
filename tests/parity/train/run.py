#!/usr/bin/env python3
"""Training against PyTorch in fp32: tokens and labels of the data, then ten steps of loss, gradient norm, first gradients and
weights, from the same start.

    run.py            GALEN_BIN is the program; run with the oracle's Python (transformers, torch, peft)

The limits: a product's fp32 rounding is 2^-24 of its terms; ten steps of Adam, whose first updates are the sign of the
gradient times the rate, carry it into weights as a fraction of what the weights have moved.
"""

import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file

import image_text
import qwen_vision
import vision
import whole
from common import STEPS, TINY, check, compare_steps, decayed, failures, galen, relative, train_torch

TEMPLATE = ("{{ bos_token }}{% for m in messages %}{{ m.role }} {{ m.content }}"
            "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %} {% endfor %}"
            "{% if add_generation_prompt %}assistant {% endif %}")


def write_examples(path, n):
    words = "dose rate pulse test result normal moderate lamp bat fat beats ten milligram date".split()
    rng = random.Random(3)
    with open(path, "w") as f:
        for _ in range(n):
            turns = []
            for _ in range(rng.randint(1, 2)):
                turns.append({"role": "user", "content": " ".join(rng.choices(words, k=rng.randint(1, 2)))})
                turns.append({"role": "assistant", "content": " ".join(rng.choices(words, k=rng.randint(1, 2)))})
            f.write(json.dumps({"messages": turns}) + "\n")


def check_labels(folder, base, shown):
    """Tokens and labels against transformers' own template and tokenizer where it can read them, else against the text."""
    lines = [json.loads(x) for x in (folder / "train.jsonl").read_text().splitlines()]
    for line, example in zip(lines, shown):
        packed = "".join(example["text"].split())
        text = packed.replace("[[", "").replace("]]", "")
        answers = [m["content"] for m in line["messages"] if m["role"] == "assistant"]
        learned = [part.split("]]")[0] for part in packed.split("[[")[1:]]
        if ["".join(a.split()) + "</s>" for a in answers] != learned:
            return check(False, "labels are the answers and nothing else", example["text"])
        for m in line["messages"]:
            if "".join(m["content"].split()) not in text:
                return check(False, "the text is all there", text)
    check(True, "labels are the answers and nothing else")


def full_parameters(folder, base, family):
    for name, extra in [("full", {})] + [("packed", {"packing": True})] * (family == "gemma3"):
        name = f"{family}-{name}"
        options = dict(model=str(base), output_dir=str(folder / name), train_file=str(folder / "train.jsonl"),
                       max_seq_length=64, per_device_train_batch_size=16, max_steps=STEPS, learning_rate=1e-3,
                       warmup_steps=2, weight_decay=0.1, max_grad_norm=0.5, compute="fp32", save_steps=1,
                       save_total_limit=STEPS, report_to_tensorboard=False) | extra
        shown = galen(folder, name, options, "--show", "1000")
        if not extra:
            check_labels(folder, base, shown)
        events = galen(folder, name, options)
        log = [e for e in events if "grad_norm" in e]
        model = open_torch(base)
        model.train()
        start = {n: p.detach().clone() for n, p in model.named_parameters()}
        groups = decayed(model.parameters(), 0.1)
        losses, norms, first = train_torch(logits_of(model), groups, shown, options)
        compare_steps(name, log, losses, norms)
        state = load_file(folder / name / "checkpoint-2/state.safetensors")
        # After step 1 (rate 0 in the warm-up) the first moment is 0.1 of the clipped gradient, after step 2 it has decayed
        # once and the second gradient is the same, since nothing has moved.
        worst = max(relative(state["exp_avg." + n.removeprefix("model.")] / 0.19, first[id(p)])
                    for n, p in model.named_parameters())
        check(worst < 2e-5, f"{name}: gradients of every parameter, off by {worst:.1e}")
        result = load_file(folder / name / "model/model.safetensors")
        worst = max(((result[n].double() - p.double()).norm() / (p - start[n]).double().norm()).item()
                    for n, p in model.named_parameters())
        check(worst < 2e-3, f"{name}: weights after ten steps, off by {worst:.1e} of what they moved")


def logits_of(model):
    return lambda example: model(input_ids=torch.tensor([example["tokens"]])).logits[0]


def open_torch(base, gguf=None):
    """In fp32; with the values that a GGUF file beside it decodes to."""
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager")
    if gguf:  # the file's own configuration, as transformers reads it, lacks the scaling of the rotation
        packed = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, gguf_file=gguf)
        model.load_state_dict(packed.state_dict())
    return model


def adapters(folder, base, family):
    """LoRA and its kin against PEFT, on the dense base and on a packed one with the values that it decodes to."""
    import peft
    kinds = {"lora": {}, "rslora": {"use_rslora": True}, "dora": {"use_dora": True},
             "some": {"target_modules": ["q_proj", "layers.1.mlp.down_proj"]}}
    chosen = {"llama": ("lora", "dora"), "gemma3": ("rslora", "some")}[family]
    runs = [(kind, base, None) for kind in chosen] + [("lora", base / "q8_0.gguf", "q8_0.gguf")]
    for kind, model_path, gguf in runs:
        name = f"{family}-{kind}" + ("-q8_0" if gguf else "")
        lora = dict(r=4, lora_alpha=6, target_modules="all-linear") | kinds[kind]
        options = dict(model=str(model_path), output_dir=str(folder / name), train_file=str(folder / "train.jsonl"),
                       chat_template=str(folder / "template.jinja"), max_seq_length=64, per_device_train_batch_size=16,
                       max_steps=STEPS, learning_rate=5e-3, warmup_steps=2, max_grad_norm=0.5, compute="fp32", save_steps=1,
                       save_total_limit=STEPS, report_to_tensorboard=False, lora=lora)
        shown = galen(folder, name, options, "--show", "1000")
        log = [e for e in galen(folder, name, options) if "grad_norm" in e]
        model = open_torch(base, gguf)
        config = peft.LoraConfig(r=4, lora_alpha=6, target_modules=lora["target_modules"], task_type="CAUSAL_LM",
                                 use_rslora=kind == "rslora", use_dora=kind == "dora")
        model = peft.get_peft_model(model, config)
        model.train()
        trained = {n.removeprefix("base_model.model.").replace(".default", ""): p
                   for n, p in model.named_parameters() if p.requires_grad}
        trained = {n.removesuffix(".weight") if "magnitude" in n else n: p for n, p in trained.items()}
        # The rate of the first step is 0: its checkpoint holds what galen began with.
        start = {n.removeprefix("param."): t for n, t in load_file(folder / name / "checkpoint-1/state.safetensors").items()
                 if n.startswith("param.")}
        check(sorted(start) == sorted(trained), f"{name}: the same parameters", sorted(set(start) ^ set(trained))[:4])
        if sorted(start) != sorted(trained):
            continue
        for n, p in trained.items():
            if "magnitude" in n:  # the norms of the base's rows
                worst = relative(start[n], p)
                check(worst < 1e-6, f"{name}: {n} begins as PEFT's", worst) if worst >= 1e-6 else None
            p.data.copy_(start[n].view_as(p))
        losses, norms, first = train_torch(logits_of(model), [{"params": list(trained.values()), "weight_decay": 0.0}], shown, options)
        compare_steps(name, log, losses, norms)
        state = load_file(folder / name / "checkpoint-2/state.safetensors")
        worst = max(relative(state["exp_avg." + n] / 0.19, first[id(p)].view_as(state["exp_avg." + n]))
                    for n, p in trained.items() if first[id(p)].norm() > 0)
        check(worst < 5e-5, f"{name}: gradients of every parameter, off by {worst:.1e}")
        result = load_file(folder / name / "adapter/adapter_model.safetensors")
        worst = max(((result["base_model.model." + n].double().view_as(p) - p.double()).norm()
                     / (p - start[n].view_as(p)).double().norm()).item() for n, p in trained.items())
        check(worst < 5e-3, f"{name}: adapters after ten steps, off by {worst:.1e} of what they moved")
        # What galen wrote, opened by PEFT.
        fresh = open_torch(base, gguf)
        opened = peft.PeftModel.from_pretrained(fresh, folder / name / "adapter").eval()
        with torch.no_grad():
            tokens = torch.tensor([shown[0]["tokens"]])
            worst = relative(opened(input_ids=tokens).logits, model.eval()(input_ids=tokens).logits)
        check(worst < 1e-4, f"{name}: the adapter opens in PEFT, logits off by {worst:.1e}")


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_examples(folder / "train.jsonl", 4)
        (folder / "template.jinja").write_text(TEMPLATE)
        bases = {}
        for family in ("llama", "gemma3", "qwen2", "llama-bias"):
            base = bases[family] = folder / f"base-{family}"
            shutil.copytree(TINY / family, base)
            (base / "chat_template.jinja").write_text(TEMPLATE)
            if family != "llama-bias":
                full_parameters(folder, base, family)
            if family in ("llama", "gemma3"):
                adapters(folder, base, family)
        vision.run(folder)
        qwen_vision.run(folder / "qwen")
        image_text.run(folder / "image_text")
        whole.run(folder, bases, open_torch, logits_of, folder / "base-vision")
    print(f"{len(failures)} failed" if failures else "all passed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
