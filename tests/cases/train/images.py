"""`galen train` with images and from chance, from outside."""

import json
import random
import shutil
import struct
import zlib

from common import TINY, Bench, check, same_bits

TEMPLATE = ("{{ bos_token }}{% for m in messages %}{{ m.role }} {% if m.content is string %}{{ m.content }}{% else %}"
            "{% for p in m.content %}{% if p.type == 'image' %}<start_of_image>{% else %}{{ p.text }}{% endif %}{% endfor %}"
            "{% endif %}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %} {% endfor %}"
            "{% if add_generation_prompt %}assistant {% endif %}")
WORDS = [a + b + c for a in "bdfglm" for b in "aeiou" for c in "nrst"]


def png(path, width, height, seed):
    write_png(path, width, height, random.Random(seed).randbytes(3 * width * height))


def write_png(path, width, height, pixels):
    """RGB, row by row."""
    rows = b"".join(b"\0" + pixels[3 * width * y:3 * width * (y + 1)] for y in range(height))
    part = lambda kind, data: (struct.pack(">I", len(data)) + kind + data
                               + struct.pack(">I", zlib.crc32(kind + data)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
                     + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b""))


def line(rng, *images):
    say = lambda: " ".join(rng.choices(WORDS, k=rng.randint(1, 3)))
    return {"question": say(), "answer": say(), "images": list(images)}


class ImageBench(Bench):
    def __init__(self, folder):
        super().__init__(folder, "gemma3-vision")
        (self.model / "chat_template.jinja").write_text(TEMPLATE)
        (self.folder / "pages").mkdir()
        (self.folder / "strips").mkdir()
        rng = random.Random(4)
        pages, strips = [], []
        for i in range(6):
            png(self.folder / f"pages/{i}.png", 20 + 3 * i, 40 - 2 * i, i)
            png(self.folder / f"strips/{i}.png", 28 if i % 2 else 14, 14, i)
        for i in range(9):
            pages.append(line(rng, *[f"pages/{(i + k) % 6}.png" for k in range(i % 3)]))
            strips.append(line(rng, f"strips/{i % 6}.png"))
        self.write("train.jsonl", pages)
        self.write("eval.jsonl", pages[:3])
        self.write("strips.jsonl", strips)


def parts(b):
    """Strips of a page, from chance: the place changes from step to step, and a run in two parts has the same bits."""
    source = b.folder / "config"
    source.mkdir()
    for path in b.model.iterdir():
        if path.suffix in (".json", ".jinja", ".model"):
            shutil.copy(path, source)
    options = dict(model=str(source), init="random", train_file=str(b.folder / "strips.jsonl"), image_fit="part",
                   freeze_vision_tower=False, eval_file=str(b.folder / "strips.jsonl"), eval_steps=100)
    long = b.train("chance", "--json", **(options | dict(max_steps=400, save_steps=1000)))
    events = [json.loads(x) for x in long.stdout.splitlines()]
    exact = [e["eval_exact"] for e in events if "eval_exact" in e]
    check(long.returncode == 0 and exact[-1] == 1.0, "from chance: strips are read to the last token",
          long.stderr + str(exact))
    same_bits(b, "parts", **options)
    other = b.train("chance-other", **(options | dict(seed=43, max_steps=1)))
    one, two = ((b.folder / f"{run}/init/model.safetensors").read_bytes() for run in ("chance", "chance-other"))
    check(other.returncode == 0 and len(one) == len(two) and one != two, "another seed is another beginning", other.stderr)
    lora = b.train("chance-lora", **(options | dict(lora={"r": 2})))
    check(lora.returncode == 1 and "init: random trains all parameters" in lora.stderr, "init: random and lora:", lora.stderr)


