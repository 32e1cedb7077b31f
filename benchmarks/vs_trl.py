"""Whole GRPO steps: Sanmai against TRL's GRPOTrainer, on one machine, doing the same work.

    python benchmarks/vs_trl.py --smoke                      # under a minute: does it run, do both do the same work?
    python benchmarks/vs_trl.py                              # 0.8 M parameters, 1 and 2 threads, some minutes
    python benchmarks/vs_trl.py --size medium --json m.json  # 4.8 M parameters, and everything measured as JSON
    python benchmarks/vs_trl.py --lengths mixed              # completions of uneven length

Needs `pip install -e .[dev]` (for TRL). Downloads nothing: model (random weights), tokenizer and prompts are made here.

Both get the same model folder, prompts, group size, budget, reward function, loss (dapo, no KL), AdamW settings, float32,
and temperature 1 without top-k or top-p; every step samples all the prompts and makes one update. With `--lengths equal`
(default) the stop token is outside the model's output, so both sample exactly prompts x group x max_tokens tokens; with
"mixed" four ordinary tokens stop, which gives completions of about 50 tokens on average and a few that reach the budget.

First one and the same batch of rollouts goes through both: rewards, advantages, loss and gradient must agree. Then the
contenders run in turn (TRL, Sanmai, TRL, ...), each time in a subprocess of its own, once per thread count and micro-batch
in every repeat. A step lasts from the end of the step before to its own end. Sampling is TRL's `_generate_single_turn` and
Sanmai's `sample` (grading runs meanwhile). TRL neither logs nor saves; Sanmai runs `run_zero` as a user does, which stores
every rollout and grades format, language and repetition besides the reward. Warm-up steps are not counted.

Prints a row per setting (median over repeats of the median over steps, with the range over repeats), then the ratios of
the medians, TRL's to Sanmai's, at the same setting and at the best of each: above 1 means Sanmai is faster or leaner.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

SIZES = {
    "small": dict(hidden_size=128, intermediate_size=384, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2),
    "medium": dict(hidden_size=256, intermediate_size=768, num_hidden_layers=6, num_attention_heads=8, num_key_value_heads=4),
}
"""Qwen3 architectures; "small" is that of the embedded model."""
CONTENDERS = ("trl", "sanmai")
NAMES = {"trl": "TRL", "sanmai": "Sanmai"}
BETAS = (0.9, 0.95)
TOLERANCE = 1e-4
NEVER = "<never>"


@dataclass(frozen=True)
class Task:
    """One subprocess's work; `kind` is "prepare" or a contender."""

    kind: str
    folder: str
    size: str
    lengths: str
    prompts: int
    group: int
    max_tokens: int
    warmup: int
    steps: int
    threads: int = 1
    micro_rows: int = 0
    """Rows in one forward and backward pass; 0 is all of them."""

    @property
    def rows(self) -> int:
        return self.prompts * self.group

    @property
    def rows_per_pass(self) -> int:
        return self.micro_rows or self.rows


def reward(problem: Any, completion: str) -> float:
    """Digits written, in tens. Special tokens hold none: TRL leaves them out of the text and Sanmai does not."""
    return sum(c.isdigit() for c in completion) / 10


def trl_reward(completions: list, **_: Any) -> list[float]:
    return [reward(None, completion[0]["content"]) for completion in completions]


class StepClock:
    """Seconds of the steps after warm-up, and of the sampling in them, as a contender reports them."""

    def __init__(self, task: Task) -> None:
        self.warmup, self.total, self.done = task.warmup, task.warmup + task.steps, 0
        self.step_seconds: list[float] = []
        self.sampling_seconds: list[float] = []
        self.tokens: list[int] = []
        self.start_mb, self._mark, self._sampling, self._tokens = 0.0, 0.0, 0.0, 0

    def begin(self) -> None:
        """Model and trainer are there; the first step follows."""
        self.start_mb, self._mark, self._sampling, self._tokens = peak_mb(), time.perf_counter(), 0.0, 0

    def sampled(self, seconds: float, tokens: int) -> None:
        self._sampling, self._tokens = self._sampling + seconds, self._tokens + tokens

    def end_step(self) -> None:
        now = time.perf_counter()
        self.done += 1
        if self.done > self.warmup:
            self.step_seconds.append(now - self._mark)
            self.sampling_seconds.append(self._sampling)
            self.tokens.append(self._tokens)
        self._mark, self._sampling, self._tokens = now, 0.0, 0

    def result(self) -> dict[str, Any]:
        seconds = {"step_seconds": self.step_seconds, "sampling_seconds": self.sampling_seconds}
        return seconds | {"tokens": self.tokens, "start_mb": self.start_mb, "peak_mb": peak_mb()}


