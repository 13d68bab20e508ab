#!/usr/bin/env python3
"""The official `openai` and `ollama` Python clients against `galen serve`: what they make of its answers, streams and errors;
embeddings and log-likelihoods against transformers.

    run.py [--all]

The versions are those of tools/oracle_requirements.txt. GALEN_BIN names the program. Tiny random models are served, and the
real ones of $GALEN_MODELS where tools need a vocabulary that spells JSON and where log-likelihoods are compared (with what
tests/parity/models has computed). --all: lm-evaluation-harness and schemathesis, too.
"""

import base64
import importlib
import importlib.util
import json
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "cases/server"))
import library_checks  # noqa: E402
import serving as cases  # noqa: E402
import tool_checks  # noqa: E402

try:
    import ollama
    import openai
except ImportError as error:
    print(f"skipped: {error}; tools/make_oracle.sh makes the environment")
    sys.exit(77)


FP32_LIMIT = 1e-4  # mean difference of log-probabilities, as in tests/parity/models


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
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
    made = client.embeddings.create(model="tiny", input=["x", "y"])  # asks for base64
    floats = client.embeddings.create(model="tiny", input=["x", "y"], encoding_format="float")
    assert all(abs(a - b) < 1e-7 for m, f in zip(made.data, floats.data) for a, b in zip(m.embedding, f.embedding))
    assert expect(openai.BadRequestError, lambda: client.embeddings.create(model="tiny", input="x", dimensions=3)).param == "dimensions"


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
    assert expect(ollama.ResponseError, lambda: client.pull("x")).status_code == 403  # without --manage-models
    assert expect(ollama.ResponseError, lambda: client.generate("tiny", "x", options={"top_k": -5})).status_code == 400
    embedded = client.embed("tiny", ["x", "y"])
    assert len(embedded.embeddings) == 2 and embedded.prompt_eval_count > 0
    assert len(client.embeddings("tiny", "x").embedding) == len(embedded.embeddings[0])
    assert client.generate("tiny", "", keep_alive=0).done_reason == "unload"


def check_library():
    """What `ollama pull`, `create`, `cp` and `rm` do, by the client's own functions."""
    with library_checks.home() as place, place.serve() as server, tempfile.TemporaryDirectory() as folder:
        client = ollama.Client(host=f"http://127.0.0.1:{server.port}")
        told = list(client.pull("tiny", stream=True))
        assert told[-1].status == "success" and any(t.completed == t.total == len(library_checks.GGUF) for t in told)
        assert client.pull("tiny").status == "success"
        assert expect(ollama.ResponseError, lambda: client.pull("none")).status_code == 404
        assert "no such model" in str(expect(ollama.ResponseError, lambda: list(client.pull("none", stream=True))))
        file = Path(folder) / "model.gguf"
        file.write_bytes(library_checks.SEEING)
        digest = client.create_blob(file)
        assert digest == library_checks.digest(library_checks.SEEING)
        assert client.create("made", files={"model.gguf": digest}, system="Be brief.", parameters={"num_predict": 4}).status == "success"
        assert [t.status for t in client.create("second", from_="made", system="You count.", stream=True)][-1] == "success"
        assert client.copy("second", "third").status == "success"
        assert sorted(m.model for m in client.list().models) == ["made:latest", "second:latest", "third:latest", "tiny:latest"]
        shown = client.show("third")
        assert shown.modelinfo["general.architecture"] == "gemma3" and "num_predict 4" in shown.parameters
        assert client.generate("third", "Hello").eval_count <= 4
        assert "template" in str(expect(ollama.ResponseError, lambda: client.create("x", from_="made", template="{{ .Prompt }}")))
        for name in ("made", "second", "third", "tiny"):
            assert client.delete(name).status == "success"
        assert client.list().models == [] and expect(ollama.ResponseError, lambda: client.delete("made")).status_code == 404
    print("ollama: pull, create, copy, delete as expected")


def get_lab_value(patient: int, test: str) -> str:
    """A laboratory value.

    Args:
      patient: number of the patient
      test: name of the test
    """
    return f"{test} of {patient}: 139 mmol/L"


