"""Jobs: /extract?job=true, what /jobs/ID says on the way and at the end, deleting, expiry, and servers that are killed."""

import base64
import json
import re
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from document_checks import LIMITS, REAL, REPORT, events, extractor, lab, refused, send, sr_is_good
from serving import GALEN, PLANTED, TINY, Server


def ask(server, fields=LIMITS, file=None, query="", code=202, headers=None):
    status, got, data = send(server, fields, [file or ("a.pdf", lab(139))], "/extract?job=true" + query, headers)
    assert status == code, data
    answer = json.loads(data)
    if code == 202:
        assert re.fullmatch("[0-9a-f]{32}", answer["id"]) and got["Location"] == answer["url"] == f"/jobs/{answer['id']}"
    return answer


def wait(server, url, states):
    deadline = time.monotonic() + 120
    while (job := server.get(url))["state"] not in states:
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
    return job


def check_no_jobs(server):
    refused(server, 501, None, path="/extract?job=true")
    for query, param in (("job=yes", "job"), ("job=true&keep=soon", "keep"), ("job=true&keep=700000", "keep")):
        refused(server, 422, param, path="/extract?" + query)
    assert server.get("/jobs/0123", 404) and server.call("DELETE", "/jobs/0123")[0] == 404


def check_failing_jobs(_):
    """Without a model that can read: jobs that fail, others' jobs, expiry."""
    made = [subprocess.run([GALEN, "serve", "--new-key", name], capture_output=True, text=True, check=True).stdout for name in ("ward", "lab")]
    keys = [{"Authorization": "Bearer " + re.search(r"gk_[0-9a-f]{64}", text)[0]} for text in made]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "keys").write_text("".join(re.search(r"\w+ sha256:.*", text)[0] + "\n" for text in made))
        with Server("--jobs", f"{folder}/jobs.db", "--api-keys", f"{folder}/keys", "--keep-jobs", 2) as server:
            url = ask(server, {}, ("a.pdf", b"%PDF-1.4 broken"), headers=keys[0])["url"]
            deadline = time.monotonic() + 60
            while (job := server.get(url, headers=keys[0]))["state"] in ("queued", "running"):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert job["state"] == "failed" and job["error"]["error"]["param"] == "file" and job["expires"] > job["created"], job
            assert events(server.call("GET", url + "/events", headers=keys[0])[2])[-1][0] == "error"
            for method, path in (("GET", url), ("GET", url + "/events"), ("DELETE", url)):
                assert server.call(method, path, headers=keys[1])[0] == 404, "another key's job is none"
            deadline = time.monotonic() + 60
            while server.call("GET", url, headers=keys[0])[0] != 404:
                assert time.monotonic() < deadline, "an expired job stays"
                time.sleep(0.2)


def check_sealed_jobs(_):
    """With --jobs-key the answer lies nowhere on the disk, and nobody without the key gets it."""
    def serve(folder, *more):
        return Server("--jobs", f"{folder}/jobs.db", *more)

    def held(folder, text):
        return any(text in path.read_bytes() for path in Path(folder).glob("jobs.db*"))

    def refused_start(*args):
        bad = subprocess.run([GALEN, "serve", f"tiny={TINY / 'gemma3-vision'}", "--port", "0", *map(str, args)], capture_output=True, text=True,
                             timeout=60)
        assert bad.returncode == 1, bad
        return bad.stderr

    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder) / "key"
        for text, mode, said in (("ab" * 32, 0o644, "chmod 600"), ("ab" * 31, 0o600, "64 hexadecimal digits")):
            key.write_text(text)
            key.chmod(mode)
            log = refused_start("--jobs", f"{folder}/jobs.db", "--jobs-key", key)
            assert said in log and text not in log, log
        assert "--jobs FILE" in refused_start("--jobs-key", key)
        key.write_text("ab" * 32 + "\n")
        with serve(folder) as server:
            first = wait(server, ask(server, {}, ("a.pdf", b"%PDF-1.4 broken"))["url"], ("failed",))
            message = first["error"]["error"]["message"]
            assert held(folder, message[:20].encode())
        with serve(folder, "--jobs-key", key) as server:
            assert not held(folder, message[:20].encode()), "what lay there before is sealed at the start"
            second = wait(server, ask(server, {}, ("a.pdf", b"%PDF-1.4 broken"))["url"], ("failed",))
            assert second["error"] == first["error"] == server.get("/jobs/" + first["id"])["error"]
        assert not held(folder, message[:20].encode())
        with serve(folder) as server:
            status, _, data = server.call("GET", "/jobs/" + second["id"])
            assert status == 503 and b"sealed for another key" in data, data
            # Who cannot read an answer can still have it deleted.
            assert server.call("DELETE", "/jobs/" + second["id"])[0] == 200 and server.call("GET", "/jobs/" + second["id"])[0] == 404


