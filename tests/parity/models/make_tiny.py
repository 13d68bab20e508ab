#!/usr/bin/env python3
"""Makes the tiny checkpoints of tests/parity/models/tiny and what PyTorch computes from them.

    make_tiny.py --llama-cpp DIR [--out DIR]

Needs torch 2.13.0 (CPU), transformers 5.23.0, safetensors 0.8.0, sentencepiece 0.2.3, gguf 0.19.0, and the converter of
llama.cpp, which the source archive of llama-cpp-python 0.3.36 carries (DIR = its folder vendor/llama.cpp).

Each folder holds a Hugging Face checkpoint with random weights in bf16, `expected.safetensors` (activations after each
layer, logits, loss and gradients in fp32, for two packed sequences), and, where the converter knows the family, GGUF files
with `expected_gguf.safetensors`: the logits of the same program on the values that each file decodes to. Seeds are fixed.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import sentencepiece
import torch
import transformers
from safetensors.torch import load_file, save_file

LENGTHS = (26, 14)  # longer than every window
PIECES = 96  # of the tokenizer

BASE = dict(hidden_size=32, intermediate_size=48, num_attention_heads=4, num_key_value_heads=2, head_dim=12,
            vocab_size=96, max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=0)


@dataclass
class Tiny:
    name: str
    make: object
    ggufs: tuple = ()
    gradients: bool = True
    rewrite: object = None  # changes config.json after saving, e.g. into an older spelling
    permuted: bool = False  # the converter re-orders q and k
    offset: float = 0.0     # the converter adds this to norms


def gemma3(**changes):
    rope = {"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}
    config = transformers.Gemma3TextConfig(**(BASE | dict(
        vocab_size=104, num_hidden_layers=7, sliding_window=6, query_pre_attn_scalar=12, rope_parameters=rope) | changes))
    return transformers.Gemma3ForCausalLM(config)


def gemma3_multimodal():
    text = BASE | dict(num_hidden_layers=3, sliding_window=5, query_pre_attn_scalar=20, sliding_window_pattern=2,
                       rope_parameters={"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
                                        "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}})
    vision = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28,
                  patch_size=14, vision_use_head=False)
    config = transformers.Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4,
                                       image_token_index=90, boi_token_index=91, eoi_token_index=92)
    return transformers.Gemma3ForConditionalGeneration(config)


def old_gemma3_spelling(config):
    """As transformers 4.5x wrote it: flat rope keys, the pattern instead of layer_types, defaults left out."""
    text = config["text_config"]
    for key in ("rope_parameters", "layer_types", "_sliding_window_pattern", "use_bidirectional_attention",
                "tie_word_embeddings", "hidden_activation", "rms_norm_eps", "attn_logit_softcapping",
                "final_logit_softcapping"):
        text.pop(key, None)
    text |= dict(rope_theta=1000000.0, rope_local_base_freq=10000.0, rope_scaling={"rope_type": "linear", "factor": 8.0},
                 sliding_window_pattern=2)


def llama(**changes):
    rope = dict(rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                original_max_position_embeddings=32)
    config = transformers.LlamaConfig(**(BASE | dict(num_hidden_layers=3, rope_parameters=rope, rms_norm_eps=1e-5) | changes))
    return transformers.LlamaForCausalLM(config)


def llama_bias():
    return llama(num_hidden_layers=2, attention_bias=True, mlp_bias=True, tie_word_embeddings=True,
                 rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0))


def mistral():
    config = transformers.MistralConfig(**(BASE | dict(num_hidden_layers=2, sliding_window=5, rms_norm_eps=1e-5)))
    return transformers.MistralForCausalLM(config)


def qwen2():
    config = transformers.Qwen2Config(**(BASE | dict(num_hidden_layers=3, tie_word_embeddings=True, max_window_layers=1,
                                                     use_sliding_window=True, sliding_window=7)))
    return transformers.Qwen2ForCausalLM(config)


def qwen2_full():
    config = transformers.Qwen2Config(**(BASE | dict(num_hidden_layers=2)))
    return transformers.Qwen2ForCausalLM(config)


MODELS = (
    Tiny("gemma3", gemma3, ("f32", "f16", "q8_0"), offset=1.0),
    Tiny("gemma3-multimodal", gemma3_multimodal, gradients=False, rewrite=old_gemma3_spelling),
    Tiny("llama", llama, ("f32", "f16", "q8_0"), permuted=True),
    Tiny("llama-bias", llama_bias, ("f32",), permuted=True),
    Tiny("mistral", mistral, gradients=False),
    Tiny("qwen2", qwen2),
    Tiny("qwen2-full", qwen2_full, ("f32", "q8_0"), gradients=False),
)


def randomise(model, seed):
    """Weights at which every part of the model matters, exact in bf16."""
    generator = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        if name.endswith("bias"):
            value = 0.3 * noise
        elif "norm" in name:
            value = 0.2 * noise + p.detach()  # around what the class starts from: 0 in Gemma, 1 elsewhere
        elif "embed_tokens" in name:
            value = 0.4 * noise
        else:
            value = noise * (p[0].numel() ** -0.5)
        p.data = value.to(torch.bfloat16).float()


def tokens(seed):
    rng = np.random.default_rng(seed)
    return [torch.tensor(rng.integers(3, 90, n)) for n in LENGTHS]


def decoder(model):
    inner = model.model
    return getattr(inner, "language_model", inner)


def run(model, sequences, want_gradients):
    """Activations of the packed sequences; loss = mean over all next tokens of both."""
    seen = {}

    def keep(name):
        def hook(_module, _inputs, output):
            value = output[0] if isinstance(output, tuple) else output
            seen.setdefault(name, []).append(value[0].detach())
        return hook

    text = decoder(model)
    handles = [text.embed_tokens.register_forward_hook(keep("embed_tokens")),
               text.norm.register_forward_hook(keep("norm"))]
    handles += [layer.register_forward_hook(keep(f"layers.{i}")) for i, layer in enumerate(text.layers)]
    total, count, logits = 0.0, 0, []
    for ids in sequences:
        out = model(input_ids=ids[None], use_cache=False).logits[0]
        logits.append(out.detach())
        total = total + torch.nn.functional.cross_entropy(out[:-1], ids[1:], reduction="sum")
        count += len(ids) - 1
    loss = total / count
    for handle in handles:
        handle.remove()
    result = {name: torch.cat(parts) for name, parts in seen.items()}
    result["logits"] = torch.cat(logits)
    result["loss"] = loss.detach().reshape(1)
    if want_gradients:
        model.zero_grad()
        loss.backward()
        for name, p in model.named_parameters():
            if p.grad is not None:
                result["grad." + re.sub(r"^model\.", "", name)] = p.grad
    # Copies: converting the model to another type later would change its gradients in place.
    return {name: value.detach().float().clone() for name, value in result.items()}


def train_tokenizer(folder):
    """A SentencePiece model of PIECES tokens, so that the converter has a vocabulary to write."""
    words = [a + b + c for a in "bdfglmnprst" for b in "aeiou" for c in "nrst"]
    text = Path(folder) / "text.txt"
    text.write_text("\n".join(" ".join(words[i:] + words[:i]) for i in range(0, 200, 2)), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(Path(folder) / "tokenizer"), vocab_size=PIECES, model_type="bpe", pad_id=0,
        bos_id=1, eos_id=2, unk_id=3, normalization_rule_name="identity", num_threads=1)
    return Path(folder) / "tokenizer.model"


GGUF_NAMES = [
    (r"token_embd\.weight", "embed_tokens.weight"), (r"output_norm\.weight", "norm.weight"),
    (r"blk\.(\d+)\.attn_norm\.weight", r"layers.\1.input_layernorm.weight"),
    (r"blk\.(\d+)\.attn_(q|k|v)\.(weight|bias)", r"layers.\1.self_attn.\2_proj.\3"),
    (r"blk\.(\d+)\.attn_output\.(weight|bias)", r"layers.\1.self_attn.o_proj.\2"),
    (r"blk\.(\d+)\.attn_(q|k)_norm\.weight", r"layers.\1.self_attn.\2_norm.weight"),
    (r"blk\.(\d+)\.ffn_(gate|up|down)\.(weight|bias)", r"layers.\1.mlp.\2_proj.\3"),
    (r"blk\.(\d+)\.post_attention_norm\.weight", r"layers.\1.post_attention_layernorm.weight"),
    (r"blk\.(\d+)\.post_ffw_norm\.weight", r"layers.\1.post_feedforward_layernorm.weight"),
]


def hf_name(name, gemma):
    if m := re.fullmatch(r"blk\.(\d+)\.ffn_norm\.weight", name):
        return f"layers.{m[1]}.{'pre_feedforward' if gemma else 'post_attention'}_layernorm.weight"
    for pattern, replacement in GGUF_NAMES:
        if re.fullmatch(pattern, name):
            return re.sub(pattern, replacement, name)
    return None


def load_gguf(tiny, model, path):
    """Puts the values that a GGUF file decodes to into the model."""
    config = model.config.get_text_config()
    heads = config.num_attention_heads, config.num_key_value_heads
    text = dict(decoder(model).named_parameters())
    for tensor in gguf.GGUFReader(path).tensors:
        value = torch.from_numpy(np.array(gguf.dequantize(tensor.data, tensor.tensor_type), dtype=np.float32))
        value = value.reshape([int(n) for n in reversed(tensor.shape)])
        if tensor.name == "rope_freqs.weight":
            continue
        if tensor.name == "output.weight":
            model.lm_head.weight.data = value
            continue
        name = hf_name(tensor.name, tiny.offset != 0)
        if tiny.permuted and (m := re.search(r"self_attn\.(q|k)_proj", name)):
            n = heads[0] if m[1] == "q" else heads[1]
            rest = value.shape[1:]
            value = value.reshape(n, value.shape[0] // n // 2, 2, *rest).swapaxes(1, 2).reshape(-1, *rest)
        if name.endswith("norm.weight"):
            value = value - tiny.offset
        target = text[name]
        if "embed_tokens" in name:  # the converter leaves rows without a token out
            value = torch.cat([value, target.data[len(value):]])
        assert value.shape == target.shape, (name, value.shape, target.shape)
        target.data = value.contiguous()


def make(tiny, seed, out, llama_cpp, tokenizer):
    folder = out / tiny.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = tiny.make().eval()
    randomise(model, seed)
    sequences = tokens(seed)
    expected = run(model, sequences, tiny.gradients)
    model.to(torch.bfloat16).save_pretrained(folder)
    model.to(torch.float32)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if tiny.rewrite is not None:
        config = json.loads((folder / "config.json").read_text())
        tiny.rewrite(config)
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    # The file must mean the same to transformers.
    again = type(model).from_pretrained(folder, dtype=torch.float32).eval()
    assert torch.equal(run(again, sequences, False)["logits"], expected["logits"]), tiny.name
    shutil.copy(tokenizer, folder / "tokenizer.model")
    ids = torch.cat(sequences).to(torch.int32)
    save_file(expected | {"tokens": ids, "lengths": torch.tensor(LENGTHS, dtype=torch.int32)},
              folder / "expected.safetensors")
    logits = {}
    for kind in tiny.ggufs:
        path = folder / f"{kind}.gguf"
        subprocess.run([sys.executable, llama_cpp / "convert_hf_to_gguf.py", folder, "--outtype", kind, "--outfile", path],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        load_gguf(tiny, again, path)
        logits[kind] = run(again, sequences, False)["logits"]
        kinds = sorted({t.tensor_type.name for t in gguf.GGUFReader(path).tensors})
        print(f"  {path.name}: {path.stat().st_size} bytes, {kinds}, logits differ from the checkpoint's by "
              f"{(logits[kind] - expected['logits']).abs().max():.3g}")
    if logits:
        save_file(logits, folder / "expected_gguf.safetensors")
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{tiny.name}: {size} bytes, loss {expected['loss'].item():.4f}, logits up to {expected['logits'].abs().max():.3g}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--llama-cpp", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "tiny")
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = train_tokenizer(scratch)
        for seed, tiny in enumerate(MODELS):
            make(tiny, seed + 1, args.out, args.llama_cpp, tokenizer)


if __name__ == "__main__":
    main()
