"""/look and /analyze: what a model sees of files, and what it answers; /recipes, /audit and /benchmark."""

import base64
import json
import re
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path

from document_checks import as_json, events, refused, send
from serving import GALEN, PLANTED, Server, png

ROOT = Path(__file__).resolve().parents[3]


def ct_slice(number, count=6, size=16, patient="A"):
    """A CT image of a series, explicit little endian: every pixel is 100 * number HU."""
    def element(group, tag, kind, value):
        value = value.encode() if isinstance(value, str) else value
        value += (b" " if kind not in ("UI", "OW") else b"\0") * (len(value) % 2)
        length = struct.pack("<HI", 0, len(value)) if kind == "OW" else struct.pack("<H", len(value))
        return struct.pack("<HH", group, tag) + kind.encode() + length + value

    us = lambda value: struct.pack("<H", value)  # noqa: E731
    meta = element(2, 0x10, "UI", "1.2.840.10008.1.2.1")
    meta = element(2, 0, "UL", struct.pack("<I", len(meta))) + meta
    pixels = struct.pack("<h", 1024 + 100 * number) * (size * size)
    return b"\0" * 128 + b"DICM" + meta + b"".join([
        element(8, 0x16, "UI", "1.2.840.10008.5.1.4.1.1.2"), element(8, 0x18, "UI", f"1.2.3.{number}"), element(8, 0x60, "CS", "CT"),
        element(0x10, 0x10, "PN", patient), element(0x10, 0x20, "LO", patient),
        element(0x18, 0x50, "DS", "2"), element(0x20, 0xD, "UI", "1.2.3"), element(0x20, 0xE, "UI", "1.2.3.4"), element(0x20, 0x11, "IS", "1"),
        element(0x20, 0x13, "IS", str(number)), element(0x20, 0x32, "DS", f"0\\0\\{2 * number}"), element(0x20, 0x37, "DS", "1\\0\\0\\0\\1\\0"),
        element(0x28, 2, "US", us(1)), element(0x28, 4, "CS", "MONOCHROME2"), element(0x28, 0x10, "US", us(size)), element(0x28, 0x11, "US", us(size)),
        element(0x28, 0x30, "DS", "1\\1"), element(0x28, 0x100, "US", us(16)), element(0x28, 0x101, "US", us(16)), element(0x28, 0x102, "US", us(15)),
        element(0x28, 0x103, "US", us(1)), element(0x28, 0x1052, "DS", "-1024"), element(0x28, 0x1053, "DS", "1"), element(0x7FE0, 0x10, "OW", pixels)])


