#!/usr/bin/env python3
"""Answers about images by llama.cpp's llama-mtmd-cli and by galen, from the two files that llama.cpp's converter wrote.

    run.py [--all]

The images have the tower's size, so that no resampling takes part, and galen takes llama.cpp's layout of the prompt. llama.cpp
multiplies 8-bit activations with the 8-bit weights of the text part: answers must be equal up to the first token whose margin
over the second is below MARGIN. The program sometimes ends before it has printed its last tokens: it is asked again, and at last
what it printed counts as a beginning. --all: more images, and both generations of projector files. Exit code 77: llama-mtmd-cli is not
built (bench/peers/build_llama.sh). $GALEN_BUILD holds tests/parity/mtmd/mtmd_answer.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
DRIVER = Path(os.environ.get("GALEN_BUILD", "build/release")) / "tests/parity/mtmd/mtmd_answer"
TINY = HERE.parent / "models/tiny/gemma3-vision"
CACHE = Path(os.environ.get("GALEN_CACHE", Path.home() / ".cache/galen"))
TOKENS = 8
MARGIN = 0.1  # nats
QUESTION = "dos dos bar"  # the random model's answer to it depends on the image
BEFORE, AFTER = "<start_of_turn>user\n", QUESTION + "<end_of_turn>\n<start_of_turn>model\n"  # llama.cpp's "gemma" template


ATTEMPTS = 5


def ask_llama(program, mmproj, image):
    done = subprocess.run([program, "-m", TINY / "q8_0.gguf", "--mmproj", mmproj, "--image", image, "-p", QUESTION, "--temp", "0",
                           "-n", str(TOKENS), "-t", "2", "--chat-template", "gemma", "-ctk", "f32", "-ctv", "f32", "--no-warmup"],
                          capture_output=True, timeout=300)
    if done.returncode != 0:
        raise SystemExit(f"llama-mtmd-cli: exit code {done.returncode}: {done.stderr.decode(errors='replace')[-1500:]}")
    return done.stdout.decode(errors="replace").strip("\n")


def ask_galen(mmproj, image):
    done = subprocess.run([DRIVER, TINY / "q8_0.gguf", mmproj, image, str(TOKENS), BEFORE, AFTER], capture_output=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr.decode())
    return json.loads(done.stdout)


def picture(rng, i):
    """Noise, one colour, a slope, squares, black, white: they differ more than one noise from the next."""
    y, x = np.mgrid[0:28, 0:28]
    kinds = (lambda: rng.integers(0, 256, (28, 28, 3)),
             lambda: np.broadcast_to(rng.integers(0, 256, 3), (28, 28, 3)),
             lambda: np.stack([x * 9, y * 9, 0 * x], -1) * rng.random(),
             lambda: np.where(((x // 7 + y // 7) % 2)[..., None], rng.integers(0, 256, 3), rng.integers(0, 256, 3)),
             lambda: np.zeros((28, 28, 3)),
             lambda: np.full((28, 28, 3), 255))
    return Image.fromarray(kinds[i % len(kinds)]().astype(np.uint8))


def main():
    found = sorted(CACHE.glob("peers/llama-cpp-*/build/bin/llama-mtmd-cli"))
    if not found:
        print("llama-mtmd-cli is not built: bench/peers/build_llama.sh")
        return 77
    everything = "--all" in sys.argv[1:]
    files = ["mmproj-f16.gguf", "mmproj-old.gguf"] if everything else ["mmproj-f16.gguf"]
    rng = np.random.default_rng(3)
    equal = ties = cut = failures = 0
    answers = set()
    with tempfile.TemporaryDirectory() as folder:
        for i in range(24 if everything else 6):
            image = Path(folder) / f"{i}.png"
            picture(rng, i).save(image)
            for mmproj in files:
                mine = ask_galen(TINY / mmproj, image)
                certain = ""
                for piece, margin in zip(mine["pieces"], mine["margins"]):
                    if margin < MARGIN:
                        break
                    certain += piece
                whole, certain = "".join(mine["pieces"]).strip("\n"), certain.strip("\n")
                printed = []
                while len(printed) < ATTEMPTS and whole not in printed:
                    printed.append(ask_llama(found[-1], TINY / mmproj, image))
                theirs = max(printed, key=len)
                answers.add(theirs)
                if whole in printed:
                    equal += 1
                elif theirs.startswith(certain):
                    ties += 1
                elif theirs and certain.startswith(theirs):
                    cut += 1
                else:
                    failures += 1
                    print(f"FAILED image {i} {mmproj}: llama.cpp {theirs!r}, galen {whole!r} (certain: {certain!r})")
    print(f"{equal} answers equal, {ties} up to a margin below {MARGIN}, {cut} printed in part, {failures} failed; "
          f"{len(answers)} different answers")
    return 1 if failures or len(answers) < 2 or equal < 2 else 0


if __name__ == "__main__":
    sys.exit(main())
