#!/usr/bin/env python3
"""Quantised checkpoints of galen in transformers + bitsandbytes and in the gguf package, and theirs in galen.

    run.py [--all]

Small Gemma 3 and LLaMA models with random weights are made here. For each:
  - transformers quantises and saves it; galen's log-probabilities (`--compute fp32`) must be those of the weights that the
    file decodes to, computed by transformers in fp32;
  - galen quantises it; codes and scales must be the bytes that bitsandbytes makes, and transformers must load the directory and
    give the same logits as from its own;
  - galen writes GGUF files of every type; the gguf package must read them: names, metadata, and the values of the source
    within the error that galen reported; galen must answer from them.
Then files cut short, a disk that is full and `kill -9`: nothing may be left under the destination's name.
--all also has llama.cpp run the GGUF files, and compares its choice of types (bench/peers/build_llama.sh). $GALEN_BIN is the program.
"""

import json
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ["HF_HUB_OFFLINE"] = "1"

import bitsandbytes.functional as bnb
import gguf
import numpy as np
import torch
import transformers
from safetensors import safe_open
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

transformers.utils.logging.disable_progress_bar()
GALEN = os.environ.get("GALEN_BIN", "galen")
TINY = Path(__file__).resolve().parent.parent / "models" / "tiny"
TEXT = "the patient was given two doses and the fever went down after three days of rest " * 3
GGUF_TYPES = "q4_0 q4_1 q5_0 q5_1 q8_0 q4_k_m q5_k_m q6_k iq4_nl iq4_xs bf16 f16 f32".split()
failures = []


def check(ok, what):
    print(("ok    " if ok else "FAILED ") + what, flush=True)
    if not ok:
        failures.append(what)


def galen(*args, ok=True, **more):
    done = subprocess.run([GALEN, *map(str, args)], capture_output=True, text=True, **more)
    if ok and done.returncode != 0:
        raise SystemExit(f"galen {' '.join(map(str, args))}: {done.returncode}: {done.stderr}")
    return done


# ---- models

BASE = dict(hidden_size=128, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512, bos_token_id=1,
            eos_token_id=2, pad_token_id=0)


