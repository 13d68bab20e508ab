#!/usr/bin/env python3
"""Whether `galen serve` can be left running: mixed requests go through while many slow clients hold connections open, as one JSON line.

    server_soak.py GALEN [--requests 100000] [--slow 1000] [--talks 16] [--seed 1] [--series FILE]

A tiny random model that sees is served, and galen-mini, with an audit log and a log of requests. Of the requests 60 % are conversations (half of them
streamed), 15 % held to a JSON Schema, 10 % embeddings, 5 % pictures, 10 % wrong (each kind with the one status that is promised for it).
Slow clients send a head, a body or nothing, or read an answer, a few bytes a second, until the server's time limits end them; then others
come. A prober asks /v1/models and /health meanwhile, from a process of its own; what makes the load runs with less priority than it and the server.

Ends with 1 and says why, unless: every answer had its promised status (429 where the queue is full); resident memory of the last half
stayed within 2 %; when all is over, descriptors, threads, temporary files, KV pages, requests and connections are what they were
before; the p99 of /v1/models and /health is at most 20 ms.
"""

import argparse
import base64
import collections
import contextlib
import json
import multiprocessing
import os
import random
import selectors
import socket
import struct
import sys
import tempfile
import time
import zlib
from pathlib import Path

from measured_server import Client, MeasuredServer, Talk, percentile, request

READER = "galen-mini"  # in the program; unlike the tiny models' its vocabulary spells JSON
TINY = Path(__file__).resolve().parent.parent / "tests/parity/models/tiny/gemma3-vision"
WORDS = "sodium potassium glucose patient reports pain fever cough chest left right lower upper lobe nodule mm since days no yes".split()
FLAT = 0.02  # of the resident memory of the last half
SLOWEST = 20.0  # ms, p99 of the probes
# What may change between before and after: allocator and libraries open nothing, but the kernel closes sockets a little later.
SETTLE_SECONDS = 20


# ---------------------------------------------------------------- requests

def words(rng, most):
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, most)))


def png(rng):
    size = rng.choice((28, 40, 56))
    shade = rng.randrange(256)
    rows = b"".join(b"\0" + bytes((x * shade + y * 3) % 256 for x in range(size) for _ in range(3)) for y in range(size))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) +
            chunk(b"IEND", b""))


def post(path, body):
    return request("POST", path, json.dumps(body).encode())


def conversation(rng, content, **more):
    return {"model": "tiny", "messages": [{"role": "user", "content": content}], "max_tokens": rng.randint(1, 24), "temperature": rng.choice((0, 1)), **more}


def right(kind, status, promised, body):
    """Whether an answer is one that was promised."""
    if status != promised:
        return status == 429 and promised == 200
    if kind == "schema":
        choice = json.loads(body)["choices"][0]
        return choice["finish_reason"] == "length" or isinstance(json.loads(choice["message"]["content"]), dict)
    return True


def make_chat(rng):
    stream = rng.random() < .5
    if rng.random() < .3:
        return post("/api/chat", {"model": "tiny", "messages": [{"role": "user", "content": words(rng, 12)}], "stream": stream,
                                  "options": {"num_predict": rng.randint(1, 24)}})
    # Some share a beginning, as those with one system text do.
    start = [{"role": "system", "content": "You read laboratory reports. " * 4}] if rng.random() < .5 else []
    body = conversation(rng, words(rng, 12), stream=stream)
    body["messages"] = start + body["messages"]
    return post("/v1/chat/completions", body)


def make_schema(rng):
    properties = {f"v{i}": rng.choice(({"type": "integer", "minimum": 0, "maximum": 10 ** rng.randint(1, 5)}, {"type": "boolean"}, {"enum": ["low", "high"]}))
                  for i in range(rng.randint(1, 3))}
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return post("/v1/chat/completions", conversation(rng, words(rng, 6), model=READER, response_format={
        "type": "json_schema", "json_schema": {"name": "x", "schema": schema}}, max_tokens=48))


