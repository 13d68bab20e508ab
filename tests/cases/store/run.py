#!/usr/bin/env python3
"""`galen pull`, `import`, `list`, `rm` and names of models from outside, against servers that speak the protocols of the hub and of
Ollama's registry, and that lie, break off, crawl and refuse (hub_server.py). GALEN_BIN names the program.

    run.py [NAME...]    only the checks whose name holds one of the words
"""

import json
import os
import random
import resource
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from hub_server import COMMIT, Repo, Site, answer_once, cut_after, git_sha1, sha256, slowly

HERE = Path(__file__).resolve().parent
TINY = HERE.parents[1] / "parity/models/tiny"
GALEN = os.environ.get("GALEN_BIN", "galen")
SLOW = 10 if os.environ.get("GALEN_SLOW") else 1
TOKEN = "hf_planted_secret_token"
CARD = b"---\nlicense: other\nlicense_name: house-terms\n---\n# Tiny\n"


class Place:
    """A home with an empty store, and a site."""

    def __init__(self, folder, context=None):
        self.home = Path(folder)
        self.store = self.home / "store"
        self.site = Site(context)
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.home), "GALEN_STORE": str(self.store), "HF_ENDPOINT": self.site.url,
                    "OLLAMA_REGISTRY": self.site.url}
        self.env.update({k: v for k, v in os.environ.items() if k.startswith(("ASAN", "UBSAN", "LSAN", "GALEN_ISA"))})

    def start(self, *args, env=None, **more):
        return subprocess.Popen([GALEN, *map(str, args)], env=dict(self.env, **(env or {})), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, **more)

    def run(self, *args, code=0, says=(), env=None, **more):
        child = self.start(*args, env=env, **more)
        out, err = child.communicate(timeout=120 * SLOW)
        assert child.returncode == code, f"{args} ended with {child.returncode}, not {code} ({says}): {out[-800:]} {err[-1500:]}"
        for text in [says] if isinstance(says, str) else says:
            assert text in out + err, f"{args} does not say {text!r}: {out[-800:]} {err[-1500:]}"
        assert TOKEN not in out + err, f"{args} prints the token"
        return out

    def blobs(self):
        return sorted(p.name for p in (self.store / "blobs").glob("*")) if self.store.is_dir() else []

    def list(self, *args, **more):
        """Without what is inside of the program."""
        state = json.loads(self.run("list", "--json", *args, **more))
        state["models"] = [m for m in state["models"] if m["place"] != "builtin"]
        return state


def tiny_repo(**more):
    folder = TINY / "gemma3"
    files = {name: (folder / name).read_bytes() for name in ("config.json", "tokenizer.model", "model.safetensors")}
    return Repo(dict(files, **{"README.md": CARD, "training_args.bin": b"no"}), **more)


def big_repo(size=4 << 20, seed=1):
    """Not a model, but large enough to be interrupted in."""
    return Repo({"config.json": b"{}", "model.safetensors": random.Random(seed).randbytes(size)})


def tokens(place, model, *args):
    out = place.run("run", model, "hello", "--raw", "--max-tokens", "5", "--json", "--compute", "fp32", *args)
    return json.loads(out)["tokens"]


def check_model_inside_the_program(place):
    state = json.loads(place.run("list", "--json", "--check"))
    (mini,) = [m for m in state["models"] if m["place"] == "builtin"]
    assert mini["name"] == "galen-mini" and mini["check"] == "ok" and 1e6 < mini["bytes"] < 12e6 and mini["license"] == "Apache-2.0", mini
    place.run("show", "galen-mini", says="gemma3")
    place.run("rm", "galen-mini", code=1, says="part of the program")
    place.run("show", "galen-mimi", code=1, says="no model of that name")


def check_hub_model_answers(place):
    place.site.repos["acme/tiny"] = tiny_repo(card={"license": "other", "license_name": "house-terms", "license_link": "https://x.test/t"})
    out = place.run("pull", "hf:acme/tiny", says=["other (house-terms), https://x.test/t"])
    assert "hf:acme/tiny" in out
    assert tokens(place, "hf:acme/tiny") == tokens(place, TINY / "gemma3")
    assert not place.site.requests("training_args.bin"), "fetched what no model needs"
    (model,) = place.list("--check")["models"]
    assert model["check"] == "ok" and model["revision"] == COMMIT and "house-terms" in model["license"], model
    before = len(place.site.requests("/resolve/"))
    place.run("pull", "hf:acme/tiny", says="was there already")
    assert len(place.site.requests("/resolve/")) == before, "fetched again what was there"
    place.run("show", "hf:acme/tiny", says="gemma3")
    place.run("tokenize", "hf:acme/tiny", "--file", HERE / "hub_server.py")
    # A second name of the same content costs nothing, and a revision is its own name.
    place.run("pull", "hf:acme/tiny@v2")
    assert len(place.list()["models"]) == 2


