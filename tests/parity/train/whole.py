"""What is trained whole beside adapters, against PEFT in fp32: modules_to_save (embedding table and head, tied and not, linear
layers, norms, whole layers, the projector of images) and biases; PEFT and `galen score --adapter` open what galen wrote."""

import json
import re
import subprocess

import peft
import torch
from safetensors.torch import load_file

import vision
from common import GALEN, STEPS, check, compare_steps, galen, relative, train_torch

# Name: base, file of the base, options of lora:.
CASES = {
    "google": ("gemma3", None, dict(modules_to_save=["lm_head", "embed_tokens"])),
    "table": ("gemma3", None, dict(modules_to_save=["embed_tokens", "input_layernorm"])),
    "tied": ("gemma3", None, dict(modules_to_save=["lm_head"], ensure_weight_tying=True)),
    "layers": ("gemma3", "q8_0.gguf", dict(modules_to_save=["layers.1", "model.norm", "layers.2.mlp.gate_proj"])),
    "untied": ("llama", "q8_0.gguf", dict(modules_to_save=["embed_tokens", "lm_head", "q_proj"], use_rslora=True)),
    "bias-all": ("llama-bias", None, dict(bias="all", target_modules=["q_proj", "up_proj"])),
    "bias-lora": ("qwen2", None, dict(bias="lora_only", use_dora=True, target_modules=["q_proj", "o_proj"])),
}
GEMMA_NORMS = ("norm.weight", "layernorm.weight")  # kept as 1 + w


def saved_name(name):
    """PEFT's name of a parameter in its file, less the prefix."""
    for part, by in (("base_model.model.", ""), (".modules_to_save", ""), (".default", "")):
        name = name.replace(part, by)
    return name.removesuffix(".weight") if "magnitude" in name else name


def as_file(name, value, gemma):
    """A trained value of a checkpoint as files have it."""
    if name.endswith("mm_input_projection_weight"):
        return value.T
    own = name.startswith("model.vision_tower.")
    return value - 1 if gemma and not own and name.endswith(GEMMA_NORMS) else value


def joined(state):
    """With weights that files keep in one tensor, NAME.weight.0, .1 and so on, one behind another."""
    result, parts = {}, {}
    for key, value in state.items():
        found = re.fullmatch(r"(.*\.(?:weight|bias))\.(\d)", key)
        if found:
            parts.setdefault(found[1], {})[int(found[2])] = value
        else:
            result[key] = value
    return result | {key: torch.cat([part[i] for i in sorted(part)]) for key, part in parts.items()}


def compare(name, folder, options, model, logits_of, shown, log, gemma, idle=lambda name: False):
    """Ten steps; `model` is PEFT's. Returns it, trained."""
    trained = {saved_name(n): p for n, p in model.named_parameters() if p.requires_grad}
    out = folder / name
    start = {n.removeprefix("param."): t for n, t in joined(load_file(out / "checkpoint-1/state.safetensors")).items()
             if n.startswith("param.")}
    check(sorted(start) == sorted(trained), f"{name}: the same parameters", sorted(set(start) ^ set(trained))[:6])
    if sorted(start) != sorted(trained):
        return model
    whole = [n for n in trained if "lora_" not in n]
    # 1 + w has 2^-24 of 1.
    off = {n: (as_file(n, start[n], gemma).reshape(trained[n].shape) - trained[n]).abs().max().item() for n in whole}
    worst = max(off, key=off.get)
    check(off[worst] < 1e-6, f"{name}: {len(whole)} weights begin as the base's, off by {off[worst]:.1e} ({worst})", off)
    before = {}
    for n, p in trained.items():
        p.data.copy_(as_file(n, start[n], gemma).reshape(p.shape))
        before[n] = p.detach().clone()
    losses, norms, first = train_torch(logits_of(model), [{"params": list(trained.values()), "weight_decay": 0.0}], shown, options)
    compare_steps(name, log, losses, norms)
    # A table and a tied head gather gradients in one place.
    state = joined(load_file(out / "checkpoint-2/state.safetensors"))
    moved = {n: p for n, p in trained.items() if first[id(p)].norm() > 0 and not idle(n)}
    off = {n: relative(as_file(n, state["exp_avg." + n] / 0.19, False).flatten(), first[id(p)].flatten()) for n, p in moved.items()}
    worst = max(off, key=off.get)
    check(off[worst] < 5e-5, f"{name}: gradients of {len(off)} parameters, off by {off[worst]:.1e} ({worst})")
    result = load_file(out / "adapter/adapter_model.safetensors")
    off = {n: ((result["base_model.model." + n].double().reshape(p.shape) - p.double()).norm()
               / (p - before[n]).double().norm()).item() for n, p in moved.items()}
    worst = max(off, key=off.get)
    check(off[worst] < 5e-3, f"{name}: values after ten steps, off by {off[worst]:.1e} of what they moved ({worst})")
    shapes = {n: tuple(p.shape) for n, p in trained.items() if "magnitude" not in n}
    wrong = [n for n in shapes if tuple(result["base_model.model." + n].shape) != shapes[n]]
    check(not wrong, f"{name}: the file has PEFT's shapes", wrong)
    return model