def check_jobs(_):
    if not REAL:
        print("     jobs: left out, as extract")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jobs.db"
        server = extractor("--jobs", path, "--document-workers", 1)
        with server:
            whole = json.loads(send(server, LIMITS, [("a.pdf", lab(139, PLANTED[0]))])[2])
            url = ask(server, file=("a.pdf", lab(139, PLANTED[0])))["url"]
            told = events(server.call("GET", url + "/events")[2])
            names = [name for name, _ in told]
            assert names[0] == "page" and names[-1] == "result" and "token" in names, names
            job = wait(server, url, ("done",))
            for answer in (job["result"], told[-1][1]):
                assert {k: v for k, v in answer.items() if k != "written"} == {k: v for k, v in whole.items() if k != "written"}
            assert events(server.call("GET", url + "/events")[2])[-1] == told[-1], "told again"
            assert server.call("DELETE", url)[0] == 200 and server.get(url, 404)
            for file in (path, path.with_name("jobs.db-wal")):
                assert not file.exists() or PLANTED[0].encode() not in file.read_bytes(), f"what is deleted stays in {file}"
            for form in ("sr", "fhir", "html", "csv"):
                csv = ask(server, {**LIMITS, "format": form})["url"]
                told = events(server.call("GET", csv + "/events")[2])[-1]
                wait(server, csv, ("done",))
                assert events(server.call("GET", csv + "/events")[2])[-1] == told and told[0] == "result" and told[1]["format"] == form, told
                if form == "sr":
                    job = server.get(csv)
                    assert job["content_type"] == "application/dicom" and job["data"] == told[1]["data"], job
                    sr_is_good(base64.b64decode(job["data"], validate=True))
            assert server.get(csv)["text"].startswith("path,")
            # One at work, one behind it: the latter is deleted before its turn, the former in its middle.
            long = {"schema": "lab_report", "ocr": "never"}
            first, second = (ask(server, long, ("a.pdf", REPORT))["url"] for _ in range(2))
            wait(server, first, ("running",))
            heard = []
            listeners = [threading.Thread(target=lambda url=url: heard.append(events(server.call("GET", url + "/events")[2])[-1])) for url in (second, first)]
            for thread in listeners:
                thread.start()
            time.sleep(0.5)  # until they listen
            assert server.metric("galen_documents_waiting") == 1
            for url in (second, first):
                assert server.call("DELETE", url)[0] == 200 and server.get(url, 404)
                assert server.metric("galen_documents_waiting") == 0, "a deleted job waits"
            for thread in listeners:
                thread.join(30)
            assert heard == [("deleted", {})] * 2, heard
            deadline = time.monotonic() + 30
            while server.metric("galen_documents_running") + server.metric("galen_requests_running") > 0:
                assert time.monotonic() < deadline, "a deleted job goes on"
                time.sleep(0.05)
            # Killed in the middle of one.
            left = ask(server, long, ("a.pdf", REPORT))["url"]
            wait(server, left, ("running",))
            server.kill()
            server.stop(-signal.SIGKILL)
            server.stop = lambda: None
        with extractor("--jobs", path) as again:
            assert again.get(left)["state"] == "interrupted" and again.get(csv)["state"] == "done"
            assert events(again.call("GET", left + "/events")[2]) == [("interrupted", {})]
            unfinished = ask(again, long, ("a.pdf", REPORT))["url"]
            wait(again, unfinished, ("running",))
        with extractor("--jobs", path) as again:  # stopped, not killed
            assert again.get(unfinished)["state"] == "interrupted"
