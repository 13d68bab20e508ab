#!/usr/bin/env python3
"""Writes the lock of a client's Python environment again: every package with its version and the SHA-256 of its wheels for
Debian 12's Python 3.11 on x86-64 and aarch64 (of the sources where there is no wheel).

    lock.py FILE [WANTED...]    FILE: a requirements.txt of a folder here; WANTED (NAME==VERSION): instead of what its first line names

The first line of a lock says what was wanted, `# of: ...`, the second what is left out, `# without: ...` (what a package needs and
the tests do not; `*` at the end of a name stands for any ending). Needs `uv` (pip install uv==0.13.9), and changes nothing where that fails.
"""

import fnmatch
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

PLATFORMS = ("x86_64-manylinux_2_36", "aarch64-manylinux_2_36")


def resolve(wanted, platform):
    """{name: (version, {sha256})} of everything that `wanted` needs there."""
    with tempfile.TemporaryDirectory() as folder:
        source, lock = Path(folder) / "wanted.in", Path(folder) / "pylock.toml"
        source.write_text("\n".join(wanted) + "\n")
        subprocess.run(["uv", "pip", "compile", "--quiet", "--python-version", "3.11", "--python-platform", platform,
                        "--native-tls", "--format", "pylock.toml", source, "-o", lock], check=True, stdout=subprocess.DEVNULL)
        found = {}
        for package in tomllib.loads(lock.read_text())["packages"]:
            archives = package.get("wheels") or [package["sdist"]]
            found[package["name"]] = (package["version"], {a["hashes"]["sha256"] for a in archives})
        return found


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    path = Path(sys.argv[1])
    text = path.read_text() if path.is_file() else ""
    head = lambda word: (re.search(rf"^# {word}: (.*)$", text, re.M) or ["", ""])[1].split()
    wanted, without = sys.argv[2:] or head("of"), head("without")
    if not wanted:
        sys.exit(f"{path}: no line '# of: NAME==VERSION ...', and nothing given")
    merged = {}
    for platform in PLATFORMS:
        for name, (version, hashes) in resolve(wanted, platform).items():
            if merged.setdefault(name, (version, set()))[0] != version:
                sys.exit(f"{name}: {merged[name][0]} on one platform, {version} on {platform}; name a version that suits both")
            merged[name][1].update(hashes)
    lines = [f"# of: {' '.join(wanted)}", f"# without: {' '.join(without)}", "# Written by tests/clients/lock.py."]
    for name, (version, hashes) in sorted(merged.items()):
        if not any(fnmatch.fnmatch(name, w) for w in without):
            lines.append(" ".join([f"{name}=={version}", *(f"--hash=sha256:{h}" for h in sorted(hashes))]))
    path.write_text("\n".join(lines) + "\n")
    print(f"{path}: {len(lines) - 3} packages")


if __name__ == "__main__":
    main()
