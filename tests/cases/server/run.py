#!/usr/bin/env python3
"""`galen serve` from outside, over real sockets: what each interface answers, what is refused and how, what hostile and broken
clients get, and that nothing of a request stands in the log. GALEN_BIN names the program; tiny random models of the tree are served.

    run.py [NAME...]    only the checks whose name holds one of the words
"""

import base64
import contextlib
import gzip
import http.client
import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "bad_input"))
from gguf_edit import STRING, Gguf  # noqa: E402

TINY = HERE.parents[1] / "parity/models/tiny"
GALEN = os.environ.get("GALEN_BIN", "galen")
SLOW = 10 if os.environ.get("GALEN_SLOW") else 1
SMOLLM = Path(os.environ.get("GALEN_MODELS", Path.home() / ".cache/galen/models")) / "SmolLM2-135M-Instruct.Q4_1.gguf"
PLANTED = ["Mustermann-Xq7", "1964-08-12-Xq7", "gk_planted_secret"]


class Server:
    """A running server; its log is kept."""

    def __init__(self, *args, models=("tiny=" + str(TINY / "gemma3-vision"),)):
        self.log = tempfile.TemporaryFile("w+")
        command = [GALEN, "serve", *models, "--port", "0", "--context", "8192", "--threads", "2", *map(str, args)]
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.child.stdout.readline()
        match = re.search(r":(\d+)$", line.strip())
        if not match:
            self.child.wait()
            raise AssertionError(f"the server did not start: {line} {self.read_log()}")
        self.port = int(match[1])

    def read_log(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read()

    def stop(self, code=0):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        rc = self.child.wait(timeout=60 * SLOW)
        assert rc == code, f"the server ended with {rc}: {self.read_log()[-2000:]}"

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self.child.kill()
            self.child.wait()
            print("  log:", self.read_log()[-1500:])
        else:
            self.stop()
        self.child.stdout.close()
        self.log.close()

    def kill(self):
        self.child.kill()
        self.child.wait()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120 * SLOW)

    def call(self, method, path, body=None, headers=None, raw=False):
        connection = self.connect()
        try:
            data = body if raw or body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
            reply = connection.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read()
        finally:
            connection.close()

    def post(self, path, body, code=200, headers=None):
        status, _, data = self.call("POST", path, body, headers)
        assert status == code, f"{path} {json.dumps(body)[:200]}: {status} {data[:400]}"
        return json.loads(data)

    def get(self, path, code=200, headers=None):
        status, _, data = self.call("GET", path, headers=headers)
        assert status == code, f"{path}: {status} {data[:300]}"
        return json.loads(data)

    def metric(self, name):
        _, _, data = self.call("GET", "/metrics")
        found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", data.decode(), re.M)
        return sum(map(float, found))


def chat(text, **more):
    return {"model": "tiny", "messages": [{"role": "user", "content": text}], "temperature": 0, "max_tokens": 16, **more}


def sse(data):
    events = [line[6:] for line in data.decode().split("\n\n") if line.startswith("data: ")]
    assert events and events[-1] == "[DONE]", data[-200:]
    return [json.loads(e) for e in events[:-1]]


