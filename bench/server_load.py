#!/usr/bin/env python3
"""What `galen serve` costs above the engine, and what many streams get, as one JSON line.

    server_load.py GALEN MODEL [--tiny MODEL] [--streams N] [--tokens T] [--requests R] [--threads K] [--prefill P]

With the tiny model, whose own work is short (default: tests/parity/models/tiny/gemma3-vision):
  request_us     overhead_us = in_server_us + http_us. in_server_us: median of a chat request for one token, from the JSON to the end of the
                 answer, without the engine's prefill and decoding (total_duration less prompt_eval_duration and eval_duration of Ollama's
                 interface). http_us: processor time of the thread that reads and writes, for each request.
  token_us       what a streamed token costs the processor above one of an answer that comes whole: http_us on the thread that serves
                 connections, model_us on those that compute, where it delays the next token. Here the client sleeps on its socket: each
                 write wakes it, which the system does on the writer's account when both ends are on one machine.
  token_unwoken_us  the same where the client looks at its socket every few milliseconds, so that a write wakes nobody, as over a
                 network: what the server itself spends
With MODEL, N greedy streams of T tokens each:
  streams        tokens per second in all; gap_ms between pieces of the same stream; models_ms and health_ms of questions meanwhile
  with_prefill   the same while somebody sends a prompt of P tokens in the middle: gaps of the streams from its sending to its answer
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from pathlib import Path

from measured_server import Client, MeasuredServer, Talk, percentile, request

TINY = Path(__file__).resolve().parent.parent / "tests/parity/models/tiny/gemma3-vision"


def ask(client, talk, data):
    """(seconds, body) of one request."""
    talk.send(data, None)
    while not client.poll(60):
        pass
    status, body, seconds = talk.answer
    if status != 200:
        raise RuntimeError(f"status {status}: {body[:300]}")
    return seconds, body


def ask_looking(client, talk, data, every):
    """The same for a client that never sleeps on its socket, and looks at it every so many seconds."""
    talk.send(data, None)
    while not client.poll(0):
        time.sleep(every)
    if talk.answer[0] != 200:
        raise RuntimeError(f"status {talk.answer[0]}: {talk.answer[1][:300]}")


def chat(tokens, stream):
    # One token: nothing can end it earlier.
    body = {"messages": [{"role": "user", "content": "The patient presented with chest pain."}], "stream": stream,
            "options": {"temperature": 0, "num_predict": tokens}, "model": "tiny"}
    return request("POST", "/api/chat", json.dumps(body).encode())


def openai(tokens, stream):
    """An answer of exactly that many tokens, each a piece of text."""
    body = {"model": "tiny", "messages": [{"role": "user", "content": "The patient presented with chest pain."}], "max_tokens": tokens,
            "stream": stream, "temperature": 0, "logit_bias": {str(LETTER): 100}}
    return request("POST", "/v1/chat/completions", json.dumps(body).encode())


LETTER = 60  # a token of the tiny models that is text


def spent(server, work):
    before = server.processor_seconds()
    work()
    after = server.processor_seconds()
    return {role: after[role] - before[role] for role in after}


def measure_request(server, count):
    client = Client(server.port)
    talk = Talk(client)
    data = chat(1, False)
    for _ in range(50):
        ask(client, talk, data)
    inside, whole = [], []

    def work():
        for _ in range(count):
            seconds, body = ask(client, talk, data)
            last = json.loads(body)
            inside.append((last["total_duration"] - last["prompt_eval_duration"] - last["eval_duration"]) / 1e3)
            whole.append(seconds * 1e6)

    cost = spent(server, work)
    talk.close()
    http = cost["http"] / count * 1e6
    return {"overhead_us": round(statistics.median(inside) + http, 1), "in_server_us": round(statistics.median(inside), 1),
            "http_us": round(http, 1), "all_threads_us": round(sum(cost.values()) / count * 1e6, 1),
            "seen_by_client_us": round(statistics.median(whole), 1)}


def measure_token(server, rounds, woken, tokens=512):
    """woken: the client sleeps on its socket; else it looks so often that the socket's buffers never fill."""
    client = Client(server.port)
    talk = Talk(client)
    costs = {True: [], False: []}

    def one(stream):
        if woken:
            ask(client, talk, openai(tokens, stream))
        else:
            ask_looking(client, talk, openai(tokens, stream), 0.002)

    for stream in (True, False):
        one(stream)
    for _ in range(rounds):
        for stream in (True, False):
            costs[stream].append(spent(server, lambda s=stream: one(s)))
    talk.close()
    each = {role: statistics.median(streamed[role] - whole[role] for streamed, whole in zip(costs[True], costs[False])) / tokens * 1e6
            for role in ("http", "model")}
    return {"overhead_us": round(each["http"] + each["model"], 2), "http_us": round(each["http"], 2), "model_us": round(each["model"], 2),
            "engine_us": round(statistics.median(c["model"] for c in costs[False]) / tokens * 1e6, 1)}


