"""/look and /analyze: what a model sees of files, and what it answers; /pixels: the same as values; /recipes, /audit and /benchmark."""

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


def pixels(server, files, fields=None, code=200):
    """The header of /pixels, with `values` of each slice."""
    status, headers, data = send(server, fields or {}, files, "/pixels")
    assert status == code, data[:300]
    if code != 200:
        return json.loads(data)
    assert headers["Content-Type"] == "application/octet-stream" and data[:4] == b"GPX1"
    length = struct.unpack("<I", data[4:8])[0]
    assert length % 8 == 0
    header = json.loads(data[8:8 + length])
    kinds = {"uint8": "B", "int8": "b", "uint16": "H", "int16": "h", "float32": "f"}
    for piece in header["slices"]:
        assert piece["offset"] % 8 == 0
        count = piece["rows"] * piece["columns"] * piece["channels"]
        piece["values"] = struct.unpack_from(f"<{count}{kinds[piece['type']]}", data, 8 + length + piece["offset"])
    return header


def check_pixels(server):
    """Values as they are stored, numbered through over the files, and nothing of who they are of."""
    files = [(f"{PLANTED[0]}-{k}.dcm", ct_slice(k, patient=PLANTED[0])) for k in (3, 1, 2)]
    status, _, data = send(server, {}, files, "/pixels")
    assert status == 200 and not any(word.encode() in data for word in PLANTED)
    seen = pixels(server, files)
    assert seen["frames"] == 3 and seen["next"] is None and seen["warnings"] == []
    for piece, k in zip(seen["slices"], (3, 1, 2)):
        assert piece["type"] == "int16" and set(piece["values"]) == {1024 + 100 * k} and len(piece["values"]) == 256
        assert (piece["slope"], piece["intercept"], piece["unit"], piece["modality"]) == (1, -1024, "HU", "CT")
        assert piece["spacing"] == [1, 1] and piece["spacing_source"] == "PixelSpacing" and piece["thickness"] == 2
        assert piece["range"] == [100 * k, 100 * k] and piece["windows"] == [] and not piece["inverted"]
    assert [piece["file"] for piece in seen["slices"]] == [0, 1, 2]
    assert [piece["file"] for piece in pixels(server, files, {"from": "1"})["slices"]] == [1, 2]
    assert [piece["values"] for piece in server_json(server, files)["slices"]] == [piece["values"] for piece in seen["slices"]]
    # A picture is what recipes make of it.
    retina = ("eye.jpg", (ROOT / "examples/images/retina.jpg").read_bytes())
    (photo,) = pixels(server, [retina])["slices"]
    size, first = first_pixel(look(server, {"recipe": "image"}, [retina])["images"][0]["png"])
    assert (photo["columns"], photo["rows"]) == size and photo["values"][:3] == first and photo["channels"] == 3
    # What is no picture beside one is a warning; alone, an error.
    lab = ("lab.pdf", (ROOT / "examples/documents/lab_report.pdf").read_bytes())
    mixed = pixels(server, [lab, ("x.txt", b"words"), ("cut.dcm", ct_slice(1)[:300]), retina, ("cxr.dcm", (ROOT / "examples/images/encapsulated_cxr.dcm").read_bytes())])
    assert {piece["file"] for piece in mixed["slices"]} >= {3} and len(mixed["warnings"]) >= 3
    assert all(any(name in text for text in mixed["warnings"]) for name in ("lab.pdf", "x.txt", "cut.dcm")), mixed["warnings"]
    for bad in (lab, ("x.txt", b"words"), ("cut.dcm", ct_slice(1)[:300]),
                ("s.dcm", (ROOT / "examples/images/multiframe_camelyon_challenge_image.dcm").read_bytes())):
        assert bad[0] in pixels(server, [bad], code=400)["error"]["message"]
    for value in ("-1", "x", "1.5"):
        refused(server, 422, "from", {"from": value}, files, "/pixels")
    refused(server, 422, "window_width", {"window_width": "5"}, files, "/pixels")
    assert "3 frames" in pixels(server, files, {"from": "3"}, 400)["error"]["message"]
    with Server("--max-image-pixels", 200) as small:
        assert "pixels" in pixels(small, files, code=413)["error"]["message"]
        assert pixels(small, [("a.png", png(10, 10))])["frames"] == 1


