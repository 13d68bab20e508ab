"""What the checks share: a running server, requests, answers."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
TINY = HERE.parents[1] / "parity/models/tiny"
GALEN = os.environ.get("GALEN_BIN", "galen")
if "/" in GALEN:
    GALEN = str(Path(GALEN).resolve())  # some checks run it elsewhere
SLOW = 10 if os.environ.get("GALEN_SLOW") else 1
SMOLLM = Path(os.environ.get("GALEN_MODELS", Path.home() / ".cache/galen/models")) / "SmolLM2-135M-Instruct.Q4_1.gguf"
PLANTED = ["Mustermann-Xq7", "1964-08-12-Xq7", "gk_planted_secret"]


class Server:
    """A running server; its log is kept. Where it has models of its own, galen-mini is beside them only if asked for (builtin)."""

    def __init__(self, *args, models=("tiny=" + str(TINY / "gemma3-vision"),), env=None, preexec_fn=None, builtin=False, context=8192):
        self.log = tempfile.TemporaryFile()
        own = models or {"--manage-models", "--config"} & set(args)
        alone = ["--no-builtin-model"] if own and not builtin else []
        command = [GALEN, "serve", *models, *alone, "--port", "0", "--context", str(context), "--threads", "2", *map(str, args)]
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True,
                                      env={**os.environ, **(env or {})}, preexec_fn=preexec_fn)
        line = self.child.stdout.readline()
        match = re.search(r":(\d+)$", line.strip())
        if not match:
            self.child.wait()
            raise AssertionError(f"the server did not start: {line} {self.read_log()}")
        self.port = int(match[1])

    def read_log(self):
        # Not by seeking: the server writes at the same file's position.
        return os.pread(self.log.fileno(), os.fstat(self.log.fileno()).st_size, 0).decode(errors="replace")

    def stop(self, code=0):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        rc = self.child.wait(timeout=60 * SLOW)
        assert rc == code, f"the server ended with {rc}: {self.read_log()[-2000:]}"

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self.child.kill()
            self.child.wait()
            print("  log:", self.read_log()[-1500:])
        else:
            self.stop()
        self.child.stdout.close()
        self.log.close()

    def kill(self):
        self.child.kill()
        self.child.wait()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120 * SLOW)

    def call(self, method, path, body=None, headers=None, raw=False):
        connection = self.connect()
        try:
            data = body if raw or body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
            reply = connection.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read()
        finally:
            connection.close()

    def post(self, path, body, code=200, headers=None):
        status, _, data = self.call("POST", path, body, headers)
        assert status == code, f"{path} {json.dumps(body)[:200]}: {status} {data[:400]}"
        return json.loads(data)

    def get(self, path, code=200, headers=None):
        status, _, data = self.call("GET", path, headers=headers)
        assert status == code, f"{path}: {status} {data[:300]}"
        return json.loads(data)

    def metric(self, name):
        _, _, data = self.call("GET", "/metrics")
        found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", data.decode(), re.M)
        return sum(map(float, found))


def chat(text, **more):
    return {"model": "tiny", "messages": [{"role": "user", "content": text}], "temperature": 0, "max_tokens": 16, **more}


def sse(data):
    events = [line[6:] for line in data.decode().split("\n\n") if line.startswith("data: ")]
    assert events and events[-1] == "[DONE]", data[-200:]
    return [json.loads(e) for e in events[:-1]]


def png(width=40, height=30):
    rows = b"".join(b"\0" + bytes((x * 5 + y * 3) % 256 for x in range(width) for _ in range(3)) for y in range(height))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def raw(server, data, wait=5.0, half_close=False):
    """What the server answers to these bytes until it closes or `wait` is over."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=wait * SLOW) as s:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
        got = b""
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while piece := s.recv(65536):
                got += piece
        return got


def together(server, bodies, path="/v1/chat/completions"):
    results = [None] * len(bodies)

    def one(i):
        results[i] = server.call("POST", path, bodies[i])

    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(bodies))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results


def audit(*args, code=0):
    done = subprocess.run([GALEN, "audit", *map(str, args)], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done
    return done.stdout
