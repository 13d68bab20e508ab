#!/usr/bin/env python3
"""galen and DICOMweb servers: `galen dicomweb`, studies named by dicomweb:URL, and `galen serve --dicomweb`, against a server of the standard
library (web_server.py) that can lie. GALEN_BIN names the program.

    run.py [NAME...]    only the checks whose name holds one of the words
"""

import base64
import contextlib
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "server"), str(HERE.parent / "dicomnet"), str(HERE)]
from checks import checks_of, run_checks  # noqa: E402
from dicom_client import VIDEO, as_file, ct_slice  # noqa: E402
from serving import GALEN, SLOW, SMOLLM, TINY, Server, audit  # noqa: E402
from web_server import BOUNDARY, Pacs, Study, related, ui  # noqa: E402

STUDY, SERIES = "1.2.826.0.1.88.1", "1.2.826.0.1.88.1.7"
OTHER = "1.2.826.0.1.99.1"
SECRETS = ("Mustermann-Xq7", "PID-1964-Xq7", "19640812", "ACC-77")
PERSON = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Mustermann-Xq7^Anna"}]}, "00100020": {"vr": "LO", "Value": ["PID-1964-Xq7 "]},
          "00100030": {"vr": "DA", "Value": ["19640812"]}, "00080020": {"vr": "DA", "Value": ["20240501"]},
          "00080050": {"vr": "SH", "Value": ["ACC-77"]}, "00081030": {"vr": "LO", "Value": ["Thorax\x1b[31m"]}}


def slice_of(number, study=STUDY, **more):
    return as_file(ct_slice(study, f"{study}.{number}", number=number, pixels=bytes([number % 250]) * 512, **more), f"{study}.{number}")


def thorax(count=3, uid=STUDY):
    study = Study(uid, PERSON)
    for i in range(1, count + 1):
        study.add(uid + ".7", f"{uid}.{i}", slice_of(i, uid))
    return study


class Place:
    """A server with a study, and a folder for what galen leaves; nothing may be left in its temporary folder."""

    def __init__(self, folder, count=3, **more):
        self.folder = Path(folder)
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir()
        self.pacs = Pacs(**more)
        self.pacs.studies[STUDY] = thorax(count)
        self.name = f"dicomweb:{self.pacs.url}/studies/{STUDY}"

    def run(self, *command, code=0, says="", env=None, timeout=60):
        environment = {**os.environ, "TMPDIR": str(self.temporary), **(env or {})}
        done = subprocess.run([GALEN, *map(str, command)], capture_output=True, text=True, env=environment, timeout=timeout * SLOW)
        text = done.stdout + done.stderr
        assert done.returncode == code, f"{command}: {done.returncode} {text[-700:]}"
        assert says in text, f"{command}: not '{says}' but {text[-700:]}"
        assert not list(self.temporary.iterdir()), f"{command} left {list(self.temporary.iterdir())}"
        return done.stdout

    def fetch(self, *more, **options):
        return self.run("dicomweb", "fetch", f"{self.pacs.url}/studies/{STUDY}", "--out", self.folder / "out", *more, **options)

    def files(self):
        return sorted((self.folder / "out").glob("studies/*/*.dcm"))


@contextlib.contextmanager
def place(**more):
    with tempfile.TemporaryDirectory() as folder:
        here = Place(folder, **more)
        with here.pacs:
            yield here


