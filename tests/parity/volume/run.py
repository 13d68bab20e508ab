#!/usr/bin/env python3
"""NIfTI volumes of galen against nibabel: shape, spacing, affine and every voxel of every slice.

The files are written by nibabel into a temporary folder: types, byte orders, versions, packed and paired files, scaled
values, sform over qform, neither of them, every one of the 48 axis orders, and oblique ones. Values must be equal bit for bit
(computed in double, rounded once to float); the affine within 1e-5, since nibabel takes quaternions in float.
$GALEN_BUILD holds tests/parity/volume/volume_slices.
"""

import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np

DRIVER = Path(os.environ.get("GALEN_BUILD", "build/release")) / "tests/parity/volume/volume_slices"
failures = count = 0


def read(path):
    done = subprocess.run([DRIVER, path], capture_output=True)
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode())
    head, _, body = done.stdout.partition(b"\n")
    return json.loads(head), np.frombuffer(body, np.float32)


def reference(image):
    """Slices in the radiological view, from nibabel's closest canonical (RAS) image."""
    ras = nib.as_closest_canonical(image)
    data = ras.get_fdata(dtype=np.float64).astype(np.float32)
    data = data.reshape(data.shape[:3] + (-1,))[..., 0]
    flipped = data[::-1, ::-1, ::-1]  # columns and rows run to the left, to the back and down
    axial = [flipped[:, :, -1 - k].T for k in range(data.shape[2])]
    coronal = [flipped[:, -1 - j, :].T for j in range(data.shape[1])]
    sagittal = [flipped[-1 - i, :, :].T for i in range(data.shape[0])]
    return ras, np.concatenate([s.ravel() for s in axial + coronal + sagittal])


def compare(path, what):
    global failures, count
    count += 1
    try:
        image = nib.load(path)
        ras, wanted = reference(image)
        head, values = read(path)
        assert head["shape"] == list(ras.shape[:3]), f"shape {head['shape']} instead of {ras.shape}"
        assert head["orientation"] == "".join(nib.aff2axcodes(image.affine)), f"orientation {head['orientation']}"
        np.testing.assert_allclose(head["affine"], image.affine[:3], atol=1e-5, rtol=1e-5)
        np.testing.assert_allclose(head["spacing"], nib.affines.voxel_sizes(ras.affine), rtol=1e-5)
        assert np.array_equal(values, wanted, equal_nan=True), "values differ"
    except AssertionError as error:
        failures += 1
        print(f"FAILED {what}: {error}", flush=True)


def main():
    rng = np.random.default_rng(7)
    shape = (5, 4, 3)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)

        def save(image, name, what):
            nib.save(image, folder / name)
            compare(str(folder / name), what)

        types = (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64, np.int64, np.float32, np.float64)
        for dtype, kind, order in itertools.product(types, (nib.Nifti1Image, nib.Nifti2Image), "<>"):
            if np.issubdtype(dtype, np.integer):
                info = np.iinfo(dtype)
                data = rng.integers(info.min, info.max, shape, dtype=dtype)
            else:
                data = rng.normal(0, 1000, shape).astype(dtype)
                data[0, 0, 0] = np.nan
            header = kind.header_class(endianness=order)
            header.set_data_dtype(dtype)
            for suffix in (".nii", ".nii.gz"):
                save(kind(data, np.diag([1, 2, 3, 1.0]), header), f"type{suffix}", f"{dtype.__name__} {kind.__name__} {order} {suffix}")
        data = rng.integers(-1000, 3000, shape, dtype=np.int16)
        for permutation in itertools.permutations(range(3)):
            for signs in itertools.product((1, -1), repeat=3):
                affine = np.zeros((4, 4))
                for column, (row, sign) in enumerate(zip(permutation, signs)):
                    affine[row, column] = sign * (0.7, 1.3, 2.9)[column]
                affine[:, 3] = (10, -20, 30, 1)
                save(nib.Nifti1Image(data, affine), "axes.nii", f"axes {permutation} {signs}")
        for n in range(40):
            q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
            affine = np.eye(4)
            affine[:3, :3] = q * rng.uniform(0.3, 5, 3)
            affine[:3, 3] = rng.uniform(-100, 100, 3)
            save(nib.Nifti1Image(data, affine), "oblique.nii", f"oblique sform {n}")
            image = nib.Nifti1Image(data, None)
            image.header.set_qform(affine, 1)
            image.header["sform_code"] = 0
            save(image, "qform.nii.gz", f"oblique qform {n}")
            sheared = affine.copy()
            sheared[:3, :3] = affine[:3, :3] @ (np.eye(3) + 0.2 * rng.normal(size=(3, 3)))
            image = nib.Nifti1Image(data, sheared)
            image.set_qform(affine, 1)
            image.set_sform(sheared, 2)
            save(image, "both.nii", f"sform over qform {n}")
        image = nib.Nifti1Image(data, None)
        image.header.set_zooms((0.5, 0.6, 0.7))
        image.header["sform_code"] = image.header["qform_code"] = 0
        save(image, "none.nii", "neither sform nor qform")
        image = nib.Nifti1Image(rng.normal(0, 50, shape), np.eye(4))
        image.set_data_dtype(np.int16)  # nibabel chooses slope and intercept
        save(image, "scaled.nii", "scaled")
        save(nib.Nifti1Pair(data, np.eye(4)), "pair.hdr", "pair")
        save(nib.Nifti1Pair(data, np.eye(4)), "pair2.img.gz", "packed pair")
        save(nib.Nifti1Image(rng.integers(0, 99, (5, 4, 3, 2), dtype=np.int16), np.eye(4)), "frames.nii", "four dimensions")
    print(f"{count - failures} of {count} files equal to nibabel {nib.__version__}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
