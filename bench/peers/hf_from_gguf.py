#!/usr/bin/env python3
"""A Hugging Face directory (bf16 safetensors, config, tokenizer) of Gemma 3 270M from its GGUF file, for exporters.

usage: hf_from_gguf.py MODEL.gguf TOKENIZER_DIR OUT      (with the environment of tools/make_oracle.sh)
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM


def main():
    gguf, tokenizer, out = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    tensors = {k: v.to(torch.bfloat16).contiguous() for k, v in model.state_dict().items() if k != "lm_head.weight"}
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    config = model.config.to_dict()
    config.pop("quantization_config", None)
    # transformers 4 reads these; transformers 5 has them inside rope_parameters.
    config.update(rope_theta=1e6, rope_local_base_freq=1e4, torch_dtype="bfloat16", tie_word_embeddings=True,
                  architectures=["Gemma3ForCausalLM"])
    (out / "config.json").write_text(json.dumps(config, indent=1))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(tokenizer / name, out / name)


if __name__ == "__main__":
    main()