def check_query():
    with place(pages=2) as p:
        p.pacs.studies[OTHER] = Study(OTHER, {"00100020": {"vr": "LO", "Value": ["P-2"]}}).add(OTHER + ".7", OTHER + ".1", b"")
        p.pacs.studies["1.2.3"] = Study("1.2.3")
        text = p.run("dicomweb", "query", p.pacs.url)
        assert [line.split()[0] for line in text.splitlines()] == [STUDY, OTHER, "1.2.3"] and "CT, 1 series, 3 instances" in text, text
        assert not any(s in text for s in SECRETS)
        found = json.loads(p.run("dicomweb", "query", p.pacs.url, "--json"))
        assert found["studies"][0] == {"study": STUDY, "modalities": ["CT"], "series": 1, "instances": 3} and found["more"] is False, found
        assert json.loads(p.run("dicomweb", "query", p.pacs.url + "/", "--json", "--limit", 2))["more"] is True
        p.pacs.pages = 0  # neither limit nor offset is understood
        assert len(json.loads(p.run("dicomweb", "query", p.pacs.url, "--json"))["studies"]) == 3
        p.pacs.pages = 2
        p.pacs.forget()
        found = json.loads(p.run("dicomweb", "query", p.pacs.url, "--patient-id", "PID-1964-Xq7 ", "--date", "20240501", "--modality", "CT",
                                 "--accession", "ACC-77", "--patient-name", "Muster*&limit=1", "--keep-identity", "--json"))
        assert [s["study"] for s in found["studies"]] == [STUDY], found
        asked = p.pacs.seen[0][2]
        for key in ("PatientID=PID-1964-Xq7%20", "StudyDate=20240501", "ModalitiesInStudy=CT", "AccessionNumber=ACC-77", "PatientName=Muster%2A%26limit%3D1"):
            assert key in asked, (key, asked)
        text = p.run("dicomweb", "query", p.pacs.url, "--keep-identity")
        assert "Mustermann-Xq7^Anna" in text and "19640812" in text and "\x1b" not in text, text
        identity = json.loads(p.run("dicomweb", "query", p.pacs.url, "--keep-identity", "--json"))["studies"][0]["identity"]
        assert identity["patient_id"] == "PID-1964-Xq7" and identity["accession_number"] == "ACC-77", identity
        text = p.run("dicomweb", "query", f"{p.pacs.url}/studies/{STUDY}")
        assert text == f"{SERIES}  CT, number 1, 3 instances\n", text
        assert "Thorax-Xq7" in p.run("dicomweb", "query", p.name, "--keep-identity")
        p.run("dicomweb", "query", f"{p.pacs.url}/studies/1.2.3.4", code=1, says="404")
        p.run("dicomweb", "query", p.pacs.origin + "/elsewhere", code=1, says="another URL")
        for wrong in ("2024-05-01", "x", "-", "20240501-2024"):
            p.run("dicomweb", "query", p.pacs.url, "--date", wrong, code=2)
        # A server that ignores what it was asked.
        p.pacs.faults["studies"] = lambda h: h.json([p.pacs.studies[OTHER].json()]) or True
        p.run("dicomweb", "query", p.pacs.url, "--patient-id", "PID-1964-Xq7", code=1, says="of another patient")
        for lie, says in (([{"0020000D": ui("../../x")}], "without a UID"), ([{}], "without a UID"), ([7], "no array"), ("x", "no array"),
                          ([[[[]]]], "no array")):
            p.pacs.faults["studies"] = lambda h, lie=lie: h.json(lie) or True
            p.run("dicomweb", "query", p.pacs.url, code=1, says=says)
        for body, kind, says in ((b"<html>log in", "text/html", "page to log in"), (b"[{", "application/dicom+json", "no JSON"),
                                 (b"[" * 100000, "application/dicom+json", "no JSON"), (b"\xff", "application/json", "no JSON")):
            p.pacs.faults["studies"] = lambda h, body=body, kind=kind: h.answer(200, body, kind) or True
            p.run("dicomweb", "query", p.pacs.url, code=1, says=says)
        p.pacs.faults["studies"] = lambda h: h.answer(200, b" " * (17 << 20)) or True
        p.run("dicomweb", "query", p.pacs.url, code=1, says="more than")


def check_fetch():
    with place(count=5) as p:
        counts = json.loads(p.fetch("--json"))
        assert (counts["listed"], counts["fetched"], counts["left_out"]) == (5, 5, 0), counts
        assert [f.read_bytes() for f in p.files()] == [slice_of(i) for i in range(1, 6)], "as the server sent them"
        assert p.pacs.paths() == [f"/studies/{STUDY}/instances"] * 2 + [f"/studies/{STUDY}"], p.pacs.paths()
        assert "transfer-syntax=*" in p.pacs.seen[-1][3]["Accept"]
        p.pacs.forget()
        assert json.loads(p.fetch("--json"))["fetched"] == 0 and f"/studies/{STUDY}" not in p.pacs.paths(), "what is there is not fetched again"
        p.files()[2].unlink()
        p.pacs.forget()
        assert json.loads(p.fetch("--json"))["fetched"] == 1 and p.pacs.paths()[-1] == f"/studies/{STUDY}/series/{SERIES}/instances/{STUDY}.3"
        mine = p.folder / "mine"
        (mine / "incoming").mkdir(parents=True)
        (mine / "incoming" / "letter").write_text("x")
        p.run("dicomweb", "fetch", p.name, "--out", mine, code=1, says="no empty folder")
        assert (mine / "incoming" / "letter").read_text() == "x"
        for wrong in (p.pacs.url, p.name + "/../x", p.pacs.url + "/studies/1..2", f"ftp://x/studies/{STUDY}", f"http://u:p@127.0.0.1/studies/{STUDY}",
                      f"{p.pacs.url}/studies/{STUDY}/series/x", f"http://127.0.0.1/?a/studies/{STUDY}"):
            p.run("dicomweb", "fetch", wrong, "--out", p.folder / "x", code=2)
        assert not (p.folder / "x").exists()
        p.run("dicomweb", "fetch", f"{p.pacs.url}/studies/1.2.3", "--out", p.folder / "x", code=1, says="404")
        # One series; one instance as the whole body; a transfer syntax that galen does not read.
        p.pacs.studies[STUDY].add(STUDY + ".8", STUDY + ".99", as_file(ct_slice(STUDY, STUDY + ".99").replace(
            (STUDY + ".7").encode(), (STUDY + ".8").encode()), STUDY + ".99"))
        counts = json.loads(p.run("dicomweb", "fetch", p.name + "/series/" + SERIES, "--out", p.folder / "one", "--json"))
        assert counts["fetched"] == 5 and p.pacs.paths()[-1] == f"/studies/{STUDY}/series/{SERIES}"
        p.pacs.faults["one"] = lambda h: h.answer(200, p.pacs.studies[STUDY].series[STUDY + ".8"][STUDY + ".99"], "application/dicom") or True
        assert json.loads(p.run("dicomweb", "fetch", p.name + f"/series/{STUDY}.8", "--out", p.folder / "body", "--json"))["fetched"] == 1
        p.pacs.forget()
        p.pacs.studies[STUDY].add(SERIES, STUDY + ".50", as_file(ct_slice(STUDY, STUDY + ".50"), STUDY + ".50", syntax=VIDEO))
        counts = json.loads(p.run("dicomweb", "fetch", p.name, "--out", p.folder / "video", "--json"))
        assert (counts["listed"], counts["fetched"], counts["left_out"]) == (7, 6, 1), counts
        # In a syntax that nobody knows: its name cannot be read, so that it is asked for by itself.
        p.pacs.forget()
        p.pacs.studies[STUDY].add(SERIES, STUDY + ".51", as_file(ct_slice(STUDY, STUDY + ".51"), STUDY + ".51", syntax="1.2.3.4.5"))
        counts = json.loads(p.run("dicomweb", "fetch", p.name, "--out", p.folder / "unknown", "--json"))
        assert (counts["listed"], counts["fetched"], counts["left_out"]) == (8, 6, 2), counts
        assert p.pacs.paths()[-1] == f"/studies/{STUDY}/series/{SERIES}/instances/{STUDY}.51", p.pacs.paths()
    with place(count=1100) as p:  # several pages
        assert json.loads(p.fetch("--json", timeout=300))["fetched"] == 1100


