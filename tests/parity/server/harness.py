"""lm-evaluation-harness unchanged: its `local-completions` against `galen serve`, and its `hf` with transformers in fp32 on the
same dequantised weights. Both must give the same log-likelihoods, and the same verdict on what greedy decoding would write.

Twice: its classes, and its command line with the local tasks in tasks/. The harness is installed once into $GALEN_CACHE by pip, beside what
the environment has already.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "harness_requirements.txt"
LIMIT_PER_TOKEN = 1e-4  # as the mean in tests/parity/models
# What a user gets who sets nothing: bf16. Mean over all tokens as in tests/parity/models, where rounding.py measures PyTorch's own.
BF16_LIMIT_PER_TOKEN = 1.2e-2
TASKS = ("ward_choice", "ward_word", "ward_answer")
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
    check_tasks(cases, folder / real.file, model, tokenizer, tokens)
    print(f"lm-evaluation-harness: {len(pairs)} log-likelihoods within {worst:.1e} of its Hugging Face back end, rolling {abs(one - other):.1e}")


def evaluate(kind, arguments, out, tasks=TASKS, options=()):
    """`lm_eval run` on local tasks: {(task, document, answer): what the model said}, {task: {metric: value}}. Said: (log-likelihood, greedy,
    text), of tasks that generate the text alone."""
    command = [sys.executable, "-m", "lm_eval", "run", "--model", kind, "--model_args", ",".join(f"{k}={v}" for k, v in arguments.items()),
               "--tasks", ",".join(tasks), "--include_path", HERE / "tasks", "--device", "cpu", "--log_samples", "--output_path", out, *options]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1",
                   "HF_HOME": str(out / "home"), "OPENAI_API_KEY": "none", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, env=environment, cwd=HERE / "tasks", capture_output=True, text=True)  # the files of tasks are named from there
    assert done.returncode == 0, f"lm_eval --model {kind}: {done.stderr[-3000:]}"
    said, metrics = {}, {}
    for task in tasks:
        for line in next(out.rglob(f"samples_{task}_*.jsonl")).read_text().splitlines():
            sample = json.loads(line)
            for i, (answer, request) in enumerate(zip(sample["filtered_resps"], sample["arguments"].values())):
                scored = isinstance(answer, list)
                said[task, sample["doc_id"], i] = (float(answer[0]), str(answer[1]) == "True", request["arg_1"]) if scored else answer
    for task, values in json.loads(next(out.rglob("results_*.json")).read_text())["results"].items():
        metrics[task] = {k.split(",")[0]: v for k, v in values.items() if isinstance(v, float)}
    return said, metrics


def compare(name, got, expected, tokens):
    """Log-likelihoods within the limit of `name`; in fp32 each of them, the verdicts on greedy decoding, and the generated texts."""
    assert got.keys() == expected.keys()
    scored = [key for key in got if key[0] != "ward_answer"]
    off = {key: abs(got[key][0] - expected[key][0]) for key in scored}
    mean = sum(off.values()) / sum(tokens(expected[key][2]) for key in scored)
    assert len(scored) >= 60 and mean <= (LIMIT_PER_TOKEN if name == "fp32" else BF16_LIMIT_PER_TOKEN), f"{name}: {mean} a token"
    for key in scored if name == "fp32" else ():
        (a, greedy, text), (b, greedy_b, _) = got[key], expected[key]
        assert off[key] <= LIMIT_PER_TOKEN * tokens(text), f"{key} {text!r}: {a}, hf says {b}"
        assert greedy == greedy_b, f"{key} {text!r}: greedy {greedy}, hf says {greedy_b}"
    written = [key for key in got if key[0] == "ward_answer"]
    same = sum(got[key] == expected[key] for key in written)
    assert name != "fp32" or same == len(written) > 0, {key: (got[key], expected[key]) for key in written if got[key] != expected[key]}
    return f"{len(scored)} log-likelihoods off by {mean:.1e} a token, by {max(off.values()):.1e} at most; {same} of {len(written)} texts the same"


def check_tasks(cases, file, model, tokenizer, tokens):
    """Its own command line, as a user calls it: `local-completions` against galen, in fp32 and as galen comes, and `hf` on the weights as transformers
    saves them; `local-chat-completions` against galen's own answers."""
    count = lambda text: len(tokenizer.encode(text, add_special_tokens=False))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        model.save_pretrained(folder / "hf")
        tokenizer.save_pretrained(folder / "hf")
        expected, metrics = evaluate("hf", {"pretrained": folder / "hf", "dtype": "float32"}, folder / "theirs", options=("--batch_size", "1"))
        for name, options in (("fp32", ("--compute", "fp32")), ("default", ())):
            with cases.Server(*options, models=(f"gemma={file}",)) as server:
                url = f"http://127.0.0.1:{server.port}/v1/completions"
                got, ours = evaluate("local-completions", {"model": "gemma", "base_url": url, "tokenizer": tokens, "num_concurrent": 2, "max_length": 2048,
                                                           "add_bos_token": "True"}, folder / name, options=("--batch_size", "4"))
            said = compare(name, got, expected, count)
            for task, metric in (("ward_choice", "acc"), ("ward_choice", "acc_norm"), ("ward_word", "acc"), ("ward_answer", "exact_match")):
                assert name != "fp32" or ours[task][metric] == metrics[task][metric], (task, metric, ours[task], metrics[task])
            print(f"lm_eval, {name}: {said}; accuracy " + ", ".join(f"{ours[t]['acc']:.3f} (hf {metrics[t]['acc']:.3f})" for t in TASKS[:2]))
        if cases.SMOLLM.is_file():
            check_talk(cases, folder / "talk")


def check_talk(cases, out):
    with cases.Server("--batch-invariant", models=(f"words={cases.SMOLLM}",)) as server:
        url = f"http://127.0.0.1:{server.port}/v1/chat/completions"
        got, _ = evaluate("local-chat-completions", {"model": "words", "base_url": url, "num_concurrent": 2}, out, TASKS[2:], ("--apply_chat_template",))
        for line in next(out.rglob("samples_ward_answer_*.jsonl")).read_text().splitlines():
            sample = json.loads(line)
            asked = json.loads(sample["arguments"]["gen_args_0"]["arg_0"][0])
            own = server.post("/v1/chat/completions", {"model": "words", "messages": asked, "temperature": 0, "max_tokens": 12, "stop": ["\n"]})
            assert got["ward_answer", sample["doc_id"], 0] == own["choices"][0]["message"]["content"] != "", (sample["doc_id"], own)
    print(f"lm_eval, chat: {len(got)} answers, each galen's own")
