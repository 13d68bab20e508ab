"""Keys, logs, the audit record, status, several models."""

import base64
import json
import os
import re
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from serving import TINY, GALEN, SLOW, PLANTED, Server, chat, png, raw, together, audit


def check_keys(_):
    made = subprocess.run([GALEN, "serve", "--new-key", "ward"], capture_output=True, text=True, check=True).stdout
    key = re.search(r"gk_[0-9a-f]{64}", made)[0]
    other = re.search(r"gk_[0-9a-f]{64}", subprocess.run([GALEN, "serve", "--new-key", "lab"], capture_output=True, text=True).stdout)
    with tempfile.NamedTemporaryFile("w", suffix=".keys") as file:
        file.write(re.search(r"ward sha256:.*", made)[0] + "\n")
        file.flush()
        with Server("--api-keys", file.name) as server:
            assert server.get("/health/live")["status"] == "ok"
            for header in ({}, {"Authorization": "Bearer " + other[0]}, {"Authorization": key}, {"Authorization": "Bearer"}):
                assert server.get("/v1/models", 401, header)["error"]["type"] == "authentication_error"
            # Refused before the body is read.
            assert b" 401 " in raw(server, b"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
            assert server.get("/v1/models", 200, {"Authorization": "Bearer " + key})["data"]
            assert server.get("/nothing", 401)["error"]
            assert key not in server.read_log() and other[0] not in server.read_log()
    for args in (["--host", "0.0.0.0"], ["--api-keys", "/nonexistent"], ["--tls-cert", "/nonexistent"]):
        done = subprocess.run([GALEN, "serve", str(TINY / "gemma3/q8_0.gguf"), "--context", "64", "--port", "0", *args],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and done.stderr.startswith("galen: "), done


def check_rates_and_quotas(_):
    keys = {n: json.loads(subprocess.run([GALEN, "serve", "--new-key", n, "--json"], capture_output=True, text=True, check=True).stdout)
            for n in ("slow", "small", "daily", "free")}
    small, daily = 90, 120
    rights = {"slow": "rpm=2", "small": f"tpm={small}", "daily": f"tpd={daily}", "free": ""}
    header = {n: {"Authorization": "Bearer " + k["key"]} for n, k in keys.items()}
    with tempfile.TemporaryDirectory() as folder:
        file, usage = Path(folder) / "keys", Path(folder) / "usage.db"
        file.write_text("".join(f"{k['line']} {rights[n]}\n" for n, k in keys.items()))

        def ask(server, name, code=200, path="/v1/chat/completions"):
            status, headers, data = server.call("POST", path, chat("Hello", max_tokens=8), header[name])
            assert status == code, (name, status, data)
            return headers, json.loads(data)

        def refused(server, name, words):
            headers, answer = ask(server, name, 429)
            assert answer["error"]["type"] == "rate_limit_error" and words in answer["error"]["message"], answer
            return int(headers["Retry-After"])

        done = subprocess.run([GALEN, "serve", str(TINY / "gemma3/q8_0.gguf"), "--port", "0", "--api-keys", file], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and "--usage" in done.stderr, done
        with Server("--api-keys", file, "--usage", usage) as server:
            for _ in range(2):
                ask(server, "slow")
            assert 1 <= refused(server, "slow", "2 requests a minute") <= 30
            assert server.get("/v1/models", headers=header["slow"])["data"], "lists are free"
            status, headers, data = server.call("POST", "/api/chat", {"model": "tiny", "messages": []}, header["slow"])
            assert status == 429 and "Retry-After" in headers and "requests a minute" in json.loads(data)["error"]
            body = {k: v for k, v in chat("Hello", logit_bias={"2": -100, "5": -100}).items() if k != "max_tokens"}
            for name, words, limit, most in (("small", "tokens a minute", small, 60), ("daily", "tokens a day", daily, 86400)):
                first = ask(server, name)[1]["usage"]["total_tokens"]
                rest = server.post("/v1/chat/completions", body, headers=header[name])["usage"]["total_tokens"]  # as much as there is
                assert limit <= first + rest <= limit + (limit / 60 * 20 * SLOW if name == "small" else 0), (name, first, rest)
                assert 1 <= refused(server, name, f"{limit} {words}") <= most
            for _ in range(4):
                ask(server, "free")
            # Refused before the body is read.
            assert b" 429 " in raw(server, b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Length: 1000\r\n\r\n"
                                   % header["daily"]["Authorization"].encode())
        with Server("--api-keys", file, "--usage", usage) as server:
            refused(server, "daily", f"{daily} tokens a day")
            ask(server, "small")


def check_quotas_set_tokens_aside(_):
    """Requests at the same moment use no more together than the key may; what never began costs nothing."""
    ban = {"2": -100, "5": -100}  # answers end by their length alone
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "keys"

        def serve(rights, *args):
            keys = {n: json.loads(subprocess.run([GALEN, "serve", "--new-key", n, "--json"], capture_output=True, text=True, check=True).stdout)
                    for n in rights}
            file.write_text("".join(f"{k['line']} {rights[n]}\n" for n, k in keys.items()))
            return {n: {"Authorization": "Bearer " + k["key"]} for n, k in keys.items()}, Server("--api-keys", file, "--usage", Path(folder) / "u.db", *args)

        def ask(server, header, **more):
            status, headers, data = server.call("POST", "/v1/chat/completions", chat("Hello", logit_bias=ban, **more), header)
            return status, json.loads(data), headers

        header, server = serve({"free": ""})
        with server:
            size = ask(server, header["free"], max_tokens=20)[1]["usage"]["prompt_tokens"]
        need = size + 20
        rights = {"busy": "", "many": f"tpd={3 * need + 5}", "left": f"tpd={2 * need}", "open": f"tpd={size + 7}", "minute": "tpm=600"}
        header, server = serve(rights, "--max-sequences", 1)
        with server:
            answers = [None] * 12

            def one(i):
                answers[i] = ask(server, header["many"], max_tokens=20)

            threads = [threading.Thread(target=one, args=(i,)) for i in range(12)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            codes = [a[0] for a in answers]
            used = sum(a[1]["usage"]["total_tokens"] for a in answers if a[0] == 200)
            assert set(codes) == {200, 429} and codes.count(200) <= 3 and used == need * codes.count(200), codes
            assert all("Retry-After" in a[2] for a in answers if a[0] == 429)
            while ask(server, header["many"], max_tokens=20)[0] == 200:  # the rest is still there
                used += need
            assert used == 3 * need, (used, need)
            # More than the key may ever use is wrong; where no length is named, what is left ends the answer.
            status, answer, _ = ask(server, header["open"], max_tokens=1000)
            assert status == 400 and "max_tokens" in answer["error"]["message"], answer
            body = {k: v for k, v in chat("Hello", logit_bias=ban).items() if k != "max_tokens"}
            answer = server.post("/v1/chat/completions", body, headers=header["open"])
            assert answer["usage"]["total_tokens"] == size + 7 and answer["choices"][0]["finish_reason"] == "length", answer
            assert server.call("POST", "/v1/embeddings", {"input": "Hello " * 700}, header["minute"])[0] == 400
            assert server.call("POST", "/v1/embeddings", {"input": "Hello " * 40}, header["minute"])[0] == 200
            # Cancelled while it waits: nothing is charged, and nothing stays aside.
            waiting = lambda: float(re.search(r"^galen_requests_waiting\S* (\S+)$", server.call("GET", "/metrics", headers=header["busy"])[2].decode(), re.M)[1])  # noqa: E731
            stop = socket.create_connection(("127.0.0.1", server.port))
            queued = socket.create_connection(("127.0.0.1", server.port))
            for s, key, most in ((stop, "busy", 8000), (queued, "left", 20)):
                data = json.dumps(chat("Hello", max_tokens=most, logit_bias=ban)).encode()
                s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n"
                          % (header[key]["Authorization"].encode(), len(data)) + data)
                deadline = time.monotonic() + 20 * SLOW
                while server.call("GET", "/metrics", headers=header["busy"])[2].decode().count('running{model="tiny"} 1') == 0 if s is stop else waiting() == 0:
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
            status, answer, _ = ask(server, header["left"], max_tokens=need + 20)
            assert status == 429 and "other requests" in answer["error"]["message"], answer
            queued.close()
            while waiting() > 0:
                assert time.monotonic() < deadline + 20 * SLOW
                time.sleep(0.01)
            stop.close()
            for _ in range(2):
                status, answer, _ = ask(server, header["left"], max_tokens=20)
                assert status == 200, answer
            assert ask(server, header["left"], max_tokens=1)[0] == 429


def check_reload(_):
    """SIGHUP: keys, their limits and rights, certificate, and what another process has put into the store."""
    keys = {n: json.loads(subprocess.run([GALEN, "serve", "--new-key", n, "--json"], capture_output=True, text=True, check=True).stdout)
            for n in ("old", "new")}
    header = {n: {"Authorization": "Bearer " + k["key"]} for n, k in keys.items()}
    with tempfile.TemporaryDirectory() as folder:
        file, env = Path(folder) / "keys", {"GALEN_STORE": f"{folder}/store"}
        file.write_text(keys["old"]["line"] + "\n")
        with Server("--api-keys", file, "--manage-models", env=env) as server:
            def reload(text):
                file.write_text(text)
                before = server.read_log().count('"reloaded"')
                server.child.send_signal(signal.SIGHUP)
                deadline = time.monotonic() + 20 * SLOW
                while server.read_log().count('"reloaded"') == before:
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
                return [line for line in server.read_log().splitlines() if '"reloaded"' in line][-1]

            for n, code in (("old", 200), ("new", 401)):
                assert server.call("GET", "/api/tags", headers=header[n])[0] == code
            assert server.call("POST", "/v1/chat/completions", chat("x"), header["old"])[0] == 200
            subprocess.run([GALEN, "import", str(TINY / "gemma3/q8_0.gguf"), "--name", "brought"], check=True, env={**os.environ, **env}, capture_output=True)
            assert '"keys":"ok"' in reload(f"{keys['old']['line']} rpm=1\n{keys['new']['line']} admin\n")
            assert {m["name"] for m in server.get("/api/tags", headers=header["new"])["models"]} == {"tiny", "brought"}
            assert [server.call("POST", "/v1/chat/completions", chat("x"), header["old"])[0] for _ in range(2)] == [200, 429]
            subprocess.run([GALEN, "rm", "brought"], check=True, env={**os.environ, **env}, capture_output=True)
            # What cannot be read changes nothing, and the log says so.
            said = reload("no keys\n")
            assert "line 1" in said and "no keys" not in said, said
            assert {m["name"] for m in server.get("/api/tags", headers=header["new"])["models"]} == {"tiny"}
            assert '"keys":"ok"' in reload(keys["new"]["line"] + "\n")
            assert server.call("GET", "/api/tags", headers=header["old"])[0] == 401


def check_log_is_clean(server):
    name, date, key = PLANTED
    for body in (chat(name), {**chat("x"), "messages": name}, {**chat("x"), name: date}, {**chat("x"), "model": name}):
        server.call("POST", "/v1/chat/completions", body, {"Authorization": "Bearer " + key})
    server.call("POST", "/v1/chat/completions", f'{{"{name}": {date}'.encode(), raw=True)
    server.call("GET", f"/{name}?birth={date}")
    server.call("POST", "/api/generate", {"model": "tiny", "prompt": name, "system": date, "options": {name: 1, "num_predict": 8}})
    log = server.read_log()
    assert '"route":"/v1/chat/completions"' in log and '"status":404' in log
    for text in PLANTED:
        assert text not in log, f"the log holds {text}"


def check_audit(_):
    name, date, key = PLANTED
    made = subprocess.run([GALEN, "serve", "--new-key", "ward"], capture_output=True, text=True, check=True).stdout
    good = {"Authorization": "Bearer " + re.search(r"gk_[0-9a-f]{64}", made)[0]}
    with tempfile.TemporaryDirectory() as folder:
        log, keys, picture = Path(folder) / "audit.log", Path(folder) / "keys", Path(folder) / "x.png"
        keys.write_text(re.search(r"ward sha256:.*", made)[0] + "\n")
        picture.write_bytes(png())
        options = ("--audit", log, "--api-keys", keys)
        body = chat(f"{name} born {date}")
        body["messages"][0]["content"] = [{"type": "text", "text": f"{name} born {date}"}, {"type": "image_url", "image_url": {
            "url": "data:image/png;base64," + base64.b64encode(png()).decode()}}]
        with Server(*options) as server:
            server.post("/v1/chat/completions", body, headers=good)
            server.post("/v1/embeddings", {"input": name}, headers=good)
            server.post("/v1/completions", {"prompt": [name, date], "max_tokens": 2}, headers=good)
            server.post("/api/generate", {"model": "tiny", "prompt": name, "stream": False, "options": {"num_predict": 2}}, headers=good)
            server.post("/v1/chat/completions", {**chat("x"), name: date}, 400, headers=good)
            server.post("/v1/chat/completions", body, 401, headers={"Authorization": "Bearer " + key})
            second = subprocess.run([GALEN, "serve", str(TINY / "gemma3/q8_0.gguf"), "--port", "0", "--context", "64", "--audit", str(log)],
                                    capture_output=True, text=True, timeout=60)
            assert second.returncode == 1 and "another process" in second.stderr, second
            server_log = server.read_log()
        for text in PLANTED:
            assert text not in log.read_text() and text not in server_log, f"{text} was recorded"
        records = [json.loads(line) for line in audit("tail", log, "-n", 1000).splitlines()]
        starts, ends = ([r for r in records if r["event"] == e] for e in ("start", "end"))
        assert [r["route"] for r in starts] == ["/v1/chat/completions", "/v1/embeddings", "/v1/completions", "/api/generate"]
        assert {r["key"] for r in starts} == {"ward"} and len(starts[2]["prompts"]) == 2
        assert all(len(r["weights"]) == 64 and r["model"] == "tiny" and r["prompt_tokens"] > 0 for r in starts)
        assert sorted(r["outcome"] for r in ends) == ["answered"] * 4 + ["denied", "refused"]
        assert {r["id"] for r in starts} <= {r["id"] for r in ends}
        assert starts[0]["media"] == [audit("digest", log, picture).strip()], "an image is known by its file"
        head = json.loads(audit("verify", log, "--json"))["head"]
        # Killed while it answers: what was acknowledged is there, what is torn is cut off and said.
        with Server(*options) as server:
            s = socket.create_connection(("127.0.0.1", server.port))
            data = json.dumps(chat(name, max_tokens=4000, stream=True, logit_bias={"2": -100, "5": -100})).encode()
            s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n"
                      % (good["Authorization"].encode(), len(data)) + data)
            assert s.recv(12) == b"HTTP/1.1 200"
            server.kill()
            s.close()
            server.stop(-signal.SIGKILL)
            server.stop = lambda: None
        assert audit("verify", log, "--head", head).startswith(str(len(records) + 2) + " records"), "opened, start"
        with log.open("a") as file:
            file.write('{"seq":99,"time":"20')
        assert json.loads(audit("verify", log, "--json"))["torn_bytes"] == 20
        with Server(*options):
            pass
        assert "1 torn lines" in audit("verify", log, "--head", head)
        assert '"torn_bytes":20' in log.read_text()
        log.write_text(log.read_text().replace('"status":200', '"status":201', 1))
        assert "was changed" in subprocess.run([GALEN, "audit", "verify", log], capture_output=True, text=True).stderr
        audit("verify", log, code=1)


def check_who_hangs_up_after_the_end_was_answered(_):
    with tempfile.TemporaryDirectory() as folder:
        log, times = Path(folder) / "audit.log", 20
        with Server("--audit", log) as server:
            for path, body, end in (("/v1/chat/completions", chat("x", stream=True, max_tokens=2), b"[DONE]"),
                                    ("/api/chat", {**chat("x"), "options": {"num_predict": 2}}, b'"done":true')):
                body = {k: v for k, v in body.items() if path[1] == "v" or k in ("model", "messages", "options")}
                data = json.dumps(body).encode()
                for _ in range(times):
                    with socket.create_connection(("127.0.0.1", server.port)) as s:
                        s.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(data)) + data)
                        got = b""
                        while end not in got:
                            got += s.recv(1 << 16)
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # at once, with a reset
        ends = [json.loads(line)["outcome"] for line in log.read_text().splitlines() if '"event":"end"' in line]
        assert ends == ["answered"] * 2 * times, ends