def check_look():
    with place() as p:
        local = p.folder / "local"
        local.mkdir()
        for i in (1, 2, 3):
            (local / f"{i}.dcm").write_bytes(slice_of(i))
        here = json.loads(p.run("look", local, "--json"))
        for command in ((p.name,), ("--dicom", p.name), ("--dicom", p.name + "/series/" + SERIES)):
            there = json.loads(p.run("look", *command, "--json"))
            assert there["digest"] == here["digest"] and len(there["images"]) == 3
            assert there["images"][0]["source"] == command[-1] + " slice 1 of 3", there["images"][0]["source"]
            assert str(p.temporary) not in json.dumps(there) and not any(s in json.dumps(there) for s in SECRETS)
        assert "Mustermann" in p.run("look", p.name, "--keep-identity")
        p.run("look", p.name, "--slices", "9-", code=1, says="1 to 3")
        p.run("look", "dicomweb:nonsense", code=1, says="URL/studies/UID")
        p.run("look", f"dicomweb:{p.pacs.url}/studies/1.2.3", code=1, says="404")
        answer = json.loads(p.run("run", TINY / "gemma3-vision", "What is seen?", "--dicom", p.name, "--max-tokens", "2", "--json"))
        assert answer["media"]["digest"] and len(answer["media"]["images"]) == 3


def lies(p):
    """(fault, what it says, where): where the server lies about a study."""
    good = [slice_of(i) for i in (1, 2, 3)]
    video = as_file(ct_slice(STUDY, STUDY + ".2"), STUDY + ".2", syntax=VIDEO)
    parts = lambda *files: (lambda h: h.parts(list(files)) or True)  # noqa: E731
    typed = lambda body, kind: (lambda h: h.answer(200, body, kind) or True)  # noqa: E731
    kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    yield {"study": parts(*good[:2], slice_of(3, OTHER))}, "of another study"
    yield {"study": parts(*good, good[0])}, "twice"
    yield {"study": parts(good[0], video, video)}, "twice"  # a part that is not read stands for no other instance
    yield {"study": parts(*good[:2], as_file(ct_slice(OTHER, STUDY + ".3"), STUDY + ".3", syntax=VIDEO))}, "of another study"
    yield {"study": parts(good[0]), "one": parts(as_file(ct_slice(STUDY, STUDY + ".9"), STUDY + ".9", syntax=VIDEO))}, "than was asked for"
    yield {"study": parts(good[0], good[1], b"<html>")}, "no whole DICOM"
    yield {"study": parts(good[0], good[1], good[2][:-100])}, "no whole DICOM"
    yield {"study": parts(good[0], b"")}, "no whole DICOM"
    yield {"study": typed(b"<html>log in", "text/html")}, "page to log in"
    yield {"study": typed(related(good), "multipart/related; boundary=" + BOUNDARY)}, "not of the type"
    yield {"study": typed(related(good), 'multipart/related; type="application/dicom"')}, "no boundary"
    yield {"study": typed(related(good), kind.replace(BOUNDARY, "other"))}, "does not begin"
    yield {"study": typed(related(good, kind="image/jpeg"), kind)}, "another type"
    yield {"study": typed(related(good) + b"more", kind)}, "behind the end"
    yield {"study": typed(f"--{BOUNDARY}\r\n".encode() + b"X: " + b"x" * 100000, kind)}, "bytes of headers"
    yield {"study": parts(good[0]), "one": lambda h: h.answer(404) or True}, "404"
    yield {"study": parts(good[0]), "one": parts()}, "does not send"
    yield {"study": parts(good[0]), "one": parts(good[0])}, "than was asked for"
    yield {"study": parts(as_file(ct_slice(STUDY, STUDY + ".1").replace(b"1.2.840.10008.5.1.4.1.1.2\0", b" " * 26), "1.2"))}, "without the UIDs"
    yield {"study": lambda h: h.answer(204) or True}, "sends nothing"
    listed = lambda *sets: (lambda h: h.json(list(sets)) or True)  # noqa: E731
    one = {"0020000D": ui(STUDY), "0020000E": ui(SERIES), "00080018": ui(STUDY + ".1")}
    yield {"list": listed({**one, "0020000D": ui(OTHER)})}, "of another study"
    yield {"list": listed({**one, "0020000E": ui("../x")})}, "of none"
    yield {"list": listed({**one, "00080018": ui("1/../2")})}, "without a UID"
    yield {"list": listed()}, "no such study"
    yield {"list": listed(*({**one, "00080018": ui(f"{STUDY}.{i}")} for i in range(1, 1001)))}, "the same page"


