"""What the measurements of `galen serve` share: a server as a child, what it holds and what it has computed, and a client that keeps
many connections in one thread. Standard library only; Linux (/proc)."""

import json
import os
import re
import selectors
import signal
import socket
import subprocess
import time
from pathlib import Path


class MeasuredServer:
    """`galen serve` on a free port. `folder`: its TMPDIR, and where its log goes."""

    def __init__(self, galen, models, folder, *options):
        self.folder = Path(folder)
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir(parents=True, exist_ok=True)
        self.log = open(self.folder / "log", "wb")
        self.child = subprocess.Popen([str(galen), "serve", *map(str, models), "--port", "0", *map(str, options)], stdout=subprocess.PIPE,
                                      stderr=self.log, text=True, env={**os.environ, "TMPDIR": str(self.temporary)})
        line = self.child.stdout.readline()
        found = re.search(r":(\d+)$", line.strip())
        if not found:
            self.child.wait()
            raise RuntimeError(f"the server did not start: {line}{(self.folder / 'log').read_text()[-2000:]}")
        self.port = int(found[1])
        self.proc = Path(f"/proc/{self.child.pid}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.child.stdout.close()
        self.log.close()

    def resident(self):
        """Bytes."""
        return int((self.proc / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self):
        return len(os.listdir(self.proc / "fd"))

    def threads(self):
        return len(os.listdir(self.proc / "task"))

    def temporary_files(self):
        return sum(len(files) + len(folders) for _, folders, files in os.walk(self.temporary))

    def processor_seconds(self):
        """By what the threads do: http (accepts, reads, writes), model (steps of the engine, and its helpers), other (prepares prompts)."""
        spent = {"http": 0.0, "model": 0.0, "other": 0.0}
        for task in (self.proc / "task").iterdir():
            try:
                name = (task / "comm").read_text().strip()
                nanoseconds = int((task / "schedstat").read_text().split()[0])
            except FileNotFoundError:
                continue  # it has ended
            role = "http" if int(task.name) == self.child.pid else "model" if name in ("model", "compute") else "other"
            spent[role] += nanoseconds / 1e9
        return spent

    def call(self, method, path, body=None):
        """(status, body) of one request on a connection of its own."""
        data = b"" if body is None else json.dumps(body).encode()
        with socket.create_connection(("127.0.0.1", self.port), timeout=600) as s:
            s.sendall(request(method, path, data, close=True))
            got = b""
            while piece := s.recv(1 << 16):
                got += piece
        head, _, rest = got.partition(b"\r\n\r\n")
        if b"transfer-encoding: chunked" in head.lower():
            rest = unchunked(rest)
        return int(head.split()[1]), rest

    def metric(self, name):
        """The sum over all labels."""
        _, text = self.call("GET", "/metrics")
        return sum(float(x) for x in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text.decode(), re.M))


def request(method, path, data=b"", close=False):
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
    return (head + ("Connection: close\r\n" if close else "") + "\r\n").encode() + data


def unchunked(data):
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        out, data = out + data[:int(size or b"0", 16)], data[int(size or b"0", 16) + 2:]
    return out


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


class Talk:
    """One connection of a Client: a request at a time, its answer followed by framing alone."""

    def __init__(self, client):
        self.client = client
        self.socket = None
        self.idle = True

    def send(self, data, tag):
        """May be called when idle. `tag` comes back with the answer."""
        self.tag, self.data, self.got, self.head_end, self.left = tag, data, bytearray(), -1, None
        self.begin, self.idle, self.chunked, self.closes = time.perf_counter(), False, False, False
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.client.port))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.setblocking(False)
            self.client.selector.register(self.socket, selectors.EVENT_READ, self)
        self._write()

    def close(self):
        if self.socket is not None:
            self.client.selector.unregister(self.socket)
            self.socket.close()
            self.socket = None
        self.idle = True

    def _write(self):
        try:
            sent = self.socket.send(self.data)
        except BlockingIOError:
            sent = 0
        except OSError:  # the server has answered and closed before all was sent; what it said can still be read
            sent = len(self.data)
        self.data = self.data[sent:]
        self.client.selector.modify(self.socket, selectors.EVENT_READ | (selectors.EVENT_WRITE if self.data else 0), self)

    def ready(self, events):
        """True: the answer is there, as (status, body bytes, seconds) of `answer`."""
        if events & selectors.EVENT_WRITE:
            self._write()
        if not events & selectors.EVENT_READ:
            return False
        try:
            piece = self.socket.recv(1 << 18)
        except BlockingIOError:
            return False
        except OSError:
            piece = b""
        self.got += piece
        if piece and self.client.on_piece:
            self.client.on_piece(self, piece)
        done = self._whole(ended=not piece)
        if not done and piece:
            return False
        status = int(self.got[9:12]) if done else 0
        self.answer = (status, bytes(self.got[self.head_end:]), time.perf_counter() - self.begin)
        self.idle = True
        if not piece or self.closes or not done:
            self.close()
        return True

    def _whole(self, ended):
        if self.head_end < 0:
            end = self.got.find(b"\r\n\r\n")
            if end < 0:
                return False
            self.head_end = end + 4
            head = bytes(self.got[:end]).lower()
            self.chunked = b"transfer-encoding: chunked" in head
            self.closes = b"connection: close" in head
            length = re.search(rb"content-length: (\d+)", head)
            self.left = int(length[1]) if length else None
        if self.chunked:
            return self.got.endswith(b"0\r\n\r\n", self.head_end)
        return ended if self.left is None else len(self.got) - self.head_end >= self.left


class Client:
    """Many connections, one thread. on_piece(talk, bytes) sees what arrives, as it arrives."""

    def __init__(self, port, on_piece=None):
        self.port, self.on_piece = port, on_piece
        self.selector = selectors.DefaultSelector()

    def poll(self, seconds):
        """Talks whose answer is there."""
        return [key.data for key, events in self.selector.select(seconds) if key.data.ready(events)]