def bad_images(b):
    rng = random.Random(6)
    (b.folder / "pages/broken.png").write_bytes((b.folder / "pages/0.png").read_bytes()[:200])
    (b.folder / "pages/text.png").write_text("no image")
    good = line(rng, "pages/0.png")
    marks = {"conversations": [{"from": "human", "value": "<image> <image> ban"}, {"from": "gpt", "value": "ban"}],
             "image": "pages/0.png"}
    b.write("bad.jsonl", [good, line(rng, "pages/nobody.png"), line(rng, "pages/1.png", "pages/broken.png"),
                          line(rng, "pages/text.png"), line(rng, "https://example.org/a.png"), marks])
    options = dict(train_file=str(b.folder / "bad.jsonl"), max_steps=1, lora={"r": 2})
    skipped = b.train("bad-images", "--json", **options)
    report = json.loads(skipped.stdout.splitlines()[0])
    notes = "\n".join(report["notes"])
    check(skipped.returncode == 0 and (report["used"], report["bad"], report["images"]) == (1, 5, 1)
          and "bad.jsonl:2: image 1" in notes and "bad.jsonl:3: image 2" in notes and "bad.jsonl:4: image 1" in notes
          and "bad.jsonl:5: image 1 is no path" in notes and "places for 2 images and names 1" in notes
          and "nobody" not in notes, "missing and broken images are counted, named by line, left out", skipped.stdout)
    strict = b.train("bad-images-strict", **(options | dict(on_bad_sample="error")))
    check(strict.returncode == 1 and "bad.jsonl:2: image 1" in strict.stderr, "on_bad_sample: error and images", strict.stderr)
    fit = b.train("bad-fit", **(options | dict(image_fit="part", freeze_vision_tower=False)))
    check(fit.returncode == 1 and "none of the" in fit.stderr and "multiples" in fit.stderr, "sides that are no patches", fit.stderr)
    tower = b.train("no-tower", **(options | dict(lora={"r": 2, "target_modules": "vision_tower.encoder.layers.0.mlp.fc1"})))
    check(tower.returncode == 1 and "freeze_vision_tower: false" in tower.stderr, "a module of a frozen tower", tower.stderr)
    text = Bench(b.folder / "text")
    text.write("images.jsonl", [good])
    blind = text.train("blind", train_file=str(text.folder / "images.jsonl"))
    check(blind.returncode == 1 and "has images" in blind.stderr and "text models" in blind.stderr,
          "images for a text model", blind.stderr)
    # An image that goes away between two halves of a run.
    first = b.train("gone", freeze_vision_tower=False, lora={"r": 2}, max_steps=2)
    saved = (b.folder / "pages/1.png").read_bytes()
    (b.folder / "pages/1.png").unlink()
    shutil.rmtree(b.folder / "gone/checkpoint-2")
    gone = b.train("gone", "--resume", freeze_vision_tower=False, lora={"r": 2}, max_steps=2, on_bad_sample="error")
    (b.folder / "pages/1.png").write_bytes(saved)
    check(first.returncode == 0 and gone.returncode == 1 and "image" in gone.stderr and "train.jsonl:" in gone.stderr,
          "an image that is gone", gone.stderr)


def run(folder):
    b = ImageBench(folder)
    eval_file = dict(eval_file=str(b.folder / "eval.jsonl"), eval_steps=5)
    same_bits(b, "frozen-tower", lora={"r": 4}, packing=True, **eval_file)
    made = (b.folder / "frozen-tower-killed/image_vectors.bin").read_bytes()
    check(made == (b.folder / "frozen-tower-whole/image_vectors.bin").read_bytes(), "vectors of a frozen tower survive kills")
    same_bits(b, "adapted-tower", lora={"r": 4, "modules_to_save": ["embed_tokens", "lm_head", "multi_modal_projector", "fc1"],
                                        "bias": "all"}, freeze_vision_tower=False, **eval_file)
    wrong = b.train("wrong-module", lora={"r": 4, "modules_to_save": ["lm_heads"]})
    check(wrong.returncode == 1 and "did you mean \"lm_head\"" in wrong.stderr, "a module to save that is none", wrong.stderr)
    hidden = b.train("hidden-module", lora={"r": 4, "modules_to_save": ["multi_modal_projector"]})
    check(hidden.returncode == 1 and "freeze_vision_tower: false" in hidden.stderr, "a module of a frozen tower to save", hidden.stderr)
    nothing = b.train("nothing-left", lora={"r": 4, "target_modules": "q_proj", "modules_to_save": ["q_proj"]})
    check(nothing.returncode == 1 and "trained whole" in nothing.stderr, "a target that is saved whole", nothing.stderr)
    parts(b)
    bad_images(b)
