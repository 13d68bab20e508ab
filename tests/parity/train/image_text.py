"""Training of SigLIP models against PyTorch in fp32, from the same start: classification heads with masked labels and weights of
positives (tower frozen, last layer, whole), and pairs of images and texts by the sigmoid loss (whole, and with a frozen tower)."""

import json
import random
import shutil

import numpy as np
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from common import ROOT, STEPS, check, compare_steps, decayed, galen, relative, train_steps

TINY = ROOT / "tests/parity/dual_encoders/tiny"
CLASSES = ["effusion", "edema", "nodule"]
WEIGHTS = [2.5, 0.5, 4.0]
IMAGES = 6
TEXTS = ("a chest X-ray with pleural effusion", "normal lungs", "Skin: erythema, edema!", "a pulse of ten", "lamp", "normal lungs")


def write_data(folder):
    rng, pick = np.random.default_rng(5), random.Random(2)
    heads, own, pairs = [], [], []
    names = json.loads((TINY / "siglip-classifier/config.json").read_text())["id2label"].values()
    for i in range(IMAGES):
        size = ((30, 41), (21, 21), (19, 64))[i % 3]
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / f"{i}.png")
        label = lambda: pick.choice([0, 1, 1, None])
        heads.append({"image": f"{i}.png", "labels": {c: label() for c in CLASSES} | {CLASSES[0]: i % 2}})
        own.append({"image": f"{i}.png", "labels": sorted(pick.sample(sorted(names), k=i % 3))})
        pairs.append({"image": f"{i}.png", "text": TEXTS[i]})
    for name, lines in (("heads", heads), ("own", own), ("pairs", pairs)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def options_of(folder, name, base, data, **more):
    return dict(model=str(base), output_dir=str(folder / name), train_file=str(folder / f"{data}.jsonl"), max_steps=STEPS,
                per_device_train_batch_size=4, gradient_accumulation_steps=2, learning_rate=1e-3, warmup_steps=2, weight_decay=0.1,
                max_grad_norm=0.5, compute="fp32", save_steps=1, save_total_limit=STEPS, report_to_tensorboard=False) | more


def pixels(base, shown, square):
    def framed(path):
        image = Image.open(path).convert("RGB")
        if not square:
            return image
        side = max(image.size)
        canvas = Image.new("RGB", (side, side))
        canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
        return canvas
    processor = SiglipImageProcessorPil.from_pretrained(base)
    return processor([framed(example["image"]) for example in shown], return_tensors="pt")["pixel_values"]


def slots(name, tensor):
    """galen's names of a parameter, which has the projections of the pooling head as three."""
    if "in_proj" not in name:
        return {name: tensor}
    return {f"{name}.{i}": part for i, part in enumerate(tensor.chunk(3))}


def idle(name):
    """A bias of keys adds the same to all scores of a query: its gradient is 0 but for rounding."""
    return name.endswith("k_proj.bias") or name.endswith("in_proj_bias.1")


def compare(folder, name, log, named, parts, options):
    """named: what torch trains, by Hugging Face's names, with galen's values of step 0."""
    start = {n: p.detach().clone() for n, p in named.items()}
    losses, norms, first = train_steps(parts, decayed(named.values(), options["weight_decay"]), options)
    compare_steps(name, log, losses, norms)
    state = load_file(folder / name / "checkpoint-2/state.safetensors")
    off = {}
    for n, p in named.items():
        for slot, gradient in slots(n, first[id(p)]).items():
            if not idle(slot):
                off[slot] = relative(state["exp_avg." + slot].flatten() / 0.19, gradient.flatten())
    worst = max(off, key=off.get)
    check(off[worst] < 3e-5, f"{name}: gradients of every parameter, off by {off[worst]:.1e} ({worst})")
    trained = sorted(k.removeprefix("param.") for k in state if k.startswith("param."))
    wanted = sorted(slot for n, p in named.items() for slot in slots(n, p))
    check(trained == wanted, f"{name}: the same parameters", sorted(set(trained) ^ set(wanted))[:4])
    result = load_file(folder / name / "model/model.safetensors")
    off = {}
    for n, p in named.items():
        got, end, begin = (slots(n, t.detach().double()) for t in (result[n].view_as(p), p, start[n]))
        for slot in got:
            if not idle(slot):
                off[slot] = ((got[slot] - end[slot]).norm() / (end[slot] - begin[slot]).norm()).item()
    worst = max(off, key=off.get)
    check(off[worst] < 3e-3, f"{name}: weights after ten steps, off by {off[worst]:.1e} of what they moved ({worst})")
    return result


def opens(kind, folder, name, model, inputs, logits):
    """The result in transformers, against the model that torch trained."""
    opened, info = kind.from_pretrained(folder / name / "model", dtype=torch.float32, attn_implementation="eager",
                                        output_loading_info=True)
    with torch.no_grad():
        off = relative(logits(opened.eval()(**inputs)), logits(model.eval()(**inputs)))
    check(not info["missing_keys"] and not info["unexpected_keys"] and off < 1e-4,
          f"{name}: the result opens in transformers, logits off by {off:.1e}", info)
    return opened


def head(folder, name, base, data, square=False, weights=None, trained=lambda n: True, **more):
    preprocessing = "pad_to_square" if square else "plain"
    options = options_of(folder, name, base, data, task="classification", preprocessing=preprocessing, **more)
    if weights:
        options |= dict(labels=CLASSES, pos_weight=weights)
    shown = galen(folder, name, options, "--show", "1000")
    log = [e for e in galen(folder, name, options) if "grad_norm" in e]
    classes = list(shown[0]["labels"])
    if weights:
        classes = CLASSES
    else:
        config = json.loads((base / "config.json").read_text())
        classes = [config["id2label"][str(i)] for i in range(len(config["id2label"]))]
    config = transformers.SiglipConfig.from_pretrained(base, id2label=dict(enumerate(classes)),
                                                       label2id={c: i for i, c in enumerate(classes)})
    model = transformers.SiglipForImageClassification.from_pretrained(base, config=config, dtype=torch.float32,
                                                                      attn_implementation="eager", ignore_mismatched_sizes=True)
    begin = load_file(folder / name / "checkpoint-1/state.safetensors")  # the rate of the first step is 0
    for n, p in model.named_parameters():
        if n.startswith("classifier."):
            p.data.copy_(begin["param." + n])
    named = {n: p for n, p in model.named_parameters() if ".head." not in n and trained(n)}
    model.requires_grad_(False)
    for p in named.values():
        p.requires_grad_(True)
    values = pixels(base, shown, square)
    targets = torch.tensor([[float("nan") if e["labels"][c] is None else float(e["labels"][c]) for c in classes] for e in shown])
    known = ~targets.isnan()
    criterion = torch.nn.BCEWithLogitsLoss(reduction="none", pos_weight=torch.tensor(weights) if weights else None)

    def parts():
        model.train()
        loss = criterion(model(pixel_values=values).logits, targets.nan_to_num())
        yield loss[known].sum() / known.sum()
    compare(folder, name, log, named, parts, options)
    opened = opens(transformers.SiglipForImageClassification, folder, name, model, dict(pixel_values=values), lambda o: o.logits)
    own = json.loads((folder / name / "model/config.json").read_text())
    check([opened.config.id2label[i] for i in range(len(classes))] == classes
          and opened.config.problem_type == "multi_label_classification" and own["galen"]["preprocessing"] == preprocessing,
          f"{name}: names of classes, kind of scores and preprocessing", own)


def pairs(folder, name, base, **more):
    # All pairs in one pass, each against all others.
    options = options_of(folder, name, base, "pairs", task="contrastive", per_device_train_batch_size=IMAGES,
                         gradient_accumulation_steps=1, **more)
    shown = galen(folder, name, options, "--show", "1000")
    log = [e for e in galen(folder, name, options) if "grad_norm" in e]
    model = transformers.SiglipModel.from_pretrained(base, dtype=torch.float32, attn_implementation="eager")
    tokenizer = transformers.SiglipTokenizer.from_pretrained(base)
    ids = tokenizer([e["text"] for e in shown], padding="max_length", truncation=True, return_tensors="pt")["input_ids"]
    check([e["tokens"] for e in shown] == ids.tolist() and [e["text"] for e in shown] == list(TEXTS),
          f"{name}: texts as SiglipTokenizer has them", shown)
    inputs = dict(pixel_values=pixels(base, shown, False), input_ids=ids)
    frozen = options.get("freeze_vision_tower", True)
    named = {n: p for n, p in model.named_parameters() if not (frozen and n.startswith("vision_model."))}
    model.requires_grad_(False)
    for p in named.values():
        p.requires_grad_(True)

    def parts():
        model.train()
        yield model(**inputs, return_loss=True).loss
    result = compare(folder, name, log, named, parts, options)
    moved = (result["logit_scale"] != load_file(base / "model.safetensors")["logit_scale"]).item()
    check(moved, f"{name}: the scale is learned")
    opens(transformers.SiglipModel, folder, name, model, inputs, lambda o: o.logits_per_image)


def run(folder):
    folder.mkdir()
    write_data(folder)
    bases = {}
    for name in ("siglip", "siglip-classifier", "siglip-vision"):
        bases[name] = folder / f"base-{name}"
        shutil.copytree(TINY / name, bases[name])
    head(folder, "head-frozen", bases["siglip"], "heads", weights=WEIGHTS, trained=lambda n: n.startswith("classifier."))
    head(folder, "head-last", bases["siglip"], "heads", square=True, weights=WEIGHTS, freeze_vision_tower=False, train_last_layers=1,
         trained=lambda n: n.startswith(("classifier.", "vision_model.encoder.layers.1.", "vision_model.post_layernorm.")))
    # One pass of all images, and layers computed again.
    head(folder, "head-whole", bases["siglip-classifier"], "own", square=True, freeze_vision_tower=False,
         per_device_train_batch_size=IMAGES, gradient_accumulation_steps=1, gradient_checkpointing=True)
    pairs(folder, "pairs-whole", bases["siglip"], freeze_vision_tower=False)
    pairs(folder, "pairs-frozen", bases["siglip"])
