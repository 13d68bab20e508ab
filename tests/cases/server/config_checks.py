"""`galen serve --config`: options from a file, what is wrong in one, and what SIGHUP reads again."""

import http.client
import json
import re
import shlex
import signal
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

from serving import GALEN, HERE, SLOW, TINY, Server, chat

MODEL = TINY / "gemma3/q8_0.gguf"
BAN = {"2": -100, "5": -100}  # answers end by their length alone


def reload(server, hang_up=None):
    """The log's line about it."""
    before = server.read_log().count('"event":"reloaded"')
    (hang_up or (lambda: server.child.send_signal(signal.SIGHUP)))()
    deadline = time.monotonic() + 20 * SLOW
    while server.read_log().count('"event":"reloaded"') == before:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return json.loads([line for line in server.read_log().splitlines() if '"event":"reloaded"' in line][-1])


def answer_tokens(server):
    body = {k: v for k, v in chat("Hello", logit_bias=BAN).items() if k != "max_tokens"}
    return server.post("/v1/chat/completions", body)["usage"]["completion_tokens"]


def check_config(_):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "galen.yaml"
        text = f"""# What a clinic says.
models:
  - a={MODEL}
  - "b={MODEL}"
port: 1
context: 64
max-tokens: 5
max-queue: 3
on-demand: true
no-prefix-cache: false
keep-alive: 900
pull-from: [hub]
"""
        file.write_text(text)
        with Server("--config", file, models=()) as server:  # --port 0, --context 8192 on the command line
            listed = server.get("/v1/models")["data"]
            assert [m["id"] for m in listed] == ["a", "b"] and server.get("/api/ps")["models"] == [], listed
            body = {**chat("Hello", logit_bias=BAN, max_tokens=100), "model": "a"}
            assert server.post("/v1/chat/completions", body)["usage"]["completion_tokens"] == 5
            assert len(server.get("/api/ps")["models"]) == 1
        with Server("--config", file, "--max-tokens", 3, models=(f"tiny={MODEL}",)) as server:
            assert [m["id"] for m in server.get("/v1/models")["data"]] == ["tiny"], "the command line's models hold alone"
            assert answer_tokens(server) == 3
            file.write_text(text.replace("max-tokens: 5", "max-tokens: 7"))
            said = reload(server)
            assert said["config"] == "ok" and said["changed"] == said["needs_restart"] == [] and answer_tokens(server) == 3, said

        for wrong, words in ((text + "contxt: 5", (":13:", "'contxt'", "'context'")), (text + "threads: many", (":13:", "--threads")),
                             (text + "max-pages: 0", (":13:", "--max-pages")), (text + "no-log: 1", (":13:", "true or false")),
                             (text + "max-pages: [1, 2]", (":13:", "--max-pages")), (text + "max-pages: {a: 1}", (":13:", "max-pages")),
                             (text + "max-pages:", (":13:", "no value")), (text + "max-queue: 4", (":13:", "twice")),
                             (text + "config: x", (":13:", "'config'")), (text + "new-key: x", (":13:", "'new-key'")),
                             ("- a", ("mapping",)), ("a: [", ("galen.yaml:",)), ("keep-alive: soon", ("--keep-alive",)),
                             ("port: 70000", (":1:", "--port"))):
            file.write_text(wrong)
            done = subprocess.run([GALEN, "serve", "--config", file, *([f"a={MODEL}"] if "models" not in wrong else [])],
                                  capture_output=True, text=True, timeout=60)
            assert done.returncode in (1, 2) and all(w in done.stderr for w in words), (wrong[-30:], done)
        # The clinic's sample lacks nothing but what it names.
        sample = HERE.parents[2] / "packaging/samples/clinic/galen.yaml"
        done = subprocess.run([GALEN, "serve", "--config", sample], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and ("medgemma.gguf" in done.stderr or "api-keys" in done.stderr), done
        done = subprocess.run([GALEN, "serve", "--config", "/nonexistent"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and "/nonexistent" in done.stderr, done


def check_config_reload(_):
    unit = (HERE.parents[2] / "packaging/galen.service.in").read_text()
    command = re.search(r"^ExecReload=(.*)$", unit, re.M)[1]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "galen.yaml"
        text = f"models: tiny={MODEL}\nmax-tokens: 4\nmax-queue: 8\nmax-files: 2\n"
        file.write_text(text)
        with Server("--config", file, models=()) as server:
            assert answer_tokens(server) == 4
            # As systemctl reload does it.
            systemd = lambda: subprocess.run(shlex.split(command.replace("$MAINPID", str(server.child.pid))), check=True)  # noqa: E731
            file.write_text(text.replace("max-tokens: 4", "max-tokens: 6").replace("max-queue: 8", "max-queue: 9") + "step-tokens: 64\n")
            said = reload(server, systemd)
            assert said["config"] == "ok" and said["changed"] == ["max-tokens"] and said["needs_restart"] == ["max-queue", "step-tokens"], said
            assert answer_tokens(server) == 6
            file.write_text(text.replace("max-tokens: 4", "max-tokens: 2").replace("max-files: 2\n", ""))
            said = reload(server)
            assert said["changed"] == ["max-files", "max-tokens"] and said["needs_restart"] == [], said
            assert answer_tokens(server) == 2
            assert server.get("/openapi.json")["paths"]["/look"]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"][
                "files"]["maxItems"] == 32, "the default again"
            # What is wrong changes nothing.
            for wrong in ("max-tokens: -1\n", "max-tokns: 3\n", "max-tokens: [", ""):
                file.write_text(wrong)
                said = reload(server)
                if wrong:
                    assert said["config"] != "ok" and "changed" not in said, said
                    assert answer_tokens(server) == 2
            assert said["changed"] == ["max-tokens"] and said["needs_restart"] == ["max-queue", "models"], said
            file.unlink()
            assert "galen.yaml" in reload(server)["config"]


def new_certificate(folder, name):
    cert, key = folder / "cert.pem", folder / "key.pem"
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                           "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
                          capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return cert.read_text(), key.read_text()


def check_certificate_reload(_):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        first, first_key = new_certificate(folder, "first")
        file = folder / "galen.yaml"
        file.write_text(f"models: tiny={MODEL}\ntls-cert: {folder / 'cert.pem'}\ntls-key: {folder / 'key.pem'}\n")
        with Server("--config", file, models=()) as server:
            def connect(trusted):
                connection = http.client.HTTPSConnection("localhost", server.port, timeout=60 * SLOW,
                                                         context=ssl.create_default_context(cadata=trusted))
                connection.connect()
                return connection

            def presented(connection):
                return connection.sock.getpeercert()["subject"][0][0][1]

            def answers(connection):
                connection.request("GET", "/health/live")
                reply = connection.getresponse()
                reply.read()
                return reply.status == 200

            old = connect(first)
            assert presented(old) == "first" and answers(old)
            second, second_key = new_certificate(folder, "second")
            assert presented(connect(first)) == "first", "files alone change nothing"
            assert reload(server)["certificate"] == "ok"
            new = connect(second)
            assert presented(new) == "second" and answers(new) and answers(old), "open connections go on"
            try:
                connect(first)
                raise AssertionError("the first certificate is still shown")
            except ssl.SSLCertVerificationError:
                pass
            # Files that do not fit together, or are none: the second stays.
            for cert, key in ((second, first_key), (first, second_key), ("nothing", second_key), (second, "nothing")):
                (folder / "cert.pem").write_text(cert)
                (folder / "key.pem").write_text(key)
                said = reload(server)["certificate"]
                assert said != "ok" and "BEGIN" not in said, said
                assert presented(connect(second)) == "second"
            (folder / "cert.pem").write_text(first)
            (folder / "key.pem").write_text(first_key)
            assert reload(server)["certificate"] == "ok" and presented(connect(first)) == "first"