def first_pixel(url):
    """Size and first pixel of a PNG in a data URL."""
    data = base64.b64decode(url.removeprefix("data:image/png;base64,"))
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    size = struct.unpack(">II", data[16:24])
    idat, at = b"", 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        idat += data[at + 8:at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    return size, tuple(zlib.decompress(idat)[1:4])


def look(server, fields, files, code=200):
    status, _, data = send(server, fields, files, "/look")
    assert status == code, data[:300]
    return json.loads(data)


def check_look(server):
    """The same report as the program's, with the pictures."""
    files = {"retina.jpg": "examples/images/retina.jpg", "lab_report.pdf": "examples/documents/lab_report.pdf",
             "encapsulated_cxr.dcm": "examples/images/encapsulated_cxr.dcm", "head.nii.gz": "examples/volumes/head.nii.gz"}
    for name, path in files.items():
        path = ROOT / path
        # The program refuses a resolution of what has none.
        options = {"head.nii.gz": ["--max-images", "3"], "lab_report.pdf": ["--dpi", "50"]}.get(name, [])
        done = subprocess.run([GALEN, "look", name, *options, "--json"], cwd=path.parent, capture_output=True, text=True, timeout=100)
        told = json.loads(done.stdout)
        fields = {"max_images": "3"} if name == "head.nii.gz" else {"dpi": "50"}
        seen = look(server, fields, [(name, path.read_bytes())])
        for image in seen["images"]:
            size, _ = first_pixel(image.pop("png"))
            assert size == (image["width"], image["height"])
        for image in told["images"]:
            image.pop("png")
        assert seen.pop("overviews") == []
        assert seen == told, f"{name}: not what `galen look` says"
    names = {recipe["recipe"].split()[0] for recipe in server.get("/recipes")["recipes"]}
    assert {"ct", "mr", "image", "page", "xray"} <= names


def check_look_at_series(server):
    files = [(f"{PLANTED[0]}-{k}.dcm", ct_slice(k)) for k in (3, 1, 6, 2, 5, 4)]  # in any order
    seen = look(server, {"window_center": "300", "window_width": "600"}, files)
    assert len(seen["images"]) == 6 and seen["recipe"]["name"] == "ct", seen["recipe"]
    values = [first_pixel(i["png"])[1] for i in seen["images"]]
    want = [round(255 * min(100 * k / 600, 1)) for k in range(1, 7)]
    got = [v[0] for v in values]
    assert got in (want, want[::-1]), (got, want)
    assert all(len(set(v)) == 1 for v in values), "one window, all channels"
    part = look(server, {"window_center": "300", "window_width": "600", "slices": "2-4"}, files)
    assert [first_pixel(i["png"])[1] for i in part["images"]] == values[1:4]
    assert [i["source"] for i in part["images"]] == [i["source"] for i in seen["images"]][1:4]
    own = look(server, {"max_images": "2"}, files)
    assert len(own["images"]) == 2 and "R -1024..1024" in str(own["facts"])
    one = look(server, {"recipe": "image"}, files[:1])
    assert one["images"][0]["source"] == files[0][0], "the name that was sent"
    # In JSON; a second patient is refused.
    body = {"files": as_json(*files), "window_center": 300, "window_width": 600}
    assert server.post("/look", body) == seen
    mixed = files[:3] + [("b.dcm", ct_slice(9, patient="B"))]
    assert "patient" in look(server, {}, mixed, 400)["error"]["message"]
    for field, value in (("window_width", "0"), ("window_width", "5"), ("window_center", "x"), ("slices", 7), ("plane", "up"), ("max_images", "0"),
                         ("recipe", "/etc/passwd.json"), ("recipe", "none"), ("frame", "-1"), ("unknown", "1"), ("keep_identity", "maybe")):
        param = "window_center" if (field, value) == ("window_width", "5") else field
        if field == "slices":
            assert server.call("POST", "/look", {"files": as_json(files[0]), field: value})[0] == 422
        else:
            refused(server, 422, param, {field: value}, files[:1], "/look")
    assert look(server, {"slices": "9-"}, files, 400)["error"]["param"] == "file"
    assert look(server, {}, [("a.dcm", ct_slice(1)[:200])], 400)
    with Server("--max-image-pixels", 300) as small:
        assert look(small, {}, files, 413)["error"]["message"].startswith("the images have")
    with Server("--max-image-pixels", 5000, "--max-pages", 20) as small:
        lab = ("a.pdf", (ROOT / "examples/documents/lab_report.pdf").read_bytes())
        assert "together" in look(small, {"dpi": "50"}, [lab], 413)["error"]["message"]
        assert len(look(small, {"recipe": "image"}, [("a.png", png())] * 4)["images"]) == 4
        assert "together" in look(small, {"recipe": "image"}, [("a.png", png())] * 5, 413)["error"]["message"]
        # Padded to a square, a strip is large.
        assert look(small, {"recipe": "localise", "question": "?"}, [("a.png", png(200, 2))], 413)
        refused(small, 422, "max_images", {"max_images": "21"}, [lab], "/look")
        refused(small, 422, "dpi", {"dpi": "301"}, [lab], "/look")


def check_look_at_slides(server):
    """OpenSlide opens TIFF files alone: key files of Hamamatsu name others by paths."""
    vms = b"[Virtual Microscope Specimen]\nNoLayers=1\nNoJpegColumns=1\nNoJpegRows=1\nImageFile=../../etc/passwd\nMapFile=../..\nOptimisationFile=../..\n"
    for name in ("a.vms", "a.svs", "a.png", "a.dcm", "a.zip", "a"):
        for text in (vms, vms.replace(b"[Vi", b"[Uncompressed Vi"), b"# x\n" + vms):
            for fields in ({}, {"recipe": "slide"}):
                assert "another kind" in look(server, fields, [(name, text)], 400)["error"]["message"]
                assert send(server, {"question": "?", **fields}, [(name, text)], "/analyze")[0] == 400
    for name, data in (("a.mrxs", png()), ("a.svslide", b"SQLite format 3\0"), ("a.dcm", b"#" * 5000 + vms), ("a.svs", b"#" * 5000 + vms), ("a.svs", png())):
        look(server, {"recipe": "slide"}, [(name, data)], 400)
    assert server.call("GET", "/health")[0] == 200


def check_analyze(server):
    picture = ("eye.png", png())
    fields = {"question": "What is this?", "max_tokens": "12", "temperature": "1", "seed": "0"}
    status, _, data = send(server, fields, [picture], "/analyze")
    answer = json.loads(data)
    assert status == 200 and answer["text"] and answer["finish_reason"] in ("stop", "length"), data[:300]
    assert answer["media"]["recipe"]["name"] == "image" and answer["media"]["images"][0]["source"] == "eye.png"
    assert answer["usage"]["completion_tokens"] <= 12 and answer["media"]["images"][0]["tokens"] > 0
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "eye.png").write_bytes(png())
        done = subprocess.run([GALEN, "run", str(ROOT / "tests/parity/models/tiny/gemma3-vision"), "What is this?", "--image", "eye.png", "--max-tokens", "12",
                               "--temperature", "1", "--seed", "0", "--batch-invariant", "--threads", "2", "--json"], cwd=folder, capture_output=True, text=True, timeout=100)
        told = json.loads(done.stdout)
    assert answer["text"] == told["text"] and answer["media"] == told["media"], "not what `galen run` says"
    status, headers, data = send(server, {**fields, "stream": "true"}, [picture], "/analyze")
    assert status == 200 and headers["Content-Type"].startswith("text/event-stream")
    parts = events(data)
    assert parts[0] == ("media", answer["media"]) and parts[-1][0] == "result"
    assert "".join(value["text"] for name, value in parts if name == "token") == answer["text"] == parts[-1][1]["text"]
    body = {"question": "What is this?", "max_tokens": 12, "temperature": 1, "seed": 0, "files": as_json(picture)}
    assert server.post("/analyze", body)["text"] == answer["text"]
    for field, value, code in (("temperature", "hot", 422), ("max_tokens", "0", 422), ("think", "much", 422), ("model", "zzz", 404), ("recipe", "ct", 400),
                               ("unknown", "1", 422)):
        refused(server, code, "file" if field == "recipe" else field, {**fields, field: value}, [picture], "/analyze")
    assert send(server, fields, [("a.png", b"\x89PNG broken")], "/analyze")[0] == 400