def peak_mb() -> float:
    """Peak resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


# ---- in a subprocess: prepare ----


def write_model(task: Task) -> int:
    """Write the model folder; the number of parameters."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from sanmai.models.tiny import tiny_tokenizer

    tokenizer = tiny_tokenizer()
    vocabulary = len(tokenizer)
    if task.lengths == "equal":
        tokenizer.add_special_tokens({"eos_token": NEVER})  # gets the first id that the model cannot write
        stops = tokenizer.eos_token_id
    else:
        stops = [i for i in tokenizer.all_special_ids if i != tokenizer.pad_token_id]
    config = Qwen3Config(
        **SIZES[task.size], vocab_size=vocabulary, head_dim=32, max_position_embeddings=task.max_tokens + 64,
        tie_word_embeddings=True, bos_token_id=None, eos_token_id=stops, pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(config).float()
    model.save_pretrained(task.folder)
    tokenizer.save_pretrained(task.folder)
    return model.num_parameters()


def prepare(task: Task) -> dict[str, Any]:
    """Write the model folder, and send one batch of rollouts through both contenders."""
    import torch

    from sanmai.losses import group_advantages
    from sanmai.models.policy import ModelConfig, load_policy
    from sanmai.rewards.rubric import RewardsConfig, Rubric
    from sanmai.rollout.engine import GradingConfig, rollout
    from sanmai.rollout.pack import pack_rollouts
    from sanmai.rollout.sampler import SamplingConfig
    from sanmai.train.components import LossConfig, rl_components
    from sanmai.train.step import accumulate

    parameters = write_model(task)
    problems, policy = problems_of(task), load_policy(ModelConfig(name=task.folder, threads=task.threads))
    groups, _ = rollout(
        policy, problems, Rubric(RewardsConfig(), {"reward": reward}), rollouts_per_prompt=task.group, seed=(0, 0),
        policy_version=0, sampling=SamplingConfig(max_tokens=task.max_tokens), grading=GradingConfig(),
    )
    for group in groups:
        for r, advantage in zip(group.rollouts, group_advantages(group.rewards), strict=True):
            r.advantage = advantage
    rollouts = [r for group in groups for r in group.rollouts]
    batch = pack_rollouts(rollouts)
    # Ratios away from 1: otherwise the loss is 0 whatever the log-probs, and nothing is clipped.
    noise_BT = 0.3 * torch.randn(batch.mask_BT.shape, generator=torch.Generator().manual_seed(0))
    batch = replace(batch, sampling_logp_BT=(batch.sampling_logp_BT + noise_BT) * batch.mask_BT)
    ours = accumulate(policy, batch, rl_components(LossConfig(preset="dapo"), task.max_tokens), 1.0, micro_tokens=8192)

    trainer = make_trl_trainer(task)
    trainer.model.eval()
    trainer._generate_single_turn = lambda *_, **__: ([r.completion_tokens for r in rollouts], None)
    inputs = trainer._generate_and_score_completions([row for row in trl_rows(problems) for _ in range(task.group)])
    old_BC = torch.zeros(inputs["completion_ids"].shape)
    for row, mask_T in enumerate(batch.mask_BT):
        old_BC[row, : int(mask_T.sum())] = batch.sampling_logp_BT[row, mask_T]
    loss = trainer.compute_loss(trainer.model, inputs | {"old_per_token_logps": old_BC})
    loss.backward()

    advantages_B = torch.tensor([r.advantage for r in rollouts])
    theirs = dict(trainer.model.named_parameters())
    norm = torch.stack([p.grad.norm() for p in theirs.values()]).norm().item()
    gap = torch.stack([(theirs[name].grad - p.grad).norm() for name, p in policy.weights.items()]).norm().item()
    return {
        "parameters": parameters, "vocabulary": policy.vocabulary, "clip_fraction": ours.metrics["policy/clip_fraction"],
        "loss": {"trl": loss.item(), "sanmai": ours.metrics["loss/rl"]},
        "loss_difference": abs(loss.item() - ours.metrics["loss/rl"]),
        "gradient_difference": gap / norm,
        "advantage_difference": (inputs["advantages"] - advantages_B).abs().max().item(),
        "prompt_tokens": {
            "trl": int(inputs["prompt_mask"].sum()), "sanmai": sum(len(r.prompt_tokens) for r in rollouts),
        },
    }


# ---- in a subprocess: a contender ----


def problems_of(task: Task) -> list:
    from sanmai.world import make_problems

    return make_problems(task.prompts, seed=0, digits=(1, 2, 3))


def trl_rows(problems: Sequence) -> list[dict]:
    return [{"prompt": [dict(m) for m in p.messages]} for p in problems]


def make_trl_trainer(task: Task, callbacks: Sequence = ()) -> Any:
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer

    if task.rows % task.rows_per_pass:
        raise ValueError(f"--micro-rows {task.micro_rows} does not divide the {task.rows} rows of a step, which TRL needs")
    settings = GRPOConfig(
        output_dir=tempfile.mkdtemp(dir=Path(task.folder).parent),
        num_generations=task.group, max_completion_length=task.max_tokens, temperature=1.0, top_k=0, top_p=1.0,
        per_device_train_batch_size=task.rows_per_pass, gradient_accumulation_steps=task.rows // task.rows_per_pass,
        max_steps=task.warmup + task.steps, loss_type="dapo", beta=0.0, epsilon=0.2, epsilon_high=0.28, scale_rewards="group",
        learning_rate=1e-6, lr_scheduler_type="constant", adam_beta1=BETAS[0], adam_beta2=BETAS[1], weight_decay=0.0,
        max_grad_norm=1.0, use_cpu=True, bf16=False, gradient_checkpointing=False, dataloader_pin_memory=False,
        report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True, seed=0,
    )
    torch.set_num_threads(task.threads)
    return GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(task.folder, dtype=torch.float32), args=settings,
        processing_class=AutoTokenizer.from_pretrained(task.folder), reward_funcs=trl_reward,
        train_dataset=Dataset.from_list(trl_rows(problems_of(task))), callbacks=list(callbacks),
    )


