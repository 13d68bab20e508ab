"""Clients that change what is served: pull, create, copy, delete, blobs. The hub and the registry are those of tests/cases/store."""

import base64
import contextlib
import hashlib
import http.client
import importlib.util
import json
import re
import resource
import select
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from serving import GALEN, HERE, SLOW, TINY, Server, audit, png

spec = importlib.util.spec_from_file_location("hub_server", HERE.parent / "store/hub_server.py")
hub = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hub)

GGUF = (TINY / "gemma3/q8_0.gguf").read_bytes()
SEEING, PROJECTOR = ((TINY / "gemma3-vision" / name).read_bytes() for name in ("q8_0.gguf", "mmproj-f16.gguf"))
DEFAULTS = {"temperature": 0, "num_predict": 3}


class Home:
    """A store of its own, a hub and a registry; servers that manage that store."""

    def __init__(self, folder):
        self.store, self.site = Path(folder) / "store", hub.Site()
        self.env = {"GALEN_STORE": str(self.store), "HF_ENDPOINT": self.site.url, "OLLAMA_REGISTRY": self.site.url, "HOME": str(folder)}
        self.site.add_ollama("library/tiny", "latest", [("model", GGUF), ("system", b"Be brief."), ("params", json.dumps(DEFAULTS).encode()),
                                                         ("license", b"House terms")])

    def serve(self, *args, models=(), pull_from=("hub", "ollama", ""), **more):
        """pull_from: "" stands for the host that the bytes lie at."""
        places = [word for place in pull_from for word in ("--pull-from", place or f"127.0.0.1:{self.site.cdn.server_port}")]
        return Server("--manage-models", *places, *args, models=models, env=self.env, **more)

    def blobs(self):
        return sorted(p.name for p in (self.store / "blobs").glob("*")) if self.store.is_dir() else []


@contextlib.contextmanager
def home():
    with tempfile.TemporaryDirectory() as folder:
        place = Home(folder)
        try:
            yield place
        finally:
            place.site.stop()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def lines(server, path, body):
    status, headers, data = server.call("POST", path, body)
    assert status == 200 and headers["Content-Type"] == "application/x-ndjson", (status, data)
    return [json.loads(line) for line in data.splitlines()]


def names(server):
    ollama = sorted(m["name"] for m in server.get("/api/tags")["models"])
    assert sorted(m["id"] for m in server.get("/v1/models")["data"]) == ollama
    return ollama


def ask(server, model, **options):
    return server.post("/api/generate", {"model": model, "prompt": "Hello", "stream": False, "options": options})


def refused(server, path, body, *words, code=400, method="POST"):
    status, _, data = server.call(method, path, body)
    error = json.loads(data)["error"]
    assert status == code and all(word in error for word in words), (path, body, status, error)


