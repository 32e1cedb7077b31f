"""Wall time until the embedded world reaches a held-out accuracy: Sanmai's run_zero against TRL's GRPOTrainer.

    python benchmarks/time_to_accuracy.py --smoke
    python benchmarks/time_to_accuracy.py --json t.json                    # 3 seeds, 0.80 held-out accuracy
    python benchmarks/time_to_accuracy.py --target 0.9 --seeds 0 1 2 3 4 --dtype float32 bfloat16

Both start from the embedded base model and train on the same sums with the same reward (Sanmai's accuracy verifier), 32 prompts
x 8 completions of at most 64 tokens a step, one update a step, dapo loss without KL, AdamW at a constant 3e-4; these are the
settings of the preset zero-tiny without its warm-up, which `transformers` counts differently. The order of the problems
and the random numbers of sampling are each one's own, so seeds differ between the contenders as they do between seeds.

First both graders see the same completions and must agree. Then each contender takes a few steps at every combination of
threads, rows per pass and dtype, and goes on with its fastest. Then they take turns, seed by seed. The clock runs from the first
step to the end of the step after which the target is reached; it stands while the held-out problems are evaluated, every few
steps, by the same code for both. Loading and imports are not counted; Sanmai's storing of rollouts is.

Prints seconds and steps to the target for each seed, medians, and the ratio of medians TRL / Sanmai with the range of the
ratios within a seed; above 1 is Sanmai's advantage.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import common
from common import WARMUP, Task, cell, in_subprocess, make_trl_trainer, ratio_cell, sanmai_config

LR = 3e-4


class Race:
    """The clock, and what was measured when it stood."""

    def __init__(self, task: Task) -> None:
        self.task, self.curve, self.steps = task, [], []
        self.evaluate = held_out_accuracy(task) if task.evaluates else None

    def start(self) -> None:
        self._mark = time.perf_counter()

    def step_done(self, weights: Mapping[str, Any]) -> bool:
        """Whether it is over: the target is reached, or this was the last step."""
        self.steps.append(time.perf_counter() - self._mark)
        reached = False
        if self.evaluate is not None and len(self.steps) % self.task.every == 0:
            self.curve.append({"step": len(self.steps), "seconds": sum(self.steps), "accuracy": self.evaluate(weights)})
            reached = self.curve[-1]["accuracy"] >= self.task.target
        self._mark = time.perf_counter()
        return reached or len(self.steps) == self.task.max_steps

    def result(self) -> dict[str, Any]:
        hit = next((point for point in self.curve if point["accuracy"] >= self.task.target), None)
        return {"hit": hit, "curve": self.curve, "step_seconds": self.steps}


def held_out_accuracy(task: Task) -> Callable[[Mapping[str, Any]], float]:
    """A function that gives the accuracy of some weights on the held-out sums, at temperature 1, one completion each."""
    from sanmai.policies.text.config import ModelConfig
    from sanmai.policies.text.load import load_policy
    from sanmai.policies.text.sampler import SamplingConfig
    from sanmai.rewards.rubric import RewardsConfig, Rubric
    from sanmai.rollout.engine import GradingConfig, rollout
    from sanmai.rollout.measure import evaluation_metrics
    from sanmai.world.settings import WorldConfig
    from sanmai.world.testbed import WORLD

    policy = load_policy(ModelConfig(name=task.folder, threads=task.threads))
    problems = WORLD.problems(WorldConfig(heldout=task.heldout), 0)[1]

    def evaluate(weights: Mapping[str, Any]) -> float:
        policy.load_weights(weights)
        groups, _ = rollout(
            policy,
            problems,
            Rubric(RewardsConfig()),
            rollouts_per_prompt=1,
            seed=("held out",),
            policy_version=0,
            sampling=SamplingConfig(max_tokens=task.max_tokens),
            grading=GradingConfig(),
        )
        return evaluation_metrics(groups)["eval/accuracy"]

    return evaluate


def training_problems(task: Task) -> list:
    from sanmai.world.settings import WorldConfig
    from sanmai.world.testbed import WORLD

    return WORLD.problems(WorldConfig(), task.seed)[0]


def run_sanmai(task: Task) -> dict[str, Any]:
    from sanmai.learn.progress import Progress
    from sanmai.recipes import zero

    race, states, start = Race(task), [], zero.start_or_resume

    class Report(Progress):
        def begin(self, run: Any, num_steps: int) -> None:
            super().begin(run, num_steps)
            race.start()

        def step(self, *args: Any, **named: Any) -> None:
            super().step(*args, **named)
            if race.step_done(states[0].policy.weights):
                raise common.Enough

    def started(*args: Any, **kwargs: Any) -> Any:
        states.append(start(*args, **kwargs))
        return states[0]

    zero.start_or_resume = started
    with contextlib.suppress(common.Enough):
        zero.run_zero(
            zero_config(task), Path(tempfile.mkdtemp()), problems=training_problems(task), progress=Report(None)
        )
    return race.result()


def zero_config(task: Task) -> Any:
    """The last step, which evaluates and saves a checkpoint, is not reached."""
    config = sanmai_config(Task(**vars(task), steps=task.max_steps), seed=task.seed)
    return config.model_copy(update={"optimizer": config.optimizer.model_copy(update={"lr": LR})})


def run_trl(task: Task) -> dict[str, Any]:
    from transformers import TrainerCallback

    race, problems = Race(task), training_problems(task)

    class Report(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            race.start()

        def on_step_end(self, args: Any, state: Any, control: Any, **__: Any) -> None:
            control.should_training_stop = race.step_done(dict(trainer.model.named_parameters()))

    trainer = make_trl_trainer(
        Task(**vars(task), steps=task.max_steps),
        problems=problems,
        reward_funcs=trl_reward(task, problems),
        learning_rate=LR,
        seed=task.seed,
    )
    trainer.add_callback(Report())
    trainer.train()
    return race.result()


def trl_reward(task: Task, problems: list) -> Callable[..., list[float | None]]:
    """Sanmai's accuracy verifier as a reward function of TRL's: the text is decoded and taken apart as Sanmai does."""
    from transformers import AutoTokenizer

    from sanmai.data.chat import opened_in_prompt, render_prompt
    from sanmai.data.trace import parse_trace
    from sanmai.rewards.verifiers import accuracy

    tokenizer = AutoTokenizer.from_pretrained(task.folder)
    is_open = opened_in_prompt(tokenizer, render_prompt(tokenizer, problems[0].messages))

    def score(problem: Any, tokens: list[int]) -> float | None:
        stopped = bool(tokens) and tokens[-1] == tokenizer.eos_token_id
        text = tokenizer.decode(
            tokens[:-1] if stopped else tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return accuracy(problem, parse_trace(text, opened_in_prompt=is_open, is_truncated=not stopped)).score

    def reward(problem: list[int], completion_ids: list[list[int]], **_: Any) -> list[float | None]:
        return [score(problems[i], tokens) for i, tokens in zip(problem, completion_ids, strict=True)]

    return reward


def compare_graders(task: Task) -> dict[str, Any]:
    """Both graders on the same completions of the base model: how many, how many right, how many rewards differ."""
    from sanmai.policies.text.load import load_policy
    from sanmai.rewards.rubric import Rubric
    from sanmai.rollout.engine import rollout

    config, problems = zero_config(task), training_problems(task)
    asked = problems[: task.prompts]
    groups, _ = rollout(
        load_policy(config.model),
        asked,
        Rubric(config.rewards),
        rollouts_per_prompt=task.group,
        seed=(0,),
        policy_version=0,
        sampling=config.sampling,
        grading=config.grading,
    )
    ours = [r.reward for group in groups for r in group.rollouts]
    completions = [r.completion_tokens for group in groups for r in group.rollouts]
    indices = [index for index in range(len(asked)) for _ in range(task.group)]
    theirs = trl_reward(task, problems)(problem=indices, completion_ids=completions)
    return {
        "completions": len(ours),
        "right": sum(ours),
        "different": sum(a != b for a, b in zip(ours, theirs, strict=True)),
    }


CONTENDERS = {"TRL": run_trl, "Sanmai": run_sanmai}
JOBS = {**CONTENDERS, "compare": compare_graders}
SETTING = ("dtype", "threads", "rows")

# Below: the process that the user starts. It does not import torch.


def tune(args: Task) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """Each contender's fastest setting by the median of a few steps, and every setting that was tried."""
    settings = [
        dict(zip(SETTING, values, strict=True)) for values in itertools.product(args.dtype, args.threads, args.rows)
    ]
    tried = []
    if len(settings) > 1:
        for setting, contender in itertools.product(settings, CONTENDERS):
            own = setting | {"seed": args.seeds[0], "max_steps": WARMUP + args.tune_steps, "evaluates": False}
            steps = in_subprocess(args, contender, **own)["step_seconds"][WARMUP:]
            tried.append({"contender": contender, **setting, "seconds": median(steps)})
            print("tuning", tried[-1], file=sys.stderr)
    best = {}
    for contender in CONTENDERS:
        of_it = [run for run in tried if run["contender"] == contender]
        chosen = min(of_it, key=lambda run: run["seconds"]) if of_it else settings[0]
        best[contender] = {name: chosen[name] for name in SETTING}
    return best, tried


