"""/slides: whole slides that are looked at tile by tile; /pixels of NIfTI volumes."""

import gzip
import json
import os
import re
import struct
import subprocess
import tempfile
import time
import zlib
from pathlib import Path

from document_checks import as_json, refused, send
from media_checks import first_pixel, look, pixels
from serving import GALEN, PLANTED, Server, png

ROOT = Path(__file__).resolve().parents[3]
DICOM_SLIDE = ROOT / "examples/images/multiframe_camelyon_challenge_image.dcm"


def tiled_tiff(width=1200, height=900, shrinks=(1, 4), tile=256, colour=None, um=None):
    """A slide as OpenSlide's generic-tiff has it: a directory for each level, tiles that are not compressed. With um as one of Aperio's, which says how large its pixels are."""
    description = f"Aperio Image Library v11.2.1 \r\n{width}x{height} [0,0 {width}x{height}] ({tile}x{tile}) None|AppMag = 20|MPP = {um}" if um else ""
    colour = colour or (lambda x, y: (200, (x // 16 * 8) % 256, (y // 16 * 8) % 256))
    out, entries_at = bytearray(b"II*\0\0\0\0\0"), 4

    def put(data):
        out.extend(b"\0" * (len(out) % 2))
        out.extend(data)
        return len(out) - len(data)

    for shrink in shrinks:
        w, h = width // shrink, height // shrink
        offsets = []
        for ty in range(0, h, tile):
            for tx in range(0, w, tile):
                offsets.append(put(b"".join(bytes(colour(x * shrink, y * shrink)) for y in range(ty, ty + tile) for x in range(tx, tx + tile))))
        n = len(offsets)
        longs = put(struct.pack(f"<{n}I", *offsets)) if n > 1 else offsets[0]
        counts = put(struct.pack(f"<{n}I", *[3 * tile * tile] * n)) if n > 1 else 3 * tile * tile
        bits = put(struct.pack("<3H", 8, 8, 8))
        tags = [(254, 4, 1, 1 if shrink > 1 else 0), (256, 4, 1, w), (257, 4, 1, h), (258, 3, 3, bits), (259, 3, 1, 1), (262, 3, 1, 2)]
        if description:
            text = description.encode() + b"\0"
            tags.append((270, 2, len(text), put(text)))
        tags += [(277, 3, 1, 3), (284, 3, 1, 1), (322, 4, 1, tile), (323, 4, 1, tile),
                 (324, 4, n, longs), (325, 4, n, counts)]
        directory = put(struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + b"\0\0\0\0")
        out[entries_at:entries_at + 4] = struct.pack("<I", directory)
        entries_at = len(out) - 4
    return bytes(out)


def nifti(shape, values, kind="h", slope=0.0, intercept=0.0, spacing=(2, 3, 4), flip=False):
    """One frame, or several: values in the order in which they are stored, i fastest; to the right, to the front, to the head (flip: from right to left)."""
    codes = {"B": 2, "h": 4, "i": 8, "f": 16, "H": 512}
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, len(shape), *shape, *[1] * (7 - len(shape)))
    struct.pack_into("<2h", header, 70, codes[kind], 8 * struct.calcsize(kind))
    struct.pack_into("<8f", header, 76, 1, *spacing, 1, 1, 1, 1)
    struct.pack_into("<3f", header, 108, 352, slope, intercept)
    header[123] = 2
    struct.pack_into("<h", header, 254, 1)
    for row in range(3):
        struct.pack_into("<f", header, 280 + 16 * row + 4 * row, -spacing[row] if flip and row == 0 else spacing[row])
    header[344:348] = b"n+1\0"
    return bytes(header) + struct.pack(f"<{len(values)}{kind}", *values)


def check_pixels_of_volumes(server):
    """Axial slices from head to foot as radiologists look at them, values as they are stored; the order is that of /look."""
    i, j, k = 2, 3, 4
    voxels = [100 * z + 10 * y + x for z in range(k) for y in range(j) for x in range(i)]
    seen = pixels(server, [(f"{PLANTED[0]}.nii", nifti((i, j, k), voxels))])
    assert (seen["frames"], seen["next"], seen["warnings"]) == (4, None, []), seen
    for place, piece in enumerate(seen["slices"]):
        z = k - 1 - place
        assert piece["kind"] == "volume" and (piece["rows"], piece["columns"], piece["channels"], piece["type"]) == (3, 2, 1, "int16")
        # The patient's right (x = 1) on the left, the front (y = 2) on top.
        assert piece["values"] == tuple(100 * z + 10 * y + x for y in (2, 1, 0) for x in (1, 0)), (place, piece["values"])
        assert (piece["slope"], piece["intercept"], piece["unit"], piece["modality"]) == (1, 0, "", "")
        assert piece["spacing"] == [3, 2] and piece["slice_spacing"] == 4 and piece["slice"] == place and piece["time_point"] == 0
        assert piece["range"] == [100 * z, 100 * z + 21] and piece["stored"] == "RAS"
        picture = look(server, {"slices": str(place + 1), "recipe": "mr", "window_center": "200", "window_width": "400"}, [("a.nii", nifti((i, j, k), voxels))])
        want = round(255 * min(piece["values"][0] / 400, 1))
        assert abs(first_pixel(picture["images"][0]["png"])[1][0] - want) <= 1
    # Packed, stored from right to left, in other types, scaled; over time.
    packed = pixels(server, [("a.nii.gz", gzip.compress(nifti((i, j, k), voxels, flip=True)))])
    assert packed["slices"][0]["values"] == tuple(300 + 10 * y + x for y in (2, 1, 0) for x in (0, 1)) and packed["slices"][0]["stored"] == "LAS"
    (scaled, *_) = pixels(server, [("a.nii", nifti((i, j, k), voxels, slope=0.5, intercept=-1000))])["slices"]
    assert (scaled["slope"], scaled["intercept"], scaled["unit"], scaled["modality"]) == (0.5, -1000, "HU", "CT") and scaled["range"] == [-850, -839.5]
    (wide, *_) = pixels(server, [("a.nii", nifti((i, j, k), voxels, kind="i", slope=2, intercept=1))])["slices"]
    assert wide["type"] == "float32" and wide["slope"] == 1 and wide["values"][0] == 2 * 321 + 1
    (holes, *_) = pixels(server, [("a.nii", nifti((2, 1, 1), [float("nan"), 5.0], kind="f"))])["slices"]
    assert holes["range"] == [5, 5], "what is no number has no place in a range"
    frames = pixels(server, [("t.nii", nifti((i, j, k, 2), voxels + [x + 1 for x in voxels]))])
    assert frames["frames"] == 8 and [p["time_point"] for p in frames["slices"]] == [0] * 4 + [1] * 4
    assert frames["slices"][4]["values"] == tuple(x + 1 for x in frames["slices"][0]["values"])
    assert len(pixels(server, [("t.nii", nifti((i, j, k, 2), voxels * 2))], {"from": "6"})["slices"]) == 2
    for name, bad in (("cut.nii", nifti((i, j, k), voxels)[:-4]), ("no.nii", b"no volume at all"), ("bomb.nii", nifti((2000, 2000, 2000), [])), ("pair.hdr", nifti((i, j, k), voxels)[:340])):
        message = pixels(server, [(name, bad)], code=413 if name == "bomb.nii" else 400)["error"]["message"]
        assert name in message, message
    with Server("--max-image-pixels", 5) as small:
        assert "pixels" in pixels(small, [("a.nii", nifti((i, j, k), voxels))], code=413)["error"]["message"]


def open_slide(server, files, code=201, headers=None):
    status, _, data = send(server, {}, files, "/slides", **({"headers": headers} if headers else {}))
    assert status == code, (status, data[:300])
    return json.loads(data)


def part(server, slide, name, code=200, headers=None):
    status, told, data = server.call("GET", f"/slides/{slide}/{name}", headers=headers)
    assert status == code, (name, status, data[:200])
    if code == 200:
        assert told["Content-Type"] == "image/jpeg" and "no-store" in told["Cache-Control"] and data[:2] == b"\xff\xd8"
    return data


def deflated(dicom):
    """Its head, without the pixels, in the transfer syntax Deflated Explicit VR Little Endian."""
    end = 144 + struct.unpack_from("<I", dicom, 140)[0]  # behind the meta information
    meta, at = bytearray(), 144
    while at < end:
        long = dicom[at + 4:at + 6] in (b"OB", b"UN")
        size = struct.unpack_from("<I", dicom, at + 8)[0] + 12 if long else struct.unpack_from("<H", dicom, at + 6)[0] + 8
        element = dicom[at:at + size]
        if element[:4] == b"\2\0\x10\0":
            element = b"\2\0\x10\0UI" + struct.pack("<H", 22) + b"1.2.840.10008.1.2.1.99"
        meta += element
        at += size
    packer = zlib.compressobj(wbits=-15)
    return dicom[:140] + struct.pack("<I", len(meta)) + bytes(meta) + packer.compress(dicom[end:dicom.rindex(b"\xe0\x7f\x10\0")]) + packer.flush()


def size_of(jpeg):
    """From the frame header."""
    at = 2
    while True:
        marker, length = struct.unpack_from(">HH", jpeg, at)
        if marker in (0xFFC0, 0xFFC1, 0xFFC2):
            height, width = struct.unpack_from(">HH", jpeg, at + 5)
            return width, height
        at += 2 + length


def check_slides(server):
    """Tiles of every zoom, for whoever sent the slide; nothing is left when it is closed."""
    with tempfile.TemporaryDirectory() as folder, Server(env={"TMPDIR": folder}) as own:
        slide = open_slide(own, [(f"{PLANTED[0]}.svs", tiled_tiff(um=0.5))])
        assert (slide["width"], slide["height"], slide["format"], slide["tile"], slide["objective_power"]) == (1200, 900, "aperio", 256, 20), slide
        assert (slide["um_per_pixel"], slide["um_source"]) == (0.5, "file") and slide["zooms"] == [0, 1, 2, 3] and len(slide["levels"]) == 2
        assert re.fullmatch("[0-9a-f]{32}", slide["id"]) and slide["keep_seconds"] == 600 and PLANTED[0] not in json.dumps(slide)
        for zoom, columns, rows in ((0, 5, 4), (1, 3, 2), (2, 2, 1), (3, 1, 1)):
            w, h = -(-1200 // 2**zoom), -(-900 // 2**zoom)
            for column in range(columns):
                for row in range(rows):
                    got = size_of(part(own, slide["id"], f"tiles/{zoom}/{column}/{row}"))
                    assert got == (min(256, w - 256 * column), min(256, h - 256 * row)), (zoom, column, row, got)
            part(own, slide["id"], f"tiles/{zoom}/{columns}/0", 404)
            part(own, slide["id"], f"tiles/{zoom}/0/{rows}", 404)
        overview = part(own, slide["id"], "overview")
        assert size_of(overview) == (1200, 900) and part(own, slide["id"], "overview") == overview
        for wrong in ("tiles/4/0/0", "tiles/-1/0/0", "tiles/0/0", "tiles/0/0/0/0", "tiles/0/0/x", "tiles/0/99999999999999999999/0", "tiles/65/0/0", "tile", "..%2foverview"):
            part(own, slide["id"], wrong, 404)
        part(own, "0" * 32, "overview", 404)
        files = [p for p in Path(folder).rglob("*") if p.is_file()]
        assert len(files) == 1 and PLANTED[0] not in str(files[0]) and os.stat(files[0].parent).st_mode & 0o77 == 0
        assert own.call("DELETE", f"/slides/{slide['id']}")[0] == 204
        part(own, slide["id"], "overview", 404)
        assert own.call("DELETE", f"/slides/{slide['id']}")[0] == 404
        assert not [p for p in Path(folder).rglob("*") if p.is_file()], "its file is gone"
        # The fifth of one client finds no room while it looks at four.
        small = [("a.tif", tiled_tiff(300, 200, (1,)))]
        ids = [open_slide(own, small)["id"] for _ in range(4)]
        assert "4 slides" in open_slide(own, small, 429)["error"]["message"]
        for name in ids:
            part(own, name, "overview")
        assert own.call("DELETE", f"/slides/{ids[0]}")[0] == 204
        ids.append(open_slide(own, small)["id"])
        part(own, ids[0], "overview", 404)
        own.stop()
        assert not [p for p in Path(folder).rglob("*") if p.is_file()], "nothing outlives the server"
        assert PLANTED[0] not in own.read_log() and not any(name in own.read_log() for name in ids)


def check_slides_of_dicom(server):
    slide = open_slide(server, [("s.dcm", DICOM_SLIDE.read_bytes())])
    assert slide["format"] == "dicom" and slide["width"] > 256, slide
    part(server, slide["id"], "overview")
    part(server, slide["id"], f"tiles/{slide['zooms'][-1]}/0/0")
    # The recipe draws its patches on the same slide, and on a TIFF without its maker's marks where it is named.
    tissue = tiled_tiff(2000, 2000, (1,), colour=lambda x, y: (200, 120, 160) if x < 1500 else (244, 244, 244))
    told = look(server, {"recipe": "slide", "max_images": "1"}, [("t.tif", tissue)])
    assert len(told["images"]) == 1 and len(told["overviews"]) == 1 and look(server, {}, [("t.tif", tissue)])["recipe"]["name"] == "image"
    assert open_slide(server, [("t.tif", tissue)])["um_per_pixel"] is None
    guessed = open_slide(server, [("a.svs", tiled_tiff(300, 200, (1,), um=0.5).replace(b"|MPP = 0.5", b"|Xpp = 0.5"))])
    assert (guessed["um_per_pixel"], guessed["um_source"]) == (0.5, "objective") and "objective" in guessed["warnings"][0], guessed
    assert server.call("DELETE", f"/slides/{guessed['id']}")[0] == 204
    seen = look(server, {"recipe": "slide", "max_images": "2"}, [("s.dcm", DICOM_SLIDE.read_bytes())])
    assert len(seen["overviews"]) == 1
    assert server.call("DELETE", f"/slides/{slide['id']}")[0] == 204


def check_slides_are_refused(server):
    vms = b"[Virtual Microscope Specimen]\nNoLayers=1\nImageFile=../../etc/passwd\n"
    head = tiled_tiff(300, 200, (1,))
    for name, data in (("a.png", png()), ("a.svs", b"words"), ("a.vms", vms), ("a.svs", vms), ("a.tiff", head[:2000]), ("a.nii", nifti((1, 1, 1), [1])),
                       ("a.pdf", (ROOT / "examples/documents/lab_report.pdf").read_bytes()), ("a.zip", b"PK\3\4nothing")):
        assert open_slide(server, [(name, data)], 400)["error"]["message"], name
    # OpenSlide would ask for room for a whole tile, and end the process where there is none.
    wide = head.replace(struct.pack("<HHII", 322, 4, 1, 256), struct.pack("<HHII", 322, 4, 1, 1 << 20)).replace(struct.pack("<HHII", 323, 4, 1, 256), struct.pack("<HHII", 323, 4, 1, 1 << 20))
    message = open_slide(server, [("wide.tif", wide)], 400)["error"]["message"]
    assert "wide.tif" in message and "1048576x1048576" in message and "8192" in message, message
    # What would have to stay unpacked in memory, and frames that take too much to decode for a tile.
    message = open_slide(server, [("d.dcm", deflated(DICOM_SLIDE.read_bytes()))], 400)["error"]["message"]
    assert "d.dcm" in message and "another transfer syntax" in message, message
    assert open_slide(server, [("a.tif", head), ("b.tif", head)], 400)
    refused(server, 422, "recipe", {"recipe": "slide"}, [("a.tif", head)], "/slides")
    assert server.call("POST", "/slides", {"files": as_json(("a.tif", head))})[0] == 201
    assert server.call("POST", "/slides", b"x" * 10, {"Content-Type": "image/tiff"}, raw=True)[0] == 415
    with Server("--max-body-mb", 1) as small:
        assert send(small, {}, [("a.tif", b"II*\0" + b"\0" * (2 << 20))], "/slides")[0] == 413
    # Another key's slide is none.
    made = [subprocess.run([GALEN, "serve", "--new-key", name], capture_output=True, text=True, check=True).stdout for name in ("ward", "other")]
    keys = [{"Authorization": "Bearer " + re.search(r"gk_[0-9a-f]{64}", text)[0]} for text in made]
    with tempfile.TemporaryDirectory() as folder:
        lines = [re.search(r"\w+ sha256:.*", text)[0] for text in made]
        (Path(folder) / "keys").write_text(f"{lines[0]} rpm=2\n{lines[1]}\n")
        with Server("--api-keys", f"{folder}/keys", "--audit", f"{folder}/log") as kept:
            status, _, data = kept.call("POST", "/slides", {"files": as_json(("a.tif", head))}, keys[0])
            assert status == 201, data
            name = json.loads(data)["id"]
            for _ in range(10):  # looking around is no request of its own
                part(kept, name, "tiles/0/0/0", headers=keys[0])
            part(kept, name, "tiles/0/0/0", 404, keys[1])
            part(kept, name, "tiles/0/0/0", 401)
            assert kept.call("DELETE", f"/slides/{name}", headers=keys[1])[0] == 404
            assert kept.call("DELETE", f"/slides/{name}", headers=keys[0])[0] == 204
            time.sleep(0.2)
            log = Path(folder, "log").read_text()
            assert log.count("/slides") >= 2 and name not in log
