#!/usr/bin/env python3
"""Studies that others send to `galen serve`: the DICOM port, STOW-RS, questions about a study, reports back. Senders are DCMTK's tools
and one made of bytes (dicom_client.py) for what no tool does. GALEN_BIN names the program.

    run.py [NAME...]    only the checks whose name holds one of the words
"""

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "server"), str(HERE.parent / "extract")]
from checks import checks_of, run_checks  # noqa: E402
from dicom_client import CT, EXPLICIT, IMPLICIT, VERIFICATION, VIDEO, Sender, as_file, ct_slice, element, request  # noqa: E402
from pdf_pages import pdf  # noqa: E402
from serving import GALEN, PLANTED, SLOW, SMOLLM, Server, audit, png  # noqa: E402

ROOT = HERE.parents[2]
ALLOW = ("--dicom-port", 0, "--dicom-allow", "SENDER=127.0.0.1")
SECRETS = (*PLANTED, "PID-1964-Xq7", "19640812")
FIRST = "1.2.826.0.1.77.1"


class Receiver(Server):
    """A server with an inbox, and a DICOM port unless there is to be none."""

    def __init__(self, folder, *args, dicom=ALLOW, **more):
        self.inbox = Path(folder) / "inbox"
        super().__init__("--dicom-inbox", self.inbox, *dicom, *args, **more)
        self.dicom = int(re.search(r":(\d+)$", self.child.stdout.readline().strip())[1]) if dicom else 0

    def instances(self):
        return sorted(p.name for p in self.inbox.glob("studies/*/*.dcm"))

    def half_files(self):
        return list((self.inbox / "incoming").iterdir())


@contextlib.contextmanager
def receiver(*args, **more):
    with tempfile.TemporaryDirectory() as folder, Receiver(folder, *args, **more) as server:
        yield server


def tool(*command, code=0):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60 * SLOW)
    assert (done.returncode == 0) == (code == 0), f"{command}: {done.returncode} {done.stdout[-500:]} {done.stderr[-500:]}"
    return done.stdout + done.stderr


def until(what, condition, seconds=10):
    end = time.monotonic() + seconds * SLOW
    while not condition():
        assert time.monotonic() < end, f"not in {seconds} s: {what}"
        time.sleep(0.05)


def events(server, name):
    return [e for e in map(json.loads, filter(None, server.read_log().splitlines())) if e["event"] == name]


def data_set(path):
    """What DCMTK reads of a file behind its meta information."""
    text = subprocess.run(["dcmdump", "-q", "+L", str(path)], capture_output=True, text=True, errors="replace", check=True).stdout
    return [line for line in text.splitlines() if not line.startswith(("#", "(0002", "\n")) and line]


def related(parts, kind="application/dicom", boundary="xyzzy", outer=None):
    body = b"".join(b"--" + boundary.encode() + b"\r\nContent-Type: " + kind.encode() + b"\r\n\r\n" + p + b"\r\n" for p in parts)
    return body + f"--{boundary}--\r\n".encode(), {"Content-Type": outer or f'multipart/related; type="application/dicom"; boundary={boundary}'}


def stow(server, parts, study="", headers=None, **more):
    body, kind = related(parts, **more)
    status, heads, data = server.call("POST", "/dicom-web/studies" + ("/" + study if study else ""), body, {**kind, **(headers or {})}, raw=True)
    return status, heads.get("Content-Type"), json.loads(data)


def slice_file(study, instance, **more):
    return as_file(ct_slice(study, instance, **more), instance)


