#!/usr/bin/env python3
"""Log-probabilities and greedy text of galen on real weights against transformers in fp32 on the dequantised file.

    run.py [--models DIR] [--only NAME] [--threads N] [--all]

Limits: `--compute fp32` within 1e-4 mean absolute difference of log-probabilities; bf16 within a mean KL divergence of 3e-4
and a mean difference of 1.2e-2 (Gemma 3 270M) or 2e-2 (SmolLM2 135M), over all tokens; rounding.py measures what rounding the
inputs of each product costs PyTorch on one of the texts. Greedy text of 256 tokens must be the reference's up to the first token whose margin over the
second lies below the largest difference measured in that mode. Every instruction set is forced on a short text and a few
prompts; --all: on all of them, and what PyTorch computes (golden.py, committed in golden/) is computed again and compared.
$GALEN_BIN is the program. Exit code 77: no models in DIR (default $GALEN_MODELS).
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors import safe_open

HERE = Path(__file__).resolve().parent
MODELS = {  # file, eos, limit of the mean difference in bf16
    "gemma3-270m": ("gemma-3-270m-q4_k_m.gguf", {1, 106}, 1.2e-2),
    "smollm2-135m": ("SmolLM2-135M-Instruct.Q4_1.gguf", {2}, 2e-2),
}
FP32_LIMIT = 1e-4
SAME = 2e-5  # of PyTorch's own results on two machines
KL_LIMIT = 3e-4
FEW_PROMPTS, FEW_TOKENS = 3, 48

failures = []


def check(ok, what):
    print(("ok    " if ok else "FAILED ") + what, flush=True)
    if not ok:
        failures.append(what)


def reference_file(name, models):
    """The committed reference of a model, which golden.py made of the same file."""
    path = HERE / "golden" / f"{name}.safetensors"
    with (models / MODELS[name][0]).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with safe_open(path, "np") as golden:
        made_of = golden.metadata()["model.sha256"]
    assert made_of == digest, f"{path} was made of another {MODELS[name][0]}: run golden.py again"
    return path


def check_reference(name, models):
    """Makes the reference again and compares it with the committed one."""
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder) / "again.safetensors"
        subprocess.run([sys.executable, HERE / "golden.py", "--model", name, "--models", models, "--out", again], check=True)
        with safe_open(again, "np") as new, safe_open(reference_file(name, models), "np") as old:
            check(sorted(new.keys()) == sorted(old.keys()) and new.metadata() == old.metadata(), f"{name}: texts and prompts as committed")
            for key in old.keys():
                a, b = old.get_tensor(key), new.get_tensor(key)
                if key.endswith(".logprobs"):
                    check(a.shape == b.shape and np.abs(a - b).mean() <= SAME, f"{name} {key} as committed: mean difference {np.abs(a - b).mean():.2g}")
                elif key.endswith((".ids", ".prompts")):
                    check(np.array_equal(a, b), f"{name} {key} as committed")
            tokens, margins = (old.get_tensor(f"greedy.{part}") for part in ("tokens", "margins"))
            other = new.get_tensor("greedy.tokens")
            firsts = [(i, int(np.flatnonzero(row)[0])) for i, row in enumerate(tokens != other) if row.any()]
            check(all(margins[i][t] <= 1e-3 for i, t in firsts), f"{name} greedy as committed but {len(firsts)} texts after a tie")


class Galen:
    def __init__(self, model, threads):
        self.program = os.environ.get("GALEN_BIN", "galen")
        self.model = model
        self.threads = ["--threads", str(threads)] if threads else []

    def run(self, verb, *args, isa=None):
        env = dict(os.environ) | ({"GALEN_ISA": isa} if isa else {})
        done = subprocess.run([self.program, verb, self.model, *args, *self.threads, "--json"], capture_output=True, env=env)
        if done.returncode != 0:
            raise SystemExit(f"galen {verb} {' '.join(args)}: exit code {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}")
        return json.loads(done.stdout)


def isas(galen):
    done = subprocess.run([galen.program, "doctor", "--json"], capture_output=True, check=True)
    report = json.loads(done.stdout)
    return report["isas"], report["isa"]


def differences(galen, golden, name, *args, isa=None):
    """|difference| of log-probabilities for each token of a golden text, and what `score` printed."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        file.write(golden.metadata()[f"text.{name}"])
        file.flush()
        result = galen.run("score", "--file", file.name, *args, isa=isa)
    ids = golden.get_tensor(f"{name}.ids")
    assert result["tokens"] == ids.tolist(), f"{name}: other token ids than the reference's"
    return np.abs(np.array(result["logprobs"], dtype=np.float64) - golden.get_tensor(f"{name}.logprobs")), result


