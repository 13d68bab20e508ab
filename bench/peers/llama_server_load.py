#!/usr/bin/env python3
"""What llama-server costs above its engine, and what many streams get, as one JSON line: the load of server_load.py.

    llama_server_load.py LLAMA_SERVER MODEL.gguf STREAMS TOKENS REQUESTS THREADS

overhead_us_request: median time of a request for one token, as a client sees it, minus what the server's own timings say that
it computed. overhead_us_token: what a streamed token takes longer than in a request that is not streamed. streams_tokens_per_s and
gap_ms: STREAMS greedy streams over /v1/completions at once, with the prompts of server_load.py; times between pieces of one stream.
"""

import http.client
import json
import socket
import statistics
import subprocess
import sys
import threading
import time


def post(connection, path, body):
    for again in (True, False):
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            reply = connection.getresponse()
            break
        except (http.client.RemoteDisconnected, ConnectionError):  # it closes a connection after some requests
            if not again:
                raise
            connection.close()
    if reply.status != 200:
        sys.exit(f"llama_server_load.py: {path}: status {reply.status}: {reply.read(200)!r}")
    return reply


def complete(connection, tokens, stream):
    """(seconds, what the last event says) of a request."""
    begin = time.perf_counter()
    data = post(connection, "/completion", {"prompt": "The patient", "n_predict": tokens, "temperature": 0, "stream": stream,
                                            "cache_prompt": False}).read()
    seconds = time.perf_counter() - begin
    lines = [line for line in data.splitlines() if line.strip()]
    return seconds, json.loads(lines[-1].removeprefix(b"data: "))


def one_stream(port, number, tokens, gaps, counts):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    body = {"prompt": f"Patient {number} presented with chest pain and shortness of breath. History:", "max_tokens": tokens,
            "temperature": 0, "stream": True, "stream_options": {"include_usage": True}, "cache_prompt": False}
    last = None
    for line in post(connection, "/v1/completions", body):
        now = time.perf_counter()
        if not line.startswith(b"data: {"):
            continue
        event = json.loads(line[6:])
        if event.get("usage"):
            counts.append(event["usage"]["completion_tokens"])
        if event.get("choices") and event["choices"][0].get("text"):
            if last is not None:
                gaps.append(now - last)
            last = now
    connection.close()


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0


def wait(port, child):
    deadline = time.monotonic() + 120
    while child.poll() is None and time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    sys.exit("llama_server_load.py: the server did not come up")


def measure(port, streams, tokens, requests):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    for _ in range(20):
        complete(connection, 1, False)
    above = []
    for _ in range(requests):
        seconds, last = complete(connection, 1, False)
        above.append(seconds - (last["timings"]["prompt_ms"] + last["timings"]["predicted_ms"]) / 1e3)
    whole, streamed = [], []
    for _ in range(7):
        whole.append(complete(connection, 256, False))
        streamed.append(complete(connection, 256, True))
    count = whole[0][1]["tokens_predicted"]
    token = (statistics.median(s for s, _ in streamed) - statistics.median(s for s, _ in whole)) / max(count, 1)
    gaps, counts = [], []
    threads = [threading.Thread(target=one_stream, args=(port, i, tokens, gaps, counts)) for i in range(streams)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - begin
    if len(counts) != streams:
        sys.exit(f"llama_server_load.py: {len(counts)} of {streams} streams came to an end")
    return {"overhead_us_request": round(statistics.median(above) * 1e6, 1), "overhead_us_token": round(token * 1e6, 2),
            "streams": streams, "streams_tokens": sum(counts), "streams_tokens_per_s": round(sum(counts) / took, 1),
            "gap_ms": {"median": round(percentile(gaps, .5) * 1e3, 2), "p99": round(percentile(gaps, .99) * 1e3, 2)}}


def main():
    server, model, streams, tokens, requests, threads = sys.argv[1], sys.argv[2], *(int(a) for a in sys.argv[3:7])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    child = subprocess.Popen([server, "-m", model, "--port", str(port), "-np", str(streams), "-c", str(1024 * streams), "-fa", "on",
                              "-t", str(threads), "-tb", str(threads), "--no-webui"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait(port, child)
        print(json.dumps(measure(port, streams, tokens, requests)))
    finally:
        child.terminate()
        child.wait()


if __name__ == "__main__":
    main()