def report(args: Task, best: dict[str, dict[str, Any]], runs: list[dict[str, Any]]) -> str:
    lines = [f"{'':9}{'seed':>5}{'seconds':>10}{'steps':>7}{'accuracy':>10}"]
    for run in runs:
        hit = run["hit"] or {"seconds": math.inf, "step": len(run["step_seconds"]), "accuracy": math.nan}
        lines.append(f"{run['contender']:9}{run['seed']:5}{hit['seconds']:10.1f}{hit['step']:7}{hit['accuracy']:10.3f}")
    columns = {
        "seconds": lambda run: run["hit"]["seconds"] if run["hit"] else math.inf,
        "steps": lambda run: run["hit"]["step"] if run["hit"] else math.inf,
        "step": lambda run: median(run["step_seconds"][WARMUP:] or run["step_seconds"]),
    }
    found = common.collect(runs, lambda run: run["contender"], columns)
    lines += ["", f"{'':9}{'seconds to target':26}{'steps to target':26}{'seconds per step':26}setting"]
    for contender, values in found.items():
        setting = " ".join(f"{name}={value}" for name, value in best[contender].items())
        lines.append(f"{contender:9}" + "".join(map(cell, values.values())) + setting)
    missed = [f"{run['contender']} seed {run['seed']}" for run in runs if not run["hit"]]
    if missed:
        lines.append(f"{args.target:.2f} was not reached in {args.max_steps} steps by: {', '.join(missed)}")
    else:
        cells = [ratio_cell(found["TRL"][name], found["Sanmai"][name]) for name in columns]
        lines.append("ratio".ljust(9) + "".join(cells))
    return "\n".join(line.rstrip() for line in lines)