def check_echo_and_store(_):
    files = [ROOT / "tests/data/dicom/test.dcm", ROOT / "tests/data/dicom/multiframe_camelyon_challenge_image.dcm"]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "audit.log"
        with Receiver(folder, "--audit", log) as server:
            port = server.dicom
            tool("echoscu", "-aet", "SENDER", "-aec", "GALEN", "127.0.0.1", port)
            tool("dcmsend", "-aet", "SENDER", "-aec", "GALEN", "127.0.0.1", port, *files)
            assert len(server.instances()) == 2
            for sent in files:
                kept = [p for p in server.inbox.glob("studies/*/*.dcm") if data_set(p) == data_set(sent)]
                assert len(kept) == 1, f"{sent} is not what was kept"
            assert b"SENDER" not in kept[0].read_bytes(), "who sent it is no part of the file"
            tool("dcmsend", "-aet", "SENDER", "-aec", "GALEN", "127.0.0.1", port, *files)  # again: known
            assert len(server.instances()) == 2
            until("three associations have ended", lambda: len(events(server, "dicom")) == 3)
            told = [(e["outcome"], e["echoes"], e["stored"], e["known"], e["refused"]) for e in events(server, "dicom")]
            assert told == [("released", 1, 0, 0, 0), ("released", 0, 2, 0, 0), ("released", 0, 0, 2, 0)], told
            assert server.metric("galen_dicom_instances") == 2 and server.metric("galen_dicom_associations_total") == 3
            uids = [p.stem for p in server.inbox.glob("studies/*/*.dcm")]
            digest = audit("digest", log, kept[0]).strip()
            text = server.read_log()
        records = [json.loads(line) for line in log.read_text().splitlines()]
        assert [r["peer"] for r in records if r["event"] == "dicom"] == ["SENDER"] * 3
        stored = [r for r in records if r["event"] == "dicom_stored"]
        assert [len(r["media"]) for r in stored] == [2, 2] and digest in stored[0]["media"], (digest, stored)
        assert [r["stored"] for r in records if r["event"] == "dicom_end"] == [0, 2, 0]
        audit("verify", log)
        for uid in uids:
            assert uid not in text and uid not in log.read_text(), "a UID is in a log"


def check_who_may_call(_):
    with receiver("--dicom-allow", "ELSEWHERE=192.0.2.7,CT1=127.0.0.1") as server:
        for more, reason in (({"called": "OTHER"}, (1, 1, 7)), ({"calling": "STRANGER"}, (1, 1, 3)), ({"calling": "ELSEWHERE"}, (1, 1, 3)),
                             ({"calling": "sender"}, (1, 1, 3)), ({"application": "1.2.3"}, (1, 1, 2))):
            with Sender(server.dicom, **more) as sender:
                assert sender.rejected == reason, f"{more}: {sender.rejected}"
        for title in ("SENDER", "CT1"):
            with Sender(server.dicom, calling=title) as sender:
                assert sender.accepted == [0]
                sender.release()
        until("all are logged", lambda: len(events(server, "dicom")) == 7)
        assert "STRANGER" not in server.read_log(), "a stranger's title may be anything"
    # An address that nobody has is not even listened to.
    with receiver(dicom=("--dicom-port", 0, "--dicom-allow", "ELSEWHERE=192.0.2.7")) as server:
        try:
            Sender(server.dicom, calling="ELSEWHERE")
            raise AssertionError("it was answered")
        except ConnectionError:
            pass
        until("the address was turned away", lambda: [e["reason"] for e in events(server, "dicom")] == ["address"])


def check_start_is_refused(_):
    with tempfile.TemporaryDirectory() as folder:
        inbox = ("--dicom-inbox", folder + "/inbox")
        for options, words in ((("--dicom-port", "0"), "--dicom-inbox"), ((*inbox, "--dicom-port", "0"), "--dicom-allow"),
                               ((*inbox, *ALLOW, "--dicom-host", "0.0.0.0"), "--allow-insecure"),
                               ((*inbox, *ALLOW, "--dicom-title", "SEVENTEEN_LETTERS"), "title"),
                               ((*inbox, "--dicom-port", "0", "--dicom-allow", "SENDER"), "TITLE=HOST"),
                               ((*inbox, "--dicom-send-to", "ORTHANC=host"), "TITLE@HOST:PORT")):
            done = subprocess.run([GALEN, "serve", "--manage-models", "--port", "0", *map(str, options)], capture_output=True, text=True,
                                  timeout=60 * SLOW, env={**os.environ, "HOME": folder})
            assert done.returncode == 1 and words in done.stderr, (options, done)
        with Receiver(folder):
            second = subprocess.run([GALEN, "serve", "--manage-models", "--port", "0", *inbox], capture_output=True, text=True,
                                    timeout=60 * SLOW, env={**os.environ, "HOME": folder})
            assert second.returncode == 1 and "another process" in second.stderr, second