def check_liars():
    with place() as p:
        count = 0
        for faults, says in lies(p):
            p.pacs.faults = faults
            p.run("look", p.name, code=1, says=says)
            count += 1
        assert count == 25


def check_endless_bodies():
    """What does not end is not read to its end, nor kept."""
    def endless(h, start):
        h.send_response(200)
        h.send_header("Content-Type", f'multipart/related; type="application/dicom"; boundary={BOUNDARY}')
        h.end_headers()
        h.close_connection = True
        try:
            h.wfile.write(start)
            while True:
                h.wfile.write(b"x" * (1 << 20))
        except OSError:
            return True

    with place() as p:
        head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        p.pacs.faults["study"] = lambda h: endless(h, head + slice_of(1))
        p.fetch("--max-mb", 8, code=1, says="more than the")
        assert p.files() == [] and not list((p.folder / "out/incoming").iterdir()), "half a file stays"
        p.pacs.faults["study"] = lambda h: endless(h, b"--" + BOUNDARY.encode() + b"\r\n")
        p.fetch(code=1, says="bytes of headers")

        def many(h):
            h.send_response(200)
            h.send_header("Content-Type", f'multipart/related; type="application/dicom"; boundary={BOUNDARY}')
            h.end_headers()
            h.close_connection = True
            try:
                for i in range(1, 1 << 30):
                    h.wfile.write(head + slice_of(i) + b"\r\n")
            except OSError:
                return True
        p.pacs.studies[STUDY] = thorax(2)
        p.pacs.faults["study"] = many
        p.fetch(code=1, says="parts allowed")
        p.pacs.faults["list"] = lambda h: time.sleep(10) or True
        p.fetch("--total-timeout", 1, code=1, says="took longer")


def check_cut_bodies():
    """What came stays, what is missing is fetched by itself; where nothing comes at all, it says so."""
    def cut(after):
        def fault(h):
            body = related([slice_of(i) for i in (1, 2, 3, 4)])
            h.answer(200, body[:after], f'multipart/related; type="application/dicom"; boundary={BOUNDARY}', length=len(body))
            h.drop()
            return True
        return fault

    size = len(related([slice_of(1)])) - len(BOUNDARY) - 8
    for after, came in ((0, 0), (200, 0), (size + 300, 1), (3 * size + 50, 3)):
        with place(count=4) as p:
            p.pacs.faults["study"] = cut(after)
            assert json.loads(p.fetch("--json"))["fetched"] == 4
            ones = [path for path in p.pacs.paths() if path.count("/") == 6]
            assert len(ones) == 4 - came, (after, p.pacs.paths())
    with place(count=4) as p:
        p.pacs.faults["study"] = cut(size + 300)
        p.pacs.faults["one"] = lambda h: h.drop() or True
        p.fetch("--retries", 1, code=1, says="the same command goes on")
        assert len(p.files()) == 1 and len([path for path in p.pacs.paths() if path.count("/") == 6]) == 2
        p.pacs.forget()
        assert json.loads(p.fetch("--json"))["fetched"] == 3 and len(p.files()) == 4
    # An end without a sign: no length, the connection just closes.
    with place(count=4) as p:
        def silent(h):
            h.send_response(200)
            h.send_header("Content-Type", f'multipart/related; type="application/dicom"; boundary={BOUNDARY}')
            h.end_headers()
            h.wfile.write(related([slice_of(1), slice_of(2)])[:-20])
            h.close_connection = True
            return True
        p.pacs.faults["study"] = silent
        assert json.loads(p.fetch("--json"))["fetched"] == 4


def check_answers():
    """What a server's refusals become; what may go away is tried again."""
    with place() as p:
        for code, says in ((400, "400"), (401, "wants credentials"), (403, "may not be asked"), (404, "no such thing"), (406, "does not do this"),
                           (501, "does not do this"), (500, "500"), (503, "503")):
            p.pacs.forget()
            p.pacs.faults["list"] = lambda h, code=code: h.answer(code, b"<html>PID-1964-Xq7", "text/html", {"Retry-After": "0"}) or True
            p.run("dicomweb", "fetch", p.name, "--out", p.folder / "x", "--retries", 2, code=1, says=says)
            assert len(p.pacs.paths()) == (3 if code in (500, 503) else 1), (code, p.pacs.paths())
        p.pacs.forget()
        times = []
        p.pacs.faults["list"] = lambda h: len(times) < 2 and (times.append(0) or h.answer(503, headers={"Retry-After": "0"}) or True)
        assert json.loads(p.fetch("--json"))["fetched"] == 3
        begin = time.monotonic()
        p.pacs.faults["list"] = lambda h: time.sleep(30) or True
        p.fetch("--timeout", 1, "--retries", 0, code=1, says="the DICOMweb server")
        assert time.monotonic() - begin < 20 * SLOW
        p.run("dicomweb", "query", "http://127.0.0.1:9/x", "--retries", 0, code=1, says="does it run there?")


