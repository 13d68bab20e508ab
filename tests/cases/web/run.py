#!/usr/bin/env python3
"""The page of `galen serve` in a real Chromium: drive.mjs says what is tried. $GALEN_BIN is the program; tiny random models are
served. The packages of package-lock.json (playwright-core, axe-core, TypeScript) are fetched once into $GALEN_CACHE.

    run.py [WORD...]        only the checks whose name holds one of the words
    run.py --install        only fetch the packages
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
CACHE = Path(os.environ.get("GALEN_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "galen")
PACKAGES = ("package.json", "package-lock.json")


def packages():
    """A folder that has node_modules of the lock file."""
    lock = (HERE / "package-lock.json").read_bytes()
    folder = CACHE / "web" / ("test-" + hashlib.sha256(lock).hexdigest()[:16])
    if (folder / "complete").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in PACKAGES:
        shutil.copy(HERE / name, folder)
    command = ["npm", "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=folder, check=True)
    (folder / "complete").touch()
    return folder


def main():
    for command in ("node", "npm"):
        if not shutil.which(command):
            sys.exit(f"{command} is missing: tools/install_deps.sh test")
    folder = packages()
    if "--install" in sys.argv:
        return
    chromium = shutil.which("chromium")
    if not chromium:
        sys.exit("chromium is missing: tools/install_deps.sh test")
    os.environ.update(WEB_PACKAGES=str(folder), CHROMIUM=chromium, GALEN_ROOT=str(ROOT))
    os.environ.setdefault("GALEN_BIN", "galen")
    os.environ.setdefault("GALEN_MODELS", str(CACHE / "models"))
    os.execvp("node", ["node", str(HERE / "drive.mjs"), *sys.argv[1:]])


if __name__ == "__main__":
    main()
