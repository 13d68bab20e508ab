"""The server: many streams over HTTP, and what a request and a token cost above the engine; beside llama-server."""

import sys

from harness.case import Case, at_most, sample, times
from harness.process import child_json
from harness.workbench import PEERS, ROOT

STREAMS, TOKENS, REQUESTS = 16, 96, 200


def streams_of(tokens_per_s, gap):
    return {"streams": sample(tokens_per_s, "tok/s"),
            "gap between pieces": sample(gap["p99"] / gap["median"], "p99/median", note=f"median {gap['median']:.4g} ms")}


def galen_load(workbench):
    def measure():
        answer = child_json([sys.executable, ROOT / "bench" / "server_load.py", workbench.galen, workbench.gemma, "--streams", STREAMS,
                             "--tokens", TOKENS, "--requests", REQUESTS, "--threads", workbench.threads])
        request, token, unwoken, streams = answer["request"], answer["token"], answer["token_unwoken"], answer["streams"]
        beside = answer["with_prefill"]
        return streams_of(streams["tokens_per_s"], streams["gap_ms"]) | {
            "request above the engine": sample(request["overhead_us"], "µs", note=f"a client sees {request['seen_by_client_us']:.4g} µs in all"),
            "streamed token above one that is not": sample(token["overhead_us"], "µs", note=f"{token['model_us']:.3g} of it computing"),
            "streamed token whose write wakes nobody": sample(unwoken["overhead_us"], "µs", note=f"{unwoken['model_us']:.3g} of it computing"),
            "delay by a prompt of 4,000 tokens": sample(beside["longest_delay_ms"], "ms", note=f"that prompt took {beside['prefill_s']:.3g} s"),
            "GET /v1/models meanwhile, p99": sample(streams["models_ms"]["p99"], "ms"),
            "GET /health meanwhile, p99": sample(streams["health_ms"]["p99"], "ms")}
    return measure


def soak(workbench):
    def measure():
        answer = child_json([sys.executable, ROOT / "bench" / "server_soak.py", workbench.galen, "--threads", workbench.threads], limit_s=3600)
        resident = answer["resident_mb"]
        return {"requests": sample(answer["requests_per_s"], "1/s", note=f"{answer['connections']} connections"),
                "memory, spread of the last half": sample(100 * resident["spread_of_last_half"], "%", note=f"{resident['last']:.4g} MB"),
                "GET /v1/models, p99": sample(answer["models_ms"]["p99"], "ms"), "GET /health, p99": sample(answer["health_ms"]["p99"], "ms")}
    return measure


def llama_load(workbench):
    def measure():
        answer = child_json([sys.executable, PEERS / "llama_server_load.py", workbench.llama() / "llama-server", workbench.gemma,
                             STREAMS, TOKENS, REQUESTS, workbench.threads])
        # What a request and a token cost above its engine is seen by the client there, both ends in one: not beside ours.
        return streams_of(answer["streams_tokens_per_s"], answer["gap_ms"])
    return measure


def cases(w):
    return [
        Case("server", "server", f"Gemma 3 270M over HTTP, {STREAMS} streams of {TOKENS} tokens",
             {"galen": galen_load(w), "llama.cpp": llama_load(w)},
             aims=(times("streams", "llama.cpp", 2), at_most("gap between pieces", 3), at_most("request above the engine", 150, "µs"),
                   at_most("streamed token above one that is not", 5, "µs"),
                   at_most("streamed token whose write wakes nobody", 5, "µs"), at_most("delay by a prompt of 4,000 tokens", 250, "ms"),
                   at_most("GET /v1/models meanwhile, p99", 20, "ms"), at_most("GET /health meanwhile, p99", 20, "ms"))),
        Case("soak", "server", "100,000 mixed requests beside 1,000 slow clients", {"galen": soak(w)},
             aims=(at_most("memory, spread of the last half", 2, "%"), at_most("GET /v1/models, p99", 20, "ms"),
                   at_most("GET /health, p99", 20, "ms")), once=True, long=True),
    ]