def check_redirects():
    with place() as p, Pacs() as elsewhere:
        elsewhere.studies[STUDY] = thorax()
        secret = p.folder / "credentials"
        secret.write_text(f"{p.pacs.origin} bearer token-Xq7\n")
        secret.chmod(0o600)
        env = {"GALEN_DICOMWEB_CREDENTIALS": str(secret)}
        p.pacs.faults["study"] = lambda h: h.answer(302, headers={"Location": f"{elsewhere.url}/studies/{STUDY}?a=PID-1964-Xq7"}) or True
        p.run("look", p.name, code=1, says="redirects to " + elsewhere.origin, env=env)
        p.pacs.faults["study"] = lambda h: h.answer(302, headers={"Location": "file:///etc/passwd"}) or True
        p.run("look", p.name, code=1, says="no URL of http or https", env=env)
        p.pacs.faults["study"] = lambda h: h.answer(302, headers={"Location": f"{p.pacs.root}/studies/{STUDY}"}) or True
        p.run("look", p.name, code=1, says="in a circle", env=env)
        assert elsewhere.seen == [], "nobody named that server"
        p.pacs.forget()
        p.pacs.faults["study"] = lambda h: h.answer(302, headers={"Location": f"{p.pacs.root}/studies/{STUDY}/series/{SERIES}"}) or True
        p.run("look", p.name, env=env)
        assert {h.get("Authorization") for _, _, _, h in p.pacs.seen} == {"Bearer token-Xq7"}
        p.pacs.faults["stow"] = lambda h: h.answer(307, headers={"Location": f"{elsewhere.url}/studies"}) or True
        file = p.folder / "a.dcm"
        file.write_bytes(slice_of(1))
        p.run("dicomweb", "send", p.pacs.url, file, code=1, says="307", env=env)
        assert elsewhere.seen == []


def check_credentials():
    with place() as p:
        secret = p.folder / "credentials"
        env = {"GALEN_DICOMWEB_CREDENTIALS": str(secret)}

        def write(text, mode=0o600):
            secret.write_text(text)
            secret.chmod(mode)
        basic = "Basic " + base64.b64encode(b"galen:pass:word-Xq7").decode()
        p.pacs.authorization = basic
        p.run("look", p.name, code=1, says="wants credentials")
        write(f"# PACS\n\nhttps://other.example bearer x\n{p.pacs.origin}/ basic galen:pass:word-Xq7\n")
        p.run("look", p.name, env=env)
        p.run("dicomweb", "query", p.pacs.url, "--credentials", secret)
        p.pacs.authorization = "Bearer abc"
        p.run("look", p.name, code=1, says="does not take these", env=env)
        write(f"{p.pacs.origin} bearer abc\n{p.pacs.origin} bearer second\n")
        p.run("look", p.name, env=env)
        p.pacs.seen.clear()
        write(p.pacs.origin.replace("127.0.0.1", "localhost") + " bearer abc\n")  # of another origin
        p.run("look", p.name, code=1, says="wants credentials", env=env)
        assert all("Authorization" not in h for _, _, _, h in p.pacs.seen)
        write(f"{p.pacs.origin} bearer abc\n", 0o644)
        p.run("look", p.name, code=1, says="chmod 600", env=env)
        for wrong in ("x bearer abc", f"{p.pacs.origin} digest a:b", f"{p.pacs.origin} basic nopassword", f"{p.pacs.origin} bearer",
                      f"{p.pacs.origin} bearer a b", f"{p.pacs.url} bearer abc", f"{p.pacs.origin} bearer a\x01Host:b"):
            write("# first\n" + wrong + "\n")
            out = p.run("look", p.name, code=1, says="line 2 of", env=env)
            assert "abc" not in out
        p.run("look", p.name, code=1, says="missing", env={"GALEN_DICOMWEB_CREDENTIALS": str(p.folder / "missing")})
        # Without TLS credentials go to this machine alone.
        write("http://pacs.invalid:8042 bearer abc\n")
        p.run("dicomweb", "query", "http://pacs.invalid:8042/dicom-web", code=1, says="credentials are not sent", env=env)
        # No proxy sees what is not encrypted.
        p.pacs.authorization = None
        p.run("look", p.name, env={"http_proxy": "http://127.0.0.1:9", "all_proxy": "http://127.0.0.1:9"})
        p.run("dicomweb", "query", "https://127.0.0.1:9/x", "--retries", 0, code=1, says="proxy", env={"https_proxy": "http://proxy.invalid:9"})


