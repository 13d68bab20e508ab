#!/usr/bin/env python3
"""Makes the adapters of tests/parity/adapters/tiny: PEFT trains each for a few steps on a tiny checkpoint of
tests/parity/models/tiny, saves it, and computes what comes out, all in fp32 on the CPU.

    make_adapters.py [--out DIR] [CASE...]

Each folder holds adapter_config.json and adapter_model.safetensors as PEFT wrote them, and expected.safetensors: `tokens` and
`lengths` of packed sequences, `logits` of the adapted model, `base` of the model without adapter, and where the image tower is
adapted `image_features` of the first image of the checkpoint's own expected.safetensors. `two` has no adapter of its own: its
logits are those of gemma3-all and 0.7 times gemma3-dora together. The .gguf files hold the same adapters as llama.cpp's
convert_lora_to_gguf.py writes them. Needs build/.venv-oracle (tools/make_oracle.sh).
"""

import argparse
import json
import shutil
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

HERE = Path(__file__).resolve().parent
TINY = HERE.parent / "models" / "tiny"
LENGTHS = (13, 7)
STEPS = 3

CASES = {
    "gemma3-all": ("gemma3", dict(r=4, lora_alpha=8, target_modules="all-linear")),
    "gemma3-dora": ("gemma3", dict(r=3, lora_alpha=5, use_dora=True, use_rslora=True,
                                   target_modules=["q_proj", "v_proj", "down_proj"])),
    "gemma3-google": ("gemma3", dict(r=2, lora_alpha=2, target_modules="all-linear",
                                     modules_to_save=["lm_head", "embed_tokens"])),
    "gemma3-embed": ("gemma3", dict(r=3, lora_alpha=6, target_modules=["embed_tokens", "o_proj"])),
    "gemma3-norms": ("gemma3", dict(r=2, target_modules=["up_proj"], modules_to_save=["input_layernorm", "norm", "gate_proj"])),
    "gemma3-head": ("gemma3", dict(r=2, target_modules=["lm_head", "k_proj"])),
    "llama-pattern": ("llama", dict(r=4, lora_alpha=8, target_modules=r".*\.layers\.[02]\.(self_attn\.[qk]_proj|mlp\.down_proj)",
                                    rank_pattern={"q_proj": 2, r"layers\.2\.mlp\.down_proj": 5},
                                    alpha_pattern={"layers.0.self_attn.k_proj": 3})),
    "llama-layers": ("llama", dict(r=2, target_modules=["v_proj"], layers_to_transform=[1])),
    "llama-bias": ("llama-bias", dict(r=2, bias="all", target_modules=["q_proj", "up_proj"])),
    "qwen2-dora-bias": ("qwen2", dict(r=2, use_dora=True, bias="lora_only", target_modules=["q_proj", "k_proj", "o_proj"])),
    "qwen2-lorabias": ("qwen2", dict(r=2, lora_bias=True, target_modules=["v_proj", "gate_proj"])),
    "gemma3-vision": ("gemma3-vision", dict(r=2, lora_alpha=4, target_modules="all-linear")),
    "qwen2_5_vl": ("qwen2_5_vl", dict(r=2, lora_alpha=4, target_modules="all-linear")),
}


def base_model(name):
    folder = TINY / name
    kind = json.loads((folder / "config.json").read_text())["model_type"]
    cls = transformers.AutoModelForImageTextToText if kind in ("gemma3", "qwen2_5_vl") else transformers.AutoModelForCausalLM
    return cls.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")


def sequences(seed=5):
    rng = np.random.default_rng(seed)
    return [torch.tensor(rng.integers(20, 90, n)) for n in LENGTHS]


def logits(model):
    model.eval()
    with torch.no_grad():
        return torch.cat([model(input_ids=s[None]).logits[0] for s in sequences()]).contiguous()


def image_features(model, name):
    """Of the image tower and projector, for the first image of the checkpoint's fixture."""
    expected = load_file(TINY / name / "expected.safetensors")
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    with torch.no_grad():
        if name.startswith("gemma3"):
            out = inner.model.get_image_features(expected["pixel_values"][:1])
        else:
            grid = expected["grids"].reshape(-1, 3)[:1].long()
            rows = int(grid.prod())
            out = inner.model.get_image_features(expected["pixel_values"][:rows], grid)
    out = getattr(out, "pooler_output", out)
    out = torch.cat(list(out)) if isinstance(out, (list, tuple)) else out
    return out.reshape(-1, out.shape[-1]).contiguous()