def check_syntaxes(_):
    """What galen reads, in the sender's order; what it does not read is refused by context, not by association."""
    contexts = ((CT, (VIDEO,)), (CT, (VIDEO, "1.2.840.10008.1.2.4.90", EXPLICIT)), ("1.2.840.10008.5.1.4.1.2.2.1", (EXPLICIT,)),
                (VERIFICATION, (IMPLICIT,)), (CT, ("1.2.3.4.5",)))
    with receiver() as server, Sender(server.dicom, contexts=contexts) as sender:
        assert sender.accepted == [4, 0, 3, 0, 4], sender.accepted


def check_broken_instances(_):
    with receiver() as server, Sender(server.dicom) as sender:
        good = ct_slice(FIRST, FIRST + ".1")
        assert sender.store(FIRST + ".1", b"this is no data set at all, but it is long enough.") == 0xC000
        assert sender.store(FIRST + ".2", good) == 0xA900, "another instance than was announced"
        assert sender.store(FIRST + ".1", good, "1.2.840.10008.5.1.4.1.1.4") == 0x0122
        assert sender.store("1.2..3", good) == 0xC000
        assert sender.store(FIRST + ".1", good[:-100]) == 0xC000, "cut off"
        assert sender.store(FIRST + ".1", ct_slice("../../../tmp/x", FIRST + ".1")) == 0xC000
        assert server.instances() == [] and server.half_files() == []
        assert sender.store(FIRST + ".1", good) == 0
        assert sender.store(FIRST + ".1", ct_slice(FIRST, FIRST + ".1", pixels=b"\2" * 512)) == 0x0111
        sender.release()
        assert server.instances() == [FIRST + ".1.dcm"]


def check_cut_off(_):
    with receiver() as server:
        whole = ct_slice(FIRST, FIRST + ".1", pixels=b"\1" * 200_000)
        for stop in ("before", "inside", "abort"):
            with Sender(server.dicom) as sender:
                sender.begin(FIRST + ".1")
                if stop != "before":
                    sender.data(whole[:100_000], last=False)
                    until("some of it came", server.half_files)
                if stop == "abort":
                    sender.socket.sendall(b"\7\0\0\0\0\4\0\0\0\0")
            until("nothing is left of it", lambda: not server.half_files())
        assert server.instances() == []
        for head in (b"GET / HTTP/1.1\r\n\r\n", b"\1\0\xff\xff\xff\xff", b"\4\0\0\0\0\1x", b"\1\0\0\0"):
            with socket.create_connection(("127.0.0.1", server.dicom)) as s:
                s.sendall(head)
                s.shutdown(socket.SHUT_WR)
                s.settimeout(20 * SLOW)
                with contextlib.suppress(ConnectionError):
                    assert s.recv(100) == b""
        tool("echoscu", "-aet", "SENDER", "-aec", "GALEN", "127.0.0.1", server.dicom)
        ends = [e["outcome"] for e in events(server, "dicom") if "peer" in e]
        assert ends[:3] and set(ends[:3]) <= {"aborted", "lost"}, ends  # DCMTK takes a closed connection for an abort, often


