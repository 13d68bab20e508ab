"""The tokenizers that run.py compares, each with the Hugging Face object that knows the right ids."""

import copy
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

REPOSITORY = Path(__file__).resolve().parents[3]


@dataclass
class Case:
    name: str
    kind: str  # of the driver: json, gguf, spm
    path: Path
    spelled: list = field(default_factory=list)  # texts of special tokens
    special: Any = None  # encodes with special tokens recognised; decodes
    plain: Any = None    # encodes with control tokens as ordinary text
    small: bool = False  # a tokenizer made for a test: fewer lines


def hugging_face(document, plain_document=None):
    special = Tokenizer.from_str(json.dumps(document))
    plain = Tokenizer.from_str(json.dumps(plain_document or document))
    plain.encode_special_tokens = True
    return special, plain


def encode(tokenizer, texts, around):
    """Ids of each text; None where the library panics, as it does on some overlaps of tokens flagged lstrip and rstrip."""
    try:
        return [e.ids for e in tokenizer.encode_batch_fast(texts, add_special_tokens=around)]
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        if len(texts) == 1:
            return [None]
        half = len(texts) // 2
        return encode(tokenizer, texts[:half], around) + encode(tokenizer, texts[half:], around)


def without_control_pieces(document):
    """A Unigram model finds the pieces of control tokens in user text, even when told not to; galen does not."""
    document = copy.deepcopy(document)
    if document["model"]["type"] != "Unigram":
        return document
    vocab = document["model"]["vocab"]
    known = {piece for piece, _ in vocab}
    control = [t for t in document["added_tokens"] if t["special"] and t["content"] in known]
    for token in control:
        vocab[token["id"]][0] = "\U0010fffe" + str(token["id"])
    document["added_tokens"] = [t for t in document["added_tokens"] if t not in control]
    document["post_processor"] = None
    return document


def from_json(name, path, small=False):
    document = json.loads(path.read_text(encoding="utf-8"))
    special, plain = hugging_face(document, without_control_pieces(document))
    spelled = [t["content"] for t in document["added_tokens"]][:400]
    return Case(name, "json", path, spelled, special, plain, small)


def gemma_gguf(path, tokenizer_json):
    """The same vocabulary as in tokenizer.json; the file itself says which tokens are control tokens."""
    import gguf
    types = gguf.GGUFReader(path).fields["tokenizer.ggml.token_type"].contents()
    document = json.loads(tokenizer_json.read_text(encoding="utf-8"))
    document["added_tokens"] = [t for t in document["added_tokens"] if t["id"] < len(types)]  # <image_soft_token> is not in the file
    flagged = copy.deepcopy(document)
    for token in flagged["added_tokens"]:
        token["special"] = types[token["id"]] == 3 or token["special"]
    special, plain = hugging_face(document, flagged)
    return Case("gemma3.gguf", "gguf", path, [t["content"] for t in document["added_tokens"]][:400], special, plain)


def smollm2_gguf(path):
    """Vocabulary and merges of the file in the pipeline of SmolLM2's tokenizer.json."""
    import gguf
    fields = gguf.GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    merges = fields["tokenizer.ggml.merges"].contents()
    document = {
        "version": "1.0", "truncation": None, "padding": None, "normalizer": None,
        "added_tokens": [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
                         for i, t in enumerate(tokens) if types[i] == 3],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": True},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}]},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {t: i for i, t in enumerate(tokens)}, "merges": merges},
    }
    special, plain = hugging_face(document)
    return Case("smollm2.gguf", "gguf", path, [t["content"] for t in document["added_tokens"]], special, plain)


def scores_of(merges, vocab):
    """Scores that order merges as the list does: a SentencePiece model has one per token, and converters list the pairs by it."""
    scores = [0.0] * (max(vocab.values()) + 1)
    for rank, merge in enumerate(merges):
        made = vocab["".join(merge.split(" ") if isinstance(merge, str) else merge)]
        scores[made] = scores[made] or -1.0 - rank
    return scores


def written_gguf(name, tokenizer_json, directory, model, pre):
    """A GGUF file with the vocabulary of a tokenizer.json, as llama.cpp's converter would write it."""
    import gguf
    document = json.loads(tokenizer_json.read_text(encoding="utf-8"))
    vocab = document["model"]["vocab"]
    added = {t["id"]: t for t in document["added_tokens"]}
    size = max(max(vocab.values()), *added) + 1
    tokens = [f"[PAD{i}]" for i in range(size)]
    types = [5] * size
    for text, i in vocab.items():
        tokens[i], types[i] = text, 6 if model == "llama" and text.startswith("<0x") and len(text) == 6 else 1
    for i, token in added.items():
        tokens[i], types[i] = token["content"], 3 if token["special"] else 4
    if document["model"].get("unk_token"):
        types[vocab[document["model"]["unk_token"]]] = 2
    path = Path(directory) / f"{name}.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model(model)
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    merges = document["model"]["merges"]
    if model == "llama":
        scores = scores_of(merges, vocab)
        writer.add_token_scores(scores + [0.0] * (size - len(scores)))
    else:
        writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    bos = [i for i, t in added.items() if t["content"] in ("<s>", "<|begin_of_text|>")]
    if bos:
        writer.add_bos_token_id(bos[0])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    special, plain = hugging_face(document)
    return Case(name + ".gguf", "gguf", path, [t["content"] for t in document["added_tokens"]], special, plain)


