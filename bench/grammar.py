#!/usr/bin/env python3
"""Compiling schemas and making token masks: galen beside llguidance and xgrammar, on the same schemas and documents.

    grammar.py [--driver FILE] [--tokenizer FILE] [--masks N] [--schemas FILE] [--out FILE]

For each schema of tests/parity/grammar/schemas.jsonl galen's random walks make documents; each engine compiles the schema once
and then makes the mask before every token of the documents, up to N masks. Whitespace is flexible in galen and llguidance, any
in xgrammar. What an engine refuses, or a document that it does not follow to its end, is counted and left out of the sums of
that pair. One thread. Needs llguidance and xgrammar (bench/peers/grammar_requirements.txt); runs with what it finds.
"""

import argparse
import json
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


def measure(peer, schemas, documents, masks):
    compiled, spent, lost = [], [], 0
    for schema, texts in zip(schemas, documents):
        begin = time.perf_counter()
        try:
            matcher = peer.compile(schema)
        except Exception:
            compiled.append(None)
            spent.append([])
            continue
        compiled.append(time.perf_counter() - begin)
        times = []
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
        spent.append(times)
    return compiled, spent, lost


def row(name, compiled, spent, lost=0):
    masks = [t for times in spent for t in times]
    done = [c for c in compiled if c is not None]
    return (f"| {name} | {len(done)} of {len(compiled)} | {lost} | {1e3 * statistics.median(done):.2f} | {1e3 * max(done):.1f} | "
            f"{1e6 * statistics.mean(masks):.1f} | {1e6 * percentile(masks, 0.5):.1f} | {1e6 * percentile(masks, 0.99):.0f} |")


def ratio(name, ours, theirs):
    """Compile and masks of the schemas that both do, per schema as many masks as both made."""
    a = b = 0.0
    both = 0
    for (c1, m1), (c2, m2) in zip(zip(*ours), zip(*theirs)):
        if c1 is None or c2 is None or not m1 or not m2:
            continue
        n = min(len(m1), len(m2))
        a, b, both = a + c1 + sum(m1[:n]), b + c2 + sum(m2[:n]), both + 1
    return f"galen / {name}, compile and masks of {both} schemas: {a:.3f} s / {b:.3f} s = {a / b:.2f}"


def main():
    cache = os.environ.get("GALEN_CACHE") or os.path.expanduser("~/.cache/galen")
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--driver", default=str(ROOT / "build/release/tests/parity/grammar/grammar_driver"))
    parser.add_argument("--tokenizer", default=f"{cache}/models/tokenizers/gemma3/tokenizer.json")
    parser.add_argument("--schemas", default=str(ROOT / "tests/parity/grammar/schemas.jsonl"))
    parser.add_argument("--masks", type=int, default=200)
    parser.add_argument("--peers", nargs="*", default=["llguidance", "xgrammar"])
    parser.add_argument("--out")
    args = parser.parse_args()
    schemas = [json.dumps(json.loads(line)["schema"]) for line in Path(args.schemas).read_text().splitlines()]
    documents, compiled, spent = galen(args.driver, args.tokenizer, schemas, args.masks)
    lines = [f"{len(schemas)} schemas, {sum(map(len, documents))} documents, load {os.getloadavg()[0]:.1f}", "",
             "| engine | schemas | documents not followed | compile ms, median | worst | mask µs, mean | median | p99 |",
             "|---|---|---|---|---|---|---|---|", row("galen", compiled, spent)]
    print("\n".join(lines), flush=True)
    ratios, shown = [], len(lines)
    text = Path(args.tokenizer).read_text()
    peers = []
    try:
        import tokenizers
        tokenizer = tokenizers.Tokenizer.from_str(text)
        size = tokenizer.get_vocab_size()
        ids = [[tokenizer.encode(d, add_special_tokens=False).ids for d in texts] for texts in documents]
        peers = [kind for kind in (LlGuidance, XGrammar) if kind.name in args.peers]
    except ImportError as missing:
        lines.append(f"no peers: {missing}")
    for kind in peers:
        try:
            peer = kind(text, size)
        except ImportError as missing:
            lines.append(f"| {kind.name}: {missing} |")
            continue
        theirs = measure(peer, schemas, ids, args.masks)
        lines.append(row(kind.name, *theirs))
        ratios.append(ratio(kind.name, (compiled, spent), theirs[:2]))
        print(lines[-1], ratios[-1], sep="\n", flush=True)
    report = "\n".join(lines + [""] + ratios) + "\n"
    print("\n".join(lines[shown:] + [""] + ratios))
    if args.out:
        Path(args.out).write_text(report)


if __name__ == "__main__":
    main()