def make_embedding(rng):
    return post("/v1/embeddings", {"model": "tiny", "input": [words(rng, 8) for _ in range(rng.randint(1, 3))]})


PICTURES = []


def make_image(rng):
    if len(PICTURES) < 300:  # more than once each, as the cache of images expects
        PICTURES.append("data:image/png;base64," + base64.b64encode(png(rng)).decode())
    url = rng.choice(PICTURES)
    return post("/v1/chat/completions", conversation(rng, [{"type": "text", "text": words(rng, 4)}, {"type": "image_url", "image_url": {"url": url}}]))


def make_bad(rng):
    """(bytes, the promised status)"""
    chat = conversation(rng, "Hello")
    return rng.choice((
        lambda: (post("/v1/chat/completions", {**chat, "model": "none"}), 404),
        lambda: (post("/v1/chat/completions", {**chat, "temperature": 9}), 400),
        lambda: (post("/v1/chat/completions", {**chat, "unknown": 1}), 400),
        lambda: (post("/v1/chat/completions", {**chat, "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]}), 400),
        lambda: (post("/v1/chat/completions", {**chat, "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": 3}}}}), 400),
        lambda: (post("/v1/chat/completions", conversation(rng, "long " * 3000)), 400),
        lambda: (request("POST", "/v1/chat/completions", b'{"messages": ['), 400),
        lambda: (request("POST", "/api/chat", b"[" * 5000), 400),
        lambda: (post("/v1/embeddings", {"model": "tiny"}), 400),
        lambda: (post("/extract", {"model": "tiny", "files": []}), 422),
        lambda: (request("GET", "/nowhere"), 404),
        lambda: (request("GET", "/v1/models/none"), 404),
        lambda: (request("DELETE", "/v1/models"), 405),
        lambda: (post("/api/pull", {"model": "x"}), 403),
        lambda: (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
        lambda: (b"GET / HTTP/1.1\r\nX: " + b"y" * 20000 + b"\r\n\r\n", 431),
    ))()


KINDS = {"chat": (.60, make_chat), "schema": (.15, make_schema), "embeddings": (.10, make_embedding), "images": (.05, make_image), "bad": (.10, make_bad)}


def make_request(rng):
    """(kind, bytes, promised status)"""
    kind = rng.choices(list(KINDS), [share for share, _ in KINDS.values()])[0]
    made = KINDS[kind][1](rng)
    return (kind, *made) if kind == "bad" else (kind, made, 200)


# ---------------------------------------------------------------- slow clients

class Slow:
    """A client that sends `data` three bytes a second, or sends it at once and reads a few; it ends when the server says so or all is done."""

    def __init__(self, rng, port, selector):
        self.kind = rng.choice(("head", "body", "reader", "idle"))
        body = json.dumps({"model": "tiny", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 60, "stream": True}).encode()
        whole = request("POST", "/v1/chat/completions", body)
        self.left = whole[:60] if self.kind == "head" else whole if self.kind in ("body", "reader") else request("GET", "/health/live")
        self.socket = socket.create_connection(("127.0.0.1", port))
        if self.kind == "reader":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.socket.setblocking(False)
        self.selector = selector
        if self.kind in ("reader", "idle"):
            self.send(len(self.left))
        elif self.kind == "body":
            self.send(len(whole) - len(body) + 4)
        if self.kind != "reader":  # a reader looks when its time comes
            selector.register(self.socket, selectors.EVENT_READ, self)

    def send(self, count):
        with contextlib.suppress(BlockingIOError):
            self.left = self.left[self.socket.send(self.left[:count]):]

    def turn(self):
        """Once a second. False: it is over."""
        try:
            if self.kind == "reader":
                return bool(self.socket.recv(6))
            if self.kind != "idle" and self.left:
                self.send(3)
            return True
        except BlockingIOError:
            return True
        except OSError:
            return False

    def readable(self):
        try:
            return bool(self.socket.recv(1 << 16))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self):
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(self.socket)
        self.socket.close()


