"""lm-evaluation-harness unchanged: its `local-completions` against `galen serve`, and its `hf` with transformers in fp32 on the
same dequantised weights. Both must give the same log-likelihoods, and the same verdict on what greedy decoding would write.

The harness is installed once into $GALEN_CACHE by pip, beside what the environment has already.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "harness_requirements.txt"
LIMIT_PER_TOKEN = 1e-4  # as the mean in tests/parity/models
CONTEXTS = ["The patient was given", "Sodium 139 mmol/L, potassium", "She has no known allergies. In the morning", "Question: is the liver"]
ENDINGS = [" two tablets of paracetamol.", " 4.1 mmol/L.", " the fever was gone.", " an organ? Answer: yes"]


def install():
    cache = Path(os.environ.get("GALEN_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "galen")
    folder = cache / f"harness-{hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]}"
    if not folder.is_dir():
        part = folder.with_suffix(f".{os.getpid()}.part")
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--target", part, "-r", REQUIREMENTS], check=True)
        part.rename(folder)
    sys.path.append(str(folder))


def check(cases):
    install()
    import transformers
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM
    from lm_eval.models.openai_completions import LocalCompletionsAPI
    sys.path[:0] = [str(HERE.parent / "models")]
    import golden
    folder = Path(os.environ.get("GALEN_MODELS", Path.home() / ".cache/galen/models"))
    real = next(r for r in golden.REAL if r.name == "gemma3-270m")
    tokens = folder / "tokenizers/gemma3"
    tokenizer = transformers.AutoTokenizer.from_pretrained(tokens)
    model = golden.load(real, folder)
    pairs = [(c, e) for c in CONTEXTS for e in ENDINGS]
    ask = lambda kind, arguments: [Instance(request_type=kind, doc={}, arguments=a, idx=i) for i, a in enumerate(arguments)]
    with cases.Server("--compute", "fp32", models=(f"tiny={folder / real.file}",)) as server:
        ours = LocalCompletionsAPI(model="tiny", base_url=f"http://127.0.0.1:{server.port}/v1/completions", tokenizer_backend="huggingface",
                                   tokenizer=str(tokens), batch_size=4, num_concurrent=1, max_length=2048,
                                   add_bos_token=True)  # as the other does for Gemma by itself
        theirs = HFLM(pretrained=model, tokenizer=tokenizer, device="cpu", dtype="float32", batch_size=1, max_length=2048)
        got, expected = (lm.loglikelihood(ask("loglikelihood", pairs)) for lm in (ours, theirs))
        for (context, ending), (a, greedy_a), (b, greedy_b) in zip(pairs, got, expected):
            limit = LIMIT_PER_TOKEN * len(tokenizer.encode(ending, add_special_tokens=False))
            assert abs(a - b) <= limit and greedy_a == greedy_b, f"{context!r} {ending!r}: {a} {greedy_a}, hf says {b} {greedy_b}"
        one, other = (lm.loglikelihood_rolling(ask("loglikelihood_rolling", [(" ".join(CONTEXTS),)]))[0] for lm in (ours, theirs))
        assert abs(one - other) <= LIMIT_PER_TOKEN * 60, (one, other)
    worst = max(abs(a - b) for (a, _), (b, _) in zip(got, expected))
    print(f"lm-evaluation-harness: {len(pairs)} log-likelihoods within {worst:.1e} of its Hugging Face back end, rolling {abs(one - other):.1e}")