def check_ollama_model_answers(place):
    gguf = (TINY / "gemma3/q8_0.gguf").read_bytes()
    place.site.add_ollama("library/tiny", "latest", [("model", gguf), ("system", b"Be brief."), ("license", b"\nHouse terms\nmore")])
    place.site.add_ollama("ada/tiny", "4b", [("model", gguf)])
    place.run("pull", "ollama:tiny", says="licence: House terms")
    place.run("pull", "ollama:ada/tiny:4b", says="ollama:ada/tiny:4b")
    assert tokens(place, "ollama:tiny") == tokens(place, TINY / "gemma3/q8_0.gguf")
    names = {m["name"]: m for m in place.list("--check")["models"]}
    assert set(names) == {"ollama:tiny:latest", "ollama:ada/tiny:4b"}, names
    assert all(m["check"] == "ok" for m in names.values())
    # The registry's host may be spelled out.
    port = place.site.hub.server_port
    place.run("pull", f"ollama:127.0.0.1:{port}/ada/tiny:4b")
    assert tokens(place, f"ollama:127.0.0.1:{port}/ada/tiny:4b") == tokens(place, "ollama:tiny")
    # galen's store has Ollama's layout: it can be read as one.
    other = dict(OLLAMA_MODELS=str(place.store), GALEN_STORE=str(place.home / "none"))
    place.run("show", "ollama:tiny", env=other)
    place.run("pull", "ollama:none", code=1, says="no such model or tag")
    adapter = place.site.add_ollama("library/lora", "latest", [("model", gguf), ("adapter", b"x")])
    place.run("pull", "ollama:lora", code=1, says="adapter")
    assert sha256(b"x") not in " ".join(place.blobs()) and adapter


def check_gguf_choice(place):
    folder = TINY / "gemma3-vision"
    q8, f16 = (folder / "q8_0.gguf").read_bytes(), (folder / "ollama.gguf").read_bytes()
    mmproj = (folder / "mmproj-f16.gguf").read_bytes()
    place.site.repos["acme/quants"] = Repo({"tiny-Q8_0.gguf": q8, "tiny-BF16.gguf": f16, "mmproj-tiny-f16.gguf": mmproj,
                                            "mmproj-tiny-bf16.gguf": b"no", "README.md": CARD})
    place.run("pull", "hf:acme/quants", code=1, says=["several models", "tiny-Q8_0.gguf (", "tiny-BF16.gguf"])
    place.run("pull", "hf:acme/quants:Q4_K_M", code=1, says=["no file fits", "tiny-Q8_0.gguf"])
    place.run("pull", "hf:acme/quants:q8_0")
    assert not place.site.requests("bf16"), "fetched the wrong projector"
    shown = json.loads(place.run("show", "hf:acme/quants:q8_0", "--json"))
    assert "mmproj-tiny-f16.gguf" in json.dumps(shown), shown
    place.run("show", "hf:acme/quants")  # the only one that was pulled
    place.run("pull", "hf:acme/quants:tiny-BF16.gguf")
    place.run("show", "hf:acme/quants", code=1, says=["may be any of these", "hf:acme/quants:q8_0"])
    split = Repo({"m-00001-of-00002.gguf": q8, "m-00002-of-00002.gguf": q8})
    place.site.repos["acme/split"] = split
    place.run("pull", "hf:acme/split", code=1, says=["split", "llama-gguf-split"])
    place.site.repos["acme/pickle"] = Repo({"config.json": b"{}", "pytorch_model.bin": b"x"})
    place.run("pull", "hf:acme/pickle", code=1, says="pickled")


def check_resume(place):
    """Cut connections and servers in trouble: the pull goes on where it was."""
    repo = place.site.repos["acme/big"] = big_repo()
    place.site.faults[("bytes", "model.safetensors")] = cut_after(2 << 20, 1)
    place.site.faults[("api", "acme/big")] = answer_once([503, 429], {"Retry-After": "0"})
    place.site.faults[("resolve", "config.json")] = answer_once([500])
    place.run("pull", "hf:acme/big", says="trying again")
    ranges = [h.get("Range") for _, _, _, h in place.site.requests("/signed/", "cdn")]
    assert ranges[0] is None and ranges[1] and int(ranges[1][6:-1]) > 0, ranges
    assert sum(v for k, v in place.site.sent.items() if "/signed/" in k) == 4 << 20
    blob = place.store / "blobs" / ("sha256-" + sha256(repo.files["model.safetensors"]))
    assert blob.read_bytes() == repo.files["model.safetensors"]
    assert blob.stat().st_mode & 0o777 == 0o444, "a blob that can be written to"
    place.run("list", "--check")


def wait_for(condition, what):
    for _ in range(400 * SLOW):
        if condition():
            return
        time.sleep(0.025)
    raise AssertionError("waited in vain for " + what)


