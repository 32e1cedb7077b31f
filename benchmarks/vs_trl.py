"""Whole GRPO steps: Sanmai against TRL's GRPOTrainer, on one machine, doing the same work.

    python benchmarks/vs_trl.py --smoke                       # under a minute: does it run, do both do the same work?
    python benchmarks/vs_trl.py                               # 0.8 M parameters, 1 and 2 threads: some minutes
    python benchmarks/vs_trl.py --size medium --json m.json   # 4.8 M parameters, and everything measured as JSON
    python benchmarks/vs_trl.py --lengths mixed --rows 0 32   # uneven completions; training passes of all rows, and of 32
    python benchmarks/vs_trl.py --dtype float32 bfloat16      # each contender in both (float32 weights, bfloat16 autocast)
    python benchmarks/vs_trl.py --model FOLDER --prompts 8 --max-tokens 48 --rows 16 --threads 2   # a model of one's own

Needs `pip install -e .[dev]` (for TRL) and downloads nothing: model, tokenizer and prompts are made here.

Both get the same random weights, prompts, group size, token budget, reward function, loss (dapo, no KL) and AdamW settings,
at temperature 1 without top-k or top-p; each step samples all prompts and makes one update. With equal lengths
(default) the stop token lies outside the model's output, so that both sample prompts x group x max_tokens tokens a step;
with mixed ones any of four ordinary tokens stops: of a budget of 128, completions use about 45 on average. A model of one's own
stops where it stops, so that tokens per step differ a little; it is asked small sums in words.

First the rollouts of two prompts go through both: prompts, advantages, loss and gradient must agree in float32; in bfloat16 our
gradient must be within 5 % of the float32 one, or at most 1.25 times as far from it as TRL's bfloat16 gradient is (both are
printed). Then TRL
and Sanmai take turns, in every repeat once per setting, each time in a subprocess of its own. A step lasts from the end of the
one before it to its own; the first is not counted. Sampling is TRL's `_generate_single_turn` and Sanmai's `sample` (grading runs
meanwhile). TRL neither logs nor saves; Sanmai runs the recipe as a user does: it stores every rollout and grades style besides
the reward.

Prints the median over repeats (of the median over steps) with the range over repeats, then ratios of medians with the range
of the ratios within a repeat, at the same setting and at the fastest of each; above 1 is Sanmai's advantage.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, median
from typing import Any

import common
from common import WARMUP, Task, cell, in_subprocess, make_trl_trainer, problems_of, ratio_cell, reward, sanmai_config

TOLERANCE = 1e-4
GRADIENT_TOLERANCE = 0.05
AS_NEAR = 1.25
"""What is as near, of two distances that rounding alone makes: 16 rollouts of SmolLM2 gave 7.5 and 7.0 %, 64 gave 5 and 8 %."""
CHECKED_PROMPTS = 2
"""Whose rollouts go through both at once: 64 of a model of 135 M parameters took 15 GB."""


class StepClock:
    """Seconds of each step, and seconds and tokens of the sampling in it."""

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []
        self._start, self._sampling, self._tokens = time.perf_counter(), 0.0, 0

    def sampled(self, seconds: float, tokens: int) -> None:
        self._sampling, self._tokens = self._sampling + seconds, self._tokens + tokens

    def end_step(self) -> None:
        now = time.perf_counter()
        self.steps.append({"seconds": now - self._start, "sampling": self._sampling, "tokens": self._tokens})
        self._start, self._sampling, self._tokens = now, 0.0, 0

    def result(self) -> dict[str, Any]:
        return {"steps": self.steps[WARMUP:], "peak_mb": common.peak_mb()}


def run_trl(task: Task) -> dict[str, Any]:
    from transformers import TrainerCallback

    class Report(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.end_step()

    trainer, clock = make_trl_trainer(task), StepClock()
    trainer.add_callback(Report())
    generate = trainer._generate_single_turn

    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        completions, logps = generate(*args, **kwargs)
        clock.sampled(time.perf_counter() - start, sum(map(len, completions)))
        return completions, logps

    trainer._generate_single_turn = timed
    trainer.train()
    return clock.result()


def run_sanmai(task: Task) -> dict[str, Any]:
    from sanmai.learn.progress import Progress
    from sanmai.policies.text import drawing
    from sanmai.recipes.zero import run_zero

    clock, sample = StepClock(), drawing.sample

    class Report(Progress):
        def step(self, *args: Any, **named: Any) -> None:
            super().step(*args, **named)
            clock.end_step()
            if len(clock.steps) == WARMUP + task.steps:
                raise common.Enough

    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        for completion in sample(*args, **kwargs):
            clock.sampled(time.perf_counter() - start, len(completion.tokens))
            yield completion
            start = time.perf_counter()
        clock.sampled(time.perf_counter() - start, 0)

    drawing.sample = timed
    out, problems = Path(tempfile.mkdtemp()), problems_of(task)
    with contextlib.suppress(common.Enough):
        run_zero(sanmai_config(task), out, problems=problems, reward=reward, progress=Report(None))
    return clock.result()


def compare_on_one_batch(task: Task) -> dict[str, Any]:
    """Sanmai samples rollouts; both grade them and take loss and gradient. How much they differ."""
    import torch

    from sanmai.losses import group_advantages
    from sanmai.policies.text.load import load_policy
    from sanmai.policies.text.pack import pack_rollouts
    from sanmai.rewards.rubric import Rubric
    from sanmai.rollout.credit import with_advantages
    from sanmai.rollout.engine import rollout
    from sanmai.train.components import rl_components
    from sanmai.train.step import accumulate

    config = sanmai_config(task)
    policy, rubric = load_policy(config.model), Rubric(config.rewards, {"reward": reward})
    groups, _ = rollout(
        policy,
        problems_of(task),
        rubric,
        rollouts_per_prompt=task.group,
        seed=(0,),
        policy_version=0,
        sampling=config.sampling,
        grading=config.grading,
    )
    rollouts = [
        r.credited(advantage)
        for group in groups
        for r, advantage in zip(group.rollouts, group_advantages([r.reward for r in group.rollouts]), strict=True)
    ]
    batch = with_advantages(pack_rollouts(rollouts), rollouts)
    # Ratios away from 1: otherwise the loss does not depend on the log-probs, and nothing is clipped. In bfloat16 nothing may
    # be: rounding would move tokens over the edge, and each moves the gradient by the whole of its own.
    spread = 0.3 if task.dtype == "float32" else 0.03
    noise_BT = spread * torch.randn(batch.mask_BT.shape, generator=torch.Generator().manual_seed(0))
    batch = dataclasses.replace(batch, sampling_logp_BT=(batch.sampling_logp_BT + noise_BT) * batch.mask_BT)

    def our_gradient(policy: Any) -> tuple[dict[str, float], dict[str, Any]]:
        components = rl_components(config.loss, task.max_tokens)
        metrics = accumulate(policy, batch, components, 1.0, config.optimizer.micro_tokens).metrics
        return metrics, {name: p.grad for name, p in policy.weights.items()}

    found, ours = our_gradient(policy)

    trainer = make_trl_trainer(task)
    trainer.model.eval()
    trainer._generate_single_turn = lambda *_, **__: ([r.completion_tokens for r in rollouts], None)
    inputs = trainer._generate_and_score_completions([row for row in trainer.train_dataset for _ in range(task.group)])
    old_BC = torch.zeros(inputs["completion_ids"].shape)
    old_BC[inputs["completion_mask"].bool()] = batch.sampling_logp_BT[batch.mask_BT]
    loss = trainer.compute_loss(trainer.model, inputs | {"old_per_token_logps": old_BC})
    loss.backward()
    theirs = {name: p.grad for name, p in trainer.model.named_parameters()}

    def norm(tensors: Any) -> float:
        return torch.stack([t.norm() for t in tensors]).norm().item()

    def gap(a: dict[str, Any], b: dict[str, Any]) -> float:
        return norm([a[name] - b[name] for name in b]) / norm(b.values())

    prompts = [token for r in rollouts for token in r.prompt_tokens]
    gradients = {"between the gradients": gap(ours, theirs)}
    if task.dtype != "float32":
        _, exact = our_gradient(load_policy(config.model.model_copy(update={"dtype": "float32"})))
        gradients |= {"TRL's to float32": gap(theirs, exact), "Sanmai's to float32": gap(ours, exact)}
    return {
        "values": {
            "TRL's loss": loss.item(),
            "Sanmai's loss": found["loss/rl"],
            "clipped": found["policy/clip_fraction"],
        },
        "differences": {
            "prompts": float(inputs["prompt_ids"][inputs["prompt_mask"].bool()].tolist() != prompts),
            "advantages": (inputs["advantages"] - torch.tensor([r.advantage for r in rollouts])).abs().max().item(),
            "loss": abs(loss.item() - found["loss/rl"]),
        },
        "gradients": gradients,
    }


def check_same_work(args: Task) -> dict[str, Any]:
    """Dtype -> what one batch gave in both; ends the benchmark where they differ."""
    checks = {}
    prompts = min(args.prompts, CHECKED_PROMPTS)
    for dtype in dict.fromkeys(["float32", *args.dtype]):
        given = {"threads": args.threads[0], "rows": prompts * args.group, "dtype": dtype, "prompts": prompts}
        check = in_subprocess(args, "compare", **given)
        # The loss is near 0 by construction, so in bfloat16 only the gradient says something.
        bounded = {**check["differences"], "loss": 0.0} if dtype != "float32" else check["differences"]
        if not all(gap <= TOLERANCE for gap in bounded.values()) or not same_gradient(dtype, check["gradients"]):
            common.fail(f"the contenders do not do the same work in {dtype}: {check}")
        checks[dtype] = check
    return checks


def same_gradient(dtype: str, gaps: dict[str, float]) -> bool:
    """In float32 the contenders' are one. In bfloat16 both round, a deep model more: ours is as near to float32's as TRL's is."""
    if dtype == "float32":
        return all(gap <= TOLERANCE for gap in gaps.values())
    return gaps["Sanmai's to float32"] <= max(GRADIENT_TOLERANCE, AS_NEAR * gaps["TRL's to float32"])


