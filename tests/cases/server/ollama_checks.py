"""Ollama's interface."""

import gzip
import json
import subprocess
import tempfile
import time

from serving import GALEN, SLOW, SMOLLM, TINY, Server, chat


def check_ollama(server):
    status, _, data = server.call("GET", "/")
    assert (status, data) == (200, b"Ollama is running") and server.call("HEAD", "/")[0] == 200
    # Browsers ask for HTML and get the page (tests/cases/web).
    status, headers, data = server.call("GET", "/", headers={"Accept": "text/html,application/xhtml+xml"})
    assert status == 200 and b"/ui/app.js" in data and "script-src 'self'" in headers["Content-Security-Policy"]
    status, headers, data = server.call("GET", "/ui/app.js", headers={"If-None-Match": server.call("GET", "/ui/app.js")[1]["ETag"]})
    assert (status, data) == (304, b"") and "Content-Length" not in headers and server.call("GET", "/ui/nothing")[0] == 404
    # Compressed for who takes that alone: a program that says nothing, or forbids it, gets the bytes.
    seen = {}
    for wish, packed in (("gzip, deflate, br", True), ("*;q=0.1", True), ("identity", False), ("gzip;q=0", False), ("br", False), ("", False)):
        _, headers, data = server.call("GET", "/ui/app.js", headers={"Accept-Encoding": wish})
        assert (headers.get("Content-Encoding") == "gzip") == packed and "Accept-Encoding" in headers["Vary"], (wish, headers)
        seen.setdefault(packed, set()).add((headers["ETag"], gzip.decompress(data) if packed else data))
    (packed,), (plain,) = seen[True], seen[False]
    assert packed[1] == plain[1] and packed[0] != plain[0] and len(plain[1]) > 1000
    again = {"If-None-Match": packed[0], "Accept-Encoding": "identity"}
    assert server.call("GET", "/ui/app.js", headers=again)[0] == 200, "the tag is of the other coding"
    assert "version" in server.get("/api/version")
    tags = server.get("/api/tags")["models"][0]
    assert tags["name"] == "tiny" and "vision" in tags["capabilities"] and tags["size"] > 0
    shown = server.post("/api/show", {"model": "tiny", "verbose": True})
    assert shown["details"]["family"] == "gemma3" and shown["template"] and shown["tensors"]
    options = {"temperature": 0, "num_predict": 12, "num_ctx": 4096}
    body = {"model": "tiny:latest", "messages": [{"role": "user", "content": "Hello"}], "options": options}
    whole = server.post("/api/chat", {**body, "stream": False})
    assert whole["done"] and whole["done_reason"] in ("stop", "length") and whole["eval_count"] > 0
    for field in ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration", "prompt_eval_count"):
        assert isinstance(whole[field], int) and whole[field] >= 0, field
    status, headers, data = server.call("POST", "/api/chat", body)
    lines = [json.loads(x) for x in data.splitlines()]
    assert headers["Content-Type"] == "application/x-ndjson" and lines[-1]["done"] and not lines[0]["done"]
    assert "".join(x["message"]["content"] for x in lines) == whole["message"]["content"]
    same = server.post("/v1/chat/completions", chat("Hello", max_tokens=12))
    assert same["choices"][0]["message"]["content"] == whole["message"]["content"]
    generated = server.post("/api/generate", {"model": "tiny", "prompt": "Hello", "options": options, "stream": False})
    assert generated["response"] == whole["message"]["content"]
    assert server.post("/api/generate", {"model": "tiny", "stream": False})["done_reason"] == "load"
    assert [m["name"] for m in server.get("/api/ps")["models"]] == ["tiny"]


def check_quantization_levels(_):
    """As Ollama writes them: what the file says, or the type of its matrices."""
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run([GALEN, "quantize", str(TINY / "gemma3"), f"{folder}/nf4", "--type", "nf4"], capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        models = [f"q8={TINY / 'gemma3/q8_0.gguf'}", f"f32={TINY / 'llama/f32.gguf'}", f"bf16={TINY / 'gemma3-vision'}", f"nf4={folder}/nf4", "galen-mini"]
        wanted = {"q8": "Q8_0", "f32": "F32", "bf16": "BF16", "nf4": "NF4", "galen-mini": "INT8"}
        gemma = SMOLLM.with_name("gemma-3-270m-q4_k_m.gguf")
        if gemma.is_file():  # whose embedding table, of another type, has most of the weights
            models.append(f"gemma={gemma}")
            wanted["gemma"] = "Q4_K_M"
        with Server("--on-demand", models=models) as server:
            told = {m["name"]: m["details"]["quantization_level"] for m in server.get("/api/tags")["models"]}
            assert told == wanted, told
            for name, level in wanted.items():
                assert server.post("/api/show", {"model": name})["details"]["quantization_level"] == level, name


def check_unload(server):
    assert server.post("/api/generate", {"model": "tiny", "keep_alive": 0})["done_reason"] == "unload"
    deadline = time.monotonic() + 10 * SLOW
    while server.get("/api/ps")["models"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert server.post("/v1/chat/completions", chat("back"))["choices"]
