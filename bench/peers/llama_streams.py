#!/usr/bin/env python3
"""Tokens per second of llama-server in all, with several streams at once, as one JSON line.

usage: llama_streams.py LLAMA_SERVER MODEL.gguf STREAMS TOKENS THREADS
"""

import concurrent.futures
import json
import socket
import subprocess
import sys
import time
import urllib.request


def post(port, number, tokens):
    body = {"prompt": f"Patient {number} presented with chest pain and shortness of breath. History:", "n_predict": tokens,
            "temperature": 0, "ignore_eos": True, "stream": False, "cache_prompt": False}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/completion", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=600) as reply:
        return json.load(reply)["tokens_predicted"]


def healthy(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as reply:
            return reply.status == 200
    except OSError:
        return False


def main():
    server, model, streams, tokens, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    child = subprocess.Popen([server, "-m", model, "--port", str(port), "-np", str(streams), "-c", str(1024 * streams), "-fa",
                              "on", "-t", threads, "-tb", threads, "--no-webui"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not healthy(port):
            if child.poll() is not None or time.monotonic() > deadline:
                sys.exit("llama_streams.py: the server did not come up")
            time.sleep(0.2)
        post(port, 0, 16)
        best = 0.0
        for _ in range(2):
            with concurrent.futures.ThreadPoolExecutor(streams) as pool:
                start = time.monotonic()
                done = sum(pool.map(lambda i: post(port, i, tokens), range(streams)))
                best = max(best, done / (time.monotonic() - start))
        print(json.dumps({"decode_streams": best}))
    finally:
        child.terminate()
        child.wait()


if __name__ == "__main__":
    main()
