#!/usr/bin/env python3
"""Writes configs/models/mini: a small Gemma 3 with a SigLIP-shaped tower as a folder that `galen train` begins from with
`init: random`: config.json, preprocessor_config.json, chat_template.jinja, tokenizer.json, tokenizer_config.json. Standard library only.

    make_mini.py [DIR]

The tokenizer knows characters and no merges; what it does not know becomes bytes. What stands between two values in an answer
(`","value":`) is one piece, and so is the question: the structure of configs/schemas costs a token between two values.
Paper is 0 (image_mean 1, image_std 1): an empty patch is a vector of zeros.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONTROL = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>",
           "<image_soft_token>"]
CHARACTERS = ["\n", "\u2581"] + [chr(c) for c in range(33, 127)] + list("ÀÂÄÇÈÉÊËÎÏÔÖÙÛÜßàâäçèéêëîïôöùûüÿœµ°±²³×–≤≥Ω€")


def separators(schema):
    """All texts between neighbouring values of the compact JSON documents of a schema, in which each property is required."""
    found = set()

    def resolved(node):
        while "$ref" in node:
            target = schema
            for name in node["$ref"].removeprefix("#/").split("/"):
                target = target[name]
            node = target
        return node

    def ends(node):
        """How the texts of a value's documents begin and end, up to and from their first and last contents."""
        node = resolved(node)
        kinds = node.get("type", "string")
        begins, closes = set(), set()
        for kind in [kinds] if isinstance(kinds, str) else kinds:
            if kind == "string":
                begins.add('"')
                closes.add('"')
            elif kind == "array":
                first, last = ends(node["items"])
                begins |= {"[" + x for x in first} | {"[]"}
                closes |= {x + "]" for x in last} | {""}
                found.update(x + "," + y for x in last for y in first)
            elif kind == "object":
                last = None
                for name, child in node["properties"].items():
                    first, after = ends(child)
                    if last is None:
                        begins |= {f'{{"{name}":{x}' for x in first}
                    else:
                        found.update(f'{x},"{name}":{y}' for x in last for y in first)
                    # A line of a page prints some of the values.
                    found.update(f'{{"{name}":{x}' for x in first)
                    found.update(f',"{name}":{x}' for x in first)
                    last = after
                closes |= {x + "}" for x in last}
            else:
                begins |= {"null": {"null"}, "boolean": {"true", "false"}}.get(kind, {""})
                closes.add("")
        return begins, closes

    for side in ends(schema):
        found |= side
    return found


def structure():
    schemas = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "configs/schemas").glob("*.json"))}
    found = {"{}", '"]}', '"}]}'}
    for schema in schemas.values():
        found |= separators(schema)
    what = [*schemas, *(f"line of a {kind}" for kind in schemas)]
    prompts = [f"Extract this {kind} as JSON." for kind in what]
    return sorted(x for x in found if len(x) > 1) + prompts + ["user\n", "model\n", "Transcribe this line."]


PIECES = CONTROL + [f"<0x{b:02X}>" for b in range(256)] + CHARACTERS
STRUCTURE = structure()
VOCABULARY = -(-(len(PIECES) + len(STRUCTURE)) // 64) * 64

TEMPLATE = """{{ bos_token }}{% for m in messages %}<start_of_turn>{{ 'model' if m.role == 'assistant' else 'user' }}
{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}{% if p.type == 'image' %}<start_of_image>{% else %}{{ p.text }}{% endif %}{% endfor %}{% endif %}<end_of_turn>
{% endfor %}{% if add_generation_prompt %}<start_of_turn>model
{% endif %}"""


def config():
    sizes = dict(hidden_size=256, intermediate_size=640, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=1,
                 head_dim=64)
    text = dict(model_type="gemma3_text", vocab_size=VOCABULARY, max_position_embeddings=4096, rms_norm_eps=1e-6,
                hidden_activation="gelu_pytorch_tanh", query_pre_attn_scalar=64, sliding_window=1024, initializer_range=0.04,
                layer_types=["full_attention"] * sizes["num_hidden_layers"], attention_bias=False, tie_word_embeddings=True, pad_token_id=0,
                eos_token_id=1, bos_token_id=2,
                rope_parameters={kind: {"rope_type": "default", "rope_theta": 10000.0}
                                 for kind in ("full_attention", "sliding_attention")}, **sizes)
    vision = dict(model_type="siglip_vision_model", hidden_size=192, intermediate_size=768, num_hidden_layers=6,
                  num_attention_heads=3, num_channels=3, image_size=256, patch_size=16, layer_norm_eps=1e-6,
                  hidden_act="gelu_pytorch_tanh", vision_use_head=False)
    return dict(architectures=["Gemma3ForConditionalGeneration"], model_type="gemma3", mm_tokens_per_image=256,
                boi_token_index=CONTROL.index("<start_of_image>"), eoi_token_index=CONTROL.index("<end_of_image>"),
                image_token_index=CONTROL.index("<image_soft_token>"), eos_token_id=[1, CONTROL.index("<end_of_turn>")],
                tie_word_embeddings=True, text_config=text, vision_config=vision)


def tokenizer():
    added = [dict(id=i, content=piece, single_word=False, lstrip=False, rstrip=False, normalized=False, special=i < len(CONTROL))
             for i, piece in enumerate(PIECES + STRUCTURE) if i < len(CONTROL) or i >= len(PIECES)]
    return dict(version="1.0", truncation=None, padding=None, added_tokens=added,
                normalizer=dict(type="Replace", pattern={"String": " "}, content="\u2581"),
                pre_tokenizer=None, post_processor=None,
                decoder=dict(type="Sequence", decoders=[dict(type="Replace", pattern={"String": "\u2581"}, content=" "),
                                                        dict(type="ByteFallback"), dict(type="Fuse")]),
                model=dict(type="BPE", dropout=None, unk_token="<unk>", continuing_subword_prefix=None,
                           end_of_word_suffix=None, fuse_unk=True, byte_fallback=True, ignore_merges=False,
                           vocab={piece: i for i, piece in enumerate(PIECES)}, merges=[]))


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "configs/models/mini"
    folder.mkdir(parents=True, exist_ok=True)
    write = lambda name, value: (folder / name).write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n",
                                                           encoding="utf-8")
    write("config.json", config())
    write("preprocessor_config.json", dict(
        image_processor_type="Gemma3ImageProcessor", do_resize=True, do_rescale=True, do_normalize=True, do_pan_and_scan=None,
        image_mean=[1.0] * 3, image_std=[1.0] * 3, resample=2, rescale_factor=1 / 255, image_seq_length=256,
        size=dict(height=256, width=256), page_lines=dict(row_height=16, row_width=256, max_rows=12, long_side=1024, kinds=["lab_report"])))
    write("tokenizer.json", tokenizer())
    write("tokenizer_config.json", dict(tokenizer_class="GemmaTokenizer", bos_token="<bos>", eos_token="<eos>",
                                        unk_token="<unk>", pad_token="<pad>", add_bos_token=True, add_eos_token=False))
    (folder / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")


if __name__ == "__main__":
    main()