def partial_size(place):
    return sum(p.stat().st_size for p in (place.store / "blobs").glob("sha256-*.partial")) if place.store.is_dir() else 0


def check_killed(place):
    """kill -9 in the middle of a pull; what had come is not fetched again."""
    place.site.repos["acme/big"] = big_repo()
    place.site.faults[("bytes", "model.safetensors")] = slowly(64 << 10, 0.05)
    child = place.start("pull", "hf:acme/big", umask=0o007)
    wait_for(lambda: partial_size(place) >= 1 << 20, "a megabyte")
    (partial,) = (place.store / "blobs").glob("sha256-*.partial")
    assert partial.stat().st_mode & 0o777 == 0o660, "another user of the store cannot go on with it"
    child.kill()
    child.communicate()
    there = partial_size(place)
    state = place.list()
    assert state["models"] == [] and state["unused_bytes"] >= there, state
    place.site.faults.clear()
    place.run("pull", "hf:acme/big")
    last = place.site.requests("/signed/", "cdn")[-1][3]["Range"]
    assert last == f"bytes={there}-", (last, there)
    place.run("list", "--check")
    assert place.list()["unused_bytes"] == 0


def check_killed_anywhere(place):
    """kill -9 at random moments of pulls and removals: the store is whole after each, and nothing is left behind in the end."""
    place.site.repos["acme/big"] = big_repo(1 << 20)
    place.site.repos["acme/other"] = Repo(dict(place.site.repos["acme/big"].files, **{"config.json": b'{"x":1}'}))
    place.run("pull", "hf:acme/other")
    rng = random.Random(5)
    for i in range(12 if SLOW == 1 else 6):
        child = place.start("pull" if i % 2 == 0 else "rm", "hf:acme/big")
        time.sleep(rng.random() * (0.08 if SLOW == 1 else 0.3))
        child.kill()
        child.communicate()
        place.run("list", "--check")
    place.run("pull", "hf:acme/big")
    place.run("rm", "hf:acme/big")
    place.run("rm", "--unused")
    assert [m["name"] for m in place.list("--check")["models"]] == ["hf:acme/other"]
    assert len([b for b in place.blobs() if "sha256-" in b]) == 2, place.blobs()
    assert not list((place.store / "removing").iterdir())


def check_interrupted_removal(place):
    """A removal that ended after its first step is finished by the next writer."""
    place.site.repos["acme/big"] = big_repo(1 << 16)
    place.site.repos["acme/two"] = big_repo(1 << 16, seed=2)
    place.run("pull", "hf:acme/big")
    (manifest,) = (place.store / "models").rglob("*.json")
    manifest.rename(place.store / "removing/00")
    assert place.list()["models"] == []
    place.run("pull", "hf:acme/two")
    gone = sha256(place.site.repos["acme/big"].files["model.safetensors"])
    assert "sha256-" + gone not in place.blobs() and not (place.store / "removing/00").exists()
    place.run("list", "--check")


def check_two_at_once(place):
    place.site.repos["acme/big"] = big_repo()
    place.site.faults[("bytes", "model.safetensors")] = slowly(128 << 10, 0.05)
    first = place.start("pull", "hf:acme/big")
    wait_for(lambda: partial_size(place) > 0, "the first pull")
    place.run("pull", "hf:acme/big", says="another galen is fetching")
    out, err = first.communicate(timeout=60 * SLOW)
    assert first.returncode == 0, err
    assert sum(v for k, v in place.site.sent.items() if "/signed/" in k) == 4 << 20, "fetched twice"
    place.run("list", "--check")


