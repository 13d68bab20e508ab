#!/usr/bin/env python3
"""bench/run.py: what aims judge, whose turn it is, what the table says of what did not run; and that the learning cases understand the
program. Standard library only; $GALEN_BIN is the program. Speed is not looked at.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[3]
os.environ.setdefault("GALEN_BIN", str(ROOT / "build/release/galen"))
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests/cases/train")]

import cases  # noqa: E402
from cases import learning  # noqa: E402
from common import check, failures  # noqa: E402
from harness import report  # noqa: E402
from harness.case import Case, advantage, at_least, at_most, best_of, bytes_at_most, holds, peak_share, sample, share, times  # noqa: E402
from harness.process import Unavailable, child, child_json, run  # noqa: E402
from harness.rounds import run_rounds  # noqa: E402
from harness.workbench import PEER_NAMES, Workbench, once  # noqa: E402


def aims():
    rate = sample(100.0, "tok/s", share_of_limit=0.8, peak_bytes=300, kv_bytes=5e9, identical=False)
    time = sample(2.0, "s", peak_bytes=300)
    table = [
        (share("r", 0.8, "bf16"), rate, {}, (True, "80 %")), (share("r", 0.81, "bf16"), rate, {}, (False, "80 %")),
        (share("r", 0.8, "bf16"), sample(1, "tok/s"), {}, None),
        (times("r", "p", 2), rate, {"p": sample(50.0, "tok/s")}, (True, "2.00×")),
        (times("r", "p", 2.01), rate, {"p": sample(50.0, "tok/s")}, (False, "2.00×")),
        (times("r", "p", 2), time, {"p": sample(3.0, "s")}, (False, "1.50×")), (times("r", "p", 2), time, {"q": sample(9.0, "s")}, None),
        (peak_share("r", "p", 0.4), time, {"p": sample(1.0, "s", peak_bytes=1000)}, (True, "30 %")),
        (peak_share("r", "p", 0.4), time, {"p": sample(1.0, "s", peak_bytes=700)}, (False, "43 %")),
        (peak_share("r", "p", 0.4), time, {"p": sample(1.0, "s")}, None),
        (at_least("r", 100, "tok/s"), rate, {}, (True, "100")), (at_most("r", 1.9, "s"), time, {}, (False, "2")),
        (bytes_at_most("r", "kv_bytes", 4e9, "KV ≤ 4 GB"), rate, {}, (False, "5.00 GB")),
        (holds("r", "identical", "identical"), rate, {}, (False, "no")), (holds("r", "identical", "identical"), time, {}, None),
    ]
    for aim, ours, peers, expected in table:
        found = aim.judge(ours, peers)
        check(found == expected, f"{aim.text} of {ours['value']} {ours['unit']}: {expected}", found)
    check(best_of([time, sample(1.5, "s")])["value"] == 1.5 and best_of([rate, sample(90.0, "tok/s")])["value"] == 100.0,
          "the best: the shortest time, the highest rate")
    check(advantage(time, sample(3.0, "s")) == 1.5 and advantage(rate, sample(0.0, "tok/s")) is None, "an advantage, and none over nothing")


def turns(folder):
    """Two tools and one that fails, two rounds; a case that is run once; a case whose program measures all."""
    order = []

    def tool(name, value):
        def measure():
            order.append(name)
            if value is None:
                raise Unavailable("no such thing | here")
            return {"speed": sample(value + len(order), "tok/s"), "speed_int8": sample(9.0, "tok/s")} if name == "galen" else {
                "speed": sample(value, "tok/s")}
        return measure

    listed = [Case("a", "text", "A", {"galen": tool("galen", 10.0), "p": tool("p", 5.0), "q": tool("q", None), "not asked": tool("x", 1.0)},
                   aims=(times("speed", "p", 2), times("speed_int8", "p", 2), times("speed", "q", 2)), beside={"speed_int8": "speed"}),
              Case("b", "text", "B", {"galen": tool("b", 1.0)}, once=True),
              Case("c", "sight", "C", together=lambda peers: {"galen": {"t": sample(1.0, "s")}, **{p: "not here" for p in peers}},
                   peers=("p", "q"), once=True),
              Case("d", "sight", "D", {"galen": tool("galen d", None)}, aims=(at_least("speed", 1),))]
    measured = run_rounds(listed, 2, ["p", "q"])
    check(order == ["galen", "p", "q", "b", "galen d", "p", "galen"], "tools take turns; what failed is not tried again", order)
    check(measured.reasons["a"] == {"q": "no such thing | here"} and measured.reasons["c"] == {"p": "not here", "q": "not here"},
          "reasons", measured.reasons)
    options = SimpleNamespace(out=folder, threads=1, rounds=2)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        report.write(options, SimpleNamespace(missing={}, machines=[{"bf16_gflops": 5.0}, {"bf16_gflops": 7.0}]), listed, measured)
    text = (folder / "bench.md").read_text()
    check(text == printed.getvalue() and "bf16_gflops 7" in text, "the table is printed and written", printed.getvalue())
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| ")}
    check("≥ 2× p; ≥ 2× q | met (3.40×); not judged |" in rows["A: speed"], "a figure with two aims", rows.get("A: speed"))
    check("p 1.80×" in rows["A: speed_int8"] and "**not met** (1.80×)" in rows["A: speed_int8"], "beside another result of the peer",
          rows.get("A: speed_int8"))
    check("q did not run: no such thing / here" in text, "what did not run stands in the table")
    check("4 aims: 1 met, 1 not met, 2 not judged" in text, "the sum of the aims", text)
    record = json.loads((folder / "bench.json").read_text())
    check([s["value"] for s in record["samples"]["a"]["speed"]["galen"]] == [11.0, 17.0], "every sample is kept", record["samples"])


def processes():
    text, peak = run([sys.executable, "-c", "x = bytearray(200 << 20); x[::4096] = x[::4096]; print(len(x))"])
    check(int(text) == 200 << 20 and 200 << 20 < peak < 400 << 20, "a program's most memory", peak)
    check(child_json(["sh", "-c", "echo words; echo '{\"a\": 1}'"]) == {"a": 1}, "the object on the last line")
    for command, words in ((["sh", "-c", "echo lost >&2; exit 3"], "exit code 3: lost"), (["/no/such/program"], "No such file")):
        try:
            child(command)
            check(False, words)
        except Unavailable as error:
            check(words in str(error), words, error)
    try:
        child(["sh", "-c", "sleep 60 & wait"], limit_s=0.3)
        check(False, "a limit of time")
    except Unavailable as error:
        check("no result within 0.3 s" in str(error), "a limit of time", error)


def options(folder):
    def bench(*arguments):
        return subprocess.run([sys.executable, ROOT / "bench/run.py", "--out", folder, *arguments], capture_output=True, text=True)

    names = [c.name for c in cases.make_cases(Workbench(SimpleNamespace(galen=Path("g"), models=folder, threads=1), folder))]
    listed = bench("--list", "--long", "--theme", "learning", "--theme", "server")
    check(len(names) == len(set(names)) and listed.returncode == 0 and
          [line.split()[0] for line in listed.stdout.splitlines()] == ["learning"] * 9 + ["server"] * 2, "--theme, --list", listed.stdout)
    check("soak" not in bench("--list").stdout and "soak" in bench("--list", "--only", "soak").stdout,
          "what is long is asked for")
    wrong = bench("--only", "nothing")
    check(wrong.returncode == 1 and "unknown case nothing; known: gemma270m" in wrong.stderr, "an unknown case", wrong.stderr)
    check(bench("--peers", "nobody").returncode == 2, "an unknown peer")
    tools = {t for c in cases.make_cases(Workbench(SimpleNamespace(galen=Path("g"), models=folder, threads=1), folder)) for t in c.tools()}
    check(tools == {"galen", *PEER_NAMES.values()}, "each peer has a case, each case's tools are known", tools)
    page = (ROOT / "docs/HACKING.md").read_text()
    check(all(f"| `{theme}` |" in page for theme in cases.THEMES), "docs/HACKING.md names the themes")

    class Twice(Workbench):
        calls = 0

        @once
        def thing(self):
            self.calls += 1
            raise Unavailable("cannot be made")

    bench_with = Twice(SimpleNamespace(galen=Path("g"), models=folder, threads=1), folder)
    for _ in range(2):
        with contextlib.suppress(Unavailable):
            bench_with.thing()
    check(bench_with.calls == 1 and bench_with.missing == {"thing": "cannot be made"}, "what cannot be made is tried once")


def program(folder):
    """The learning cases on a base so small that each takes a second."""
    import presets
    from images import TEMPLATE
    workbench = Workbench(SimpleNamespace(galen=Path(os.environ["GALEN_BIN"]), models=folder, threads=1), folder / "scratch")
    workbench.scratch.mkdir()
    workbench.made["checkpoint_4b"] = base = presets.make_base(folder / "base")
    (base / "chat_template.jinja").write_text(TEMPLATE)  # with places for images
    plans = learning.google_plans(workbench)()
    check(0 < plans[learning.WITH_TIED]["value"] < plans[learning.AS_IT_IS]["value"], "plans of Google's recipe", plans)
    step = learning.one_step(workbench, learning.write_1024(workbench))["memory"]
    check("; 1280 tokens" in step["note"] and 0 < step["plan_bytes"] and step["value"] > 0.01, "a step that fills its length", step)
    check(learning.synth(workbench, count=3)()["pages"]["value"] > 0, "made-up pages")
    wrong = folder / "wrong.yaml"
    wrong.write_text("no_such_option: 1\n")
    try:
        learning.one_step(workbench, wrong)
        check(False, "a refusal of the program is a reason")
    except Unavailable as error:
        check("no_such_option" in str(error), "a refusal of the program is a reason", error)


def main():
    with tempfile.TemporaryDirectory() as folder:
        aims()
        processes()
        for number, part in enumerate((turns, options, program)):
            place = Path(folder) / str(number)
            place.mkdir()
            part(place)
    print(f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
