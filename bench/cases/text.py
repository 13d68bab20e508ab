"""Text: decode and prefill, streams, loading, speculation, AVX2, long contexts; beside llama.cpp and OpenVINO GenAI."""

import json
import os
import sys

from harness.case import Aim, Case, at_least, at_most, bytes_at_most, holds, sample, share, times
from harness.process import child, child_json
from harness.workbench import PEERS, ROOT

NOTE = ROOT / "examples" / "notes" / "clinical_note.txt"
BIG = ("--shape", "medgemma-4b", "--type", "q4_0")
AVX2 = {"GALEN_ISA": "avx2"}


def llama_bench(workbench, file, prompt, generate):
    """Prefill and decode of llama-bench, the better of two repetitions; file: a function, so that it is made when it is needed."""
    def measure():
        rows = json.loads(child([workbench.llama() / "llama-bench", "-m", file(), "-p", prompt, "-n", generate, "-t",
                                 workbench.threads, "-fa", "1", "-r", "2", "-o", "json"]))
        return {"prefill" if row["n_prompt"] else "decode": sample(max(row["samples_ts"]), "tok/s") for row in rows}
    return measure


def llama_streams(workbench, streams, tokens):
    def measure():
        answer = child_json([sys.executable, PEERS / "llama_streams.py", workbench.llama() / "llama-server", workbench.gemma,
                             streams, tokens, workbench.threads])
        return {name: sample(value, "tok/s") for name, value in answer.items()}
    return measure


def openvino_text(workbench, prompt, generate, *arithmetic):
    def measure():
        python, model = workbench.openvino()
        answer = child_json([python, PEERS / "openvino_text.py", model, prompt, generate, workbench.threads, *arithmetic])
        return {name: sample(answer[name], "tok/s") for name in ("prefill", "decode")}
    return measure


def share_by_bandwidth(result, least, fast, least_when_fast):
    """Of small models, whose steps are bound by more than reading on machines that read fast (GB/s)."""
    def judge(ours, peers):
        bound = least_when_fast if ours["machine"].get("read_gb_per_s", 0) >= fast else least
        return ours["share_of_limit"] >= bound, f"{100 * ours['share_of_limit']:.0f} %"
    return Aim(result, f"≥ {100 * least:.0f} % of bandwidth ({100 * least_when_fast:.0f} % from {fast} GB/s on)", judge)


def kept_in_memory(file):
    """The file, a tenth more, and the keys and values of a short prompt (34 layers of 10 tokens: a page each)."""
    def judge(ours, peers):
        size = os.path.getsize(file())
        return ours["resident_bytes"] <= 1.1 * size + (34 << 20), f"{ours['resident_bytes'] / size:.3f} of the file"
    return Aim("first_token", "resident ≤ file + 10 % + KV", judge)


def in_both_modes(workbench, generate, *model):
    """Prefill and decode, and prefill with activations in int8."""
    def measure():
        results = workbench.bench(*model, "--prompt", "512", "--generate", str(generate))
        int8 = workbench.bench(*model, "--activations", "int8", "--prompt", "512", "--generate", "8", "--repeat", "2")
        return {name: results[name] for name in ("prefill", "decode")} | {"prefill_int8": int8["prefill"]}
    return measure


def second_of(measure):
    """A virtual machine gives free memory back to its host, and the first call fetches it again: that is not the program's time."""
    measure()
    return measure()


def cases(w):
    lengths = ("--prompt", "512", "--generate", "64")

    def bench(results, *arguments, env=None):
        return lambda: {name: s for name, s in w.bench(*arguments, env=env).items() if name in results}

    def long_context(*more):
        return {"galen": bench(("decode_long_context",), *BIG, "--context", "131072", *more, "--prompt", "1", "--generate", "4",
                               "--repeat", "1")}

    rates = ("prefill", "decode")
    both_shares = (share("prefill", 0.7, "AVX2's fp32"), share_by_bandwidth("decode", 0.7, 60, 0.45))
    return [
        Case("gemma270m", "text", "Gemma 3 270M Q4_K_M, 512 + 64",
             {"galen": in_both_modes(w, 64, w.gemma), "llama.cpp": llama_bench(w, lambda: w.gemma, 512, 64),
              "OpenVINO": openvino_text(w, 512, 64), "OpenVINO bf16": openvino_text(w, 512, 64, "bf16")},
             beside={"prefill_int8": "prefill"},
             aims=(share("prefill", 0.75, "bf16"), times("prefill", "OpenVINO", 1.1), share("decode", 0.85, "bandwidth"),
                   times("decode", "llama.cpp", 1.3))),
        Case("smollm2", "text", "SmolLM2 135M Q4_1, 512 + 64",
             {"galen": bench(rates, w.smollm2, *lengths), "llama.cpp": llama_bench(w, lambda: w.smollm2, 512, 64)},
             aims=(share_by_bandwidth("decode", 0.75, 60, 0.6), times("decode", "llama.cpp", 1.3))),
        Case("4b", "text", "MedGemma-4B shape Q4_0, 512 + 32",
             {"galen": in_both_modes(w, 32, *BIG), "llama.cpp": llama_bench(w, w.random_4b, 512, 32)},
             beside={"prefill_int8": "prefill"},
             aims=(share("prefill", 0.75, "bf16"), share("decode", 0.95, "bandwidth"), times("decode", "llama.cpp", 1.0),
                   share("prefill_int8", 0.55, "int8"), times("prefill_int8", "llama.cpp", 2))),
        Case("streams", "text", "Gemma 3 270M, 16 streams of 96 tokens",
             {"galen": bench(("decode_streams",), w.gemma, "--prompt", "16", "--generate", "96", "--streams", "16"),
              "llama.cpp": llama_streams(w, 16, 96)},
             aims=(share("decode_streams", 0.55, "bf16"), times("decode_streams", "llama.cpp", 2))),
        Case("speculation", "text", "Gemma 3 270M, a note that repeats, n-gram speculation",
             {"galen": bench(("speculation",), w.gemma, "--prompt", "16", "--generate", "192", "--repeated", NOTE)},
             aims=(at_least("speculation", 1.6, "×"), holds("speculation", "identical", "identical output"))),
        Case("load", "text", "2.5 GB GGUF, prompt of 8",
             {"galen": lambda: second_of(bench(("load", "first_token"), w.random_4b(), "--prompt", "8", "--generate", "4", "--repeat", "1"))},
             aims=(at_most("first_token", 1.5, "s"), kept_in_memory(w.random_4b))),
        Case("gemma270m-avx2", "text", "Gemma 3 270M, AVX2 forced", {"galen": bench(rates, w.gemma, *lengths, env=AVX2)}, aims=both_shares),
        Case("4b-avx2", "text", "MedGemma-4B shape Q4_0, AVX2 forced",
             {"galen": bench(rates, *BIG, "--prompt", "256", "--generate", "16", "--repeat", "1", env=AVX2)}, once=True, aims=both_shares),
        Case("4b-128k", "text", "MedGemma-4B shape, 131,072 tokens, cache in bf16", long_context(), once=True,
             aims=(bytes_at_most("decode_long_context", "kv_bytes", 2.8 * 2**30, "KV ≤ 2.8 GiB"),)),
        Case("4b-128k-int8", "text", "MedGemma-4B shape, 131,072 tokens, cache in int8", long_context("--kv", "int8"), once=True,
             aims=(bytes_at_most("decode_long_context", "kv_bytes", 1.5 * 2**30, "KV ≤ 1.5 GiB"),)),
    ]
