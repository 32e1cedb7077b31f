"""Sampling alone: Sanmai against `transformers` generate, its continuous batching, and vLLM where it is installed.

    python benchmarks/vs_generate.py --smoke
    python benchmarks/vs_generate.py                                      # 0.8 M parameters, float32, 1 and 2 threads
    python benchmarks/vs_generate.py --model FOLDER --prompts 64 --group 1 --max-tokens 48 --contenders generate products
    python benchmarks/vs_generate.py --size small medium --dtype float32 bfloat16 --lengths mixed --json g.json

All contenders complete the same prompts, each as many times as the group is large, with the same random weights at
temperature 1 without top-k or top-p. With equal lengths the stop token lies outside the model's output, so that all write
prompts x group x max_tokens tokens; with mixed ones any of four ordinary tokens stops, and tokens/s is what compares.

    Sanmai          `sample`: every completion with its log-probs
    generate        `model.generate`, one batch padded on the left; no log-probs
    manager         continuous batching with one manager that stays alive and few blocks; no log-probs
    products        the matrix products of the same work alone, on all threads: a bound, not a sampler
    generate_batch  continuous batching with a manager per call and few blocks; no log-probs
    vLLM            `LLM.generate`, with log-probs; only where `import vllm` works, and nothing needs it

In bfloat16 the others have bfloat16 weights; Sanmai does what model.dtype says, keeping float32 weights for training.

Contenders take turns, in every repeat once per setting, each in a subprocess of its own. The first call of each is not timed:
it asks for log-probs, and those of a few completions must be the model's own, computed by a plain forward pass in float32.

Prints the median over repeats (of the median over calls) with the range over repeats, and ratios of medians with the range of
the ratios within a repeat: of seconds with equal lengths, of tokens/s always; above 1 is Sanmai's advantage.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from statistics import mean, median
from typing import Any

import common
from common import Task, cell, in_subprocess, problems_of, ratio_cell

LOGP_TOLERANCE = {"float32": (1e-3, 1e-3), "bfloat16": (0.05, 0.5)}  # nats: mean and largest difference
Completions = list[tuple[list[int], list[float] | None]]  # tokens and log-probs, a group's side by side
Complete = Callable[[int, bool], Completions]  # (number of the call, whether log-probs are wanted)


@contextmanager
def sanmai(task: Task) -> Iterator[Complete]:
    from sanmai.policies.text.config import ModelConfig
    from sanmai.policies.text.load import load_policy
    from sanmai.policies.text.sampler import Request, SamplingConfig, sample

    policy = load_policy(ModelConfig(name=task.folder, threads=task.threads, dtype=task.dtype))
    if task.model:
        policy.stop_tokens = ()  # all complete as many tokens
    config = SamplingConfig(max_tokens=task.max_tokens)

    def complete(call: int, with_logp: bool) -> Completions:
        requests = [
            Request(tokens, [(call, index, g) for g in range(task.group)])
            for index, tokens in enumerate(prompts_of(task))
        ]
        done = sorted(sample(policy, requests, config), key=lambda c: (c.request, c.sample))
        return [(c.tokens, c.logp) for c in done]

    yield complete


@contextmanager
def generate(task: Task) -> Iterator[Complete]:
    import torch

    model, stops = load_model(task), stops_of(task)
    prompts = [tokens for tokens in prompts_of(task) for _ in range(task.group)]
    width = max(map(len, prompts))
    padded = [[0] * (width - len(tokens)) + tokens for tokens in prompts]
    inputs = {
        "input_ids": torch.tensor(padded),
        "attention_mask": torch.tensor([[int(i >= width - len(t)) for i in range(width)] for t in prompts]),
    }

    def complete(call: int, with_logp: bool) -> Completions:
        torch.manual_seed(call)
        options = {"return_dict_in_generate": True, "output_scores": True} if with_logp else {}
        with torch.inference_mode():
            output = model.generate(**inputs, **options, generation_config=generation_config(task))
        written = output.sequences if with_logp else output
        completions = [cut(row, stops) for row in written[:, width:].tolist()]
        if not with_logp:
            return [(tokens, None) for tokens in completions]
        logp_T_B = [
            scores.float().log_softmax(-1).gather(-1, written[:, width + t, None]).squeeze(-1).tolist()
            for t, scores in enumerate(output.scores)
        ]
        return [(tokens, [logp_T_B[t][row] for t in range(len(tokens))]) for row, tokens in enumerate(completions)]

    yield complete


@contextmanager
def manager(task: Task) -> Iterator[Complete]:
    model = load_model(task)
    prompts = [tokens for tokens in prompts_of(task) for _ in range(task.group)]

    def run(manager: Any) -> Completions:
        ids, done = manager.add_requests(inputs=prompts, max_new_tokens=task.max_tokens), {}
        while len(done) < len(ids):
            result = manager.get_result(timeout=60)
            if result is None or result.error is not None:
                raise RuntimeError(f"continuous batching failed: {result and result.error}")
            done[result.request_id] = (list(result.generated_tokens), list(result.logprobs) or None)
        return [done[name] for name in ids]

    def options(with_logp: bool) -> dict[str, Any]:
        return {"generation_config": generation_config(task), "continuous_batching_config": batching(task, with_logp)}

    with model.continuous_batching_context_manager(**options(True)) as scoring:
        scored = run(scoring)
    with model.continuous_batching_context_manager(**options(False)) as silent:
        run(silent)
        yield lambda call, with_logp: scored if with_logp else run(silent)


@contextmanager
def generate_batch(task: Task) -> Iterator[Complete]:
    model = load_model(task)
    prompts = [tokens for tokens in prompts_of(task) for _ in range(task.group)]

    def complete(call: int, with_logp: bool) -> Completions:
        done = model.generate_batch(
            prompts, generation_config=generation_config(task), continuous_batching_config=batching(task, with_logp)
        )
        if len(done) < len(prompts):
            raise RuntimeError(f"continuous batching finished {len(done)} of {len(prompts)} requests")
        return [(list(output.generated_tokens), list(output.logprobs) or None) for output in done.values()]

    yield complete


@contextmanager
def vllm(task: Task) -> Iterator[Complete]:
    os.environ |= {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    from vllm import LLM, SamplingParams

    longest = max(map(len, prompts_of(task))) + task.max_tokens
    llm = LLM(model=task.folder, dtype=task.dtype, max_model_len=longest, max_num_seqs=task.prompts * task.group)
    prompts = [{"prompt_token_ids": tokens} for tokens in prompts_of(task)]

    def complete(call: int, with_logp: bool) -> Completions:
        params = SamplingParams(
            n=task.group, temperature=1.0, top_p=1.0, top_k=0, max_tokens=task.max_tokens, logprobs=0, seed=call,
            stop_token_ids=stops_of(task),
        )  # fmt: skip
        outputs = [o for request in llm.generate(prompts, params, use_tqdm=False) for o in request.outputs]
        return [
            (list(o.token_ids), [at[token].logprob for at, token in zip(o.logprobs, o.token_ids, strict=True)])
            for o in outputs
        ]

    yield complete


@contextmanager
def products(task: Task) -> Iterator[Complete]:
    """The matrix products of the same work and nothing else: what no sampler that computes them can be faster than."""
    import torch

    model, rows = load_model(task), task.prompts * task.group
    weights = [m.weight for m in model.modules() if isinstance(m, torch.nn.Linear)]
    head, layers = weights.pop(), weights
    inputs = {(n, w.shape[1]): torch.randn(n, w.shape[1]).to(w.dtype) for w in [*layers, head]
              for n in {rows, sum(map(len, prompts_of(task)))}}  # fmt: skip

    def multiply(num_tokens: int, num_logits: int) -> None:
        for weight in layers:
            torch.nn.functional.linear(inputs[num_tokens, weight.shape[1]], weight)
        torch.nn.functional.linear(inputs[rows, head.shape[1]][:num_logits], head)

    def complete(call: int, with_logp: bool) -> Completions:
        with torch.inference_mode():
            multiply(sum(map(len, prompts_of(task))), task.prompts)
            for _ in range(task.max_tokens - 1):
                multiply(rows, rows)
        return [([0] * task.max_tokens, None)] * rows

    yield complete


def texts_of(task: Task) -> list[list[dict[str, str]]]:
    """Conversations for a model of one's own: a small sum each."""
    asked = "How much do {} and {} make together? Think about it step by step, then say what the sum is in a sentence of its own."
    return [[{"role": "user", "content": asked.format(7 * k + 3, 5 * k + 8)}] for k in range(task.prompts)]