def check_status(server):
    assert server.get("/health/ready")["models"] == {"tiny": "loaded"} and server.get("/health")["status"] == "ok"
    _, headers, data = server.call("GET", "/metrics")
    assert headers["Content-Type"].startswith("text/plain")
    for line in data.decode().splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) .*|[a-z_]+(\{([a-z]+=\"[^\"]*\",?)*\})? [0-9.e+-]+(Inf)?", line), line
    described = server.get("/openapi.json")
    assert described["openapi"].startswith("3.") and "/v1/chat/completions" in described["paths"]
    for name in ("Content-Security-Policy", "X-Content-Type-Options", "Cache-Control", "X-Request-Id"):
        assert name in headers, name
    assert not any(h.lower().startswith("access-control") for h in headers)


def check_two_models(_):
    models = [f"a={TINY / 'gemma3/q8_0.gguf'}", f"b={TINY / 'gemma3-vision'}"]
    with Server("--on-demand", "--keep-alive", "1", models=models) as server:
        assert server.get("/api/ps")["models"] == []
        bodies = [{**chat("x", max_tokens=4), "model": m} for m in "abab"]
        assert all(r[0] in (200, 400) for r in together(server, bodies))
        assert {m["name"] for m in server.get("/api/ps")["models"]} <= {"a", "b"}
        assert "'model' is missing" in server.post("/v1/chat/completions", {"messages": []}, 400)["error"]["message"]
        deadline = time.monotonic() + 20 * SLOW
        while server.get("/api/ps")["models"]:
            assert time.monotonic() < deadline, "idle models stay"
            time.sleep(0.1)
    with Server("--on-demand", "--memory", "0.000001", models=models) as server:
        status, headers, data = server.call("POST", "/v1/chat/completions", {**chat("x"), "model": "b"})
        assert status == 503 and "needs" in json.loads(data)["error"]["message"] and "Retry-After" in headers, data


def check_models_share_no_words(_):
    """Two models in one process whose tokenizers are of different kinds; each thread prepares prompts for both."""
    texts = ["mm", "left", "days", "cough"]
    ask = lambda server, model: [server.post("/v1/embeddings", {"model": model, "input": t}) for t in texts]
    answer = lambda server, model: server.post("/v1/chat/completions", {**chat(texts[1]), "model": model})
    tiny = f"tiny={TINY / 'gemma3-vision'}"
    with Server("--batch-invariant", models=[tiny]) as server:
        alone = ask(server, "tiny"), answer(server, "tiny")["choices"]
    with Server("--batch-invariant", models=[tiny, "galen-mini"]) as server:
        other = ask(server, "galen-mini")
        for _ in range(8):  # more than there are threads
            assert ask(server, "galen-mini") == other
            assert ask(server, "tiny") == alone[0] and answer(server, "tiny")["choices"] == alone[1]


def check_nothing_is_left(server):
    """Of whatever the checks before this one have asked: descriptors, requests, pages of the cache."""
    fds = lambda: len(os.listdir(f"/proc/{server.child.pid}/fd"))
    for _ in range(3):
        server.post("/v1/chat/completions", chat("x"))
    deadline, before = time.monotonic() + 20 * SLOW, fds()
    bodies = [chat(f"{i} " + "word " * (40 * i), max_tokens=i) for i in range(1, 9)]
    bodies += [{**chat("x"), "temperature": 9}, {**chat("x"), "model": "none"}, chat("y", stream=True)]
    for _ in range(4):
        together(server, bodies)
    names = ("galen_requests_running", "galen_requests_waiting", "galen_documents_running", "galen_documents_waiting")
    pages = lambda: server.metric("galen_kv_pages_used") - server.metric("galen_kv_pages_cached")
    while any(server.metric(n) for n in names) or pages() or fds() > before:
        assert time.monotonic() < deadline, [(n, server.metric(n)) for n in names] + [pages(), before, fds()]
        time.sleep(0.1)
    assert server.metric("galen_kv_pages_used") > 0