def check_tls():
    with tempfile.TemporaryDirectory() as folder:
        key, cert = Path(folder) / "key.pem", Path(folder) / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        p = Place(folder, context=context)
        with p.pacs:
            p.run("look", p.name, code=1, says="SSL_CERT_FILE")
            assert p.pacs.seen == []
            p.run("look", p.name, env={"SSL_CERT_FILE": str(cert)})


def check_send():
    with place() as p:
        file = p.folder / "report.dcm"
        file.write_bytes(slice_of(9))
        p.run("dicomweb", "send", p.pacs.url, file, says="is stored")
        assert p.pacs.taken == [slice_of(9)]
        uid = STUDY + ".9"
        failed = {"00081198": {"vr": "SQ", "Value": [{"00081155": ui(uid), "00081197": {"vr": "US", "Value": [272]}}]}}
        stored = {"00081199": {"vr": "SQ", "Value": [{"00081155": ui(uid)}]}}
        other = {"00081199": {"vr": "SQ", "Value": [{"00081155": ui(uid + ".1")}]}}
        for answer, code, says in ((failed, 409, "failure reason 272"), (failed, 202, "failure reason 272"), ({**failed, **stored}, 200, "failure"),
                                   (other, 200, "does not say"), ({}, 200, "does not say"), (stored, 409, "409")):
            p.pacs.faults["stow"] = lambda h, answer=answer, code=code: h.json(answer, code) or True
            p.run("dicomweb", "send", p.pacs.url, file, code=1, says=says)
        for body, kind, code, says in ((b"<html>", "text/html", 200, "does not say"), (b"", "text/html", 401, "credentials"),
                                       (b"", "text/html", 413, "too large"), (b"", "text/html", 503, "503")):
            p.pacs.faults["stow"] = lambda h, body=body, kind=kind, code=code: h.answer(code, body, kind) or True
            p.run("dicomweb", "send", p.pacs.url, file, code=1, says=says)
        p.pacs.forget()
        text = p.folder / "a.txt"
        text.write_text("no DICOM")
        p.run("dicomweb", "send", p.pacs.url, text, code=1, says="no DICOM file")
        assert p.pacs.seen == []


def check_interrupt():
    """Ctrl-C while a study comes: nothing of it stays."""
    with place() as p:
        p.pacs.faults["one"] = p.pacs.faults["study"] = lambda h: time.sleep(60) or True
        child = subprocess.Popen([GALEN, "look", p.name], env={**os.environ, "TMPDIR": str(p.temporary)}, stderr=subprocess.PIPE, text=True)
        while f"/studies/{STUDY}" not in p.pacs.paths():
            time.sleep(0.05)
        assert list(p.temporary.iterdir())
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=20 * SLOW) == 1 and "stopped" in child.stderr.read()
        child.stderr.close()
        assert not list(p.temporary.iterdir())


@contextlib.contextmanager
def server_of(p, *more, **options):
    with Server("--dicom-inbox", p.folder / "inbox", "--dicomweb", f"PACS={p.pacs.url}", *more, **options) as server:
        yield server


