"""A case: what each tool does for it, and what galen promises of the results.

A tool's function takes nothing and returns {result: sample}. A sample is a dict: "value" and "unit", and where they are known "limit"
and "share_of_limit", "peak_bytes" and other fields that an aim or the table reads.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

LOWER_IS_BETTER = ("s", "ms", "µs", "GB", "p99/median")


def sample(value, unit, **more):
    return {"value": value, "unit": unit, **more}


def best_of(samples):
    """Rates: the highest; times and sizes: the lowest."""
    return (min if samples[0].get("unit") in LOWER_IS_BETTER else max)(samples, key=lambda s: s["value"])


def advantage(ours, theirs):
    """How many times better a sample is than another; None where one is nothing (a difference lost in the noise may be below 0)."""
    if ours["value"] <= 0 or theirs["value"] <= 0:
        return None
    lower = ours.get("unit") in LOWER_IS_BETTER
    return theirs["value"] / ours["value"] if lower else ours["value"] / theirs["value"]


@dataclass(frozen=True)
class Aim:
    """judge(galen's best sample, {peer: its best sample}) is (met, what was found), or None where a figure is missing."""

    result: str
    text: str
    judge: Callable


@dataclass(frozen=True)
class Case:
    name: str
    theme: str
    title: str
    runs: dict = field(default_factory=dict)  # tool: function
    # Instead of runs: one program measures all tools, which take turns in it; (names of peers) -> {tool: {result: sample}}.
    together: Callable | None = None
    aims: tuple = ()
    peers: tuple = ()  # of `together`
    once: bool = False  # in the first round only: long, or with rounds of its own
    long: bool = False  # only where --long or --only asks for it
    beside: dict = field(default_factory=dict)  # result: the peers' result that it is compared with

    def tools(self):
        return list(self.runs) if self.together is None else ["galen", *self.peers]


def share(result, least, of):
    return Aim(result, f"≥ {100 * least:.0f} % of {of}",
               lambda ours, peers: (ours["share_of_limit"] >= least, f"{100 * ours['share_of_limit']:.0f} %")
               if ours.get("share_of_limit") else None)


def times(result, tool, factor):
    """At least `factor` times as fast as a peer."""
    def judge(ours, peers):
        found = advantage(ours, peers[tool]) if tool in peers else None
        return None if found is None else (found >= factor, f"{found:.2f}×")
    return Aim(result, f"≥ {factor:g}× {tool}", judge)


def peak_share(result, tool, most):
    def judge(ours, peers):
        if not ours.get("peak_bytes") or not peers.get(tool, {}).get("peak_bytes"):
            return None
        found = ours["peak_bytes"] / peers[tool]["peak_bytes"]
        return found <= most, f"{100 * found:.0f} %"
    return Aim(result, f"memory ≤ {100 * most:.0f} % of {tool}'s", judge)


def _field(result, name, bound, text, good):
    def judge(ours, peers):
        if ours.get(name) is None:
            return None
        return good(ours[name], bound), f"{ours[name]:.4g}"
    return Aim(result, text, judge)


def at_least(result, bound, unit="", name="value"):
    return _field(result, name, bound, f"≥ {bound:g} {unit}".rstrip(), lambda a, b: a >= b)


def at_most(result, bound, unit="", name="value", what=""):
    return _field(result, name, bound, f"{what} ≤ {bound:g} {unit}".strip(), lambda a, b: a <= b)


def bytes_at_most(result, name, bound, text):
    """A field in bytes; found is in GB."""
    return Aim(result, text, lambda ours, peers: (ours[name] <= bound, f"{ours[name] / 1e9:.2f} GB") if ours.get(name) else None)


def holds(result, name, text):
    return Aim(result, text, lambda ours, peers: (bool(ours[name]), "yes" if ours[name] else "no") if name in ours else None)