def check_liars(place):
    def lie(kind, fault, says, code=1, file="model.safetensors"):
        place.site.repos["acme/big"] = big_repo(1 << 18)
        place.site.faults = {(kind, file): fault}
        place.run("pull", "hf:acme/big", "--retries", "1", code=code, says=says)
        assert not (place.store / "models/hf").exists(), "a model that is not whole has a name"
        good = {"sha256-" + sha256(b"{}")}
        assert {b for b in place.blobs() if not b.endswith(".partial")} <= good, place.blobs()
        shutil.rmtree(place.store, ignore_errors=True)

    def with_length(size, chunked=False):
        def fault(handler, data, begin):
            handler.send_response(200)
            handler.send_header(*(("Connection", "close") if chunked else ("Content-Length", str(size))))
            handler.end_headers()
            handler.wfile.write((data * 2)[:size])
            handler.close_connection = True
            return True
        return fault

    def instead(body):
        return lambda handler, *_: handler.answer(200, body) or True

    def endless(handler, *_):
        handler.send_response(404)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        try:
            for _ in range(1 << 12):
                handler.wfile.write(bytes(1 << 16))
            place.site.count("all of it", 1)
        except OSError:
            pass
        return True

    def other_bytes(handler, data, begin):
        handler.answer(200, bytes(len(data)))
        return True

    def wrong_range(handler, data, begin):
        if not begin:
            return cut_after(1 << 17, 1)(handler, data, begin)
        handler.answer(206, data[begin:], {"Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}"})
        return True

    def other_etag(handler, data, begin):
        handler.answer(302, b"", {"Location": f"http://127.0.0.1:{handler.site.cdn.server_port}/x/{sha256(data)}",
                                  "X-Linked-Etag": '"' + "1" * 64 + '"'})
        handler.site.bytes[sha256(data)] = data
        return True

    lie("bytes", with_length(1000), "were announced")
    lie("bytes", with_length(1 << 19), "were announced")
    lie("bytes", with_length(1 << 19, chunked=True), "more than the 262144 bytes")
    lie("bytes", with_length(1 << 17, chunked=True), "ended after 131072 of 262144 bytes")
    lie("bytes", other_bytes, ["has the digest", "twice"])
    lie("bytes", wrong_range, "asked for the bytes from")
    lie("resolve", other_etag, "contradicts itself")
    lie("resolve", endless, "there is no such repository")
    assert not place.site.sent.get("all of it"), "an error's body was read to its end"
    lie("resolve", other_bytes, "has the digest", file="config.json")  # the SHA-1 of git
    lie("resolve", lambda h, *_: h.answer(302, b"", {"Location": "file:///etc/passwd"}) or True, "redirects to no URL")
    lie("resolve", lambda h, *_: h.answer(302, b"", {"Location": h.path}) or True, "circle")
    for body, says in ((b"no json", "hf:acme/big"), (b"[]", "describes no model"), (b"{}", "names no commit"),
                       (b"[" * 100000, "hf:acme/big"), (b" " * (17 << 20), "more than the 16777216 bytes")):
        lie("api", instead(body), says, file="acme/big")
    for path in ("../../evil", "/etc/evil", "a/../../evil", "a\\evil", "a\u0007"):
        model = big_repo(100).model()
        model["siblings"].append({"rfilename": path, "size": 1, "blobId": git_sha1(b"x")})
        lie("api", instead(json.dumps(model).encode()), "cannot be the name of a file", file="acme/big")
    for size in (-5, 1 << 62):
        model = big_repo(100).model()
        model["siblings"][1]["lfs"]["size"] = size
        lie("api", instead(json.dumps(model).encode()), "the size of model.safetensors is none", file="acme/big")
    model = dict(big_repo(100).model(), cardData={"license": "x" * (5 << 20)})
    lie("api", instead(json.dumps(model).encode()), "more than 4194304", file="acme/big")
    assert not place.blobs()
    place.site.faults = {("api", "acme/big"): instead(json.dumps(big_repo(100).model()).encode())}
    place.run("pull", "hf:acme/big@" + "f" * 40, code=1, says="another commit, " + COMMIT)


def check_ignored_range(place):
    """A server without ranges sends all again; that is noticed."""
    repo = place.site.repos["acme/big"] = big_repo(1 << 20)
    cut = cut_after(1 << 19, 1)
    place.site.faults[("bytes", "")] = lambda h, data, begin: cut(h, data, begin) or h.answer(200, data) or True
    place.run("pull", "hf:acme/big")
    assert (place.store / "blobs" / ("sha256-" + sha256(repo.files["model.safetensors"]))).stat().st_size == 1 << 20
    place.run("list", "--check")


def check_no_range_ever(place):
    """A server that has nothing from where it broke off, however often: the pull ends."""
    place.site.repos["acme/big"] = big_repo(10 << 20)
    cut = cut_after(9 << 20, 99)  # more than what counts as progress
    place.site.faults[("bytes", "")] = lambda h, data, begin: begin and h.answer(416) is None or cut(h, data, begin)
    place.run("pull", "hf:acme/big", code=1, says="answers 416")
    assert len(place.site.requests("/signed/", "cdn")) == 6, place.site.requests("/signed/", "cdn")


def check_mirror(place):
    """A mirror whose list has no sizes and digests: they are asked for file by file; one that states none is refused."""
    repo = place.site.repos["acme/tiny"] = tiny_repo()
    bare = dict(repo.model(), siblings=[{"rfilename": path} for path in repo.files])
    place.site.faults[("api", "acme/tiny")] = lambda h, *_: h.answer(200, json.dumps(bare).encode()) or True
    place.run("pull", "hf:acme/tiny")
    assert tokens(place, "hf:acme/tiny") == tokens(place, TINY / "gemma3")
    place.site.faults[("resolve", "model.safetensors")] = lambda h, d, _: h.answer(200, d) or True
    place.run("pull", "hf:acme/tiny@v2", code=1, says="states no size or no digest of model.safetensors")


