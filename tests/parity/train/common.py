"""What the comparisons with PyTorch share."""

import json
import os
import subprocess
from pathlib import Path

import torch
import transformers

GALEN = os.environ["GALEN_BIN"]
ROOT = Path(__file__).resolve().parents[3]
TINY = ROOT / "tests/parity/models/tiny"
STEPS = 10
failures = []
torch.set_num_threads(1)  # tiny products: more only wait for each other


def check(good, what, detail=""):
    print(("ok    " if good else "FAIL  ") + what + ("" if good else "  " + str(detail)), flush=True)
    if not good:
        failures.append(what)


def galen(folder, name, options, *args):
    config = folder / f"{name}.yaml"
    config.write_text(json.dumps(options))  # JSON is YAML
    result = subprocess.run([GALEN, "train", str(config), "--json", *args], capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"{name}: galen failed: {result.stderr}")
    return [json.loads(line) for line in result.stdout.splitlines()]


def schedule(options, optimiser):
    kind = options.get("lr_scheduler_type", "cosine")
    return transformers.get_scheduler(kind, optimiser, num_warmup_steps=options.get("warmup_steps", 0),
                                      num_training_steps=options["max_steps"])


def train_steps(parts, groups, options):
    """What transformers' Trainer does with the same options: losses, norms, first gradients. parts(): the parts of a step's loss, one
    after the other."""
    optimiser = torch.optim.AdamW(groups, lr=options["learning_rate"], betas=(0.9, 0.999), eps=1e-8)
    rates = schedule(options, optimiser)
    trained = [p for group in groups for p in group["params"]]
    losses, norms, first = [], [], None
    for _ in range(options["max_steps"]):
        total = 0.0
        for loss in parts():
            loss.backward()
            total += loss.item()
        norms.append(torch.nn.utils.clip_grad_norm_(trained, options["max_grad_norm"]).item())
        if first is None:
            first = {id(p): p.grad.clone() for p in trained if p.grad is not None}
        optimiser.step()
        rates.step()
        optimiser.zero_grad()
        losses.append(total)
    return losses, norms, first


def train_torch(logits_of, groups, shown, options):
    """train_steps of a language model. logits_of(example): [tokens, vocabulary]. One batch of all examples a step; each example
    alone, since none may see another."""
    targets = [torch.tensor(example["labels"])[1:] for example in shown]
    labels = sum((t != -100).sum().item() for t in targets)

    def parts():
        for example, target in zip(shown, targets):
            logits = logits_of(example)
            yield torch.nn.functional.cross_entropy(logits[:-1], target, ignore_index=-100, reduction="sum") / labels
    return train_steps(parts, groups, options)


def decayed(parameters, weight_decay):
    """Groups of the optimiser: matrices and tables decay, vectors do not."""
    parameters = list(parameters)
    return [{"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
            {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0}]


def compare_steps(name, log, losses, norms):
    # A loss is off by its own roundings (some 32 units of 2^-24) and by what its weights are off, of what they changed it.
    worst = max(abs(a["loss"] - b) / (2e-6 * b + 2e-5 * abs(losses[0] - b)) for a, b in zip(log, losses))
    check(worst < 1, f"{name}: ten losses, off by {worst:.2f} of the bound", losses)
    # The same of a gradient, which may have become a small rest of what it was.
    worst = max(abs(a["grad_norm"] - b) / (2e-5 * b + 4e-6 * abs(norms[0] - b)) for a, b in zip(log, norms))
    check(worst < 1, f"{name}: ten gradient norms, off by {worst:.2f} of the bound", norms)


def relative(got, want):
    return ((got.double() - want.double()).norm() / want.double().norm().clamp_min(1e-30)).item()
