#!/usr/bin/env python3
"""Writes corpus/tokenizer_json_fuzz and corpus/spm_fuzz: small valid files that use every component, and some damaged ones.
Standard library only; the SentencePiece models are those of tests/cases/tokenizers."""

import base64
import copy
import json
import struct
from pathlib import Path

HERE = Path(__file__).resolve().parent
CASES = HERE.parent / "cases/tokenizers"


def added(i, content, **flags):
    return {"id": i, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": False} | flags


def bpe(tokens, merges, **options):
    return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
            "fuse_unk": False, "byte_fallback": False, "vocab": {t: i for i, t in enumerate(tokens)}, "merges": merges} | options


def document(model, normalizer=None, pre=None, post=None, decoder=None, tokens=()):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": list(tokens), "normalizer": normalizer,
            "pre_tokenizer": pre, "post_processor": post, "decoder": decoder, "model": model}


def documents():
    bytes_ = [f"<0x{b:02X}>" for b in range(256)]
    spm = ["<unk>", "<s>", "</s>"] + bytes_ + list("▁abcdehlorw,!") + ["▁a", "ab", "aa", "aaaa", "he", "ll", "ld", "▁▁"]
    fallback = {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
                                                 {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    specials = [added(0, "<unk>", special=True, normalized=False), added(1, "<s>", special=True, lstrip=True), added(2, "</s>", special=True, rstrip=True)]
    template = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}
    yield "llama", document(bpe(spm, ["▁ a", "a b", "a a", "aa aa", "h e", "l l", "l d", "▁ ▁"], unk_token="<unk>", fuse_unk=True, byte_fallback=True),
                            {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
                            None, template, fallback, specials)
    alphabet = [chr(c) for c in list(range(33, 127)) + list(range(161, 173)) + list(range(174, 324))]
    split = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    yield "llama3", document(bpe(alphabet + ["Ġa", "ab", "he", "Ġthe"], [["Ġ", "a"], ["a", "b"], ["h", "e"]], ignore_merges=True),
                             {"type": "NFC"},
                             {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": split}, "behavior": "Isolated", "invert": False},
                                                                    {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
                             {"type": "Sequence", "processors": [{"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}]},
                             {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
                             [added(260, "<|turn|>", special=True, single_word=True), added(261, "\n\n")])
    unigram = {"type": "Unigram", "unk_id": 0, "byte_fallback": False,
               "vocab": [["<unk>", 0.0], ["▁", -2.0], ["a", -3.0], ["b", -3.5], ["ab", -4.0], ["▁a", -3.2], ["he", -5.0], ["the", -5.5], ["l", -6], ["é", -7.5]]}
    yield "unigram", document(unigram, {"type": "Sequence", "normalizers": [
        {"type": "Lowercase"}, {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}, {"type": "Strip", "strip_left": True, "strip_right": True},
        {"type": "StripAccents"}, {"type": "NFKC"}]},
        {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True},
        {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1], "trim_offsets": True, "add_prefix_space": True},
        {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}, [added(10, "<mask>", lstrip=True, rstrip=True, special=True)])
    steps = [{"type": "Digits", "individual_digits": True}, {"type": "Punctuation", "behavior": "MergedWithNext"}, {"type": "WhitespaceSplit"},
             {"type": "Whitespace"}, {"type": "CharDelimiterSplit", "delimiter": "-"},
             {"type": "Split", "pattern": {"String": "l"}, "behavior": "MergedWithPrevious", "invert": True},
             {"type": "Split", "pattern": {"Regex": r"[\p{Lu}\P{M}&&a]|\h+|[^\S\n]"}, "behavior": "Contiguous", "invert": False}]
    words = document(bpe(["a", "b", "l", "<unk>", "al", "h", "e"], ["a l"], unk_token="<unk>"), {"type": "NFD"}, {"type": "Sequence", "pretokenizers": steps[:-1]})
    yield "words", words
    refused = copy.deepcopy(words)
    refused["pre_tokenizer"]["pretokenizers"] = steps
    yield "refused_regex", refused
    charsmap = copy.deepcopy(unigram)
    # One entry: "b" becomes "aa".
    units = [0] * 512
    units[0] = 1 << 10
    units[1 ^ ord("b")] = ord("b") | 1 << 8 | (300 ^ (1 ^ ord("b"))) << 10
    units[300] = 1 << 31
    blob = struct.pack("<I", 4 * len(units)) + struct.pack(f"<{len(units)}I", *units) + b"aa\0"
    yield "charsmap", document(charsmap, {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(blob).decode()})


def main():
    target = HERE / "corpus/tokenizer_json_fuzz"
    target.mkdir(parents=True, exist_ok=True)
    for name, value in documents():
        (target / name).write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    (target / "deep").write_text('{"a":' + "[" * 300)
    (target / "merge_of_three").write_text('{"model":{"type":"BPE","vocab":{"a":0},"merges":[["a","b","c"]]}}')
    (target / "explodes").write_text(json.dumps(document(bpe(["a"], []), None, {
        "type": "Split", "pattern": {"Regex": "(?:a|a|aa)+[bc]"}, "behavior": "Removed", "invert": False})))
    target = HERE / "corpus/spm_fuzz"
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(CASES.glob("spm_*.json")):
        (target / path.stem).write_bytes(base64.b64decode(json.loads(path.read_text())["tokenizer"]["model"]))
    (target / "truncated").write_bytes(b"\x0a\x0a\x0a\x05hel")
    (target / "long_number").write_bytes(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")


if __name__ == "__main__":
    main()