def measure_streams(server, streams, tokens, prefill):
    """prefill: tokens of the prompt that comes when a third of the answers is there; 0: none."""
    last, gaps, events = {}, [], 0
    window = [float("inf"), float("inf")]  # of the prompt elsewhere
    beside = []

    def on_piece(talk, piece):
        nonlocal events
        if talk.tag[0] != "stream":
            return
        now, count = time.perf_counter(), piece.count(b"data: {")
        events += count
        if count and talk in last:
            gaps.append(now - last[talk])
            if now > window[0] and last[talk] < window[1]:
                beside.append(now - last[talk])
        if count:
            last[talk] = now

    client = Client(server.port, on_piece)
    begin = time.perf_counter()
    for i in range(streams):
        body = {"model": "words", "prompt": f"Patient {i} of {random.random()} presented with chest pain and shortness of breath. History:",
                "max_tokens": tokens, "temperature": 0, "stream": True, "logit_bias": {"1": -100, "106": -100}}
        Talk(client).send(request("POST", "/v1/completions", json.dumps(body).encode()), ("stream", i))
    probe, other = Talk(client), Talk(client)
    probes = {"/v1/models": [], "/health": []}
    running, next_probe, answered = streams, 0.0, None
    while running or (prefill and answered is None):
        now = time.perf_counter()
        if probe.idle and now >= next_probe:
            path = random.choice(list(probes))
            probe.send(request("GET", path), ("probe", path))
            next_probe = now + 0.02
        if prefill and window[0] == float("inf") and events > streams * tokens // 3:
            ids = [random.randrange(1000, 200000) for _ in range(prefill)]
            window[0] = now
            other.send(request("POST", "/v1/completions", json.dumps({"model": "words", "prompt": ids, "max_tokens": 1}).encode()), ("other",))
        for talk in client.poll(0.02):
            status, body, seconds = talk.answer
            if status != 200:
                raise RuntimeError(f"{talk.tag}: status {status}: {body[:300]}")
            if talk.tag[0] == "probe":
                probes[talk.tag[1]].append(seconds * 1e3)
            elif talk.tag[0] == "other":
                answered, window[1] = seconds, time.perf_counter()
            else:
                running -= 1
                talk.close()
    took = time.perf_counter() - begin
    probe.close()
    other.close()
    median, high = percentile(gaps, .5) * 1e3, percentile(gaps, .99) * 1e3
    result = {"streams": streams, "tokens_per_s": round(events / took, 1),
              "gap_ms": {"median": round(median, 2), "p99": round(high, 2), "p99_over_median": round(high / max(median, 1e-9), 2)},
              "models_ms": {"median": round(percentile(probes["/v1/models"], .5), 2), "p99": round(percentile(probes["/v1/models"], .99), 2)},
              "health_ms": {"median": round(percentile(probes["/health"], .5), 2), "p99": round(percentile(probes["/health"], .99), 2)}}
    if prefill:
        result |= {"prefill_tokens": prefill, "prefill_s": round(answered, 2), "gaps_beside": len(beside),
                   "longest_gap_ms": round(max(beside, default=0) * 1e3, 1),
                   "longest_delay_ms": round(max(0, max(beside, default=0) * 1e3 - median), 1)}
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("galen")
    parser.add_argument("model")
    parser.add_argument("--tiny", default=TINY)
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--prefill", type=int, default=4000)
    o = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = (f"tiny={o.tiny}", f"words={o.model}")
        with MeasuredServer(o.galen, models, folder, "--no-log", "--max-sequences", o.streams + 1, "--context", max(2048, o.prefill + 96),
                            "--threads", o.threads) as server:
            result = {"request": measure_request(server, o.requests), "token": measure_token(server, 60, True),
                      "token_unwoken": measure_token(server, 60, False)}
            measure_streams(server, 2, 8, 0)
            result["streams"] = measure_streams(server, o.streams, o.tokens, 0)
            if o.prefill:
                result["with_prefill"] = measure_streams(server, o.streams, o.tokens * 3, o.prefill)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
