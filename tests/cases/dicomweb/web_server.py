"""A DICOMweb server of the standard library: QIDO-RS, WADO-RS and STOW-RS over studies in memory, and lies on request."""

import http.server
import json
import socket
import threading
import urllib.parse
from email.parser import BytesParser

BOUNDARY = "b-5f3a"


def ui(uid):
    return {"vr": "UI", "Value": [uid]}


class Study:
    """patient: elements that its data set in JSON has beside the UID."""

    def __init__(self, uid, patient=None):
        self.uid, self.patient, self.series = uid, patient or {}, {}

    def add(self, series, instance, file):
        self.series.setdefault(series, {})[instance] = file
        return self

    def instances(self, series=None):
        return [(s, i, f) for s, held in self.series.items() if series in (None, s) for i, f in held.items()]

    def json(self):
        return {"0020000D": ui(self.uid), "00080061": {"vr": "CS", "Value": ["CT"]}, "00201206": {"vr": "IS", "Value": [len(self.series)]},
                "00201208": {"vr": "IS", "Value": [len(self.instances())]}, **self.patient}


def related(files, boundary=BOUNDARY, kind="application/dicom"):
    return b"".join(f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode() + f + b"\r\n" for f in files) + f"--{boundary}--\r\n".encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, code, body=b"", kind="application/dicom+json", headers=None, length=None):
        self.send_response(code)
        for name, value in {"Content-Type": kind, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def json(self, value, code=200):
        self.answer(code, json.dumps(value).encode())

    def parts(self, files, **more):
        self.answer(200, related(files), f'multipart/related; type="application/dicom"; boundary={BOUNDARY}', **more)

    def drop(self):
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def page(self, sets, query):
        pacs = self.server.pacs
        if not pacs.pages:  # a server that knows neither key
            return self.json(sets)
        begin, size = int(query.get("offset", ["0"])[0]), min(int(query.get("limit", ["1000"])[0]), pacs.pages)
        sets = sets[begin:begin + size]
        if not sets:
            return self.answer(204)
        return self.json(sets)

    def do_GET(self):
        pacs = self.server.pacs
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        pacs.note(self, url.path)
        steps = url.path.removeprefix(pacs.root).strip("/").split("/")
        kinds = {1: "studies", 2: "study", 3: "list", 4: "series", 5: "list", 6: "one"}
        kind = kinds.get(len(steps), "?")
        fault = pacs.faults.get(kind)
        if not url.path.startswith(pacs.root) or kind == "?":
            return self.answer(404)
        if pacs.authorization is not None and self.headers.get("Authorization") != pacs.authorization:
            return self.answer(401, headers={"WWW-Authenticate": "Basic"})
        if fault and fault(self):
            return
        if kind == "studies":
            wanted = {"PatientID": "00100020", "AccessionNumber": "00080050", "StudyDate": "00080020", "StudyInstanceUID": "0020000D"}
            sets = [s.json() for s in pacs.studies.values()]
            for key, tag in wanted.items():
                if key in query:
                    sets = [s for s in sets if s.get(tag, {}).get("Value") == query[key]]
            return self.page(sets, query)
        study = pacs.studies.get(steps[1])
        if study is None:
            return self.answer(404)
        if kind == "study":
            return self.parts([f for _, _, f in study.instances()])
        if kind == "list" and steps[2] == "series" and len(steps) == 3:
            return self.page([{"0020000D": ui(study.uid), "0020000E": ui(s), "00080060": {"vr": "CS", "Value": ["CT"]},
                               "00200011": {"vr": "IS", "Value": [n + 1]}, "0008103E": {"vr": "LO", "Value": ["Thorax-Xq7"]},
                               "00201209": {"vr": "IS", "Value": [len(held)]}} for n, (s, held) in enumerate(study.series.items())], query)
        series = steps[3] if len(steps) > 3 else None
        if series is not None and series not in study.series:
            return self.answer(404)
        if kind == "list":
            return self.page([{"0020000D": ui(study.uid), "0020000E": ui(s), "00080018": ui(i)} for s, i, _ in study.instances(series)], query)
        if kind == "series":
            return self.parts([f for _, _, f in study.instances(series)])
        one = study.series[series].get(steps[5])
        return self.answer(404) if one is None else self.parts([one])

    def do_POST(self):
        pacs = self.server.pacs
        pacs.note(self, self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != pacs.root + "/studies":
            return self.answer(404)
        if pacs.authorization is not None and self.headers.get("Authorization") != pacs.authorization:
            return self.answer(401)
        message = BytesParser().parsebytes(b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n" + body)
        boundary = message.get_param("boundary").encode()
        assert message.get_content_type() == "multipart/related" and message.get_param("type") == "application/dicom"
        head, _, rest = body.partition(b"\r\n\r\n")
        assert head == b"--" + boundary + b"\r\nContent-Type: application/dicom" and rest.endswith(b"\r\n--" + boundary + b"--\r\n")
        file = rest[:-len(boundary) - 8]
        if pacs.faults.get("stow") and pacs.faults["stow"](self):
            return
        pacs.taken.append(file)
        self.json({"00081199": {"vr": "SQ", "Value": [{"00081150": ui("1.2"), "00081155": ui(pacs.instance_of(file))}]}})


class Pacs:
    """faults: of "studies", "study", "series", "list", "one", "stow"; a fault is called with the handler, true: it has answered."""

    def __init__(self, context=None, root="/dicom-web", pages=1000):
        self.studies, self.faults, self.seen, self.taken = {}, {}, [], []
        self.root, self.pages, self.authorization, self.lock = root, pages, None, threading.Lock()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.pacs, self.server.daemon_threads = self, True
        self.server.handle_error = lambda *_: None
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.origin = f"{'https' if context else 'http'}://127.0.0.1:{self.server.server_port}"
        self.url = self.origin + root

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def note(self, handler, path):
        with self.lock:
            self.seen.append((handler.command, path, urllib.parse.urlsplit(handler.path).query, dict(handler.headers)))

    def paths(self):
        with self.lock:
            return [path.removeprefix(self.root) for _, path, _, _ in self.seen]

    def forget(self):
        with self.lock:
            self.seen.clear()
        self.faults.clear()

    @staticmethod
    def instance_of(file, tag=b"\x08\x00\x18\x00"):
        """The SOP Instance UID, or another UID, of a file in explicit little endian."""
        at = file.index(tag + b"UI", 132)
        size = int.from_bytes(file[at + 6:at + 8], "little")
        return file[at + 8:at + 8 + size].rstrip(b"\0").decode()
