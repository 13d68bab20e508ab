#!/usr/bin/env python3
"""Writes src/text/tokenizer/unicode_tables.inc: what Hugging Face `tokenizers` takes for a letter, digit, mark, ...

The library links several Unicode databases of different age (Oniguruma, the Rust standard library, old crates), none of
them the age of the ICU and PCRE2 that galen links. So the sets are read from the library itself, one code point at a
time. Needs tokenizers==0.23.3. Usage: make_unicode_tables.py > src/text/tokenizer/unicode_tables.inc
"""
import base64
import json
import pathlib
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

assert tokenizers.__version__ == "0.23.3", tokenizers.__version__
assert unicodedata.unidata_version <= "14.0.0", "needs Python <= 3.11: the deltas count from PCRE2 10.42 (Unicode 14)"
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def ranges(points):
    out = []
    for c in sorted(points):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def emit(name, points, comment):
    found = ranges(points)
    print(f"// {comment}")
    print(f"constexpr CodeRange {name}[] = {{")
    line = "   "
    for a, b in found:
        item = f" {{0x{a:x}, 0x{b:x}}},"
        if len(line) + len(item) > 100:
            print(line)
            line = "   "
        line += item
    print(line)
    print("};")


def splits(pre_tokenizer):
    return {c for c in CODE_POINTS if len(pre_tokenizer.pre_tokenize_str("aa" + chr(c) + "aa")) > 1}


def matches(regex):
    replace = normalizers.Replace(Regex(regex), "")
    return {c for c in CODE_POINTS if not replace.normalize_str(chr(c))}


print("// Made by tests/parity/tokenizers/make_unicode_tables.py from tokenizers 0.23.3. Do not edit.")
emit("kWordChars", set(CODE_POINTS) - splits(pre_tokenizers.Whitespace()) - {0x20},
     r"\w of the regex crate: the Whitespace pre-tokenizer and single_word of added tokens.")
emit("kNumericChars", splits(pre_tokenizers.Digits(individual_digits=True)), "The Digits pre-tokenizer.")
emit("kPunctuationChars", splits(pre_tokenizers.Punctuation()), "The Punctuation pre-tokenizer.")
strip = normalizers.StripAccents()
emit("kStrippedMarks", {c for c in CODE_POINTS if not strip.normalize_str(chr(c))}, "What StripAccents removes.")
lower = normalizers.Lowercase()
pairs = [(c, lower.normalize_str(chr(c))) for c in CODE_POINTS]
pairs = [(c, r) for c, r in pairs if r != chr(c)]
assert [c for c, r in pairs if len(r) != 1] == [0x130]
# Runs of code points with one common distance and step.
runs = []
for c, r in pairs:
    if c == 0x130:
        continue
    d = ord(r) - c
    if runs and runs[-1][3] == d and c - runs[-1][1] in (1, 2) and runs[-1][2] in (0, c - runs[-1][1]):
        runs[-1][2] = c - runs[-1][1]
        runs[-1][1] = c
    else:
        runs.append([c, c, 0, d])
print("// Lowercase: first, last, step, distance. U+0130 becomes two characters and is handled in code.")
print("constexpr LowerRun kLowerRuns[] = {")
line = "   "
for a, b, s, d in runs:
    item = f" {{0x{a:x}, 0x{b:x}, {s or 1}, {d}}},"
    if len(line) + len(item) > 100:
        print(line)
        line = "   "
    line += item
print(line)
print("};")
# A cluster below 6 bytes is looked up whole in the character map: U+03C9 U+0345 becomes U+1FF3, unless a third joins them.
sigtok = tokenizers.Tokenizer.from_file(str(pathlib.Path(__file__).parents[2] / "data/medsiglip/tokenizer.json"))
charsmap = next(n["precompiled_charsmap"] for n in json.loads(sigtok.to_str())["normalizer"]["normalizers"] if n["type"] == "Precompiled")
precompiled = normalizers.Precompiled(base64.b64decode(charsmap))
assert precompiled.normalize_str("\u03c9\u0345") == "\u1ff3"
emit("kClusterJoiners", {c for c in CODE_POINTS if c >= 0x300 and not precompiled.normalize_str("\u03c9\u0345" + chr(c)).startswith("\u1ff3")},
     "What goes on a grapheme cluster in front of it: Extend, ZWJ and SpacingMark of the library's Unicode version.")
print("// Oniguruma's general categories beyond those of Unicode 14, which the oldest PCRE2 that we link knows.")
for category in "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So".split():
    now = matches(r"\p{" + category + "}")
    then = {c for c in CODE_POINTS if unicodedata.category(chr(c)) == category}
    print(f"{category}: {len(now - then)} new, {len(then - now)} gone", file=sys.stderr)
    if now - then:
        emit(f"kNew{category}", now - then, rf"\p{{{category}}}")
word = matches(r"\w")
base = {c for c in CODE_POINTS if unicodedata.category(chr(c)) in ("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Pc", "Nl")}
assert not base - word - {0x10FFFF}, sorted(map(hex, base - word))
emit("kWordExtra", word - base, r"Oniguruma's \w beyond [\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}] of Unicode 14.")
