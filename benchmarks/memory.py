"""Peak memory of a training update and of sampling against vocabulary and length, Sanmai's and TRL's.

    python benchmarks/memory.py --smoke
    python benchmarks/memory.py --json m.json          # vocabularies 1k, 32k and 150k, 1,024 and 4,096 tokens in a pass

The model is narrow (width 128), so that the vocabulary decides. A training update is one pass over rows x length tokens, of
which all but the prompt are trained: loss, gradient, clipping and AdamW's first step (which makes its state); Sanmai's
`optimizer_step` and TRL's `compute_loss` with the same tokens, advantages and settings. Their losses must agree. Sampling
writes the same number of tokens with Sanmai's `sample` and TRL's `_generate_single_turn`, that is `model.generate`.

Each number is the largest resident memory of a process of its own, above what it held when model (and trainer) were loaded.
Prints medians and ranges over repeats, and the ratios TRL / Sanmai. The bar is a ratio of 2 in training at the largest
vocabulary and length.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import common
from common import Task, cell, in_subprocess, ratio_cell

PROMPT = 16
BAR = 2.0
TOLERANCE = {"float32": 1e-4, "bfloat16": 1e-2}
PHASES = ("training", "sampling")
CONTENDERS = ("TRL", "Sanmai")


class Peak:
    """Memory from here on, above what is held now."""

    def __init__(self) -> None:
        import gc

        import psutil

        gc.collect()
        with contextlib.suppress(OSError):  # Linux: forget the peak of loading
            Path("/proc/self/clear_refs").write_text("5")
        self.before = psutil.Process().memory_info().rss / 2**20

    def mb(self) -> float:
        return common.peak_mb() - self.before


def sequences(task: Task) -> tuple[Any, Any, Any]:
    """tokens_BT of prompts and completions, sampling log-probs of the completions, and advantages; without padding."""
    import torch

    generator = torch.Generator().manual_seed(0)
    tokens_BT = torch.randint(5, task.vocabulary, (task.rows, task.length), generator=generator)
    old_BC = (
        -torch.rand(task.rows, task.length - PROMPT, generator=generator) / 10 - torch.tensor(task.vocabulary).log()
    )
    advantage_B = torch.randn(task.rows, generator=generator)
    return tokens_BT, old_BC, advantage_B


def sanmai_training(task: Task) -> dict[str, float]:
    from sanmai.policies.text.pack import pack
    from sanmai.train.components import LossConfig, rl_components
    from sanmai.train.step import OptimizerConfig, make_optimizer, optimizer_step

    policy = load(task)
    tokens_BT, old_BC, advantage_B = sequences(task)
    pairs = [(row[:PROMPT], row[PROMPT:]) for row in tokens_BT.tolist()]
    config = OptimizerConfig(lr=common.LR, betas=common.BETAS, micro_tokens=task.rows * task.length)
    optimizer = make_optimizer(policy, config)
    peak = Peak()
    batch = pack(pairs, sampling_logp=old_BC.tolist())
    batch = batch.with_streams({"rl": advantage_B.unsqueeze(1) * batch.mask_BT})
    components = rl_components(LossConfig(preset="dapo"), task.length)
    result = optimizer_step(policy, optimizer, batch, components, lr=common.LR, temperature=1.0, config=config)
    return {"mb": peak.mb(), "loss": result.metrics["loss/rl"]}


def trl_training(task: Task) -> dict[str, float]:
    import torch

    trainer = trl_trainer(task)
    tokens_BT, old_BC, advantage_B = sequences(task)
    optimizer = trainer.create_optimizer()
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1  # which train() sets
    peak = Peak()
    mask_BC = torch.ones_like(old_BC, dtype=torch.long)
    inputs = {
        "prompt_ids": tokens_BT[:, :PROMPT],
        "prompt_mask": torch.ones(task.rows, PROMPT, dtype=torch.long),
        "completion_ids": tokens_BT[:, PROMPT:],
        "completion_mask": mask_BC,
        "advantages": advantage_B,
        "old_per_token_logps": old_BC,
        "num_items_in_batch": mask_BC.sum(),
    }
    loss = trainer.compute_loss(trainer.model, inputs)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trainer.model.parameters(), 1.0)
    optimizer.step()
    return {"mb": peak.mb(), "loss": loss.item()}


def sanmai_sampling(task: Task) -> dict[str, float]:
    from sanmai.policies.text.sampler import Request, SamplingConfig, sample

    policy = load(task)
    prompts = sequences(task)[0][:, :PROMPT].tolist()
    peak = Peak()
    requests = [Request(prompt, [(index,)]) for index, prompt in enumerate(prompts)]
    done = list(sample(policy, requests, SamplingConfig(max_tokens=task.length - PROMPT)))
    return {"mb": peak.mb(), "written": sum(len(completion.tokens) for completion in done)}


def trl_sampling(task: Task) -> dict[str, float]:
    trainer = trl_trainer(task)
    prompts = sequences(task)[0][:, :PROMPT].tolist()
    peak = Peak()
    completions, _ = trainer._generate_single_turn(prompts, None, {}, task.rows)
    return {"mb": peak.mb(), "written": sum(map(len, completions))}


def load(task: Task) -> Any:
    from sanmai.policies.text.config import ModelConfig
    from sanmai.policies.text.load import load_policy

    policy = load_policy(ModelConfig(name=task.folder, threads=task.threads, dtype=task.dtype))
    policy.stop_tokens = (task.vocabulary,)  # which the model cannot write
    return policy


def trl_trainer(task: Task) -> Any:
    values = vars(task) | {"prompts": 1, "group": task.rows, "max_tokens": task.length - PROMPT, "steps": 1}
    trainer = common.make_trl_trainer(Task(**values))
    trainer.eos_token_ids = [task.vocabulary]
    trainer.generation_config.eos_token_id = trainer.generation_kwargs["eos_token_id"] = task.vocabulary
    return trainer


def write_model(task: Task) -> int:
    values = vars(task) | {"lengths": "mixed"}
    return common.write_model(Task(**values), vocabulary=task.vocabulary, max_positions=max(task.lengths))


JOBS = {
    "TRL training": trl_training,
    "Sanmai training": sanmai_training,
    "TRL sampling": trl_sampling,
    "Sanmai sampling": sanmai_sampling,
    "write_model": write_model,
}

# Below: the process that the user starts. It does not import torch.


def report(runs: list[dict[str, Any]], parameters: dict[int, int]) -> str:
    found = common.collect(
        runs,
        lambda r: (r["phase"], r["dtype"], r["vocabulary"], r["tokens"], r["contender"]),
        {"mb": lambda r: r["mb"]},
    )
    lines = [f"{'MB':9}{'dtype':>9}{'vocabulary':>11}{'tokens':>8}  {'TRL':26}{'Sanmai':26}TRL / Sanmai"]
    for phase, dtype, vocabulary, tokens in dict.fromkeys(key[:4] for key in found):
        trl, ours = (found[phase, dtype, vocabulary, tokens, name]["mb"] for name in CONTENDERS)
        lines.append(f"{phase:9}{dtype:>9}{vocabulary:11,}{tokens:8,}  {cell(trl)}{cell(ours)}{ratio_cell(trl, ours)}")
    training = [key[1:4] for key in found if key[0] == "training"]
    if training:
        dtype, vocabulary, tokens = max(training, key=lambda key: (key[1], key[2], key[0] == "float32"))
        trl, ours = (median(found["training", dtype, vocabulary, tokens, name]["mb"]) for name in CONTENDERS)
        lines += ["", f"training, {dtype}, {vocabulary:,} words, {tokens:,} tokens: TRL / Sanmai {trl / ours:.2f}"]
        lines[-1] += f" (bar: at least {BAR:g} at 150,000 words and 4,096 tokens)"
        state = 3 * 4 * parameters[vocabulary] / 2**20
        lines.append(
            f"of each, gradient and AdamW's state: {state:.0f} MB; without them {(trl - state) / (ours - state):.2f}"
        )
    return "\n".join(line.rstrip() for line in lines)


def check(args: Task, runs: list[dict[str, Any]]) -> None:
    """End the benchmark when two contenders did not do the same work."""
    pairs: dict[tuple, list[dict[str, Any]]] = {}
    for run in runs:
        key = tuple(run[name] for name in ("repeat", "phase", "dtype", "vocabulary", "tokens"))
        pairs.setdefault(key, []).append(run)
    for key, (a, b) in pairs.items():
        if key[1] == "training" and not abs(a["loss"] - b["loss"]) <= TOLERANCE[key[2]] * max(abs(a["loss"]), 1.0):
            common.fail(f"{key}: the losses differ: {a['loss']} and {b['loss']}")
        expected = args.rows * (key[4] // args.rows - PROMPT)
        if key[1] == "sampling" and not a["written"] == b["written"] == expected:
            common.fail(f"{key}: {a['written']} and {b['written']} tokens were sampled; expected {expected}")


def main() -> None:
    parser = common.make_parser(__doc__)
    add = parser.add_argument
    add("--size", choices=common.SIZES, default="small", help="what --layers and --width replace parts of")
    add("--vocabularies", type=int, nargs="+", default=[1000, 32000, 150000], help="rows of the embedding")
    add("--lengths", type=int, nargs="+", default=[128, 512], help=f"tokens of a row, {PROMPT} of them prompt")
    add("--rows", type=int, default=8, help="rows in the pass")
    add("--phases", nargs="+", choices=PHASES, default=list(PHASES))
    add("--repeats", type=int, default=3, help="processes per number")
    add("--dtype", nargs="+", choices=common.DTYPES, default=["float32"], help="each contender runs with each of these")
    add("--threads", type=int, default=1, help="OpenMP threads")
    common.add_model_options(parser)
    args = parser.parse_args()
    if args.child:
        common.answer(args, JOBS)
        return
    if args.smoke:
        args.__dict__.update(vocabularies=[1000], lengths=[32], rows=2, repeats=1)
    if min(args.lengths) <= PROMPT:
        parser.error(f"--lengths {args.lengths}: each must be above the prompt's {PROMPT}")

    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="memory-") as folder:
        parameters = {}
        for vocabulary in args.vocabularies:
            args.folder = f"{folder}/{vocabulary}"
            parameters[vocabulary] = in_subprocess(args, "write_model", vocabulary=vocabulary)
        for repeat, phase, dtype, vocabulary, length, contender in itertools.product(
            range(args.repeats), args.phases, args.dtype, args.vocabularies, args.lengths, CONTENDERS
        ):
            args.folder = f"{folder}/{vocabulary}"
            load = os.getloadavg()[0]
            found = in_subprocess(args, f"{contender} {phase}", vocabulary=vocabulary, length=length, dtype=dtype)
            setting = {"contender": contender, "phase": phase, "dtype": dtype, "vocabulary": vocabulary}
            setting["tokens"] = args.rows * length
            runs.append({**setting, "repeat": repeat, "load": load, **found})
            print(f"repeat {repeat}", setting, found, file=sys.stderr)
    check(args, runs)
    facts = common.facts_of(args, "trl", parameters=parameters)
    print(*(f"{name}={value}" for name, value in facts.items()), end="\n\n")
    print(report(runs, parameters))
    common.write_json(args, facts=facts, runs=runs)


if __name__ == "__main__":
    main()