def hold_slow(port, count, seed, stop, opened, ended):
    """Keeps `count` slow clients open until `stop` is set. opened, ended: how many there are, and have been."""
    with contextlib.suppress(OSError):
        os.nice(10)
    rng = random.Random(seed)
    selector = selectors.DefaultSelector()
    ring = collections.deque()  # each has its turn once a second
    begin, turns = time.monotonic(), 0
    while not stop.is_set():
        while len(ring) < count and not stop.is_set():
            ring.append(Slow(rng, port, selector))
        opened.value = len(ring)
        for key, _ in selector.select(0.02):
            if not key.data.readable():
                ring.remove(key.data)
                key.data.close()
                ended.value += 1
        # A slow machine gives fewer turns; they are not caught up with.
        due = int((time.monotonic() - begin) * count)
        if due - turns > count:
            turns = due - count
        while turns < due and ring:
            turns += 1
            slow = ring.popleft()
            if slow.turn():
                ring.append(slow)
            else:
                slow.close()
                ended.value += 1
    for slow in ring:
        slow.close()


# ---------------------------------------------------------------- probes

def probe(port, stop, queue):
    """Asks every 20 ms, on a connection that stays open; the times go to `queue` at the end."""
    client = Client(port)
    talk = Talk(client)
    times = {"/v1/models": [], "/health": []}
    wrong = 0
    while not stop.is_set():
        for path, kept in times.items():
            talk.send(request("GET", path), None)
            while not client.poll(5):
                pass
            kept.append(talk.answer[2] * 1e3)
            wrong += talk.answer[0] != 200
            time.sleep(.02)
    queue.put((times, wrong))


# ---------------------------------------------------------------- the run

class Held:
    """What the server holds that must come back."""

    def __init__(self, server):
        self.values = {"descriptors": server.descriptors(), "threads": server.threads(), "temporary_files": server.temporary_files(),
                       "running": server.metric("galen_requests_running"), "waiting": server.metric("galen_requests_waiting"),
                       "documents": server.metric("galen_documents_running") + server.metric("galen_documents_waiting"),
                       "kv_pages": server.metric("galen_kv_pages_used") - server.metric("galen_kv_pages_cached"),
                       "connections": server.metric("galen_connections")}


def run_load(server, count, talks, seed, samples):
    """(statuses by kind, faults, seconds)"""
    rng = random.Random(seed)
    client = Client(server.port)
    idle = [Talk(client) for _ in range(talks)]
    statuses = collections.defaultdict(collections.Counter)
    faults = collections.Counter()
    sent = done = 0
    begin = time.perf_counter()
    while done < count:
        while idle and sent < count:
            kind, data, promised = make_request(rng)
            idle.pop().send(data, (kind, promised))
            sent += 1
        for talk in client.poll(1):
            kind, promised = talk.tag
            status, body, _ = talk.answer
            statuses[kind][status] += 1
            if not right(kind, status, promised, body):
                faults[f"{kind}: {status} instead of {promised}: {body[:160]!r}"] += 1
            idle.append(talk)
            done += 1
            if done % max(1, count // 200) == 0:
                samples.append((done, server.resident(), server.descriptors()))
    for talk in idle:
        talk.close()
    return statuses, faults, time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("galen")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--slow", type=int, default=1000)
    parser.add_argument("--talks", type=int, default=16, help="connections that make the load")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="of the server; 0: its default")
    parser.add_argument("--series", type=Path, help="file for the course of it: lines of requests, resident bytes, descriptors")
    parser.add_argument("--slowest", type=float, default=SLOWEST, help="ms, the p99 that probes may have")
    o = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, \
            MeasuredServer(o.galen, [f"tiny={TINY}", READER], folder, "--context", 1024, "--max-sequences", 16, "--threads", o.threads,
                           "--audit", Path(folder) / "audit") as server:
        return soak(o, server)


