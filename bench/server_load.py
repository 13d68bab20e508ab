#!/usr/bin/env python3
"""What `galen serve` costs above the engine, and what many streams get, as one JSON line.

    server_load.py GALEN MODEL [--streams N] [--tokens T] [--requests R] [--threads K]

overhead_us_request: median time of a request for one token, minus the time that the server's own engine spent on it (Ollama's
prompt_eval_duration + eval_duration). overhead_us_token: what a streamed token takes longer over HTTP than in a request that is not
streamed. streams_tokens_per_s: all tokens of N greedy streams over the time. gap_ms: times between pieces of the same stream.
"""

import argparse
import http.client
import json
import re
import statistics
import subprocess
import threading
import time


def connect(port):
    return http.client.HTTPConnection("127.0.0.1", port, timeout=600)


def post(connection, path, body):
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    return connection.getresponse()


def generate(connection, prompt, tokens, stream, **options):
    body = {"prompt": prompt, "raw": True, "stream": stream, "options": {"temperature": 0, "num_predict": tokens, **options}}
    begin = time.perf_counter()
    reply = post(connection, "/api/generate", body)
    data = reply.read()
    return time.perf_counter() - begin, json.loads(data.splitlines()[-1])


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0


def one_stream(port, number, tokens, gaps, counts):
    connection = connect(port)
    body = {"prompt": f"Patient {number} presented with chest pain and shortness of breath. History:", "max_tokens": tokens,
            "temperature": 0, "stream": True, "stream_options": {"include_usage": True}}
    reply = post(connection, "/v1/completions", body)
    last = None
    for line in reply:
        now = time.perf_counter()
        if not line.startswith(b"data: {"):
            continue
        event = json.loads(line[6:])
        if event.get("usage"):
            counts.append(event["usage"]["completion_tokens"])
        elif event["choices"][0]["text"]:
            if last is not None:
                gaps.append(now - last)
            last = now
    connection.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("galen")
    parser.add_argument("model")
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--threads", type=int, default=0)
    o = parser.parse_args()
    child = subprocess.Popen([o.galen, "serve", o.model, "--port", "0", "--no-log", "--max-sequences", str(o.streams), "--context", "1024",
                              "--threads", str(o.threads)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        port = int(re.search(r":(\d+)$", child.stdout.readline().strip())[1])
        connection = connect(port)
        for _ in range(20):
            generate(connection, "The patient", 1, False)
        above, inside, times = [], [], []
        for _ in range(o.requests):
            seconds, last = generate(connection, "The patient", 1, False)
            engine = (last["prompt_eval_duration"] + last["eval_duration"]) / 1e9
            above.append(seconds - engine)
            inside.append(last["total_duration"] / 1e9 - engine)
            times.append(seconds)
        whole, streamed = [], []
        for _ in range(7):
            for stream, kept in ((False, whole), (True, streamed)):
                seconds, last = generate(connection, "The patient", 256, stream)
                kept.append((seconds, last["eval_count"]))
        count = whole[0][1]
        token = (statistics.median(s for s, _ in streamed) - statistics.median(s for s, _ in whole)) / max(count, 1)
        # Time of small questions, while all streams run.
        gaps, counts, pings = [], [], []
        threads = [threading.Thread(target=one_stream, args=(port, i, o.tokens, gaps, counts)) for i in range(o.streams)]
        begin = time.perf_counter()
        for t in threads:
            t.start()
        while any(t.is_alive() for t in threads):
            start = time.perf_counter()
            connection.request("GET", "/v1/models")
            connection.getresponse().read()
            pings.append(time.perf_counter() - start)
            time.sleep(0.01)
        took = time.perf_counter() - begin
        print(json.dumps({
            "request_us": round(statistics.median(times) * 1e6, 1),
            "overhead_us_request": round(statistics.median(above) * 1e6, 1),
            "overhead_us_request_in_server": round(statistics.median(inside) * 1e6, 1),
            "overhead_us_token": round(token * 1e6, 2), "tokens_compared": count,
            "streams": o.streams, "streams_tokens": sum(counts), "streams_tokens_per_s": round(sum(counts) / took, 1),
            "gap_ms": {"median": round(percentile(gaps, .5) * 1e3, 2), "p99": round(percentile(gaps, .99) * 1e3, 2)},
            "models_ms_under_load": {"median": round(percentile(pings, .5) * 1e3, 2), "p99": round(percentile(pings, .99) * 1e3, 2)}}))
    finally:
        child.terminate()
        child.wait()


if __name__ == "__main__":
    main()