def gemma3():
    rope = {"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}
    config = transformers.Gemma3TextConfig(**BASE, head_dim=32, intermediate_size=320, vocab_size=104, num_hidden_layers=7,
                                           sliding_window=16, query_pre_attn_scalar=32, rope_parameters=rope)
    return transformers.Gemma3ForCausalLM(config)


def llama():
    rope = dict(rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                original_max_position_embeddings=64)
    # 160 inputs are no whole blocks of 64: blocks cross rows. (bitsandbytes' code for CPUs wants outputs in multiples of 32.)
    config = transformers.LlamaConfig(**BASE, head_dim=32, intermediate_size=160, vocab_size=96, num_hidden_layers=4,
                                      rope_parameters=rope, tie_word_embeddings=False)
    return transformers.LlamaForCausalLM(config)


def make_source(name, directory, dtype):
    torch.manual_seed(11)
    model = {"gemma3": gemma3, "llama": llama}[name]().to(torch.float32)
    for parameter in model.parameters():  # spread out: predictions that differ from token to token
        if parameter.dim() == 2:
            torch.nn.init.normal_(parameter, std=0.08)
    model.to(dtype).save_pretrained(directory)
    shutil.copy(TINY / name / "tokenizer.model", directory)
    # tokenizer.json, which transformers makes of it.
    kind = transformers.GemmaTokenizer if name == "gemma3" else transformers.LlamaTokenizer
    kind.from_pretrained(str(directory)).save_pretrained(directory)


# ---- reading checkpoints without galen

def parts_of(directory):
    tensors = {}
    for path in sorted(Path(directory).glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            tensors |= {name: file.get_tensor(name) for name in file.keys()}
    return tensors


def decoded(tensors):
    """Every weight in fp32, by the definition of the formats."""
    weights = {}
    for name, tensor in tensors.items():
        if name.endswith(".SCB") or ".weight." in name or name.endswith("weight_format"):
            continue
        states = [key for key in tensors if key.startswith(name + ".quant_state.")]
        if states:
            state = json.loads(bytes(tensors[states[0]].tolist()))
            absmax = tensors[name + ".absmax"]
            if name + ".nested_absmax" in tensors:
                outer = tensors[name + ".nested_absmax"].repeat_interleave(state["nested_blocksize"])[: absmax.numel()]
                absmax = tensors[name + ".nested_quant_map"][absmax.long()] * outer + torch.tensor(state["nested_offset"])
            data = tensor.contiguous().view(torch.uint8).view(-1)
            codes = torch.stack([data >> 4, data & 15], 1).view(-1).long()
            values = tensors[name + ".quant_map"][codes] * absmax.repeat_interleave(state["blocksize"])[: codes.numel()]
            weights[name] = values[: math.prod(state["shape"])].view(state["shape"])
        elif name[: -len("weight")] + "SCB" in tensors and name.endswith(".weight"):
            weights[name] = tensor.float() * tensors[name[: -len("weight")] + "SCB"].view(-1, 1) * 7.874015718698502e-3
        else:
            weights[name] = tensor.float()
    return weights


def logprobs_of(model, tokens):
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0].float()
    return torch.log_softmax(logits, -1)[:-1].gather(1, torch.tensor(tokens[1:])[:, None])[:, 0].numpy(), logits


def reference(source, weights, tokens):
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    own = model.state_dict()
    missing = set(own) - set(weights) - {"lm_head.weight"}
    assert not missing, missing
    model.load_state_dict({name: weights[name] for name in own if name in weights}, strict=False)
    model.tie_weights()
    return logprobs_of(model, tokens)[0]


def score(model, text_file, *options):
    out = json.loads(galen("score", model, "--file", text_file, "--json", *options).stdout)
    return out["tokens"], np.array(out["logprobs"])


# fp32 sums of up to 320 products in 7 layers: sqrt(320) * 2^-24 = 1e-6 of values of order one for each product, some thirty
# of them one behind another, and log-probabilities of up to 20.
FP32_LIMIT = 2e-4


def check_bnb(name, dtype, work):
    source = work / f"{name}-{dtype}"
    make_source(name, source, getattr(torch, dtype))
    # Letters that the small vocabulary has: its tokenizer.json drops others, where a GGUF file has an unknown token.
    letters = set("".join(json.loads((source / "tokenizer.json").read_text())["model"]["vocab"])) | {" "}
    text = work / f"{name}.txt"
    text.write_text("".join(letter for letter in TEXT if letter in letters))
    for kind in ("nf4", "nf4-plain", "int8"):
        label = f"{name} {dtype} {kind}"
        config = BitsAndBytesConfig(load_in_8bit=True) if kind == "int8" else BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=kind == "nf4",
            bnb_4bit_compute_dtype=torch.float32)
        theirs = work / f"{label.replace(' ', '-')}-theirs"
        # LLM.int8 rounds weights to fp16; 4 bits are made of the type that the file has.
        quantised = AutoModelForCausalLM.from_pretrained(source, quantization_config=config, dtype=getattr(torch, dtype))
        quantised.save_pretrained(theirs)
        for path in source.glob("tokenizer*"):
            shutil.copy(path, theirs)
        ours = work / f"{label.replace(' ', '-')}-ours"
        options = ["--plain-scales"] if kind == "nf4-plain" else []
        report = json.loads(galen("quantize", source, ours, "--type", kind.split("-")[0], "--json", *options).stdout)

        a, b = parts_of(theirs), parts_of(ours)
        if kind == "int8" and dtype == "float32":
            # transformers casts a float32 model before bitsandbytes sees it: the reference is bitsandbytes alone.
            for tensor, values in parts_of(source).items():
                if a[tensor].dtype == torch.int8:
                    a[tensor], a[tensor[: -len("weight")] + "SCB"], _ = bnb.int8_vectorwise_quant(values.half())
        check(set(a) == set(b), f"{label}: the same tensors ({len(b)}){sorted(set(a) ^ set(b))[:4]}")
        same = differing = 0
        for tensor in sorted(set(a) & set(b)):
            if ".quant_state." in tensor:
                x, y = (json.loads(bytes(part[tensor].tolist())) for part in (a, b))
                offsets = x.pop("nested_offset", 0.0), y.pop("nested_offset", 0.0)
                check(x == y and abs(offsets[0] - offsets[1]) <= 2e-7 * abs(offsets[0]), f"{label}: {tensor}") if x != y else None
            elif ".nested_absmax" in tensor:
                check(torch.allclose(a[tensor], b[tensor], rtol=1e-5), f"{label}: {tensor}") if not torch.equal(
                    a[tensor], b[tensor]) else None
            elif torch.equal(a[tensor], b[tensor]):
                same += 1
            elif tensor.endswith(".absmax") and a[tensor].dtype == torch.uint8:
                # PyTorch's order of the sum that makes the offset moves a scale over a border now and then, by one step.
                differing += int((a[tensor] != b[tensor]).sum())
            else:
                check(False, f"{label}: {tensor} differs")
        check(differing <= 2, f"{label}: bytes of bitsandbytes ({same} tensors, {differing} scales one step apart)")

        for who, directory in (("transformers", theirs), ("galen", ours)):
            tokens, mine = score(directory, text, "--compute", "fp32")
            expected = reference(source, decoded(parts_of(directory)), tokens)
            error = np.abs(mine - expected).max()
            if error >= FP32_LIMIT:
                # Seen once, on a busy machine, and not again: which side gives other numbers for the same file?
                again = score(directory, text, "--compute", "fp32")[1]
                check(np.array_equal(again, mine), f"{label}: galen repeats itself")
                repeated = reference(source, decoded(parts_of(directory)), tokens)
                print(f"      the reference moved by {np.abs(repeated - expected).max():.1e} when it was computed again")
                expected = repeated
                error = np.abs(mine - expected).max()
            check(error < FP32_LIMIT, f"{label}: written by {who}, read by galen: {error:.1e} of log-probabilities")
            tokens, half = score(directory, text)
            check(np.abs(half - expected).mean() < 3e-2, f"{label}: written by {who}, bf16: {np.abs(half - expected).mean():.1e}")
        # (bitsandbytes 0.50.2 cannot multiply by matrices whose blocks cross rows on processors with AVX-512: LLaMA's here.)
        if name == "gemma3" and dtype == ("bfloat16" if kind == "int8" else "float32"):
            one, two = (logprobs_of(AutoModelForCausalLM.from_pretrained(directory, dtype=getattr(torch, dtype)), tokens)[1]
                        for directory in (theirs, ours))
            # Offsets of nested scales differ in their last digit.
            limit = 1e-5 if kind == "nf4" else 0.0
            check((one - two).abs().max() <= limit * one.abs().max(),
                  f"{label}: transformers gives the same logits from galen's directory ({(one - two).abs().max():.1e})")
        errors = [row["relative_rms_error"] for row in report["tensors"] if row["from"] != row["to"]]
        limit = 0.012 if kind == "int8" else 0.11
        check(0 < max(errors) < limit, f"{label}: errors reported: {max(errors):.4f} at most")


