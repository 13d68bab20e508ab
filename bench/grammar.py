#!/usr/bin/env python3
"""Compiling schemas and making token masks: galen beside llguidance and xgrammar, on the same schemas and documents.

    grammar.py [--driver FILE] [--tokenizer FILE] [--masks N] [--schemas FILE] [--every K] [--limit S] [--peers NAME...]
               [--out FILE] [--json]

For each schema of tests/parity/grammar/schemas.jsonl galen's random walks make documents; each engine compiles the schema once
and then makes the mask before every token of the documents, up to N masks. Whitespace is flexible in galen and llguidance, any
in xgrammar. What an engine refuses, or a document that it does not follow to its end, is counted and left out of the sums of
that pair. One thread. Needs llguidance and xgrammar (bench/peers/make_grammar.sh); runs with what it finds. --every K: each K-th
schema only. A schema that takes a peer longer than S seconds (some take xgrammar minutes) is given up, counted, and left out of the
sums. --json: figures of each engine, and for each peer the seconds that it and galen take to compile and to mask the schemas that
both do, per schema as many masks as both made.
"""

import argparse
import importlib
import json
import multiprocessing
import os
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def percentile(values, p):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(p * len(ordered)))] if ordered else float("nan")


def galen(driver, tokenizer, schemas, masks):
    """(documents by schema, compile seconds or None, mask seconds)."""
    walks = drive(driver, tokenizer, [{"schema": s, "walk": 6, "seed": i} for i, s in enumerate(schemas)])
    documents = [answer.get("walks", []) for answer in walks]
    timed = drive(driver, tokenizer, [{"schema": s, "documents": d, "time": True} for s, d in zip(schemas, documents)])
    compiled, spent = [], []
    for answer in timed:
        compiled.append(None if "error" in answer else answer["compile_s"])
        spent.append(sum(answer.get("mask_s", []), [])[:masks])
    return documents, compiled, spent


def drive(driver, tokenizer, requests):
    payload = "".join(json.dumps(r) + "\n" for r in requests).encode()
    done = subprocess.run([driver, tokenizer], input=payload, stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


class LlGuidance:
    name = "llguidance"

    def __init__(self, text, size):
        import llguidance
        import llguidance.numpy as masks
        self.lib, self.masks = llguidance, masks
        self.tokenizer = llguidance.LLTokenizer(text, n_vocab=size)
        self.bits = masks.allocate_token_bitmask(1, self.tokenizer.vocab_size)

    def compile(self, schema):
        grammar = self.lib.LLMatcher.grammar_from_json_schema(
            schema, overrides={"whitespace_flexible": True})
        matcher = self.lib.LLMatcher(self.tokenizer, grammar)
        if matcher.is_error():
            raise ValueError(matcher.get_error())
        self.masks.fill_next_token_bitmask(matcher, self.bits, 0)
        self.grammar = grammar
        return matcher

    def restart(self, matcher):
        matcher.reset()

    def mask(self, matcher):
        self.masks.fill_next_token_bitmask(matcher, self.bits, 0)

    def take(self, matcher, token):
        return matcher.consume_token(token)


class XGrammar:
    name = "xgrammar"

    def __init__(self, text, size):
        import tokenizers
        import xgrammar
        tokenizer = tokenizers.Tokenizer.from_str(text)
        vocabulary = [""] * size
        for token, i in tokenizer.get_vocab().items():
            vocabulary[i] = token
        kind = xgrammar.VocabType.BYTE_FALLBACK if "<0x00>" in tokenizer.get_vocab() else xgrammar.VocabType.BYTE_LEVEL
        info = xgrammar.TokenizerInfo(vocabulary, vocab_type=kind, vocab_size=size, stop_token_ids=[1])
        self.lib = xgrammar
        self.compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=False)
        self.bits = xgrammar.allocate_token_bitmask(1, size)

    def compile(self, schema):
        compiled = self.compiler.compile_json_schema(schema, any_whitespace=True)
        return self.lib.GrammarMatcher(compiled)

    def restart(self, matcher):
        matcher.reset()

    def mask(self, matcher):
        matcher.fill_next_token_bitmask(self.bits)

    def take(self, matcher, token):
        return matcher.accept_token(token)


def measure_schema(peer, schema, texts, masks):
    """(compile seconds or None, mask seconds, documents that were not followed)."""
    begin = time.perf_counter()
    try:
        matcher = peer.compile(schema)
    except Exception:
        return None, [], 0
    compiled = time.perf_counter() - begin
    times, lost = [], 0
    for tokens in texts:
        peer.restart(matcher)
        for token in tokens:
            if len(times) >= masks:
                break
            begin = time.perf_counter()
            peer.mask(matcher)
            times.append(time.perf_counter() - begin)
            if not peer.take(matcher, token):
                lost += 1
                break
    return compiled, times, lost


def work(kind, text, size, masks, tasks, pipe):
    """In a process of its own: says "ready", or why it is not, then a result for each of (schema, documents), in order."""
    with open(os.devnull, "wb") as null:  # warnings of each schema
        os.dup2(null.fileno(), 2)
    try:
        peer = kind(text, size)
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")
        return
    pipe.send("ready")
    for schema, texts in tasks:
        pipe.send(measure_schema(peer, schema, texts, masks))


