"""Documents: /extract as a form and as JSON, whole and as events; what is refused and how; the same object as `galen extract`."""

import base64
import csv
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from serving import GALEN, HERE, PLANTED, SLOW, SMOLLM, Server, audit, chat, png

sys.path.insert(0, str(HERE.parent / "extract"))
from pdf_pages import pdf  # noqa: E402

ROOT = HERE.parents[2]
REPORT = (ROOT / "examples/documents/lab_report.pdf").read_bytes()
REAL = SMOLLM.is_file() and SLOW == 1


def form(fields, files, boundary="galen-test-boundary"):
    """The body and the type of a multipart/form-data request."""
    parts = [f'Content-Disposition: form-data; name="{k}"\r\n\r\n'.encode() + str(v).encode() for k, v in fields.items()]
    parts += [f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: application/octet-stream\r\n\r\n'.encode() + data
              for name, data in files]
    body = b"".join(b"--" + boundary.encode() + b"\r\n" + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def send(server, fields, files, path="/extract", headers=None):
    body, kind = form(fields, files)
    return server.call("POST", path, body, {**kind, **(headers or {})}, raw=True)


def refused(server, code, param, fields=None, files=(("a.pdf", REPORT),), path="/extract"):
    status, _, data = send(server, fields or {}, files, path)
    error = json.loads(data)["error"]
    assert status == code and error["param"] == param, f"{fields}: {status} {error}, not {code} at {param}"
    return error["message"]


def as_json(*files):
    return [{"name": name, "data": base64.b64encode(data).decode()} for name, data in files]


def page(*lines):
    with tempfile.TemporaryDirectory() as folder:
        return pdf(Path(folder) / "x.pdf", [list(lines)]).read_bytes()


def lab(sodium, name="Anna Beispiel"):
    return page("Laboratory report", f"Patient name: {name}", "Reference range, specimen, units, flag", f"Sodium {sodium} mmol/L 135 - 145")


def events(data):
    """(name, value) of each event of a stream."""
    blocks = [block.split("\n") for block in data.decode().split("\n\n") if block]
    assert all(len(b) == 2 and b[0].startswith("event: ") and b[1].startswith("data: ") for b in blocks), blocks[:3]
    return [(b[0][7:], json.loads(b[1][6:])) for b in blocks]


def sr_is_good(data):
    """What DCMTK's reader says of a structured report."""
    assert data[128:132] == b"DICM", data[:200]
    if shutil.which("dsrdump") is None:
        return
    with tempfile.NamedTemporaryFile(suffix=".dcm") as file:
        file.write(data)
        file.flush()
        dump = subprocess.run(["dsrdump", "+Pl", file.name], capture_output=True, text=True)
    assert dump.returncode == 0 and "E:" not in dump.stderr, dump.stderr
    for part in ("Comprehensive SR Document", "PARTIAL", "UNVERIFIED", "galen"):
        assert part in dump.stdout, f"dsrdump lacks {part}: {dump.stdout[:1000]}"


def check_extract_refuses(server):
    """Everything that is refused before a model reads: with the tiny model, in sanitized trees too."""
    assert "no file" in refused(server, 422, "file", files=())
    assert "did you mean 'tiny'" in refused(server, 404, "model", {"model": "tyni"})
    refused(server, 404, "second_model", {"second_model": "zzz"})
    for field, value in (("schema", "letter"), ("schema", "{broken"), ("schema", "/etc/passwd.json"), ("format", "xml"), ("pages", "yes"),
                         ("stream", "2"), ("max_tokens", "many"), ("max_tokens", "-1"), ("dpi", "5"), ("ocr", "sometimes"),
                         ("today", "31.1.2026"), ("unknown", "1")):
        message = refused(server, 422, field, {field: value})
        assert "passwd" not in message
    refused(server, 422, "pages", {"pages": "true", "format": "csv"})
    refused(server, 400, "file", {"page_range": "9-"})
    for name, data in (("a.pdf", b""), ("a.pdf", b"%PDF-1.4 broken"), ("a.png", b"\x89PNG\r\n\x1a\n broken"), ("a.txt", b"plain text"),
                       ("a.zip", b"PK\3\4"), ("../../etc/passwd", b"x"), ("locked.pdf", (ROOT / "tests/data/documents/locked.pdf").read_bytes())):
        message = refused(server, 400, "file", files=[(name, data)])
        assert ".." not in message, message
    bill = page("Dear customer, thank you for your order of two garden chairs.", "Please pay within thirty days. Kind regards.")
    status, _, data = send(server, {}, [("bill.pdf", bill)])
    assert status == 400 and "no medical document found" in json.loads(data)["error"]["message"], data
    # The same fields in JSON, with JSON's types.
    files = as_json(("a.pdf", REPORT))
    for field, value, code in (("schema", 7, 422), ("schema", ["lab_report"], 422), ("pages", "true", 422), ("stream", 1, 422), ("model", {}, 422),
                               ("max_tokens", 1.5, 422), ("max_tokens", "3", 422), ("dpi", "200", 422), ("today", 2026, 422), ("format", None, 400),
                               ("files", {}, 422), ("files", "x", 422), ("files", [], 422), ("files", [5], 422), ("files", [{"name": "a"}], 422),
                               ("files", [{"name": 5, "data": ""}], 422), ("files", [{"name": "a", "data": "%%%"}], 400), ("unknown", 1, 422),
                               ("files", [{"name": "a", "data": "http://127.0.0.1/x"}], 400), ("files", [{**files[0], "path": "/etc/passwd"}], 422)):
        body = {"files": as_json(("a.pdf", b"%PDF-1.4 broken")) if field == "format" else files, field: value}
        assert server.call("POST", "/extract", body)[0] == code, (field, value, server.call("POST", "/extract", body))
    for body in (b"", b"{", b'{"files": [' + b"[" * 100, b"\xff\xfe"):
        assert server.call("POST", "/extract", body, raw=True)[0] == 400, body
    assert server.call("POST", "/extract", b"[]", raw=True)[0] == 422
    assert server.call("POST", "/extract", b"x", {"Content-Type": "text/plain"}, raw=True)[0] == 415
    assert server.call("GET", "/extract")[0] == 405


def check_broken_forms(server):
    body, kind = form({"schema": "lab_report"}, [("a.pdf", REPORT)])
    head = b'Content-Disposition: form-data; name="schema"'
    part = b"--galen-test-boundary\r\n" + head + b"\r\n\r\nlab_report\r\n"
    for bad in (body[:-10], body[:200], body + b"more", b"x" + body, body.replace(b"\r\n", b"\n"), body.replace(b"form-data", b"attachment", 1),
                body.replace(b'name="schema"', b'name="sch\0ma"'), body.replace(head, head + b"\r\n" + head), b"--galen-test-boundary--"[:-1]):
        status, _, data = server.call("POST", "/extract", bad, kind, raw=True)
        assert status == 400, (bad[:200], status, data)
    for broken in ("multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=other", "multipart/form-data; boundary=\"a"):
        assert server.call("POST", "/extract", body, {"Content-Type": broken}, raw=True)[0] == 400, broken
    assert server.call("POST", "/extract", part + body, kind, raw=True)[0] == 422, "a field that comes twice"
    assert server.call("POST", "/extract", part * 200 + body, kind, raw=True)[0] == 413, "too many parts"
    long = body.replace(head, b"X-Long: " + b"x" * 9000 + b"\r\n" + head)
    assert server.call("POST", "/extract", long, kind, raw=True)[0] == 413, "long headers of a part"


def check_document_limits(_):
    with Server("--max-files", 2, "--max-pages", 3, "--max-image-pixels", 1000, "--max-body-mb", 1) as server:
        report = ("a.pdf", REPORT)
        assert "more than the 2 files" in refused(server, 413, "file", files=[report] * 3)
        body = {"files": as_json(report, report, report)}
        assert server.call("POST", "/extract", body)[0] == 413
        many = pdf(Path(tempfile.mkdtemp()) / "x.pdf", [["Sodium 139 mmol/L"]] * 4).read_bytes()
        assert "more than 3 pages" in refused(server, 413, "file", files=[("many.pdf", many)])
        assert "limit" in refused(server, 413, "file", files=[("a.png", png(40, 30))])
        status, _, _ = send(server, {}, [("a.bin", b"\0" * (2 << 20))])
        assert status == 413


def extractor(*args):
    return Server("--batch-invariant", *args, models=(f"reader={SMOLLM}",))


LIMITS = {"max_tokens": 32, "ocr": "never", "schema": "lab_report", "today": "2026-01-31"}


def check_extract(_):
    """With a real model: the vocabularies of the tiny ones cannot spell JSON."""
    if not REAL:
        print(f"     extract: left out ({'sanitized' if SLOW > 1 else f'{SMOLLM} is not there: tools/fetch_models.py'})")
        return
    with extractor() as server, tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "a.pdf").write_bytes(lab(139))
        (folder / "b.png").write_bytes(png())
        done = subprocess.run([GALEN, "extract", "a.pdf", "--model", str(SMOLLM), "--batch-invariant", "--schema", "lab_report",
                               "--max-tokens", "32", "--ocr", "never", "--today", "2026-01-31"], cwd=folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        status, headers, data = send(server, LIMITS, [("a.pdf", lab(139))])
        assert status == 200 and headers["Content-Type"] == "application/json", data[:300]
        answer = json.loads(data)
        for report in (told, answer):
            report.pop("written")
            report["readers"][0].pop("model")
        assert answer == told, "the server's object is not the program's"
        assert data.decode().startswith("{\n  "), "the same text, too"

        # JSON, a data URL, a path in the name: the same values.
        body = {**LIMITS, "files": [{"name": "C:\\folder\\a.pdf", "data": "data:application/pdf;base64," + base64.b64encode(lab(139)).decode()}]}
        other = server.post("/extract", body)
        assert other["values"] == answer["values"] and other["files"] == answer["files"]

        # curl speaks forms as browsers do.
        shown = subprocess.run(["curl", "-sS", "-F", f"file=@{folder}/a.pdf", "-F", "pages=true", *(x for k, v in LIMITS.items() for x in ("-F", f"{k}={v}")),
                                f"http://127.0.0.1:{server.port}/extract"], capture_output=True, timeout=120)
        assert shown.returncode == 0, shown.stderr
        seen = json.loads(shown.stdout)
        assert seen["values"] == answer["values"] and [p["page"] for p in seen["pages"]] == [1]
        picture = base64.b64decode(seen["pages"][0].pop("image").removeprefix("data:image/png;base64,"))
        width, height = int.from_bytes(picture[16:20], "big"), int.from_bytes(picture[20:24], "big")
        assert abs(width / height - seen["pages"][0]["width"] / seen["pages"][0]["height"]) < 0.01
        seen["pages"][0].pop("page")
        assert seen["pages"] == answer["pages"]

        # Events, and the same object at their end.
        status, headers, data = send(server, {**LIMITS, "stream": "true"}, [("a.pdf", lab(139))])
        assert status == 200 and headers["Content-Type"].startswith("text/event-stream")
        told = events(data)
        names = [name for name, _ in told]
        assert names[0] == "page" and names[1] == "kind" and names[-3:] == ["reading", "verdicts", "result"], names
        assert told[0][1] == {"done": 1, "total": 1} and told[1][1]["kind"] == "lab_report"
        text = "".join(value["text"] for name, value in told if name == "token")
        assert names.count("token") > 20 and text.startswith("{")
        result = told[-1][1]
        assert result["values"] == answer["values"] and result["document"] == answer["document"]
        verdicts = told[-2][1]
        assert verdicts["summary"] == result["summary"] and [v["path"] for v in verdicts["values"]] == [v["path"] for v in result["values"]]
        status, _, data = send(server, {**LIMITS, "stream": "true"}, [("a.pdf", b"%PDF-1.4 broken")])
        assert status == 400 and "error" in json.loads(data), "a status of its own where nothing was sent"

        # The other formats.
        status, headers, data = send(server, {**LIMITS, "format": "csv"}, [("a.pdf", lab(139))])
        assert headers["Content-Type"].startswith("text/csv") and len(list(csv.DictReader(io.StringIO(data.decode())))) == len(answer["values"])
        status, headers, data = send(server, {**LIMITS, "format": "fhir"}, [("a.pdf", lab(139))])
        assert headers["Content-Type"].startswith("application/fhir+json") and json.loads(data)["resourceType"] == "Bundle"
        status, headers, data = send(server, {**LIMITS, "format": "html"}, [("a.pdf", lab(139))])
        assert headers["Content-Disposition"].startswith("attachment") and b"<script" not in data
        status, headers, data = send(server, {**LIMITS, "format": "sr"}, [("a.pdf", lab(139))])
        assert status == 200 and headers["Content-Type"] == "application/dicom" and headers["Content-Disposition"].endswith('.dcm"'), headers
        sr_is_good(data)
        told = events(send(server, {**LIMITS, "format": "sr", "stream": "true"}, [("a.pdf", lab(139))])[2])
        assert told[-1][0] == "result" and told[-1][1]["format"] == "sr"
        sr_is_good(base64.b64decode(told[-1][1]["data"], validate=True))
        refused(server, 422, "pages", {"pages": "true", "format": "sr"})
        # A schema of one's own, as text and as an object.
        own = {"type": "object", "properties": {"ok": {"type": "boolean"}, "sodium": {"type": "integer", "minimum": 1, "maximum": 999}},
               "required": ["ok", "sodium"], "additionalProperties": False}
        first = server.post("/extract", {**LIMITS, "schema": own, "files": as_json(("a.pdf", lab(139)))})
        second = server.post("/extract", {**LIMITS, "schema": json.dumps(own), "files": as_json(("a.pdf", lab(139)))})
        assert first["kind"] == "custom" and set(first["document"]) == {"ok", "sodium"} and first["document"] == second["document"]
        bad = server.post("/extract", {**LIMITS, "schema": {"type": "object", "nonsense": 1}, "files": as_json(("a.pdf", lab(139)))}, 400)
        assert "nonsense" in bad["error"]["message"]
        # A picture for a model that has no eyes.
        status, _, data = send(server, LIMITS, [("b.png", png())])
        assert status == 400, data
        assert server.metric("galen_documents_total") >= 10 and server.metric("galen_pages_total") >= 10
        deadline = time.monotonic() + 10  # an answer is sent a moment before its work is over
        while server.metric("galen_documents_running") > 0:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def check_extract_without_a_model(_):
    """Nothing is named: the model inside the program reads, as `galen extract` does, and the start says so."""
    slip = ROOT / "examples/documents/lab_slip.png"
    with Server(models=()) as server:
        said = server.child.stdout.readline()
        assert "galen-mini" in said and "/extract" in said, said
        assert [model["id"] for model in server.get("/v1/models")["data"]] == ["galen-mini"]
        if SLOW > 1:
            return
        status, _, data = send(server, {"schema": "lab_report"}, [("slip.png", slip.read_bytes())])
        answer = json.loads(data)
        assert status == 200 and answer["complete"] and answer["summary"]["values"] > 5, data[:300]
        assert answer["readers"][0]["model"] == "galen-mini", answer["readers"]
    with Server("--manage-models", models=(), env={"GALEN_STORE": "/nonexistent/galen-store"}) as server:
        assert server.get("/v1/models")["data"] == [], "who does not want it has the models of the store alone"
    with Server("--manage-models", models=(), builtin=True, env={"GALEN_STORE": "/nonexistent/galen-store"}) as server:
        assert [m["id"] for m in server.get("/v1/models")["data"]] == ["galen-mini"]
        assert server.get("/api/ps")["models"] == [], "it is loaded when it is asked for"


def check_extract_beside_named_models(_):
    """galen-mini stays what reads where no model is named, whatever is served beside it, and answers nothing else."""
    slip = ROOT / "examples/documents/lab_slip.png"
    files = [("slip.png", slip.read_bytes())]
    with Server(builtin=True) as server:
        said = server.child.stdout.readline()
        assert "galen-mini" in said and "--no-builtin-model" in said, said
        assert [m["id"] for m in server.get("/v1/models")["data"]] == ["tiny", "galen-mini"]
        assert server.get("/health/ready")["models"] == {"tiny": "loaded", "galen-mini": "idle"}
        # A reader of documents: no functions, no conversation by default.
        tags = {m["name"]: m for m in server.get("/api/tags")["models"]}
        assert tags["galen-mini"]["capabilities"] == ["completion", "vision"] and "tools" in tags["tiny"]["capabilities"], tags
        assert server.post("/api/show", {"model": "galen-mini"})["capabilities"] == ["completion", "vision"]
        assert server.get("/v1/models/galen-mini")["capabilities"] == ["completion", "vision"]
        body = {k: v for k, v in chat("Hello", max_tokens=2).items() if k != "model"}
        assert server.post("/v1/chat/completions", body)["model"] == "tiny"
        # What it did not learn is read by the other.
        status, _, data = send(server, {"schema": "prescription", "max_tokens": 16}, files)
        assert {m["name"] for m in server.get("/api/ps")["models"]} == {"tiny"}, (status, data)
        if SLOW > 1:
            return
        for kind in ("lab_report", "auto"):
            status, _, data = send(server, {"schema": kind}, files)
            answer = json.loads(data)
            assert status == 200 and answer["readers"][0]["model"] == "galen-mini" and answer["summary"]["values"] > 5, data[:300]
        assert {m["name"] for m in server.get("/api/ps")["models"]} == {"tiny", "galen-mini"}
        bill = page("Dear customer, thank you for your order of two garden chairs.", "Please pay within thirty days. Kind regards.")
        status, _, data = send(server, {}, [("bill.pdf", bill)])
        message = json.loads(data)["error"]["message"]
        assert status == 400 and "galen-mini reads lab_report alone" in message and "'model'" in message, message
    # Named itself, it is there once; another model may have its name.
    with Server("--on-demand", models=("galen-mini",), builtin=True) as server:
        assert [m["id"] for m in server.get("/v1/models")["data"]] == ["galen-mini"]
    with Server("--on-demand", models=(f"galen-mini={HERE.parents[1] / 'parity/models/tiny/llama/f32.gguf'}",), builtin=True) as server:
        assert len(server.get("/v1/models")["data"]) == 1 and server.post("/api/show", {"model": "galen-mini"})["details"]["family"] == "llama"
    # Within the memory that all models have together.
    with Server("--on-demand", "--memory", "0.000001", builtin=True) as server:
        status, headers, data = send(server, {"schema": "lab_report"}, files)
        assert status == 503 and "needs" in json.loads(data)["error"]["message"] and "Retry-After" in headers, data
    done = subprocess.run([GALEN, "serve", "--no-builtin-model"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "--no-builtin-model" in done.stderr, done


def check_extracts_side_by_side(_):
    if not REAL:
        print("     extracts_side_by_side: left out, as extract")
        return
    cases = [(f"{name}.pdf", lab(139 + i, name)) for i, name in enumerate(("Anna", "Berta", "Clara"))]
    with extractor("--document-workers", "3") as server:
        alone = [json.loads(send(server, LIMITS, [case])[2]) for case in cases]
        together = [None] * len(cases)

        def ask(i):
            together[i] = send(server, LIMITS, [cases[i]])

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(cases))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for one, (status, _, data) in zip(alone, together):
            assert status == 200, data
            other = json.loads(data)
            one.pop("written"), other.pop("written")
            assert other == one, "an extraction among others is not the one alone"
        assert len({json.dumps(one["files"]) for one in alone}) == len(cases)


def check_extract_cancelled(_):
    if not REAL:
        print("     extract_cancelled: left out, as extract")
        return
    with extractor("--document-workers", "1", "--max-queue", "1") as server:
        body, kind = form({"schema": "lab_report", "ocr": "never", "stream": "true"}, [("a.pdf", REPORT)])
        request = (f"POST /extract HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind['Content-Type']}\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body

        def open_one():
            s = socket.create_connection(("127.0.0.1", server.port), timeout=60)
            s.sendall(request)
            return s

        def wait(name, value):
            deadline = time.monotonic() + 30
            while server.metric(name) != value:
                assert time.monotonic() < deadline, f"{name} is {server.metric(name)}, not {value}"
                time.sleep(0.01)

        first = open_one()
        got = b""
        while b"event: token" not in got:
            got += first.recv(4096)
        waiting = open_one()
        wait("galen_documents_waiting", 1)
        status, headers, _ = send(server, LIMITS, [("a.pdf", REPORT)])
        assert status == 429 and int(headers["Retry-After"]) >= 1
        waiting.close()  # in the queue
        wait("galen_documents_waiting", 0)
        first.close()  # at work
        wait("galen_documents_running", 0)
        wait("galen_requests_running", 0)
        assert server.metric("galen_requests_cancelled_total") == 1
        assert send(server, LIMITS, [("a.pdf", lab(139))])[0] == 200, "and the next one is served"


def check_extract_leaves_nothing(_):
    """No word of a document, no name of a file in logs and in the audit record; no file left."""
    name, date, _ = PLANTED
    model = (f"reader={SMOLLM}",) if REAL else ("reader=" + str(HERE.parents[1] / "parity/models/tiny/gemma3-vision"),)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "tmp").mkdir()
        old = os.environ.get("TMPDIR")
        os.environ["TMPDIR"] = str(folder / "tmp")
        try:
            with Server("--audit", folder / "log", models=model) as server:
                report = lab(139, name)
                for fields in ({**LIMITS}, {**LIMITS, "stream": "true"}, {"schema": "nothing", name: date}):
                    send(server, fields, [(f"{name} {date}.pdf", report)])
                send(server, {}, [(f"{name}.pdf", b"%PDF-1.4 " + name.encode())])
                log = server.read_log()
        finally:
            os.environ.pop("TMPDIR") if old is None else os.environ.update(TMPDIR=old)
        record = (folder / "log").read_text()
        for text in PLANTED:
            assert text not in log and text not in record, f"{text} was recorded"
        assert '"route":"/extract"' in log and not list((folder / "tmp").iterdir())
        starts = [json.loads(line) for line in audit("tail", folder / "log", "-n", 100).splitlines() if '"start"' in line]
        assert len(starts) == 3 and all(len(s["media"]) == 1 and s["route"] == "/extract" for s in starts), starts
        (folder / "x.pdf").write_bytes(report)
        assert starts[0]["media"] == [audit("digest", folder / "log", folder / "x.pdf").strip()], "a file is known by its digest"
        assert re.fullmatch("[0-9a-f]{64}", starts[0]["weights"])