def check_tools(server):
    """The loop that agents run, through both clients, in each form of calls."""
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="none", max_retries=0)
    for model in ("words", "tagged", "llama"):
        messages = [{"role": "user", "content": "What is the sodium of patient 7?"}]
        ask = dict(model=model, temperature=0, max_tokens=80, tools=tool_checks.TOOLS)
        first = client.chat.completions.create(**ask, messages=messages, tool_choice="required").choices[0]
        assert first.message.content is None
        call = first.message.tool_calls[0]
        tool_checks.expect_call(call.function.name, json.loads(call.function.arguments))
        with client.chat.completions.stream(**ask, messages=messages, tool_choice="required") as stream:
            events = list(stream)
        assert any(e.type == "tool_calls.function.arguments.done" for e in events)
        done = [e for e in events if e.type == "tool_calls.function.arguments.done"][0]
        assert (done.name, done.arguments) == (call.function.name, call.function.arguments)
        first.message.tool_calls = [call]
        messages += [first.message.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": call.id, "content": "139 mmol/L"}]
        last = client.chat.completions.create(**{**ask, "max_tokens": 10}, messages=messages, tool_choice="none").choices[0]
        assert last.message.content and not last.message.tool_calls
    native = ollama.Client(host=f"http://127.0.0.1:{server.port}")
    calls = 0
    for seed in range(4):
        answer = native.chat("tagged", [{"role": "user", "content": "Call get_lab_value for patient 7 and sodium."}],
                             tools=[get_lab_value], options={"temperature": 1, "seed": seed, "num_predict": 60})
        for call in answer.message.tool_calls or []:
            calls += 1
            result = get_lab_value(**call.function.arguments)
            assert native.chat("tagged", [{"role": "user", "content": "?"}, answer.message, {
                "role": "tool", "content": result, "tool_name": call.function.name}], options={"num_predict": 4}).done
    print(f"tools: three forms; the model called a Python function {calls} times of its own accord")


def check_embeddings():
    """Vectors of tiny models against transformers in fp32."""
    import torch
    import transformers
    texts = [[2] + [(i * 7 + k) % 90 + 5 for i in range(n)] for k, n in enumerate((1, 3, 40, 62))]
    for name in ("gemma3", "llama", "qwen2"):
        folder = cases.TINY / name
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval().model
        worst = 0
        with cases.Server("--compute", "fp32", models=(f"tiny={folder}",)) as server:
            for pooling in ("mean", "last"):
                answer = server.post("/v1/embeddings", {"input": texts, "pooling": pooling})
                for ids, data in zip(texts, answer["data"]):
                    with torch.inference_mode():
                        hidden = model(input_ids=torch.tensor([ids]), use_cache=False).last_hidden_state[0].double()
                    vector = hidden.mean(0) if pooling == "mean" else hidden[-1]
                    vector = vector / vector.norm()
                    worst = max(worst, (vector - torch.tensor(data["embedding"], dtype=torch.float64)).abs().max().item())
        assert worst < 1e-5, f"{name}: {worst}"
        print(f"embeddings of tiny {name}: within {worst:.1e} of transformers")


def check_scores():
    """Echoed log-probabilities of token ids, as lm-evaluation-harness asks for them, in one batch."""
    models = load("parity_models", HERE.parent / "models/run.py")
    from safetensors import safe_open
    folder = Path(os.environ.get("GALEN_MODELS", Path.home() / ".cache/galen/models"))
    for name, (file, _, _) in models.MODELS.items():
        if not (folder / file).is_file():
            print(f"scores of {name}: left out, {folder / file} is not there")
            continue
        with safe_open(models.reference_file(name, folder), "np") as golden:
            texts = [(golden.get_tensor(f"{t}.ids").tolist()[:120], golden.get_tensor(f"{t}.logprobs").tolist()[:119]) for t in ("short", "mixed")]
        with cases.Server("--compute", "fp32", models=(f"tiny={folder / file}",)) as server:
            for most in (0, 1) if "smollm2" in name else (1,):
                choices = server.post("/v1/completions", {"model": "tiny", "prompt": [ids for ids, _ in texts], "max_tokens": most,
                                                          "temperature": 0, "echo": True, "logprobs": 1, "seed": 1234})["choices"]
                for choice, (ids, expected) in zip(choices, texts):
                    got = choice["logprobs"]["token_logprobs"]
                    assert got[0] is None and len(got) == len(ids) + most, (len(got), len(ids))
                    mean = sum(abs(a - b) for a, b in zip(got[1:len(ids)], expected)) / len(expected)
                    assert mean < FP32_LIMIT, f"{name}: mean difference {mean}"
        print(f"scores of {name}: mean difference {mean:.1e} from transformers")


def main():
    with cases.Server() as server:
        check_openai(server, cases.png())
        print(f"openai {openai.__version__}: as expected")
        check_ollama(server, cases.png())
        print("ollama: as expected")
    check_library()
    check_embeddings()
    check_scores()
    if cases.SMOLLM.is_file():
        with tool_checks.tool_models() as server:
            check_tools(server)
    if "--all" in sys.argv[1:]:
        sys.path.insert(0, str(HERE))
        for name in ("harness", "described"):
            importlib.import_module(name).check(cases)
    return 0


if __name__ == "__main__":
    sys.exit(main())
