#!/usr/bin/env python3
"""LangChain's own packages against `galen serve`: langchain-openai (ChatOpenAI, OpenAI, OpenAIEmbeddings) and langchain-ollama
(ChatOllama, OllamaLLM, OllamaEmbeddings), unchanged, with nothing set but address, key and model. $GALEN_BIN is the program. Tiny random models are
served, and a real one ($GALEN_MODELS) where the answer has to be JSON. requirements.txt is installed once into $GALEN_CACHE.

    run.py [NAME...]        only the checks whose name holds one of the words
    run.py --install        only make the environment
"""

import asyncio
import base64
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "cases/server")]
import environment  # noqa: E402

environment.inside("langchain", HERE / "requirements.txt")

import openai  # noqa: E402
import serving  # noqa: E402
import tool_checks  # noqa: E402
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage  # noqa: E402
from langchain_core.prompts import ChatPromptTemplate  # noqa: E402
from langchain_core.tools import tool  # noqa: E402
from langchain_ollama import ChatOllama, OllamaEmbeddings, OllamaLLM  # noqa: E402
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings  # noqa: E402
from ollama import ResponseError  # noqa: E402
from pydantic import BaseModel, Field  # noqa: E402

TALK = [SystemMessage("Be brief."), HumanMessage("Hello")]


class Report(BaseModel):
    """A laboratory report."""

    sodium: int = Field(ge=100, le=199, description="mmol/L")
    normal: bool
    note: str | None = Field(None, max_length=20)


@tool
def get_lab_value(patient: int, test: str) -> str:
    """A laboratory value of a patient."""
    return f"{test} of {patient}: 139 mmol/L"


class Place:
    """The servers, and clients for them."""

    def __init__(self, tiny, words):
        self.tiny, self.words = tiny, words

    def server(self, model):
        return self.tiny if model == "tiny" else self.words

    def openai(self, model="tiny", **more):
        return ChatOpenAI(model=model, base_url=f"http://127.0.0.1:{self.server(model).port}/v1", api_key="none",
                          **{"temperature": 0, "max_tokens": 40, "max_retries": 0, **more})

    def ollama(self, model="tiny", **more):
        return ChatOllama(model=model, base_url=f"http://127.0.0.1:{self.server(model).port}", **{"temperature": 0, "num_predict": 40, **more})


def expect(kind, work):
    try:
        work()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def joined(pieces):
    whole = None
    for piece in pieces:
        whole = piece if whole is None else whole + piece
    return whole


def check_chat(place):
    texts = []
    for make in (place.openai, place.ollama):
        whole = make().invoke(TALK)
        assert whole.content and whole.usage_metadata["output_tokens"] > 0, whole
        texts.append(whole.content)
        # With another address than OpenAI's it asks for the usage of streams only when told.
        pieces = list(make(**({"stream_usage": True} if make == place.openai else {})).stream(TALK))
        streamed = joined(pieces)
        assert streamed.content == whole.content and len(pieces) > 3
        assert streamed.usage_metadata and streamed.usage_metadata["output_tokens"] == whole.usage_metadata["output_tokens"], streamed
        assert [m.content for m in make().batch([TALK, TALK])] == [whole.content] * 2

        async def later():
            return (await make().ainvoke(TALK)).content, joined([p async for p in make().astream(TALK)]).content

        assert asyncio.run(later()) == (whole.content, whole.content)
    assert texts[0] == texts[1], "both interfaces answer alike"
    chain = ChatPromptTemplate.from_messages([("system", "Be brief."), ("user", "{word}")]) | place.openai()
    assert chain.invoke({"word": "Hello"}).content == texts[0]
    scored = place.openai(logprobs=True, top_logprobs=2).invoke(TALK)
    assert len(scored.response_metadata["logprobs"]["content"]) == scored.usage_metadata["output_tokens"]
    assert place.openai(stop_sequences=[texts[0][3]]).invoke(TALK).content == texts[0][:texts[0].index(texts[0][3])]
    assert place.openai(seed=3, top_p=0.9, n=1, frequency_penalty=0.1, presence_penalty=0.1, temperature=1, reasoning_effort="low").invoke(TALK).content


def check_images(place):
    data = base64.b64encode(serving.png()).decode()
    blind = place.openai().invoke([HumanMessage("What?")]).usage_metadata["input_tokens"]
    for content in ({"type": "image_url", "image_url": {"url": "data:image/png;base64," + data}},
                    {"type": "image", "base64": data, "mime_type": "image/png"}):
        for make in (place.openai, place.ollama):
            seen = make().invoke([HumanMessage([{"type": "text", "text": "What?"}, content])])
            assert seen.usage_metadata["input_tokens"] > blind, (make, content["type"])


def check_completions(place):
    url = f"http://127.0.0.1:{place.tiny.port}"
    text = OpenAI(model="tiny", base_url=url + "/v1", api_key="none", temperature=0, max_tokens=12, max_retries=0)
    whole = text.invoke("a b")
    assert whole and "".join(text.stream("a b")) == whole
    other = OllamaLLM(model="tiny", base_url=url, temperature=0, num_predict=12)
    whole = other.invoke("Hello")
    assert whole and "".join(other.stream("Hello")) == whole