def main() -> None:
    parser = common.make_parser(__doc__)
    add = parser.add_argument
    add("--target", type=float, default=0.8, help="held-out accuracy to be reached")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2])
    add("--prompts", type=int, default=32, help="prompts per step")
    add("--group", type=int, default=8, help="completions per prompt")
    add("--max-tokens", type=int, default=64, help="token budget of a completion")
    add("--max-steps", type=int, default=120, help="steps after which a run is given up")
    add("--every", type=int, default=2, help="steps between evaluations")
    add("--heldout", type=int, default=600, help="held-out problems")
    add("--tune-steps", type=int, default=4, help="counted steps per setting when the fastest is looked for")
    add("--dtype", nargs="+", choices=common.DTYPES, default=["float32"], help="settings to choose from")
    add("--threads", type=int, nargs="+", default=[1, 2], help="settings to choose from")
    add("--rows", type=int, nargs="+", default=[0, 64], help="settings to choose from: rows in a pass; 0 is all")
    args = parser.parse_args()
    if args.child:
        common.answer(args, JOBS)
        return
    if args.smoke:
        args.__dict__.update(target=0.0, seeds=[0], prompts=2, group=2, max_tokens=16, max_steps=2, every=1, heldout=8,
                             threads=[1], rows=[0])  # fmt: skip
    args.rows = [rows or args.prompts * args.group for rows in args.rows]
    if any(args.prompts * args.group % rows for rows in args.rows):
        parser.error(f"--rows {args.rows}: TRL needs divisors of prompts x group")

    from sanmai.policies.text.tiny import TINY_PATH

    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="time_to_accuracy-") as folder:
        args.folder = f"{folder}/model"
        shutil.copytree(TINY_PATH, args.folder)
        first = {"dtype": "float32", "threads": args.threads[0], "rows": args.rows[0], "seed": args.seeds[0]}
        check = in_subprocess(args, "compare", **first)
        if check["different"]:
            common.fail(f"the contenders' rewards differ on the same completions: {check}")
        best, tried = tune(args)
        for seed, contender in itertools.product(args.seeds, CONTENDERS):
            load = os.getloadavg()[0]
            found = in_subprocess(args, contender, **best[contender], seed=seed, evaluates=True)
            runs.append({"contender": contender, "seed": seed, "load": load, **best[contender], **found})
            print(contender, "seed", seed, found["hit"] or found["curve"][-1:], file=sys.stderr)

    facts = common.facts_of(args, "trl", load=common.load_range(runs))
    print(*(f"{name}={value}" for name, value in facts.items()))
    print("both graders on the same completions:", *(f"{name} {value:g}" for name, value in check.items()), sep="  ")
    print(f"seconds until {args.target:.2f} of {args.heldout} held-out problems are right", end="\n\n")
    print(report(args, best, runs))
    common.write_json(args, facts=facts, check=check, tuning=tried, best=best, runs=runs)


if __name__ == "__main__":
    main()