def server_json(server, files):
    """/pixels with its files as JSON."""
    _, _, data = server.call("POST", "/pixels", {"files": as_json(*files)})
    header = json.loads(data[8:8 + struct.unpack("<I", data[4:8])[0]])
    for piece in header["slices"]:
        start = 8 + struct.unpack("<I", data[4:8])[0] + piece["offset"]
        piece["values"] = struct.unpack_from(f"<{piece['rows'] * piece['columns']}h", data, start)
    return header


def check_pixels_come_in_parts(server):
    """32 MiB at a time."""
    big = [(f"{k}.dcm", ct_slice(k, size=2048)) for k in range(1, 6)]  # 8 MiB each
    parts, start = [], 0
    while start is not None:
        part = pixels(server, big, {"from": str(start)})
        parts.append([piece["file"] for piece in part["slices"]])
        start = part["next"]
    assert parts == [[0, 1, 2, 3], [4]], parts


def check_slices_are_ordered(server):
    """As /look shows them, from headers that came over several requests."""
    files = [(f"{k}.dcm", ct_slice(k)) for k in (3, 1, 6, 2, 5, 4)]
    headers = [piece["header"] for part in (files[:2], files[2:]) for piece in pixels(server, part)["slices"]]
    order = server.post("/pixels/order", {"slices": headers})
    (series,) = order["series"]
    numbers = [int(files[i][0][0]) for i in series["slices"]]
    seen = look(server, {"window_center": "300", "window_width": "600"}, files)
    shown = [first_pixel(image["png"])[1][0] for image in seen["images"]]
    assert shown == [round(255 * min(100 * k / 600, 1)) for k in numbers], (shown, numbers)
    assert series["locations"] == [2.0 * k for k in numbers] and series["slice_spacing"] == 2 and series["order"] == "position along the normal"
    gap = server.post("/pixels/order", {"slices": headers[:3] + headers[4:]})["series"][0]
    assert "missing-slices" in [warning["code"] for warning in gap["warnings"]]
    other = pixels(server, [("b.dcm", ct_slice(9, patient="B"))])["slices"][0]["header"]
    assert "2 patients" in server.post("/pixels/order", {"slices": headers + [other]}, 400)["error"]["message"]
    both = server.post("/pixels/order", {"slices": headers + [other], "allow_mixed_patients": True})
    assert both["patients"] == 2
    for wrong, param in (({"slices": []}, "slices"), ({"slices": 5}, "slices"), ({"slices": headers, "x": 1}, "x"), ({}, "slices"),
                         ({"slices": [5]}, "slices[0]"), ({"slices": headers * 4000}, "slices"),
                         *(({"slices": [headers[0] | {key: value}]}, f"slices[0].{key}")
                           for key, value in (("series", "1"), ("instance", None), ("instance", "z" * 32), ("patient_id", "1"), ("patient_name", ""), ("series", "z" * 64), ("position", [0, 0]), ("position", [0, 0, 1e7]),
                                              ("orientation", "x"), ("spacing", [0, 1]), ("frame", -1), ("instance_number", 1.5), ("rows", "2"), ("more", 1)))):
        answer = server.post("/pixels/order", wrong, 422)
        assert answer["error"]["param"] == param, (answer, param)


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
    assert "boxes" not in answer
    status, _, data = send(server, {**fields, "recipe": "localise"}, [picture], "/analyze")
    boxes = json.loads(data)["boxes"]
    assert status == 200 and (boxes["width"], boxes["height"], boxes["source"]) == (40, 30, "eye.png"), "boxes are of the source, not of what pads it"
    assert boxes["boxes"] == [] and boxes["warnings"], "random weights name no place"


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