def run_trl(task: Task) -> dict[str, Any]:
    from transformers import TrainerCallback

    clock = StepClock(task)

    class Report(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            clock.begin()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.end_step()

    trainer = make_trl_trainer(task, [Report()])
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
    from sanmai.data.chat import render_prompt
    from sanmai.models.tiny import tiny_tokenizer
    from sanmai.recipes.progress import Progress
    from sanmai.recipes.zero import ZeroConfig, run_zero
    from sanmai.rollout import engine

    clock, sample, problems = StepClock(task), engine.sample, problems_of(task)

    class DoneError(Exception):
        pass

    class Report(Progress):
        def begin(self, *args: Any) -> None:
            super().begin(*args)
            clock.begin()

        def step(self, *args: Any) -> None:
            super().step(*args)
            clock.end_step()
            if clock.done == clock.total:
                raise DoneError

    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        for completion in sample(*args, **kwargs):
            clock.sampled(time.perf_counter() - start, len(completion.tokens))
            yield completion
            start = time.perf_counter()
        clock.sampled(time.perf_counter() - start, 0)

    engine.sample = timed
    longest = max(len(render_prompt(tiny_tokenizer(), p.messages)) for p in problems)
    config = ZeroConfig.read({
        # One step more than is run: the last one would save a checkpoint and evaluate.
        "num_steps": clock.total + 1, "checkpoints": {"every": clock.total + 1},
        "prompts_per_step": task.prompts, "rollouts_per_prompt": task.group,
        "model": {"name": task.folder, "threads": task.threads}, "sampling": {"max_tokens": task.max_tokens},
        "problems": {"evaluation": "world", "world": {"train": 1, "heldout": 1}}, "loss": {"preset": "dapo"},
        "optimizer": {"lr": 1e-6, "betas": BETAS, "micro_tokens": task.rows_per_pass * (longest + task.max_tokens)},
    })
    with contextlib.suppress(DoneError):
        run_zero(config, Path(tempfile.mkdtemp(dir=Path(task.folder).parent)), problems=problems, reward=reward,
                 progress=Report(None))
    return clock.result()


KINDS: dict[str, Callable[[Task], dict[str, Any]]] = {"prepare": prepare, "trl": run_trl, "sanmai": run_sanmai}


# ---- in the process that the user starts; it never imports torch, so that children do not inherit its peak ----


def in_subprocess(task: Task) -> dict[str, Any]:
    """What KINDS[task.kind] returns, in a process with task.threads OpenMP threads."""
    result = Path(task.folder).parent / "result.json"
    offline = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        [sys.executable, __file__, "--child", json.dumps(asdict(task)), "--json", str(result)],
        env=os.environ | offline | {"OMP_NUM_THREADS": str(task.threads)}, capture_output=True, text=True,
    )
    if done.returncode:
        raise SystemExit(f"vs_trl: {task} failed:\n{done.stderr[-4000:]}")
    return json.loads(result.read_text())


