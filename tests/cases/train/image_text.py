"""`galen train` on a tiny SigLIP, from outside: a head that learns to tell made images apart and that `galen classify` reads, pairs of
images and texts, the same bits after kills, and what is refused."""

import json
import random
import shutil
import subprocess

from common import GALEN, ROOT, Bench, check, nan_base, same_bits
from images import write_png

TINY = ROOT / "tests/parity/dual_encoders/tiny"
SIDE = 21
CLASSES = ["stripes", "left"]
TEXTS = {(0, 0): "normal lungs", (1, 0): "pleural effusion", (0, 1): "erythema", (1, 1): "edema of the skin"}


def picture(path, stripes, left, rng):
    """stripes: bright and dark rows, else columns; left: the left half is brighter. In noise, and of random brightness."""
    base = rng.randint(80, 120)
    pixels = bytearray()
    for y in range(SIDE):
        for x in range(SIDE):
            wave = 40 if (y if stripes else x) % 7 < 3 else -40
            value = base + wave + (60 if (x < SIDE // 2) == bool(left) else 0) + rng.randint(-20, 20)
            pixels += bytes([max(0, min(255, value))] * 3)
    write_png(path, SIDE, SIDE, bytes(pixels))


class ImageTextBench(Bench):
    defaults = dict(per_device_train_batch_size=8, max_steps=12, learning_rate=0.003, save_steps=1, threads=2,
                    report_to_tensorboard=False, task="classification")

    def __init__(self, folder, base="siglip", train=48, held=32):
        self.begin(folder, TINY / base)
        rng = random.Random(9)
        self.truth = {}
        for name, n in (("train", train), ("eval", held)):
            heads, pairs = [], []
            for i in range(n):
                stripes, left = i % 2, i // 2 % 2
                path = f"{name}{i}.png"
                picture(self.folder / path, stripes, left, rng)
                self.truth[path] = [c for c, there in zip(CLASSES, (stripes, left)) if there]
                labels = {"stripes": stripes, "left": left}
                if i % 5 == 4:  # one of the two is not known
                    labels["left"] = None
                heads.append({"image": path, "labels": labels if i % 3 else self.truth[path]})
                pairs.append({"image": path, "text": TEXTS[stripes, left]})
            self.write(f"{name}.jsonl", heads)
            self.write(f"{name}-pairs.jsonl", pairs)

    def path(self, name):
        return str(self.folder / name)

    def classify(self, out, *args):
        held = [self.path(name) for name in sorted(self.truth) if name.startswith("eval")]
        return subprocess.run([GALEN, "classify", self.path(f"{out}/model"), "--image", *held, "--json", *args], capture_output=True,
                              text=True)


def events_of(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def head(b):
    """A head on a frozen tower, and its life in galen classify."""
    options = dict(eval_file=b.path("eval.jsonl"), max_steps=300, eval_steps=300, learning_rate=0.02, lr_scheduler_type="constant",
                   labels=CLASSES, pos_weight="balanced", preprocessing="center_crop", save_steps=1000, seed=4)
    before = b.train("chance", "--json", **(options | dict(max_steps=1, learning_rate=1e-9)))
    run = b.train("head", "--json", **options)
    events = events_of(run)
    data = next(e for e in events if e.get("data") == "train")
    first = next((e for e in events_of(before) if "eval_auroc" in e), None)
    last = [e for e in events if "eval_auroc" in e]
    check(run.returncode == 0 and data["used"] == 48 and data["classes"]["stripes"] == {"positive": 24, "negative": 24},
          "a head: each class is counted", run.stderr + str(data))
    check(first is not None and all(0.3 < a < 0.7 for a in first["eval_auroc"].values()) and last and min(last[-1]["eval_auroc"].values()) > 0.95,
          f"a head learns two distinctions: AUROC {first and first['eval_auroc']} becomes {last and last[-1]['eval_auroc']}",
          before.stderr + run.stderr)
    config = json.loads((b.folder / "head/model/config.json").read_text())
    own = config["galen"]
    check(list(config["id2label"].values()) == CLASSES and own["preprocessing"] == "center_crop"
          and set(own["thresholds"]) == set(CLASSES) and not any(t == 0.5 for t in own["thresholds"].values()),
          "config.json has classes, preprocessing and thresholds", config)
    classified = b.classify("head")
    check(classified.returncode == 0, "galen classify reads the head", classified.stderr)
    if classified.returncode == 0:
        rows = json.loads(classified.stdout)["images"]
        wrong = sum(set(row["positive"]) != set(b.truth[row["source"].rsplit("/", 1)[1]]) for row in rows)
        check(wrong <= 3 and len(rows) == 32, f"galen classify: {wrong} of {len(rows)} held-out images wrong", classified.stdout)
    other = b.classify("head", "--preprocessing", "plain")
    check(other.returncode == 1 and "was trained with 'center_crop'" in other.stderr, "another preprocessing is refused", other.stderr)
    # From the head on: its classes, order and preprocessing are the base's.
    more = b.train("more", "--json", model=b.path("head/model"), max_steps=1, learning_rate=0.0)
    config = json.loads((b.folder / "more/model/config.json").read_text()) if more.returncode == 0 else {}
    check(more.returncode == 0 and list(config["id2label"].values()) == CLASSES and config["galen"]["preprocessing"] == "center_crop"
          and (b.folder / "more/model/model.safetensors").read_bytes() == (b.folder / "head/model/model.safetensors").read_bytes(),
          "a head is trained on", more.stderr)
    # An ended run writes its result again, thresholds and all.
    shutil.rmtree(b.folder / "head/model")
    again = b.train("head", "--resume", **options)
    check(again.returncode == 0 and json.loads((b.folder / "head/model/config.json").read_text())["galen"] == own,
          "--resume of an ended run writes the same thresholds", again.stderr)
    names = b.train("names", "--json", max_steps=1)
    config = json.loads((b.folder / "names/model/config.json").read_text())
    check(names.returncode == 0 and list(config["id2label"].values()) == sorted(CLASSES) and config["galen"]["thresholds"] == {},
          "classes of the data, sorted; no thresholds without eval_file", names.stderr)


def pairs(b):
    options = dict(task="contrastive", train_file=b.path("train-pairs.jsonl"), eval_file=b.path("eval-pairs.jsonl"), max_steps=150,
                   eval_steps=150, per_device_train_batch_size=4, learning_rate=0.003, freeze_vision_tower=False, save_steps=1000)
    before = b.train("pairs-before", "--json", **(options | dict(max_steps=1, learning_rate=1e-9)))
    run = b.train("pairs", "--json", **options)
    first, last = (next((e for e in events_of(r) if "eval_exact" in e), None) for r in (before, run))
    check(run.returncode == 0 and first and last and last["eval_loss"] < 0.6 * first["eval_loss"]
          and last["eval_exact"] > first["eval_exact"] + 0.2,
          f"pairs: {first} becomes {last}", before.stderr + run.stderr)
    words = list(TEXTS.values())
    held = [name for name in sorted(b.truth) if name.startswith("eval")]
    classified = b.classify("pairs", "--labels", ",".join(words), "--scores", "softmax")
    rows = json.loads(classified.stdout)["images"] if classified.returncode == 0 else []
    right = sum(row["best"] == TEXTS[tuple(int(c in b.truth[name]) for c in CLASSES)] for name, row in zip(held, rows))
    check(right > 24, f"galen classify by words: {right} of {len(held)} right", classified.stderr + classified.stdout[:500])


def bits(b):
    eval_file = dict(eval_file=b.path("eval.jsonl"), eval_steps=5)
    same_bits(b, "head-frozen", pos_weight="balanced", **eval_file)
    made = (b.folder / "head-frozen-killed/image_vectors.bin").read_bytes()
    check(made == (b.folder / "head-frozen-whole/image_vectors.bin").read_bytes(), "vectors of a frozen tower survive kills")
    configs = [(b.folder / f"head-frozen-{run}/model/config.json").read_text() for run in ("whole", "killed", "one")]
    check(len(set(configs)) == 1, "the same thresholds after kills", configs)
    same_bits(b, "head-last", freeze_vision_tower=False, train_last_layers=1, gradient_accumulation_steps=2, **eval_file)
    text = dict(task="contrastive", train_file=b.path("train-pairs.jsonl"), freeze_vision_tower=False)
    same_bits(b, "pairs-whole", **text)


def refused(b):
    text = dict(task="contrastive", train_file=b.path("train-pairs.jsonl"))
    llama = str(ROOT / "tests/parity/models/tiny/llama")
    clip, tower = str(TINY / "clip"), str(TINY / "siglip-vision")
    for what, options, message in (
        ("an option of another task", dict(packing=True), "packing is of task: language; leave it out with task: classification"),
        ("labels of pairs", text | dict(labels=["a"]), "labels is of task: classification"),
        ("adapters", dict(lora={"r": 2}), "lora: is of task: language"),
        ("a decoder", dict(model=llama), "trains SigLIP models"),
        ("a SigLIP as a decoder", dict(task="language"), "set task: classification"),
        ("CLIP", dict(model=clip), "knows SigLIP's towers"),
        ("pairs without a text tower", text | dict(model=tower), "needs both towers"),
        ("a class twice", dict(labels=["a", "a"]), "is there twice"),
        ("weights of another number of classes", dict(pos_weight=[1, 2, 3]), "pos_weight has 3 numbers, there are 2 classes"),
        ("a weight that is none", dict(pos_weight=[1, "x"]), "pos_weight: \"x\" is neither"),
        ("layers of a frozen tower", dict(train_last_layers=1), "needs freeze_vision_tower: false"),
        ("more layers than there are", dict(train_last_layers=3, freeze_vision_tower=False), "the image tower has 2 layers"),
        ("no room", dict(freeze_vision_tower=False, memory_limit_gb=0.001), "needs "),
        ("classes that lines do not have", dict(labels=["other"], on_bad_sample="error"), "is none of the 1 classes"),
        ("a task that is none", dict(task="detection"), "allowed: language, classification, contrastive"),
    ):
        result = b.train("refused", **options)
        check(result.returncode == 1 and message in result.stderr and not (b.folder / "refused/checkpoint-1").exists(),
              f"refused: {what}", result.stderr)

    good = {"image": "train0.png", "labels": ["left"]}
    (b.folder / "broken.png").write_bytes((b.folder / "train0.png").read_bytes()[:100])
    lines = [good, "{broken", {"image": "secret.png", "labels": []}, {"image": "broken.png", "labels": []}, {"image": "train1.png"},
             {"image": "train1.png", "labels": {"left": 2}}, {"image": "train1.png", "labels": {"left": None}},
             {"image": "train1.png", "labels": ["secret"]}, {"image": "https://example.org/a.png", "labels": []}, {"labels": []}]
    b.write("mixed.jsonl", lines)
    mixed = dict(train_file=b.path("mixed.jsonl"), labels=CLASSES, max_steps=1)
    skipped = b.train("mixed", "--json", **mixed)
    report = events_of(skipped)[0] if skipped.stdout else {}
    notes = "\n".join(report.get("notes", []))
    wanted = ("mixed.jsonl:2: is no valid JSON", "mixed.jsonl:3: its image", "mixed.jsonl:4: its image", "mixed.jsonl:5: has no \"labels\"",
              "mixed.jsonl:6: a label is neither", "mixed.jsonl:7: has no label that is known",
              "mixed.jsonl:8: has a label that is none of the 2 classes", "mixed.jsonl:9: its image is no path",
              "mixed.jsonl:10: has no \"image\"")
    check(skipped.returncode == 0 and (report["used"], report["bad"]) == (1, 9) and all(w in notes for w in wanted)
          and "secret" not in skipped.stdout, "lines that cannot be used are counted, named, left out, not quoted", notes + skipped.stderr)
    strict = b.train("strict", **(mixed | dict(on_bad_sample="error")))
    check(strict.returncode == 1 and "mixed.jsonl:2" in strict.stderr, "on_bad_sample: error", strict.stderr)
    other = b.train("head-frozen-whole", "--resume", pos_weight="none", eval_file=b.path("eval.jsonl"), eval_steps=5)
    check(other.returncode == 1 and "pos_weight" in other.stderr, "resumed with another option", other.stderr)


def plans(b):
    dry = b.train("dry", "--dry-run", "2", "--json", freeze_vision_tower=False)
    memory = next((e["memory"] for e in events_of(dry) if "memory" in e), {})
    check(dry.returncode == 0 and not (b.folder / "dry").exists() and memory.get("activations", 0) > 0, "--dry-run writes nothing",
          dry.stderr)
    text = dict(task="contrastive", train_file=b.path("train-pairs.jsonl"))
    for what, options in (("frozen", {}), ("pairs", text | dict(freeze_vision_tower=False)), ("pairs, frozen", text)):
        made = b.train("dry", "--dry-run", "2", **options)
        check(made.returncode == 0, f"--dry-run: {what}", made.stderr)
    fit = b.train("dry", "--dry-run", "1", "--json", "--fit", "16GB", freeze_vision_tower=False)
    check(fit.returncode == 0, "--fit", fit.stderr)
    shown = b.train("shown", "--show", "2", "--json")
    lines = events_of(shown)
    check(shown.returncode == 0 and len(lines) == 2 and set(lines[0]["labels"]) == set(CLASSES), "--show", shown.stderr)
    recipe = subprocess.run([GALEN, "train", str(ROOT / "configs/training/medsiglip-head.yaml"), "--dry-run", "1", "--set",
                             f"model={b.model}", "--set", "threads=1", "--set", "train_last_layers=1"], capture_output=True, text=True)
    check(recipe.returncode == 0, "the recipe of a head", recipe.stderr)
    recipe = subprocess.run([GALEN, "train", str(ROOT / "configs/training/medsiglip-pairs.yaml"), "--dry-run", "1", "--set",
                             f"model={b.model}", "--set", "threads=1"], capture_output=True, text=True)
    check(recipe.returncode == 0, "the recipe of pairs", recipe.stderr)


def run(folder):
    b = ImageTextBench(folder)
    head(b)
    pairs(b)
    bits(b)
    nan_base(b, "vision_model.encoder.layers.1.mlp.fc1.weight", freeze_vision_tower=False)
    refused(b)
    plans(b)
