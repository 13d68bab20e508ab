"""Images that exercise one rule each, and series with one oddity each, made here with pydicom."""

import shutil
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

CT = "1.2.840.10008.5.1.4.1.1.2"


def image(pixels, syntax=ExplicitVRLittleEndian, **attributes):
    """A data set around `pixels` [rows, columns(, 3)] or a list of frames; attributes by keyword."""
    frames = pixels if isinstance(pixels, list) else [pixels]
    first = frames[0]
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CT
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = attributes.pop("uid", "2.25.7")
    ds.Modality, ds.PatientID, ds.StudyInstanceUID, ds.SeriesInstanceUID = "CT", "p1", "2.25.1", "2.25.2"
    ds.Rows, ds.Columns = first.shape[:2]
    ds.SamplesPerPixel = 3 if first.ndim == 3 else 1
    if first.ndim == 3:
        ds.PlanarConfiguration = 0
    ds.PhotometricInterpretation = "RGB" if first.ndim == 3 else "MONOCHROME2"
    ds.BitsAllocated = first.dtype.itemsize * 8
    ds.BitsStored = attributes.pop("BitsStored", ds.BitsAllocated)
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(first.dtype.kind == "i")
    if len(frames) > 1:
        ds.NumberOfFrames = len(frames)
    data = b"".join(np.ascontiguousarray(f).tobytes() for f in frames)
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OB" if first.dtype.itemsize == 1 else "OW"
    for name, value in attributes.items():
        setattr(ds, name, value)
    return ds


def save(ds, path):
    ds.save_as(path, enforce_file_format=True)
    return path


def lut(first, values, bits, signed=False):
    item = Dataset()
    item.add_new(0x00283002, "SS" if signed else "US", [len(values) % 65536, first, bits])
    words = np.asarray(values).astype("<u2")
    if len(words) > 32767:  # too long for the 16-bit length of US
        item.add_new(0x00283006, "OW", words.tobytes())
    else:
        item.add_new(0x00283006, "US", [int(v) for v in words])
    return item


