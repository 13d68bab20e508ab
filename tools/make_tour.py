#!/usr/bin/env python3
"""Writes docs/TOUR.md: twelve tasks, each with the commands and what they printed. usage: make_tour.py [--check] [--only N]

--check runs everything again and fails where an output is not what the page says. Numbers that change from run to run are masked by
the patterns of each step, and by nothing else. Answers come from GALEN_ISA=avx2, so that they are the same on every machine that has
AVX2 (exit code 77 where it is not there). Models: tools/fetch_models.py all. GALEN_BIN names the program.
"""

import argparse
import difflib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/TOUR.md"
GALEN = Path(os.environ.get("GALEN_BIN", ROOT / "build/release/galen")).resolve()
CACHE = Path(os.environ.get("GALEN_CACHE", Path.home() / ".cache/galen"))
MODELS = Path(os.environ.get("GALEN_MODELS") or CACHE / "models")
NEEDED = ("SmolLM2-135M-Instruct.Q4_1.gguf", "gemma-3-270m-q4_k_m.gguf", "fhir/package")

# (pattern, what the page shows instead)
SECONDS = (r"\b\d+(\.\d+)? (s|ms)\b", r"N \2")
RATES = (r"\b\d+(\.\d+)?( ?(tokens|pages|documents|tok|[GT]FLOP)/s)", r"N\2")
LEFT = (r"\d+ min \d+ s left", "N left")
HASH = (r"\b[0-9a-f]{64}\b", "HASH")
TIME = (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME")


def step(command, *masks, code=0, head=None):
    """A command; `head`: only so many lines of its output are shown, and compared."""
    return {"command": command, "masks": masks, "code": code, "head": head}


def background(command, until, *masks):
    """A server: it runs until `stop`, its output so far is shown as soon as `until` is in it."""
    return {"command": command, "masks": masks, "until": until}


STOP = {"stop": True}

SMALL_SCHEMA = """cat > findings.json <<'END'
{"type": "object", "additionalProperties": false, "required": ["age", "diagnosis", "urgent"],
 "properties": {"age": {"type": "integer", "minimum": 0, "maximum": 120},
                "diagnosis": {"type": "string", "maxLength": 80},
                "urgent": {"type": "boolean"}}}
END"""

LAB_SCHEMA = """cat > anaemia.json <<'END'
{"type": "object", "additionalProperties": false, "required": ["report", "haemoglobin", "ferritin"],
 "properties": {"report": {"type": "string", "pattern": "^SAMPLE-[0-9]{4}$"},
                "haemoglobin": {"type": "number"},
                "ferritin": {"type": "number"}}}
END"""

SHOW_VALUES = """cat > values.py <<'END'
import json, sys
result = json.load(sys.stdin)
for v in result["values"]:
    place = v.get("evidence") or {}
    flags = [x["id"] for x in v["verdicts"] if x["level"] == "flag"]
    print(v["path"], v["value"], "page", place.get("page"), "box", place.get("box"), "FLAG " + " ".join(flags) if flags else "ok")
print(result["summary"])
END"""

ASK = """cat > ask.py <<'END'
import sys, openai
client = openai.OpenAI(base_url="http://127.0.0.1:18434/v1", api_key=sys.argv[1])
stream = client.chat.completions.create(model="smollm2", temperature=0, max_tokens=40, stream=True,
    messages=[{"role": "user", "content": "What is tachycardia? One sentence."}])
print("".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))
END"""

COUNT = """cat > count.py <<'END'
import collections, json
resources = [entry["resource"] for entry in json.load(open("bundle.json"))["entry"]]
print(dict(collections.Counter(r["resourceType"] for r in resources)))
for issue in next(r for r in resources if r["resourceType"] == "OperationOutcome")["issue"][:4]:
    print(issue["severity"], issue["details"]["text"])
END"""

TASKS = [
    ("Is it there, and what can this machine do",
     "Installed as [DEPLOY.md](DEPLOY.md) says, or built by `make build`. `doctor` measures the limits of the machine; `verify` replays the "
     "reference implementation's activations of a tiny model of each architecture, layer by layer.",
     [step("galen --version"), step("galen doctor", (r"^.*, \d+ threads?, .* GB of memory free", "PROCESSOR, N threads, N GB of memory free"),
                                    (r"one of: .*", "one of: …"), (r"^  (amx|avx2|avx512|avx512_bf16|memory reads) .*\n", ""),
                                    (r"reads eng\S*", "reads eng+fra+deu")),
      step("galen verify all", (r"error [\d.e-]+, limit", "error N, limit"), (r"nearest to its limit \S+", "nearest to its limit LAYER"))]),
    ("Ask about a note",
     "SmolLM2 with 135 million parameters, which knows little; a real one is asked in the same way. Temperature 0 is the default.",
     [step('galen run models/SmolLM2-135M-Instruct.Q4_1.gguf "What is the main diagnosis? Answer in one sentence." '
           "--file examples/notes/clinical_note.txt")]),
    ("An answer that a program can read",
     "Every token is held to the schema: the answer satisfies it. That makes it valid, not true: the model says 17, the note 71. "
     "`galen extract`, below, looks each value up.",
     [step(SMALL_SCHEMA), step("galen run models/SmolLM2-135M-Instruct.Q4_1.gguf \"Summarise the patient's case as JSON.\" "
                               "--file examples/notes/clinical_note.txt --schema findings.json --whitespace compact"),
      step("grep -n -i 'year' examples/notes/clinical_note.txt | head -3")]),
    ("What a model will see of a radiograph",
     "The recipe is the model's own: window, size and words as it was trained. `--out` writes the very pixels.",
     [step("galen look examples/images/encapsulated_cxr.dcm --out seen"), step("ls seen")]),
    ("A CT volume",
     "Three windows as colours, 85 slices at most, in the order that MedGemma was shown. A folder of DICOM slices goes in by `--dicom` in the same way; "
     "this volume is made up.",
     [step("galen look examples/volumes/head.nii.gz --recipe ct", head=14)]),
    ("Classify and embed images",
     "A SigLIP of random weights, as small as tests need it: **the numbers mean nothing**, the commands are those for MedSigLIP.",
     [step('galen classify tiny/siglip --image examples/images/retina.jpg --labels "retina,chest X-ray" --csv'),
      step("galen embed tiny/siglip --image examples/images/retina.jpg --out vectors.npy"),
      step("python3 -c \"import numpy; v = numpy.load('vectors.npy'); print(v.shape, v.dtype)\"")]),
    ("A smaller file of the same model, and what it costs",
     "`score` gives the log-probabilities of a text; the difference of the two perplexities is the price on this text.",
     [step("galen quantize models/SmolLM2-135M-Instruct.Q4_1.gguf small.gguf --type q4_0", SECONDS),
      step("galen score models/SmolLM2-135M-Instruct.Q4_1.gguf --file examples/notes/clinical_note.txt | tail -1", SECONDS, RATES),
      step("galen score small.gguf --file examples/notes/clinical_note.txt | tail -1", SECONDS, RATES)]),
    ("What is in an adapter",
     "A tiny one with Google's recipe: all linear layers, and embeddings that are replaced whole. A key that fits nothing is an error, not a shrug.",
     [step("galen adapter inspect tiny/gemma3-google --base tiny/gemma3", head=9),
      step("galen run tiny/llama hello --raw --adapter tiny/gemma3-google", head=3, code=1)]),
    ("Train a little",
     "Eight steps on forty made-up notes, an adapter of rank 8 on the 4-bit file: enough to see the loss fall, not to learn the task "
     "([TRAINING.md](TRAINING.md) has the long run).",
     [step("python3 examples/training/make_reports.py --out reports --train 40 --eval 8"),
      step("""cat > run.yaml <<'END'
model: models/SmolLM2-135M-Instruct.Q4_1.gguf
output_dir: run
train_file: reports/train.jsonl
max_seq_length: 384
per_device_train_batch_size: 1
max_steps: 8
logging_steps: 2
learning_rate: 5e-4
lora:
  r: 8
  lora_alpha: 16
  target_modules: all-linear
END"""),
      step("galen train run.yaml", LEFT, SECONDS, RATES),
      step("galen adapter inspect run/adapter | head -5", (r"digest +\w+", "digest     …"))]),
    ("Serve, ask with curl and with OpenAI's client, and look into the audit record",
     "Keys are kept as hashes. The record has no text in it; `verify` says whether its chain is whole.",
     [step("galen serve --new-key ward3 > key.txt && sed -n 's/^line[^:]*: *//p' key.txt > keys && cut -c1-24 keys", (r"sha256:\w+", "sha256:…")),
      background("galen serve smollm2=models/SmolLM2-135M-Instruct.Q4_1.gguf --port 18434 --api-keys keys --audit audit.jsonl --no-log",
                 "galen serves on"),
      step("curl -s http://127.0.0.1:18434/v1/models"),
      step("KEY=$(sed -n 's/.*shown this once: //p' key.txt); curl -s http://127.0.0.1:18434/v1/chat/completions -H \"Authorization: Bearer $KEY\" "
           "-d '{\"messages\": [{\"role\": \"user\", \"content\": \"Name one sign of sepsis.\"}], \"max_tokens\": 24, \"temperature\": 0}'",
           (r'"id":"[^"]+"', '"id":"…"'), (r'"created":\d+', '"created":N'), (r'"system_fingerprint":"[^"]+"', '"system_fingerprint":"…"')),
      step(ASK), step("python3 ask.py $(sed -n 's/.*shown this once: //p' key.txt)"),
      STOP,
      step("galen audit verify audit.jsonl", HASH, TIME),
      step("galen audit tail audit.jsonl -n 1", HASH, TIME, (r'"id":"[^"]+"', '"id":"…"'), (r'"seconds":[\d.]+', '"seconds":N'))]),
    ("Values of a PDF with their places, and a planted fault",
     "A schema of our own with three values. Each is looked for on the page: where it stands, its box; where it does not, a flag. The model "
     "is wrong about ferritin, which is 6: 10.9 stands in another row, and of a schema of our own galen does not know what a field means. The "
     "kinds that it knows (`--schema lab_report`) are held to the row ([EXTRACTION.md](EXTRACTION.md)). Then the schema is changed so that the "
     "model *must* answer 19.0 for haemoglobin: valid JSON, and found out.",
     [step(LAB_SCHEMA), step(SHOW_VALUES),
      step("galen extract examples/documents/lab_report.pdf --model models/SmolLM2-135M-Instruct.Q4_1.gguf --schema anaemia.json | python3 values.py"),
      step("sed 's/\"haemoglobin\": {\"type\": \"number\"}/\"haemoglobin\": {\"const\": 19.0}/' anaemia.json > planted.json"),
      step("galen extract examples/documents/lab_report.pdf --model models/SmolLM2-135M-Instruct.Q4_1.gguf --schema planted.json | python3 values.py")]),
    ("FHIR out, validated",
     "The same page under the kind's own schema, as a bundle of FHIR R4. This model was never trained for it and invents most of what it says: what stands "
     "nowhere on the page is left out, and named in the OperationOutcome. FHIR.js, another project's validator, lists its errors: none.",
     [step("galen extract examples/documents/lab_report.pdf --model models/SmolLM2-135M-Instruct.Q4_1.gguf --schema lab_report --max-tokens 400 "
           "--format fhir --out bundle.json"),
      step(COUNT), step("python3 count.py"),
      step("python3 -c \"import json; print(json.dumps(json.load(open('bundle.json'))))\" | node validate.js $PWD/models/fhir/package")]),
]

HEAD = """# A tour in twelve tasks

Written by `tools/make_tour.py`, which ran every command below in a folder that holds `examples` of this repository, `models` (what
`tools/fetch_models.py all` fetches), `tiny` (random checkpoints of the tests) and `validate.js` (of `tests/parity/extract`).
`make_tour.py --check`, in `make test-all`, runs them again and fails where an output has changed; numbers that differ from run to run are
shown as N, long outputs end in `[...]`. The instruction set was fixed (`GALEN_ISA=avx2`), since answers of others may differ in a word. The models are
the smallest real ones: they show how things are done, **not medical skill**.
"""


class Folder:
    def __init__(self, path):
        self.path, self.server, self.log = path, None, None
        links = {"models": MODELS, "examples": ROOT / "examples", "validate.js": ROOT / "tests/parity/extract/validate.js"}
        tiny = {"siglip": "dual_encoders/tiny/siglip", "gemma3-google": "adapters/tiny/gemma3-google",
                "gemma3": "models/tiny/gemma3", "gemma3-multimodal": "models/tiny/gemma3-multimodal", "llama": "models/tiny/llama"}
        for name in ("bin", "tiny"):
            (path / name).mkdir()
        for name, target in links.items():
            (path / name).symlink_to(target)
        for name, target in tiny.items():
            (path / "tiny" / name).symlink_to(ROOT / "tests/parity" / target)
        (path / "bin/galen").symlink_to(GALEN)
        python = ROOT / "build/.venv-oracle/bin/python"
        (path / "bin/python3").write_text(f'#!/bin/sh\nexec {python if python.exists() else sys.executable} "$@"\n')
        (path / "bin/python3").chmod(0o755)
        self.environment = {"PATH": f"{path}/bin:/usr/local/bin:/usr/bin:/bin", "HOME": str(path), "LANG": "C.UTF-8", "GALEN_ISA": "avx2",
                            "TZ": "UTC"}

    def run(self, command):
        return subprocess.run(["bash", "-c", command], cwd=self.path, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, text=True, timeout=1800)

    def start(self, command, until):
        self.log = open(self.path / "server.log", "w+")
        self.server = subprocess.Popen(["bash", "-c", "exec " + command], cwd=self.path, env=self.environment, stdout=self.log, stderr=self.log)
        end = time.time() + 300
        while until not in (text := (self.path / "server.log").read_text()):
            if self.server.poll() is not None or time.time() > end:
                raise RuntimeError(f"{command}: {text}")
            time.sleep(0.1)
        return text

    def stop(self):
        if self.server and self.server.poll() is None:
            self.server.send_signal(signal.SIGTERM)
            if self.server.wait(60) != 0:
                raise RuntimeError("the server did not end well")


def shown(text, masks, head, folder):
    text = text.replace(str(folder), "~")
    for pattern, instead in masks:
        text = re.sub(pattern, instead, text, flags=re.M)
    lines = [line.rstrip() for line in text.rstrip("\n").split("\n")] if text.strip() else []
    if head and len(lines) > head:
        lines = lines[:head] + ["[...]"]
    return lines


def play(number, task, folder):
    title, words, steps = task
    out = [f"\n## {number}. {title}\n", words, "", "```"]
    for s in steps:
        if "stop" in s:
            folder.stop()
            continue
        print(f"{number}: {s['command'].splitlines()[0]}", file=sys.stderr)
        out += ["$ " + s["command"] + (" &" if "until" in s else "")]
        if "until" in s:
            out += shown(folder.start(s["command"], s["until"]), s["masks"], None, folder.path)
            continue
        done = folder.run(s["command"])
        if done.returncode != s["code"]:
            raise RuntimeError(f"{s['command']}: exit code {done.returncode}\n{done.stdout}")
        out += shown(done.stdout, s["masks"], s["head"], folder.path)
    return "\n".join(out + ["```", ""])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--only", type=int, help="run this task and print it")
    args = parser.parse_args()
    lacking = [f"{MODELS / name} (tools/fetch_models.py all)" for name in NEEDED if not (MODELS / name).exists()]
    lacking += [name for name in ("node", "curl") if not shutil.which(name)]
    if " avx2 " not in Path("/proc/cpuinfo").read_text():
        lacking.append("AVX2")
    if lacking:
        print("skipped for want of", ", ".join(lacking))
        return 77
    with tempfile.TemporaryDirectory() as temporary:
        folder = Folder(Path(temporary).resolve())
        try:
            numbered = [(i, t) for i, t in enumerate(TASKS, 1) if args.only in (None, i)]
            page = HEAD + "".join(play(i, task, folder) for i, task in numbered)
        finally:
            if folder.server and folder.server.poll() is None:
                folder.server.kill()
    if args.only:
        print(page[len(HEAD):])
        return 0
    if not args.check:
        PAGE.write_text(page)
        return 0
    difference = list(difflib.unified_diff(PAGE.read_text().splitlines(), page.splitlines(), "docs/TOUR.md", "now", lineterm=""))
    print("\n".join(difference) if difference else f"{len(TASKS)} tasks print what docs/TOUR.md says")
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main())
