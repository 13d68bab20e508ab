"""schemathesis over /openapi.json: what the server says of its endpoints is what it does. Requests that fit the description and
requests that do not, for every endpoint: no error of the server, only the statuses, types and bodies that are described.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import harness

EXAMPLES = int(os.environ.get("GALEN_EXAMPLES", "30"))  # of each endpoint and phase
# What a schema cannot say: that a text is a picture or a date of its format, a name that of a model, an id that of a token.
LEFT_OUT = ["positive_data_acceptance"]
CONFIGURATION = Path(__file__).resolve().parent / "schemathesis.toml"
# What this server answers 501 to.
NOT_THERE = r"^/api/push"


def check(cases):
    harness.install()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with tempfile.TemporaryDirectory() as folder, cases.Server(
            "--on-demand", "--jobs", f"{folder}/jobs.db", "--manage-models", "--offline", env={"GALEN_STORE": f"{folder}/store"},
            context=2048) as server:
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION), "run",
                   f"http://127.0.0.1:{server.port}/openapi.json", "--checks", "all", "--exclude-path-regex", NOT_THERE, "--exclude-checks",
                   ",".join(LEFT_OUT), "--max-examples", str(EXAMPLES), "--seed", "1", "--generation-database", "none", "--suppress-health-check",
                   "all", "--continue-on-failure", "--no-color", "--request-timeout", "60", "--warnings", "off"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder)
        if done.returncode != 0:
            print(done.stdout[-20000:], done.stderr[-2000:])
        assert done.returncode == 0, "schemathesis found something"
        assert server.child.poll() is None
    print(next(line for line in done.stdout.splitlines() if "passed" in line or "Test cases" in line).strip())
