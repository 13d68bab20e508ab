"""A hub of models and an Ollama registry on this machine, with a second host for the bytes (a CDN), both of which can lie.

`Site.faults` maps (kind, file) to a function that answers instead: kind is "api", "resolve", "bytes" (of the CDN), "manifest",
"blob"; file a path in the repository, or "" for all. A fault gets the request handler and what would be sent; it returns True if
it answered.
"""

import hashlib
import http.server
import json
import socket
import threading
import time

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def git_sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Repo:
    def __init__(self, files, license="apache-2.0", gated=False, token=None, lfs=None, card=None):
        self.files, self.license, self.gated, self.token = dict(files), license, gated, token
        self.card = card
        self.lfs = lfs if lfs is not None else {p for p in files if p.endswith((".safetensors", ".gguf", ".bin"))}
        self.commit = COMMIT

    def model(self):
        siblings = []
        for path, data in self.files.items():
            entry = {"rfilename": path, "size": len(data), "blobId": git_sha1(data)}
            if path in self.lfs:
                entry["lfs"] = {"sha256": sha256(data), "size": len(data), "pointerSize": 134}
            siblings.append(entry)
        return {"id": "x", "sha": self.commit, "gated": self.gated, "private": False, "siblings": siblings,
                "cardData": self.card or {"license": self.license}, "tags": ["license:" + self.license]}

    def tree(self):
        entries = []
        for path, data in self.files.items():
            entry = {"type": "file", "path": path, "size": len(data), "oid": git_sha1(data)}
            if path in self.lfs:
                entry["lfs"] = {"oid": sha256(data), "size": len(data), "pointerSize": 134}
            entries.append(entry)
        return entries


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, code, body=b"", headers=None, length=None):
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            try:
                self.wfile.write(body)
                self.site.count(self.path, len(body))
            except OSError:
                pass

    def drop(self):
        """Cuts the connection."""
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def body(self, data, headers=None, kind="", file=""):
        """Bytes, with ranges."""
        begin = 0
        value = self.headers.get("Range", "")
        if value.startswith("bytes=") and value.endswith("-"):
            begin = int(value[6:-1])
        if self.site.fault(kind, file, self, data, begin):
            return
        if begin >= len(data) > 0:
            return self.answer(416, headers={"Content-Range": f"bytes */{len(data)}"})
        if begin:
            headers = dict(headers or {}, **{"Content-Range": f"bytes {begin}-{len(data) - 1}/{len(data)}"})
        self.answer(206 if begin else 200, data[begin:], headers)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        site = self.site
        path = self.path.split("?")[0]
        if path.startswith("http://"):  # as a proxy
            path = "/" + path.split("/", 3)[3]
        with site.lock:
            site.seen.append((self.server.role, self.command, path, dict(self.headers)))
        parts = path.strip("/").split("/")
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.server.role == "cdn":
            return self.body(site.bytes[parts[-1]], kind="bytes", file=site.names.get(parts[-1], ""))
        if parts[0] == "v2":
            return self.registry(parts)
        if path == "/api/whoami-v2":
            if token in site.accounts:
                return self.answer(200, json.dumps({"name": site.accounts[token], "type": "user"}).encode())
            return self.answer(401, b'{"error":"Invalid credentials"}')
        if parts[:2] == ["api", "models"]:
            name = "/".join(parts[2:4])
            if site.fault("api", name, self, None, 0):
                return
            repo = site.repos.get(name)
            if repo is None:
                return self.answer(401 if not token else 404, b"{}", {"X-Error-Code": "RepoNotFound"})
            if (parts[4:] + ["", "main"])[1] not in ("main", repo.commit, "v2"):
                return self.answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            if parts[4:5] == ["tree"]:  # as Hugging Face's own client asks
                return self.answer(200, json.dumps(repo.tree()).encode())
            return self.answer(200, json.dumps(repo.model()).encode())
        name, file = "/".join(parts[:2]), "/".join(parts[4:])
        repo = site.repos[name]
        if repo.token is not None and token != repo.token:
            return self.answer(403 if token else 401, b"gated", {"X-Error-Code": "GatedRepo"})
        data = repo.files[file]
        headers = {"X-Repo-Commit": repo.commit}
        if file not in repo.lfs:
            return self.body(data, dict(headers, ETag=f'"{git_sha1(data)}"'), "resolve", file)
        headers.update({"X-Linked-Etag": f'"{sha256(data)}"', "X-Linked-Size": str(len(data)),
                        "Location": f"http://127.0.0.1:{site.cdn.server_port}/signed/{sha256(data)}?signature=secret"})
        if site.fault("resolve", file, self, data, 0):
            return
        site.names[sha256(data)] = file
        site.bytes[sha256(data)] = data
        self.answer(302, b"Found", headers)

    def registry(self, parts):
        site = self.site
        name = "/".join(parts[1:3])
        if parts[3] == "manifests":
            manifest = site.manifests.get((name, parts[4]))
            if site.fault("manifest", name, self, manifest, 0):
                return
            if manifest is None:
                return self.answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
            return self.answer(200, manifest, {"Docker-Content-Digest": "sha256:" + sha256(manifest)})
        digest = parts[4].removeprefix("sha256:")
        if site.fault("blob", site.names.get(digest, ""), self, site.bytes.get(digest), 0):
            return
        self.answer(307, b"", {"Location": f"http://127.0.0.1:{site.cdn.server_port}/blobs/{digest}"})