CONTENDERS = {"TRL": run_trl, "Sanmai": run_sanmai}
JOBS = {**CONTENDERS, "compare": compare_on_one_batch, "write_model": common.write_model}
SETTING = ("contender", "dtype", "threads", "rows")
COLUMNS = {
    "seconds per step": lambda run: median(step["seconds"] for step in run["steps"]),
    "of it sampling": lambda run: median(step["sampling"] for step in run["steps"]),
    "sampled tokens/s": lambda run: median(step["tokens"] / step["sampling"] for step in run["steps"]),
    "tokens per step": lambda run: mean(step["tokens"] for step in run["steps"]),
    "peak MB": lambda run: run["peak_mb"],
}

# Below: the process that the user starts. It does not import torch.


def report(runs: list[dict[str, Any]]) -> str:
    """The two tables."""
    found = common.collect(runs, lambda run: tuple(run[name] for name in SETTING), COLUMNS)
    lines = [f"{'':9}{'dtype':>9}{'threads':>8}{'rows':>6}  " + "".join(name.ljust(26) for name in COLUMNS)]
    for (contender, dtype, threads, rows), columns in found.items():
        lines.append(f"{contender:9}{dtype:>9}{threads:8}{rows:6}  " + "".join(map(cell, columns.values())))
    if len({contender for contender, *_ in found}) < len(CONTENDERS):
        return "\n".join(line.rstrip() for line in lines)
    lines += ["", f"{'ratios of medians':54}{'step':26}{'sampling':26}peak memory"]
    pairs = {f"both {d}, {t} threads, {r} rows": (("TRL", d, t, r), ("Sanmai", d, t, r)) for _, d, t, r in found}
    trl, ours = (
        min((key for key in found if key[0] == name), key=lambda key: median(found[key]["seconds per step"]))
        for name in CONTENDERS
    )
    pairs[f"fastest of each: {'/'.join(map(str, trl[1:]))}, {'/'.join(map(str, ours[1:]))}"] = (trl, ours)
    for label, (a, b) in pairs.items():
        step, peak = (ratio_cell(found[a][name], found[b][name]) for name in ("seconds per step", "peak MB"))
        sampling = ratio_cell(found[b]["sampled tokens/s"], found[a]["sampled tokens/s"])
        lines.append(f"{label:54}{step}{sampling}{peak}")
    return "\n".join(line.rstrip() for line in lines)