def prompts_of(task: Task) -> list[list[int]]:
    from sanmai.data.chat import render_prompt

    if task.model:
        from transformers import AutoTokenizer

        own = AutoTokenizer.from_pretrained(task.model)
        return [render_prompt(own, messages) for messages in texts_of(task)]
    from sanmai.policies.text.tiny import tiny_tokenizer

    tokenizer = tiny_tokenizer()
    return [render_prompt(tokenizer, p.messages) for p in problems_of(task)]


def load_model(task: Task) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(task.threads)
    return AutoModelForCausalLM.from_pretrained(task.folder, dtype=getattr(torch, task.dtype)).eval()


def generation_config(task: Task) -> Any:
    from transformers import GenerationConfig

    return GenerationConfig(
        max_new_tokens=task.max_tokens, do_sample=True, temperature=1.0, top_k=0, top_p=1.0, pad_token_id=0,
        eos_token_id=stops_of(task),
    )  # fmt: skip


def batching(task: Task, with_logp: bool) -> Any:
    from transformers import ContinuousBatchingConfig

    return ContinuousBatchingConfig(
        num_blocks=task.blocks, max_batch_tokens=task.batch_tokens, return_logprobs=with_logp
    )


def stops_of(task: Task) -> list[int] | None:
    from transformers import GenerationConfig

    if task.model:
        return None
    stops = GenerationConfig.from_pretrained(task.folder).eos_token_id
    return stops if isinstance(stops, list) else [stops]


