"""Functions that a model may call."""

import contextlib
import json
import sys
import tempfile
from pathlib import Path

from serving import HERE, SLOW, SMOLLM, Server, chat, sse

sys.path.insert(0, str(HERE.parent / "bad_input"))
from gguf_edit import STRING, Gguf  # noqa: E402


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
    # A call that was cut off comes back from agents with the error that it made, and the conversation goes on.
    call = {"id": "call_1", "type": "function", "function": {"name": "get_lab_value", "arguments": '{"patient": '}}
    torn = ask["messages"] + [{"role": "assistant", "content": None, "tool_calls": [call]},
                              {"role": "tool", "tool_call_id": "call_1", "content": "Error: the arguments are no JSON"}]
    assert server.post("/v1/chat/completions", {**ask, "messages": torn, "tool_choice": "none", "max_tokens": 8})["choices"][0]["message"]["content"]
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
    for call in ({}, {"function": {}}, {"function": {"name": "f", "arguments": 5}}, {"function": {"name": "f", "arguments": []}}):
        body = chat("x")
        body["messages"] += [{"role": "assistant", "tool_calls": [call]}]
        assert server.post("/v1/chat/completions", body, 400)["error"]["param"] == "messages[1].tool_calls"
    server.post("/v1/chat/completions", chat("x", tools=[], tool_choice="none"))
