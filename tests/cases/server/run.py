#!/usr/bin/env python3
"""`galen serve` from outside, over real sockets: what each interface answers, what is refused and how, what hostile and broken
clients get, and that nothing of a request stands in the log. GALEN_BIN names the program; tiny random models of the tree are served.
The checks lie beside this file by theme.

    run.py [NAME...]    only the checks whose name holds one of the words
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import client_checks  # noqa: E402
import config_checks  # noqa: E402
import document_checks  # noqa: E402
import job_checks  # noqa: E402
import library_checks  # noqa: E402
import media_checks  # noqa: E402
import ollama_checks  # noqa: E402
import openai_checks  # noqa: E402
import operation_checks  # noqa: E402
import request_checks  # noqa: E402
import slide_checks  # noqa: E402
import tool_checks  # noqa: E402
from checks import checks_of, run_checks  # noqa: E402
from serving import Server  # noqa: E402

MODULES = (openai_checks, tool_checks, ollama_checks, request_checks, client_checks, operation_checks, config_checks,
           document_checks, media_checks, slide_checks, job_checks, library_checks)


def main():
    with Server("--batch-invariant") as shared:
        return run_checks(checks_of(*map(vars, MODULES)), sys.argv[1:], shared)


if __name__ == "__main__":
    sys.exit(main())