def check_slow_senders(_):
    """Time does not begin anew with every byte; nor does it matter whether the server sees at once that it is up."""
    for stalled in (False, True):
        with receiver("--dicom-timeout", 2) as server, Sender(server.dicom) as idle, Sender(server.dicom) as slow:
            slow.begin(FIRST + ".1")
            begin = time.monotonic()
            with contextlib.suppress(ConnectionError):
                while time.monotonic() - begin < 30 * SLOW:
                    slow.data(b"\0\0", last=False)
                    time.sleep(0.2)
                    if stalled and time.monotonic() - begin > 1.4:
                        server.child.send_signal(signal.SIGSTOP)
                        time.sleep(1.2)
                        server.child.send_signal(signal.SIGCONT)
                        stalled = False
            assert time.monotonic() - begin < 15 * SLOW, "two bytes now and then held it"
            until("both are over", lambda: [e["outcome"] for e in events(server, "dicom")] == ["late", "late"])
            assert idle.read()[0] == 7, "an abort"


def check_limits(_):
    with receiver("--max-instance-mb", 1, "--dicom-associations", 1, "--max-inbox-instances", 2) as server:
        with Sender(server.dicom) as sender:
            with Sender(server.dicom) as second:
                assert second.rejected == (2, 3, 2), second.rejected
            assert sender.store(FIRST + ".1", ct_slice(FIRST, FIRST + ".1", pixels=bytes(1_500_000))) == 0xA700
            assert sender.store(FIRST + ".1", ct_slice(FIRST, FIRST + ".1")) == 0, "the next one is taken"
            assert sender.store(FIRST + ".2", ct_slice(FIRST, FIRST + ".2")) == 0
            assert sender.store(FIRST + ".3", ct_slice(FIRST, FIRST + ".3")) == 0xA700, "the inbox is full"
            # Without an end: it is cut off, whatever it says.
            sender.begin(FIRST + ".4")
            with contextlib.suppress(ConnectionError):
                for _ in range(64):
                    sender.data(bytes(1 << 20), last=False)
        until("it is over", lambda: [e["outcome"] for e in events(server, "dicom")][-1:] == ["excessive"])
        assert server.instances() == [FIRST + ".1.dcm", FIRST + ".2.dcm"] and server.half_files() == []