def soak(o, server):
    # Once through everything, so that what is made at first use is there.
    samples = []
    run_load(server, min(2000, o.requests // 5), o.talks, o.seed + 1, samples)
    time.sleep(3)  # until sockets of refused requests are closed, which wait for their clients
    before = settle(server, None)
    stop, queue = multiprocessing.Event(), multiprocessing.Queue()
    opened, ended = multiprocessing.Value("i", 0), multiprocessing.Value("i", 0)
    helpers = [multiprocessing.Process(target=probe, args=(server.port, stop, queue))]
    share = [len(range(i, o.slow, 2)) for i in range(2)]
    counts = [(multiprocessing.Value("i", 0), multiprocessing.Value("i", 0)) for _ in share]
    helpers += [multiprocessing.Process(target=hold_slow, args=(server.port, n, o.seed + i, stop, *counts[i])) for i, n in enumerate(share)]
    for helper in helpers:
        helper.start()
    with contextlib.suppress(OSError):
        os.nice(10)
    deadline = time.monotonic() + 120
    while sum(c[0].value for c in counts) < o.slow and time.monotonic() < deadline:
        time.sleep(.1)
    samples = []
    most_open = server.metric("galen_connections")
    statuses, faults, took = run_load(server, o.requests, o.talks, o.seed, samples)
    most_open = max(most_open, server.metric("galen_connections"))
    stop.set()
    times, wrong = queue.get(timeout=60)
    for helper in helpers:
        helper.join()
    after = settle(server, before)
    half = [resident for number, resident, _ in samples if number > o.requests // 2]
    if o.series:
        o.series.write_text("".join(f"{' '.join(map(str, sample))}\n" for sample in samples))
    result = {
        "requests": o.requests, "seconds": round(took, 1), "requests_per_s": round(o.requests / took, 1),
        "slow_clients": o.slow, "slow_ended": sum(c[1].value for c in counts), "connections": int(most_open),
        "statuses": {kind: dict(sorted(c.items())) for kind, c in sorted(statuses.items())},
        "faults": dict(faults.most_common(10)),
        "resident_mb": {"first": round(samples[0][1] / 1e6, 1), "half": round(half[0] / 1e6, 1), "last": round(half[-1] / 1e6, 1),
                        "spread_of_last_half": round((max(half) - min(half)) / min(half), 4)},
        "models_ms": {"median": round(percentile(times["/v1/models"], .5), 2), "p99": round(percentile(times["/v1/models"], .99), 2)},
        "health_ms": {"median": round(percentile(times["/health"], .5), 2), "p99": round(percentile(times["/health"], .99), 2)},
        "before": before, "after": after}
    wrongs = [f"{n} times {what}" for what, n in faults.most_common(10)]
    if wrong:
        wrongs.append(f"{wrong} probes did not get 200")
    if result["resident_mb"]["spread_of_last_half"] > FLAT:
        wrongs.append(f"resident memory of the last half differs by {100 * result['resident_mb']['spread_of_last_half']:.1f} %")
    wrongs += [f"{name}: {before[name]} before, {after[name]} after" for name in before if after[name] > before[name]]
    for name in ("models_ms", "health_ms"):
        if result[name]["p99"] > o.slowest:
            wrongs.append(f"{name}: p99 {result[name]['p99']} ms")
    result["wrong"] = wrongs
    print(json.dumps(result))
    if wrongs:
        print("; ".join(wrongs), file=sys.stderr)
    return 1 if wrongs else 0


def settle(server, before):
    """What is held, when it is no more than `before` or time is over."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        held = Held(server).values
        good = all(held[name] <= before[name] for name in held) if before else held["connections"] <= 1 and not held["running"] + held["waiting"]
        if good or time.monotonic() > deadline:
            return held
        time.sleep(.2)


if __name__ == "__main__":
    sys.exit(main())
