#!/usr/bin/env python3
"""What quantising costs in accuracy, on real weights, and in time, on a made checkpoint.

    build/.venv-oracle/bin/python bench/quantize.py errors [--models DIR] [--tokens N] [--only MODEL] [--types A,B]
    bench/quantize.py speed [--layers N | --source DIR] [--folder DIR] [--repeat N] [--json]

errors: Gemma 3 270M and SmolLM2 135M come as quantised GGUF files; their dequantised values, rounded to bf16, are the source here
(the published bf16 weights are not reachable without a login), and a markdown table of all types is printed. speed: a bf16
checkpoint of the 4B shape (34 layers: 7.8 GB), or --source, is quantised to NF4, beside a copy of its file; both warm, both with
everything on the disk in the end. --json: {what: [seconds]} and the most memory that galen had.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests/parity/models"), str(ROOT / "tests/parity/tokenizers"), str(ROOT / "bench/tools")]
GALEN = os.environ.get("GALEN_BIN", str(ROOT / "build/release/galen"))
TYPES = ["bf16", "q8_0", "int8", "q6_k", "q5_k_m", "q5_1", "q5_0", "q4_k_m", "q4_1", "iq4_nl", "iq4_xs", "q4_0",
         "nf4 --plain-scales", "nf4"]


def galen(*args):
    done = subprocess.run([GALEN, *map(str, args)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"galen {' '.join(map(str, args))}: {done.stderr}")
    return done.stdout


def make_source(real, models, directory):
    import torch
    from make_tiny import load_gguf
    model = real.make().to(torch.float32)
    load_gguf(real, model, models / real.file)
    model.to(torch.bfloat16).save_pretrained(directory)
    if real.name == "gemma3-270m":
        for path in (models / "tokenizers/gemma3").iterdir():
            shutil.copy(path, directory)
    else:
        import oracles
        oracles.smollm2_gguf(models / real.file).special.save(str(directory / "tokenizer.json"))
        (directory / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"}))


def errors(args):
    import texts
    from golden import REAL
    for real in REAL:
        if args.only and args.only != real.name:
            continue
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            work = Path(folder)
            make_source(real, args.models, work / "source")
            text = work / "text.txt"
            text.write_text(texts.ward_book(10) + texts.MIXED + texts.ward_book(60))
            print(f"\n{real.name}\n\n| type | MB | bits a weight | rms error | perplexity | mean KL (nats) | same token |\n"
                  "|---|---|---|---|---|---|---|")
            for kind in args.types.split(",") if args.types else TYPES:
                target = work / ("out" if kind.split()[0] in ("nf4", "int8") else "out.gguf")
                report = json.loads(galen("quantize", work / "source", target, "--type", *kind.split(), "--evaluate", text,
                                          "--evaluate-tokens", args.tokens, "--json"))
                rows = [row for row in report["tensors"] if row["from"] != row["to"] and row["elements"] > 1 << 16]
                elements = sum(row["elements"] for row in rows) or 1
                rms = (sum(row["relative_rms_error"] ** 2 * row["elements"] for row in rows) / elements) ** 0.5
                bits = 8 * sum(row["bytes"] for row in report["tensors"]) / sum(row["elements"] for row in report["tensors"])
                e = report["evaluation"]
                print(f"| {kind} | {report['bytes'] / 1e6:.0f} | {bits:.2f} | {100 * rms:.2f} % | {e['perplexity']:.3f} | "
                      f"{e['kl_mean']:.2g} | {100 * e['greedy_agreement']:.1f} % |", flush=True)
                shutil.rmtree(target) if target.is_dir() else target.unlink()
            print(f"\nSource: perplexity {e['source_perplexity']:.3f} over {e['tokens']} tokens.")


PEAK = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")

def speed(args):
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        work = Path(folder)
        if args.source is None:
            import make_4b_checkpoint
            make_4b_checkpoint.make(work / "source", args.layers, images=False)
        source = (args.source or work / "source") / "model.safetensors"
        size = source.stat().st_size
        times = {"copy": [], "copy + fsync": [], "galen quantize nf4": []}
        for _ in range(args.repeat):
            with source.open("rb") as file:  # warm
                while file.read(1 << 24):
                    pass
            os.sync()
            begin = time.monotonic()
            subprocess.run(["cp", "--reflink=never", source, work / "copy"], check=True)
            times["copy"].append(time.monotonic() - begin)
            subprocess.run(["sync", work / "copy"], check=True)
            times["copy + fsync"].append(time.monotonic() - begin)
            (work / "copy").unlink()
            os.sync()
            begin = time.monotonic()
            # Through a small process: what a child of this large one is charged with begins with this one's memory.
            done = subprocess.run([sys.executable, "-c", PEAK, GALEN, "quantize", source.parent, work / "out", "--type", "nf4"],
                                  capture_output=True, text=True, check=True)
            times["galen quantize nf4"].append(time.monotonic() - begin)
            peak = int(done.stdout.splitlines()[-1])
            shutil.rmtree(work / "out")
        if args.json:
            print(json.dumps({"bytes": size, "peak_bytes": 1024 * peak, "seconds": times}))
            return
        print(f"{size / 1e9:.2f} GB, best of {args.repeat}; at most {peak / 1024:.0f} MiB resident")
        for name, seconds in times.items():
            print(f"{name:20} {min(seconds):6.2f} s  {size / min(seconds) / 1e9:5.2f} GB/s  all: " +
                  " ".join(f"{s:.2f}" for s in seconds))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("errors", "speed"))
    parser.add_argument("--models", type=Path, default=Path(os.environ.get("GALEN_MODELS", "~/.cache/galen/models")).expanduser())
    parser.add_argument("--folder", default=None, help="where temporary files go")
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--only")
    parser.add_argument("--types")
    parser.add_argument("--layers", type=int, default=34)
    parser.add_argument("--source", type=Path, help="a bf16 directory with one file of weights, instead of a made one")
    parser.add_argument("--json", action="store_true", help="of speed")
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    {"errors": errors, "speed": speed}[args.what](args)


if __name__ == "__main__":
    main()