def compare(task: Task, threads: Sequence[int], micro_rows: Sequence[int], repeats: int) -> dict[str, Any]:
    """Run everything, saying on stderr how far it is."""
    say = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    check = in_subprocess(replace(task, kind="prepare", threads=threads[0]))
    say(describe_check(check))
    worst = max(check[name] for name in ("loss_difference", "gradient_difference", "advantage_difference"))
    if worst > TOLERANCE or len(set(check["prompt_tokens"].values())) > 1:
        raise SystemExit(f"vs_trl: the contenders do not do the same work: {check}")
    runs = []
    for repeat in range(repeats):
        for setting in [(t, m) for m in micro_rows for t in threads]:
            for kind in CONTENDERS:
                mine = replace(task, kind=kind, threads=setting[0], micro_rows=setting[1])
                load = os.getloadavg()[0]
                found = in_subprocess(mine)
                runs.append({
                    "contender": kind, "threads": mine.threads, "rows_per_pass": mine.rows_per_pass, "repeat": repeat,
                    "load_before": load, **found,
                })
                seconds = statistics.median(found["step_seconds"])
                say(f"repeat {repeat + 1}/{repeats}  {NAMES[kind]:<6}  threads {mine.threads}  {seconds:.2f} s per step")
    return {"check": check, "runs": runs}


def summarise(runs: Sequence[dict]) -> dict[tuple[str, int, int], dict[str, list[float]]]:
    """Per contender, threads and rows per pass: one value per repeat of everything that is printed."""
    table: dict[tuple[str, int, int], dict[str, list[float]]] = {}
    for run in runs:
        row = table.setdefault((run["contender"], run["threads"], run["rows_per_pass"]), {})
        rates = [n / s for n, s in zip(run["tokens"], run["sampling_seconds"], strict=True)]
        for name, value in (
            ("seconds", statistics.median(run["step_seconds"])), ("sampling", statistics.median(run["sampling_seconds"])),
            ("rate", statistics.median(rates)), ("tokens", statistics.mean(run["tokens"])),
            ("peak", run["peak_mb"]), ("start", run["start_mb"]),
        ):
            row.setdefault(name, []).append(value)
    return table


def describe_check(check: dict) -> str:
    return (
        f"same batch through both: loss {check['loss']['trl']:+.6f} TRL, {check['loss']['sanmai']:+.6f} Sanmai; differences: "
        f"loss {check['loss_difference']:.0e}, gradient {check['gradient_difference']:.0e} of its norm, "
        f"advantages {check['advantage_difference']:.0e}; {check['clip_fraction']:.0%} of the tokens clipped"
    )


