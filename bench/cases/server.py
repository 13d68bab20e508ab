"""The server: many streams over HTTP, and what a request and a token cost above the engine; beside llama-server."""

import sys

from harness.case import Case, at_most, sample, times
from harness.process import child_json
from harness.workbench import PEERS, ROOT

STREAMS, TOKENS, REQUESTS = 16, 96, 200


def figures(answer):
    """What both sides have; a client in Python pays for both ends of a request."""
    gap = answer["gap_ms"]
    return {"streams": sample(answer["streams_tokens_per_s"], "tok/s", note=f"{answer['streams_tokens']} tokens"),
            "gap between pieces": sample(gap["p99"] / gap["median"], "p99/median", note=f"median {gap['median']:.4g} ms"),
            "request above the engine, as a client sees it": sample(answer["overhead_us_request"], "µs"),
            "streamed token above one that is not": sample(answer["overhead_us_token"], "µs")}


def galen_load(workbench):
    def measure():
        answer = child_json([sys.executable, ROOT / "bench" / "server_load.py", workbench.galen, workbench.gemma, "--streams", STREAMS,
                             "--tokens", TOKENS, "--requests", REQUESTS, "--threads", workbench.threads])
        return figures(answer) | {
            "request above the engine, in the server": sample(answer["overhead_us_request_in_server"], "µs"),
            "GET /v1/models meanwhile, p99": sample(answer["models_ms_under_load"]["p99"], "ms")}
    return measure


def llama_load(workbench):
    def measure():
        return figures(child_json([sys.executable, PEERS / "llama_server_load.py", workbench.llama() / "llama-server", workbench.gemma,
                                   STREAMS, TOKENS, REQUESTS, workbench.threads]))
    return measure


def cases(w):
    return [
        Case("server", "server", f"Gemma 3 270M over HTTP, {STREAMS} streams of {TOKENS} tokens",
             {"galen": galen_load(w), "llama.cpp": llama_load(w)},
             aims=(times("streams", "llama.cpp", 2), at_most("gap between pieces", 3),
                   at_most("request above the engine, in the server", 150, "µs"),
                   at_most("streamed token above one that is not", 5, "µs"), at_most("GET /v1/models meanwhile, p99", 20, "ms"))),
    ]