def check_lying_registry(place):
    gguf = b"GGUF" + bytes(1000)
    manifest = place.site.add_ollama("library/m", "latest", [("model", gguf)])

    def lie(change, says):
        bad = json.loads(json.dumps(manifest))
        change(bad)
        place.site.manifests[("library/m", "latest")] = json.dumps(bad).encode()
        place.run("pull", "ollama:m", "--retries", "1", code=1, says=says)
        assert not list((place.store / "manifests").rglob("latest")) if place.store.exists() else True

    lie(lambda m: m["layers"][0].update(digest="sha256:../../../../tmp/evil"), "no sha256 digest")
    lie(lambda m: m["layers"][0].update(size=-1), "negative")
    lie(lambda m: m["layers"][0].update(size=1 << 60), "2^50")
    lie(lambda m: m["layers"][0].update(size=999), "were announced")
    lie(lambda m: m["layers"].insert(0, dict(m["config"], mediaType="a\x1b[2Jb", size=9)), "a\\u001b[2Jb: 9 bytes were announced")
    lie(lambda m: m.update(layers=[]), "0 layers of kind 'model'")
    lie(lambda m: m["layers"][0].update(mediaType="application/vnd.ollama.image.tensor"), "tensor")
    lie(lambda m: m.pop("layers"), "no manifest with layers")
    place.site.faults[("manifest", "library/m")] = lambda h, data, _: h.answer(200, b"{}", {"Docker-Content-Digest": "sha256:0"}) or True
    place.run("pull", "ollama:m", code=1)


def check_token_and_gates(place):
    place.site.repos["acme/gated"] = tiny_repo(gated="manual", token=TOKEN)
    place.site.accounts[TOKEN] = "ada"
    place.run("pull", "hf:acme/gated", code=1,
              says=["is gated", "accept its terms", f"{place.site.url}/acme/gated", "/settings/tokens", "HF_TOKEN"])
    place.run("pull", "hf:acme/gated", code=1, env={"HF_TOKEN": "hf_wrong"}, says=["has no access", "HF_TOKEN"])
    place.run("pull", "hf:acme/none", code=1, says=["no such repository, or it is private or gated"])
    place.run("pull", "hf:acme/gated@v9", code=1, env={"HF_TOKEN": TOKEN}, says="no revision 'v9'")
    file = place.home / "token"
    file.write_text(TOKEN + "\n")
    place.run("pull", "hf:acme/gated", "--token-file", file)
    seen = place.site.requests("/signed/", "cdn")
    assert seen and all("Authorization" not in headers for _, _, _, headers in seen), "the token went to another host"
    assert all(h.get("Authorization") == "Bearer " + TOKEN for _, _, p, h in place.site.requests("/resolve/", "hub")[-3:])
    stored = b"".join(p.read_bytes() for p in (place.store / "models").rglob("*") if p.is_file())
    assert TOKEN.encode() not in stored
    # Where others look for it, too.
    (place.home / ".cache/huggingface").mkdir(parents=True)
    (place.home / ".cache/huggingface/token").write_text(TOKEN)
    shutil.rmtree(place.store)
    place.run("pull", "hf:acme/gated")
    # Never over a wire that others can read.
    place.run("pull", "hf:acme/gated@v2", code=1, env={"HF_ENDPOINT": "http://hub.test"}, says="the token is not sent")
    place.run("pull", "hf:acme/gated@v2", "--token-file", place.home / "none", code=1, says="none")


def check_doctor(place):
    place.site.repos["acme/gated"] = tiny_repo(gated="auto", token=TOKEN)
    place.site.accounts[TOKEN] = "ada"
    place.run("doctor", "hf:acme/gated", code=1, says=["none (no token)", "is gated", "gated: auto", "apache-2.0", "here: no"])
    place.run("doctor", "hf:acme/gated", code=1, env={"HF_TOKEN": "hf_wrong"}, says="does not know the token of HF_TOKEN")
    out = json.loads(place.run("doctor", "hf:acme/gated", "--json", env={"HF_TOKEN": TOKEN}))["hub"]
    assert out["account"] == {"name": "ada", "token": "HF_TOKEN"} and out["access"] == {"granted": True}, out
    assert out["files"]["fits"] and out["files"]["bytes_in_store"] == 0 and out["here"] is None, out
    place.run("pull", "hf:acme/gated", env={"HF_TOKEN": TOKEN})
    out = json.loads(place.run("doctor", "hf:acme/gated", "--json", env={"HF_TOKEN": TOKEN}))["hub"]
    assert out["here"] == "store" and out["files"]["bytes_in_store"] > 100000, out


def check_slow_servers(place):
    place.site.repos["acme/big"] = big_repo(1 << 20)
    place.site.faults[("bytes", "")] = slowly(1, 0.2)
    begin = time.time()
    place.run("pull", "hf:acme/big", "--timeout", "1", "--retries", "0", code=1, says="too slow")
    assert time.time() - begin < 20 * SLOW

    def silent(handler, *_):
        time.sleep(5)
        handler.drop()
        return True
    place.site.faults = {("api", "acme/big"): silent}
    begin = time.time()
    place.run("pull", "hf:acme/big", "--timeout", "1", "--retries", "0", code=1, says="too slow")
    assert time.time() - begin < 5 * SLOW


