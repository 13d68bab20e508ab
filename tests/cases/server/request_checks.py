"""Wrong types and ranges of every field, and fields that make no difference."""

import json

from serving import chat, raw


CHAT_TYPES = {"model": 7, "messages": "text", "temperature": "hot", "top_p": [], "max_tokens": 1.5, "max_completion_tokens": "x",
              "n": 0, "seed": "s", "stop": 5, "stream": "yes", "stream_options": [], "logprobs": 1, "top_logprobs": -1,
              "frequency_penalty": 3, "presence_penalty": "x", "logit_bias": [1], "reasoning_effort": "huge", "top_k": 0.5,
              "min_p": 2, "repetition_penalty": 0, "repeat_penalty": 11, "response_format": {"type": "xml"}, "tools": [{}], "tool_choice": "required",
              "functions": [1], "audio": {}, "parallel_tool_calls": 1, "store": True, "unknown_field": 1}
COMPLETION_TYPES = {"prompt": {"a": 1}, "max_tokens": -1, "logprobs": True, "echo": "x", "best_of": 4, "suffix": "x", "n": 99}


OLLAMA_TYPES = {"model": [], "messages": {}, "stream": 1, "options": "x", "keep_alive": "soon", "think": 3, "tools": [1],
                "format": "xml", "unknown": 1}
MESSAGES = [5, {}, {"role": "user"}, {"role": "king", "content": "x"}, {"role": "user", "content": 5},
            {"role": "user", "content": [{"type": "video"}]}, {"role": "user", "content": [{"type": "text", "text": 1}]},
            {"role": "user", "content": [{"type": "image_url"}]}, {"role": "user", "content": "x", "more": 1},
            {"role": "user", "content": "x", "type": "image"}]


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
    # What older versions of lm-evaluation-harness send, and histories in the newer form of OpenAI's.
    for kind in ("text", "message"):
        server.post("/v1/chat/completions", {**chat("x"), "messages": [{"role": "user", "content": "x", "type": kind}]})
    # Two names of one thing.
    told = [server.post("/v1/chat/completions", chat("Count", **more))["choices"][0]["message"]["content"]
            for more in ({}, {"repetition_penalty": 5}, {"repeat_penalty": 5})]
    assert told[0] != told[1] == told[2], told
    server.post("/api/chat", {"model": "tiny", "stream": False, "messages": [{"role": "user", "content": "x"}], "truncate": True,
                              "options": {"num_predict": 2, "num_gpu": 99, "num_thread": 4, "some_new_option": 1}, "format": ""})
