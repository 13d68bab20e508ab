#!/usr/bin/env python3
"""Open WebUI, as PyPI has it, in front of `galen serve`: its OpenAI and its Ollama connections lead to the same two servers. What its
page does is done through its REST API: the first user signs up, connections are verified, models listed, chats held (whole, streamed, with
a picture, to a schema, left in the middle, and as the page sends them, with its own functions and the making of a title), texts embedded,
a document uploaded, indexed and found. $GALEN_BIN is the program; tiny random models are served, and a real one of $GALEN_MODELS.

    run.py [NAME...]        only the checks whose name holds one of the words
    run.py --install        only make its environment: 240 packages, 2.2 GB in $GALEN_CACHE, 5 minutes

It is left without torch: that is for its own embeddings, and here galen makes them. It reaches nothing but galen: OFFLINE_MODE.
"""

import base64
import contextlib
import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "cases/server")]
import environment  # noqa: E402
import serving  # noqa: E402

START_SECONDS, ANSWER_SECONDS = 300, 600


class WebUi:
    """Open WebUI on a loopback port of its own, its data in `folder`, in front of two servers; `api` calls it as the signed-up user."""

    def __init__(self, python, galen, far, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url, other = (f"http://127.0.0.1:{server.port}" for server in (galen, far))
        self.urls, self.far, self.token = [self.url, other], far, None
        own = {"DATA_DIR": folder, "HOME": folder, "WEBUI_SECRET_KEY": secrets.token_hex(16), "OFFLINE_MODE": "true", "HF_HUB_OFFLINE": "1",
               "ENABLE_VERSION_UPDATE_CHECK": "false", "ANONYMIZED_TELEMETRY": "false", "SCARF_NO_ANALYTICS": "true", "DO_NOT_TRACK": "true",
               "ENABLE_OPENAI_API": "true", "OPENAI_API_BASE_URLS": f"{self.url}/v1;{other}/v1", "OPENAI_API_KEYS": "none;none", "ENABLE_OLLAMA_API": "true",
               "OLLAMA_BASE_URLS": ";".join(self.urls), "RAG_EMBEDDING_ENGINE": "ollama", "RAG_OLLAMA_BASE_URL": self.url, "RAG_EMBEDDING_MODEL": "tiny",
               "CHAT_RESPONSE_MAX_TOOL_CALL_ITERATIONS": "1", "WEBUI_AUTH": "true", "ENABLE_SIGNUP": "true", "NO_PROXY": "*", "no_proxy": "*"}
        self.log = open(Path(folder) / "log", "w+b")
        self.child = subprocess.Popen([python.with_name("open-webui"), "serve", "--host", "127.0.0.1", "--port", str(self.port)], cwd=folder,
                                      stdout=self.log, stderr=subprocess.STDOUT, env={**os.environ, **own})
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError, AssertionError):
                if self.api("GET", "/health")["status"]:
                    return
            assert self.child.poll() is None and time.monotonic() < deadline, f"Open WebUI did not start: {self.said()}"
            time.sleep(0.5)

    def said(self, most=3000):
        self.log.seek(0)
        return self.log.read()[-most:].decode(errors="replace")

    def stop(self):
        self.child.terminate()
        try:
            self.child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def send(self, method, path, body=None, kind="application/json"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        headers = {"Content-Type": kind, "Accept": "application/json"}
        if self.token:
            headers["Authorization"] = "Bearer " + self.token
        connection.request(method, path, body if isinstance(body, (bytes, type(None))) else json.dumps(body), headers)
        return connection, connection.getresponse()

    def api(self, method, path, body=None, code=200, **more):
        connection, reply = self.send(method, path, body, **more)
        data = reply.read()
        connection.close()
        assert reply.status == code, f"{method} {path}: {reply.status} {data[:600]}"
        return json.loads(data) if data else None

    def stream(self, path, body):
        """The JSON of each line or event."""
        connection, reply = self.send("POST", path, body)
        data = reply.read().decode()
        connection.close()
        assert reply.status == 200, f"{path}: {reply.status} {data[:600]}"
        lines = [line.removeprefix("data: ") for line in data.splitlines() if line.strip()]
        return [json.loads(line) for line in lines if line != "[DONE]"]


def ask(model, text="Hello", **more):
    content = text if isinstance(text, (str, list)) else json.dumps(text)
    return {"model": model, "messages": [{"role": "user", "content": content}], "temperature": 0, "max_tokens": 12, **more}


def content(events):
    return "".join(choice["delta"].get("content") or "" for event in events for choice in event.get("choices", []))


def check_connections(ui, galen):
    told = ui.api("POST", "/openai/verify", {"url": ui.url + "/v1", "key": "none"})
    assert "tiny" in [m["id"] for m in told["data"]], told
    told = ui.api("POST", "/ollama/verify", {"url": ui.url, "key": ""})
    assert "version" in told, told
    assert ui.api("GET", "/ollama/api/version")["version"]
    assert "tiny" in [m["model"].removeprefix("ollama.") for m in ui.api("GET", "/ollama/api/tags")["models"]]
    ui.api("GET", "/ollama/api/ps")


def check_models(ui, galen):
    models = {m["id"]: m["owned_by"] for m in ui.api("GET", "/api/models")["data"]}
    assert models.get("tiny") == "openai" and models.get("ollama.tiny") == "ollama", models
    told = ui.api("GET", "/openai/models/0")
    assert [m["id"] for m in told["data"]] == ["tiny", "words"], told


def check_chat(ui, galen):
    """The answer of each connection is galen's own."""
    direct = galen.post("/v1/chat/completions", {**ask("tiny"), "model": "tiny"})["choices"][0]["message"]["content"]
    for model in ("tiny", "ollama.tiny"):
        body = ask(model, **({} if model == "tiny" else {"options": {"temperature": 0, "num_predict": 12}}))
        whole = ui.api("POST", "/api/chat/completions", {**body, "stream": False})
        assert whole["choices"][0]["message"]["content"] == direct, (model, whole)
        assert whole["usage"]["completion_tokens"] > 0, whole
        events = ui.stream("/api/chat/completions", {**body, "stream": True, "stream_options": {"include_usage": True}})
        assert content(events) == direct, (model, events)
        assert any(e.get("usage") for e in events), events[-2:]


def check_images(ui, galen):
    url = "data:image/png;base64," + base64.b64encode(serving.png()).decode()
    parts = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": url}}]
    for model in ("tiny", "ollama.tiny"):
        used = [ui.api("POST", "/api/chat/completions", {**ask(model, text), "stream": False})["usage"]["prompt_tokens"] for text in ("What?", parts)]
        assert used[1] > used[0], (model, used)


def check_schema(ui, galen):
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"], "additionalProperties": False}
    shape = {"type": "json_schema", "json_schema": {"name": "flag", "strict": True, "schema": schema}}
    for model in ("words", "ollama.words"):
        got = ui.api("POST", "/api/chat/completions", ask(model, "Report", stream=False, response_format=shape, max_tokens=60))
        assert isinstance(json.loads(got["choices"][0]["message"]["content"])["ok"], bool), got


def check_tools(ui, galen):
    tool = {"type": "function", "function": {"name": "page_doctor", "description": "Pages", "parameters": {
        "type": "object", "properties": {"urgent": {"type": "boolean"}}, "required": ["urgent"]}}}
    got = ui.api("POST", "/api/chat/completions", ask("words", "Page the doctor", stream=False, tools=[tool], tool_choice="required", max_tokens=60))
    call = got["choices"][0]["message"]["tool_calls"][0]["function"]
    assert call["name"] == "page_doctor" and isinstance(json.loads(call["arguments"])["urgent"], bool)


def check_leaving(ui, galen):
    """Who closes the page ends the answer."""
    for model in ("long", "ollama.long"):
        before = ui.far.metric("galen_requests_cancelled_total")
        form = {"temperature": 0} if model == "long" else {"options": {"temperature": 0}}
        connection, reply = ui.send("POST", "/api/chat/completions", {**ask(model, stream=True, max_tokens=7000), **form})
        assert reply.status == 200 and reply.read(200), reply.status
        reply.close()
        connection.close()
        deadline = time.monotonic() + 60
        while ui.far.metric("galen_requests_cancelled_total") == before:
            assert time.monotonic() < deadline, f"{model}: the server knows of no client that left"
            time.sleep(0.05)


def check_errors(ui, galen):
    """What galen refuses arrives in its words."""
    for model, wrong in (("tiny", {"temperature": 9}), ("ollama.tiny", {"options": {"top_k": -5}})):
        connection, reply = ui.send("POST", "/api/chat/completions", {**ask(model), **wrong, "stream": False})
        data = reply.read().decode()
        connection.close()
        assert reply.status == 400 and next(iter(wrong)).replace("options", "top_k") in data, (model, reply.status, data)


def check_embeddings(ui, galen):
    vectors = []
    for model in ("tiny", "ollama.tiny"):
        made = ui.api("POST", "/api/embeddings", {"model": model, "input": ["Hello", "there"]})
        vectors.append([d["embedding"] for d in made["data"]])
        assert len(vectors[-1]) == 2, made
    assert max(abs(a - b) for x, y in zip(*vectors) for a, b in zip(x, y)) < 1e-5


def check_native(ui, galen):
    """Ollama's interface passed through."""
    whole = ui.api("POST", "/ollama/api/chat", {"model": "ollama.tiny", "messages": [{"role": "user", "content": "Hello"}], "stream": False,
                                                "options": {"temperature": 0, "num_predict": 12}})
    lines = ui.stream("/ollama/api/chat", {"model": "ollama.tiny", "messages": [{"role": "user", "content": "Hello"}], "stream": True,
                                           "options": {"temperature": 0, "num_predict": 12}})
    assert lines[-1]["done"] and "".join(x["message"]["content"] for x in lines) == whole["message"]["content"]
    assert ui.stream("/ollama/api/generate", {"model": "ollama.tiny", "prompt": "Hello", "options": {"num_predict": 4}})[-1]["done"]
    assert len(ui.api("POST", "/ollama/api/embed", {"model": "ollama.tiny", "input": ["a", "b"]})["embeddings"]) == 2
    # Its OpenAI form of Ollama's connection.
    assert ui.api("POST", "/ollama/v1/chat/completions", ask("ollama.tiny", stream=False))["choices"]


def held(ui, galen, model, text, **params):
    """A chat as the page starts it: what its database holds of the answer in the end."""
    user, answer = str(uuid.uuid4()), str(uuid.uuid4())
    message = {"id": user, "parentId": None, "role": "user", "content": text, "timestamp": int(time.time()), "models": [model]}
    chat = ui.api("POST", "/api/chat/completions", {
        "model": model, "stream": True, "messages": [{"role": "user", "content": text}], "parent_id": None, "user_message": message,
        "message_ids": [{"model_id": model, "message_id": answer}], "session_id": str(uuid.uuid4()), "features": {}, "variables": {},
        "params": {"max_tokens": 24, "temperature": 0, "system": "You are brief.", **params},
        "background_tasks": {"title_generation": True, "tags_generation": True, "follow_up_generation": True}})["chat_id"]
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        stored = ui.api("GET", f"/api/v1/chats/{chat}")["chat"]["history"]["messages"].get(answer, {})
        if stored.get("done") or stored.get("error"):
            break
        assert time.monotonic() < deadline, f"{model}: no answer: {stored} {ui.said()}"
        time.sleep(0.5)
    quiet = 0  # titles, tags and questions to go on with are asked for in the background
    while quiet < 3:
        quiet = 0 if galen.metric("galen_requests_running") + galen.metric("galen_requests_waiting") else quiet + 1
        time.sleep(0.5)
    return stored


def check_page(ui, galen):
    """Its two dozen functions are offered to the model with every question, and the answer goes into its database."""
    refused = lambda: [line for line in galen.read_log().splitlines() if '"status":4' in line]
    before = len(refused())
    for model in ("words", "ollama.words"):
        stored = held(ui, galen, model, "Hello there")
        assert not stored.get("error") and (stored["content"] or stored.get("output")), (model, stored)
    # A call that is asked for each time: it comes back with its result, or cut off with an error, and the second one ends at the limit
    # that WebUi sets.
    called = held(ui, galen, "words", "What time is it?", custom_params={"tool_choice": {"type": "function", "function": {"name": "get_current_timestamp"}}})
    kinds = [part["type"] for part in called["output"]]
    assert kinds.count("function_call") == 2 and "function_call_output" in kinds and "limit" in called["error"]["content"], called
    assert len(refused()) == before, refused()[before:]


def check_controls(ui, galen):
    """What can be set beside a chat reaches galen in the form of each connection."""
    common = {"temperature": 0.7, "top_k": 20, "top_p": 0.9, "min_p": 0.05, "seed": 5, "frequency_penalty": 0.1, "presence_penalty": 0.1,
              "repeat_penalty": 1.1, "stop": ["###"], "max_tokens": 12, "system": "Be brief."}
    ollama = {**common, "num_ctx": 4096, "num_batch": 128, "num_keep": 4, "num_thread": 2, "num_gpu": 0, "repeat_last_n": 64, "mirostat": 0,
              "use_mmap": True, "keep_alive": "5m", "think": False}
    for model, params in (("tiny", {**common, "reasoning_effort": "low", "logit_bias": "5:-100"}), ("ollama.tiny", ollama)):
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "params": params}
        assert len({ui.api("POST", "/api/chat/completions", {**body, "stream": False})["choices"][0]["message"]["content"] for _ in range(2)}) == 1
        assert content(ui.stream("/api/chat/completions", {**body, "stream": True}))


