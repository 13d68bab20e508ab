"""Answers: compiling schemas and masks beside llguidance and xgrammar, decoding under a schema, extraction of pages by galen-mini."""

import json
import statistics
import time

from harness.case import Aim, Case, at_least, at_most, sample
from harness.process import Unavailable, child, child_json
from harness.workbench import ROOT

ENGINES = ("llguidance", "xgrammar")
SUMS = {engine: f"compile and masks of what {engine} does, too" for engine in ENGINES}


def grammar(workbench, slow=("xgrammar", 6), limit_s=5):
    """All schemas; for xgrammar each sixth, and no longer than 5 s on one: some take it minutes with a vocabulary of 262,145 tokens."""
    def measure(peers):
        driver = workbench.driver("parity/grammar/grammar_driver")
        results, env = {}, None
        if peers:
            try:
                env = {"PYTHONPATH": workbench.grammar_engines()}
            except Unavailable as error:
                results, peers = dict.fromkeys(peers, str(error)), []
        name, every = slow
        for step, engines in ((1, [p for p in peers if p != name]), (every, [p for p in peers if p == name])):
            if step > 1 and not engines:
                continue
            command = [workbench.python(), ROOT / "bench" / "grammar.py", "--driver", driver, "--tokenizer",
                       workbench.gemma_tokenizer / "tokenizer.json", "--every", step, "--limit", limit_s, "--json", "--peers", *engines]
            add(child_json(command, env), results)
        return results

    def add(answer, results):
        results |= answer["missing"]
        for name, f in answer["engines"].items():
            if name in results:  # galen's figures are those of all schemas
                continue
            note = f"{f['schemas']} of {f['of']} schemas" + (f", {f['given_up']} given up" if f["given_up"] else "")
            results[name] = {"compile, median": sample(f["compile_median_ms"], "ms", note=note),
                             "compile, worst": sample(f["compile_worst_ms"], "ms"),
                             "mask, mean": sample(f["mask_mean_us"], "µs"),
                             "mask, p99": sample(f["mask_p99_us"], "µs")}
        for name, pair in answer["pairs"].items():
            for tool, seconds in (("galen", pair["galen"]), (name, pair["peer"])):
                results[tool][SUMS[name]] = sample(seconds, "s", note=f"{pair['schemas']} schemas")
    return measure


def of_the_peer(engine, most):
    def judge(ours, peers):
        if not peers.get(engine, {}).get("value"):
            return None
        found = ours["value"] / peers[engine]["value"]
        return found <= most, f"{found:.2f}"
    return Aim(SUMS[engine], f"≤ {most} of {engine}'s", judge)


# Decoding under a schema beside decoding without.

TOKENS = 192
NAMES = ("systolic_blood_pressure_millimetres_of_mercury_at_admission", "diastolic_blood_pressure_millimetres_of_mercury_at_admission",
         "heart_rate_beats_per_minute_measured_after_five_minutes_of_rest", "respiratory_rate_breaths_per_minute_counted_over_one_minute",
         "oxygen_saturation_percent_measured_by_pulse_oximetry_on_room_air", "body_temperature_degrees_celsius_measured_at_the_ear",
         "pain_score_between_zero_and_ten_as_reported_by_the_patient", "number_of_current_medications_taken_regularly_at_home")
TEXT_SCHEMA = {"type": "object", "properties": {"summary": {"type": "string", "minLength": 4000}}, "required": ["summary"],
               "additionalProperties": False}
KEYS_SCHEMA = {"type": "object", "properties": {name: {"type": "integer", "minimum": 0, "maximum": 300} for name in NAMES},
               "required": list(NAMES), "additionalProperties": False}
QUESTION = "A patient presents with chest pain and shortness of breath. Describe history, examination and plan in detail."


def decode_rate(workbench, *arguments):
    """Tokens a second behind the first token; at least 64 of them, so that the figure means something."""
    answer = json.loads(child([workbench.galen, "run", workbench.gemma, QUESTION, "--max-tokens", TOKENS, "--threads", workbench.threads,
                               "--json", *arguments]))
    if len(answer["tokens"]) < 64:
        raise Unavailable(f"galen run: an answer of {len(answer['tokens'])} tokens is too short to be measured")
    return answer["timings"]["decode_tokens_per_s"]


def schemas(workbench, repeats=3):
    """Free answers and both schemas in turns; the medians are compared. Free ones are kept from ending (end of text, end of turn)."""
    def measure():
        ways = {"free": ("--logit-bias", "1=-inf", "--logit-bias", "106=-inf")}
        for name, schema in (("text", TEXT_SCHEMA), ("keys", KEYS_SCHEMA)):
            path = workbench.scratch / f"{name}.json"
            path.write_text(json.dumps(schema))
            ways[name] = ("--schema", path, "--whitespace", "compact")
        rates = {name: [] for name in ways}
        for _ in range(repeats):
            for name, arguments in ways.items():
                rates[name].append(decode_rate(workbench, *arguments))
        median = {name: statistics.median(values) for name, values in rates.items()}
        return {result: sample(median[name] / median["free"], "×", note=f"{median[name]:.4g} tok/s, free {median['free']:.4g}")
                for result, name in (("one long text, schema / free", "text"), ("long fixed keys, schema / free", "keys"))}
    return measure


# Pages.

def pages_of(workbench, count):
    folder = workbench.scratch / "slips"
    if not folder.exists():
        child([workbench.galen, "data", "synth", "--kind", "lab_report", "--language", "en", "--count", count, "--seed", "7", "--one-page",
               "--out", folder, "--threads", workbench.threads])
    return sorted(folder.glob("*.png"))


def extract(workbench, files):
    """Seconds of a call, from the start of the program to its end."""
    out = workbench.scratch / "extracted.json"
    begin = time.perf_counter()
    child([workbench.galen, "extract", *files, "--schema", "lab_report", "--threads", workbench.threads, "--out", out])
    seconds = time.perf_counter() - begin
    if not json.loads(out.read_text())["values"]:
        raise Unavailable("galen extract: no value was read")
    return seconds


def pages(workbench, count=12):
    """Calls of one page each (the median), and one call with all of them as one case."""
    def measure():
        files = pages_of(workbench, count)
        single = statistics.median(extract(workbench, [file]) for file in files[:5])
        return {"one page, the program's start included": sample(single, "s"),
                "pages of one call": sample(len(files) / extract(workbench, files), "pages/s", note=f"{len(files)} files")}
    return measure


def cases(w):
    return [
        Case("grammar", "answers", "JSON Schema, Gemma 3's vocabulary", together=grammar(w), peers=ENGINES, once=True,
             aims=(*(of_the_peer(engine, 0.6) for engine in ENGINES), at_most("compile, median", 50, "ms"), at_most("compile, worst", 1000, "ms"),
                   at_most("mask, mean", 40, "µs"), at_most("mask, p99", 400, "µs"))),
        Case("schema", "answers", "Gemma 3 270M, decoding", {"galen": schemas(w)},
             aims=(at_least("one long text, schema / free", 1.0, "×"), at_least("long fixed keys, schema / free", 1.5, "×"))),
        Case("extract", "answers", "galen-mini, laboratory reports", {"galen": pages(w)},
             aims=(at_most("one page, the program's start included", 2, "s"), at_least("pages of one call", 1, "pages/s"))),
    ]