class Site:
    def __init__(self, context=None):
        self.repos, self.manifests, self.bytes, self.names, self.faults, self.accounts = {}, {}, {}, {}, {}, {}
        self.seen, self.lock, self.sent = [], threading.Lock(), {}
        self.hub, self.cdn = self.start("hub", context), self.start("cdn", None)
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.hub.server_port}"

    def start(self, role, context):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"site": self}))
        server.role, server.daemon_threads = role, True
        server.handle_error = lambda *_: None
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def stop(self):
        for server in (self.hub, self.cdn):
            server.shutdown()
            server.server_close()

    def fault(self, kind, file, handler, data, begin):
        fault = self.faults.get((kind, file)) or self.faults.get((kind, ""))
        return bool(fault and fault(handler, data, begin))

    def count(self, path, size):
        with self.lock:
            key = path.split("?")[0]
            self.sent[key] = self.sent.get(key, 0) + size

    def requests(self, part, role=None):
        with self.lock:
            return [entry for entry in self.seen if part in entry[2] and role in (None, entry[0])]

    def add_ollama(self, name, tag, layers):
        """layers: [(kind, bytes)]."""
        config = b'{"model_format":"gguf"}'
        listed = []
        for kind, data in layers + [("", config)]:
            self.bytes[sha256(data)] = data
            self.names[sha256(data)] = kind
            listed.append({"mediaType": "application/vnd.ollama.image." + kind, "digest": "sha256:" + sha256(data), "size": len(data)})
        listed[-1]["mediaType"] = "application/vnd.docker.container.image.v1+json"
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "config": listed[-1],
                    "layers": listed[:-1]}
        self.manifests[(name, tag)] = json.dumps(manifest).encode()
        return manifest


def slowly(piece, pause):
    """The right bytes, a piece at a time."""
    def fault(handler, data, begin):
        handler.send_response(206 if begin else 200)
        if begin:
            handler.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        handler.send_header("Content-Length", str(len(data) - begin))
        handler.end_headers()
        try:
            for at in range(begin, len(data), piece):
                handler.wfile.write(data[at:at + piece])
                handler.wfile.flush()
                handler.site.count(handler.path, len(data[at:at + piece]))
                time.sleep(pause)
        except OSError:
            handler.close_connection = True
        return True
    return fault


def cut_after(size, times):
    """The connection ends after `size` bytes, the first `times` times."""
    left = [times]

    def fault(handler, data, begin):
        if left[0] == 0:
            return False
        left[0] -= 1
        handler.send_response(206 if begin else 200)
        if begin:
            handler.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        handler.send_header("Content-Length", str(len(data) - begin))
        handler.end_headers()
        handler.wfile.write(data[begin:begin + size])
        handler.wfile.flush()
        handler.site.count(handler.path, size)
        handler.drop()
        return True
    return fault


def answer_once(codes, headers=None):
    """These codes first, one a request."""
    left = list(codes)

    def fault(handler, *_):
        if not left:
            return False
        handler.answer(left.pop(0), b"later", headers)
        return True
    return fault