def opens(name, folder, fresh, logits_of, model, example):
    """PEFT reads every tensor that galen wrote, and finds all that it wants."""
    adapter = folder / name / "adapter"
    opened = peft.PeftModel.from_pretrained(fresh, adapter).eval()
    again = set(peft.get_peft_model_state_dict(opened))
    wrote = set(load_file(adapter / "adapter_model.safetensors"))
    with torch.no_grad():
        worst = relative(logits_of(opened)(example), logits_of(model.eval())(example))
    check(worst < 1e-4 and again == wrote, f"{name}: the adapter opens in PEFT, logits off by {worst:.1e}", sorted(again ^ wrote))
    return opened


def scores(name, folder, base, opened):
    """galen's log-probabilities of a text with the adapter that it wrote."""
    text = folder / "score.txt"
    text.write_text("dose rate pulse test result normal")
    run = subprocess.run([GALEN, "score", str(base), "--file", str(text), "--adapter", str(folder / name / "adapter"), "--compute",
                          "fp32", "--json"], capture_output=True, text=True)
    if run.returncode != 0:
        return check(False, f"{name}: galen score --adapter", run.stderr)
    json_ = json.loads(run.stdout)
    tokens = torch.tensor(json_["tokens"])
    with torch.no_grad():
        want = torch.log_softmax(opened(input_ids=tokens[None]).logits[0, :-1].double(), -1).gather(1, tokens[1:, None])[:, 0]
    worst = (torch.tensor(json_["logprobs"]).double() - want).abs().max().item()
    check(worst < 1e-4, f"{name}: galen score --adapter, log-probabilities off by {worst:.1e}", json_["logprobs"])


def text(folder, name, base, family, gguf, lora, open_torch, logits_of):
    lora = dict(r=4, lora_alpha=6, target_modules="all-linear") | lora
    path = base / gguf if gguf else base
    options = dict(model=str(path), output_dir=str(folder / name), train_file=str(folder / "train.jsonl"),
                   chat_template=str(folder / "template.jinja"), max_seq_length=64, per_device_train_batch_size=16, max_steps=STEPS,
                   learning_rate=2e-3, warmup_steps=2, max_grad_norm=0.5, compute="fp32", save_steps=1, save_total_limit=STEPS,
                   report_to_tensorboard=False, lora=lora)
    shown = galen(folder, name, options, "--show", "1000")
    log = [e for e in galen(folder, name, options) if "grad_norm" in e]
    model = peft.get_peft_model(open_torch(base, gguf), peft.LoraConfig(task_type="CAUSAL_LM", **lora)).train()
    model = compare(name, folder, options, model, logits_of, shown, log, family == "gemma3")
    opened = opens(name, folder, open_torch(base, gguf), logits_of, model, shown[0])
    scores(name, folder, path, opened)


def images(folder, base, name, kind, modules, **more):
    lora = dict(r=4, lora_alpha=6, target_modules="all-linear", modules_to_save=modules, bias="all")
    options = vision.options_of(folder, name, base, learning_rate=2e-3, lora=lora, freeze_vision_tower=False) | more
    shown = galen(folder, name, options, "--show", "1000")
    log = [e for e in galen(folder, name, options) if "grad_norm" in e]
    reference = kind(base)
    model = peft.get_peft_model(reference.model, peft.LoraConfig(task_type="CAUSAL_LM", **lora)).train()
    # PEFT also lets the bias of what is replaced whole be trained, which nothing reads.
    for n, p in model.named_parameters():
        if ".original_module." in n:
            p.requires_grad = False
    model = compare(name, folder, options, model, reference.logits, shown, log, kind is vision.Reference,
                    lambda n: bool(kind.idle([n.replace(".base_layer", "")])))
    fresh = kind(base)
    adapter = folder / name / "adapter"
    opened = peft.PeftModel.from_pretrained(fresh.model, adapter).eval()
    with torch.no_grad():
        worst = relative(fresh.logits(opened)(shown[2]), reference.logits(model.eval())(shown[2]))
    check(worst < 1e-4, f"{name}: the adapter opens in PEFT, logits off by {worst:.1e}")


def run(folder, bases, open_torch, logits_of, vision_base):
    for case, (family, gguf, lora) in CASES.items():
        text(folder, f"whole-{case}", bases[family], family, gguf, lora, open_torch, logits_of)
    images(folder, vision_base, "whole-projector", vision.Reference, ["multi_modal_projector", "patch_embedding"])
