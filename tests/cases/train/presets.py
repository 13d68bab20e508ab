"""The recipes of configs/training on a tiny image-text model, and `--fit` with what a run really takes."""

import json
import random
import shutil
import struct
import subprocess

from common import GALEN, ROOT, SLOW, TEMPLATE, TINY, Bench, check

RECIPES = ("medgemma-4gb", "medgemma-16gb", "medgemma-16gb-ampere", "documents-nf4", "medgemma-google", "medgemma-text-nf4")


def make_base(folder):
    """A Gemma 3 from chance with rows of whole blocks and 256 tokens an image; returns its folder."""
    source = folder / "source"
    source.mkdir(parents=True)
    tiny = TINY / "gemma3-vision"
    for path in tiny.iterdir():
        if path.suffix in (".json", ".model"):
            shutil.copy(path, source)
    config = json.loads((tiny / "config.json").read_text())
    config["mm_tokens_per_image"] = 256
    config["text_config"] |= dict(hidden_size=64, intermediate_size=128, head_dim=16)
    config["vision_config"] |= dict(image_size=112, patch_size=7, hidden_size=64, intermediate_size=128)
    (source / "config.json").write_text(json.dumps(config))
    (source / "chat_template.jinja").write_text(TEMPLATE)
    processor = json.loads((tiny / "preprocessor_config.json").read_text())
    processor |= dict(size={"height": 112, "width": 112}, image_seq_length=256)
    (source / "preprocessor_config.json").write_text(json.dumps(processor))
    b = Bench(folder / "chance")
    made = b.train("base", "--dry-run", "1", model=str(source), init="random", max_seq_length=16)
    check(made.returncode == 0, "a base from chance", made.stderr)
    return folder / "chance/base/init"


def make_qwen(folder):
    """A Qwen2.5-VL of chance with rows of whole blocks, its tensors named as in the published files; returns its folder."""
    tiny, base = TINY / "qwen2_5_vl", folder / "qwen"
    base.mkdir(parents=True)
    for path in tiny.iterdir():
        if path.suffix in (".json", ".jinja", ".model"):
            shutil.copy(path, base)
    config = json.loads((tiny / "config.json").read_text())
    config["text_config"] |= dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2)
    config["vision_config"] |= dict(depth=2, hidden_size=64, intermediate_size=64, out_hidden_size=64)
    config["text_config"]["rope_parameters"]["mrope_section"] = [2, 3, 3]
    (base / "config.json").write_text(json.dumps(config))
    shapes = {"model.embed_tokens.weight": [96, 64], "model.norm.weight": [64], "lm_head.weight": [96, 64],
              "visual.patch_embed.proj.weight": [64, 3, 2, 4, 4], "visual.merger.ln_q.weight": [64],
              "visual.merger.mlp.0.weight": [256, 256], "visual.merger.mlp.0.bias": [256], "visual.merger.mlp.2.weight": [64, 256],
              "visual.merger.mlp.2.bias": [64]}
    mlp = dict(gate_proj=(0, 1), up_proj=(0, 1), down_proj=(1, 0))
    for i in range(2):
        layer, block = f"model.layers.{i}.", f"visual.blocks.{i}."
        shapes |= {layer + name + ".weight": [64] for name in ("input_layernorm", "post_attention_layernorm")}
        shapes |= {block + name + ".weight": [64] for name in ("norm1", "norm2")}
        for name, rows in (("q", 64), ("k", 32), ("v", 32)):
            shapes |= {f"{layer}self_attn.{name}_proj.weight": [rows, 64], f"{layer}self_attn.{name}_proj.bias": [rows]}
        shapes |= {layer + "self_attn.o_proj.weight": [64, 64], block + "attn.qkv.weight": [192, 64], block + "attn.qkv.bias": [192],
                   block + "attn.proj.weight": [64, 64], block + "attn.proj.bias": [64]}
        for name, (out, inner) in mlp.items():
            sides, own = (64, 128), (64, 64)
            shapes[f"{layer}mlp.{name}.weight"] = [sides[inner], sides[out]]
            shapes |= {f"{block}mlp.{name}.weight": [own[inner], own[out]], f"{block}mlp.{name}.bias": [own[inner]]}
    rng, header, data = random.Random(8), {}, bytearray()
    for name, shape in shapes.items():
        begin, n = len(data), 1
        for side in shape:
            n *= side
        for _ in range(n):  # bf16: the upper half of fp32
            data += struct.pack("<f", rng.gauss(1 if "norm" in name or "ln_q" in name else 0, 0.1))[2:]
        header[name] = dict(dtype="BF16", shape=shape, data_offsets=[begin, len(data)])
    text = json.dumps(header).encode()
    (base / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(data))
    return base


