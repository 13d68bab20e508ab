"""Small tokenizers that together use every component of tokenizer.json that galen knows."""

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SPECIAL = ["<unk>", "<s>", "</s>"]


def _bpe(texts, normalizer, pre_tokenizer, decoder, vocab_size, alphabet=(), **options):
    tokenizer = Tokenizer(models.BPE(**options))
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    if decoder:
        tokenizer.decoder = decoder
    special = SPECIAL + ([f"<0x{b:02X}>" for b in range(256)] if options.get("byte_fallback") else [])
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=special, initial_alphabet=list(alphabet), limit_alphabet=300,
                                  show_progress=False,
                                  **{k: v for k, v in options.items() if k == "end_of_word_suffix"})
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _unigram(texts, normalizer, pre_tokenizer, decoder, vocab_size):
    texts = ["".join(c for c in t if c < "\u0530" or c in "。、") for t in texts]  # it wants a piece for every character
    tokenizer = Tokenizer(models.Unigram())
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoder
    trainer = trainers.UnigramTrainer(vocab_size=vocab_size, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _all(texts, size):
    n, p, d = normalizers, pre_tokenizers, decoders
    alphabet = p.ByteLevel.alphabet()
    metaspace = d.Metaspace()
    fallback = d.Sequence([d.Replace("▁", " "), d.ByteFallback(), d.Fuse(), d.Strip(" ", 1, 0)])
    yield "bytelevel-nfd", _bpe(texts, n.NFD(), p.ByteLevel(add_prefix_space=True), d.ByteLevel(), size, alphabet)
    yield "bytelevel-nfkd-digits", _bpe(texts, n.Sequence([n.NFKD(), n.StripAccents(), n.Lowercase()]),
                                        p.Sequence([p.Digits(individual_digits=False), p.Punctuation("contiguous"), p.ByteLevel(add_prefix_space=False)]),
                                        d.ByteLevel(), size, alphabet)
    yield "bytelevel-inside", _bpe(texts, None, p.Sequence([p.ByteLevel(add_prefix_space=False), p.Split(Regex("[0-9][0-9][0-9]"), "isolated")]),
                                   d.ByteLevel(), size, alphabet)
    yield "o200k-like", _bpe(texts, n.NFKC(), p.Sequence([p.Split(Regex(
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
        r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"), "removed", True), p.ByteLevel(add_prefix_space=False, use_regex=False)]),
        d.ByteLevel(), size, alphabet)
    yield "words", _bpe(texts, n.Strip(), p.Whitespace(), None, size, unk_token="<unk>")
    yield "words-fused", _bpe(texts, n.StripAccents(), p.Sequence([p.WhitespaceSplit(), p.Punctuation("merged_with_previous")]), None, size,
                              unk_token="<unk>", fuse_unk=True)
    yield "merged-next", _bpe(texts, None, p.Split(Regex(r"\w+|[\p{P}\p{S}]"), "merged_with_next"), d.Fuse(), size, unk_token="<unk>")
    yield "merged-previous", _bpe(texts, None, p.Split(" ", "merged_with_previous"), d.Fuse(), size, unk_token="<unk>")
    yield "delimiter", _bpe(texts, n.Replace(Regex(r"\d+"), "0"), p.CharDelimiterSplit("-"), d.Fuse(), size, unk_token="<unk>")
    yield "fallback-first", _bpe(texts, None, p.Metaspace(prepend_scheme="first", split=False), fallback, size, unk_token="<unk>", fuse_unk=True,
                                 byte_fallback=True)
    yield "fallback-always", _bpe(texts, n.NFC(), p.Metaspace(prepend_scheme="always"), metaspace, size, unk_token="<unk>", byte_fallback=True)
    yield "prepend", _bpe(texts, n.Sequence([n.Prepend("▁"), n.Replace(" ", "▁")]), None, fallback, size, unk_token="<unk>", byte_fallback=True)
    yield "unigram", _unigram(texts, n.NFKC(), p.Metaspace(), metaspace, size)
    yield "unigram-first", _unigram(texts, n.Strip(left=True, right=False), p.Metaspace(prepend_scheme="first", split=False), metaspace, size)
    yield "clip", _bpe(texts, n.Sequence([n.NFC(), n.Replace(Regex(r"\s+"), " "), n.Lowercase()]), p.Sequence([p.Split(Regex(
        r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", True),
        p.ByteLevel(add_prefix_space=False)]), d.ByteLevel(), size, alphabet, unk_token="<unk>", end_of_word_suffix="</w>")
    yield "words-suffix", _bpe(texts, n.NFC(), p.Whitespace(), None, size, unk_token="<unk>", end_of_word_suffix="</w>")


def zoo(directory, training_lines, size=700):
    """Writes NAME.json files and yields their paths."""
    texts = [t for t in (line.decode("utf-8", "replace") for line in training_lines) if len(t) < 2000]
    for i, (name, tokenizer) in enumerate(_all(texts, size)):
        # Every combination of flags occurs in some tokenizer.
        tokenizer.add_tokens([
            AddedToken("<one>", single_word=bool(i & 1), lstrip=bool(i & 2), rstrip=bool(i & 4), normalized=bool(i & 8)),
            AddedToken("Straße", single_word=bool(i & 2), lstrip=bool(i & 4), rstrip=bool(i & 8), normalized=not i & 1),
            # (What a normaliser turns into nothing would match everywhere and make the library panic.)
            AddedToken("  ", normalized=bool(i & 1) and name != "unigram-first"),
            AddedToken("é", normalized=True, single_word=bool(i & 4)),
        ])
        tokenizer.add_special_tokens([AddedToken("<|turn|>", lstrip=bool(i & 8), rstrip=bool(i & 1)), AddedToken("<mask>", lstrip=True, rstrip=True)])
        if i % 3 == 0:
            tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
        elif i % 3 == 1:
            tokenizer.post_processor = processors.Sequence([processors.ByteLevel(), processors.TemplateProcessing(
                single="<s>:0 <|turn|>:0 $A:0", special_tokens=[("<s>", 1), ("<|turn|>", tokenizer.token_to_id("<|turn|>"))])])
        path = Path(directory) / f"zoo-{name}.json"
        path.write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False), encoding="utf-8")
        yield path


EXTRA_SPELLED = ["<one>", " <one> ", "Straße", "STRASSE", "xStraße", "é", "e\u0301", "<|turn|>", "  <|turn|>  ", "<mask>", "<unk>"]