def check_library_pull(_):
    with home() as place:
        place.site.repos["acme/tiny"] = hub.Repo({n: (TINY / "gemma3" / n).read_bytes() for n in ("config.json", "tokenizer.model", "model.safetensors")})
        place.site.repos["acme/quants"] = hub.Repo({"tiny-Q8_0.gguf": GGUF, "tiny-F16.gguf": (TINY / "gemma3/f16.gguf").read_bytes()})
        place.site.repos["acme/broken"] = hub.Repo({"x.gguf": b"GGUF no"})
        with place.serve() as server:
            assert names(server) == []
            refused(server, "/api/generate", {"model": "tiny", "prompt": "x"}, "offers none", code=404)
            told = lines(server, "/api/pull", {"model": "tiny"})
            assert told[0] == {"status": "pulling manifest"} and told[-1] == {"status": "success"}, told
            assert any(t["status"] == "verifying sha256 digest" for t in told)
            layer = [t for t in told if t.get("digest") == digest(GGUF)]
            assert layer[-1]["total"] == layer[-1]["completed"] == len(GGUF) and layer[0]["status"] == "pulling " + digest(GGUF)[7:19]
            assert names(server) == ["tiny:latest"]
            assert ask(server, "tiny")["eval_count"] <= 3, "the model's own defaults"
            assert ask(server, "tiny", num_predict=7)["response"].startswith(ask(server, "tiny")["response"])
            shown = server.post("/api/show", {"model": "tiny"})
            assert shown["system"] == "Be brief." and shown["license"] == "House terms" and "num_predict 3" in shown["parameters"]
            assert server.post("/api/pull", {"name": "tiny", "stream": False}) == {"status": "success"}
            for name in ("hf.co/acme/tiny", "hf.co/acme/quants:q8_0"):
                assert lines(server, "/api/pull", {"model": name})[-1] == {"status": "success"}
                assert name in names(server) and ask(server, name, num_predict=2)["eval_count"] > 0
            refused(server, "/api/pull", {"model": "none", "stream": False}, "no such model", code=404)
            assert "no such model" in lines(server, "/api/pull", {"model": "none"})[-1]["error"]
            assert "several models" in lines(server, "/api/pull", {"model": "hf.co/acme/quants"})[-1]["error"]
            assert "cannot be served" in lines(server, "/api/pull", {"model": "hf.co/acme/broken"})[-1]["error"]
            assert "hf.co/acme/broken" not in names(server)
            port = place.site.hub.server_port
            refused(server, "/api/pull", {"model": f"127.0.0.1:{port}/library/tiny"}, "--pull-from")
            for bad in ("../x", "a b", "/etc", "hf.co/../x", "", "x" * 3000):
                refused(server, "/api/pull", {"model": bad})
            for field, value in {"insecure": True, "username": "u", "unknown": 1, "stream": "x"}.items():
                refused(server, "/api/pull", {"model": "tiny", field: value}, field)
            refused(server, "/api/push", {"model": "tiny"}, code=501)
        # The next server offers what is in the store, but for what cannot be read.
        with place.serve(pull_from=(f"127.0.0.1:{port}", "")) as server:
            assert names(server) == ["hf.co/acme/quants:q8_0", "hf.co/acme/tiny", "tiny:latest"]
            assert '"not_served"' in server.read_log() and "acme/broken" in server.read_log()
            assert ask(server, "hf:acme/tiny", num_predict=2)["eval_count"] > 0
            refused(server, "/api/pull", {"model": "tiny"}, "--pull-from")
            other = f"127.0.0.1:{port}/library/tiny:latest"
            assert server.post("/api/pull", {"model": other, "stream": False})["status"] == "success" and other in names(server)
        with place.serve("--offline") as server:
            assert server.post("/api/pull", {"model": "tiny", "stream": False})["status"] == "success", "it is there"
            refused(server, "/api/pull", {"model": "other", "stream": False}, "offline", code=404)


def check_library_redirects(_):
    """A registry or a hub leads to no host that --pull-from does not name."""
    with home() as place:
        place.site.repos["acme/tiny"] = hub.Repo({n: (TINY / "gemma3" / n).read_bytes() for n in ("config.json", "tokenizer.model", "model.safetensors")})
        port, cdn = place.site.hub.server_port, place.site.cdn.server_port
        registry = f"127.0.0.1:{port}"
        with place.serve(pull_from=("hub", "ollama", registry)) as server:
            for model in ("tiny", "hf.co/acme/tiny", f"{registry}/library/tiny"):
                refused(server, "/api/pull", {"model": model, "stream": False}, f"redirects to http://127.0.0.1:{cdn}", "--pull-from")
                told = lines(server, "/api/pull", {"model": model})[-1]["error"]
                assert "redirects" in told and "signature" not in told, told
            assert names(server) == [] and place.site.requests("", "cdn") == [], "nobody was asked"
            # The request's own host may lead to itself.
            place.site.faults[("blob", "")] = lambda handler, data, begin: handler.answer(200, data[begin:]) or True
            assert server.post("/api/pull", {"model": "tiny", "stream": False}) == {"status": "success"}
        with place.serve(pull_from=("hub", "")) as server:
            assert server.post("/api/pull", {"model": "hf.co/acme/tiny", "stream": False}) == {"status": "success"}


