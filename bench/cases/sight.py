"""Sight: image towers beside OpenVINO and PyTorch, a question about an image, a CT series beside pydicom, resizing beside Pillow."""

import re

from harness.case import Aim, Case, advantage, at_least, bytes_at_most, sample, share, times
from harness.process import Unavailable, child, child_json
from harness.workbench import PEERS, ROOT

PHOTO = ROOT / "examples" / "images" / "retina.jpg"
SLICES = 300


def torch_tower(workbench, shape, batch):
    def measure():
        answer = child_json([workbench.python(), PEERS / "torch_tower.py", shape, batch, workbench.threads])
        return {"encode_image": sample(answer["encode_image"], "s")}
    return measure


def openvino_tower(workbench, shape, batch):
    def measure():
        answer = child_json([workbench.python(), PEERS / "openvino_tower.py", shape, batch, workbench.threads,
                             workbench.openvino_tower()])
        return {"encode_image": sample(answer["encode_image"], "s")}
    return measure


def tower_in_both_modes(workbench):
    def measure():
        results = workbench.bench("--shape", "siglip-896")
        int8 = workbench.bench("--shape", "siglip-896", "--activations", "int8")
        return {"encode_image": results["encode_image"], "encode_image_int8": int8["encode_image"]}
    return measure


def int8_beside_openvino(factor, where):
    """Only where the machine multiplies int8 `where` times as fast as bf16; elsewhere the mode gains nothing."""
    def judge(ours, peers):
        machine = ours["machine"]
        if "OpenVINO" not in peers or machine["int8_gops"] < where * machine["bf16_gflops"]:
            return None
        found = advantage(ours, peers["OpenVINO"])
        return found >= factor, f"{found:.2f}×"
    return Aim("encode_image_int8", f"≥ {factor}× OpenVINO in bf16, where int8 is ≥ {where}× bf16", judge)


def series(workbench, count=SLICES):
    """A folder of a CT series: 512 x 512, 16 bits, uncompressed."""
    folder = workbench.scratch / f"ct-{count}"
    if not folder.exists():
        part = folder.with_suffix(".part")
        child([workbench.python(), ROOT / "tests" / "parity" / "dicom" / "make_series.py", part, count])
        part.rename(folder)
    return folder


def galen_series(workbench):
    def measure():
        text = child([workbench.driver("parity/dicom/dicom_speed"), series(workbench), workbench.threads])
        found = re.search(r"^(\d+) slices: .* ([0-9.]+) slices/s", text)
        if found is None or int(found[1]) != SLICES:
            raise Unavailable(f"dicom_speed: {text.strip()[:100]}")
        return {"read, sort, window, resize": sample(float(found[2]), "slices/s")}
    return measure


def pydicom_series(workbench):
    def measure():
        answer = child_json([workbench.python(), PEERS / "pydicom_series.py", series(workbench), workbench.threads])
        return {"read, sort, window, resize": sample(answer["slices_per_s"], "slices/s")}
    return measure


def resize(workbench):
    def measure(peers):
        answer = child_json([workbench.python(), ROOT / "bench" / "resize.py", "--driver",
                             workbench.driver("parity/images/image_driver"), "--json"])
        results = {"galen": {}} | {peer: {} for peer in peers}
        for name, seconds in answer.items():
            isa = min((i for i in seconds if i != "Pillow"), key=seconds.get)
            results["galen"][name] = sample(1e3 * seconds[isa], "ms", note=isa)
            for peer in peers:
                results[peer][name] = sample(1e3 * seconds[peer], "ms")
        return results
    return measure


def cases(w):
    return [
        Case("4b-image", "sight", "MedGemma-4B shape, a question about one image",
             {"galen": lambda: w.bench(w.random_4b(), "--mmproj", w.random_4b_images(), "--image", PHOTO)}, once=True),
        Case("tower-896", "sight", "MedGemma image tower, 896 x 896",
             {"galen": tower_in_both_modes(w), "PyTorch": torch_tower(w, "siglip-896", 1),
              "OpenVINO": openvino_tower(w, "siglip-896", 1)},
             beside={"encode_image_int8": "encode_image"}, once=True,
             aims=(share("encode_image", 0.82, "bf16"), times("encode_image", "OpenVINO", 1.1),
                   bytes_at_most("encode_image", "extra_bytes", 250e6, "≤ 250 MB above the weights"),
                   int8_beside_openvino(1.35, 1.7))),
        Case("tower-448", "sight", "MedSigLIP image tower, 448 x 448, 8 images",
             {"galen": lambda: {"encode_image": w.bench("--shape", "medsiglip-448", "--batch", "8")["encode_image"]},
              "PyTorch": torch_tower(w, "medsiglip-448", 8), "OpenVINO": openvino_tower(w, "medsiglip-448", 8)}, once=True,
             aims=(share("encode_image", 0.85, "bf16"),)),
        Case("ct-series", "sight", f"CT series of {SLICES} slices, 512 x 512, 16 bits, three windows, to 896 x 896",
             {"galen": galen_series(w), "pydicom": pydicom_series(w)},
             aims=(at_least("read, sort, window, resize", 60, "slices/s"),)),
        Case("resize", "sight", "4,000 x 3,000 to 896 x 896, one thread", together=resize(w), peers=("Pillow",), once=True,
             aims=tuple(times(name, "Pillow", 1.5) for name in ("bilinear", "bicubic", "lanczos"))),
    ]