def check_audit_and_benchmark(server):
    assert "no audit log" in server.get("/audit", 404)["error"]["message"]
    rates = server.get("/benchmark")
    assert rates["machine"]["processors"] >= 1 and rates["machine"]["read_gb_per_s"] > 0.1 and rates["models"][0]["model"] == "tiny"
    made = [subprocess.run([GALEN, "serve", "--new-key", name], capture_output=True, text=True, check=True).stdout for name in ("ward", "chief")]
    keys = [{"Authorization": "Bearer " + re.search(r"gk_[0-9a-f]{64}", text)[0]} for text in made]
    lines = [re.search(r"\w+ sha256:.*", text)[0] for text in made]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "keys").write_text(f"{lines[0]}\n{lines[1]} admin\n")
        with Server("--audit", f"{folder}/log", "--api-keys", f"{folder}/keys") as kept:
            assert kept.call("GET", "/audit", headers=keys[0])[0] == 403 and kept.call("GET", "/audit")[0] == 401
            records = kept.get("/audit?n=3", headers=keys[1])["records"]
            assert records and {"seq", "time", "hash"} <= set(records[-1]), records
            for n in ("0", "1001", "x", "-1"):
                assert kept.call("GET", f"/audit?n={n}", headers=keys[1])[0] == 422