def train(model, name):
    model.train()
    for p in model.parameters():  # what starts from zero begins elsewhere, so that every part matters
        if p.requires_grad and not p.any():
            p.data = 0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel()))
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.02)
    for _ in range(STEPS):
        extra = {"token_type_ids": torch.zeros_like} if name == "gemma3-vision" else {}
        loss = sum(model(input_ids=s[None], labels=s[None], **{k: f(s[None]) for k, f in extra.items()}).loss
                   for s in sequences(6))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    if name in ("gemma3-vision", "qwen2_5_vl"):  # no image was in the text: the tower's adapters move by hand
        generator = torch.Generator().manual_seed(9)
        for key, p in model.named_parameters():
            if p.requires_grad and "vi" in key.split("layers")[0].split("blocks")[0]:
                p.data += 0.1 * torch.randn(p.shape, generator=generator)


def save_expected(folder, values):
    sequence = sequences()
    values |= {"tokens": torch.cat(sequence).to(torch.int32), "lengths": torch.tensor(LENGTHS, dtype=torch.int32)}
    save_file(values, folder / "expected.safetensors")


def make(out, case):
    name, settings = CASES[case]
    torch.manual_seed(len(case))
    base = base_model(name)
    plain = logits(base)
    values = {"base": plain}
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **settings))
    train(model, case)
    folder = out / case
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = name
    for key in ("target_modules", "modules_to_save"):  # sets in PEFT: their order changes from run to run
        if isinstance(config.get(key), list):
            config[key] = sorted(config[key])
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    reloaded = PeftModel.from_pretrained(base_model(name), folder)
    values["logits"] = logits(reloaded)
    assert (values["logits"] - plain).abs().max() > 0.05, case
    if case in ("gemma3-vision", "qwen2_5_vl"):
        values["image_features"] = image_features(reloaded, name)
        values["base_image_features"] = image_features(base_model(name), name)
        assert (values["image_features"] - values["base_image_features"]).abs().max() > 0.01, case
    save_expected(folder, values)
    print(case, "changes logits by at most", float((values["logits"] - plain).abs().max()))


def make_two(out):
    model = PeftModel.from_pretrained(base_model("gemma3"), out / "gemma3-all", adapter_name="all")
    model.load_adapter(out / "gemma3-dora", adapter_name="dora")
    model.base_model.set_adapter(["all", "dora"])
    for module in model.modules():
        if hasattr(module, "set_scale") and "dora" in getattr(module, "scaling", {}):
            module.set_scale("dora", 0.7)
    (out / "two").mkdir(exist_ok=True)
    save_expected(out / "two", {"logits": logits(model)})


def old_names(out):
    """The same adapter as transformers before 4.52 named it."""
    folder = out / "gemma3-vision-old-names"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(out / "gemma3-vision", folder)
    tensors = load_file(folder / "adapter_model.safetensors")
    renamed = {}
    for key, value in tensors.items():
        key = key.replace("base_model.model.model.language_model.", "base_model.model.language_model.model.")
        renamed[key.replace("base_model.model.model.vision_tower.", "base_model.model.vision_tower.vision_model.")] = value
    assert renamed.keys() != tensors.keys()
    save_file(renamed, folder / "adapter_model.safetensors")


def permute(rows, heads):
    """llama.cpp's LlamaModel.permute, for the rows of lora_B."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def make_gguf(out, case, path, heads=None):
    """As convert_lora_to_gguf.py of llama.cpp: ne of lora_a is [in, r], of lora_b [r, out]."""
    name, settings = CASES[case]
    arch = {"gemma3": "gemma3", "llama": "llama"}[name]
    names = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj":
             "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
    writer = gguf.GGUFWriter(path, arch)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(settings["lora_alpha"]))
    for key, value in load_file(out / case / "adapter_model.safetensors").items():
        _, _, _, _, layer, group, module, half, _ = key.split(".")
        data = value.float().numpy()
        if heads and half == "lora_B" and module in ("q_proj", "k_proj"):
            data = permute(data, heads[module])
        writer.add_tensor(f"blk.{layer}.{names[group + '.' + module]}.weight.{half.lower()}", np.ascontiguousarray(data))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE / "tiny")
    parser.add_argument("cases", nargs="*", default=list(CASES))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for case in args.cases or CASES:
        make(args.out, case)
    make_two(args.out)
    old_names(args.out)
    make_gguf(args.out, "gemma3-all", args.out / "gemma3-all.gguf")
    make_gguf(args.out, "llama-qk", args.out / "llama.gguf", {"q_proj": 4, "k_proj": 2})


CASES["llama-qk"] = ("llama", dict(r=3, lora_alpha=6, target_modules=["q_proj", "k_proj", "up_proj"]))

if __name__ == "__main__":
    main()