def check_interrupt(place):
    """Ctrl-C ends a pull at once, and keeps what has come."""
    place.site.repos["acme/big"] = big_repo()
    place.site.faults[("bytes", "")] = slowly(16 << 10, 0.05)
    child = place.start("pull", "hf:acme/big")
    wait_for(lambda: partial_size(place) > 0, "bytes")
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=10 * SLOW)
    assert child.returncode == 1 and "stopped" in err, err
    assert partial_size(place) > 0


def check_offline(place):
    place.site.repos["acme/tiny"] = tiny_repo()
    for env in ({"HF_HUB_OFFLINE": "1"}, {"GALEN_OFFLINE": "1"}):
        place.run("pull", "hf:acme/tiny", code=1, env=env, says="nothing is fetched offline")
    place.run("pull", "hf:acme/tiny", "--offline", code=1, says="nothing is fetched offline")
    assert not place.site.seen, "asked while offline"
    place.run("pull", "hf:acme/tiny")
    place.site.stop()
    place.run("pull", "hf:acme/tiny", "--offline", says="was there already")
    place.run("run", "hf:acme/tiny", "hello", "--raw", "--max-tokens", "2")
    place.run("pull", "hf:acme/tiny", "--retries", "0", code=1, says="is this machine online?")


def check_full_disk(place):
    repo = place.site.repos["acme/big"] = big_repo()
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))  # noqa: E731
    place.run("pull", "hf:acme/big", code=1, says=["File too large", "make room"], preexec_fn=limit)
    assert partial_size(place) > 0
    place.run("pull", "hf:acme/big")
    assert place.site.requests("/signed/", "cdn")[-1][3].get("Range"), "what had come was thrown away"
    place.run("list", "--check")
    place.run("import", TINY / "gemma3/q8_0.gguf", code=1, says="make room",
              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16)))
    assert not [b for b in place.blobs() if "import" in b], "the import left its half file"
    small = place.home / "small"
    small.mkdir()
    if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", small], capture_output=True).returncode:
        print("  (a small file system cannot be mounted here: a limit on file sizes stood for it)")
        return
    try:
        place.run("pull", "hf:acme/big", code=1, env={"GALEN_STORE": str(small)}, says=["the disk is full", "4 MB are to come"])
        # Room for it is kept from the beginning: a writer beside it does not take it away.
        repo.files["model.safetensors"] = repo.files["model.safetensors"][:1500 << 10]

        def fill(handler, data, begin):
            try:
                (small / "filler").write_bytes(bytes(4 << 20))
            except OSError:
                pass
            return False
        place.site.faults[("bytes", "")] = fill
        place.run("pull", "hf:acme/big", env={"GALEN_STORE": str(small)}, code=1, says="No space left")  # the manifest
        (small / "filler").unlink()
        place.run("pull", "hf:acme/big", env={"GALEN_STORE": str(small)})
    finally:
        subprocess.run(["umount", small], check=True)


def check_names(place):
    verbs = ("pull", "rm", "show") if SLOW == 1 else ("pull",)
    for name in ("hf:../x", "hf:a/../b", "hf:a/b/c", "hf:a/b@../x", "hf:a/b:../../x", "hf:", "hf:/x", "hf:a/b@", "hf:-x", "ollama:../x",
                 "ollama:a/b/c/d", "ollama:a:..", "ollama:x:y:z", "ollama:a//b", "hf:a\nb/c", "ollama:" + "a" * 300):
        for verb in verbs:
            place.run(verb, name, code=1, says="is no name of")
    place.run("pull", "medgemma", code=1, says="does not say where from")
    place.run("import", TINY / "gemma3/q8_0.gguf", "--name", "../x", code=1, says="cannot be the name of a model")
    place.run("import", TINY / "gemma3/q8_0.gguf", "--name", "hf:a/b", code=1)
    assert not place.site.seen and not list(place.home.rglob("*.json"))
    place.run("rm", code=2)


def check_unknown(place):
    place.site.repos["acme/medtiny"] = tiny_repo()
    place.run("pull", "hf:acme/medtiny")
    place.run("import", TINY / "gemma3/q8_0.gguf", "--name", "tinygemma")
    place.run("run", "hf:acme/medtinny", "x", code=1, says=["galen pull hf:acme/medtinny", "hf:acme/medtiny"])
    place.run("run", "tinygema", "x", code=1, says=["no file or directory 'tinygema'", "near it: tinygemma", "galen pull"])
    place.run("run", "ollama:none", "x", code=1, says=["galen pull ollama:none"])
    place.run("rm", "tinygema", code=1, says="did you mean tinygemma")
    place.run("run", "none.gguf", "x", code=1, says="no such file")


