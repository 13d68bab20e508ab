#!/usr/bin/env python3
"""galen beside its peers on this machine, in one run: a table of every figure that the project promises, its aim, and whether it is met.

    run.py [--galen FILE] [--models DIR] [--out DIR] [--rounds N] [--theme NAME]... [--only CASE]... [--peers NAME,NAME|none] [--list]

Writes bench.json (every sample) and bench.md. Tools take turns within each round, so that a machine whose speed drifts treats
them alike; the figure is the best of the rounds, the median stands beside it. Long cases run in the first round only, the longest
only with --long. What cannot run is named with its reason and never filled in. Cases are in cases/, a file a theme.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from cases import THEMES, make_cases
from harness import report
from harness.rounds import run_rounds
from harness.workbench import PEER_NAMES, ROOT, Workbench


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--galen", type=Path, default=ROOT / "build" / "release" / "galen")
    parser.add_argument("--models", type=Path, default=Path(os.environ.get("GALEN_MODELS", "models")))
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--theme", action="append", default=[], choices=[*THEMES], help="measure this theme (may be repeated)")
    parser.add_argument("--only", action="append", default=[], metavar="CASE", help="measure this case only (may be repeated)")
    parser.add_argument("--long", action="store_true", help="also what takes a quarter of an hour by itself")
    parser.add_argument("--peers", default=",".join(PEER_NAMES), help="which to compare with; none for galen alone")
    parser.add_argument("--list", action="store_true", help="print the cases and stop")
    options = parser.parse_args(arguments)
    options.galen, options.models = options.galen.absolute(), options.models.absolute()
    names = [n for n in options.peers.split(",") if n and n != "none"]
    unknown = [n for n in names if n not in PEER_NAMES]
    if unknown:
        parser.error(f"unknown peer {', '.join(unknown)}; known: {', '.join(PEER_NAMES)}, none")
    options.peers = [PEER_NAMES[n] for n in names]
    return options


def choose(options, cases):
    unknown = set(options.only) - {c.name for c in cases}
    if unknown:
        sys.exit(f"run.py: unknown case {', '.join(sorted(unknown))}; known: {', '.join(c.name for c in cases)}")
    return [c for c in cases if (not options.theme or c.theme in options.theme)
            and (c.name in options.only if options.only else options.long or not c.long)]


def main():
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    # Beside the results: /tmp may be small, or memory.
    with tempfile.TemporaryDirectory(dir=options.out, prefix="scratch-") as scratch:
        workbench = Workbench(options, scratch)
        cases = choose(options, make_cases(workbench))
        if options.list:
            for case in cases:
                print(f"{case.theme:9} {case.name:18} {', '.join(case.tools())}: {case.title}")
            return 0
        measured = run_rounds(cases, options.rounds, options.peers)
        report.write(options, workbench, cases, measured)
    return 0 if any("galen" in tools for results in measured.samples.values() for tools in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
