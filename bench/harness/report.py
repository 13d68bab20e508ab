"""The table: each figure, its share of the machine's limit, the peers beside it, its aim, and whether that is met."""

import json
import platform
import statistics
import time

from .case import advantage, best_of

MACHINE = ("bf16_gflops", "fp32_gflops", "int8_gops", "read_gb_per_s")


def figures(samples):
    best = best_of(samples)["value"]
    return f"{best:.4g}" + (f" ({statistics.median(s['value'] for s in samples):.4g})" if len(samples) > 1 else "")


def details(best):
    """What stands beside galen's figure: the share of the limit, memory, and how it was come by."""
    parts = []
    if best.get("limit") not in (None, "none"):
        parts.append(f"{100 * best['share_of_limit']:.0f} % of {best['limit']}")
    if best.get("text_tokens_per_s"):
        parts.append(f"text {best['text_tokens_per_s']:.4g}")
    if best.get("times_faster"):
        parts.append(f"{best['times_faster']:.0f} times faster than the first time")
    for key, name in (("kv_bytes", "KV"), ("resident_bytes", "resident"), ("extra_bytes", "above the weights"), ("plan_bytes", "plan"),
                      ("peak_bytes", "peak")):
        if best.get(key):
            parts.append(f"{name} {best[key] / 1e9:.2f} GB")
    if best.get("note"):
        parts.append(best["note"])
    return ", ".join(parts)


def verdicts_of(case, result, best):
    """[(aim, True, False or None, what was found)] of one result; best: {tool: its best sample, of what it is compared with}."""
    peers = {tool: s for tool, s in best.items() if tool != "galen"}
    judged = []
    for aim in case.aims:
        if aim.result == result:
            verdict = aim.judge(best["galen"], peers) if "galen" in best else None
            judged.append((aim.text, *(verdict or (None, "not judged"))))
    return judged


def rows_of(case, samples):
    """(result, {tool: samples}) in galen's order; peers' results that galen has none of stand at the end."""
    compared = {case.beside.get(result, result) for result, tools in samples.items() if "galen" in tools}
    for result, tools in samples.items():
        if "galen" in tools:
            theirs = samples.get(case.beside.get(result, result), {})
            yield result, {"galen": tools["galen"]} | {t: s for t, s in theirs.items() if t != "galen"}
        elif result not in compared:
            yield result, tools


def word(met):
    return {True: "met", False: "**not met**", None: "not judged"}[met]


def table(cases, measured):
    lines = ["| work | unit | galen: best (median) | share, memory | peers | galen is so many times better | aim | |", "|---" * 8 + "|"]
    judged = []
    for case in cases:
        for result, tools in rows_of(case, measured.samples.get(case.name, {})):
            best = {tool: best_of(s) for tool, s in tools.items()}
            unit = next(iter(best.values())).get("unit") or ""
            peers = [t for t in tools if t != "galen"]
            better = [(t, advantage(best["galen"], best[t])) for t in peers if "galen" in best]
            beside = [f"{t} {figures(tools[t])}" + (f", {d}" if (d := details(best[t])) else "") for t in peers]
            verdicts = verdicts_of(case, result, best)
            judged += [{"case": case.name, "result": result, "aim": text, "met": met, "found": found} for text, met, found in verdicts]
            lines.append(f"| {case.title}: {result} | {unit} | {figures(tools['galen']) if 'galen' in tools else '–'} | "
                         f"{details(best['galen']) if 'galen' in best else ''} | {'; '.join(beside) or '–'} | "
                         f"{'; '.join(f'{t} {a:.2f}×' for t, a in better if a is not None) or '–'} | "
                         f"{'; '.join(text for text, _, _ in verdicts) or '–'} | "
                         f"{'; '.join(f'{word(met)} ({found})' if met is not None else word(met) for _, met, found in verdicts)} |")
        for tool, reason in measured.reasons.get(case.name, {}).items():
            lines.append(f"| {case.title} | | {tool} did not run: {reason.replace('|', '/')} | | | | | |")
        absent = [a for a in case.aims if a.result not in measured.samples.get(case.name, {})]
        judged += [{"case": case.name, "result": a.result, "aim": a.text, "met": None, "found": "not judged"} for a in absent]
    return lines, judged


def write(options, workbench, cases, measured):
    """Writes bench.json (every sample) and bench.md, and prints the latter."""
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="ascii")
                if line.startswith("model name")), platform.machine())
    loads = measured.loads
    lines = [f"# galen and its peers, {time.strftime('%Y-%m-%d %H:%M')}", "",
             f"{cpu}, {options.threads} threads, load average {' → '.join(map(str, loads))} (each round's own work included), "
             f"{options.rounds} rounds, tools in turn; best of the rounds.", ""]
    if loads[0] > 0.5:
        lines += [f"**The machine was not idle when this began (load {loads[0]}): the figures are lower bounds.**", ""]
    lines += [f"Not compared: {name} – {reason}" for name, reason in workbench.missing.items()] + ([""] if workbench.missing else [])
    machines = workbench.machines
    if machines:
        lines += ["Limits measured by `galen bench` in this run (best over all calls): "
                  + ", ".join(f"{key} {max(m.get(key, 0) for m in machines):.4g}" for key in MACHINE
                              if any(key in m for m in machines)), ""]
    body, judged = table(cases, measured)
    met = [j["met"] for j in judged]
    lines += body + ["", f"{len(met)} aims: {met.count(True)} met, {met.count(False)} not met, {met.count(None)} not judged. Minutes: "
                     + ", ".join(f"{theme} {seconds / 60:.1f}" for theme, seconds in measured.seconds.items())
                     + " (what is made once for a case included)."]
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bench.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (options.out / "bench.json").write_text(json.dumps(
        {"cpu": cpu, "threads": options.threads, "loads": loads, "machine": machines, "samples": measured.samples,
         "reasons": measured.reasons, "missing": workbench.missing, "aims": judged, "seconds": measured.seconds},
        indent=1), encoding="utf-8")
    print("\n".join(lines))
