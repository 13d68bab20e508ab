"""Learning: QLoRA steps beside PEFT with bitsandbytes, memory by plan and by peak, NF4, quantising, made-up pages."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.case import Aim, Case, at_least, at_most, bytes_at_most, peak_share, sample, share, times
from harness.process import Unavailable, child_json, run, say
from harness.workbench import PEERS, ROOT

TOKENS, RANK = 512, 16
PRESETS = ROOT / "configs" / "training"
PHOTO = ROOT / "examples" / "images" / "retina.jpg"
LABELLED = {"step": 1, "step, a quarter labelled": 0.25}


def galen_steps(workbench, shape):
    def measure():
        return {name: workbench.bench("--train", "--shape", shape, "--type", "nf4", "--rank", RANK, "--prompt", TOKENS, "--labelled",
                                      labelled)["train_step"] for name, labelled in LABELLED.items()}
    return measure


def peft_steps(workbench, shape):
    def measure():
        results = {}
        for name, labelled in LABELLED.items():
            answer = child_json([workbench.python(), PEERS / "peft_step.py", shape, TOKENS, labelled, RANK, workbench.threads,
                                 workbench.peer_cache("peft")])
            results[name] = sample(answer["train_step"], "s", peak_bytes=answer["peak_bytes"])
        return results
    return measure


# Memory: runs of galen train on a bf16 checkpoint of the shape, one step of real data or of made data.

def write_example(workbench):
    """A line of training data: an image, and far more text than any max_seq_length here; returns its file."""
    path = workbench.scratch / "example.jsonl"
    text = "The left ventricle is of normal size and function, without regional wall motion abnormality. " * 400
    path.write_text(json.dumps({"question": "Describe the image.", "answer": text, "images": [str(PHOTO)]}) + "\n")
    return path


def train_command(workbench, config, *arguments, **sets):
    output = Path(tempfile.mkdtemp(dir=workbench.scratch)) / "run"
    sets |= dict(model=workbench.checkpoint_4b(), output_dir=output, threads=workbench.threads,
                 train_file=write_example(workbench), report_to_tensorboard="false")
    command = [workbench.galen, "train", config, "--json", *arguments]
    for key, value in sets.items():
        command += ["--set", f"{key}={value}"]
    return command


def events_of(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def plan_of(events):
    """(bytes of the plan of a run's events, its parts as a text)."""
    memory = next(e["memory"] for e in events if "memory" in e)
    return memory["total"], ", ".join(f"{part} {size / 1e9:.2f}" for part, size in memory.items() if part != "total")


def one_step(workbench, config, *arguments, **sets):
    """Peak and plan of one step on an image and text that fill max_seq_length."""
    sets = dict(max_steps=1, gradient_accumulation_steps=1, on_long_sample="truncate") | sets
    text, peak = run(train_command(workbench, config, *arguments, **sets))
    events = events_of(text)
    steps = [e for e in events if "grad_norm" in e]
    if len(steps) != 1:
        raise Unavailable(f"galen train: {len(steps)} steps instead of one")
    plan, parts = plan_of(events)
    return {"memory": sample(peak / 1e9, "GB", plan_bytes=plan, note=f"{parts} GB; {steps[0]['tokens']} tokens")}


def plan_only(workbench, config, **sets):
    """The plan of a run that is refused right behind it, since it may take no memory at all."""
    command = train_command(workbench, config, "--dry-run", "1", memory_limit_gb=0.001, **sets)
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    events = events_of(done.stdout)
    if not any("memory" in e for e in events):
        raise Unavailable(f"galen train: {(done.stderr.strip() or 'no plan').splitlines()[-1][:200]}")
    return plan_of(events)


GOOGLE = PRESETS / "medgemma-google.yaml"
TIED = {"lora.ensure_weight_tying": "true"}
AS_IT_IS, WITH_TIED = "plan as it is", "plan with a tied table"


def google_plans(workbench):
    def measure():
        results = {}
        for name, sets in ((AS_IT_IS, {}), (WITH_TIED, TIED)):
            plan, parts = plan_only(workbench, GOOGLE, **sets)
            results[name] = sample(plan / 1e9, "GB", note=f"{parts} GB")
        return results
    return measure


def google_run(workbench):
    """One pass on made data with an image; the accumulation of more changes little memory."""
    def measure():
        command = train_command(workbench, GOOGLE, "--dry-run", "1", gradient_accumulation_steps=1)
        text, peak = run(command)
        plan, parts = plan_of(events_of(text))
        return {"memory": sample(peak / 1e9, "GB", plan_bytes=plan, note=f"{parts} GB")}
    return measure


def write_1024(workbench):
    """The configuration of the promise: NF4, rank 16, recomputation; 1,024 tokens of text behind an image's 256."""
    path = workbench.scratch / "nf4-1024.yaml"
    path.write_text("weights: nf4\nmax_seq_length: 1280\nper_device_train_batch_size: 1\ngradient_checkpointing: true\n"
                    "learning_rate: 1e-4\nlora:\n  r: 16\n  lora_alpha: 16\n  target_modules: all-linear\n")
    return path


def nf4_beside_q4_0(workbench):
    """Bytes of weights that decoding reads in a second, of NF4 and of Q4_0, both with the same output head (Q6_K)."""
    def measure():
        rates = {}
        for kind in ("nf4", "q4_0"):
            decode = workbench.bench("--shape", "medgemma-4b", "--type", kind, "--prompt", "16", "--generate", "32")["decode"]
            rates[kind] = (decode["value"] * decode["bytes_per_token"], decode)
        ratio = rates["nf4"][0] / rates["q4_0"][0]
        note = ", ".join(f"{kind} {decode['value']:.4g} tok/s of {decode['bytes_per_token'] / 1e9:.2f} GB"
                         for kind, (_, decode) in rates.items())
        return {"decode per byte read, NF4 / Q4_0": sample(ratio, "×", note=note)}
    return measure


def quantize(workbench):
    def measure(peers):
        say("    galen and cp take turns")
        answer = child_json([sys.executable, ROOT / "bench" / "quantize.py", "speed", "--json", "--repeat", "2", "--source",
                             workbench.checkpoint_4b(), "--folder", workbench.scratch],
                            env={"GALEN_BIN": str(workbench.galen)})
        seconds = {name: min(values) for name, values in answer["seconds"].items()}
        results = {"galen": {"seconds": sample(seconds["galen quantize nf4"], "s", peak_bytes=answer["peak_bytes"],
                                               note=f"{answer['bytes'] / 1e9:.1f} GB")}}
        return results | {peer: {"seconds": sample(seconds["copy + fsync"], "s")} for peer in peers}
    return measure


def no_longer_than_copying(factor):
    def judge(ours, peers):
        found = ours["value"] / peers["cp"]["value"] if "cp" in peers else None
        return None if found is None else (found <= factor, f"{found:.2f}×")
    return Aim("seconds", f"≤ {factor}× copying the file", judge)


def synth(workbench, count=270):
    def measure():
        folder = Path(tempfile.mkdtemp(dir=workbench.scratch))
        answer = child_json([workbench.galen, "data", "synth", "--kind", "all", "--count", count, "--seed", "1", "--format", "jpeg",
                             "--gray", "--level", "clean", "--long-side", "1024", "--out", folder, "--threads", workbench.threads,
                             "--json"])
        return {"pages": sample(answer["pages_per_s"], "pages/s", note=f"{answer['pages']} pages")}
    return measure


def cases(w):
    def both(shape):
        return {"galen": galen_steps(w, shape), "PEFT": peft_steps(w, shape)}

    memory = tuple(peak_share(name, "PEFT", 0.4) for name in LABELLED)
    quarter = "step, a quarter labelled"
    return [
        Case("train-270m", "learning", "QLoRA step, Gemma 3 270M shape, NF4, r 16, 512 tokens", both("gemma3-270m"),
             aims=(times("step", "PEFT", 2.2), times(quarter, "PEFT", 4), *memory)),
        Case("train-4b-layers", "learning", "QLoRA step, six layers of 4B width, NF4, r 16, 512 tokens", both("medgemma-4b-6-layers"),
             aims=(share("step", 0.7, "bf16"), times("step", "PEFT", 1.4), *memory)),
        Case("nf4-decode", "learning", "MedGemma-4B shape", {"galen": nf4_beside_q4_0(w)},
             aims=(at_least("decode per byte read, NF4 / Q4_0", 1.0, "×"),)),
        Case("quantize", "learning", "bf16 checkpoint of MedGemma-4B's shape to NF4", together=quantize(w), peers=("cp",), once=True,
             aims=(no_longer_than_copying(1.7),)),
        Case("memory-1024", "learning", "MedGemma-4B shape, NF4, r 16, an image and 1,024 tokens, recomputation",
             {"galen": lambda: one_step(w, write_1024(w))}, once=True, aims=(at_most("memory", 6, "GB"),)),
        Case("memory-4gb", "learning", "MedGemma-4B shape, medgemma-4gb.yaml --fit 4GB, an image, 512 tokens in all",
             {"galen": lambda: one_step(w, PRESETS / "medgemma-4gb.yaml", "--fit", "4GB")}, once=True,
             aims=(at_most("memory", 4, "GB"), bytes_at_most("memory", "plan_bytes", 4e9, "plan ≤ 4 GB"))),
        Case("memory-google", "learning", "MedGemma-4B shape, medgemma-google.yaml", {"galen": google_plans(w)}, once=True,
             aims=(at_most(AS_IT_IS, 18, "GB"), at_most(WITH_TIED, 18, "GB"))),
        Case("memory-google-run", "learning", "the same, one pass of 1,024 tokens with an image", {"galen": google_run(w)}, once=True,
             aims=(at_most("memory", 18, "GB"),)),
        Case("synth", "learning", "made-up pages of all kinds, grey JPEG, 1,024 pixels", {"galen": synth(w)},
             aims=(at_least("pages", 60, "pages/s"),)),
    ]