def png(width=40, height=30):
    rows = b"".join(b"\0" + bytes((x * 5 + y * 3) % 256 for x in range(width) for _ in range(3)) for y in range(height))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def raw(server, data, wait=5.0, half_close=False):
    """What the server answers to these bytes until it closes or `wait` is over."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=wait * SLOW) as s:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
        got = b""
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while piece := s.recv(65536):
                got += piece
        return got


# --- OpenAI

def check_chat(server):
    whole = server.post("/v1/chat/completions", chat("Hello there", n=2, logprobs=True, top_logprobs=3))
    assert whole["object"] == "chat.completion" and len(whole["choices"]) == 2
    first = whole["choices"][0]
    assert first["message"]["role"] == "assistant" and first["finish_reason"] in ("stop", "length")
    assert whole["choices"][1]["message"] == first["message"], "greedy answers are equal"
    entries = first["logprobs"]["content"]
    assert len(entries) == whole["usage"]["completion_tokens"] / 2
    assert all(len(e["top_logprobs"]) == 3 and e["logprob"] <= 0 for e in entries)
    assert entries[0]["logprob"] == entries[0]["top_logprobs"][0]["logprob"], "greedy takes the most likely"
    usage = whole["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    again = server.post("/v1/chat/completions", chat("Hello there"))
    assert again["choices"][0]["message"]["content"] == first["message"]["content"]
    seeded = [server.post("/v1/chat/completions", chat("Hi", temperature=1, seed=7))["choices"] for _ in range(2)]
    assert seeded[0] == seeded[1], "one seed, one answer"


def check_stream(server):
    for extra in ({}, {"n": 2}, {"logprobs": True, "top_logprobs": 1}, {"temperature": 1, "seed": 3}, {"stop": ["e"]}):
        whole = server.post("/v1/chat/completions", chat("Tell me", **extra))
        body = chat("Tell me", **extra, stream=True, stream_options={"include_usage": True})
        status, headers, data = server.call("POST", "/v1/chat/completions", body)
        assert status == 200 and headers["Content-Type"].startswith("text/event-stream")
        events = sse(data)
        assert events[-1]["choices"] == [] and events[-1]["usage"]["completion_tokens"] == whole["usage"]["completion_tokens"]
        for choice in whole["choices"]:
            mine = [c for e in events for c in e["choices"] if c["index"] == choice["index"]]
            assert mine[0]["delta"]["role"] == "assistant"
            text = "".join(c["delta"].get("content", "") for c in mine)
            assert text == choice["message"]["content"], f"{extra}: streamed {text!r}, whole {choice['message']['content']!r}"
            assert [c["finish_reason"] for c in mine if c["finish_reason"]] == [choice["finish_reason"]]
            if "logprobs" in extra:
                tokens = [t for c in mine if c["logprobs"] for t in c["logprobs"]["content"]]
                assert tokens == choice["logprobs"]["content"]


def check_stop_and_bias(server):
    free = server.post("/v1/chat/completions", chat("Go", max_tokens=24))["choices"][0]["message"]["content"]
    stop = free[3:5]
    cut = server.post("/v1/chat/completions", chat("Go", max_tokens=24, stop=stop))["choices"][0]
    assert cut["message"]["content"] == free[:free.index(stop)] and cut["finish_reason"] == "stop"
    first = server.post("/v1/completions", {"prompt": "a", "max_tokens": 1, "logprobs": 1, "temperature": 0})
    banned = first["choices"][0]["logprobs"]["tokens"][0]
    ids = server.post("/v1/completions", {"prompt": "a", "max_tokens": 1, "temperature": 0, "logprobs": 1,
                                          "logit_bias": {str(i): -100 for i in range(0, 104) if i != 60}})
    assert ids["choices"][0]["logprobs"]["tokens"][0] != banned or banned == ids["choices"][0]["text"]


def check_completions(server):
    prompt = [2, 10, 20, 30, 40, 50]
    body = {"model": "tiny", "prompt": prompt, "max_tokens": 1, "echo": True, "logprobs": 2, "temperature": 0}
    choice = server.post("/v1/completions", body)["choices"][0]
    logprobs = choice["logprobs"]
    assert len(logprobs["tokens"]) == len(prompt) + 1 == len(logprobs["token_logprobs"]) == len(logprobs["text_offset"])
    assert logprobs["token_logprobs"][0] is None and logprobs["top_logprobs"][0] is None
    assert all(x <= 0 for x in logprobs["token_logprobs"][1:])
    for x, top in zip(logprobs["token_logprobs"][1:], logprobs["top_logprobs"][1:]):
        assert x in top.values() and max(top.values()) >= x
    # The next token of a shorter prompt has the log-probability that the longer one's echo says.
    for cut in (3, 5):
        shorter = server.post("/v1/completions", {**body, "prompt": prompt[:cut], "max_tokens": 0})["choices"][0]["logprobs"]
        assert shorter["token_logprobs"][1:] == logprobs["token_logprobs"][1:cut], "the past does not see the future"
    many = server.post("/v1/completions", {**body, "prompt": [prompt, prompt[:4], "text"], "n": 2})["choices"]
    assert [c["index"] for c in many] == list(range(6))
    assert many[0]["logprobs"] == many[1]["logprobs"] == logprobs
    text = server.post("/v1/completions", {"model": "tiny", "prompt": "abc", "max_tokens": 8, "temperature": 0, "echo": True})
    assert text["choices"][0]["text"].startswith("abc")
    _, _, data = server.call("POST", "/v1/completions", {"model": "tiny", "prompt": "abc", "max_tokens": 8, "temperature": 0,
                                                        "echo": True, "stream": True})
    assert "".join(e["choices"][0]["text"] for e in sse(data)) == text["choices"][0]["text"]


def check_images(server):
    url = "data:image/png;base64," + base64.b64encode(png()).decode()
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What is this?"}]
    seen = server.post("/v1/chat/completions", {**chat(""), "messages": [{"role": "user", "content": parts}]})
    blind = server.post("/v1/chat/completions", chat("What is this?"))
    assert seen["usage"]["prompt_tokens"] > blind["usage"]["prompt_tokens"]
    ollama = server.post("/api/chat", {"model": "tiny", "stream": False, "options": {"temperature": 0, "num_predict": 16},
                                       "messages": [{"role": "user", "content": "What is this?",
                                                     "images": [base64.b64encode(png()).decode()]}]})
    assert ollama["message"]["content"] == seen["choices"][0]["message"]["content"], "both interfaces see the same"
    for bad in ("http://127.0.0.1:1/x.png", "file:///etc/passwd", "data:image/png;base64,AAAA", "data:image/png;base64,%%%"):
        parts[0]["image_url"]["url"] = bad
        error = server.post("/v1/chat/completions", {**chat(""), "messages": [{"role": "user", "content": parts}]}, 400)["error"]
        assert error["param"] == "messages[0].content[0].image_url", error


SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean"}, "n": {"type": "integer", "minimum": 1, "maximum": 99}},
          "required": ["ok", "n"], "additionalProperties": False}


def check_bad_schemas(server):
    for bad, where in (({"type": "object", "unevaluatedGadget": 1}, "unevaluatedGadget"), ({"type": "nothing"}, "type")):
        error = server.post("/v1/chat/completions", chat("x", response_format={"type": "json_schema", "json_schema": {
            "name": "x", "schema": bad}}), 400)["error"]
        assert where in error["message"] and error["param"] == "response_format.json_schema.schema", error


def check_schema(_):
    """With a real model: the vocabularies of the tiny ones cannot spell JSON."""
    if SLOW > 1 or not SMOLLM.is_file():
        print(f"     schema: left out ({'sanitized' if SLOW > 1 else f'{SMOLLM} is not there: tools/fetch_models.py'})")
        return
    with Server(models=(f"tiny={SMOLLM}",)) as server:
        schema_answers(server)


def schema_answers(server):
    for extra in ({}, {"temperature": 1, "seed": 5}, {"logprobs": True}):
        ask = chat("Report", max_tokens=60, reasoning_effort="none", **extra, response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}})
        choice = server.post("/v1/chat/completions", ask)["choices"][0]
        value = json.loads(choice["message"]["content"])
        assert choice["finish_reason"] == "stop" and set(value) == {"ok", "n"} and 1 <= value["n"] <= 99, value
        _, _, data = server.call("POST", "/v1/chat/completions", {**ask, "stream": True})
        assert "".join(e["choices"][0]["delta"].get("content", "") for e in sse(data)) == choice["message"]["content"]
    answer = server.post("/api/chat", {"model": "tiny", "stream": False, "format": SCHEMA, "think": False, "options": {"temperature": 0},
                                       "messages": [{"role": "user", "content": "Report"}]})["message"]["content"]
    assert set(json.loads(answer)) == {"ok", "n"}
    free = server.post("/api/generate", {"model": "tiny", "stream": False, "format": "json", "think": False, "prompt": "x",
                                         "options": {"temperature": 0, "num_predict": 60}})
    assert free["response"].lstrip().startswith("{")
    if free["done_reason"] == "stop":
        assert isinstance(json.loads(free["response"]), dict)


def check_models(server):
    assert [m["id"] for m in server.get("/v1/models")["data"]] == ["tiny"]
    assert server.get("/v1/models/tiny")["id"] == "tiny"
    assert "did you mean 'tiny'" in server.get("/v1/models/tinny", 404)["error"]["message"]
    error = server.post("/v1/chat/completions", {**chat("x"), "model": "tyni"}, 404)["error"]
    assert error["type"] == "not_found_error" and "did you mean 'tiny'" in error["message"]
    assert "not found" in server.post("/api/chat", {"model": "zzz", "messages": []}, 404)["error"]


def check_embeddings(server):
    def vectors(value, **more):
        answer = server.post("/v1/embeddings", {"model": "tiny", "input": value, **more})
        assert [d["index"] for d in answer["data"]] == list(range(len(answer["data"])))
        return [d["embedding"] for d in answer["data"]]

    texts = ["Hello there", "Hello", "word " * 300]
    together_, alone = vectors(texts), [vectors(t)[0] for t in texts]
    assert together_ == alone, "a text has the same vector whoever is beside it"
    for vector in alone:
        assert abs(sum(x * x for x in vector) - 1) < 1e-5
    coded = vectors(texts, encoding_format="base64")
    assert [list(struct.unpack(f"<{len(alone[0])}f", base64.b64decode(c))) for c in coded] == \
        [list(struct.unpack(f"<{len(v)}f", struct.pack(f"<{len(v)}f", *v))) for v in alone]
    assert vectors("Hello", pooling="mean") != vectors("Hello", pooling="last") == [alone[1]]
    ids = [2, 10, 20, 30]
    usage = server.post("/v1/embeddings", {"model": "tiny", "input": [ids, ids[:2]]})["usage"]
    assert usage == {"prompt_tokens": 6, "total_tokens": 6} and vectors([ids])[0] == vectors(ids)[0]
    new = server.post("/api/embed", {"model": "tiny", "input": texts})
    close = lambda a, b: max(abs(x - y) for x, y in zip(a, b)) < 1e-6
    assert all(close(a, b) for a, b in zip(new["embeddings"], alone)) and new["prompt_eval_count"] > 3
    old = server.post("/api/embeddings", {"model": "tiny", "prompt": "Hello"})["embedding"]
    length = sum(x * x for x in old) ** 0.5
    assert abs(length - 1) > 1e-3 and close([x / length for x in old], alone[1]), "the old form does not normalise"
    assert server.post("/api/embed", {"model": "tiny"})["embeddings"] == []
    size = len(alone[0])
    assert len(vectors("x", dimensions=size)[0]) == size
    for field, value in (("dimensions", size - 1), ("encoding_format", "int8"), ("pooling", "cls"), ("input", []), ("input", {}),
                         ("input", [[200000]]), ("input", [1, "x"]), ("input", "word " * 9000), ("unknown", 1), ("input", ["x"] * 257)):
        error = server.post("/v1/embeddings", {"model": "tiny", "input": "x", field: value}, 400)["error"]
        assert error["param"] == field, error
    assert server.post("/v1/embeddings", {"model": "tiny"}, 400)["error"]["param"] == "input"


def check_adapters(_):
    base, adapters = TINY / "gemma3", HERE.parents[1] / "parity/adapters/tiny"
    ask = {"prompt": [2, 10, 20, 30], "max_tokens": 6, "temperature": 0, "logprobs": 1, "echo": True}
    models = (f"tiny={base}",)
    options = ("--compute", "fp32", "--batch-invariant", "--adapter", f"all={adapters / 'gemma3-all'}",
               "--adapter", f"tiny:dora={adapters / 'gemma3-dora'}")
    with Server("--compute", "fp32", "--batch-invariant", models=models) as server:
        plain = server.post("/v1/completions", ask)["choices"]
        vector = server.post("/v1/embeddings", {"input": "Hello"})["data"]
    with Server(*options, models=models) as server:
        assert [m["id"] for m in server.get("/v1/models")["data"]] == ["tiny", "tiny:all", "tiny:dora"]
        assert len({m["digest"] for m in server.get("/api/tags")["models"]}) == 3
        one = {n: server.post("/v1/completions", {**ask, "model": n})["choices"] for n in ("tiny", "tiny:all", "tiny:dora")}
        assert one["tiny"] == plain, "the base without adapters has the bits that it has alone"
        assert len({json.dumps(c) for c in one.values()}) == 3, "each adapter answers in its own way"
        names = ["tiny", "tiny:all", "tiny:dora"] * 4
        results = together(server, [{**ask, "model": n} for n in names], "/v1/completions")
        assert [json.loads(r[2])["choices"] for r in results] == [one[n] for n in names], "side by side as alone"
        vectors = {n: server.post("/v1/embeddings", {"input": "Hello", "model": n})["data"] for n in one}
        assert vectors["tiny"] == vector and len({json.dumps(v) for v in vectors.values()}) == 3
        assert "did you mean 'tiny" in server.post("/v1/completions", {**ask, "model": "tiny:al"}, 404)["error"]["message"]
    for bad in ("nothing", f"x={adapters / 'nothing'}", f"latest={adapters / 'gemma3-all'}", f"n={adapters / 'gemma3-norms'}"):
        done = subprocess.run([GALEN, "serve", *models, "--port", "0", "--context", "64", "--adapter", bad], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and done.stderr.startswith("galen: "), (bad, done)


# --- Tools

TOOLS = [{"type": "function", "function": {
    "name": "get_lab_value", "description": "A laboratory value of a patient", "parameters": {
        "type": "object", "properties": {"patient": {"type": "integer", "minimum": 1, "maximum": 999},
                                         "test": {"type": "string", "enum": ["sodium", "potassium"]}},
        "required": ["patient", "test"]}}},
    {"type": "function", "function": {"name": "page_doctor", "parameters": {
        "type": "object", "properties": {"urgent": {"type": "boolean"}}, "required": ["urgent"]}}}]


def expect_call(name, arguments):
    if name == "page_doctor":
        assert set(arguments) == {"urgent"} and isinstance(arguments["urgent"], bool), arguments
    else:
        assert name == "get_lab_value" and set(arguments) == {"patient", "test"}, (name, arguments)
        assert 1 <= arguments["patient"] <= 999 and arguments["test"] in ("sodium", "potassium"), arguments


@contextlib.contextmanager
def tool_models():
    """A real model under its own template, which knows no tools, and under those of Qwen2.5 and Llama 3.1."""
    with tempfile.TemporaryDirectory() as folder:
        models = [f"words={SMOLLM}"]
        for name, template in (("tagged", "qwen2.5"), ("llama", "llama3.1")):
            gguf = Gguf(SMOLLM.read_bytes())
            gguf.fields["tokenizer.chat_template"] = (STRING, (HERE.parent / f"templates/sources/{template}.jinja").read_text())
            path = Path(folder) / f"{name}.gguf"
            path.write_bytes(gguf.bytes())
            models.append(f"{name}={path}")
        with Server(models=models) as server:
            yield server


def check_tools(_):
    if SLOW > 1 or not SMOLLM.is_file():
        print(f"     tools: left out ({'sanitized' if SLOW > 1 else f'{SMOLLM} is not there: tools/fetch_models.py'})")
        return
    with tool_models() as server:
        for model in ("words", "tagged", "llama"):
            tool_answers(server, model)


def tool_answers(server, model):
    ask = {**chat("What is the sodium of patient 7?", max_tokens=60), "model": model, "tools": TOOLS}
    whole_set = model == "words"  # the other forms differ in how calls are asked for and read, not in the rest
    for choice in ("required", {"type": "function", "function": {"name": "page_doctor"}}):
        for extra in ({}, {"temperature": 1, "seed": 3}) if whole_set else ({},):
            whole = server.post("/v1/chat/completions", {**ask, "tool_choice": choice, **extra})["choices"]
            _, _, data = server.call("POST", "/v1/chat/completions", {**ask, "tool_choice": choice, **extra, "stream": True})
            for answer in whole:
                message = answer["message"]
                assert message["content"] is None and message["tool_calls"], message
                streamed = {}
                mine = [c for e in sse(data) for c in e["choices"] if c["index"] == answer["index"]]
                for call in (c for part in mine for c in part["delta"].get("tool_calls", [])):
                    entry = streamed.setdefault(call["index"], {"name": call["function"].get("name"), "arguments": "", "id": call.get("id")})
                    entry["arguments"] += call["function"]["arguments"]
                assert mine[0]["delta"]["role"] == "assistant" and all(s["id"].startswith("call_") for s in streamed.values())
                calls = [c["function"] for c in message["tool_calls"]]
                assert [{"name": s["name"], "arguments": s["arguments"]} for s in streamed.values()] == calls
                assert [c["finish_reason"] for c in mine if c["finish_reason"]] == [answer["finish_reason"]]
                if answer["finish_reason"] == "length":
                    calls.pop()  # cut off
                else:
                    assert answer["finish_reason"] == "tool_calls"
                for call in calls:
                    expect_call(call["name"], json.loads(call["arguments"]))
                    assert isinstance(choice, str) or call["name"] == "page_doctor"
    cut = server.post("/v1/chat/completions", {**ask, "tool_choice": "required", "max_tokens": 3})["choices"][0]
    assert cut["finish_reason"] == "length"
    # A call, its result, and what the model makes of it.
    call = {"id": "call_1", "type": "function", "function": {"name": "get_lab_value", "arguments": '{"patient": 7, "test": "sodium"}'}}
    messages = ask["messages"] + [{"role": "assistant", "content": None, "tool_calls": [call]},
                                  {"role": "tool", "tool_call_id": "call_1", "content": "139 mmol/L"}]
    told = server.post("/v1/chat/completions", {**ask, "messages": messages, "tool_choice": "none", "max_tokens": 12})
    assert told["choices"][0]["message"]["content"] and "tool_calls" not in told["choices"][0]["message"]
    untold = server.post("/v1/chat/completions", {**ask, "messages": messages[:1], "tool_choice": "none", "max_tokens": 12})
    assert told["usage"]["prompt_tokens"] > untold["usage"]["prompt_tokens"] + 10, "the result is in the prompt"
    offered = server.post("/v1/chat/completions", {**ask, "max_tokens": 12})
    assert offered["usage"]["prompt_tokens"] > untold["usage"]["prompt_tokens"] + 60, "the functions are in the prompt"
    # Words or calls, as the model likes: what is a call fits its schema, what is not has none of a call's signs.
    for seed in range(3 if whole_set else 1):
        answer = server.post("/v1/chat/completions", {**ask, "temperature": 1.2, "seed": seed, "max_tokens": 40})["choices"][0]
        calls = answer["message"].get("tool_calls", [])
        for call in calls[:-1] if answer["finish_reason"] == "length" else calls:
            expect_call(call["function"]["name"], json.loads(call["function"]["arguments"]))
        text = answer["message"]["content"] or ""
        assert "<tool_call>" not in text if model == "tagged" else not text.lstrip().startswith("{"), text
    # Ollama's interface.
    body = {"model": model, "messages": ask["messages"], "tools": TOOLS, "options": {"temperature": 1, "seed": 3, "num_predict": 40}}
    whole = server.post("/api/chat", {**body, "stream": False})
    _, _, data = server.call("POST", "/api/chat", body)
    lines = [json.loads(x) for x in data.splitlines()]
    assert "".join(x["message"]["content"] for x in lines) == whole["message"]["content"]
    streamed = [c["function"] for x in lines for c in x["message"].get("tool_calls", [])]
    assert streamed == [c["function"] for c in whole["message"].get("tool_calls", [])]
    for call in streamed:
        expect_call(call["name"], call["arguments"])
    result = [{"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "page_doctor", "arguments": {"urgent": True}}}]},
              {"role": "tool", "content": "paged", "tool_name": "page_doctor"}]
    more = server.post("/api/chat", {**body, "stream": False, "messages": ask["messages"] + result})
    assert more["prompt_eval_count"] > whole["prompt_eval_count"]


def check_wrong_tools(server):
    function = lambda **more: {"type": "function", "function": {"name": "f", **more}}
    for tools, param in (([{}], "tools[0].function"), ([5], "tools[0]"), ([function(name="a b")], "tools[0].function.name"),
                         ([function(), function()], "tools[1].function.name"), ([function(parameters=[])], "tools[0].function.parameters"),
                         ([function(parameters={"type": "string"})], "tools[0].function.parameters"),
                         ([{"type": "custom"}], "tools[0].type"), ([function(more=1)], "tools[0].function.more"),
                         ([function()] * 129, "tools"), ([function(parameters={"type": "object", "gadget": 1})], "tools")):
        error = server.post("/v1/chat/completions", chat("x", tools=tools), 400)["error"]
        assert error["param"] == param, error
    for choice, param in (("any", "tool_choice"), ({"type": "function", "function": {"name": "g"}}, "tool_choice.function.name"),
                          ({"type": "allowed_tools"}, "tool_choice.type"), ({"type": "function"}, "tool_choice.function")):
        error = server.post("/v1/chat/completions", chat("x", tools=[function()], tool_choice=choice), 400)["error"]
        assert error["param"] == param, error
    assert "'f'" in server.post("/v1/chat/completions", chat("x", tools=[function(parameters={"gadget": 1})]), 400)["error"]["message"]
    error = server.post("/v1/chat/completions", chat("x", tools=[function()], response_format={"type": "json_object"}), 400)["error"]
    assert error["param"] == "response_format"
    for call in ({}, {"function": {}}, {"function": {"name": "f", "arguments": "{"}}, {"function": {"name": "f", "arguments": "[]"}}):
        body = chat("x")
        body["messages"] += [{"role": "assistant", "tool_calls": [call]}]
        assert server.post("/v1/chat/completions", body, 400)["error"]["param"] == "messages[1].tool_calls"
    server.post("/v1/chat/completions", chat("x", tools=[], tool_choice="none"))


# --- Ollama

def check_ollama(server):
    status, _, data = server.call("GET", "/")
    assert (status, data) == (200, b"Ollama is running") and server.call("HEAD", "/")[0] == 200
    # Browsers ask for HTML and get the page (tests/cases/web).
    status, headers, data = server.call("GET", "/", headers={"Accept": "text/html,application/xhtml+xml"})
    assert status == 200 and b"/ui/app.js" in gzip.decompress(data) and "script-src 'self'" in headers["Content-Security-Policy"]
    status, headers, data = server.call("GET", "/ui/app.js", headers={"If-None-Match": server.call("GET", "/ui/app.js")[1]["ETag"]})
    assert (status, data) == (304, b"") and "Content-Length" not in headers and server.call("GET", "/ui/nothing")[0] == 404
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
    for method, path in (("POST", "/api/pull"), ("POST", "/api/create"), ("DELETE", "/api/delete"), ("POST", "/api/copy")):
        status, _, data = server.call(method, path, {"model": "x"})
        assert status == 501 and "galen serve" in json.loads(data)["error"]


def check_unload(server):
    assert server.post("/api/generate", {"model": "tiny", "keep_alive": 0})["done_reason"] == "unload"
    deadline = time.monotonic() + 10 * SLOW
    while server.get("/api/ps")["models"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert server.post("/v1/chat/completions", chat("back"))["choices"]


# --- Wrong requests

CHAT_TYPES = {"model": 7, "messages": "text", "temperature": "hot", "top_p": [], "max_tokens": 1.5, "max_completion_tokens": "x",
              "n": 0, "seed": "s", "stop": 5, "stream": "yes", "stream_options": [], "logprobs": 1, "top_logprobs": -1,
              "frequency_penalty": 3, "presence_penalty": "x", "logit_bias": [1], "reasoning_effort": "huge", "top_k": 0.5,
              "min_p": 2, "repetition_penalty": 0, "response_format": {"type": "xml"}, "tools": [{}], "tool_choice": "required",
              "functions": [1], "audio": {}, "parallel_tool_calls": 1, "store": True, "unknown_field": 1}
COMPLETION_TYPES = {"prompt": {"a": 1}, "max_tokens": -1, "logprobs": True, "echo": "x", "best_of": 4, "suffix": "x", "n": 99}
OLLAMA_TYPES = {"model": [], "messages": {}, "stream": 1, "options": "x", "keep_alive": "soon", "think": 3, "tools": [1],
                "format": "xml", "unknown": 1}
MESSAGES = [5, {}, {"role": "user"}, {"role": "king", "content": "x"}, {"role": "user", "content": 5},
            {"role": "user", "content": [{"type": "video"}]}, {"role": "user", "content": [{"type": "text", "text": 1}]},
            {"role": "user", "content": [{"type": "image_url"}]}, {"role": "user", "content": "x", "more": 1}]


def check_wrong_types(server):
    for field, value in CHAT_TYPES.items():
        error = server.post("/v1/chat/completions", {**chat("x"), field: value}, 400)["error"]
        assert field in error["message"] and (error["param"] or "").startswith(field), f"{field}: {error}"
    for field, value in COMPLETION_TYPES.items():
        error = server.post("/v1/completions", {"model": "tiny", "prompt": "x", field: value}, 400)["error"]
        assert field in error["message"] and error["param"] == field, f"{field}: {error}"
    for field, value in OLLAMA_TYPES.items():
        error = server.post("/api/chat", {"model": "tiny", "messages": [], field: value}, 400)["error"]
        assert field in error, f"{field}: {error}"
    for message in MESSAGES:
        error = server.post("/v1/chat/completions", {**chat("x"), "messages": [message]}, 400)["error"]
        assert error["param"].startswith("messages[0]"), f"{message}: {error}"
    for option, value in {"temperature": "x", "top_k": -1, "num_predict": "many", "stop": 1, "mirostat": 1, "seed": 0.5}.items():
        error = server.post("/api/generate", {"model": "tiny", "prompt": "x", "options": {option: value}}, 400)["error"]
        assert "options." + option in error, error
    for body in ("", "{", "[]", "5", '"x"', '{"model": "tiny", "messages": [}', "\xff", "[" * 100000, '{"a":' * 5000 + "1" + "}" * 5000):
        status, _, data = server.call("POST", "/v1/chat/completions", body.encode("latin-1"), raw=True)
        assert status == 400 and json.loads(data)["error"]["message"], f"{body[:20]}: {status}"
    for number in ("NaN", "Infinity", "1e999", "-1e999"):
        status, _, _ = server.call("POST", "/v1/chat/completions", b'{"model":"tiny","messages":[{"role":"user","content":"x"}],'
                                   b'"temperature":' + number.encode() + b"}", raw=True)
        assert status == 400, number
    long = server.post("/v1/chat/completions", chat("word " * 5000), 400)["error"]["message"]
    assert "context" in long
    assert server.call("GET", "/v1/chat/completions")[0] == 405 and server.get("/nothing", 404)["error"]


def check_harmless_fields(server):
    server.post("/v1/chat/completions", chat("x", user="u", metadata={}, tools=[], tool_choice="auto", store=False, stop=None,
                                             response_format={"type": "text"}, parallel_tool_calls=True, service_tier="auto"))
    server.post("/api/chat", {"model": "tiny", "stream": False, "messages": [{"role": "user", "content": "x"}], "truncate": True,
                              "options": {"num_predict": 2, "num_gpu": 99, "num_thread": 4, "some_new_option": 1}, "format": ""})


# --- Hostile and broken clients

def check_http_limits(server):
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
    assert b" 413 " in raw(server, head + b"Content-Length: 99999999999\r\n\r\n")
    assert raw(server, head + b"Content-Length: 99999999999999999999999\r\n\r\n").startswith(b"HTTP/1.1 4")
    assert b" 400 " in raw(server, head + b"Content-Length: -1\r\n\r\n")
    assert b" 400 " in raw(server, head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    assert b" 400 " in raw(server, head + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x")
    assert b" 400 " in raw(server, head + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nx\r\n")
    assert b" 400 " in raw(server, head + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx\r\n")
    assert b" 431 " in raw(server, head + b"X: " + b"a" * 100000 + b"\r\n\r\n")
    assert b" 400 " in raw(server, b"\x16\x03\x01\x02\x00 what is this\r\n\r\n")
    assert b" 400 " in raw(server, b"GET health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b" 400 " in raw(server, b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n")
    assert b" 403 " in raw(server, b"GET /health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert b" 403 " in raw(server, b"GET /health HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n")
    assert b" 200 " in raw(server, b"GET /health HTTP/1.0\r\n\r\n")
    assert raw(server, b"", wait=1, half_close=True) == b""
    assert raw(server, head + b"Content-Length: 50\r\n\r\n{\"mod", half_close=True) == b"", "half a body"
    # Two requests at once are answered one after the other.
    twice = raw(server, b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2, wait=1)
    assert twice.count(b"HTTP/1.1 200 OK") == 2
    expecting = raw(server, head + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", wait=3)
    assert expecting.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400"), expecting[:80]
    # HTTP/1.0 clients (proxies) get streams without chunks.
    body = json.dumps(chat("x", stream=True)).encode()
    old = raw(server, b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert b"chunked" not in old and old.endswith(b"data: [DONE]\n\n")


def check_slow_clients(_):
    with Server("--header-timeout", 1, "--body-timeout", 1, "--write-timeout", 2) as server:
        for start in (b"GET /hea", b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"):
            with socket.create_connection(("127.0.0.1", server.port), timeout=20 * SLOW) as s:
                s.sendall(start)
                begin = time.monotonic()
                with contextlib.suppress(OSError):
                    for _ in range(100):  # a byte now and then does not help
                        s.sendall(b"a")
                        s.settimeout(0.1)
                        with contextlib.suppress(TimeoutError):
                            if s.recv(1000) == b"":
                                break
                assert time.monotonic() - begin < 6 * SLOW, "a slow client kept its connection"
        # Many of them keep nobody else out.
        slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
        for s in slow:
            s.sendall(b"GET /")
        begin = time.monotonic()
        assert server.get("/health/live")["status"] == "ok" and time.monotonic() - begin < 1 * SLOW
        for s in slow:
            s.close()


def check_cancellation(server):
    before = server.metric("galen_requests_cancelled_total")
    for path, body in (("/v1/chat/completions", chat("Count", max_tokens=8000, stream=True, logit_bias={"2": -100, "5": -100})),
                       ("/v1/chat/completions", chat("Count", max_tokens=8000, logit_bias={"2": -100, "5": -100}))):
        data = json.dumps(body).encode()
        s = socket.create_connection(("127.0.0.1", server.port))
        s.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(data)) + data)
        if body.get("stream"):
            s.recv(100)
        else:
            time.sleep(0.05)
        s.close()
    deadline = time.monotonic() + 20 * SLOW
    while server.metric("galen_requests_running") + server.metric("galen_requests_waiting") > 0:
        assert time.monotonic() < deadline, "a client that left is still served"
        time.sleep(0.02)
    assert server.metric("galen_requests_cancelled_total") > before


def together(server, bodies, path="/v1/chat/completions"):
    results = [None] * len(bodies)

    def one(i):
        results[i] = server.call("POST", path, bodies[i])

    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(bodies))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results


def check_alone_and_together(_):
    with Server("--batch-invariant", "--max-sequences", 16) as server:
        bodies = [chat(f"Question {i} " + "word " * i, max_tokens=24, temperature=1, seed=i, logprobs=True) for i in range(16)]
        alone = [json.loads(server.call("POST", "/v1/chat/completions", b)[2])["choices"] for b in bodies]
        for status, _, data in (results := together(server, bodies)):
            assert status == 200, data
        assert [json.loads(r[2])["choices"] for r in results] == alone, "the others in the batch change an answer"


def check_images_and_answers_together(server):
    """Images, scores and embeddings are computed between the steps of running answers; nothing of that changes any of them."""
    url = lambda i: "data:image/png;base64," + base64.b64encode(png(40 + i, 30)).decode()
    seen = lambda i: {**chat(""), "seed": i, "messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": url(i)}}, {"type": "text", "text": "What is this?"}]}]}
    requests = [("/v1/chat/completions", seen(i)) for i in range(4)]
    requests += [("/v1/chat/completions", chat(f"Question {i}", max_tokens=150)) for i in range(4)]
    requests += [("/v1/completions", {"prompt": [2] + list(range(10, 90)) * 9, "max_tokens": 0, "echo": True, "logprobs": 1}),
                 ("/v1/embeddings", {"input": ["word " * 500, "x"]})] * 2
    results = [None] * len(requests)

    def one(i):
        results[i] = server.call("POST", *requests[i])

    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(requests))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for (path, body), (status, _, data) in zip(requests, results):
        assert status == 200, data
        alone, answer = server.post(path, body), json.loads(data)
        key = "data" if "data" in answer else "choices"
        assert answer[key] == alone[key], f"{path}: another answer than alone"


def check_back_pressure(_):
    with Server("--max-queue", 2, "--max-sequences", 1) as server:
        bodies = [chat(f"{i}", max_tokens=1200, logit_bias={"2": -100, "5": -100}) for i in range(12)]
        results = together(server, bodies)
        codes = [r[0] for r in results]
        assert set(codes) == {200, 429} and codes.count(200) >= 1, codes
        refused = next(r for r in results if r[0] == 429)
        assert int(refused[1]["Retry-After"]) >= 1 and json.loads(refused[2])["error"]["type"] == "rate_limit_error"
        assert server.metric("galen_requests_refused_total") == codes.count(429)


def check_drain(_):
    server = Server("--drain-timeout", 30)
    with server:
        result = []
        body = chat("long", max_tokens=2500, stream=True, logit_bias={"2": -100, "5": -100})
        thread = threading.Thread(target=lambda: result.append(server.call("POST", "/v1/chat/completions", body)))
        thread.start()
        deadline = time.monotonic() + 20 * SLOW
        while server.metric("galen_requests_running") == 0 and time.monotonic() < deadline and not result:
            time.sleep(0.005)
        idle = socket.create_connection(("127.0.0.1", server.port))
        server.stop()
        thread.join()
        assert result[0][0] == 200 and len(sse(result[0][2])) > 100, "what ran at the signal was not finished"
        assert idle.recv(10) == b""
        idle.close()


def check_keys(_):
    made = subprocess.run([GALEN, "serve", "--new-key", "ward"], capture_output=True, text=True, check=True).stdout
    key = re.search(r"gk_[0-9a-f]{64}", made)[0]
    other = re.search(r"gk_[0-9a-f]{64}", subprocess.run([GALEN, "serve", "--new-key", "lab"], capture_output=True, text=True).stdout)
    with tempfile.NamedTemporaryFile("w", suffix=".keys") as file:
        file.write(re.search(r"ward sha256:.*", made)[0] + "\n")
        file.flush()
        with Server("--api-keys", file.name) as server:
            assert server.get("/health/live")["status"] == "ok"
            for header in ({}, {"Authorization": "Bearer " + other[0]}, {"Authorization": key}, {"Authorization": "Bearer"}):
                assert server.get("/v1/models", 401, header)["error"]["type"] == "authentication_error"
            # Refused before the body is read.
            assert b" 401 " in raw(server, b"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
            assert server.get("/v1/models", 200, {"Authorization": "Bearer " + key})["data"]
            assert server.get("/nothing", 401)["error"]
            assert key not in server.read_log() and other[0] not in server.read_log()
    for args in (["--host", "0.0.0.0"], ["--api-keys", "/nonexistent"], ["--tls-cert", "/nonexistent"]):
        done = subprocess.run([GALEN, "serve", str(TINY / "gemma3/q8_0.gguf"), "--context", "64", "--port", "0", *args],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and done.stderr.startswith("galen: "), done


def check_log_is_clean(server):
    name, date, key = PLANTED
    for body in (chat(name), {**chat("x"), "messages": name}, {**chat("x"), name: date}, {**chat("x"), "model": name}):
        server.call("POST", "/v1/chat/completions", body, {"Authorization": "Bearer " + key})
    server.call("POST", "/v1/chat/completions", f'{{"{name}": {date}'.encode(), raw=True)
    server.call("GET", f"/{name}?birth={date}")
    server.call("POST", "/api/generate", {"model": "tiny", "prompt": name, "system": date, "options": {name: 1, "num_predict": 8}})
    log = server.read_log()
    assert '"route":"/v1/chat/completions"' in log and '"status":404' in log
    for text in PLANTED:
        assert text not in log, f"the log holds {text}"


def audit(*args, code=0):
    done = subprocess.run([GALEN, "audit", *map(str, args)], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done
    return done.stdout


def check_audit(_):
    name, date, key = PLANTED
    made = subprocess.run([GALEN, "serve", "--new-key", "ward"], capture_output=True, text=True, check=True).stdout
    good = {"Authorization": "Bearer " + re.search(r"gk_[0-9a-f]{64}", made)[0]}
    with tempfile.TemporaryDirectory() as folder:
        log, keys, picture = Path(folder) / "audit.log", Path(folder) / "keys", Path(folder) / "x.png"
        keys.write_text(re.search(r"ward sha256:.*", made)[0] + "\n")
        picture.write_bytes(png())
        options = ("--audit", log, "--api-keys", keys)
        body = chat(f"{name} born {date}")
        body["messages"][0]["content"] = [{"type": "text", "text": f"{name} born {date}"}, {"type": "image_url", "image_url": {
            "url": "data:image/png;base64," + base64.b64encode(png()).decode()}}]
        with Server(*options) as server:
            server.post("/v1/chat/completions", body, headers=good)
            server.post("/v1/embeddings", {"input": name}, headers=good)
            server.post("/v1/completions", {"prompt": [name, date], "max_tokens": 2}, headers=good)
            server.post("/api/generate", {"model": "tiny", "prompt": name, "stream": False, "options": {"num_predict": 2}}, headers=good)
            server.post("/v1/chat/completions", {**chat("x"), name: date}, 400, headers=good)
            server.post("/v1/chat/completions", body, 401, headers={"Authorization": "Bearer " + key})
            second = subprocess.run([GALEN, "serve", str(TINY / "gemma3/q8_0.gguf"), "--port", "0", "--context", "64", "--audit", str(log)],
                                    capture_output=True, text=True, timeout=60)
            assert second.returncode == 1 and "another process" in second.stderr, second
            server_log = server.read_log()
        for text in PLANTED:
            assert text not in log.read_text() and text not in server_log, f"{text} was recorded"
        records = [json.loads(line) for line in audit("tail", log, "-n", 1000).splitlines()]
        starts, ends = ([r for r in records if r["event"] == e] for e in ("start", "end"))
        assert [r["route"] for r in starts] == ["/v1/chat/completions", "/v1/embeddings", "/v1/completions", "/api/generate"]
        assert {r["key"] for r in starts} == {"ward"} and len(starts[2]["prompts"]) == 2
        assert all(len(r["weights"]) == 64 and r["model"] == "tiny" and r["prompt_tokens"] > 0 for r in starts)
        assert sorted(r["outcome"] for r in ends) == ["answered"] * 4 + ["denied", "refused"]
        assert {r["id"] for r in starts} <= {r["id"] for r in ends}
        assert starts[0]["media"] == [audit("digest", log, picture).strip()], "an image is known by its file"
        head = json.loads(audit("verify", log, "--json"))["head"]
        # Killed while it answers: what was acknowledged is there, what is torn is cut off and said.
        with Server(*options) as server:
            s = socket.create_connection(("127.0.0.1", server.port))
            data = json.dumps(chat(name, max_tokens=4000, stream=True, logit_bias={"2": -100, "5": -100})).encode()
            s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n"
                      % (good["Authorization"].encode(), len(data)) + data)
            assert s.recv(12) == b"HTTP/1.1 200"
            server.kill()
            s.close()
            server.stop(-signal.SIGKILL)
            server.stop = lambda: None
        assert audit("verify", log, "--head", head).startswith(str(len(records) + 2) + " records"), "opened, start"
        with log.open("a") as file:
            file.write('{"seq":99,"time":"20')
        assert json.loads(audit("verify", log, "--json"))["torn_bytes"] == 20
        with Server(*options):
            pass
        assert "1 torn lines" in audit("verify", log, "--head", head)
        assert '"torn_bytes":20' in log.read_text()
        log.write_text(log.read_text().replace('"status":200', '"status":201', 1))
        assert "was changed" in subprocess.run([GALEN, "audit", "verify", log], capture_output=True, text=True).stderr
        audit("verify", log, code=1)


def check_tls(server):
    with tempfile.TemporaryDirectory() as folder:
        cert, key = Path(folder) / "cert.pem", Path(folder) / "key.pem"
        made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                               "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                               "-keyout", key, "-out", cert], capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        with Server("--tls-cert", cert, "--tls-key", key) as secure:
            trusting = ssl.create_default_context(cafile=cert)
            connection = http.client.HTTPSConnection("localhost", secure.port, context=trusting, timeout=60 * SLOW)
            for stream in (False, True, False):  # one connection
                connection.request("POST", "/v1/chat/completions", json.dumps(chat("Hello", stream=stream)),
                                   {"Content-Type": "application/json"})
                reply = connection.getresponse()
                data = reply.read()
                assert reply.status == 200, data
                text = "".join(e["choices"][0]["delta"].get("content", "") for e in sse(data)) if stream else \
                    json.loads(data)["choices"][0]["message"]["content"]
                assert text == server.post("/v1/chat/completions", chat("Hello"))["choices"][0]["message"]["content"]
            assert connection.sock.version() in ("TLSv1.2", "TLSv1.3")
            connection.close()
            with contextlib.suppress(ssl.SSLCertVerificationError):
                http.client.HTTPSConnection("localhost", secure.port, timeout=10).request("GET", "/health/live")
                raise AssertionError("an unknown certificate was trusted")
            old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
            with contextlib.suppress(ssl.SSLError, OSError, ValueError):
                old.minimum_version = ssl.TLSVersion.TLSv1
                old.maximum_version = ssl.TLSVersion.TLSv1_1
                old.wrap_socket(socket.create_connection(("localhost", secure.port)), server_hostname="localhost")
                raise AssertionError("TLS 1.1 was accepted")
            assert not raw(secure, b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n", wait=3).startswith(b"HTTP/1.1 200"), "plain text"
            # A client that leaves in the middle of a stream ends its request.
            s = trusting.wrap_socket(socket.create_connection(("localhost", secure.port)), server_hostname="localhost")
            data = json.dumps(chat("Count", max_tokens=8000, stream=True, logit_bias={"2": -100, "5": -100})).encode()
            s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
            assert s.recv(12).startswith(b"HTTP/1.1 200")
            s.close()
            health = http.client.HTTPSConnection("localhost", secure.port, context=trusting, timeout=60 * SLOW)
            deadline = time.monotonic() + 20 * SLOW
            while True:
                health.request("GET", "/metrics")
                running = re.search(r"^galen_requests_running\S* (\d+)", health.getresponse().read().decode(), re.M)[1]
                if running == "0":
                    break
                assert time.monotonic() < deadline, "a client that left is still served"
                time.sleep(0.02)
            health.close()
    for args in (["--tls-cert", "/nonexistent", "--tls-key", "/nonexistent"], ["--tls-key", "/nonexistent"]):
        done = subprocess.run([GALEN, "serve", str(TINY / "gemma3/q8_0.gguf"), "--context", "64", "--port", "0", *args],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and done.stderr.startswith("galen: "), done


def check_status(server):
    assert server.get("/health/ready")["models"] == {"tiny": "loaded"} and server.get("/health")["status"] == "ok"
    _, headers, data = server.call("GET", "/metrics")
    assert headers["Content-Type"].startswith("text/plain")
    for line in data.decode().splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) .*|[a-z_]+(\{([a-z]+=\"[^\"]*\",?)*\})? [0-9.e+-]+(Inf)?", line), line
    described = server.get("/openapi.json")
    assert described["openapi"].startswith("3.") and "/v1/chat/completions" in described["paths"]
    for name in ("Content-Security-Policy", "X-Content-Type-Options", "Cache-Control", "X-Request-Id"):
        assert name in headers, name
    assert not any(h.lower().startswith("access-control") for h in headers)


def check_two_models(_):
    models = [f"a={TINY / 'gemma3/q8_0.gguf'}", f"b={TINY / 'gemma3-vision'}"]
    with Server("--on-demand", "--keep-alive", "1", models=models) as server:
        assert server.get("/api/ps")["models"] == []
        bodies = [{**chat("x", max_tokens=4), "model": m} for m in "abab"]
        assert all(r[0] in (200, 400) for r in together(server, bodies))
        assert {m["name"] for m in server.get("/api/ps")["models"]} <= {"a", "b"}
        assert "'model' is missing" in server.post("/v1/chat/completions", {"messages": []}, 400)["error"]["message"]
        deadline = time.monotonic() + 20 * SLOW
        while server.get("/api/ps")["models"]:
            assert time.monotonic() < deadline, "idle models stay"
            time.sleep(0.1)
    with Server("--on-demand", "--memory", "0.000001", models=models) as server:
        status, headers, data = server.call("POST", "/v1/chat/completions", {**chat("x"), "model": "b"})
        assert status == 503 and "needs" in json.loads(data)["error"]["message"] and "Retry-After" in headers, data


def main():
    checks = {name[6:]: fn for name, fn in globals().items() if name.startswith("check_")}
    words = sys.argv[1:]
    chosen = {n: f for n, f in checks.items() if not words or any(w in n for w in words)}
    failed = 0
    with Server("--batch-invariant") as shared:
        for name, check in chosen.items():
            begin = time.monotonic()
            try:
                check(shared)
                print(f"ok   {name} ({time.monotonic() - begin:.1f} s)", flush=True)
            except Exception as error:  # every check is run; the first fault must not hide the rest
                failed += 1
                print(f"FAIL {name}: {type(error).__name__}: {error}", flush=True)
                if os.environ.get("GALEN_TRACE"):
                    import traceback
                    traceback.print_exc()
    print(f"{len(chosen) - failed} of {len(chosen)} checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