def make_images(folder):
    """(name, path) of one image per rule."""
    random = np.random.default_rng(4)
    u12 = random.integers(0, 4096, (19, 23)).astype(np.uint16)
    s16 = random.integers(-1024, 3000, (19, 23)).astype(np.int16)
    u8 = random.integers(0, 256, (19, 23)).astype(np.uint8)
    rgb = random.integers(0, 256, (20, 24, 3)).astype(np.uint8)
    dirty = (random.integers(0, 4096, (19, 23)) | 0xA000).astype(np.uint16)
    hu = {"RescaleSlope": "1.0", "RescaleIntercept": "-1024"}
    cases = {
        "linear": image(u12, BitsStored=12, WindowCenter="40", WindowWidth="400", **hu),
        "linear_exact": image(u12, BitsStored=12, WindowCenter="40.5", WindowWidth="350.25", VOILUTFunction="LINEAR_EXACT", **hu),
        "sigmoid": image(u12, BitsStored=12, WindowCenter="40", WindowWidth="400", VOILUTFunction="SIGMOID", **hu),
        "width_one": image(u12, BitsStored=12, WindowCenter="1000", WindowWidth="1", **hu),
        "two_windows": image(u12, BitsStored=12, WindowCenter=["40", "-600"], WindowWidth=["400", "1500"], **hu),
        "signed": image(s16, WindowCenter="50", WindowWidth="350", RescaleSlope="2.5", RescaleIntercept="-7.25"),
        "signed12": image((dirty & 0xFFF | 0x8000).view(np.int16), BitsStored=12),
        "dirty_bits": image(dirty, BitsStored=12, WindowCenter="2000", WindowWidth="900"),
        "odd10": image((u12 >> 2).astype(np.uint16), BitsStored=10),
        "odd5": image((u8 >> 3).astype(np.uint8), BitsStored=5),
        "mono1": image(u12, BitsStored=12, PhotometricInterpretation="MONOCHROME1", WindowCenter="2000", WindowWidth="4000"),
        "implicit": image(s16, ImplicitVRLittleEndian, WindowCenter="50", WindowWidth="350", **hu),
        "modality_lut": image(u8, ModalityLUTSequence=[lut(10, np.linspace(0, 4000, 200), 16)]),
        "modality_lut_signed": image(s16, ModalityLUTSequence=[lut(-500, np.linspace(0, 65535, 1000), 16, True)]),
        # pydicom indexes a table of 8-bit entries by 8 bits, so that such tables are compared up to 256 entries.
        "voi_lut": image(u8, VOILUTSequence=[lut(20, np.linspace(0, 255, 200) ** 0.9, 8)]),
        "voi_lut10": image(u12, BitsStored=12, VOILUTSequence=[lut(100, np.linspace(0, 1023, 3000) ** 0.9, 10)]),
        "voi_lut_and_window": image(u12, BitsStored=12, VOILUTSequence=[lut(0, np.linspace(1023, 0, 4096), 10)],
                                    WindowCenter="2000", WindowWidth="1500"),
        "full_lut": image(u12, VOILUTSequence=[lut(0, np.arange(65536) // 2, 16)]),
        "planar": image(rgb, PlanarConfiguration=1),
        "ybr_full": image(rgb, PhotometricInterpretation="YBR_FULL"),
        "one_bit": one_bit(random),
        "float": floating(random, "FloatPixelData", np.float32),
        "double": floating(random, "DoubleFloatPixelData", np.float64),
        "u32": image(random.integers(0, 1 << 31, (9, 7)).astype(np.uint32)),
        "s32": image(random.integers(-(1 << 30), 1 << 30, (9, 7)).astype(np.int32), BitsStored=31),
        "frames3": image([u12, u12[::-1], u12 + 1], BitsStored=12),
        "frames3_odd": image([u8, u8[::-1], u8 ^ 1]),
        "palette8": palette(u8, 8, 256, 0),
        "palette16": palette(u12 >> 4, 16, 200, 20),
        "palette_signed": palette((s16 >> 4), 16, 100, -30),
        "palette_segmented8": segmented(u8, 8),
        "palette_segmented16": segmented(u8, 16),
        "one_pixel": image(np.array([[1234]], np.uint16), WindowCenter="1000", WindowWidth="2000"),
    }
    for name, ds in cases.items():
        yield f"made_{name}", save(ds, Path(folder) / f"made_{name}.dcm")


def one_bit(random):
    bits = random.integers(0, 2, (3, 13, 11)).astype(np.uint8)
    ds = image([bits[0]] * 3)
    packed = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
    ds.BitsAllocated = ds.BitsStored = 1
    ds.HighBit = 0
    ds.PixelData = packed + b"\0" * (len(packed) % 2)
    return ds


def floating(random, keyword, kind):
    ds = image(np.zeros((9, 7), np.uint16))
    del ds.PixelData, ds.BitsStored, ds.HighBit, ds.PixelRepresentation
    ds.BitsAllocated = 8 * np.dtype(kind).itemsize
    setattr(ds, keyword, random.normal(size=(9, 7)).astype(kind).tobytes())
    return ds


def palette(pixels, bits, count, first):
    ds = image(pixels, PhotometricInterpretation="PALETTE COLOR")
    for k, colour in enumerate(("Red", "Green", "Blue")):
        ds.add_new(0x00281101 + k, "SS" if first < 0 else "US", [count % 65536, first, bits])
        table = (np.arange(count) * (37 + 50 * k) % (1 << bits)).astype(np.uint8 if bits == 8 else np.uint16)
        ds.add_new(0x00281201 + k, "OW", table.tobytes())
    return ds


def segmented(pixels, bits):
    ds = image(pixels, PhotometricInterpretation="PALETTE COLOR")
    top = (1 << bits) - 1
    for k in range(3):
        words = [0, 6, 5 + k, 10, 20, 90 - k, 100, 200, 1, 100, top, 1, 100, top // 3 + k, 0, 2, 7, 8, 1, 48, 99]
        ds.add_new(0x00281101 + k, "US", [256, 0, bits])
        data = np.array(words, np.uint8 if bits == 8 else np.uint16).tobytes()
        ds.add_new(0x00281221 + k, "OW", data + b"\0" * (len(data) % 2))
    return ds


def slices(folder, places, patient="p1", start=1, series="2.25.2", orientation=(1, 0, 0, 0, 1, 0), numbers=None, tag="", **attributes):
    """A CT series: one slice per (x, y, z) of `places`, file names in another order than positions."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for k, place in enumerate(places):
        number = numbers[k] if numbers else start + k
        ds = image(np.full((8, 8), k, np.uint16), uid=f"2.25.{zlib.crc32(repr((patient, series, tag, k)).encode())}", PatientID=patient,
                   SeriesInstanceUID=series, InstanceNumber=number, **attributes)
        if place is not None:
            ds.ImagePositionPatient = [f"{v:.4f}" for v in place]
            ds.ImageOrientationPatient = list(orientation)
        ds.PixelSpacing = ["0.7", "0.7"]
        paths.append(save(ds, folder / f"{(k * 7) % len(places):03d}{tag}{series}.dcm"))
    return paths


def axial(zs):
    return [(-100, -100, z) for z in zs]


def expect(tally, name, value, wanted):
    tally.compared["series rule"] = tally.compared.get("series rule", 0) + 1
    if value != wanted:
        tally.fault(f"series: {name}: {value} for {wanted}")


def places_of(series):
    return [round(s[3], 3) for s in series["slices"]]


def compare_sets(driver, tally, folder, wheel):
    root = Path(folder) / "sets"

    def one(name):
        reply, _ = driver.ask("set", root / name)
        if "error" in reply:
            tally.fault(f"series: {name}: {reply['error']}")
            return None
        return reply["studies"][0]["series"][0]

    def check(name, warned, places=None, **facts):
        series = one(name)
        if series is None:
            return
        expect(tally, name + " warnings", sorted(series["warnings"]), sorted(warned))
        if places is not None:
            expect(tally, name + " places", places_of(series), [round(p, 3) for p in places])
        for fact, wanted in facts.items():
            expect(tally, f"{name} {fact}", series[fact], wanted)

    z = [2.5 * k - 30 for k in range(12)]
    backwards = list(range(12, 0, -1))
    slices(root / "plain", axial(z), numbers=backwards)
    check("plain", [], z, step=2.5, order="position along the normal", time_points=1)
    slices(root / "gap", axial(z[:5] + z[7:]))
    check("gap", ["missing-slices"], z[:5] + z[7:])
    slices(root / "uneven", axial([v + (0.6 if k % 4 == 1 else 0) for k, v in enumerate(z)]))
    check("uneven", ["uneven-spacing"])
    slices(root / "doubled", axial(z))
    slices(root / "doubled", axial(z[:1]), tag="x", start=40)
    check("doubled", ["duplicate-position"], [z[0]] + z)
    slices(root / "copied", axial(z))
    shutil.copytree(root / "copied", root / "copied" / "again")
    check("copied", ["duplicate-instance"], z)
    slices(root / "times", axial(z))
    slices(root / "times", axial(z), tag="x", start=40)
    check("times", ["several-time-points"], z + z, time_points=2)
    slices(root / "scout", axial(z))
    slices(root / "scout", [(0, 0, 0)], orientation=(0, 1, 0, 0, 0, -1), tag="x", start=40)
    check("scout", ["mixed-orientation"])
    slices(root / "tilted", [(-100, -100 + 0.9 * k, 2.5 * k) for k in range(12)])
    check("tilted", ["tilted-gantry"])
    slices(root / "unplaced", [None] * 6, numbers=[4, 1, 6, 2, 9, 3])
    check("unplaced", ["no-positions", "missing-instances"], order="instance number")
    slices(root / "nan", axial(z))
    for path in list((root / "nan").glob("*.dcm"))[:1]:
        data = path.read_bytes()
        path.write_bytes(data.replace(b"0.7\\0.7 ", b"NaN\\NaN "))
    check("nan", ["mixed-spacing"], z)
    oblique = [(10 * 0.6 * k, 3.0, 10 * 0.8 * k) for k in range(5)]
    slices(root / "oblique", oblique, orientation=(0.8, 0, -0.6, 0, 1, 0))
    check("oblique", [], [10.0 * k for k in range(5)], step=10.0)

    slices(root / "mixed", axial(z))
    slices(root / "mixed", axial(z), patient="p2", series="2.25.3")
    reply, _ = driver.ask("set", root / "mixed")
    expect(tally, "two patients refused", reply.get("code"), "invalid argument")
    reply, _ = driver.ask("set", root / "mixed", 1)
    expect(tally, "two patients forced", (len(reply.get("studies", [])), reply.get("warnings")), (2, ["mixed-patients"]))

    (root / "plain" / "notes.txt").write_text("not DICOM at all")
    (root / "plain" / "empty").write_bytes(b"")
    reply, _ = driver.ask("set", root / "plain")
    expect(tally, "other files counted", reply.get("not_dicom"), 2)
    with zipfile.ZipFile(root / "plain.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((root / "plain").iterdir()):
            archive.write(path, f"../../{path.name}")
    reply, _ = driver.ask("set", root / "plain.zip")
    expect(tally, "archive", reply.get("studies", [{}])[0].get("series", [{}])[0].get("order"), "position along the normal")
    shutil.make_archive(str(root / "tarred"), "gztar", root / "plain")
    reply, _ = driver.ask("set", root / "tarred.tar.gz")
    expect(tally, "tar archive", len(reply.get("studies", [{}])[0].get("series", [{}])[0].get("slices", [])), 12)
    (root / "cut.zip").write_bytes((root / "plain.zip").read_bytes()[:3000])
    reply, _ = driver.ask("set", root / "cut.zip")
    expect(tally, "archive cut off", "error" in reply or "archive-cut-off" in reply["warnings"] or
           "archive-member-broken" in reply["warnings"], True)
    compare_enhanced(driver, tally, root)
    compare_directory(driver, tally, wheel)


def compare_enhanced(driver, tally, root):
    """An enhanced CT whose frames are out of order, with shared and per-frame groups."""
    zs = [5.0, 0.0, 10.0]
    ds = image([np.full((8, 8), 100 * k, np.uint16) for k in range(3)], InstanceNumber=1)
    shared, measures, plane = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = ["0.5", "0.25"], "5"
    plane.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [plane]
    ds.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for k, z in enumerate(zs):
        group, place, value, voi = Dataset(), Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = [0, 0, z]
        value.RescaleSlope, value.RescaleIntercept, value.RescaleType = "2", str(-100 * k), "HU"
        voi.WindowCenter, voi.WindowWidth = str(50 * k), "100"
        group.PlanePositionSequence, group.PixelValueTransformationSequence, group.FrameVOILUTSequence = [place], [value], [voi]
        groups.append(group)
    ds.PerFrameFunctionalGroupsSequence = groups
    (root / "enhanced").mkdir(parents=True)
    path = save(ds, root / "enhanced" / "e.dcm")
    reply, _ = driver.ask("info", path)
    expect(tally, "enhanced positions", [p["position"][2] for p in reply["places"]], zs)
    expect(tally, "enhanced spacing", reply["places"][1]["spacing"], [0.5, 0.25])
    for k in range(3):
        reply, data = driver.ask("physical", path, k)
        expect(tally, f"enhanced rescale {k}", (reply["unit"], float(np.frombuffer(data, "f4")[0])), ("HU", 100.0 * k))
        reply, data = driver.ask("render", path, k)
        expect(tally, f"enhanced window {k}", reply["voi"], "window 1 of 1")
    reply, _ = driver.ask("set", root / "enhanced")
    expect(tally, "enhanced order", [s[1] for s in reply["studies"][0]["series"][0]["slices"]], [1, 0, 2])


def compare_directory(driver, tally, wheel):
    """pydicom's DICOMDIR: the files that it names, and the same by folder."""
    folder = wheel / "test_files/dicomdirtests"
    names = set()
    for record in pydicom.dcmread(folder / "DICOMDIR").DirectoryRecordSequence:
        if "ReferencedFileID" in record:
            names.add("/".join(record.ReferencedFileID))
    for name in ("DICOMDIR", "DICOMDIR-implicit", "DICOMDIR-bigEnd"):
        reply, _ = driver.ask("set", folder / name, 1)
        if "error" in reply:
            tally.fault(f"directory: {name}: {reply['error']}")
            continue
        found = {str(Path(s[0]).relative_to(folder)) for study in reply["studies"] for series in study["series"]
                 for s in series["slices"]}
        present = {n for n in names if (folder / n).is_file()}
        expect(tally, name, found, present)
        expect(tally, name + " patients", len({s["patient"] for s in reply["studies"]}), 2)
    reply, _ = driver.ask("set", folder / "DICOMDIR")
    expect(tally, "DICOMDIR of two patients refused", reply.get("code"), "invalid argument")
