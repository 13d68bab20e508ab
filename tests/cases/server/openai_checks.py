"""OpenAI's interface: chat, completions, embeddings, schemas, models, adapters."""

import base64
import json
import struct
import subprocess

from serving import HERE, TINY, GALEN, SLOW, SMOLLM, Server, chat, sse, png, together


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
    # Of no tokens: the stream ends as others do.
    for echo in (False, True):
        _, _, data = server.call("POST", "/v1/completions", {"model": "tiny", "prompt": ["abc", "de"], "max_tokens": 0, "echo": echo, "stream": True})
        assert [(e["choices"][0]["text"], e["choices"][0]["finish_reason"]) for e in sse(data)] == [
            ("abc" if echo else "", "length"), ("de" if echo else "", "length")], data


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