def check_gguf(name, types, work):
    source, text = work / f"{name}-float32", work / f"{name}.txt"
    tokens, expected = score(source, text, "--compute", "fp32")
    parts = decoded(parts_of(source))
    for kind in types:
        path = work / f"{name}-{kind}.gguf"
        report = json.loads(galen("quantize", source, path, "--type", kind, "--json").stdout)
        reader = gguf.GGUFReader(path)
        types = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
        check(len(types) == len(report["tensors"]) and path.stat().st_size == report["bytes"], f"{path.name}: reads back")
        head = reader.tensors[[t.name for t in reader.tensors].index("token_embd.weight")]
        values = gguf.dequantize(head.data, head.tensor_type).reshape(parts["model.embed_tokens.weight"].shape)
        error = np.sqrt(((values - parts["model.embed_tokens.weight"].numpy()) ** 2).sum() /
                        (parts["model.embed_tokens.weight"].numpy() ** 2).sum())
        said = next(row for row in report["tensors"] if row["name"] == "token_embd.weight").get("relative_rms_error", 0)
        check(abs(error - said) <= 1e-4 * error + 1e-7, f"{path.name}: error of the embedding {error:.5f}, as reported")
        again, mine = score(path, text, "--compute", "fp32")
        check(again == tokens, f"{path.name}: the same tokens")
        drift = np.abs(mine - expected)
        if kind == "f32":
            check(drift.max() < FP32_LIMIT, f"{path.name}: {drift.max():.1e} of log-probabilities")
        check(np.isfinite(mine).all() and drift.mean() < 1.0, f"{path.name}: mean difference {drift.mean():.2e}")
    # The same bytes from a GGUF source.
    again = work / f"{name}-again.gguf"
    galen("quantize", work / f"{name}-f32.gguf", again, "--type", "q4_k_m")
    a, b = gguf.GGUFReader(again), gguf.GGUFReader(work / f"{name}-q4_k_m.gguf")
    check(all(x.name == y.name and np.array_equal(x.data, y.data) for x, y in zip(a.tensors, b.tensors, strict=True)),
          f"{name}: GGUF from GGUF has the bytes of GGUF from Hugging Face")


