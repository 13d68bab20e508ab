#!/usr/bin/env python3
"""galen beside its peers on this machine, in one run: a table with each figure's share of the machine's limit.

    run.py [--galen FILE] [--models DIR] [--out DIR] [--rounds N] [--only NAME]... [--peers llama,openvino,torch,openvino-tower|none]

Writes bench.json (every sample) and bench.md. Tools take turns within each round, so that a machine whose speed drifts treats
them alike; the figure is the best of the rounds, the median stands beside it. What cannot run is named with its reason and never filled in.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "bench" / "peers"
GEMMA = "gemma-3-270m-q4_k_m.gguf"
BIG = "random-4b-q4_0.gguf"
BIG_IMAGES = "random-4b-mmproj.gguf"
PHOTO = ROOT / "examples" / "images" / "retina.jpg"
SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf"
NOTE = ROOT / "examples" / "notes" / "clinical_note.txt"
LIMIT_SECONDS = 900
SERVER_STREAMS = 16


# Of a result of galen bench, where it has them.
FIELDS = ("value", "unit", "limit", "share_of_limit", "peak_bytes", "kv_bytes", "resident_bytes", "plain", "speculated",
          "identical", "text_tokens_per_s", "times_faster")


class Unavailable(Exception):
    """A tool that cannot run here, with the reason that the table prints."""


def child(command, env=None, seconds=LIMIT_SECONDS):
    """stdout of a command; Unavailable with its last words when it fails."""
    try:
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=seconds,
                              env={**os.environ, **(env or {})})
    except OSError as error:
        raise Unavailable(f"{command[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{Path(str(command[0])).name}: no result within {seconds} s") from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["no message"]
        raise Unavailable(f"{Path(str(command[0])).name}: exit code {done.returncode}: {words[0][:160]}")
    return done.stdout


class Galen:
    """galen bench: {"machine": {...}, "results": [{"name", "value", "limit", "share_of_limit", "peak_bytes"}, ...]}."""

    name = "galen"

    def __init__(self, options):
        self.binary = options.galen
        self.threads = options.threads
        self.machines = []

    def measure(self, case):
        if "server" in case:
            return self.measure_server(*case["server"])
        command = [self.binary, "bench", *case["galen"], "--threads", self.threads, "--json"]
        answer = json.loads(child(command, case.get("env")))
        self.machines.append(answer["machine"])
        return {r["name"]: {k: r.get(k) for k in FIELDS}
                for r in answer["results"]}


    def measure_server(self, script, arguments, rows):
        """A script of this folder that drives `galen serve`. rows: {name: (path in its JSON, unit)}."""
        answer = json.loads(child([sys.executable, ROOT / "bench" / script, self.binary, *arguments, "--threads", self.threads],
                                  seconds=4 * LIMIT_SECONDS))
        found = {}
        for name, (path, unit) in rows.items():
            value = answer
            for key in path.split("."):
                value = value[key]
            found[name] = {"value": value, "unit": unit}
        return found


class Llama:
    """llama.cpp: llama-bench for one sequence, llama-server under load for many."""

    name = "llama.cpp"

    def __init__(self, options):
        say("llama.cpp: building when it is not in the cache (once; minutes)")
        self.folder = Path(child([PEERS / "build_llama.sh"]).strip())
        self.threads = options.threads

    def measure(self, case):
        if "llama_streams" in case:
            streams, tokens = case["llama_streams"]
            answer = json.loads(child([sys.executable, PEERS / "llama_streams.py", self.folder / "llama-server",
                                       case["file"], streams, tokens, self.threads]))
            return {name: {"value": value, "unit": "tok/s"} for name, value in answer.items()}
        if "llama" not in case:
            return {}
        prompt, generate = case["llama"]
        rows = json.loads(child([self.folder / "llama-bench", "-m", case["file"], "-p", prompt, "-n", generate, "-t",
                                 self.threads, "-fa", "1", "-r", "2", "-o", "json"]))
        return {"prefill" if row["n_prompt"] else "decode": {"value": max(row["samples_ts"]), "unit": "tok/s"}
                for row in rows}


class Torch:
    """PyTorch with transformers, bf16: image towers."""

    name = "PyTorch"

    def __init__(self, options):
        self.python = oracle()
        self.threads = options.threads

    def measure(self, case):
        return measure_tower(case, [self.python, PEERS / "torch_tower.py"], self.threads)


class OpenVinoTower:
    """OpenVINO, bf16: image towers, converted from PyTorch once."""

    name = "OpenVINO tower"

    def __init__(self, options):
        self.python = oracle()
        self.cache = child([PEERS / "make_openvino_tower.sh", self.python]).strip()
        self.threads = options.threads

    def measure(self, case):
        return measure_tower(case, [self.python, PEERS / "openvino_tower.py"], self.threads, self.cache)


def measure_tower(case, command, threads, *more):
    if "tower" not in case:
        return {}
    shape, batch = case["tower"]
    answer = json.loads(child([*command, shape, batch, threads, *more]).splitlines()[-1])
    return {"encode_image": {"value": answer["encode_image"], "unit": "s"}}


class OpenVino:
    """OpenVINO GenAI with int4 weights; only Gemma 270M is exported."""

    name = "OpenVINO"

    def __init__(self, options):
        say("OpenVINO: exporting when it is not in the cache (once; minutes)")
        words = child([PEERS / "make_openvino.sh", options.models / GEMMA, options.models / "tokenizers" / "gemma3",
                       oracle()]).split()
        self.python, self.model = words[-2], words[-1]
        self.threads = options.threads

    def measure(self, case):
        if "openvino" not in case:
            return {}
        prompt, generate = case["openvino"]
        answer = json.loads(child([self.python, PEERS / "openvino_text.py", self.model, prompt, generate,
                                   self.threads]).splitlines()[-1])
        return {name: {"value": answer[name], "unit": "tok/s"} for name in ("prefill", "decode")}


TOOLS = {"galen": Galen, "llama": Llama, "openvino": OpenVino, "torch": Torch, "openvino-tower": OpenVinoTower}


def say(text):
    print(text, file=sys.stderr, flush=True)


def oracle():
    """The Python of the parity tests, made when it is missing."""
    child([ROOT / "tools" / "make_oracle.sh"])
    return ROOT / "build" / ".venv-oracle" / "bin" / "python"


def random_4b(options):
    """The 4B-shaped file that peers read, and galen to measure loading; else galen makes its weights in memory."""
    path = options.models / BIG
    write_once(path, "a 4B-shaped file for the peers (2.5 GB)", "random_4b_gguf.py", options.models / GEMMA)
    write_once(options.models / BIG_IMAGES, "an image projector of that model (0.8 GB)", "random_mmproj_gguf.py")
    return path


def write_once(path, what, script, *arguments):
    if path.exists():
        return
    say(f"writing {what}, once")
    part = path.with_suffix(".part")
    child([oracle(), PEERS / script, part, *arguments])
    part.replace(path)


def make_cases(options):
    """What is measured: arguments per tool. Order is the order of the table."""
    gemma, smollm2 = options.models / GEMMA, options.models / SMOLLM2
    big = ["--shape", "medgemma-4b", "--type", "q4_0"]
    lengths = ["--prompt", "512", "--generate", "64"]
    cases = [
        {"name": "gemma270m", "title": "Gemma 3 270M Q4_K_M, 512 + 64", "file": gemma,
         "galen": [gemma, *lengths], "llama": (512, 64), "openvino": (512, 64)},
        {"name": "smollm2", "title": "SmolLM2 135M Q4_1, 512 + 64", "file": smollm2,
         "galen": [smollm2, *lengths], "llama": (512, 64)},
        {"name": "4b", "title": "MedGemma-4B shape Q4_0, 512 + 32", "big": True,
         "galen": [*big, "--prompt", "512", "--generate", "32"], "llama": (512, 32)},
        {"name": "4b-int8", "title": "MedGemma-4B shape Q4_0, int8 activations, 512", "big": True,
         "galen": [*big, "--activations", "int8", "--prompt", "512", "--generate", "8"], "llama": (512, 0)},
        {"name": "streams", "title": "Gemma 3 270M, 16 streams of 96 tokens", "file": gemma,
         "galen": [gemma, "--prompt", "16", "--generate", "96", "--streams", "16"], "llama_streams": (16, 96)},
        {"name": "speculation", "title": "Gemma 3 270M, a note that repeats, n-gram speculation", "file": gemma,
         "galen": [gemma, "--prompt", "16", "--generate", "192", "--repeated", NOTE]},
        {"name": "load", "title": "2.5 GB GGUF, prompt of 8", "big": True, "needs_file": True,
         "galen": [options.models / BIG, "--prompt", "8", "--generate", "4", "--repeat", "1"]},
        {"name": "gemma270m-avx2", "title": "Gemma 3 270M, AVX2 forced", "file": gemma, "env": {"GALEN_ISA": "avx2"},
         "galen": [gemma, *lengths]},
        {"name": "4b-avx2", "title": "MedGemma-4B shape Q4_0, AVX2 forced", "env": {"GALEN_ISA": "avx2"},
         "galen": [*big, "--prompt", "256", "--generate", "16", "--repeat", "1"]},
        {"name": "4b-128k", "title": "MedGemma-4B shape, cache in bf16",
         "galen": [*big, "--context", "131072", "--prompt", "1", "--generate", "4", "--repeat", "1"]},
        {"name": "4b-128k-int8", "title": "MedGemma-4B shape, cache in int8",
         "galen": [*big, "--context", "131072", "--kv", "int8", "--prompt", "1", "--generate", "4", "--repeat", "1"]},
        {"name": "4b-image", "title": "MedGemma-4B shape, a question about one image", "big": True, "needs_file": True,
         "galen": [options.models / BIG, "--mmproj", options.models / BIG_IMAGES, "--image", PHOTO]},
        {"name": "tower-896", "title": "MedGemma image tower, 896 x 896", "tower": ("siglip-896", 1),
         "galen": ["--shape", "siglip-896"]},
        {"name": "tower-896-int8", "title": "MedGemma image tower, int8 activations", "tower": ("siglip-896", 1),
         "galen": ["--shape", "siglip-896", "--activations", "int8"]},
        {"name": "tower-448", "title": "MedSigLIP image tower, 448 x 448, 8 images", "tower": ("medsiglip-448", 8),
         "galen": ["--shape", "medsiglip-448", "--batch", "8"]},
    ]
    cases += [
        {"name": "server", "title": f"`galen serve`, {SERVER_STREAMS} streams of Gemma 3 270M", "galen_only": True,
         "server": ("server_load.py", [gemma, "--streams", SERVER_STREAMS], {
             "a request above its engine (aim ≤ 150)": ("request.overhead_us", "us"),
             "a streamed token above one that is not (aim ≤ 5)": ("token.overhead_us", "us"),
             "of it, on the thread that computes": ("token.model_us", "us"),
             "tokens": ("streams.tokens_per_s", "tok/s"),
             "time between pieces, p99 / median (aim ≤ 3)": ("streams.gap_ms.p99_over_median", "ratio"),
             "longest delay by a prompt of 4,000 tokens (aim ≤ 250)": ("with_prefill.longest_delay_ms", "ms")})},
        {"name": "soak", "title": "`galen serve`, 100,000 mixed requests beside 1,000 slow clients", "galen_only": True, "once": True,
         "server": ("server_soak.py", [], {
             "requests": ("requests_per_s", "1/s"),
             "spread of resident memory, last half (aim ≤ 0.02)": ("resident_mb.spread_of_last_half", "ratio"),
             "/v1/models, p99 (aim ≤ 20)": ("models_ms.p99", "ms"), "/health, p99 (aim ≤ 20)": ("health_ms.p99", "ms")})},
    ]
    chosen = [c for c in cases if not options.only or c["name"] in options.only]
    unknown = set(options.only) - {c["name"] for c in cases}
    if unknown:
        sys.exit(f"run.py: unknown case {', '.join(sorted(unknown))}; known: {', '.join(c['name'] for c in cases)}")
    return chosen


def load_average():
    return round(os.getloadavg()[0], 2)


def run_rounds(options, tools, cases):
    samples = {}  # case -> result -> tool -> [sample]
    reasons = {}  # case -> tool -> reason
    loads = [load_average()]
    for number in range(options.rounds):
        for case in cases:
            order = tools[number % len(tools):] + tools[:number % len(tools)]
            for tool in order:
                if case.get("galen_only") and tool.name != "galen" or case.get("once") and number > 0:
                    continue
                if tool.name in reasons.get(case["name"], {}):
                    continue
                say(f"  round {number + 1}/{options.rounds}: {case['name']}: {tool.name}")
                try:
                    for result, sample in tool.measure(case).items():
                        place = samples.setdefault(case["name"], {}).setdefault(result, {})
                        place.setdefault(tool.name, []).append(sample)
                except (Unavailable, KeyError, ValueError) as error:
                    reasons.setdefault(case["name"], {})[tool.name] = f"{error}"
                    say(f"    {error}")
        loads.append(load_average())
    return samples, reasons, loads


def best_of(samples):
    """Rates: the highest; times: the lowest."""
    return (min if samples[0].get("unit") in ("s", "ms", "us", "ratio") else max)(samples, key=lambda s: s["value"])


def cell(samples, with_share):
    best = best_of(samples)
    text = f"{best['value']:.4g} (median {statistics.median(s['value'] for s in samples):.4g})"
    if with_share and best.get("limit") not in (None, "none"):
        text += f", {100 * best['share_of_limit']:.0f} % of {best['limit']}"
    if with_share and "speculated" in best and best["speculated"]:
        text += f", {best['plain']:.4g} → {best['speculated']:.4g} tok/s, {'identical' if best['identical'] else 'DIFFERENT'} output"
    if with_share and best.get("text_tokens_per_s"):
        text += f", text {best['text_tokens_per_s']:.4g}"
    if with_share and best.get("times_faster"):
        text += f", {best['times_faster']:.0f} times faster than the first time"
    for key, name in (("kv_bytes", "KV"), ("resident_bytes", "resident"), ("peak_bytes", "peak")):
        if with_share and best.get(key):
            text += f", {name} {best[key] / 2**30:.2f} GiB"
    return text


def table(cases, names, samples, reasons):
    lines = ["| work | unit | " + " | ".join(names) + " | " + " | ".join(f"galen / {n}" for n in names[1:]) + " |",
             "|---" * (2 * len(names) + 1) + "|"]
    for case in cases:
        for result, by_tool in samples.get(case["name"], {}).items():
            unit = next(s[0].get("unit") or "" for s in by_tool.values())
            best = {n: best_of(by_tool[n])["value"] for n in names if n in by_tool}
            cells = [cell(by_tool[n], n == "galen") if n in by_tool else "–" for n in names]
            ratios = [f"{best['galen'] / best[n]:.2f}" if n in best and "galen" in best and best[n] > 0 else "–"
                      for n in names[1:]]
            lines.append(f"| {case['title']}: {result} | {unit} | " + " | ".join(cells + ratios) + " |")
        for tool, reason in reasons.get(case["name"], {}).items():
            lines.append(f"| {case['title']} | | {tool} did not run: {reason.replace('|', '/')} |"
                         + " |" * (2 * len(names) - 2))
    return lines


def report(options, machines, cases, names, samples, reasons, loads, missing):
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="ascii")
                if line.startswith("model name")), platform.machine())
    lines = [f"# galen and its peers, {time.strftime('%Y-%m-%d %H:%M')}", "",
             f"{cpu}, {options.threads} threads, load average {' → '.join(map(str, loads))} (each round's own work included), "
             f"{options.rounds} rounds, tools in turn; best of the rounds.", ""]
    if loads[0] > 0.5:
        lines += [f"**The machine was not idle when this began (load {loads[0]}): the figures are lower bounds.**", ""]
    lines += [f"Not compared: {name} – {reason}" for name, reason in missing.items()] + ([""] if missing else [])
    if machines:
        first = machines[0]
        lines += ["Limits measured by `galen bench` in this run (best over all calls): "
                  + ", ".join(f"{key} {max(m.get(key, 0) for m in machines):.4g}" for key in first
                              if isinstance(first[key], (int, float))), ""]
    lines += table(cases, names, samples, reasons)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bench.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (options.out / "bench.json").write_text(json.dumps(
        {"cpu": cpu, "threads": options.threads, "loads": loads, "machine": machines, "samples": samples, "reasons": reasons,
         "missing": missing}, indent=1), encoding="utf-8")
    print("\n".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--galen", type=Path, default=ROOT / "build" / "release" / "galen")
    parser.add_argument("--models", type=Path, default=Path(os.environ.get("GALEN_MODELS", "models")))
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", action="append", default=[], help="measure this case only (may be repeated)")
    parser.add_argument("--peers", default="llama,openvino,torch,openvino-tower", help="which to compare with; none for galen alone")
    options = parser.parse_args()
    cases = make_cases(options)
    tools, missing = [Galen(options)], {}
    for name in [n for n in options.peers.split(",") if n and n != "none"]:
        if name not in TOOLS:
            parser.error(f"unknown peer {name}; known: {', '.join(list(TOOLS)[1:])}, none")
        try:
            tools.append(TOOLS[name](options))
        except Unavailable as error:
            missing[TOOLS[name].name] = str(error)
            say(f"{TOOLS[name].name}: {error}")
    wants_file = any(c.get("needs_file") for c in cases)
    if wants_file or (any(c.get("big") for c in cases) and any(t.name == "llama.cpp" for t in tools)):
        try:
            path = random_4b(options)
            for case in cases:
                if case.get("big"):
                    case["file"] = path
        except Unavailable as error:
            missing["the 4B-shaped file"] = str(error)
            cases = [c for c in cases if not c.get("needs_file")]
            for case in cases:
                if case.get("big"):
                    case.pop("llama", None)
    samples, reasons, loads = run_rounds(options, tools, cases)
    report(options, tools[0].machines, cases, [t.name for t in tools], samples, reasons, loads, missing)
    return 0 if any("galen" in by_tool for results in samples.values() for by_tool in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
