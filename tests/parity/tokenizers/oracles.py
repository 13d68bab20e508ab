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


def without_control_pieces(document):
    """A Unigram model finds the pieces of control tokens in user text, even when told not to; galen does not."""
    document = copy.deepcopy(document)
    if document["model"]["type"] != "Unigram":
        return document
    for token in document["added_tokens"]:
        if token["special"]:
            document["model"]["vocab"][token["id"]][0] = "\U0010fffe" + str(token["id"])
    document["added_tokens"] = [t for t in document["added_tokens"] if not t["special"]]
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


def written_gguf(name, tokenizer_json, directory, model, pre, score=None):
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
    if score:
        writer.add_token_scores([score(i) for i in range(size)])
    else:
        merges = document["model"]["merges"]
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


def trained_sentencepiece(directory, training_lines):
    import sentencepiece
    text = Path(directory) / "training.txt"
    text.write_bytes(b"\n".join(line for line in training_lines if b"\0" not in line and line.strip()))
    for kind, options in (("unigram", {}), ("bpe", {"byte_fallback": True}),
                          ("bpe", {"byte_fallback": True, "add_dummy_prefix": False, "remove_extra_whitespaces": False,
                                   "normalization_rule_name": "identity", "user_defined_symbols": ["<ud>", "  ", "\n"]}),
                          ("unigram", {"user_defined_symbols": ["<ud>", "mmHg"], "treat_whitespace_as_suffix": True,
                                       "normalization_rule_name": "nfkc_cf"})):
        name = f"spm-{kind}-{len(options)}"
        prefix = str(Path(directory) / name)
        sentencepiece.SentencePieceTrainer.train(input=str(text), model_prefix=prefix, model_type=kind, vocab_size=1200, num_threads=1,
                                                 minloglevel=2, hard_vocab_limit=False, max_sentence_length=100000, **options)
        yield sentencepiece_model(name, Path(prefix + ".model"), small=True)


def cases(models, directory, training_lines):
    from zoo import zoo
    if models:
        base = models / "tokenizers"
        for name in ("gemma3", "llama2", "llama3", "qwen3"):
            path = base / name / "tokenizer.json"
            if path.exists():
                yield lambda path=path, name=name: from_json(name + ".json", path)
        gemma = next(iter(sorted(models.glob("gemma-3-270m*.gguf"))), None)
        if gemma and (base / "gemma3").exists():
            yield lambda: gemma_gguf(gemma, base / "gemma3" / "tokenizer.json")
        smollm = next(iter(sorted(models.glob("SmolLM2*.gguf"))), None)
        if smollm:
            yield lambda: smollm2_gguf(smollm)
        if (base / "llama3").exists():
            yield lambda: written_gguf("llama3", base / "llama3" / "tokenizer.json", directory, "gpt2", "llama-bpe")
            yield lambda: written_gguf("qwen3", base / "qwen3" / "tokenizer.json", directory, "gpt2", "qwen2")
            # Llama 2's SentencePiece model scores token i of its merges with 259 - i.
            yield lambda: written_gguf("llama2", base / "llama2" / "tokenizer.json", directory, "llama", "default", lambda i: min(0.0, 259.0 - i))
    medsiglip = REPOSITORY / "tests/data/medsiglip"
    yield lambda: from_json("medsiglip.json", medsiglip / "tokenizer.json")
    yield lambda: sentencepiece_model("medsiglip.spm", medsiglip / "spiece.model")
    for case in trained_sentencepiece(directory, training_lines):
        yield lambda case=case: case
    for path in zoo(directory, training_lines):
        yield lambda path=path: from_json(path.stem + ".json", path, small=True)
