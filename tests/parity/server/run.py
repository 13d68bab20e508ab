#!/usr/bin/env python3
"""The official `openai` and `ollama` Python clients against `galen serve`: what they make of its answers, streams and errors.

The versions are those of tools/oracle_requirements.txt. GALEN_BIN names the program; a tiny random model is served.
"""

import base64
import importlib.util
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CASES = HERE.parents[1] / "cases/server/run.py"

try:
    import ollama
    import openai
except ImportError as error:
    print(f"skipped: {error}; tools/make_oracle.sh makes the environment")
    sys.exit(77)


def load_cases():
    spec = importlib.util.spec_from_file_location("server_cases", CASES)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def expect(error, fn):
    try:
        fn()
    except error as e:
        return e
    raise AssertionError(f"no {error.__name__}")


def check_openai(server, image):
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="none", max_retries=0)
    assert [m.id for m in client.models.list()] == ["tiny"] and client.models.retrieve("tiny").id == "tiny"
    ask = dict(model="tiny", messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
               temperature=0, max_completion_tokens=20, logprobs=True, top_logprobs=2)
    whole = client.chat.completions.create(**ask)
    assert whole.choices[0].message.content and whole.usage.total_tokens > 0
    assert len(whole.choices[0].logprobs.content[0].top_logprobs) == 2
    text, usage = "", None
    for chunk in client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}):
        text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        usage = chunk.usage or usage
    assert text == whole.choices[0].message.content and usage.completion_tokens == whole.usage.completion_tokens
    with client.chat.completions.stream(model="tiny", messages=ask["messages"], temperature=0, max_tokens=20) as stream:
        assert "".join(e.delta for e in stream if e.type == "content.delta") == text
    url = "data:image/png;base64," + base64.b64encode(image).decode()
    seen = client.chat.completions.create(model="tiny", max_tokens=4, messages=[{"role": "user", "content": [
        {"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": url}}]}])
    assert seen.usage.prompt_tokens > 20
    done = client.completions.create(model="tiny", prompt=["a", "b"], max_tokens=3, echo=True, logprobs=1, temperature=0)
    assert len(done.choices) == 2 and done.choices[0].logprobs.token_logprobs[0] is None
    assert expect(openai.NotFoundError, lambda: client.chat.completions.create(**{**ask, "model": "no"})).status_code == 404
    wrong = expect(openai.BadRequestError, lambda: client.chat.completions.create(**{**ask, "temperature": 9}))
    assert wrong.param == "temperature" and wrong.type == "invalid_request_error"
    expect(openai.BadRequestError, lambda: client.embeddings.create(model="tiny", input="x"))


def check_ollama(server, image):
    client = ollama.Client(host=f"http://127.0.0.1:{server.port}")
    assert [m.model for m in client.list().models] == ["tiny"]
    shown = client.show("tiny")
    assert shown.details.family == "gemma3" and "vision" in shown.capabilities
    ask = dict(model="tiny", messages=[{"role": "user", "content": "Hello"}], options={"temperature": 0, "num_predict": 16})
    whole = client.chat(**ask)
    assert whole.done and whole.eval_count > 0 and whole.message.content
    assert "".join(p.message.content for p in client.chat(**ask, stream=True)) == whole.message.content
    generated = client.generate("tiny", "Hello", options=ask["options"])
    assert generated.response == whole.message.content
    assert "".join(p.response for p in client.generate("tiny", "Hello", options=ask["options"], stream=True)) == generated.response
    seen = client.chat("tiny", [{"role": "user", "content": "What?", "images": [image]}], options=ask["options"])
    assert seen.prompt_eval_count > whole.prompt_eval_count
    assert [m.model for m in client.ps().models] == ["tiny"]
    assert expect(ollama.ResponseError, lambda: client.chat("no", [])).status_code == 404
    assert expect(ollama.ResponseError, lambda: client.pull("x")).status_code == 501
    assert expect(ollama.ResponseError, lambda: client.generate("tiny", "x", options={"top_k": -5})).status_code == 400
    assert client.generate("tiny", "", keep_alive=0).done_reason == "unload"


def main():
    cases = load_cases()
    with cases.Server() as server:
        check_openai(server, cases.png())
        print(f"openai {openai.__version__}: as expected")
        check_ollama(server, cases.png())
        print("ollama: as expected")
    return 0


if __name__ == "__main__":
    sys.exit(main())
