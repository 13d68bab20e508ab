#!/usr/bin/env python3
"""Processors without the newest instructions, as qemu-user emulates them: galen starts, chooses what they have, and its kernels give the
reference's activations. Building a table of kernels that the processor lacks once crashed every program on such machines.

GALEN_BIN names the program. Skipped (77) without qemu-x86_64 or on another architecture.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
GALEN = os.environ.get("GALEN_BIN", str(ROOT / "build/release/galen"))
# Processor: what must be chosen there.
PROCESSORS = {"Nehalem": "ref", "Haswell": "avx2"}


def run(processor, *args):
    return subprocess.run(["qemu-x86_64", "-cpu", processor, GALEN, *args], capture_output=True, text=True, timeout=300)


def main():
    if platform.machine() not in ("x86_64", "AMD64") or shutil.which("qemu-x86_64") is None:
        print("skipped: needs qemu-x86_64 (Debian: qemu-user) on x86-64")
        return 77
    failures = 0
    for processor, isa in PROCESSORS.items():
        doctor = run(processor, "doctor", "--json")
        chosen = json.loads(doctor.stdout).get("isa") if doctor.returncode == 0 else None
        verify = run(processor, "verify", "gemma3")
        right = chosen == isa and verify.returncode == 0 and "pass" in verify.stdout
        failures += not right
        print(f"{'ok' if right else 'FAILED'}: {processor}: {chosen}, expected {isa}; verify: {verify.returncode} {verify.stdout.strip()}")
        if not right:
            print(doctor.stderr[-500:], verify.stderr[-500:])
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
