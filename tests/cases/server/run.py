#!/usr/bin/env python3
"""`galen serve` from outside, over real sockets: what each interface answers, what is refused and how, what hostile and broken
clients get, and that nothing of a request stands in the log. GALEN_BIN names the program; tiny random models of the tree are served.
The checks lie beside this file by theme.

    run.py [NAME...]    only the checks whose name holds one of the words
"""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
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
from serving import Server  # noqa: E402

MODULES = (openai_checks, tool_checks, ollama_checks, request_checks, client_checks, operation_checks, config_checks,
           document_checks, media_checks, slide_checks, job_checks, library_checks)


def main():
    checks = {name[6:]: fn for module in MODULES for name, fn in vars(module).items() if name.startswith("check_")}
    words = sys.argv[1:]
    chosen = {n: f for n, f in checks.items() if not words or any(w in n for w in words)}
    failed = 0
    with Server("--batch-invariant") as shared:
        for name, check in chosen.items():
            begin = time.monotonic()
            try:
                check(shared)
                print(f"ok   {name} ({time.monotonic() - begin:.1f} s)", flush=True)
            except Exception as error:  # every check is run; the first fault must not hide the rest
                failed += 1
                print(f"FAIL {name}: {type(error).__name__}: {error}", flush=True)
                if os.environ.get("GALEN_TRACE"):
                    import traceback
                    traceback.print_exc()
    print(f"{len(chosen) - failed} of {len(chosen)} checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
