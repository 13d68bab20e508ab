#!/usr/bin/env python3
"""Questions about images from outside, on the tiny random checkpoints of tests/parity/models (their words mean nothing).

GALEN_BIN names the program. Needs the Python standard library alone.
"""

import base64
import hashlib
import json
import os
import random
import shutil
import struct
import subprocess
import tempfile
import unittest
import zlib
from pathlib import Path

GALEN = os.environ.get("GALEN_BIN", "galen")
TINY = Path(__file__).resolve().parents[2] / "parity/models/tiny"
VISION = TINY / "gemma3-vision"
SOFT = 8  # id of <image_soft_token>
QWEN = TINY / "qwen2_5_vl"
PAD, START, END = 90, 91, 92  # ids of <|image_pad|>, <|vision_start|>, <|vision_end|>


def png(width, height, seed):
    """A PNG file of random RGB pixels."""
    rows = b"".join(b"\0" + random.Random(seed * 1000 + y).randbytes(3 * width) for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Images(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.at = Path(self.folder.name)
        self.images = []
        for seed in range(4):
            path = self.at / f"{seed}.png"
            path.write_bytes(png(40 + seed, 30, seed))
            self.images.append(path)

    def galen(self, *args, code=0, env=None, stdin=subprocess.DEVNULL):
        done = subprocess.run([GALEN, *map(str, args)], capture_output=True, text=True, timeout=600,
                              env=os.environ | (env or {}), stdin=stdin)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def ask(self, model, images, *more, question="bin dos", max_tokens=6, **how):
        options = [word for image in images for word in ("--image", image)]
        done = self.galen("run", model, question, *options, "--max-tokens", max_tokens, "--compute", "fp32", "--json", *more, **how)
        return json.loads(done.stdout)

    def refused(self, *args, says, env=None):
        done = self.galen(*args, code=1, env=env)
        self.assertEqual(done.stdout, "")
        for part in says:
            self.assertIn(part, done.stderr)

    def test_media_and_tokens(self):
        answer = self.ask(VISION, self.images[:2])
        self.assertEqual(answer["prompt_tokens"].count(SOFT), 8)
        media = answer["media"]
        self.assertEqual((media["recipe"]["name"], media["warnings"], len(media["digest"])), ("image", [], 32))
        self.assertEqual([entry["source"] for entry in media["images"]], [str(path) for path in self.images[:2]])
        for entry in media["images"]:
            self.assertEqual((entry["recipe"], entry["height"], entry["tokens"]), ("image 1", 30, 4))
            self.assertEqual(entry["views"], [{"height": 28, "tokens": 4, "width": 28}])
        self.assertEqual(self.ask(VISION, self.images[:2])["media"]["digest"], media["digest"])
        self.assertNotEqual(self.ask(VISION, self.images[1:3])["media"]["digest"], media["digest"])
        self.assertIn("encode_images_s", answer["timings"])
        self.assertIn("thinking", answer)

    def test_files_of_every_kind(self):
        examples = Path(__file__).resolve().parents[3] / "examples"
        for option, file, recipe, images, words in (
                ("--dicom", "images/encapsulated_cxr.dcm", "xray", 1, 0), ("--slide", "images/multiframe_camelyon_challenge_image.dcm", "slide", 1, 0),
                ("--pdf", "documents/lab_report.pdf", "page", 1, 0), ("--volume", "volumes/head.nii.gz", "ct", 6, 6)):
            answer = json.loads(self.galen("run", VISION, "bin", option, examples / file, "--max-images", 6, "--max-tokens", 2, "--json").stdout)
            media = answer["media"]
            self.assertEqual((media["recipe"]["name"], len(media["images"])), (recipe, images))
            self.assertEqual(answer["prompt_tokens"].count(SOFT), 4 * images)
            seen = json.loads(self.galen("look", examples / file, "--question", "bin", "--max-images", 6, "--model", VISION, "--json").stdout)
            self.assertEqual(seen["tokens"], answer["prompt_tokens"])
            self.assertEqual(seen["digest"], media["digest"])
            self.assertEqual([place["count"] for place in seen["layout"]], [4] * images)
            self.assertEqual(seen["prompt"].count("SLICE"), words)
        # Without a template the words of a recipe stay, too.
        slices = ["run", VISION, "bin", "--volume", examples / "volumes/head.nii.gz", "--max-tokens", 1, "--raw", "--json"]
        one, two = [json.loads(self.galen(*slices, "--max-images", n).stdout)["prompt_tokens"] for n in (1, 2)]
        self.assertEqual(two.count(SOFT) - one.count(SOFT), 4)
        self.assertGreater(len(two) - len(one), 4 + len("SLICE"))
        self.assertNotEqual(two[:8].count(SOFT), 4)
        self.refused("run", VISION, "--image", self.images[0], "bin", says=["bin", "before the options of files"])

    def test_what_the_model_sees(self):
        out = self.at / "look"
        seen = json.loads(self.galen("look", self.images[0], "--model", VISION, "--out", out, "--json").stdout)
        view = seen["images"][0]["views"][0]
        self.assertEqual((view["width"], view["height"]), (28, 28))
        data = (out / view["png"]).read_bytes()
        self.assertEqual(struct.unpack(">II", data[16:24]), (28, 28))
        self.assertEqual(json.loads((out / "look.json").read_text()), seen)

    def test_boxes(self):
        answer = self.ask(VISION, self.images[:1], "--box", self.at / "boxes.png")
        self.assertEqual(answer["media"]["recipe"]["name"], "localise")
        self.assertEqual((answer["boxes"]["boxes"], answer["boxes"]["png"]), ([], None))
        self.assertIn("no list of boxes", answer["boxes"]["warnings"][0])
        self.assertFalse((self.at / "boxes.png").exists())
        self.refused("run", VISION, "bin", "--image", *self.images[:2], "--recipe", "image", "--box", self.at / "boxes.png", says=["one image"])

    def test_standard_input_and_data_urls(self):
        of_file = self.ask(VISION, self.images[:1], "--logprobs", 2)
        with self.images[0].open("rb") as file:
            of_input = self.ask(VISION, ["-"], "--logprobs", 2, stdin=file)
        url = "data:image/png;base64," + base64.b64encode(self.images[0].read_bytes()).decode()
        of_url = self.ask(VISION, [url], "--logprobs", 2)
        for answer, source in ((of_input, "-"), (of_url, "data URL")):
            self.assertEqual(answer["logprobs"], of_file["logprobs"])
            self.assertEqual(answer["media"]["digest"], of_file["media"]["digest"])
            self.assertEqual(answer["media"]["images"][0]["source"], source)
        self.refused("run", VISION, "x", "--image", "data:image/png;base64,bm9uZQ==", says=["not an image"])

    def test_images_matter(self):
        by_order = {tuple(order): self.ask(VISION, [self.images[i] for i in order], "--logprobs", 3)
                    for order in ([0], [1], [0, 1], [1, 0])}
        logprobs = [json.dumps(answer["logprobs"]) for answer in by_order.values()]
        self.assertEqual(len(set(logprobs)), 4)

    def test_every_container_answers_alike(self):
        shutil.copy(VISION / "q8_0.gguf", self.at / "model.gguf")
        self.refused("run", self.at / "model.gguf", "bin", "--image", self.images[0], says=["--mmproj"])
        named = self.ask(self.at / "model.gguf", self.images[:2], "--mmproj", VISION / "mmproj-old.gguf", "--logprobs", 2)
        shutil.copy(VISION / "mmproj-f16.gguf", self.at / "mmproj-model-f16.gguf")
        found = self.ask(self.at / "model.gguf", self.images[:2], "--logprobs", 2)
        single = self.ask(VISION / "ollama.gguf", self.images[:2], "--logprobs", 2)
        for other in (found, single):
            self.assertEqual(other["logprobs"], named["logprobs"])
            self.assertEqual(other["prompt_tokens"], named["prompt_tokens"])

    def test_ollama_store(self):
        def blob(path):
            data = path.read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            (self.at / "store/blobs").mkdir(parents=True, exist_ok=True)
            (self.at / "store/blobs" / f"sha256-{digest}").write_bytes(data)
            return "sha256:" + digest

        def manifest(name, **layers):
            path = self.at / "store/manifests/registry.ollama.ai/library" / name / "latest"
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps({"schemaVersion": 2, "layers": [
                {"mediaType": "application/vnd.ollama.image." + kind, "digest": blob(file), "size": 1}
                for kind, file in layers.items()]}))
        manifest("single", model=VISION / "ollama.gguf")
        manifest("two", model=VISION / "q8_0.gguf", projector=VISION / "mmproj-f16.gguf")
        env = {"OLLAMA_MODELS": str(self.at / "store")}
        (self.at / "text").write_text("bin dos")
        answers = [self.ask(name, self.images[:1], "--logprobs", 2, env=env) for name in ("ollama:single", "ollama:two")]
        self.assertEqual(answers[0]["logprobs"], answers[1]["logprobs"])
        self.assertEqual(self.galen("tokenize", "ollama:two", "--file", self.at / "text", env=env).stdout,
                         self.galen("tokenize", VISION / "q8_0.gguf", "--file", self.at / "text").stdout)
        self.galen("score", "ollama:two", "--file", self.at / "text", env=env)
        self.refused("run", "ollama:none", "x", says=["no manifest", "OLLAMA_MODELS"], env=env)

    def test_a_projector_of_another_model(self):
        self.refused("run", TINY / "gemma3/q8_0.gguf", "x", "--mmproj", TINY / "llama/f32.gguf", says=["no image projector file"])
        other = Path(__file__).resolve().parents[2] / "fuzz/corpus/mmproj_fuzz/new"
        self.refused("run", VISION / "q8_0.gguf", "x", "--mmproj", other, says=[str(other), "belongs to another model", " 8 ", " 32"])
        self.refused("run", TINY / "llama/f32.gguf", "x", "--image", self.images[0], says=["takes no images", "llama"])

    def test_fewer_tokens(self):
        answer = self.ask(VISION, self.images[:1], "--image-tokens", 1)
        self.assertEqual(answer["prompt_tokens"].count(SOFT), 1)
        self.refused("run", VISION, "x", "--image", self.images[0], "--image-tokens", 3, says=["no square number"])

    def test_crops(self):
        wide = self.at / "wide.png"
        wide.write_bytes(png(700, 300, 9))
        answer = self.ask(VISION, [wide], "--pan-and-scan")
        self.assertEqual(answer["prompt_tokens"].count(SOFT), 12)
        self.assertEqual(len(answer["media"]["images"][0]["views"]), 3)

    def test_images_of_any_shape(self):
        long = self.at / "long.png"
        long.write_bytes(png(9, 70, 9))
        answer = self.ask(QWEN, [self.images[0], long])
        ids = answer["prompt_tokens"]
        self.assertEqual([entry["views"] for entry in answer["media"]["images"]],
                         [[{"height": 32, "tokens": 20, "width": 40}], [{"height": 72, "tokens": 9, "width": 8}]])
        first, second = [i for i, token in enumerate(ids) if token == START]
        self.assertEqual(ids[first:first + 22] + ids[second:second + 11], [START, *[PAD] * 20, END, START, *[PAD] * 9, END])
        self.assertNotEqual(json.dumps(self.ask(QWEN, [self.images[0]], "--logprobs", 2)["logprobs"]),
                            json.dumps(self.ask(QWEN, [self.images[1]], "--logprobs", 2)["logprobs"]))
        for limit in (("--max-pixels", 256), ("--image-tokens", 4)):
            self.assertEqual(self.ask(QWEN, self.images[:1], *limit)["prompt_tokens"].count(PAD), 2)
        self.assertEqual(self.ask(QWEN, self.images[:1], "--min-pixels", 1600)["prompt_tokens"].count(PAD), 30)
        gguf = self.ask(QWEN / "text.gguf", self.images[:1], "--min-pixels", 256)
        self.assertEqual(gguf["prompt_tokens"].count(PAD), 20)
        self.assertEqual(self.ask(QWEN, self.images[:1], "--raw")["prompt_tokens"].count(START), 1)

    def test_images_that_any_shape_does_not_cover(self):
        thin = self.at / "thin.png"
        thin.write_bytes(png(3, 700, 9))
        self.refused("run", QWEN, "x", "--image", thin, says=["200 times"])
        self.refused("run", QWEN, "x", "--image", self.images[0], "--min-pixels", 2000, says=["at least 2000", "at most 1600"])
        self.refused("run", QWEN, "x", "--image", self.images[0], "--pan-and-scan", says=["pan-and-scan"])
        self.refused("run", VISION, "x", "--image", self.images[0], "--max-pixels", 2000, says=["one size", "--image-tokens"])
        self.refused("run", QWEN / "text.gguf", "x", "--mmproj", VISION / "mmproj-f16.gguf", says=["belongs to another model", "gemma3"])

    def test_too_many_images_for_the_context(self):
        images = self.images * 5
        options = [word for image in images for word in ("--image", image)]
        self.refused("run", VISION, "bin", *options, "--context", 100, says=["of the 20 images fit", "--context"])

    def test_files_that_are_no_images(self):
        broken = self.at / "broken.png"
        broken.write_bytes(self.images[0].read_bytes()[:100])
        text = self.at / "note.txt"
        text.write_text("no image")
        for path in (broken, text, self.at / "absent.png"):
            self.refused("run", VISION, "x", "--image", path, says=[str(path)])

    def test_thinking_is_hidden(self):
        answer = self.ask(VISION, self.images[:1], "--logit-bias", "9=100", max_tokens=3)
        self.assertEqual(answer["text"], "")
        self.assertEqual(answer["tokens"], [9, 9, 9])
        off = self.ask(VISION, self.images[:1], "--logit-bias", "9=100", "--think", "off")
        self.assertNotIn(9, off["tokens"])

    def test_verify(self):
        result = json.loads(self.galen("verify", "all", "--json").stdout)
        self.assertTrue(result["pass"])
        self.assertGreaterEqual(len(result["results"]), 8)
        of_model = json.loads(self.galen("verify", VISION, "--json").stdout)
        self.assertEqual({r["vectors"] for r in of_model["results"]}, {"gemma3", "gemma3-vision"})
        of_model = json.loads(self.galen("verify", QWEN, "--json").stdout)
        self.assertEqual({r["vectors"] for r in of_model["results"]}, {"qwen2", "qwen2-vision"})
        for isa in ("ref", "avx2"):
            self.assertEqual(json.loads(self.galen("verify", "gemma3", "--json", env={"GALEN_ISA": isa}).stdout)["isa"], isa)
        # Nobody is to take it for a check of the model's own weights.
        self.assertIn("random weights", of_model["subject"])
        first = self.galen("verify", VISION).stdout.splitlines()[0]
        self.assertIn("tiny models of random weights", first)
        self.assertIn(f"architecture of {VISION}; its own weights are not read", first)
        self.assertNotIn("its own weights", self.galen("verify", "gemma3").stdout)

    def test_show(self):
        shown = json.loads(self.galen("show", VISION, "--json").stdout)["vision"]
        self.assertEqual((shown["image_size"], shown["tokens_per_image"], shown["hidden_size"]), (28, 4, 72))
        shown = json.loads(self.galen("show", QWEN, "--json").stdout)["vision"]
        self.assertEqual((shown["min_pixels"], shown["max_pixels"], shown["hidden_size"]), (256, 1600, 24))
        self.assertIn("a token for each 8 x 8", self.galen("show", QWEN).stdout)
        self.assertIn("error", json.loads(self.galen("show", TINY / "llama", "--json").stdout)["vision"])


if __name__ == "__main__":
    unittest.main()
