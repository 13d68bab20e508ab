#!/usr/bin/env python3
"""200 steps of QLoRA on real weights, galen beside PEFT + bitsandbytes: the same NF4 base, first adapters, examples and order.

    build/.venv-oracle/bin/python bench/train_curve.py BASE [--steps 200] [--galen build/release/galen] [--out curve.json]

BASE: a directory that `galen quantize --type nf4` wrote of Gemma 3 270M. The notes are those of examples/training/make_reports.py.
PEFT runs twice, the second time from adapters drawn with another seed: how far its two curves lie apart is the noise that the
distance of galen's from the first is held against. Prints a table, and exits with 1 where that distance is the larger one.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SEED = 42
MASK64 = (1 << 64) - 1
LORA = dict(r=16, lora_alpha=32, target_modules="all-linear")


def mix64(x):
    x = (x + 0x9E3779B97F4A7C15) & MASK64
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK64
    return x ^ (x >> 31)


def order(size, seed):
    """galen's first round (src/data/shuffle.h)."""
    bits = 1
    while bits < 31 and 1 << (2 * bits) < size:
        bits += 1
    base = mix64(mix64(seed))
    keys = [mix64((base + i) & MASK64) for i in range(6)]

    def encrypt(value):
        left, right = value >> bits, value & ((1 << bits) - 1)
        for key in keys:
            left, right = right, left ^ (mix64(right ^ key) & ((1 << bits) - 1))
        return left << bits | right
    result = []
    for place in range(size):
        value = encrypt(place)
        while value >= size:
            value = encrypt(value)
        result.append(value)
    return result


def options(args, folder, run):
    return dict(model=args.base, output_dir=str(folder / run), train_file=str(folder / "train.jsonl"), max_seq_length=512,
                per_device_train_batch_size=1, max_steps=args.steps, learning_rate=5e-4, lr_scheduler_type="cosine", warmup_steps=10,
                logging_steps=1, max_grad_norm=1.0, save_steps=1000000, seed=SEED, report_to_tensorboard=False,
                lora=LORA)


def galen(args, folder, run, *more):
    config = folder / f"{run}.yaml"
    config.write_text(json.dumps(options(args, folder, run)))  # JSON is YAML
    done = subprocess.run([args.galen, "train", str(config), "--json", *more], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def peft_curve(args, examples, start):
    """Losses; start: galen's first adapters by PEFT's names, None: drawn by PEFT."""
    import torch
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
    from transformers import AutoModelForCausalLM, get_cosine_schedule_with_warmup
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(args.base, dtype=torch.bfloat16, attn_implementation="sdpa")
    model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, **LORA))
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if start is not None:
        found = {name.replace(".default", "").removeprefix("base_model.model."): p for name, p in trained.items()}
        if sorted(found) != sorted(start):
            raise SystemExit(f"galen trains other parameters than PEFT: {sorted(set(found) ^ set(start))[:4]}")
        for name, p in found.items():
            p.data.copy_(start[name].reshape(p.shape))
    optimiser = torch.optim.AdamW(trained.values(), lr=5e-4, weight_decay=0.0)
    rates = get_cosine_schedule_with_warmup(optimiser, 10, args.steps)
    model.train()
    losses = []
    for example in examples:
        loss = model(input_ids=torch.tensor([example["tokens"]]), labels=torch.tensor([example["labels"]])).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained.values(), 1.0)
        optimiser.step()
        rates.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    return losses


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--galen", default=str(ROOT / "build/release/galen"))
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    from safetensors.torch import load_file
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, ROOT / "examples/training/make_reports.py", "--out", folder], check=True,
                       stdout=subprocess.DEVNULL)
        shown = galen(args, folder, "run", "--show", "1000000")
        ours = [event["loss"] for event in galen(args, folder, "run") if "grad_norm" in event]
        # The first step of a warm-up has a rate of nought: what is saved after it is what the run began with.
        galen(args, folder, "start", "--set", "max_steps=1", "--set", "save_steps=1")
        state = load_file(folder / "start/checkpoint-1/state.safetensors")
        start = {k.removeprefix("param."): v for k, v in state.items() if k.startswith("param.")}
    examples = [shown[i] for i in order(len(shown), SEED)[:args.steps]]
    curves = {"galen": ours, "PEFT": peft_curve(args, examples, start), "PEFT, other adapters": peft_curve(args, examples, None)}
    if args.out:
        args.out.write_text(json.dumps(curves))
    piece = max(args.steps // 8, 1)
    print("| steps | " + " | ".join(curves) + " |\n|---|" + "---|" * len(curves))
    for begin in range(0, args.steps, piece):
        means = [sum(c[begin:begin + piece]) / len(c[begin:begin + piece]) for c in curves.values()]
        print(f"| {begin + 1}–{min(begin + piece, args.steps)} | " + " | ".join(f"{m:.4f}" for m in means) + " |")

    def apart(a, b):
        return sum(abs(x - y) for x, y in zip(curves[a], curves[b])) / args.steps
    off, noise = apart("galen", "PEFT"), apart("PEFT, other adapters", "PEFT")
    print(f"\nA step's loss differs by {off:.4f} on average between galen and PEFT, by {noise:.4f} between PEFT's two runs.")
    sys.exit(off > noise)


if __name__ == "__main__":
    main()
