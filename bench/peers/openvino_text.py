#!/usr/bin/env python3
"""Prefill and decode speed of OpenVINO GenAI as one JSON line. usage: openvino_text.py DIR PROMPT GENERATE THREADS [bf16]

By itself OpenVINO rounds activations to int8 in groups of 32 where weights have four bits; bf16: it does not. Each repetition has a prompt of its own: its prefix cache would answer a repeated one.
"""

import json
import sys

import numpy as np
import openvino as ov
import openvino_genai as genai


def main():
    folder, prompt, generate, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    options = {"INFERENCE_NUM_THREADS": threads}
    if sys.argv[5:] == ["bf16"]:
        options |= {"DYNAMIC_QUANTIZATION_GROUP_SIZE": 0, "INFERENCE_PRECISION_HINT": "bf16"}
    pipeline = genai.LLMPipeline(folder, "CPU", **options)
    config = genai.GenerationConfig()
    config.max_new_tokens, config.do_sample, config.ignore_eos, config.apply_chat_template = generate, False, True, False

    def run(seed, length):
        ids = np.random.default_rng(seed).integers(100, 50000, (1, length)).astype(np.int64)
        inputs = genai.TokenizedInputs(ov.Tensor(ids), ov.Tensor(np.ones_like(ids)))
        metrics = pipeline.generate(inputs, config).perf_metrics
        return length / metrics.get_ttft().mean * 1e3, 1e3 / metrics.get_tpot().mean

    run(0, 32)
    prefill, decode = zip(*(run(seed, prompt) for seed in (1, 2, 3)))
    print(json.dumps({"prefill": max(prefill), "decode": max(decode), "version": genai.__version__}))


if __name__ == "__main__":
    main()