def check_library_slow_changes(_):
    """While large files are read, others ask, copy and delete."""
    ban = {"2": -100, "5": -100}
    with home() as place:
        large = place.store.parent / "large.gguf"
        large.write_bytes(GGUF)
        with large.open("r+b") as file:
            file.truncate(64 << 30)  # holes: minutes to read, nothing to store
        models = (f"large={large}", "tiny=" + str(TINY / "gemma3/q8_0.gguf"))
        with place.serve("--on-demand", models=models) as server:
            assert server.call("POST", "/api/copy", {"source": "tiny", "destination": "other"})[0] == 200
            connections = []

            def create(name):
                connection = server.connect()
                connection.request("POST", "/api/create", json.dumps({"model": name, "from": "large"}))
                connections.append(connection)

            create("first")
            time.sleep(0.5)  # until it reads
            assert server.call("POST", "/api/copy", {"source": "tiny", "destination": "again"})[0] == 200
            assert server.post("/api/create", {"model": "third", "from": "again", "system": "x", "stream": False}) == {"status": "success"}
            assert server.call("DELETE", "/api/delete", {"model": "other"})[0] == 200
            for i in range(12):
                create(f"more{i}")
            time.sleep(0.5)
            begin = time.monotonic()
            assert server.post("/v1/chat/completions", {"model": "tiny", "max_tokens": 4, "logit_bias": ban, "messages": [
                {"role": "user", "content": "x"}]})["usage"]["completion_tokens"] == 4
            assert names(server) == ["again:latest", "large", "third:latest", "tiny"], names(server)
            assert time.monotonic() - begin < 20 * SLOW
            for connection in connections:
                connection.sock.settimeout(0.05)
                try:
                    assert not connection.sock.recv(1), "it is over already: the check shows nothing"
                except TimeoutError:
                    pass
            # Who leaves ends them.
            for connection in connections:
                connection.close()
            assert server.call("POST", "/api/copy", {"source": "tiny", "destination": "last"})[0] == 200
            assert not [n for n in names(server) if n.startswith(("first", "more"))]
            # Too many are refused; twice, since those who left may have given their places back in between.
            for i in range(80):
                create(f"many{i}")
                if i == 39:
                    time.sleep(1.5 * SLOW)
            answered = select.select([c.sock for c in connections[13:]], [], [], 20 * SLOW)[0]
            assert answered and answered[0].recv(12) == b"HTTP/1.1 429", "nobody was refused"
            assert server.call("POST", "/api/copy", {"source": "tiny", "destination": "no"})[0] == 429
            for connection in connections[13:]:
                connection.close()


def big_model():
    """A model with what no tensor is of behind it: large enough to be interrupted in."""
    return GGUF + bytes(3 << 20)