def check_shared_and_removed(place):
    place.site.repos["acme/one"] = tiny_repo()
    place.site.repos["acme/two"] = Repo(dict(tiny_repo().files, **{"config.json": tiny_repo().files["config.json"] + b"\n"}))
    gguf = (TINY / "gemma3/q8_0.gguf").read_bytes()
    place.site.add_ollama("library/q", "latest", [("model", gguf)])
    place.run("pull", "hf:acme/one")
    before = len(place.site.requests("/signed/"))
    place.run("pull", "hf:acme/two")
    assert len(place.site.requests("/signed/")) == before, "weights that are there were fetched again"
    place.run("import", TINY / "gemma3/q8_0.gguf", "--name", "q")
    place.run("pull", "ollama:q")
    assert not place.site.requests("/blobs/" + sha256(gguf), "cdn"), "content that was imported was fetched"
    out = json.loads(place.run("rm", "hf:acme/one", "--json"))
    assert out["kept_bytes"] > 100000 and out["freed_bytes"] < 5000, out
    assert tokens(place, "hf:acme/two") == tokens(place, TINY / "gemma3")
    place.run("rm", "q")
    assert tokens(place, "ollama:q") == tokens(place, TINY / "gemma3/q8_0.gguf")
    place.run("rm", "ollama:q")
    out = json.loads(place.run("rm", "hf:acme/two", "--json"))
    assert out["freed_bytes"] > 100000 and out["kept_bytes"] == 0, out
    assert place.blobs() == [] and not list((place.store / "views").iterdir()), place.blobs()
    place.run("rm", "hf:acme/two", code=1, says="the store has no hf:acme/two")


def check_import(place):
    folder = place.home / "my-model"
    shutil.copytree(TINY / "gemma3", folder, ignore=shutil.ignore_patterns("expected*", "*.gguf"))
    (folder / "README.md").write_bytes(CARD)
    (folder / "LICENSE:odd").write_bytes(b"odd")
    place.run("import", folder, code=1, says="cannot have the name 'LICENSE:odd'")
    assert not place.blobs()
    (folder / "LICENSE:odd").unlink()
    place.run("import", folder, says="other (house-terms)")
    same = tokens(place, folder)
    shutil.rmtree(folder)
    assert tokens(place, "my-model") == same
    vision = TINY / "gemma3-vision"
    place.run("import", vision / "q8_0.gguf", "--name", "sees", "--mmproj", vision / "mmproj-f16.gguf")
    assert "mmproj-f16.gguf" in place.run("show", "sees", "--json")
    place.run("import", TINY / "llama/q8_0.gguf", "--name", "sees", code=1, says=["another model", "--replace"])
    place.run("import", TINY / "llama/q8_0.gguf", "--name", "sees", "--replace")
    assert tokens(place, "sees") == tokens(place, TINY / "llama/q8_0.gguf")
    bad = place.home / "bad.gguf"
    bad.write_bytes(b"GGUF no")
    place.run("import", bad, code=1)
    assert {m["name"] for m in place.list("--check")["models"]} == {"my-model", "sees"}


def check_damage(place):
    place.site.repos["acme/tiny"] = tiny_repo()
    place.run("pull", "hf:acme/tiny")
    blob = place.store / "blobs" / ("sha256-" + sha256(tiny_repo().files["model.safetensors"]))
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    os.chmod(blob, 0o644)
    blob.write_bytes(data)
    place.run("list", "--check", code=1, says=["DAMAGED", "its digest is another", "galen rm NAME"])
    place.run("rm", "hf:acme/tiny")
    place.run("pull", "hf:acme/tiny")
    place.run("list", "--check")
    blob.unlink()
    place.run("show", "hf:acme/tiny", code=1, says=["model.safetensors of hf:acme/tiny is missing", "galen pull hf:acme/tiny"])
    place.run("pull", "hf:acme/tiny", "--offline", code=1)
    place.run("pull", "hf:acme/tiny")
    # Views are made anew from the blobs.
    shutil.rmtree(place.store / "views")
    place.run("show", "hf:acme/tiny")
    (manifest,) = (place.store / "models").rglob("*.json")
    manifest.write_text("{")
    place.run("list", code=1, says="unreadable")
    place.run("rm", "--unused", code=1, says="nothing is removed")
    place.run("pull", "hf:acme/tiny")
    place.run("list", "--check")