class SentencePieceOracle:
    """sentencepiece itself; it decodes unknown pieces in its own way, so only ids are compared."""

    def __init__(self, path):
        import sentencepiece
        self.model = sentencepiece.SentencePieceProcessor(model_file=str(path))

    def ids(self, texts):
        return self.model.encode(texts)


def sentencepiece_model(name, path, small=False):
    return Case(name, "spm", path, [], None, SentencePieceOracle(path), small)


def trained_sentencepiece(directory, training_lines, vocab_size=1200, rules=False):
    """Models of both kinds. `rules`: with a normalisation of a few rules, so that the files stay small."""
    import sentencepiece
    table = Path(directory) / "rules.tsv"
    table.write_text("41\t61\nFB01\t66 69\nE9\t65\n65 301\t65\n3000\t20\nAD\t\n2F00\t4E00\n")
    text = Path(directory) / "training.txt"
    if rules:
        training_lines = [line for line in training_lines if max(line.decode("utf-8", "replace"), default="") < "\u0250"]
    text.write_bytes(b"\n".join(line.replace(b"\0", b"").replace(b"\n", b" ") for line in training_lines))
    for kind, options in (("unigram", {}), ("bpe", {"byte_fallback": True}),
                          ("bpe", {"byte_fallback": True, "add_dummy_prefix": False, "remove_extra_whitespaces": False,
                                   "normalization_rule_name": "identity", "user_defined_symbols": ["<ud>", "  ", "\n"]}),
                          ("unigram", {"user_defined_symbols": ["<ud>", "mmHg"], "treat_whitespace_as_suffix": True,
                                       "normalization_rule_name": "nfkc_cf"})):
        name = f"spm-{kind}-{len(options)}"
        if rules and options.get("normalization_rule_name") != "identity":
            options = {k: v for k, v in options.items() if k != "normalization_rule_name"} | {"normalization_rule_tsv": str(table)}
        prefix = str(Path(directory) / name)
        sentencepiece.SentencePieceTrainer.train(input=str(text), model_prefix=prefix, model_type=kind, vocab_size=vocab_size, num_threads=1,
                                                 minloglevel=2, hard_vocab_limit=False, character_coverage=0.98, **options)
        yield sentencepiece_model(name, Path(prefix + ".model"), small=True)


def cases(models, directory, training_lines):
    """Yields (name, function that makes the Case)."""
    from zoo import zoo
    base = models / "tokenizers" if models else None
    medsiglip = REPOSITORY / "tests/data/medsiglip"
    yield "medsiglip.json", lambda: from_json("medsiglip.json", medsiglip / "tokenizer.json")
    yield "medsiglip.spm", lambda: sentencepiece_model("medsiglip.spm", medsiglip / "spiece.model")
    for case in trained_sentencepiece(directory, training_lines):
        yield case.name, lambda case=case: case
    for path in zoo(directory, training_lines):
        yield path.stem + ".json", lambda path=path: from_json(path.stem + ".json", path, small=True)
    if not models:
        return
    files = {name: base / name / "tokenizer.json" for name in ("gemma3", "llama2", "llama3", "qwen3")}
    for name, path in files.items():
        if path.exists():
            yield name + ".json", lambda path=path, name=name: from_json(name + ".json", path)
    gemma = next(iter(sorted(models.glob("gemma-3-270m*.gguf"))), None)
    if gemma and files["gemma3"].exists():
        yield "gemma3.gguf", lambda: gemma_gguf(gemma, files["gemma3"])
    smollm = next(iter(sorted(models.glob("SmolLM2*.gguf"))), None)
    if smollm:
        yield "smollm2.gguf", lambda: smollm2_gguf(smollm)
    if files["llama3"].exists():
        yield "llama3.gguf", lambda: written_gguf("llama3", files["llama3"], directory, "gpt2", "llama-bpe")
    if files["qwen3"].exists():
        yield "qwen3.gguf", lambda: written_gguf("qwen3", files["qwen3"], directory, "gpt2", "qwen2")
    if files["llama2"].exists():
        yield "llama2.gguf", lambda: written_gguf("llama2", files["llama2"], directory, "llama", "default")