def greedy(galen, golden, eos, error, mode, count=None, length=None, isa=None):
    """Compares greedy text prompt by prompt."""
    tokens, margins = golden.get_tensor("greedy.tokens"), golden.get_tensor("greedy.margins")
    count, length = count or len(tokens), length or tokens.shape[1]
    equal = cut = 0
    for i in range(count):
        result = galen.run("run", golden.metadata()[f"prompt.{i}"], "--raw", "--temperature", "0", "--max-tokens", str(length),
                           "--compute", mode, isa=isa)
        assert result["prompt_tokens"] == golden.get_tensor("greedy.prompts")[i].tolist(), f"prompt {i}: other ids"
        mine, wanted = result["tokens"], tokens[i][:length].tolist()
        at = next((t for t, (a, b) in enumerate(zip(mine, wanted)) if a != b), min(len(mine), len(wanted)))
        if at == len(wanted) or (at == len(mine) and wanted[at] in eos) or wanted[at - 1] in eos:
            equal += 1
        elif margins[i][at] <= error:
            cut += 1
        else:
            check(False, f"{mode} {isa or ''} prompt {i}: token {at} differs, though its margin is {margins[i][at]:.4f} (error {error:.4f})")
            return
    check(True, f"{mode} {isa or ''} greedy: {equal} of {count} texts equal, {cut} up to a tie (margin <= {error:.4g})")


def compare(name, directory, threads, everything):
    file, eos, bf16_limit = MODELS[name]
    galen = Galen(str(directory / file), threads)
    if everything:
        check_reference(name, directory)
    with safe_open(reference_file(name, directory), "np") as golden:
        names = [key.removesuffix(".logprobs") for key in golden.keys() if key.endswith(".logprobs")]
        parts = {text: differences(galen, golden, text, "--compute", "fp32")[0] for text in names}
        fp32 = np.concatenate(list(parts.values()))
        detail = ", ".join(f"{t} {len(d)}: {d.mean():.2g}" for t, d in parts.items())
        check(fp32.mean() <= FP32_LIMIT, f"{name} fp32: mean difference {fp32.mean():.3g}, largest {fp32.max():.3g} ({detail})")
        parts, kl = {}, {}
        for text in names:
            parts[text], result = differences(galen, golden, text, "--compute", "bf16", "--against", "fp32")
            kl[text] = result["kl_mean"]
        bf16 = np.concatenate(list(parts.values()))
        mean_kl = sum(kl[t] * len(d) for t, d in parts.items()) / len(bf16)
        check(mean_kl <= KL_LIMIT, f"{name} bf16: mean KL {mean_kl:.3g}")
        detail = ", ".join(f"{t} {len(d)}: {d.mean():.3g}, KL {kl[t]:.3g}" for t, d in parts.items())
        check(bf16.mean() <= bf16_limit, f"{name} bf16: mean difference {bf16.mean():.3g}, largest {bf16.max():.3g} ({detail})")
        greedy(galen, golden, eos, fp32.max(), "fp32")
        greedy(galen, golden, eos, bf16.max(), "bf16")
        supported, used = isas(galen)
        for isa in supported:
            if isa == used:
                continue
            d, _ = differences(galen, golden, "short", "--compute", "fp32", isa=isa)
            check(d.mean() <= FP32_LIMIT, f"{name} fp32 {isa}: mean difference {d.mean():.3g}, largest {d.max():.3g}")
            few = {} if everything else dict(count=FEW_PROMPTS, length=FEW_TOKENS)
            greedy(galen, golden, eos, max(d.max(), fp32.max()), "fp32", isa=isa, **few)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=os.environ.get("GALEN_MODELS", ""))
    parser.add_argument("--only", choices=MODELS)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--all", action="store_true")
    args = parser.parse_args()
    found = 0
    for name, (file, _, _) in MODELS.items():
        if args.only in (None, name) and args.models and (Path(args.models) / file).is_file():
            compare(name, Path(args.models), args.threads, args.all)
            found += 1
    if not found:
        print(f"skipped: no models in '{args.models}'; run tools/fetch_models.py models and set GALEN_MODELS")
        sys.exit(77)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