def main() -> None:
    parser = common.make_parser(__doc__)
    add = parser.add_argument
    add("--size", choices=common.SIZES, default="small", help="0.8 or 4.8 M parameters")
    add("--model", metavar="FOLDER", help="a model of one's own in place of a size")
    add("--lengths", choices=("equal", "mixed"), default="equal", help="whether completions can stop early")
    add("--prompts", type=int, default=16, help="prompts per step")
    add("--group", type=int, default=8, help="completions per prompt")
    add("--max-tokens", type=int, default=128, help="token budget of a completion")
    add("--steps", type=int, default=3, help="counted steps of a run")
    add("--repeats", type=int, default=3, help="runs per contender and setting")
    add("--dtype", nargs="+", choices=common.DTYPES, default=["float32"], help="each contender runs with each of these")
    add("--threads", type=int, nargs="+", default=[1, 2], help="each contender runs with each of these")
    add("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS), help="one alone is not checked")
    add("--rows", type=int, nargs="+", default=[0], help="rows in a pass, which Sanmai's cores share; 0 is all")
    common.add_model_options(parser)
    args = parser.parse_args()
    if args.child:
        common.answer(args, JOBS)
        return
    if args.smoke:
        args.__dict__.update(prompts=4, group=4, max_tokens=16, steps=2, repeats=1, threads=args.threads[:1], rows=[0])
    args.rows = [rows or args.prompts * args.group for rows in args.rows]
    if any(args.prompts * args.group % rows for rows in args.rows):
        parser.error(f"--rows {args.rows}: TRL needs divisors of prompts x group")

    if args.model:
        args.lengths = "own"
    with tempfile.TemporaryDirectory(prefix="vs_trl-") as folder:
        args.folder = args.model or f"{folder}/model"
        parameters = None if args.model else in_subprocess(args, "write_model", threads=1)
        checks = check_same_work(args) if len(args.contenders) > 1 else {}
        runs: list[dict[str, Any]] = []
        for repeat, dtype, threads, rows, contender in itertools.product(
            range(args.repeats), args.dtype, args.threads, args.rows, args.contenders
        ):
            setting = dict(zip(SETTING, (contender, dtype, threads, rows), strict=True))
            load = os.getloadavg()[0]
            runs.append({**setting, "repeat": repeat, "load": load, **in_subprocess(args, contender, **setting)})
            print(
                f"repeat {repeat}", setting, [round(step["seconds"], 2) for step in runs[-1]["steps"]], file=sys.stderr
            )

    if args.lengths == "equal" and len(counts := {step["tokens"] for run in runs for step in run["steps"]}) > 1:
        common.fail(f"the contenders did not sample the same number of tokens: {counts}")
    facts = common.facts_of(args, "trl", parameters=parameters, load=common.load_range(runs))
    print(*(f"{name}={value}" for name, value in facts.items()))
    for dtype, check in checks.items():
        print(f"one batch through both in {dtype}:", *(f"{n} {v:.3g}" for n, v in check["values"].items()), sep="  ")
        gaps = check["differences"] | check["gradients"]
        print("  differences (of gradients: of their norm):", *(f"{n} {gap:.0e}" for n, gap in gaps.items()), sep="  ")
    print()
    print(report(runs))
    common.write_json(args, facts=facts, checks=checks, runs=runs)


if __name__ == "__main__":
    main()
