"""Runs the functions check_... of a test: all of them, whatever fails, each a line. Standard library only."""

import os
import time
import traceback


def checks_of(*namespaces):
    """{name: function} of the functions check_NAME in dictionaries of names (globals(), vars(module))."""
    return {name[6:]: fn for names in namespaces for name, fn in names.items() if name.startswith("check_")}


def run_checks(checks, words, *arguments):
    """Those whose name has one of the words in it, all where there are none; returns the exit code. $GALEN_TRACE shows where they fail."""
    chosen = {name: fn for name, fn in checks.items() if not words or any(word in name for word in words)}
    failed = []
    for name, check in chosen.items():
        begin = time.monotonic()
        try:
            check(*arguments)
            print(f"ok   {name} ({time.monotonic() - begin:.1f} s)", flush=True)
        except Exception as error:  # the first fault must not hide the rest
            failed.append(name)
            print(f"FAIL {name}: {type(error).__name__}: {error}", flush=True)
            if os.environ.get("GALEN_TRACE"):
                traceback.print_exc()
    print(f"{len(chosen) - len(failed)} of {len(chosen)} checks passed" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0