def events_of(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def memory_of(events):
    return next(e["memory"] for e in events if "memory" in e)


def recipes(folder, gemma, qwen):
    for name in RECIPES:
        path = ROOT / f"configs/training/{name}.yaml"
        base = qwen if "Qwen2.5-VL" in path.read_text() else gemma
        sets = [f"model={base}", f"output_dir={folder}/{name}", "max_seq_length=300", "per_device_train_batch_size=1", "threads=1"]
        command = [GALEN, "train", str(path), "--dry-run", "1", "--json"] + [x for s in sets for x in ("--set", s)]
        run = subprocess.run(command, capture_output=True, text=True)
        events = events_of(run)
        steps = [e for e in events if "grad_norm" in e]
        check(run.returncode == 0 and len(steps) == 1 and steps[0]["grad_norm"] > 0 and not (folder / name).exists(), f"{name}: a step",
              run.stderr)
        if run.returncode != 0:
            continue
        memory = memory_of(events)
        if name == "documents-nf4":
            # With the tower in the step, the names reach its MLPs: (64 + 64) x r for each of 3 matrices in 2 blocks.
            seen = subprocess.run(command + ["--set", "freeze_vision_tower=false"], capture_output=True, text=True)
            more = memory_of(events_of(seen))["parameters"] - memory["parameters"] if seen.returncode == 0 else seen.stderr
            check(more == 2 * 3 * 128 * 64 * 4, f"{name}: a step with images, adapters in the tower's MLPs", more)
        if name == "medgemma-google":
            # Both matrices, 104 x 64.
            check(memory["parameters"] > 2 * 104 * 64 * 4 and steps[0]["tokens"] == 300, f"{name}: head and table are trained", memory)
            continue
        if "\nweights:" not in path.read_text():
            continue
        plain = subprocess.run(command + ["--set", "weights=file", "--set", "head_weights=file"], capture_output=True, text=True)
        check(memory["base"] < 0.8 * memory_of(events_of(plain))["base"], f"{name}: a smaller base", plain.stderr)


def peak(command):
    """Exit code, events, errors, and the most memory that the program had, in bytes."""
    code = ("import resource, subprocess, sys; r = subprocess.run(sys.argv[1:]);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(r.returncode)")
    run = subprocess.run(["python3", "-c", code, *command], capture_output=True, text=True)
    return run, int(run.stderr.splitlines()[-1]) * 1024


def fit(folder, base):
    b = Bench(folder / "fit")
    options = dict(model=str(base), train_file=str(b.folder / "train.jsonl"), max_seq_length=512, per_device_train_batch_size=6,
                   gradient_accumulation_steps=1, lora={"r": 4}, threads=1)
    free, free_peak = peak(b.command(b.config("free", **options), "--dry-run", "1", "--json"))
    check(free.returncode == 0, "without --fit", free.stderr)
    total = memory_of(events_of(free))["total"]
    roomy = b.train("roomy", "--dry-run", "1", "--json", "--fit", "16GB", **options)
    check(roomy.returncode == 0 and not any("fit" in e for e in events_of(roomy)) and memory_of(events_of(roomy))["total"] == total,
          "--fit changes nothing that fits", roomy.stderr)
    # A sanitized program holds half of its peak itself.
    size = int(free_peak * (0.75 if SLOW else 0.6) / 1e6)
    tight, tight_peak = peak(b.command(b.config("tight", **options), "--dry-run", "1", "--json", "--fit", f"{size}MB"))
    steps = [e["fit"] for e in events_of(tight) if "fit" in e]
    names = [s["option"] for s in steps]
    chained = all(a["after"] == n["before"] for a, n in zip(steps, steps[1:])) and all(s["after"] < s["before"] for s in steps)
    check(tight.returncode == 0 and names[:1] == ["gradient_checkpointing"] and chained and steps[0]["before"] == total
          and memory_of(events_of(tight))["total"] == steps[-1]["after"] <= size * 1e6, f"--fit {size}MB: {', '.join(names)}",
          tight.stderr)
    # What sanitizers take for themselves is in no plan.
    check(tight_peak < free_peak if SLOW else tight_peak <= size * 1e6 < free_peak, f"--fit {size}MB takes {tight_peak / 1e6:.0f} MB, without it {free_peak / 1e6:.0f} MB")
    # The same on data, with an examples' own lengths: fewer in a pass, more passes.
    data = b.train("data", "--json", "--fit", f"{size}MB", **(options | dict(max_steps=1)))
    check(data.returncode == 0 and memory_of(events_of(data))["total"] < total, "--fit with data", data.stderr)
    none = b.train("none", "--dry-run", "1", "--fit", "270MB" if SLOW else "70MB", **(options | dict(lora={"r": 16384})))
    check(none.returncode == 1 and "nothing fits into" in none.stderr and "the smallest plan needs" in none.stderr
          and "max_seq_length: 256" in none.stderr, "--fit: nothing fits", none.stderr)
    small = b.train("small", "--dry-run", "1", "--fit", "1MB", **options)
    check(small.returncode == 1 and "holds" in small.stderr, "--fit: less than the program itself", small.stderr)
    wrong = b.train("wrong", "--fit", "4", **options)
    check(wrong.returncode == 1 and "is no size of memory" in wrong.stderr, "--fit: no size", wrong.stderr)


def run(folder):
    base = make_base(folder)
    recipes(folder, base, make_qwen(folder))
    fit(folder, base)