def check_library_pulls_share_and_resume(_):
    with home() as place:
        data = big_model()
        place.site.add_ollama("library/big", "latest", [("model", data)])
        sha = digest(data)[7:]
        place.site.faults[("bytes", "model")] = hub.slowly(64 << 10, 0.03)
        with place.serve() as server:
            # Who leaves ends it, and the next goes on where it was.
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60 * SLOW)
            connection.request("POST", "/api/pull", json.dumps({"model": "big"}))
            reply = connection.getresponse()
            while json.loads(reply.readline()).get("completed", 0) < 1 << 20:
                pass
            reply.close()
            connection.close()
            partial = place.store / "blobs" / f"sha256-{sha}.partial"
            deadline = time.monotonic() + 30 * SLOW
            while True:  # what has arrived no longer grows
                size = partial.stat().st_size
                time.sleep(0.5)
                if partial.stat().st_size == size:
                    break
                assert time.monotonic() < deadline, "the pull goes on"
            assert 1 << 20 <= size < len(data) and names(server) == []
            # Two at once are one.
            told = [None, None]

            def pull(i):
                told[i] = lines(server, "/api/pull", {"model": "big" if i else "big:latest"})

            threads = [threading.Thread(target=pull, args=(i,)) for i in range(2)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            assert all(t[-1] == {"status": "success"} for t in told), told
            assert all(len([x for x in t if "completed" in x]) > 3 for t in told), "both are told how far it is"
            ranges = [r[3].get("Range") for r in place.site.requests("/blobs/" + sha, "cdn")]
            assert len(ranges) == 2 and ranges[1] == f"bytes={size}-", ranges
            assert ask(server, "big", num_predict=2)["eval_count"] > 0
            assert '"internal_error"' not in server.read_log()


def check_library_create(_):
    with home() as place, place.serve(models=("tiny=" + str(TINY / "gemma3/q8_0.gguf"), "dir=" + str(TINY / "gemma3"))) as server:
        blob = "/api/blobs/" + digest(GGUF)
        assert server.call("HEAD", blob)[0] == 404
        status, _, data = server.call("POST", "/api/blobs/" + digest(b"other"), GGUF, raw=True)
        assert status == 400 and "was thrown away" in json.loads(data)["error"], data
        nothing_is_left(place)
        assert server.call("POST", "/api/blobs/sha256:xyz", GGUF, raw=True)[0] == 400
        assert server.call("POST", blob, GGUF, raw=True)[0] == 201 and server.call("HEAD", blob)[0] == 200
        chunks = (GGUF[i:i + 10000] for i in range(0, len(GGUF), 10000))  # as clients send files: without a length
        connection = server.connect()
        connection.request("POST", blob, chunks, {}, encode_chunked=True)
        assert connection.getresponse().status == 201
        connection.close()
        assert place.blobs() == ["sha256-" + digest(GGUF)[7:]]
        for data in (SEEING, PROJECTOR):
            assert server.call("POST", "/api/blobs/" + digest(data), data, raw=True)[0] == 201
        told = lines(server, "/api/create", {"model": "made", "files": {"x.gguf": digest(GGUF)}, "system": "You count.", "parameters": DEFAULTS,
                                             "license": ["One", "Two"]})
        assert told[-1] == {"status": "success"} and {"status": "using existing layer " + digest(GGUF)} in told, told
        assert names(server) == ["dir", "made:latest", "tiny"]
        shown = server.post("/api/show", {"model": "made"})
        assert shown["system"] == "You count." and shown["license"] == "One\nTwo" and "temperature 0" in shown["parameters"], shown
        same = server.post("/api/chat", {"model": "tiny", "stream": False, "options": {**DEFAULTS, "num_predict": 9}, "messages": [
            {"role": "system", "content": "You count."}, {"role": "user", "content": "Hello"}]})["message"]["content"]
        made = server.post("/api/chat", {"model": "made", "stream": False, "options": {"num_predict": 9},
                                         "messages": [{"role": "user", "content": "Hello"}]})["message"]["content"]
        assert made == same, "system text and defaults"
        # Of another model, whose texts stay where the request has none.
        assert server.post("/api/create", {"model": "ada/second:v1", "from": "made", "parameters": {"num_predict": 5}, "stream": False}) == {"status": "success"}
        shown = server.post("/api/show", {"model": "ada/second:v1"})
        assert shown["system"] == "You count." and "num_predict 5" in shown["parameters"] and "temperature 0" in shown["parameters"]
        # With eyes.
        server.post("/api/create", {"model": "eyes", "stream": False, "files": {"a.gguf": digest(SEEING), "b.gguf": digest(PROJECTOR)}})
        assert "vision" in server.post("/api/show", {"model": "eyes"})["capabilities"]
        seen = server.post("/api/generate", {"model": "eyes", "prompt": "What?", "stream": False, "options": {"num_predict": 2},
                                             "images": [base64.b64encode(png()).decode()]})
        assert seen["prompt_eval_count"] > 20
        # Of a model of the command line: its file is copied into the store.
        server.post("/api/create", {"model": "third", "from": "tiny", "system": "x", "stream": False})
        # What the store cannot say is refused by name, and so is what makes no model.
        base = {"model": "no", "from": "made"}
        for field, value in {"template": "{{ .Prompt }}", "adapters": {"a": digest(GGUF)}, "quantize": "q4_0", "messages": [{"role": "user"}],
                             "modelfile": "FROM x", "renderer": "x", "system": 5, "stream": 1}.items():
            refused(server, "/api/create", {**base, field: value}, field)
        for name, value in {"mirostat": 1, "num_ctx": 8, "repeat_last_n": 8, "top_k": -1, "anything": 1}.items():
            refused(server, "/api/create", {**base, "parameters": {name: value}}, "parameters." + name)
        refused(server, "/api/create", {"model": "no"}, "from")
        refused(server, "/api/create", {"model": "no", "from": "dir"}, "safetensors")
        refused(server, "/api/create", {"model": "no", "from": "nothing"}, "not found", code=404)
        refused(server, "/api/create", {"model": "no", "files": {"x": digest(b"none")}}, "no blob")
        refused(server, "/api/create", {"model": "no", "files": {"x": digest(PROJECTOR)}}, "no model")
        text = b"no model at all"
        assert server.call("POST", "/api/blobs/" + digest(text), text, raw=True)[0] == 201
        refused(server, "/api/create", {"model": "no", "files": {"x": digest(text)}}, "no GGUF file")
        for name in ("tiny", "tiny:latest", "../x", "hf.co/a/b", "a b"):
            refused(server, "/api/create", {**base, "model": name})
        assert not [n for n in names(server) if n.startswith("no")]


def check_library_copy_and_delete(_):
    with home() as place:
        place.site.repos["acme/tiny"] = hub.Repo({n: (TINY / "gemma3" / n).read_bytes() for n in ("config.json", "tokenizer.model", "model.safetensors")})
        with place.serve(models=("given=" + str(TINY / "gemma3/q8_0.gguf"),)) as server:
            server.post("/api/pull", {"model": "tiny", "stream": False})
            server.post("/api/pull", {"model": "hf.co/acme/tiny", "stream": False})
            copy = lambda source, to: server.call("POST", "/api/copy", {"source": source, "destination": to})  # noqa: E731
            for source, to in (("tiny", "again"), ("given", "kept:v2"), ("hf.co/acme/tiny", "plain")):
                assert copy(source, to)[0] == 200, copy(source, to)
            assert names(server) == ["again:latest", "given", "hf.co/acme/tiny", "kept:v2", "plain", "tiny:latest"]
            assert server.post("/api/show", {"model": "again"})["system"] == "Be brief."
            assert ask(server, "plain", num_predict=2)["eval_count"] > 0
            refused(server, "/api/copy", {"source": "none", "destination": "x"}, code=404)
            refused(server, "/api/copy", {"source": "tiny", "destination": "given"}, "command line")
            refused(server, "/api/copy", {"source": "tiny", "destination": "plain"}, "another model")
            refused(server, "/api/copy", {"source": "hf.co/acme/tiny", "destination": "a/b:c"}, "plain name")
            refused(server, "/api/copy", {"source": "tiny"}, "destination")
            # A model that answers is gone at once for others, and goes on for who asked.
            answer = {}
            body = {"model": "again", "prompt": "Count", "stream": False, "options": {"num_predict": 1500, "seed": 1, "temperature": 1}}
            thread = threading.Thread(target=lambda: answer.update(server.post("/api/generate", body)))
            thread.start()
            deadline = time.monotonic() + 20 * SLOW
            while server.metric("galen_requests_running") == 0 and thread.is_alive():
                assert time.monotonic() < deadline
            assert server.call("DELETE", "/api/delete", {"model": "again"})[0] == 200
            refused(server, "/api/generate", {"model": "again", "prompt": "x"}, "not found", code=404)
            thread.join()
            assert answer["done"] and answer["eval_count"] > 0
            assert "again:latest" not in names(server) and ask(server, "tiny")["done"], "its blobs are those of another model"
            for name in ("tiny", "kept:v2", "hf.co/acme/tiny", "plain"):
                assert server.call("DELETE", "/api/delete", {"name": name})[0] == 200
            assert names(server) == ["given"] and place.blobs() == [], place.blobs()
            refused(server, "/api/delete", {"model": "tiny"}, "not found", code=404, method="DELETE")
            refused(server, "/api/delete", {"model": "given"}, "not of galen's store", method="DELETE")
            refused(server, "/api/delete", {"model": "given", "more": 1}, "more", method="DELETE")


def check_library_copy_sees(_):
    """A projector that was only found beside the model goes with it."""
    with home() as place:
        files = place.store.parent / "files"
        files.mkdir()
        (files / "model.gguf").write_bytes(SEEING)
        (files / "mmproj-model.gguf").write_bytes(PROJECTOR)
        look = {"prompt": "What?", "stream": False, "options": {"num_predict": 4, "temperature": 0, "seed": 1}, "images": [base64.b64encode(png()).decode()]}
        with place.serve(models=(f"eyes={files / 'model.gguf'}",)) as server:
            own = server.post("/api/generate", {"model": "eyes", **look})
            assert own["prompt_eval_count"] > 20
            assert server.call("POST", "/api/copy", {"source": "eyes", "destination": "copied"})[0] == 200
            server.post("/api/create", {"model": "created", "from": "eyes", "system": "", "parameters": {"top_k": 40}, "stream": False})
        for file in files.iterdir():
            file.unlink()
        assert place.blobs().count("sha256-" + digest(PROJECTOR)[7:]) == 1, place.blobs()
        with place.serve() as server:
            for name in ("copied", "created"):
                assert "vision" in server.post("/api/show", {"model": name})["capabilities"]
                seen = server.post("/api/generate", {"model": name, **look})
                assert (seen["response"], seen["prompt_eval_count"]) == (own["response"], own["prompt_eval_count"]), name


def new_key(name):
    made = subprocess.run([GALEN, "serve", "--new-key", name, "--json"], capture_output=True, text=True, check=True).stdout
    made = json.loads(made)
    assert made["name"] == name and re.fullmatch("gk_[0-9a-f]{64}", made["key"])
    return made


CHANGES = (("POST", "/api/pull"), ("POST", "/api/create"), ("POST", "/api/copy"), ("DELETE", "/api/delete"),
           ("POST", "/api/blobs/" + digest(GGUF)), ("HEAD", "/api/blobs/" + digest(GGUF)))


def check_library_rights(shared):
    for method, path in CHANGES:  # not allowed at all
        status, _, data = shared.call(method, path, {"model": "x"})
        assert status == 403 and (method == "HEAD" or "--manage-models" in json.loads(data)["error"]), (method, path, status)
    with home() as place:
        admin, ward = new_key("boss"), new_key("ward")
        keys, log = place.store.parent / "keys", place.store.parent / "audit.log"
        keys.write_text(f"{admin['line']} admin\n{ward['line']}\n")
        boss, other = ({"Authorization": "Bearer " + k["key"]} for k in (admin, ward))
        with place.serve("--api-keys", keys, "--audit", log, "--max-blob-gb", 1) as server:
            for method, path in CHANGES:
                for headers, code in ((other, 403), ({}, 401)):
                    assert server.call(method, path, {"model": "x"}, headers)[0] == code, (method, path)
            nothing_is_left(place)
            assert server.post("/api/pull", {"model": "tiny", "stream": False}, headers=boss) == {"status": "success"}
            assert server.call("POST", "/api/copy", {"source": "tiny", "destination": "again"}, boss)[0] == 200
            server.post("/api/generate", {"model": "again", "prompt": "x", "stream": False, "options": {"num_predict": 1}}, headers=other)
            assert server.call("DELETE", "/api/delete", {"model": "again"}, boss)[0] == 200
            server.post("/api/pull", {"model": "none", "stream": False}, 404, headers=boss)
            # The length that is said is believed before anything is read.
            connection = server.connect()
            connection.putrequest("POST", "/api/blobs/" + digest(b"x"))
            for name, value in {**boss, "Content-Length": str(2 << 30)}.items():
                connection.putheader(name, value)
            connection.endheaders()
            assert connection.getresponse().status == 413
            connection.close()
        records = [json.loads(line) for line in audit("tail", log, "-n", 1000).splitlines()]
        changes = [(r["action"], r["model"], r["key"]) for r in records if r["event"] == "change"]
        assert changes == [("pull", "ollama:tiny:latest", "boss"), ("copy", "ollama:again:latest", "boss"), ("delete", "again:latest", "boss"),
                           ("pull", "ollama:none:latest", "boss")], changes
        assert [r["done"] for r in records if r["event"] == "changed"] == [True, True, True, False]
        used = [r for r in records if r["event"] == "start"]
        assert [r["weights"] for r in used] == [digest(GGUF)[7:]]
        assert len([r for r in records if r.get("outcome") == "denied"]) == 2 * len(CHANGES)
    done = subprocess.run([GALEN, "serve", "--manage-models", "--host", "0.0.0.0", "--allow-insecure", "--port", "0"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "--api-keys" in done.stderr, done


def nothing_is_left(place):
    """What was written is removed once the request ends, which may be a moment after its answer."""
    deadline = time.monotonic() + 10 * SLOW
    while place.blobs():
        assert time.monotonic() < deadline, place.blobs()
        time.sleep(0.05)


def check_library_upload_is_recorded_first(_):
    with home() as place:
        log, data = place.store.parent / "audit.log", big_model()
        with place.serve("--audit", log) as server:
            connection = server.connect()
            connection.putrequest("POST", "/api/blobs/" + digest(data))
            connection.putheader("Content-Length", str(len(data)))
            connection.endheaders()
            connection.send(data[:2 << 20])
            deadline = time.monotonic() + 20 * SLOW
            while '"action":"blob"' not in log.read_text():
                assert time.monotonic() < deadline, "bytes lie on the disk and nothing says whose"
                time.sleep(0.02)
            connection.send(data[2 << 20:][:1000])
            connection.close()
            while '"done":false' not in log.read_text():
                assert time.monotonic() < deadline + 20 * SLOW, "how it ended is not said"
                time.sleep(0.02)
            nothing_is_left(place)
            assert server.call("POST", "/api/blobs/" + digest(GGUF), GGUF, raw=True)[0] == 201
            assert server.call("POST", "/api/blobs/" + digest(b""), b"", raw=True)[0] == 201
            assert server.call("POST", "/api/blobs/" + digest(b"else"), GGUF, raw=True)[0] == 400
            assert server.call("POST", "/api/blobs/sha256:no", GGUF, raw=True)[0] == 400
        records = [json.loads(line) for line in audit("tail", log, "-n", 1000).splitlines()]
        begun = [r for r in records if r["event"] == "change"]
        assert [r["model"] for r in begun] == [digest(data), digest(GGUF), digest(b""), digest(b"else")] and {r["action"] for r in begun} == {"blob"}
        ended = [(r["id"], r["done"]) for r in records if r["event"] == "changed"]
        assert ended == [(r["id"], done) for r, done in zip(begun, (False, True, True, False))], ended


def check_library_full_disk(_):
    """A disk without room stands for itself as a limit on the size of files."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, 64 << 10))  # noqa: E731
    with home() as place, place.serve("--no-log", preexec_fn=limit) as server:
        status, _, data = server.call("POST", "/api/blobs/" + digest(GGUF), GGUF, raw=True)
        assert status == 507 and "make room" in json.loads(data)["error"], (status, data)
        nothing_is_left(place)
        status, _, data = server.call("POST", "/api/pull", {"model": "tiny", "stream": False})
        assert status == 507 and names(server) == [], (status, data, names(server))


def check_library_upload_that_ends_early(_):
    with home() as place, place.serve() as server:
        connection = server.connect()
        connection.putrequest("POST", "/api/blobs/" + digest(GGUF))
        connection.putheader("Content-Length", str(len(GGUF)))
        connection.endheaders()
        connection.send(GGUF[:50000])
        connection.close()
        nothing_is_left(place)
        assert server.call("HEAD", "/api/blobs/" + digest(GGUF))[0] == 404
        assert server.child.poll() is None
