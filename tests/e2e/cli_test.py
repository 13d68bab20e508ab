#!/usr/bin/env python3
"""The contract of the program for machines: fields, exit codes, messages. GALEN_BIN names the program; the checkpoints are
the tiny ones of tests/parity/models."""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

GALEN = os.environ.get("GALEN_BIN", "galen")
TINY = Path(__file__).resolve().parents[1] / "parity" / "models" / "tiny"
LLAMA = str(TINY / "llama" / "f32.gguf")
GEMMA = str(TINY / "gemma3" / "q8_0.gguf")


def galen(*args, env=None, stdin=""):
    return subprocess.run([GALEN, *map(str, args)], input=stdin, capture_output=True, text=True, timeout=300,
                          env={**os.environ, **(env or {})})


class CommandLine(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.text = Path(self.folder.name, "text.txt")
        self.text.write_text("hello abc")

    def tearDown(self):
        self.folder.cleanup()

    def json(self, *args, **more):
        done = galen(*args, "--json", **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def fails(self, *args, code=1, says=(), **more):
        done = galen(*args, **more)
        self.assertEqual(done.returncode, code, done.stderr)
        for part in says:
            self.assertIn(part, done.stderr)
        if code == 1:
            self.assertTrue(done.stderr.startswith("galen: ") or "\ngalen: " in done.stderr, done.stderr)

    def test_run(self):
        r = self.json("run", LLAMA, "hello", "--raw", "--max-tokens", 4, "--logprobs", 2)
        self.assertEqual(set(r), {"text", "finish_reason", "prompt_tokens", "tokens", "logprobs", "timings"})
        self.assertEqual(set(r["timings"]), {"load_s", "prefill_tokens_per_s", "decode_tokens_per_s"})
        self.assertEqual(len(r["logprobs"]), len(r["tokens"]))
        for token, entry in zip(r["tokens"], r["logprobs"]):
            self.assertEqual(set(entry), {"token", "logprob", "top"})
            self.assertEqual(entry["token"], token)
            self.assertEqual(entry["top"][0], [token, entry["logprob"]])
            self.assertEqual(len(entry["top"]), 2)
        again = self.json("run", LLAMA, "--file", "-", "--raw", "--max-tokens", 4, stdin="hello")
        self.assertEqual(again["tokens"], r["tokens"])
        self.assertNotIn("logprobs", again)

    def test_score_and_tokenize(self):
        ids = self.json("tokenize", LLAMA, "--file", self.text)["ids"]
        r = self.json("score", LLAMA, "--file", self.text, "--compute", "fp32")
        self.assertEqual(r["tokens"][-len(ids):], ids)
        self.assertEqual(len(r["logprobs"]), len(r["tokens"]) - 1)
        against = self.json("score", LLAMA, "--file", self.text, "--against", "fp32")
        self.assertLess(against["kl_mean"], 1e-2)
        self.assertGreater(against["greedy_agreement"], 0.5)
        self.assertGreater(against["perplexity"], 1)

    def test_show(self):
        r = self.json("show", GEMMA)
        self.assertEqual(r["architecture"], "gemma3")
        self.assertEqual(r["config"]["num_hidden_layers"], 7)
        self.assertIn("q8_0", r["tensors"])
        self.assertGreater(r["memory"]["kv_cache_bytes"], 0)

    def test_usage(self):
        self.fails(code=2)
        self.fails("run", code=2)
        self.fails("fly", LLAMA, code=2)
        self.fails("run", LLAMA, "x", "--compute", "fp8", code=2)
        self.fails("run", LLAMA, "x", "--max-tokens", "-1", code=2)
        self.assertEqual(galen("--help").returncode, 0)

    def test_bad_input(self):
        whole = Path(LLAMA).read_bytes()
        for size in (0, 3, 20, 5000, len(whole) - 1):
            path = Path(self.folder.name, f"cut{size}.gguf")
            path.write_bytes(whole[:size])
            self.fails("run", path, "x", says=[path.name])
        magic = Path(self.folder.name, "magic.gguf")
        magic.write_bytes(b"XXXX" + whole[4:])
        self.fails("show", magic, says=["magic.gguf"])
        self.fails("run", "/nonexistent.gguf", "x", says=["/nonexistent.gguf"])
        self.fails("score", LLAMA, "--file", "/nonexistent.txt", says=["/nonexistent.txt"])
        self.fails("run", LLAMA, "x", env={"GALEN_ISA": "foo"}, says=["GALEN_ISA", "ref"])
        self.fails("run", LLAMA, "a" * 500, "--raw", says=["context"])
        self.fails("run", LLAMA, "x", "--raw", "--context", 100000, says=["64", "--context"])
        self.fails("run", LLAMA, "x", "--raw", "--temperature", "-1", says=["temperature"])
        long = Path(self.folder.name, "long.txt")
        long.write_text("abc " * 200)
        self.fails("score", LLAMA, "--file", long, says=["context"])


if __name__ == "__main__":
    unittest.main()
