"""Measuring: tools take turns within each round, so that a machine whose speed drifts treats them alike."""

import os
import time
from dataclasses import dataclass, field

from .process import Unavailable, say


@dataclass
class Measured:
    samples: dict = field(default_factory=dict)  # case: result: tool: [sample]
    reasons: dict = field(default_factory=dict)  # case: tool: why it did not run
    loads: list = field(default_factory=list)  # load average before, and after each round
    seconds: dict = field(default_factory=dict)  # theme: of all rounds

    def take(self, case, tool, results):
        for result, sample in results.items():
            self.samples.setdefault(case.name, {}).setdefault(result, {}).setdefault(tool, []).append(sample)


def load_average():
    return round(os.getloadavg()[0], 2)


def run_case(case, number, peers, measured):
    reasons = measured.reasons.setdefault(case.name, {})

    def attempt(tool, function):
        if tool in reasons:
            return
        try:
            function()
        except (Unavailable, KeyError, ValueError, IndexError) as error:
            reasons[tool] = str(error) if isinstance(error, Unavailable) else f"{type(error).__name__}: {error}"
            say(f"    {tool}: {reasons[tool]}")

    if case.together is not None:
        def all_at_once():
            for tool, results in case.together([p for p in case.peers if p in peers]).items():
                if isinstance(results, str):
                    reasons[tool] = results
                else:
                    measured.take(case, tool, results)
        attempt("galen", all_at_once)
        return
    tools = [t for t in case.runs if t == "galen" or t in peers]
    for tool in tools[number % len(tools):] + tools[:number % len(tools)]:
        if tool not in reasons:
            say(f"    {tool}")
        attempt(tool, lambda tool=tool: measured.take(case, tool, case.runs[tool]()))


def run_rounds(cases, rounds, peers):
    """peers: names of the tools beside galen that may run."""
    measured = Measured(loads=[load_average()])
    for number in range(rounds):
        for case in cases:
            if case.once and number > 0:
                continue
            say(f"  round {number + 1} of {rounds}: {case.name}")
            begin = time.monotonic()
            run_case(case, number, peers, measured)
            measured.seconds[case.theme] = measured.seconds.get(case.theme, 0) + time.monotonic() - begin
        measured.loads.append(load_average())
    return measured
