"""What cases share: the program, the models, folders, and the peers, which are made when the first case asks for them."""

import functools
import json
import os
import sys
from pathlib import Path

from .process import Unavailable, child, say

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "bench" / "peers"
TOOLS = ROOT / "bench" / "tools"
GEMMA = "gemma-3-270m-q4_k_m.gguf"
SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf"
PREPARATION_SECONDS = 5400  # building llama.cpp on two slow cores

# --peers: name in the table.
PEER_NAMES = {"llama": "llama.cpp", "openvino": "OpenVINO", "openvino-bf16": "OpenVINO bf16", "torch": "PyTorch", "peft": "PEFT",
              "llguidance": "llguidance", "xgrammar": "xgrammar", "pillow": "Pillow", "pydicom": "pydicom", "cp": "cp"}

# Of a result of galen bench, where it has them.
FIELDS = ("value", "unit", "limit", "share_of_limit", "peak_bytes", "kv_bytes", "resident_bytes", "extra_bytes", "plain",
          "speculated", "identical", "text_tokens_per_s", "times_faster", "labels")


def once(method):
    """Made at the first call; a reason why it cannot be made is kept, too."""
    @functools.wraps(method)
    def made(self):
        name = method.__name__
        if name not in self.made:
            try:
                self.made[name] = method(self)
            except Unavailable as error:
                self.made[name] = error
                self.missing[name] = str(error)
        if isinstance(self.made[name], Unavailable):
            raise self.made[name]
        return self.made[name]
    return made


class Workbench:
    def __init__(self, options, scratch):
        self.galen = options.galen
        self.models = options.models
        self.threads = options.threads
        self.scratch = Path(scratch)  # goes when the run ends
        self.machines = []  # of each call of galen bench
        self.made = {}
        self.missing = {}  # what could not be made: why
        self.gemma = self.models / GEMMA
        self.smollm2 = self.models / SMOLLM2
        self.gemma_tokenizer = self.models / "tokenizers" / "gemma3"

    # galen.

    def bench(self, *arguments, env=None):
        """{result: sample} of galen bench; each sample also has the machine's limits and the bytes of weights that a token reads."""
        answer = json.loads(child([self.galen, "bench", *arguments, "--threads", self.threads, "--json"], env))
        self.machines.append(answer["machine"])
        more = {"machine": {k: v for k, v in answer["machine"].items() if isinstance(v, (int, float))},
                "bytes_per_token": answer.get("model", {}).get("bytes_per_token")}
        return {r["name"]: {k: r[k] for k in FIELDS if r.get(k) is not None} | more for r in answer["results"]}

    def driver(self, path):
        """A program of the tests that a case measures with."""
        program = self.galen.parent / "tests" / path
        if not program.exists():
            raise Unavailable(f"{program} is not built (make build)")
        return program

    # Environments of peers.

    def python(self):
        """The Python of the parity tests, which is also that of PyTorch, PEFT, pydicom and Pillow."""
        return self.oracle()

    @once
    def oracle(self):
        child([ROOT / "tools" / "make_oracle.sh"], limit_s=PREPARATION_SECONDS)
        return ROOT / "build" / ".venv-oracle" / "bin" / "python"

    @once
    def llama(self):
        say("llama.cpp: building when it is not in the cache (once; minutes)")
        return Path(child([PEERS / "build_llama.sh"], limit_s=PREPARATION_SECONDS).strip())

    @once
    def openvino(self):
        """(Python, model folder) of OpenVINO GenAI with int4 weights; only Gemma 270M is exported."""
        say("OpenVINO: exporting when it is not in the cache (once; minutes)")
        words = child([PEERS / "make_openvino.sh", self.gemma, self.gemma_tokenizer, self.python()],
                      limit_s=PREPARATION_SECONDS).split()
        return words[-2], words[-1]

    @once
    def openvino_tower(self):
        return child([PEERS / "make_openvino_tower.sh", self.python()], limit_s=PREPARATION_SECONDS).strip()

    @once
    def grammar_engines(self):
        """A folder with llguidance and xgrammar, for the Python of the parity tests."""
        return child([PEERS / "make_grammar.sh", self.python()], limit_s=PREPARATION_SECONDS).strip()

    def peer_cache(self, name):
        cache = Path(os.environ.get("GALEN_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "galen")
        folder = cache / "peers" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    # Files that are made once.

    @once
    def random_4b(self):
        """The 4B-shaped file that peers read, and galen to measure loading; else galen makes its weights in memory."""
        return self._write_once(self.models / "random-4b-q4_0.gguf", "a 4B-shaped file for the peers (2.5 GB)",
                                "random_4b_gguf.py", self.gemma)

    @once
    def random_4b_images(self):
        return self._write_once(self.models / "random-4b-mmproj.gguf", "an image projector of that model (0.8 GB)",
                                "random_mmproj_gguf.py")

    def _write_once(self, path, what, script, *arguments):
        if not path.exists():
            say(f"writing {what}, once")
            part = path.with_suffix(".part")
            child([self.python(), PEERS / script, part, *arguments])
            part.replace(path)
        return path

    @once
    def checkpoint_4b(self):
        """A Hugging Face directory of MedGemma-4B's shape in bf16, random (8.6 GB); it goes when the run ends."""
        say("writing a bf16 checkpoint of MedGemma-4B's shape (8.6 GB, for this run)")
        folder = self.scratch / "medgemma-4b"
        child([sys.executable, TOOLS / "make_4b_checkpoint.py", folder, "--tokenizer", self.gemma_tokenizer])
        return folder
