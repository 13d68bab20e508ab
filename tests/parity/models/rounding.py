#!/usr/bin/env python3
"""What it costs PyTorch itself to round the inputs of every product to bf16: the yardstick of run.py's limits.

    rounding.py --model NAME --models DIR [--only TEXT]... [--tokens N]

The model computes in fp32, and both operands of each linear map (the output head too) and of each attention product are
rounded to bf16 first; sums, norms, the residual stream and the softmax stay fp32. Prints, per text, the mean |difference| of
log-probabilities from fp32 and the mean KL divergence, for linear maps alone and with attention. Of longer texts only the
first N tokens are taken: they do not depend on what follows.
"""

import argparse
from pathlib import Path

import golden
import torch
from transformers import AttentionInterface


def rounded(x):
    return x.bfloat16().float()


def linear(module, x):
    return torch.nn.functional.linear(rounded(x), rounded(module.weight), module.bias)


def attention(module, query, key, value, attention_mask, scaling, round_inputs=True, **_):
    f = rounded if round_inputs else lambda x: x
    groups = query.shape[1] // key.shape[1]
    key, value = (f(x).repeat_interleave(groups, 1) for x in (key, value))
    out = torch.empty_like(query)
    length, window = query.shape[2], getattr(module, "sliding_window", None) or query.shape[2]
    for at in range(0, length, golden.CHUNK):
        rows = torch.arange(at, min(at + golden.CHUNK, length))
        keys = torch.arange(max(0, at - window + 1), rows[-1] + 1)
        scores = f(query[:, :, rows] * scaling) @ key[:, :, keys].transpose(2, 3)
        seen = (keys[None] <= rows[:, None]) & (keys[None] > rows[:, None] - window)
        scores = scores.masked_fill(~seen, float("-inf"))
        # Weights are rounded before the division by their sum, as one pass over the keys has them.
        weights = (scores - scores.amax(-1, keepdim=True)).exp()
        out[:, :, rows] = f(weights) @ value[:, :, keys] / weights.sum(-1, keepdim=True)
    return out.transpose(1, 2).contiguous(), None


@torch.inference_mode()
def log_softmax_rows(model, ids):
    hidden = model.model(input_ids=torch.tensor([ids]), use_cache=False).last_hidden_state[0][:-1]
    for start in range(0, len(hidden), golden.CHUNK):
        yield torch.tensor(ids[start + 1:start + 1 + golden.CHUNK]), model.lm_head(hidden[start:start + golden.CHUNK]).log_softmax(-1)


def compare(exact, model, ids):
    difference = kl = 0.0
    for (wanted, a), (_, b) in zip(log_softmax_rows(exact, ids), log_softmax_rows(model, ids)):
        difference += (a - b).gather(1, wanted[:, None]).abs().sum().item()
        kl += (a.exp() * (a - b)).sum().item()
    return difference / (len(ids) - 1), kl / (len(ids) - 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=[real.name for real in golden.REAL], required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--only", action="append")
    parser.add_argument("--tokens", type=int, default=2048)
    args = parser.parse_args()
    real = next(real for real in golden.REAL if real.name == args.model)
    tokenizer = real.tokenizer(args.models)
    exact, model = golden.load(real, args.models), golden.load(real, args.models)
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            module.forward = linear.__get__(module)
    AttentionInterface.register("rounded", attention)
    for attend in (None, "rounded"):
        if attend:
            model.set_attn_implementation(attend)
        for name, text in golden.sources(real, tokenizer).items():
            if args.only and name not in args.only:
                continue
            ids = golden.encode(tokenizer, real.bos, text)[:args.tokens]
            difference, kl = compare(exact, model, ids)
            print(f"{real.name} {name} ({len(ids)} tokens) {'linear maps and attention' if attend else 'linear maps'}: "
                  f"mean difference {difference:.3g}, mean KL {kl:.3g}", flush=True)


if __name__ == "__main__":
    main()