def check_server():
    with place() as p:
        log = p.folder / "audit.log"
        with server_of(p, "--audit", log) as server:
            look = server.post("/look", {"study": f"dicomweb:PACS/{STUDY}"})
            assert [i["source"] for i in look["images"]] == [f"the files slice {i} of 3" for i in (1, 2, 3)]
            assert f"/studies/{STUDY}" in p.pacs.paths()
            p.pacs.forget()
            again = server.post("/look", {"study": f"dicomweb:PACS/{STUDY}"})
            assert [i["png"] for i in again["images"]] == [i["png"] for i in look["images"]]
            assert set(p.pacs.paths()) == {f"/studies/{STUDY}/instances"}, "it is there already"
            assert len(server.post("/look", {"study": STUDY})["images"]) == 3, "and can be named by its UID"
            answer = server.post("/analyze", {"study": f"dicomweb:PACS/{STUDY}", "question": "What is seen?", "max_tokens": 2})
            assert len(answer["media"]["images"]) == 3
            p.pacs.forget()
            for wrong in (f"dicomweb:OTHER/{STUDY}", f"dicomweb:{p.pacs.url}/studies/{STUDY}", "dicomweb:PACS", "dicomweb:PACS/", "dicomweb:PACS/../x",
                          f"dicomweb:PACS/{STUDY}/series/1", "dicomweb:", f"dicomweb:pacs/{STUDY}", f"dicomweb:PACS/{STUDY}?x"):
                status, _, data = server.call("POST", "/look", {"study": wrong})
                assert status == 422 and json.loads(data)["error"]["param"] == "study", (wrong, status, data)
            assert p.pacs.seen == []
            assert server.call("POST", "/look", {"study": "dicomweb:PACS/1.2.3"})[0] == 404
            for to in ("dicomweb:OTHER", f"dicomweb:{p.pacs.url}", "dicomweb:"):
                status, _, data = server.call("POST", "/extract", {"study": STUDY, "send_to": to})
                assert status == 422 and json.loads(data)["error"]["param"] == "send_to", (to, data)
            server.call("DELETE", "/dicom-web/studies/" + STUDY)
            for faults, says in lies(p):
                p.pacs.faults = faults
                status, _, data = server.call("POST", "/look", {"study": f"dicomweb:PACS/{STUDY}"})
                assert status in (502, 404, 507) and says in data.decode(), (says, status, data)
                assert p.pacs.url not in data.decode() and str(p.folder) not in data.decode(), data
                server.call("DELETE", "/dicom-web/studies/" + STUDY)
            assert not list((p.folder / "inbox/incoming").iterdir())
            p.pacs.forget()
            # What somebody sent before is not changed by what a server says now.
            server.post("/look", {"study": f"dicomweb:PACS/{STUDY}"})
            held = {f.name: f.read_bytes() for f in (p.folder / "inbox").glob("studies/*/*.dcm")}
            p.pacs.studies[STUDY] = thorax(4)
            p.pacs.faults["one"] = lambda h: h.parts([as_file(ct_slice(STUDY, STUDY + ".1"), STUDY + ".1")]) or True
            assert server.call("POST", "/look", {"study": f"dicomweb:PACS/{STUDY}"})[0] == 502
            assert held == {f.name: f.read_bytes() for f in (p.folder / "inbox").glob("studies/*/*.dcm")}
            # What galen does not read is left out, and the answer says so; nothing but that is an error.
            p.pacs.forget()
            p.pacs.studies[STUDY] = thorax(3).add(SERIES, STUDY + ".50", as_file(ct_slice(STUDY, STUDY + ".50"), STUDY + ".50", syntax=VIDEO))
            look = server.post("/look", {"study": f"dicomweb:PACS/{STUDY}"})
            assert len(look["images"]) == 3 and any("left out: 1" in w for w in look["warnings"]), look["warnings"]
            p.pacs.studies[OTHER] = Study(OTHER).add(OTHER + ".7", OTHER + ".1", as_file(ct_slice(OTHER, OTHER + ".1"), OTHER + ".1", syntax=VIDEO))
            status, _, data = server.call("POST", "/look", {"study": f"dicomweb:PACS/{OTHER}"})
            assert status == 502 and "nothing of this study that galen reads" in data.decode(), (status, data)
            text = server.read_log()
        events = [json.loads(line) for line in filter(None, text.splitlines())]
        assert [(e["done"], e["source"]) for e in events if e["event"] == "dicomweb"][:2] == [(True, "PACS")] * 2
        records = [json.loads(line) for line in log.read_text().splitlines()]
        assert [r["action"] for r in records if r["event"] == "dicom"][0] == "retrieve"
        assert [len(r["media"]) for r in records if r["event"] == "dicom_stored"][0] == 3
        assert [r["fetched"] for r in records if r["event"] == "dicom_retrieved" and r["done"]][:2] == [3, 0]
        audit("verify", log)
        assert not any(s in text + log.read_text() for s in (*SECRETS, STUDY, p.pacs.url))


def check_server_rights():
    with place() as p:
        made = {n: json.loads(p.run("serve", "--new-key", n, "--json")) for n in ("ward", "pacs")}
        keys, secret = p.folder / "keys", p.folder / "credentials"
        keys.write_text(made["ward"]["line"] + "\n" + made["pacs"]["line"] + " dicom\n")
        secret.write_text(f"{p.pacs.origin} bearer one-Xq7\n")
        secret.chmod(0o600)
        p.pacs.authorization = "Bearer one-Xq7"
        bearer = {n: {"Authorization": "Bearer " + key["key"]} for n, key in made.items()}
        ask = {"study": f"dicomweb:PACS/{STUDY}"}
        with server_of(p, "--api-keys", keys, "--dicomweb-credentials", secret) as server:
            assert server.call("POST", "/look", ask)[0] == 401
            assert server.call("POST", "/look", ask, bearer["ward"])[0] == 403 and p.pacs.seen == []
            assert server.call("POST", "/look", ask, bearer["pacs"])[0] == 200
            server.call("DELETE", "/dicom-web/studies/" + STUDY, headers=bearer["pacs"])
            p.pacs.authorization = "Bearer two-Xq7"  # a token is replaced while the server runs
            assert server.call("POST", "/look", ask, bearer["pacs"])[0] == 502
            secret.write_text(f"{p.pacs.origin} bearer two-Xq7\n")
            assert server.call("POST", "/look", ask, bearer["pacs"])[0] == 200
            p.pacs.forget()
            for spoil, why in ((lambda: secret.chmod(0o644), "chmod 600"), (secret.unlink, "credentials")):
                spoil()  # why is the operator's business
                status, _, data = server.call("POST", "/look", ask, bearer["pacs"])
                assert status == 502 and json.loads(data)["error"]["message"] == "the credentials of PACS cannot be read", (status, data)
                events = [json.loads(line) for line in server.read_log().splitlines() if line.startswith("{")]
                assert why in [e["error"] for e in events if e["event"] == "dicomweb_credentials"][-1]
            assert p.pacs.seen == []
            assert "two-Xq7" not in server.read_log()
        tiny = "tiny=" + str(TINY / "gemma3-vision")
        p.run("serve", tiny, "--dicomweb", f"PACS={p.pacs.url}", "--port", 0, code=1, says="--dicom-inbox")
        for wrong in ("PACS", "PACS=ftp://x", "=http://x", "A B=http://x", "PACS=http://u:p@x"):
            p.run("serve", tiny, "--dicom-inbox", p.folder / "other", "--dicomweb", wrong, "--port", 0, code=1)


