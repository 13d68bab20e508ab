"""Python environments of the clients: one per lock (requirements.txt beside a test), in $GALEN_CACHE, made once.

They have nothing in common with the environment of the parity tests, because clients want other versions of the same packages.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

LOCKED = (3, 11)  # the Python whose wheels the locks name (lock.py): Debian 12's
CACHE = Path(os.environ.get("GALEN_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "galen")


def key(*files):
    """A name for what these files ask for."""
    return hashlib.sha256(b"\0".join(Path(f).read_bytes() for f in files)).hexdigest()[:12]


def python(name, lock):
    """The interpreter of an environment that has exactly what `lock` names, every archive checked by its SHA-256; made if it
    is not there. Ends the test as skipped under another Python than the lock's. Raises subprocess.CalledProcessError where pip
    cannot install; what it left is removed by the next try.
    """
    if sys.version_info[:2] != LOCKED:
        print(f"{name}: left out, {lock} is for Python {LOCKED[0]}.{LOCKED[1]}")
        sys.exit(0 if "--install" in sys.argv else 77)
    folder = CACHE / "clients" / f"{name}-{key(lock)}-{LOCKED[0]}.{LOCKED[1]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (folder / "complete").is_file():
            print(f"making the Python environment of {name} in {folder}", flush=True)
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            pip = [folder / "bin/python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-warn-script-location"]
            subprocess.run([*pip, "--require-hashes", "--no-deps", "-r", lock], check=True)
            (folder / "complete").touch()
    return folder / "bin/python"


def inside(name, lock):
    """Goes on in the environment of `lock`: does not come back where this interpreter is another."""
    wanted = python(name, lock)
    if Path(sys.prefix).resolve() != wanted.parent.parent.resolve():
        os.execv(wanted, [str(wanted), *sys.argv])