def check_full_disk(_):
    """A disk without room stands for itself as a limit on the size of files."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, 64 << 10))  # noqa: E731
    with receiver("--no-log", preexec_fn=limit) as server, Sender(server.dicom) as sender:
        assert sender.store(FIRST + ".1", ct_slice(FIRST, FIRST + ".1", pixels=bytes(200_000))) == 0xA700
        assert sender.store(FIRST + ".2", ct_slice(FIRST, FIRST + ".2")) == 0
        status, _, body = stow(server, [slice_file(FIRST, FIRST + ".3", pixels=bytes(200_000))])
        assert status == 409 and body["00081198" if "00081198" in body else "0008119A"]["Value"][0]["00081197"]["Value"] == [0xA700], body
        assert server.instances() == [FIRST + ".2.dcm"] and server.half_files() == []


def check_nothing_acknowledged_is_lost(_):
    with tempfile.TemporaryDirectory() as folder:
        server = Receiver(folder)
        with Sender(server.dicom) as sender:
            for i in range(1, 6):
                assert sender.store(f"{FIRST}.{i}", ct_slice(FIRST, f"{FIRST}.{i}", number=i)) == 0
            sender.begin(FIRST + ".6")
            sender.data(ct_slice(FIRST, FIRST + ".6")[:300], last=False)
            until("half of it is there", server.half_files)
            server.kill()
        with Receiver(folder) as again:
            assert again.instances() == [f"{FIRST}.{i}.dcm" for i in range(1, 6)] and again.half_files() == []
            look = again.post("/look", {"study": FIRST, "recipe": "ct"})
            assert len(look["images"]) == 5, look["images"]
            # A server that is stopped in the middle of an instance.
            with Sender(again.dicom) as sender:
                sender.begin(FIRST + ".7")
                sender.data(ct_slice(FIRST, FIRST + ".7")[:300], last=False)
                again.child.send_signal(signal.SIGTERM)
                assert again.child.wait(timeout=60 * SLOW) == 0
            assert len(again.instances()) == 5


def check_studies_expire(_):
    with receiver("--keep-studies", 1) as server:
        assert stow(server, [slice_file(FIRST, FIRST + ".1")])[0] == 200
        until("it is gone", lambda: server.instances() == [] and not list(server.inbox.glob("studies/*")))
        assert server.call("POST", "/look", {"study": FIRST})[0] == 404


def check_stow(_):
    with receiver(dicom=()) as server:
        one, two = slice_file(FIRST, FIRST + ".1"), slice_file(FIRST, FIRST + ".2", number=2)
        status, kind, body = stow(server, [one, two])
        assert status == 200 and kind == "application/dicom+json", (status, kind, body)
        assert [i["00081155"]["Value"] for i in body["00081199"]["Value"]] == [[FIRST + ".1"], [FIRST + ".2"]]
        assert body["00081199"]["Value"][0]["00081150"] == {"vr": "UI", "Value": [CT]} and "00081198" not in body
        assert (server.inbox / "studies" / FIRST / (FIRST + ".1.dcm")).read_bytes() == one, "the file as it was sent"
        status, _, body = stow(server, [one, b"no DICOM", two[:-50], slice_file(FIRST, FIRST + ".3", pixels=b"\3" * 512)], study=FIRST)
        assert status == 202 and len(body["00081199"]["Value"]) == 2, body
        assert [i["00081197"]["Value"] for i in body["0008119A"]["Value"]] == [[0xC000], [0xC000]], body
        status, _, body = stow(server, [one], study="1.2.3")
        assert status == 409 and body["00081198"]["Value"][0]["00081197"]["Value"] == [0xA900] and "00081199" not in body
        assert body["00081198"]["Value"][0]["00081155"]["Value"] == [FIRST + ".1"]
        status, _, body = stow(server, [slice_file(FIRST, FIRST + ".1", pixels=b"\9" * 512)])
        assert status == 409 and body["00081198"]["Value"][0]["00081197"]["Value"] == [0x0111]
        for more, code in (({"outer": "application/dicom"}, 415), ({"outer": 'multipart/related; boundary=xyzzy'}, 415),
                           ({"outer": 'multipart/related; type="application/dicom+json"; boundary=xyzzy'}, 415),
                           ({"kind": "text/plain"}, 415), ({"outer": 'multipart/related; type="application/dicom"'}, 400),
                           ({"outer": 'multipart/related; type="application/dicom"; boundary=other'}, 400), ({"study": "../x"}, 400)):
            assert stow(server, [one], **more)[0] == code, more
        body, kind = related([one, two])
        for broken in (body[:-20], body[:200], b"", body + b"x"):
            status, _, data = server.call("POST", "/dicom-web/studies", broken, kind, raw=True)
            assert status == 400, f"{len(broken)} bytes: {status} {data[:200]}"
        assert stow(server, [])[0] == 400
        assert server.call("DELETE", "/dicom-web/studies/" + FIRST)[0] == 204 and server.instances() == []
        assert server.call("DELETE", "/dicom-web/studies/" + FIRST)[0] == 404
        text = server.read_log()
        assert FIRST not in text and not any(s in text for s in SECRETS)
    with Server() as server:
        assert stow(server, [one])[0] == 501
        assert server.call("POST", "/look", {"study": FIRST})[0] == 501


def check_rights(_):
    made = {name: json.loads(tool(GALEN, "serve", "--new-key", name, "--json")) for name in ("ward", "pacs")}
    with tempfile.TemporaryDirectory() as folder:
        keys, log = Path(folder) / "keys", Path(folder) / "audit.log"
        keys.write_text(made["ward"]["line"] + "\n" + made["pacs"]["line"] + " dicom\n")
        bearer = {name: {"Authorization": "Bearer " + key["key"]} for name, key in made.items()}
        with Receiver(folder, "--api-keys", keys, "--audit", log, dicom=()) as server:
            one = [slice_file(FIRST, FIRST + ".1")]
            assert stow(server, one)[0] == 401 and stow(server, one, headers=bearer["ward"])[0] == 403 and server.instances() == []
            assert stow(server, one, headers=bearer["pacs"])[0] == 200
            assert server.call("POST", "/look", {"study": FIRST}, bearer["ward"])[0] == 403
            assert server.call("POST", "/look", {"study": FIRST}, bearer["pacs"])[0] == 200
            assert server.call("DELETE", "/dicom-web/studies/" + FIRST, headers=bearer["ward"])[0] == 403
            assert server.call("DELETE", "/dicom-web/studies/" + FIRST, headers=bearer["pacs"])[0] == 204
        records = [json.loads(line) for line in log.read_text().splitlines()]
        assert [(r["key"], r["action"]) for r in records if r["event"] == "dicom"] == [("pacs", "store"), ("pacs", "delete")]
        assert not any(s in log.read_text() for s in (*SECRETS, FIRST))


def check_questions_about_a_study(_):
    with receiver() as server:
        with Sender(server.dicom) as sender:
            for i in (3, 1, 2):
                assert sender.store(f"{FIRST}.{i}", ct_slice(FIRST, f"{FIRST}.{i}", number=i, pixels=bytes([i]) * 512)) == 0
            # What has no pixels, and comes first by its name, is no picture and no error.
            bare = ct_slice(FIRST, FIRST + ".0")
            assert sender.store(FIRST + ".0", bare[:bare.rindex(b"\xe0\x7f\x10\0OW")]) == 0
            sender.release()
        for recipe in (None, "image"):
            single = server.post("/look", {"study": FIRST, **({"recipe": recipe} if recipe else {})})
            assert len(single["images"]) == 3, (recipe, single["images"])
        look = server.post("/look", {"study": FIRST})
        assert [i["source"] for i in look["images"]] == [f"the files slice {i} of 3" for i in (1, 2, 3)], look["images"]
        assert len({i["png"] for i in look["images"]}) == 3, "slices that look the same"
        assert str(server.inbox) not in json.dumps(look), "a path of the server"
        files = [(f"{i}.dcm", slice_file(FIRST, f"{FIRST}.{i}", number=i, pixels=bytes([i]) * 512)) for i in (1, 2, 3)]
        import base64
        sent = server.post("/look", {"files": [{"name": n, "data": base64.b64encode(d).decode()} for n, d in files]})
        assert [i["png"] for i in look["images"]] == [i["png"] for i in sent["images"]], "the same pictures as of uploaded files"
        answer = server.post("/analyze", {"study": FIRST, "question": "What is seen?", "max_tokens": 4})
        assert answer["usage"]["completion_tokens"] > 0 and len(answer["media"]["images"]) == 3
        for body, code, param in (({"study": FIRST, "files": [{"name": "a", "data": "AAAA"}]}, 422, "study"), ({"study": 7}, 422, "study"),
                                  ({"study": "../../etc"}, 422, "study"), ({"study": "1.2.3.4"}, 404, "study"), ({"study": None}, 422, "file")):
            status, _, data = server.call("POST", "/look", body)
            assert status == code and json.loads(data)["error"]["param"] == param, (body, status, data)
        status, _, data = server.call("POST", "/pixels", {"study": FIRST, "files": []})
        assert status == 422, data
        for body, param in (({"study": FIRST, "send_to": "NOBODY"}, "send_to"), ({"study": FIRST, "format": "csv", "send_to": "X"}, "send_to")):
            status, _, data = server.call("POST", "/extract", body)
            assert status == 422 and json.loads(data)["error"]["param"] == param, (body, status, data)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def report_study(folder, study):
    """An encapsulated PDF with a laboratory report, as a file."""
    page = pdf(Path(folder) / "lab.pdf", [["Laboratory report", "Patient name: Anna Beispiel", "Reference range, specimen, units, flag",
                                           "Sodium 139 mmol/L 135 - 145"]])
    out = Path(folder) / "lab.dcm"
    tool("pdf2dcm", "-k", f"StudyInstanceUID={study}", "-k", "PatientName=M\u00fcller^Anna", "-k", "SpecificCharacterSet=ISO_IR 192", "-k",
         "PatientID=P-77", "-k", "PatientBirthDate=19640812", "-k", "PatientSex=F", "-k", "AccessionNumber=ACC-77", page, out)
    return out


def check_report_back(_):
    """A document of a study is read, and the report goes back into the same study. With a real model: the tiny ones cannot spell JSON."""
    if not (SMOLLM.is_file() and SLOW == 1):
        print(f"     report_back: left out ({'sanitized' if SLOW > 1 else f'{SMOLLM} is not there: tools/fetch_models.py'})")
        return
    ask = {"study": FIRST, "schema": "lab_report", "max_tokens": 48, "ocr": "never", "today": "2026-01-31"}
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        log, back = Path(folder) / "audit.log", Path(folder) / "back"
        back.mkdir()
        options = ("--audit", log, "--dicom-send-to", f"PACS@127.0.0.1:{port}", "--dicom-timeout", 10)
        with Receiver(folder, *options, models=(f"reader={SMOLLM}",)) as server:
            sent = report_study(folder, FIRST)
            tool("dcmsend", "-aet", "SENDER", "-aec", "GALEN", "127.0.0.1", server.dicom, sent)
            status, heads, data = server.call("POST", "/extract", {**ask, "format": "sr"})
            assert status == 200 and heads["Content-Type"] == "application/dicom" and data[128:132] == b"DICM", data[:300]
            lost = server.post("/extract", {**ask, "send_to": "PACS"})
            assert lost["sent"]["stored"] is False and "could not be made" in lost["sent"]["error"] and lost["kind"] == "lab_report", lost["sent"]
            pacs = subprocess.Popen(["storescp", "-aet", "PACS", "-od", str(back), str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                until("storescp listens", lambda: subprocess.run(["echoscu", "127.0.0.1", str(port)], capture_output=True).returncode == 0)
                answer = server.post("/extract", {**ask, "send_to": "PACS"})
            finally:
                pacs.terminate()
                pacs.wait()
            assert answer["sent"] == {"to": "PACS", "stored": True}, answer["sent"]
            text = server.read_log()
        files = list(back.iterdir())
        assert len(files) == 1, files
        dump = tool("dcmdump", "+L", files[0])
        for tag, value in (("0020,000d", FIRST), ("0008,0050", "ACC-77"), ("0010,0020", "P-77"), ("0010,0030", "19640812"),
                           ("0010,0010", "M\u00fcller^Anna")):
            assert re.search(rf"^\({tag}\) .. \[{re.escape(value)}\]", dump, re.M), (tag, value, dump[:3000])
        instance = re.search(r"\(0008,0018\) UI \[([0-9.]+)\]", tool("dcmdump", sent))[1]
        assert dump.count(instance) >= 1, "the document is named as evidence"
        assert "PRELIMINARY" in dump and "UNVERIFIED" in dump
        tool("dsrdump", files[0])
        records = [json.loads(line) for line in log.read_text().splitlines()]
        assert [r["stored"] for r in records if r["event"] == "dicom_sent"] == [False, True]
        assert len([r for r in records if r["event"] == "dicom_send"]) == 2
        assert not any(s in text + log.read_text() for s in ("ller^Anna", "P-77", FIRST))


def main():
    for name in ("echoscu", "dcmsend", "dcmdump", "storescp", "pdf2dcm", "dsrdump"):
        if shutil.which(name) is None:
            print(f"skipped: {name} is not there (package dcmtk)")
            return 77
    return run_checks(checks_of(globals()), sys.argv[1:], None)


if __name__ == "__main__":
    sys.exit(main())
