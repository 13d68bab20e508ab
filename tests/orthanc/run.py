#!/usr/bin/env python3
"""Orthanc (the Debian package) sends a study to `galen serve` by C-STORE; galen reads its report and its picture, and Orthanc takes the
report of that, a DICOM SR, back into the study. The same by DICOMweb, which Orthanc's plugin speaks: galen lists, fetches, reads and sends.
GALEN_BIN names the program. Exit code 77: Orthanc, its plugin or the model is not there."""

import json
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "cases/dicomnet"), str(HERE.parent / "cases/server"), str(HERE.parent / "cases/extract")]
from dicom_client import as_file, ct_slice  # noqa: E402
from run import FIRST, Receiver, free_port, report_study, until  # noqa: E402
from serving import GALEN, SMOLLM, TINY  # noqa: E402

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


class Orthanc:
    def __init__(self, folder, galen_port, dicom_port, http_port):
        self.url = f"http://127.0.0.1:{http_port}"
        config = {"Name": "test", "StorageDirectory": str(folder / "storage"), "IndexDirectory": str(folder / "storage"),
                  "HttpPort": http_port, "DicomPort": dicom_port, "DicomAet": "ORTHANC", "DicomCheckCalledAet": True,
                  "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "Plugins": [str(PLUGIN)],
                  "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
                  "DicomAlwaysAllowEcho": False, "DicomAlwaysAllowStore": False,
                  "DicomModalities": {"galen": ["GALEN", "127.0.0.1", galen_port]}}
        (folder / "orthanc.json").write_text(json.dumps(config))
        self.log = open(folder / "orthanc.log", "w+")
        self.child = subprocess.Popen(["Orthanc", str(folder / "orthanc.json")], stdout=self.log, stderr=self.log)
        until("Orthanc answers", lambda: self.child.poll() is None and self.answers(), 60)

    def answers(self):
        try:
            return bool(self.call("GET", "/system"))
        except (urllib.error.URLError, ConnectionError):
            return False

    def call(self, method, path, body=None):
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data, method=method), timeout=60) as reply:
            return json.loads(reply.read() or b"null")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        self.child.wait(timeout=60)
        self.log.close()


