#!/usr/bin/env python3
"""Training against PyTorch in fp32: tokens and labels of the data, then ten steps of loss, gradient norm, first gradients and
weights, from the same start.

    run.py            GALEN_BIN is the program; run with the oracle's Python (transformers, torch, peft)

The limits: a product's fp32 rounding is 2^-24 of its terms; ten steps of Adam, whose first updates are the sign of the
gradient times the rate, carry it into weights as a fraction of what the weights have moved.
"""

import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file

GALEN = os.environ["GALEN_BIN"]
ROOT = Path(__file__).resolve().parents[3]
TINY = ROOT / "tests/parity/models/tiny"
STEPS = 10
TEMPLATE = ("{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}"
            "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}\n{% endfor %}"
            "{% if add_generation_prompt %}[assistant] {% endif %}")
failures = []
torch.set_num_threads(2)


def check(good, what, detail=""):
    print(("ok    " if good else "FAIL  ") + what + ("" if good else "  " + str(detail)), flush=True)
    if not good:
        failures.append(what)


def write_examples(path, n):
    words = "the heart rate is low high pulse seventy mg dose daily of a test result".split()
    rng = random.Random(3)
    with open(path, "w") as f:
        for _ in range(n):
            turns = []
            for _ in range(rng.randint(1, 2)):
                turns.append({"role": "user", "content": " ".join(rng.choices(words, k=rng.randint(1, 4)))})
                turns.append({"role": "assistant", "content": " ".join(rng.choices(words, k=rng.randint(1, 3)))})
            f.write(json.dumps({"messages": turns}) + "\n")


def galen(folder, name, options, *args):
    config = folder / f"{name}.yaml"
    config.write_text("".join(f"{k}: {json.dumps(v)}\n" for k, v in options.items()))
    result = subprocess.run([GALEN, "train", str(config), "--json", *args], capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"{name}: galen failed: {result.stderr}")
    return [json.loads(line) for line in result.stdout.splitlines()]


def check_labels(folder, base, shown):
    """Tokens and labels against transformers' own template and tokenizer where it can read them, else against the text."""
    lines = [json.loads(x) for x in (folder / "train.jsonl").read_text().splitlines()]
    for line, example in zip(lines, shown):
        text = example["text"].replace("[[", "").replace("]]", "")
        answers = [m["content"] for m in line["messages"] if m["role"] == "assistant"]
        learned = [part.split("]]")[0] for part in example["text"].split("[[")[1:]]
        if [a + "</s>" for a in answers] != learned:
            return check(False, "labels are the answers and nothing else", example["text"])
        for m in line["messages"]:
            if m["content"] not in text:
                return check(False, "the text is all there", text)
    check(True, "labels are the answers and nothing else")


def schedule(options, optimiser):
    kind = options.get("lr_scheduler_type", "cosine")
    return transformers.get_scheduler(kind, optimiser, num_warmup_steps=options.get("warmup_steps", 0),
                                      num_training_steps=options["max_steps"])


def batches_of(shown, options):
    """One batch of all examples a step; each example alone, since none may see another."""
    return [(torch.tensor([e["tokens"]]), torch.tensor([e["labels"]])) for e in shown]


def train_torch(model, groups, shown, options):
    """What transformers' Trainer does with the same options: losses, norms, first gradients."""
    optimiser = torch.optim.AdamW(groups, lr=options["learning_rate"], betas=(0.9, 0.999), eps=1e-8)
    rates = schedule(options, optimiser)
    trained = [p for group in groups for p in group["params"]]
    losses, norms, first = [], [], None
    data = batches_of(shown, options)
    labels = sum((l[:, 1:] != -100).sum().item() for _, l in data)
    for _ in range(options["max_steps"]):
        total = 0.0
        for tokens, targets in data:
            logits = model(input_ids=tokens).logits
            loss = torch.nn.functional.cross_entropy(logits[0, :-1], targets[0, 1:], ignore_index=-100, reduction="sum") / labels
            loss.backward()
            total += loss.item()
        norms.append(torch.nn.utils.clip_grad_norm_(trained, options["max_grad_norm"]).item())
        if first is None:
            first = {id(p): p.grad.clone() for p in trained}
        optimiser.step()
        rates.step()
        optimiser.zero_grad()
        losses.append(total)
    return losses, norms, first


def compare_steps(name, log, losses, norms):
    worst = max(abs(a["loss"] - b) / b for a, b in zip(log, losses))
    check(worst < 2e-6, f"{name}: ten losses, off by {worst:.1e}", losses)
    worst = max(abs(a["grad_norm"] - b) / b for a, b in zip(log, norms))
    check(worst < 2e-5, f"{name}: ten gradient norms, off by {worst:.1e}", norms)


def relative(got, want):
    return ((got.double() - want.double()).norm() / want.double().norm().clamp_min(1e-30)).item()


def full_parameters(folder, base, family):
    for name, extra in (("full", {}), ("packed", {"packing": True}), ("recomputed", {"gradient_checkpointing": True})):
        name = f"{family}-{name}"
        options = dict(model=str(base), output_dir=str(folder / name), train_file=str(folder / "train.jsonl"),
                       max_seq_length=512, per_device_train_batch_size=16, max_steps=STEPS, learning_rate=1e-3,
                       warmup_steps=2, weight_decay=0.1, max_grad_norm=0.5, compute="fp32", save_steps=1,
                       save_total_limit=STEPS, report_to_tensorboard=False) | extra
        shown = galen(folder, name, options, "--show", "1000")
        if not extra:
            check_labels(folder, base, shown)
        events = galen(folder, name, options)
        log = [e for e in events if "grad_norm" in e]
        model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager")
        model.train()
        start = {n: p.detach().clone() for n, p in model.named_parameters()}
        groups = [{"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": 0.1},
                  {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0.0}]
        losses, norms, first = train_torch(model, groups, shown, options)
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


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_examples(folder / "train.jsonl", 9)
        for family in ("llama", "gemma3", "qwen2"):
            base = folder / f"base-{family}"
            shutil.copytree(TINY / family, base)
            (base / "chat_template.jinja").write_text(TEMPLATE)
            full_parameters(folder, base, family)
    print(f"{len(failures)} failed" if failures else "all passed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