def check_documents(ui, galen):
    """A file is cut into pieces, galen makes their vectors, and a question finds them."""
    boundary = secrets.token_hex(8)
    text = b"Sodium 139 mmol/L. The ward round is at eight. " * 40
    form = (f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="note.txt"\r\nContent-Type: text/plain\r\n\r\n').encode() + text + f"\r\n--{boundary}--\r\n".encode()
    file = ui.api("POST", "/api/v1/files/", form, kind=f"multipart/form-data; boundary={boundary}")["id"]
    deadline = time.monotonic() + ANSWER_SECONDS
    while (state := ui.api("GET", f"/api/v1/files/{file}/process/status")["status"]) != "completed":
        assert state != "failed" and time.monotonic() < deadline, f"{state}: {ui.said()}"
        time.sleep(0.2)
    found = ui.api("POST", "/api/v1/retrieval/query/doc", {"collection_name": f"file-{file}", "query": "When is the ward round?", "k": 1})
    assert "ward round" in json.dumps(found["documents"]), found


def sign_up(ui):
    signed = ui.api("POST", "/api/v1/auths/signup", {"name": "Ward", "email": "ward@example.org", "password": secrets.token_urlsafe(12)})
    assert signed["role"] == "admin", signed
    ui.token = signed["token"]
    # Both connections offer the same names: one gets a prefix, as the page's settings call it.
    told = ui.api("GET", "/ollama/config")
    assert told["OLLAMA_BASE_URLS"] == ui.urls, told
    ui.api("POST", "/ollama/config/update", {**told, "OLLAMA_API_CONFIGS": {key: {"enable": True, "prefix_id": "ollama"} for key in "01"}})


def main():
    python = environment.python("open_webui", HERE / "requirements.txt")
    if "--install" in sys.argv[1:]:
        return 0
    if not serving.SMOLLM.is_file():
        print(f"{serving.SMOLLM} is not there: tools/fetch_models.py")
        return 77
    checks = {name[6:]: check for name, check in globals().items() if name.startswith("check_")}
    chosen = {n: c for n, c in checks.items() if len(sys.argv) < 2 or any(w in n for w in sys.argv[1:])}
    failed = 0
    models = (f"tiny={serving.TINY / 'gemma3-vision'}", f"words={serving.SMOLLM}")
    long = (f"long={serving.TINY / 'gemma3-vision'}",)
    with serving.Server("--max-tokens", 60, models=models) as galen, serving.Server(models=long) as far, tempfile.TemporaryDirectory() as folder:
        begin = time.monotonic()
        ui = WebUi(python, galen, far, folder)
        try:
            sign_up(ui)
            print(f"Open WebUI {ui.api('GET', '/api/version')['version']} is up and the first user signed up ({time.monotonic() - begin:.1f} s)", flush=True)
            for name, check in chosen.items():
                begin = time.monotonic()
                try:
                    check(ui, galen)
                    print(f"ok   {name} ({time.monotonic() - begin:.1f} s)", flush=True)
                except Exception as error:  # every check is run; the first fault must not hide the rest
                    failed += 1
                    print(f"FAIL {name}: {type(error).__name__}: {error}", flush=True)
            if failed:
                print("\n".join(line for line in ui.said(100000).splitlines() if "HTTP/1.1\" 200" not in line)[-8000:])
        finally:
            ui.stop()
            ui.log.close()
    print(f"{len(chosen) - failed} of {len(chosen)} checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