def measure(kind, text, size, schemas, documents, masks, limit_s):
    """(compile seconds, mask seconds, documents not followed, schemas given up), or why there is nothing.

    A new process goes on behind a schema that was given up.
    """
    tasks, results, late = list(zip(schemas, documents)), [], 0
    fork = multiprocessing.get_context("fork")
    while len(results) < len(tasks):
        here, there = fork.Pipe()
        worker = fork.Process(target=work, args=(kind, text, size, masks, tasks[len(results):], there), daemon=True)
        worker.start()
        there.close()
        try:
            state = here.recv()
        except EOFError:
            state = "its process ended before the first schema"
        if state != "ready":
            worker.join()
            return state
        try:
            while len(results) < len(tasks):
                if not here.poll(limit_s):
                    raise EOFError
                results.append(here.recv())
        except EOFError:  # too long, or it crashed
            results.append((None, [], 0))
            late += 1
        worker.kill()
        worker.join()
    compiled, spent, lost = (list(column) for column in zip(*results))
    if not any(spent):
        return "it did none of the schemas"
    return compiled, spent, sum(lost), late


def figures(compiled, spent, lost=0, late=0):
    masks = [t for times in spent for t in times]
    done = [c for c in compiled if c is not None]
    return {"schemas": len(done), "of": len(compiled), "given_up": late, "not_followed": lost,
            "compile_median_ms": 1e3 * statistics.median(done), "compile_worst_ms": 1e3 * max(done),
            "mask_mean_us": 1e6 * statistics.mean(masks), "mask_median_us": 1e6 * percentile(masks, 0.5),
            "mask_p99_us": 1e6 * percentile(masks, 0.99)}


def row(name, compiled, spent, lost=0, late=0):
    f = figures(compiled, spent, lost, late)
    given_up = f", {late} given up" if late else ""
    return (f"| {name} | {f['schemas']} of {f['of']}{given_up} | {lost} | {f['compile_median_ms']:.2f} | "
            f"{f['compile_worst_ms']:.1f} | {f['mask_mean_us']:.1f} | {f['mask_median_us']:.1f} | {f['mask_p99_us']:.0f} |")


def together(engines):
    """(schemas that all engines do, {engine: seconds of their compiling and masks}); engines: {name: (compiled, spent)}."""
    seconds, both = dict.fromkeys(engines, 0.0), 0
    for results in zip(*(zip(compiled, spent) for compiled, spent in engines.values())):
        n = min(len(masks) for _, masks in results)
        if n == 0 or any(c is None for c, _ in results):
            continue
        both += 1
        for name, (c, masks) in zip(engines, results):
            seconds[name] += c + sum(masks[:n])
    return both, seconds


def ratio(name, ours, theirs):
    both, seconds = together({"galen": ours, name: theirs})
    a, b = seconds["galen"], seconds[name]
    return f"galen / {name}, compile and masks of {both} schemas: {a:.3f} s / {b:.3f} s = {a / b:.2f}"


def measure_peers(names, tokenizer_file, schemas, documents, masks, limit_s):
    """Yields (name, (compiled, spent, lost, late)), or (name, why there is nothing)."""
    text = Path(tokenizer_file).read_text()
    try:
        import tokenizers
    except ImportError as missing:
        yield from ((name, str(missing)) for name in names)
        return
    tokenizer = tokenizers.Tokenizer.from_str(text)
    ids = [[tokenizer.encode(d, add_special_tokens=False).ids for d in texts] for texts in documents]
    for kind in (LlGuidance, XGrammar):
        if kind.name not in names:
            continue
        try:
            importlib.import_module(kind.name)
        except ImportError as missing:
            yield kind.name, str(missing)
            continue
        yield kind.name, measure(kind, text, tokenizer.get_vocab_size(), schemas, ids, masks, limit_s)


def main():
    cache = os.environ.get("GALEN_CACHE") or os.path.expanduser("~/.cache/galen")
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--driver", default=str(ROOT / "build/release/tests/parity/grammar/grammar_driver"))
    parser.add_argument("--tokenizer", default=f"{cache}/models/tokenizers/gemma3/tokenizer.json")
    parser.add_argument("--schemas", default=str(ROOT / "tests/parity/grammar/schemas.jsonl"))
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--masks", type=int, default=200)
    parser.add_argument("--limit", type=float, default=10)
    parser.add_argument("--peers", nargs="*", default=["llguidance", "xgrammar"])
    parser.add_argument("--out")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    schemas = [json.dumps(json.loads(line)["schema"]) for line in Path(args.schemas).read_text().splitlines()[::args.every]]
    documents, compiled, spent = galen(args.driver, args.tokenizer, schemas, args.masks)
    engines, missing = {"galen": (compiled, spent, 0)}, {}
    say = (lambda *_: None) if args.json else (lambda text: print(text, flush=True))
    lines = [f"{len(schemas)} schemas, {sum(map(len, documents))} documents, load {os.getloadavg()[0]:.1f}", "",
             "| engine | schemas | documents not followed | compile ms, median | worst | mask µs, mean | median | p99 |",
             "|---|---|---|---|---|---|---|---|", row("galen", compiled, spent)]
    say("\n".join(lines))
    ratios = []
    for name, theirs in measure_peers(args.peers, args.tokenizer, schemas, documents, args.masks, args.limit):
        if isinstance(theirs, str):
            missing[name] = theirs
            lines.append(f"| {name}: {theirs} |")
        else:
            engines[name] = theirs
            lines.append(row(name, *theirs))
            ratios.append(ratio(name, (compiled, spent), theirs[:2]))
        say(lines[-1])
    say("\n".join(["", *ratios]))
    if args.out:
        Path(args.out).write_text("\n".join(lines + [""] + ratios) + "\n")
    if args.json:
        pairs = {}
        for name, found in engines.items():
            if name != "galen":
                both, seconds = together({"galen": (compiled, spent), name: found[:2]})
                pairs[name] = {"schemas": both, "galen": seconds["galen"], "peer": seconds[name]}
        print(json.dumps({"engines": {name: figures(*found) for name, found in engines.items()}, "missing": missing, "pairs": pairs}))


if __name__ == "__main__":
    main()
