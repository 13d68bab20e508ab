#!/usr/bin/env python3
"""What transformers computes in fp32 on a dequantised GGUF file, which run.py compares with; committed in golden/.

    golden.py --model NAME --models DIR --out FILE

Needs the environment of tools/make_oracle.sh and the files that tools/fetch_models.py leaves in DIR. For each text: token ids
and the log-probability of each next token. For each prompt: 256 greedy tokens and the margin between the two largest logits
at each. A few minutes on two cores.
"""

import argparse
import hashlib
import importlib.metadata
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tokenizers")]
import oracles  # noqa: E402
import texts  # noqa: E402
from make_tiny import load_gguf  # noqa: E402

GENERATED = 256
CHUNK = 256  # rows of logits at once


@dataclass
class Real:
    name: str
    file: str
    make: object
    tokenizer: object  # directory of models -> tokenizer
    bos: tuple
    longest: int  # tokens of the long text
    permuted: bool = False
    offset: float = 0.0


def gemma_270m():
    rope = {"full_attention": {"rope_type": "default", "rope_theta": 1000000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}
    config = transformers.Gemma3TextConfig(
        vocab_size=262144, hidden_size=640, intermediate_size=2048, num_hidden_layers=18, num_attention_heads=4,
        num_key_value_heads=1, head_dim=256, sliding_window=512, max_position_embeddings=32768, rope_parameters=rope)
    return transformers.Gemma3ForCausalLM(config)


def smollm2_135m():
    config = transformers.LlamaConfig(
        vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
        num_key_value_heads=3, max_position_embeddings=8192, rms_norm_eps=1e-5, tie_word_embeddings=True,
        rope_parameters=dict(rope_type="default", rope_theta=100000.0))
    return transformers.LlamaForCausalLM(config)


REAL = (
    Real("gemma3-270m", "gemma-3-270m-q4_k_m.gguf", gemma_270m,
         lambda d: oracles.gemma_gguf(d / "gemma-3-270m-q4_k_m.gguf", d / "tokenizers/gemma3/tokenizer.json").plain,
         (2,), 9216, offset=1.0),
    Real("smollm2-135m", "SmolLM2-135M-Instruct.Q4_1.gguf", smollm2_135m,
         lambda d: oracles.smollm2_gguf(d / "SmolLM2-135M-Instruct.Q4_1.gguf").plain, (), 8192, permuted=True),
)


def encode(tokenizer, bos, text):
    return list(bos) + tokenizer.encode(text, add_special_tokens=False).ids


def long_text(tokenizer, bos, longest):
    """As many notes as leave room for the closing sentence, then ends of lines up to the exact length."""
    notes = 1
    while len(encode(tokenizer, bos, texts.ward_book(notes + 1) + texts.QUESTION)) <= longest:
        notes += 1
    text = texts.ward_book(notes) + texts.QUESTION
    filler = " The code is 7-Quince-4096, as was said at the beginning of this book. Nothing else happened tonight." * 10
    words = filler.split(" ")[1:]
    while words and len(encode(tokenizer, bos, text)) < longest:
        text += " " + words.pop(0)
    while len(encode(tokenizer, bos, text)) > longest:
        text = text[:-1]
    return text


@torch.inference_mode()
def logprobs(model, ids):
    hidden = model.model(input_ids=torch.tensor([ids]), use_cache=False).last_hidden_state[0]
    values = []
    for start in range(0, len(ids) - 1, CHUNK):
        rows = hidden[start:min(start + CHUNK, len(ids) - 1)]
        logits = model.lm_head(rows).double()
        next_ids = torch.tensor(ids[start + 1:start + 1 + len(rows)])
        values.append(logits.gather(1, next_ids[:, None])[:, 0] - logits.logsumexp(1))
    return torch.cat(values).float()


@torch.inference_mode()
def greedy(model, prompts):
    """All prompts at once: they have the same length, so nothing is padded."""
    ids = torch.tensor(prompts)
    cache, tokens, margins = None, [], []
    step = ids
    for _ in range(GENERATED):
        out = model(input_ids=step, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache = out.past_key_values
        top = out.logits[:, -1].topk(2)
        tokens.append(top.indices[:, 0].to(torch.int32))
        margins.append(top.values[:, 0] - top.values[:, 1])
        step = top.indices[:, :1]
    return torch.stack(tokens, 1), torch.stack(margins, 1)


def prompts_of_one_length(tokenizer, bos, length=7):
    """The prompts cut to `length` tokens, as text, where that text has the same tokens again."""
    found = []
    for prompt in texts.PROMPTS:
        ids = encode(tokenizer, bos, prompt)[:length]
        text = tokenizer.decode(ids[len(bos):])
        if len(ids) == length and encode(tokenizer, bos, text) == ids:
            found.append((text, ids))
    assert len(found) >= 20, len(found)
    return found


def load(real, directory):
    model = real.make().eval()
    load_gguf(real, model, directory / real.file)
    return model


def sources(real, tokenizer):
    return {"long": long_text(tokenizer, real.bos, real.longest), "mixed": texts.MIXED, "short": texts.SHORT}


def make(real, directory, out):
    tokenizer = real.tokenizer(directory)
    model = load(real, directory)
    result, metadata = {}, {}
    for name, text in sources(real, tokenizer).items():
        ids = encode(tokenizer, real.bos, text)
        values = logprobs(model, ids)
        metadata[f"text.{name}"] = text
        result[f"{name}.ids"] = torch.tensor(ids, dtype=torch.int32)
        result[f"{name}.logprobs"] = values
        print(f"{real.name} {name}: {len(ids)} tokens, perplexity {(-values.mean()).exp():.3f}", flush=True)
    prompts = prompts_of_one_length(tokenizer, real.bos)
    tokens, margins = greedy(model, [ids for _, ids in prompts])
    result["greedy.prompts"] = torch.tensor([ids for _, ids in prompts], dtype=torch.int32)
    result["greedy.tokens"], result["greedy.margins"] = tokens, margins
    metadata |= {f"prompt.{i}": text for i, (text, _) in enumerate(prompts)}
    with (directory / real.file).open("rb") as file:
        metadata["model.sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    metadata["packages"] = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "transformers", "gguf"))
    part = out.with_suffix(f".{os.getpid()}.part")
    save_file({k: v.contiguous() for k, v in result.items()}, part, metadata)
    part.replace(out)
    print(f"{out}: {len(prompts)} prompts, e.g. {tokenizer.decode(tokens[0].tolist())[:80]!r}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=[real.name for real in REAL], required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(0)
    make(next(real for real in REAL if real.name == args.model), args.models, args.out)


if __name__ == "__main__":
    main()