def check_embeddings(place):
    url = f"http://127.0.0.1:{place.tiny.port}"
    texts = ["Hello", "there is more of it", "x"]
    # As it comes it counts tokens by tiktoken's tables, which only OpenAI's models have (and which it fetches).
    ours = OpenAIEmbeddings(model="tiny", base_url=url + "/v1", api_key="none", check_embedding_ctx_length=False, max_retries=0)
    theirs = OllamaEmbeddings(model="tiny", base_url=url)
    for made in (ours, theirs):
        vectors = made.embed_documents(texts)
        assert len(vectors) == 3 and all(abs(sum(x * x for x in v) - 1) < 1e-4 for v in vectors)
        assert max(abs(a - b) for a, b in zip(made.embed_query(texts[1]), vectors[1])) < 1e-5
    assert max(abs(a - b) for a, b in zip(ours.embed_query("x"), theirs.embed_query("x"))) < 1e-5


def check_errors(place):
    assert expect(openai.NotFoundError, lambda: place.openai().bind(model="no").invoke(TALK)).status_code == 404
    assert expect(openai.BadRequestError, lambda: place.openai(temperature=9).invoke(TALK)).param == "temperature"
    expect(openai.BadRequestError, lambda: list(place.openai().stream([HumanMessage([{"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}])])))
    other = ChatOllama(model="no", base_url=f"http://127.0.0.1:{place.tiny.port}")
    assert expect(ResponseError, lambda: other.invoke(TALK)).status_code == 404
    # A loop that is left ends the request.
    before = place.tiny.metric("galen_requests_cancelled_total")
    for make in (lambda: place.openai(max_tokens=8000, logit_bias={"2": -100, "5": -100}), lambda: place.ollama(num_predict=7000)):
        stream = make().stream(TALK)
        next(stream)
        next(stream)
        stream.close()
        deadline = time.monotonic() + 20
        while place.tiny.metric("galen_requests_running") + place.tiny.metric("galen_requests_waiting"):
            assert time.monotonic() < deadline, "a client that left is still served"
            time.sleep(0.02)
    assert place.tiny.metric("galen_requests_cancelled_total") > before


def check_structured(place):
    ask = "Report of patient 7"
    for method in ("json_schema", "function_calling"):
        for make in (place.openai, place.ollama):
            if method == "function_calling" and make == place.ollama:
                continue  # Ollama's interface has no tool_choice: whether the model calls is up to it
            reader = make("words", **({"max_tokens": 200} if make == place.openai else {"num_predict": 200}))
            got = reader.with_structured_output(Report, method=method).invoke(ask)
            assert isinstance(got, Report) and 100 <= got.sodium <= 199, got
    raw = place.openai("words", max_tokens=200).with_structured_output(Report, include_raw=True, strict=True).invoke(ask)
    assert raw["parsing_error"] is None and raw["parsed"].sodium >= 100
    last = list(place.openai("words", max_tokens=200).with_structured_output(Report).stream(ask))[-1]
    assert last.sodium >= 100
    # Closed, since a random model would go on with properties of its own until it has no tokens left.
    plain = {"title": "flag", "type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"], "additionalProperties": False}
    loose = place.openai("words", max_tokens=60).with_structured_output(plain)
    assert isinstance(loose.invoke(ask)["ok"], bool)


def check_tools(place):
    """The loop that agents run: offer, call, result, answer."""
    ask = [HumanMessage("What is the sodium of patient 7?")]
    for model in ("words", "tagged", "llama"):
        chat = place.openai(model, max_tokens=80)
        forced = chat.bind_tools([get_lab_value], tool_choice="get_lab_value", parallel_tool_calls=False)
        first = forced.invoke(ask)
        call = first.tool_calls[0]
        assert call["name"] == "get_lab_value" and isinstance(call["args"]["patient"], int) and not first.invalid_tool_calls, first
        streamed = joined(forced.stream(ask))
        assert [(c["name"], c["args"]) for c in streamed.tool_calls] == [(call["name"], call["args"])]
        result = get_lab_value.invoke(call)
        assert isinstance(result, ToolMessage) and "139" in result.content
        last = chat.bind_tools([get_lab_value], tool_choice="none").invoke([*ask, first, result])
        assert isinstance(last, AIMessage) and last.content and not last.tool_calls
        strict = chat.bind_tools([get_lab_value], strict=True, tool_choice="any").invoke(ask)
        assert strict.tool_calls
        native = place.ollama(model, num_predict=80).bind_tools([get_lab_value])
        told = native.invoke([*ask, first, result])
        assert told.response_metadata["done"] and (told.content or told.tool_calls)


def main():
    if "--install" in sys.argv[1:]:
        return 0
    print("langchain-openai", version("langchain-openai"), "langchain-ollama", version("langchain-ollama"), "langchain-core", version("langchain-core"))
    checks = {name[6:]: check for name, check in globals().items() if name.startswith("check_")}
    chosen = {n: c for n, c in checks.items() if len(sys.argv) < 2 or any(w in n for w in sys.argv[1:])}
    failed = 0
    words = tool_checks.tool_models() if serving.SMOLLM.is_file() else None
    with serving.Server() as tiny:
        place = Place(tiny, words.__enter__() if words else None)
        for name, check in chosen.items():
            if name in ("structured", "tools") and not words:
                print(f"     {name}: left out ({serving.SMOLLM} is not there: tools/fetch_models.py)")
                continue
            begin = time.monotonic()
            try:
                check(place)
                print(f"ok   {name} ({time.monotonic() - begin:.1f} s)", flush=True)
            except Exception as error:  # every check is run; the first fault must not hide the rest
                failed += 1
                print(f"FAIL {name}: {type(error).__name__}: {error}", flush=True)
                if os.environ.get("GALEN_TRACE"):
                    import traceback
                    traceback.print_exc()
        if words:
            words.__exit__(None, None, None)
    print(f"{len(chosen) - failed} of {len(chosen)} checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
