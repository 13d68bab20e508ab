#!/usr/bin/env python3
"""One QLoRA step with PEFT and bitsandbytes on the processor, as one JSON line: seconds, and the most memory that was resident.

    peft_step.py SHAPE TOKENS LABELLED RANK THREADS CACHE

SHAPE: gemma3-270m or medgemma-4b-6-layers, those of `galen bench --train --type nf4`: the same sizes, random weights, adapters of
RANK on all linear layers, one sequence of TOKENS of which the last share LABELLED counts in the loss, AdamW. The way of PEFT's and
bitsandbytes' guides: NF4 with double quantisation, bf16 compute, prepare_model_for_kbit_training; activations are kept, not computed
again. The base is written into CACHE by a process of its own, so that its making is in nobody's memory.
"""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

SHAPES = {
    "gemma3-270m": dict(vocab_size=262144, hidden_size=640, intermediate_size=2048, num_hidden_layers=18, num_attention_heads=4,
                        num_key_value_heads=1, head_dim=256, sliding_window=512),
    "medgemma-4b-6-layers": dict(vocab_size=32768, hidden_size=2560, intermediate_size=10240, num_hidden_layers=6, num_attention_heads=8,
                                 num_key_value_heads=4, head_dim=256, sliding_window=1024),
    # For tests of this script.
    "tiny": dict(vocab_size=512, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
                 head_dim=32, sliding_window=64),
}
STEPS = 3  # measured, after one that is not


def make_base(shape, folder):
    import torch
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig
    torch.manual_seed(0)
    config = Gemma3TextConfig(query_pre_attn_scalar=256, **SHAPES[shape])
    part = folder.with_name(folder.name + ".part")
    Gemma3ForCausalLM(config).to(torch.bfloat16).save_pretrained(part)
    part.rename(folder)


def measure(shape, tokens, labelled, rank, threads, folder):
    import torch
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    quantisation = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
                                      bnb_4bit_compute_dtype=torch.bfloat16)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, attn_implementation="sdpa",
                                                 quantization_config=quantisation)
    model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    model = get_peft_model(model, LoraConfig(r=rank, lora_alpha=rank, lora_dropout=0.0, target_modules="all-linear",
                                             task_type="CAUSAL_LM"))
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-4)
    model.train()
    seconds = []
    for step in range(STEPS + 1):
        ids = torch.randint(0, SHAPES[shape]["vocab_size"], (1, tokens))
        labels = ids.clone()
        labels[:, :int(tokens * (1 - labelled))] = -100
        begin = time.perf_counter()
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        seconds.append(time.perf_counter() - begin)
    if not torch.isfinite(loss):
        sys.exit("peft_step.py: the loss is not finite")
    return {"train_step": min(seconds[1:]), "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            "trained": sum(p.numel() for p in trained), "loss": loss.item()}


def main():
    if sys.argv[1] == "--make":
        make_base(sys.argv[2], Path(sys.argv[3]))
        return
    shape, cache = sys.argv[1], Path(sys.argv[6])
    folder = cache / shape
    if not folder.exists():
        subprocess.run([sys.executable, __file__, "--make", shape, folder], check=True, stdout=subprocess.DEVNULL)
    os.environ["HF_HUB_OFFLINE"] = "1"
    print(json.dumps(measure(shape, int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]), folder)))


if __name__ == "__main__":
    main()