def print_report(table: dict[tuple[str, int, int], dict[str, list[float]]]) -> None:
    def spread(values: list[float], form: str) -> str:
        return f"{statistics.median(values):{form}} ({min(values):{form}}..{max(values):{form}})"

    def ratio(name: str, over: tuple, under: tuple) -> str:
        a, b = table[over][name], table[under][name]
        pairs = [x / y for x, y in zip(a, b, strict=True)]
        return f"{statistics.median(a) / statistics.median(b):.2f} ({min(pairs):.2f}..{max(pairs):.2f})"

    print(f"\n{'':6} {'threads':>7} {'rows/pass':>9} {'s per step':>22} {'of it sampling, s':>22} {'sampling tokens/s':>24} "
          f"{'tokens/step':>11} {'peak MB':>19} {'at start':>8}")
    for (kind, threads, rows), row in table.items():
        print(
            f"{NAMES[kind]:6} {threads:7} {rows:9} {spread(row['seconds'], '.2f'):>22} {spread(row['sampling'], '.2f'):>22} "
            f"{spread(row['rate'], ',.0f'):>24} {statistics.mean(row['tokens']):11,.0f} {spread(row['peak'], ',.0f'):>19} "
            f"{statistics.median(row['start']):8,.0f}"
        )
    print("\nSanmai's advantage, ratio of medians (range of the ratios within a repeat):")
    pairs = {f"{t} threads, {m} rows per pass": (("trl", t, m), ("sanmai", t, m)) for _, t, m in table}
    best = {k: min((key for key in table if key[0] == k), key=lambda key: statistics.median(table[key]["seconds"]))
            for k in CONTENDERS}
    pairs[f"best of each ({' / '.join(f'{k[1]} threads, {k[2]} rows' for k in best.values())})"] = tuple(best.values())
    for label, (trl, sanmai) in pairs.items():
        print(f"  step {ratio('seconds', trl, sanmai)}   sampling {ratio('rate', sanmai, trl)}   "
              f"peak memory {ratio('peak', trl, sanmai)}   {label}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="small", help="0.8 or 4.8 M parameters")
    parser.add_argument("--lengths", choices=("equal", "mixed"), default="equal", help="whether completions can stop early")
    parser.add_argument("--prompts", type=int, default=16, help="prompts per step")
    parser.add_argument("--group", type=int, default=8, help="completions per prompt")
    parser.add_argument("--max-tokens", type=int, default=128, help="completion budget")
    parser.add_argument("--steps", type=int, default=3, help="counted steps per subprocess")
    parser.add_argument("--warmup", type=int, default=1, help="steps before them")
    parser.add_argument("--repeats", type=int, default=3, help="subprocesses per contender and setting")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="each contender runs with each of these")
    parser.add_argument("--micro-rows", type=int, nargs="+", default=[0], help="rows per training pass; 0: all at once")
    parser.add_argument("--smoke", action="store_true", help="tiny and short")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        task = Task(**json.loads(args.child))
        args.json.write_text(json.dumps(KINDS[task.kind](task)))
        return
    if args.smoke:
        args.prompts, args.group, args.max_tokens, args.steps, args.repeats, args.threads = 4, 4, 16, 2, 1, args.threads[:1]
    try:
        versions = {name: version(name) for name in ("trl", "sanmai", "torch", "transformers")}
    except PackageNotFoundError as error:
        raise SystemExit(f"vs_trl: {error.name} is not installed; `pip install -e .[dev]` brings what this needs") from None
    with tempfile.TemporaryDirectory(prefix="vs_trl-") as folder:
        task = Task("", f"{folder}/model", args.size, args.lengths, args.prompts, args.group, args.max_tokens,
                    args.warmup, args.steps)
        found = compare(task, args.threads, args.micro_rows, args.repeats)
    machine = {"cores": os.cpu_count(), "machine": platform.platform(), "python": platform.python_version()}
    check = found["check"]
    print(", ".join(f"{name} {number}" for name, number in versions.items()) + f"; {machine['cores']} cores, CPU, float32")
    print(f"{check['parameters'] / 1e6:.2f} M parameters, vocabulary {check['vocabulary']}; {args.prompts} prompts x {args.group} "
          f"completions of up to {args.max_tokens} tokens, {args.lengths} lengths; {args.warmup} + {args.steps} steps x "
          f"{args.repeats} repeats; load average {min(r['load_before'] for r in found['runs']):.1f}"
          f"..{max(r['load_before'] for r in found['runs']):.1f}")
    print(describe_check(check))
    print_report(summarise(found["runs"]))
    if args.json:
        settings = {k: v for k, v in vars(args).items() if k not in ("child", "json")}
        args.json.write_text(json.dumps({"settings": settings, "versions": versions, "machine": machine, **found}, indent=1))


if __name__ == "__main__":
    main()