def check_other_stores(place):
    """Ollama's store and Hugging Face's cache, read where they lie."""
    gguf = (TINY / "gemma3/q8_0.gguf").read_bytes()
    ollama = place.home / ".ollama/models"
    manifest = place.site.add_ollama("library/theirs", "latest", [("model", gguf), ("license", b"Their terms")])
    for digest in [layer["digest"] for layer in manifest["layers"] + [manifest["config"]]]:
        blob = ollama / "blobs" / digest.replace(":", "-")
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(place.site.bytes[digest[7:]])
    path = ollama / "manifests/registry.ollama.ai/library/theirs/latest"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(manifest))
    cache = place.home / ".cache/huggingface/hub/models--acme--cached"
    (cache / "blobs").mkdir(parents=True)
    (cache / "refs").mkdir()
    (cache / "refs/main").write_text(COMMIT)
    snapshot = cache / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for name, data in tiny_repo().files.items():
        digest = sha256(data) if name.endswith(".safetensors") else git_sha1(data)
        (cache / "blobs" / digest).write_bytes(data)
        (snapshot / name).symlink_to(f"../../blobs/{digest}")
    models = {m["name"]: m for m in place.list("--check")["models"]}
    assert models["ollama:theirs:latest"]["place"] == "ollama" and models["ollama:theirs:latest"]["license"] == "Their terms", models
    assert models["hf:acme/cached"]["place"] == "hf-cache" and all(m["check"] == "ok" for m in models.values()), models
    assert tokens(place, "hf:acme/cached") == tokens(place, TINY / "gemma3")
    assert tokens(place, "ollama:theirs") == tokens(place, TINY / "gemma3/q8_0.gguf")
    place.run("rm", "hf:acme/cached", code=1, says="is not galen's")
    place.run("rm", "ollama:theirs:latest", code=1, says="ollama rm")
    (cache / "blobs" / git_sha1(CARD)).write_bytes(b"x" * len(CARD))
    place.run("list", "--check", code=1, says="README.md is damaged")


def check_proxies(place):
    place.site.repos["acme/tiny"] = tiny_repo()
    proxy = f"http://127.0.0.1:{place.site.hub.server_port}"
    place.site.repos["acme/tiny"].lfs = set()  # all bytes from the hub itself
    place.run("pull", "hf:acme/tiny", env={"HF_ENDPOINT": "http://hub.test", "http_proxy": proxy})
    assert all(h["Host"] == "hub.test" for _, _, _, h in place.site.seen)
    dead = {"http_proxy": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    place.run("pull", "hf:acme/tiny", env=dead)
    place.run("pull", "hf:acme/tiny", "--retries", "0", env={"http_proxy": "http://127.0.0.1:9"}, code=1)
    # What goes to this machine without TLS shows its token to no proxy.
    place.run("pull", "hf:acme/tiny@v2", "--retries", "0", env={"http_proxy": "http://127.0.0.1:9", "HF_TOKEN": TOKEN})


def check_served(place):
    """`galen serve` takes the same names."""
    place.site.repos["acme/tiny"] = tiny_repo()
    place.run("pull", "hf:acme/tiny")
    child = place.start("serve", "hf:acme/tiny", "--port", "0", "--threads", "1")
    try:
        line = child.stdout.readline()
        assert "http://127.0.0.1:" in line, line
        import urllib.request
        with urllib.request.urlopen(line[line.index("http://"):].split()[0].rstrip("/") + "/api/tags", timeout=30) as answer:
            assert json.load(answer)["models"][0]["name"] == "acme/tiny"
    finally:
        child.terminate()
        child.communicate(timeout=60 * SLOW)


def check_tls(folder):
    """A certificate that nobody vouches for is refused; SSL_CERT_FILE names who does. Redirects never leave TLS."""
    key, cert = Path(folder) / "key.pem", Path(folder) / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    place = Place(folder, context)
    place.site.repos["acme/tiny"] = tiny_repo()
    place.run("pull", "hf:acme/tiny", "--retries", "0", code=1, says="SSL_CERT_FILE")
    assert not place.site.seen
    trusted = {"SSL_CERT_FILE": str(cert)}
    place.run("pull", "hf:acme/tiny", env=trusted, code=1, says="without TLS")
    assert not place.site.requests("/signed/", "cdn")
    place.site.repos["acme/tiny"].lfs = set()
    place.run("pull", "hf:acme/tiny", env=trusted)
    place.run("list", "--check")
    place.site.stop()


# With sanitizers: what reads the network's and the disk's bytes.
SANITIZED = ["hub_model", "liars", "lying_registry", "killed_anywhere", "other_stores", "import"]


def main():
    words = sys.argv[1:] or (SANITIZED if SLOW > 1 else [])
    failed = 0
    for name, check in list(globals().items()):
        if not name.startswith("check_") or (words and not any(word in name for word in words)):
            continue
        begin = time.time()
        with tempfile.TemporaryDirectory(prefix="galen_store_") as folder:
            try:
                if name == "check_tls":
                    check(folder)
                else:
                    place = Place(folder)
                    check(place)
                    threading.Thread(target=place.site.stop, daemon=True).start()
                print(f"ok      {name[6:]} ({time.time() - begin:.1f} s)")
            except Exception as error:  # noqa: BLE001
                failed += 1
                print(f"FAILED  {name[6:]}: {type(error).__name__}: {error}")
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