def galen(*command):
    done = subprocess.run([GALEN, *map(str, command)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{command}: {done.returncode} {done.stdout[-500:]} {done.stderr[-500:]}"
    return done.stdout


def by_dicomweb(folder, server, orthanc, study, pictures):
    """The studies FIRST (a document) and FIRST.9 (three slices) by Orthanc's plugin."""
    url = orthanc.url + "/dicom-web"
    found = {s["study"]: s for s in json.loads(galen("dicomweb", "query", url, "--json"))["studies"]}
    assert set(found) == {FIRST, FIRST + ".9"} and found[FIRST + ".9"]["modalities"] == ["CT"] and found[FIRST + ".9"]["instances"] == 3, found
    assert FIRST + ".9" in galen("dicomweb", "query", url, "--patient-id", "PID-1964-Xq7", "--modality", "CT", "--date", "20240101-20241231")
    assert json.loads(galen("dicomweb", "query", url, "--patient-id", "nobody", "--json"))["studies"] == []
    assert len(galen("dicomweb", "query", f"{url}/studies/{FIRST}").splitlines()) == 2, "the document and the report"
    name = f"dicomweb:{url}/studies/{FIRST}.9"
    fetched = json.loads(galen("dicomweb", "fetch", name, "--out", folder / "web", "--json"))
    assert fetched["fetched"] == 3
    for held in orthanc.call("GET", f"/studies/{pictures}/instances"):
        with urllib.request.urlopen(f"{orthanc.url}/instances/{held['ID']}/file") as reply:
            uid = held["MainDicomTags"]["SOPInstanceUID"]
            assert (Path(fetched["folder"]) / f"{uid}.dcm").read_bytes() == reply.read(), "the same bytes"
    assert json.loads(galen("look", name, "--json"))["digest"] == json.loads(galen("look", folder / "web", "--json"))["digest"]
    for uid in (FIRST, FIRST + ".9"):
        assert server.call("DELETE", "/dicom-web/studies/" + uid)[0] == 204
    seen = server.post("/look", {"study": f"dicomweb:WEB/{FIRST}.9"})
    assert len(seen["images"]) == 3
    # galen's reports of a study are instances of one series.
    reports = lambda: [i for s in orthanc.call("GET", f"/studies/{study}/series") if s["MainDicomTags"]["Modality"] == "SR"  # noqa: E731
                       for i in s["Instances"]]
    before = len(reports())
    answer = server.post("/extract", {"study": f"dicomweb:WEB/{FIRST}", "schema": "lab_report", "max_tokens": 48, "ocr": "never", "model": "reader",
                                      "today": "2026-01-31", "send_to": "dicomweb:WEB"})
    assert answer["sent"] == {"to": "dicomweb:WEB", "stored": True}, answer["sent"]
    assert len(reports()) == before + 1


def main():
    for name in ("Orthanc", "pdf2dcm", "dsrdump"):
        if shutil.which(name) is None:
            print(f"skipped: {name} is not there (packages orthanc, dcmtk)")
            return 77
    if not PLUGIN.exists():
        print(f"skipped: {PLUGIN} is not there (package orthanc-dicomweb)")
        return 77
    if not SMOLLM.is_file():
        print(f"skipped: {SMOLLM} is not there (tools/fetch_models.py)")
        return 77
    orthanc_port, http_port = free_port(), free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        port = ("--dicom-port", 0, "--dicom-allow", "ORTHANC=127.0.0.1")
        with Receiver(folder, "--dicom-send-to", f"ORTHANC@127.0.0.1:{orthanc_port}",
                      "--dicomweb", f"WEB=http://127.0.0.1:{http_port}/dicom-web", dicom=port,
                      models=(f"reader={SMOLLM}", "tiny=" + str(TINY / "gemma3-vision"))) as server, \
                Orthanc(folder, server.dicom, orthanc_port, http_port) as orthanc:
            study = orthanc.call("POST", "/instances", report_study(folder, FIRST).read_bytes())["ParentStudy"]
            for i in (1, 2, 3):
                data = ct_slice(FIRST + ".9", f"{FIRST}.9.{i}", number=i)
                pictures = orthanc.call("POST", "/instances", as_file(data, f"{FIRST}.9.{i}"))["ParentStudy"]
            orthanc.call("POST", "/modalities/galen/echo", {})
            for sent in (study, pictures):
                assert orthanc.call("POST", "/modalities/galen/store", sent.encode())["FailedInstancesCount"] == 0
            assert len(server.instances()) == 4, server.instances()
            seen = server.post("/analyze", {"study": FIRST + ".9", "question": "What is seen?", "max_tokens": 4, "model": "tiny"})
            assert len(seen["media"]["images"]) == 3
            answer = server.post("/extract", {"study": FIRST, "schema": "lab_report", "max_tokens": 48, "ocr": "never", "model": "reader",
                                              "today": "2026-01-31", "send_to": "ORTHANC"})
            assert answer["sent"] == {"to": "ORTHANC", "stored": True}, answer["sent"]
            held = orthanc.call("GET", f"/studies/{study}/series")
            assert sorted(s["MainDicomTags"]["Modality"] for s in held) == ["DOC", "SR"], held
            tags = [orthanc.call("GET", f"/instances/{s['Instances'][0]}/simplified-tags") for s in held]
            report = [t for t in tags if t["SOPClassUID"] == "1.2.840.10008.5.1.4.1.1.88.33"]
            assert len(report) == 1 and report[0]["StudyInstanceUID"] == FIRST and report[0]["PatientID"] == "P-77", report
            evidence = report[0]["CurrentRequestedProcedureEvidenceSequence"][0]["ReferencedSeriesSequence"][0]["ReferencedSOPSequence"]
            assert [e["ReferencedSOPInstanceUID"] for e in evidence] == [t["SOPInstanceUID"] for t in tags if t not in report]
            by_dicomweb(folder, server, orthanc, study, pictures)
    print("Orthanc sent two studies, galen read them, Orthanc has the report; by DICOMweb, too")
    return 0


if __name__ == "__main__":
    sys.exit(main())