def check_faults(work):
    source = work / "llama-float32"
    for kind, suffix in (("nf4", ""), ("q8_0", ".gguf")):
        target = work / ("fault" + suffix)

        def little_room():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        done = galen("quantize", source, target, "--type", kind, ok=False, preexec_fn=little_room)
        left = sorted(path.name for path in work.iterdir() if path.name.startswith("fault"))
        check(done.returncode == 1 and "make room" in done.stderr and not left, f"{kind}: no room: {done.stderr.strip()} {left}")
        process = subprocess.Popen([GALEN, "quantize", source, target, "--type", kind], stderr=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL)
        time.sleep(0.004)
        process.kill()
        process.wait()
        # Whole or not there.
        if target.exists():
            check(galen("score", target, "--file", work / "llama.txt", "--json", ok=False).returncode == 0, f"{kind}: killed late: whole")
        else:
            check(True, f"{kind}: killed: nothing under the name")
        for path in work.glob("fault*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for args, word in ((("--type", "nf4", "--head", "q8_0"), "q8_0"), (("--type", "q4_9"), "q4_9")):
        done = galen("quantize", source, work / "fault", *args, ok=False)
        check(done.returncode != 0 and word in done.stderr, f"refused: {done.stderr.strip()[:120]}")
    done = galen("quantize", work / "llama-f32.gguf", work / "fault", "--type", "nf4", ok=False)
    check(done.returncode == 1 and "Hugging Face directory" in done.stderr, "refused: nf4 from GGUF")
    done = galen("quantize", source, work / "llama-f32.gguf", "--type", "q8_0", ok=False)
    check(done.returncode == 1 and "exists already" in done.stderr, "refused: an existing destination")
    done = galen("quantize", work / "llama-float32-nf4-ours", work / "fault", "--type", "nf4", ok=False)
    check(done.returncode == 1 and "quantised already" in done.stderr, "refused: quantised twice")


def check_llama_cpp(work):
    """llama.cpp loads the files, vocabulary included, and computes with them; its quantiser chooses the same types."""
    cache = Path(os.environ.get("GALEN_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "galen")
    found = sorted(cache.glob("peers/llama-cpp-*/build/bin/llama-quantize"))
    if not found:
        print("llama.cpp is not built (bench/peers/build_llama.sh): its part is left out")
        return
    tools = found[0].parent
    for name in ("gemma3", "llama"):
        for kind in GGUF_TYPES:
            done = subprocess.run([tools / "llama-bench", "-m", work / f"{name}-{kind}.gguf", "-p", "8", "-n", "4", "-r", "1", "-t", "2",
                                   "-ngl", "0"], capture_output=True, text=True)
            check(done.returncode == 0, f"llama.cpp runs {name}-{kind}.gguf {done.stderr[-300:] if done.returncode else ''}")
        for kind in ("Q4_K_M", "Q5_K_M", "Q6_K", "Q4_0", "Q8_0"):
            theirs = work / f"{name}-{kind}-theirs.gguf"
            subprocess.run([tools / "llama-quantize", work / f"{name}-f32.gguf", theirs, kind], capture_output=True, check=True)
            a, b = ({t.name: t.tensor_type.name for t in gguf.GGUFReader(path).tensors}
                    for path in (theirs, work / f"{name}-{kind.lower()}.gguf"))
            check(a == b, f"{name} {kind}: llama-quantize's types {[(n, a[n], b.get(n)) for n in a if a[n] != b.get(n)][:3]}")


def main():
    everything = "--all" in sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name in ("gemma3", "llama"):
            for dtype in ("float32", "bfloat16") if name == "gemma3" or everything else ("float32",):
                check_bnb(name, dtype, work)
            check_gguf(name, GGUF_TYPES if name == "gemma3" or everything else ("q4_k_m", "q8_0", "f32"), work)
        check_faults(work)
        if everything:
            check_llama_cpp(work)
    if failures:
        raise SystemExit(f"{len(failures)} checks failed")


if __name__ == "__main__":
    main()