def cut(tokens: list[int], stops: list[int] | None) -> list[int]:
    """The tokens up to the first stop token."""
    stops = stops or []
    return tokens[: next((t + 1 for t, token in enumerate(tokens) if token in stops), len(tokens))]


def run(task: Task) -> dict[str, Any]:
    """Seconds and tokens of each call, and how far the log-probs are from the model's own."""
    calls = []
    with CONTENDERS[task.contender](task) as complete:
        scored = complete(0, True)
        for call in range(1, task.calls + 1):
            start = time.perf_counter()
            done = complete(call, False)
            calls.append({"seconds": time.perf_counter() - start, "tokens": sum(len(tokens) for tokens, _ in done)})
            if len(done) != task.prompts * task.group:
                raise RuntimeError(f"{len(done)} completions; expected {task.prompts * task.group}")
        peak = common.peak_mb()
    return {"calls": calls, "peak_mb": peak, "logp": logp_gaps(task, scored)}


def logp_gaps(task: Task, scored: Completions) -> dict[str, float]:
    """Mean and largest difference (nats) of some completions' log-probs to a plain forward pass in float32."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(task.folder, dtype=torch.float32).eval()
    prompts, gaps = prompts_of(task), []
    if scored[0][1] is None:  # bare products
        return {"mean": 0.0, "largest": 0.0}
    for row in range(0, len(scored), max(len(scored) // 8, 1)):
        (tokens, logp), prompt = scored[row], prompts[row // task.group]
        with torch.inference_mode():
            logits_TV = model(torch.tensor([prompt + tokens])).logits[0, len(prompt) - 1 : -1]
        own_T = logits_TV.log_softmax(-1).gather(-1, torch.tensor(tokens)[:, None]).squeeze(-1)
        gaps += (own_T - torch.tensor(logp)).abs().tolist()
    return {"mean": mean(gaps), "largest": max(gaps)}


CONTENDERS = {
    "Sanmai": sanmai, "generate": generate, "manager": manager, "generate_batch": generate_batch, "vLLM": vllm,
    "products": products,
}  # fmt: skip
BATCHING = ("manager", "generate_batch")
JOBS = {"run": run, "write_model": common.write_model}
COLUMNS = {
    "seconds": lambda run: median(call["seconds"] for call in run["calls"]),
    "tokens/s": lambda run: median(call["tokens"] / call["seconds"] for call in run["calls"]),
    "tokens per completion": lambda run: mean(call["tokens"] for call in run["calls"]) / run["rollouts"],
    "peak MB": lambda run: run["peak_mb"],
}

# Below: the process that the user starts. It does not import torch.


def report(runs: list[dict[str, Any]]) -> str:
    """Per model size: the measurements, then ratios to Sanmai at the same setting and at the fastest of each."""
    lines = []
    for size in dict.fromkeys(run["size"] for run in runs):
        of_size = [run for run in runs if run["size"] == size]
        found = common.collect(of_size, lambda run: (run["contender"], run["dtype"], run["threads"]), COLUMNS)
        lines += [f"{size:16}{'dtype':>9}{'threads':>8}  " + "".join(name.ljust(26) for name in COLUMNS)]
        for (contender, dtype, threads), columns in found.items():
            lines.append(f"{contender:16}{dtype:>9}{threads:8}  " + "".join(map(cell, columns.values())))
        lines += ["", f"{'ratios of medians to Sanmai':56}{'seconds':26}tokens/s"]
        pairs = {f"{c}, both {d}, {t} threads": ((c, d, t), ("Sanmai", d, t)) for c, d, t in found if c != "Sanmai"}
        fastest = {
            name: max((key for key in found if key[0] == name), key=lambda key: median(found[key]["tokens/s"]))
            for name in dict.fromkeys(key[0] for key in found)
        }
        ours = fastest.pop("Sanmai")
        for name, key in fastest.items():
            pairs[f"{name}, fastest of each: {key[1]}/{key[2]}, {ours[1]}/{ours[2]}"] = (key, ours)
        for label, (other, own) in pairs.items():
            seconds = ratio_cell(found[other]["seconds"], found[own]["seconds"])
            rate = ratio_cell(found[own]["tokens/s"], found[other]["tokens/s"])
            lines.append(f"{label:56}{seconds}{rate}")
        rates = {name: median(found[fastest[name]]["tokens/s"]) for name in BATCHING if name in fastest}
        if rates:
            lines.append(f"continuous batching is faster with: {max(rates, key=lambda name: rates[name])}")
        lines.append("")
    return "\n".join(line.rstrip() for line in lines)


def main() -> None:
    parser = common.make_parser(__doc__)
    add = parser.add_argument
    add("--size", nargs="+", choices=common.SIZES, default=["small"], help="0.8 or 4.8 M parameters")
    add(
        "--model", metavar="FOLDER", help="a model of one's own in place of the sizes; completions are of equal lengths"
    )
    add("--lengths", choices=("equal", "mixed"), default="equal", help="whether completions can stop early")
    add("--prompts", type=int, default=16, help="prompts of a call")
    add("--group", type=int, default=8, help="completions per prompt")
    add("--max-tokens", type=int, default=128, help="token budget of a completion")
    add("--calls", type=int, default=3, help="timed calls of a run")
    add("--repeats", type=int, default=3, help="runs per contender and setting")
    add("--dtype", nargs="+", choices=common.DTYPES, default=["float32"], help="each contender runs with each of these")
    add("--threads", type=int, nargs="+", default=[1, 2], help="each contender runs with each of these")
    add("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS), help="Sanmai always is one")
    add("--blocks", type=int, default=256, help="continuous batching: num_blocks")
    add("--batch-tokens", type=int, default=512, help="continuous batching: max_batch_tokens")
    common.add_model_options(parser)
    args = parser.parse_args()
    if args.child:
        common.answer(args, JOBS)
        return
    if args.smoke:
        args.__dict__.update(prompts=4, group=2, max_tokens=8, calls=1, repeats=1, threads=args.threads[:1])
    contenders = list(dict.fromkeys(["Sanmai", *args.contenders]))
    if args.model:
        args.size, args.model = [Path(args.model).name], str(Path(args.model).resolve())
    if "vLLM" in contenders and find_spec("vllm") is None:
        print("vllm: not installed")
        contenders.remove("vLLM")

    runs: list[dict[str, Any]] = []
    parameters = {}
    with tempfile.TemporaryDirectory(prefix="vs_generate-") as folder:
        for size in args.size:
            args.folder = args.model or f"{folder}/{size}"
            if not args.model:
                parameters[size] = in_subprocess(args, "write_model", size=size, threads=1)
        for repeat, size, dtype, threads, contender in itertools.product(
            range(args.repeats), args.size, args.dtype, args.threads, contenders
        ):
            args.folder = args.model or f"{folder}/{size}"
            setting = {"contender": contender, "size": size, "dtype": dtype, "threads": threads}
            load = os.getloadavg()[0]
            found = in_subprocess(args, "run", **setting)
            runs.append({**setting, "repeat": repeat, "load": load, "rollouts": args.prompts * args.group, **found})
            print(f"repeat {repeat}", setting, [round(call["seconds"], 3) for call in found["calls"]], file=sys.stderr)
            mean_gap, largest = LOGP_TOLERANCE[dtype]
            off = not (found["logp"]["mean"] <= mean_gap and found["logp"]["largest"] <= largest)
            if off and (contender == "Sanmai" or dtype == "float32"):  # how others round to bfloat16 is printed, and theirs
                common.fail(f"{setting}: its log-probs are not the model's: {found['logp']}")

    if args.lengths == "equal" and len(counts := {call["tokens"] for run in runs for call in run["calls"]}) > 1:
        common.fail(f"the contenders did not sample the same number of tokens: {counts}")
    facts = common.facts_of(args, parameters=parameters, load=common.load_range(runs))
    print(*(f"{name}={value}" for name, value in facts.items()))
    print("log-probs against a plain forward pass, largest mean difference in nats:", end="  ")
    worst = {(r["contender"], r["dtype"]): 0.0 for r in runs}
    for r in runs:
        worst[r["contender"], r["dtype"]] = max(worst[r["contender"], r["dtype"]], r["logp"]["mean"])
    print(*(f"{contender} {dtype} {gap:.0e}" for (contender, dtype), gap in worst.items()), sep="  ", end="\n\n")
    print(report(runs))
    common.write_json(args, facts=facts, runs=runs)


if __name__ == "__main__":
    main()
