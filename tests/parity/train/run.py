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
TEMPLATE = ("{{ bos_token }}{% for m in messages %}{{ m.role }} {{ m.content }}"
            "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %} {% endfor %}"
            "{% if add_generation_prompt %}assistant {% endif %}")
failures = []
torch.set_num_threads(1)  # tiny products: more only wait for each other


def check(good, what, detail=""):
    print(("ok    " if good else "FAIL  ") + what + ("" if good else "  " + str(detail)), flush=True)
    if not good:
        failures.append(what)


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


def galen(folder, name, options, *args):
    config = folder / f"{name}.yaml"
    config.write_text(json.dumps(options))  # JSON is YAML
    result = subprocess.run([GALEN, "train", str(config), "--json", *args], capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"{name}: galen failed: {result.stderr}")
    return [json.loads(line) for line in result.stdout.splitlines()]


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
    # A loss is off by its own roundings (some 32 units of 2^-24) and by what its weights are off, of what they changed it.
    worst = max(abs(a["loss"] - b) / (2e-6 * b + 2e-5 * abs(losses[0] - b)) for a, b in zip(log, losses))
    check(worst < 1, f"{name}: ten losses, off by {worst:.2f} of the bound", losses)
    worst = max(abs(a["grad_norm"] - b) / b for a, b in zip(log, norms))
    check(worst < 2e-5, f"{name}: ten gradient norms, off by {worst:.1e}", norms)


def relative(got, want):
    return ((got.double() - want.double()).norm() / want.double().norm().clamp_min(1e-30)).item()


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
    (folder / "template.jinja").write_text(TEMPLATE)
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
        losses, norms, first = train_torch(model, [{"params": list(trained.values()), "weight_decay": 0.0}], shown, options)
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
        for family in ("llama", "gemma3", "qwen2"):
            base = folder / f"base-{family}"
            shutil.copytree(TINY / family, base)
            (base / "chat_template.jinja").write_text(TEMPLATE)
            full_parameters(folder, base, family)
            if family != "qwen2":
                adapters(folder, base, family)
    print(f"{len(failures)} failed" if failures else "all passed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