def check_server_limits():
    """Retrievals do not take all threads; a stop ends them."""
    with place() as p:
        gate, answers = threading.Event(), []
        ask = {"study": f"dicomweb:PACS/{STUDY}"}
        with server_of(p, "--dicomweb-timeout", 600) as server:
            p.pacs.faults["list"] = lambda h: gate.wait(60 * SLOW) and False
            waiting = [threading.Thread(target=lambda: answers.append(server.call("POST", "/look", ask)[0]), daemon=True) for _ in range(2)]
            for thread in waiting:
                thread.start()
            while len(p.pacs.seen) < 2:
                time.sleep(0.05)
            status, heads, _ = server.call("POST", "/look", ask)
            assert status == 429 and heads["Retry-After"] == "10", status
            assert server.call("POST", "/v1/completions", {"prompt": "a", "max_tokens": 1})[0] == 200
            gate.set()
            for thread in waiting:
                thread.join(timeout=60 * SLOW)
            assert answers == [200, 200], answers
            p.pacs.forget()
            assert server.call("POST", "/look", ask)[0] == 200
        # A stop waits for the time to drain, and not for the server that is asked.
        shut, drain = threading.Event(), 2

        def ask_in_vain():
            with contextlib.suppress(OSError, http.client.HTTPException):
                answers.append(server.call("POST", "/look", ask)[0])
        with server_of(p, "--dicomweb-timeout", 600, "--drain-timeout", drain) as server:
            answers.clear()
            p.pacs.forget()
            p.pacs.faults["list"] = lambda h: shut.wait(120 * SLOW) or True
            waiting = threading.Thread(target=ask_in_vain, daemon=True)
            waiting.start()
            while not p.pacs.paths():
                time.sleep(0.05)
            begin = time.monotonic()
            server.stop()
            assert time.monotonic() - begin < (drain + 15) * SLOW, time.monotonic() - begin
            shut.set()
            waiting.join(timeout=60 * SLOW)
            assert answers in ([], [503]), answers


def check_report_back():
    """A document of a study on the server is read, and the report goes back by STOW-RS. With a real model: the tiny ones cannot spell JSON."""
    if not (SMOLLM.is_file() and SLOW == 1):
        print(f"     report_back: left out ({'sanitized' if SLOW > 1 else f'{SMOLLM} is not there: tools/fetch_models.py'})")
        return
    import importlib.util
    spec = importlib.util.spec_from_file_location("dicomnet_run", HERE.parent / "dicomnet/run.py")
    dicomnet = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(dicomnet)
    with place() as p:
        file = dicomnet.report_study(p.folder, STUDY).read_bytes()
        p.pacs.studies[STUDY] = Study(STUDY).add(Pacs.instance_of(file, b"\x20\x00\x0e\x00"), Pacs.instance_of(file), file)
        ask = {"study": f"dicomweb:PACS/{STUDY}", "schema": "lab_report", "max_tokens": 48, "ocr": "never", "today": "2026-01-31",
               "send_to": "dicomweb:PACS"}
        with server_of(p, models=(f"reader={SMOLLM}",)) as server:
            p.pacs.faults["stow"] = lambda h: h.answer(403) or True
            lost = server.post("/extract", ask)
            assert lost["sent"]["stored"] is False and "403" in lost["sent"]["error"] and lost["kind"] == "lab_report", lost["sent"]
            p.pacs.forget()
            assert server.post("/extract", ask)["sent"] == {"to": "dicomweb:PACS", "stored": True}
        assert len(p.pacs.taken) == 1
        # Credentials that cannot be read: the study is there already, by its UID.
        secret = p.folder / "credentials"
        secret.write_text(f"{p.pacs.origin} bearer one-Xq7\n")
        secret.chmod(0o644)
        with server_of(p, "--dicomweb-credentials", secret, models=(f"reader={SMOLLM}",)) as server:
            for spoil in (lambda: None, secret.unlink):
                spoil()
                lost = server.post("/extract", {**ask, "study": STUDY})
                assert lost["sent"] == {"to": "dicomweb:PACS", "stored": False, "error": "the credentials of PACS cannot be read"}, lost["sent"]
        assert len(p.pacs.taken) == 1
        out = p.folder / "sr.dcm"
        out.write_bytes(p.pacs.taken[0])
        dump = subprocess.run(["dsrdump", str(out)], capture_output=True, text=True)
        assert dump.returncode == 0, dump.stderr
        assert STUDY.encode() in p.pacs.taken[0] and b"P-77" in p.pacs.taken[0]


# With sanitizers: what reads the network's bytes.
SANITIZED = ["query", "liars", "cut_bodies", "send"]


def main():
    return run_checks(checks_of(globals()), sys.argv[1:] or (SANITIZED if SLOW > 1 else []))


if __name__ == "__main__":
    sys.exit(main())
