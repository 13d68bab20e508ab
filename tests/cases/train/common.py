"""What the tests of `galen train` share."""

import hashlib
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import time
from pathlib import Path

GALEN = os.environ["GALEN_BIN"]
SLOW = bool(os.environ.get("GALEN_SLOW"))  # sanitized
ROOT = Path(__file__).resolve().parents[3]
TINY = ROOT / "tests/parity/models/tiny"
TEMPLATE = ("{{ bos_token }}{% for m in messages %}{{ m.role }} {{ m.content }}"
            "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %} {% endfor %}"
            "{% if add_generation_prompt %}assistant {% endif %}")
failures = []


def check(good, what, detail=""):
    print(("ok    " if good else "FAIL  ") + what)
    if not good:
        failures.append(what)
        print(detail)


def examples(n, seed=1):
    words = "dose rate pulse test result normal moderate lamp bat fat beats ten milligram date".split()
    rng = random.Random(seed)
    for i in range(n):
        question = " ".join(rng.choices(words, k=rng.randint(1, 4)))
        answer = " ".join(rng.choices(words, k=rng.randint(1, 4)))
        yield {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


class Bench:
    defaults = dict(max_seq_length=64, per_device_train_batch_size=2, gradient_accumulation_steps=2, max_steps=12,
                    learning_rate=0.003, save_steps=1, threads=2, report_to_tensorboard=False)

    def __init__(self, folder, model="llama"):
        self.begin(folder, TINY / model)
        (self.model / "chat_template.jinja").write_text(TEMPLATE)
        self.write("train.jsonl", examples(23))
        self.write("eval.jsonl", examples(5, 2))

    def begin(self, folder, base):
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.model = self.folder / "base"
        shutil.copytree(base, self.model)

    def write(self, name, lines):
        (self.folder / name).write_text("".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines))

    def config(self, out, **options):
        base = dict(model=str(self.model), output_dir=str(self.folder / out),
                    train_file=str(self.folder / "train.jsonl")) | self.defaults
        path = self.folder / f"{out}.yaml"
        path.write_text("".join(f"{k}: {json.dumps(v)}\n" for k, v in (base | options).items()))
        return str(path)

    def command(self, config, *args):
        return [GALEN, "train", config, *args]

    def train(self, out, *args, preexec=None, **options):
        return subprocess.run(self.command(self.config(out, **options), *args), capture_output=True, text=True,
                              preexec_fn=preexec)

    def digest(self, out):
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest()
                for folder in ("model", "adapter") for p in (self.folder / out / folder).glob("*.safetensors")}


def nan_base(b, weight, **options):
    """A weight of the base, the tensor whose name ends so, that is not a number. bf16."""
    path = b.model / "model.safetensors"
    good = path.read_bytes()
    length = struct.unpack("<Q", good[:8])[0]
    header = json.loads(good[8:8 + length])
    name = next(k for k in header if k.endswith(weight))
    at = 8 + length + header[name]["data_offsets"][0]
    path.write_bytes(good[:at] + b"\xc0\x7f" + good[at + 2:])
    bad = b.train("nan", **options)
    path.write_bytes(good)
    check(bad.returncode == 1 and "step 1: the loss is" in bad.stderr and "layers.1" in bad.stderr
          and "train.jsonl:" in bad.stderr and weight.split(".")[-2] in bad.stderr, "NaN in the base: step, examples, tensor", bad.stderr)


def same_bits(b, name, **options):
    """A run in one go, and what must give its bits."""
    whole = b.train(f"{name}-whole", **options)
    want = b.digest(f"{name}-whole")
    check(whole.returncode == 0 and bool(want), f"{name}: a run in one go", whole.stderr)
    for label, change in (("one thread", {"threads": 1}), ("layers computed again", {"gradient_checkpointing": True})):
        other = b.train(f"{name}-{label.split()[0]}", **(options | change))
        check(other.returncode == 0 and b.digest(f"{name}-{label.split()[0]}") == want, f"{name}: {label}, same bits",
              other.stderr)
    steps = [json.loads(x)["step"] for x in (b.folder / f"{name}-whole/train_log.jsonl").read_text().splitlines()]
    kill_and_resume(b, name, want, steps, **options)


def kill_and_resume(b, name, want, steps, **options):
    """SIGKILL at random moments, --resume until it is done; sooner where the whole run is over before three kills."""
    out = f"{name}-killed"
    config = b.config(out, **options)
    for pause in (0.1, 0.02, 0.004, 0) if SLOW else (0.02, 0.004, 0):
        shutil.rmtree(b.folder / out, ignore_errors=True)
        kills, error = killed_until_done(b, out, config, pause)
        if error is not None:
            check(False, f"{name}: resumed", error)
            return
        if kills >= 3:
            break
    got = b.digest(out)
    log = [json.loads(x)["step"] for x in (b.folder / out / "train_log.jsonl").read_text().splitlines()]
    check(kills >= 3 and got == want, f"{name}: killed {kills} times and resumed, same bits", f"{got} {want}")
    check(log == steps, f"{name}: the log has each step once", f"{log}")
    left = [p.name for p in (b.folder / out).iterdir() if p.name.startswith(".")]
    check(not left, f"{name}: nothing is left of killed saves", str(left))


def killed_until_done(b, out, config, pause):
    """(kills, None), or what a run said that ended otherwise."""
    rng = random.Random(7)
    kills = 0
    for attempt in range(200):
        process = subprocess.Popen(b.command(config, "--resume"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        begin = time.time()
        # Kill some time after the next checkpoint has come, so that the run moves on.
        seen = set(p.name for p in (b.folder / out).glob("checkpoint-*"))
        while process.poll() is None and time.time() - begin < 60:
            if set(p.name for p in (b.folder / out).glob("checkpoint-*")) - seen:
                time.sleep(rng.random() * pause)
                process.kill()
                break
            time.sleep(0.0005)
        error = process.communicate()[1]
        if process.returncode == 0:
            return kills, None
        if process.returncode != -signal.SIGKILL:
            return kills, error
        kills += 1
    return kills, "it does not end"
