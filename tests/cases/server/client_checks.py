"""Hostile, slow and leaving clients; many at once; limits; TLS."""

import base64
import contextlib
import http.client
import json
import re
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from serving import TINY, GALEN, SLOW, Server, chat, sse, png, raw, together


def check_http_limits(server):
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
    assert b" 413 " in raw(server, head + b"Content-Length: 99999999999\r\n\r\n")
    assert raw(server, head + b"Content-Length: 99999999999999999999999\r\n\r\n").startswith(b"HTTP/1.1 4")
    assert b" 400 " in raw(server, head + b"Content-Length: -1\r\n\r\n")
    assert b" 400 " in raw(server, head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    assert b" 400 " in raw(server, head + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x")
    assert b" 400 " in raw(server, head + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nx\r\n")
    assert b" 400 " in raw(server, head + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx\r\n")
    assert b" 400 " in raw(server, head + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")
    assert b" 400 " in raw(server, b"POST /v1/chat/completions HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
    assert b" 400 " in raw(server, b"GET /health HTTP/1.1\r\n\r\n")
    assert b" 431 " in raw(server, head + b"X: " + b"a" * 100000 + b"\r\n\r\n")
    assert b" 400 " in raw(server, b"\x16\x03\x01\x02\x00 what is this\r\n\r\n")
    assert b" 400 " in raw(server, b"GET health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b" 400 " in raw(server, b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n")
    assert b" 403 " in raw(server, b"GET /health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert b" 403 " in raw(server, b"GET /health HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n")
    assert b" 200 " in raw(server, b"GET /health HTTP/1.0\r\n\r\n")
    assert raw(server, b"", wait=1, half_close=True) == b""
    assert raw(server, head + b"Content-Length: 50\r\n\r\n{\"mod", half_close=True) == b"", "half a body"
    # Two requests at once are answered one after the other.
    twice = raw(server, b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2, wait=1)
    assert twice.count(b"HTTP/1.1 200 OK") == 2
    expecting = raw(server, head + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", wait=3)
    assert expecting.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400"), expecting[:80]
    # HTTP/1.0 clients (proxies) get streams without chunks.
    body = json.dumps(chat("x", stream=True)).encode()
    old = raw(server, b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert b"chunked" not in old and old.endswith(b"data: [DONE]\n\n")


def check_slow_clients(_):
    with Server("--header-timeout", 1, "--body-timeout", 1, "--write-timeout", 2) as server:
        for start in (b"GET /hea", b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"):
            with socket.create_connection(("127.0.0.1", server.port), timeout=20 * SLOW) as s:
                s.sendall(start)
                begin = time.monotonic()
                with contextlib.suppress(OSError):
                    for _ in range(100):  # a byte now and then does not help
                        s.sendall(b"a")
                        s.settimeout(0.1)
                        with contextlib.suppress(TimeoutError):
                            if s.recv(1000) == b"":
                                break
                assert time.monotonic() - begin < 6 * SLOW, "a slow client kept its connection"
        # Many of them keep nobody else out.
        slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
        for s in slow:
            s.sendall(b"GET /")
        begin = time.monotonic()
        assert server.get("/health/live")["status"] == "ok" and time.monotonic() - begin < 1 * SLOW
        for s in slow:
            s.close()


def check_cancellation(server):
    before = server.metric("galen_requests_cancelled_total")
    for path, body in (("/v1/chat/completions", chat("Count", max_tokens=8000, stream=True, logit_bias={"2": -100, "5": -100})),
                       ("/v1/chat/completions", chat("Count", max_tokens=8000, logit_bias={"2": -100, "5": -100}))):
        data = json.dumps(body).encode()
        s = socket.create_connection(("127.0.0.1", server.port))
        s.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(data)) + data)
        if body.get("stream"):
            s.recv(100)
        else:
            time.sleep(0.05)
        s.close()
    deadline = time.monotonic() + 20 * SLOW
    while server.metric("galen_requests_running") + server.metric("galen_requests_waiting") > 0:
        assert time.monotonic() < deadline, "a client that left is still served"
        time.sleep(0.02)
    assert server.metric("galen_requests_cancelled_total") > before


def check_alone_and_together(_):
    with Server("--batch-invariant", "--max-sequences", 16) as server:
        bodies = [chat(f"Question {i} " + "word " * i, max_tokens=24, temperature=1, seed=i, logprobs=True) for i in range(16)]
        alone = [json.loads(server.call("POST", "/v1/chat/completions", b)[2])["choices"] for b in bodies]
        for status, _, data in (results := together(server, bodies)):
            assert status == 200, data
        assert [json.loads(r[2])["choices"] for r in results] == alone, "the others in the batch change an answer"


def check_images_and_answers_together(server):
    """Images, scores and embeddings are computed between the steps of running answers; nothing of that changes any of them."""
    url = lambda i: "data:image/png;base64," + base64.b64encode(png(40 + i, 30)).decode()
    seen = lambda i: {**chat(""), "seed": i, "messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": url(i)}}, {"type": "text", "text": "What is this?"}]}]}
    requests = [("/v1/chat/completions", seen(i)) for i in range(4)]
    requests += [("/v1/chat/completions", chat(f"Question {i}", max_tokens=150)) for i in range(4)]
    requests += [("/v1/completions", {"prompt": [2] + list(range(10, 90)) * 9, "max_tokens": 0, "echo": True, "logprobs": 1}),
                 ("/v1/embeddings", {"input": ["word " * 500, "x"]})] * 2
    results = [None] * len(requests)

    def one(i):
        results[i] = server.call("POST", *requests[i])

    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(requests))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for (path, body), (status, _, data) in zip(requests, results):
        assert status == 200, data
        alone, answer = server.post(path, body), json.loads(data)
        key = "data" if "data" in answer else "choices"
        assert answer[key] == alone[key], f"{path}: another answer than alone"


def check_back_pressure(_):
    with Server("--max-queue", 2, "--max-sequences", 1) as server:
        bodies = [chat(f"{i}", max_tokens=1200, logit_bias={"2": -100, "5": -100}) for i in range(12)]
        results = together(server, bodies)
        codes = [r[0] for r in results]
        assert set(codes) == {200, 429} and codes.count(200) >= 1, codes
        refused = next(r for r in results if r[0] == 429)
        assert int(refused[1]["Retry-After"]) >= 1 and json.loads(refused[2])["error"]["type"] == "rate_limit_error"
        assert server.metric("galen_requests_refused_total") == codes.count(429)


def check_drain(_):
    server = Server("--drain-timeout", 30)
    with server:
        result = []
        body = chat("long", max_tokens=2500, stream=True, logit_bias={"2": -100, "5": -100})
        thread = threading.Thread(target=lambda: result.append(server.call("POST", "/v1/chat/completions", body)))
        thread.start()
        deadline = time.monotonic() + 20 * SLOW
        while server.metric("galen_requests_running") == 0 and time.monotonic() < deadline and not result:
            time.sleep(0.005)
        idle = socket.create_connection(("127.0.0.1", server.port))
        server.stop()
        thread.join()
        assert result[0][0] == 200 and len(sse(result[0][2])) > 100, "what ran at the signal was not finished"
        assert idle.recv(10) == b""
        idle.close()


def check_tls(server):
    with tempfile.TemporaryDirectory() as folder:
        cert, key = Path(folder) / "cert.pem", Path(folder) / "key.pem"
        made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                               "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                               "-keyout", key, "-out", cert], capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        with Server("--tls-cert", cert, "--tls-key", key) as secure:
            trusting = ssl.create_default_context(cafile=cert)
            connection = http.client.HTTPSConnection("localhost", secure.port, context=trusting, timeout=60 * SLOW)
            for stream in (False, True, False):  # one connection
                connection.request("POST", "/v1/chat/completions", json.dumps(chat("Hello", stream=stream)),
                                   {"Content-Type": "application/json"})
                reply = connection.getresponse()
                data = reply.read()
                assert reply.status == 200, data
                text = "".join(e["choices"][0]["delta"].get("content", "") for e in sse(data)) if stream else \
                    json.loads(data)["choices"][0]["message"]["content"]
                assert text == server.post("/v1/chat/completions", chat("Hello"))["choices"][0]["message"]["content"]
            assert connection.sock.version() in ("TLSv1.2", "TLSv1.3")
            connection.close()
            with contextlib.suppress(ssl.SSLCertVerificationError):
                http.client.HTTPSConnection("localhost", secure.port, timeout=10).request("GET", "/health/live")
                raise AssertionError("an unknown certificate was trusted")
            old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
            with contextlib.suppress(ssl.SSLError, OSError, ValueError):
                old.minimum_version = ssl.TLSVersion.TLSv1
                old.maximum_version = ssl.TLSVersion.TLSv1_1
                old.wrap_socket(socket.create_connection(("localhost", secure.port)), server_hostname="localhost")
                raise AssertionError("TLS 1.1 was accepted")
            assert not raw(secure, b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n", wait=3).startswith(b"HTTP/1.1 200"), "plain text"
            # A client that leaves in the middle of a stream ends its request.
            s = trusting.wrap_socket(socket.create_connection(("localhost", secure.port)), server_hostname="localhost")
            data = json.dumps(chat("Count", max_tokens=8000, stream=True, logit_bias={"2": -100, "5": -100})).encode()
            s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
            assert s.recv(12).startswith(b"HTTP/1.1 200")
            s.close()
            health = http.client.HTTPSConnection("localhost", secure.port, context=trusting, timeout=60 * SLOW)
            deadline = time.monotonic() + 20 * SLOW
            while True:
                health.request("GET", "/metrics")
                running = re.search(r"^galen_requests_running\S* (\d+)", health.getresponse().read().decode(), re.M)[1]
                if running == "0":
                    break
                assert time.monotonic() < deadline, "a client that left is still served"
                time.sleep(0.02)
            health.close()
    for args in (["--tls-cert", "/nonexistent", "--tls-key", "/nonexistent"], ["--tls-key", "/nonexistent"]):
        done = subprocess.run([GALEN, "serve", str(TINY / "gemma3/q8_0.gguf"), "--context", "64", "--port", "0", *args],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and done.stderr.startswith("galen: "), done
