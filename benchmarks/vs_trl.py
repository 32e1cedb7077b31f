"""Whole GRPO steps: Sanmai against TRL's GRPOTrainer, on one machine, doing the same work.

    python benchmarks/vs_trl.py --smoke                       # under a minute: does it run, do both do the same work?
    python benchmarks/vs_trl.py                               # 0.8 M parameters, 1 and 2 threads: some minutes
    python benchmarks/vs_trl.py --size medium --json m.json   # 4.8 M parameters, and everything measured as JSON
    python benchmarks/vs_trl.py --lengths mixed --rows 0 32   # uneven completions; all rows in one pass, and 32

Needs `pip install -e .[dev]` (for TRL) and downloads nothing: model, tokenizer and prompts are made here.

Both get the same random weights, prompts, group size, token budget, reward function, loss (dapo, no KL) and AdamW
settings, in float32, at temperature 1 without top-k or top-p; each step samples all prompts and makes one update. With
equal lengths (default) the stop token lies outside the model's output, so that both sample prompts x group x max_tokens
tokens a step; with mixed ones any of four ordinary tokens stops, on average after about 45.

First one batch of rollouts goes through both: prompts, advantages, loss and gradient must agree. Then TRL and Sanmai
take turns, in every repeat once per setting, each time in a subprocess of its own (so that peaks are its own). A step
lasts from the end of the one before it to its own; the first is not counted. Sampling is TRL's `_generate_single_turn`
and Sanmai's `sample` (grading runs meanwhile). TRL neither logs nor saves; Sanmai runs the recipe as a user does, which
stores every rollout and grades style besides the reward.

Prints the median over repeats (of the median over steps) with the range over repeats, then the ratios of medians with
the range of the ratios within a repeat: TRL's seconds and memory to Sanmai's, Sanmai's tokens/s to TRL's, at the same
setting and at the fastest of each. Above 1 is Sanmai's advantage.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median
from typing import Any

SIZES = {  # hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, num_key_value_heads of a Qwen3
    "small": (128, 384, 4, 4, 2),  # the embedded model's architecture
    "medium": (256, 768, 6, 8, 4),
}
CONTENDERS = ("TRL", "Sanmai")
LR, BETAS = 1e-6, (0.9, 0.95)
WARMUP = 1
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Task:
    """What one subprocess does."""

    contender: str
    """One of CONTENDERS, or "" to write the model folder and compare both on one batch."""
    folder: str
    size: str
    lengths: str
    prompts: int
    group: int
    max_tokens: int
    steps: int
    threads: int
    rows: int
    """Rows in one forward and backward pass."""

    def problems(self) -> list:
        from sanmai.world import make_problems

        return make_problems(self.prompts, seed=0, digits=(1, 2, 3))

    def new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=Path(self.folder).parent))


class StepClock:
    """Seconds of each counted step, and seconds and tokens of the sampling in it."""

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []
        self._done = 0

    def begin(self) -> None:
        """The model is loaded and nothing has run."""
        self.start_mb = peak_mb()
        self._new_step()

    def sampled(self, seconds: float, tokens: int) -> None:
        self._sampling += seconds
        self._tokens += tokens

    def end_step(self) -> None:
        self._done += 1
        if self._done > WARMUP:
            seconds = time.perf_counter() - self._start
            self.steps.append({"seconds": seconds, "sampling_seconds": self._sampling, "tokens": self._tokens})
        self._new_step()

    def _new_step(self) -> None:
        self._start, self._sampling, self._tokens = time.perf_counter(), 0.0, 0

    def result(self) -> dict[str, Any]:
        return {"steps": self.steps, "start_mb": self.start_mb, "peak_mb": peak_mb()}


def peak_mb() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def reward(problem: Any, completion: str) -> float:
    """Digits written, in tens; special tokens, which TRL leaves out of the text and Sanmai does not, hold none."""
    return sum(c.isdigit() for c in completion) / 10


def trl_reward(completions: list, **_: Any) -> list[float]:
    return [reward(None, completion[0]["content"]) for completion in completions]


# In a subprocess: the contenders.


def run_trl(task: Task) -> dict[str, Any]:
    from transformers import TrainerCallback

    clock = StepClock()

    class Report(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            clock.begin()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.end_step()

    trainer = make_trl_trainer(task)
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


def make_trl_trainer(task: Task) -> Any:
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer

    torch.set_num_threads(task.threads)
    settings = GRPOConfig(
        output_dir=str(task.new_folder()), max_steps=WARMUP + task.steps, seed=0,
        num_generations=task.group, max_completion_length=task.max_tokens, temperature=1.0, top_k=0, top_p=1.0,
        per_device_train_batch_size=task.rows, gradient_accumulation_steps=task.prompts * task.group // task.rows,
        loss_type="dapo", epsilon=0.2, epsilon_high=0.28, beta=0.0, scale_rewards="group",
        learning_rate=LR, lr_scheduler_type="constant", adam_beta1=BETAS[0], adam_beta2=BETAS[1], weight_decay=0.0,
        max_grad_norm=1.0, use_cpu=True, bf16=False, gradient_checkpointing=False, dataloader_pin_memory=False,
        report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True,
    )
    rows = [{"prompt": [dict(message) for message in p.messages]} for p in task.problems()]
    return GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(task.folder, dtype=torch.float32), args=settings,
        processing_class=AutoTokenizer.from_pretrained(task.folder), reward_funcs=trl_reward,
        train_dataset=Dataset.from_list(rows),
    )


def run_sanmai(task: Task) -> dict[str, Any]:
    from sanmai.data.chat import render_prompt
    from sanmai.models.tiny import tiny_tokenizer
    from sanmai.recipes.progress import Progress
    from sanmai.recipes.zero import ZeroConfig, run_zero
    from sanmai.rollout import engine

    clock, sample, problems = StepClock(), engine.sample, task.problems()

    class CountedAllError(Exception):
        pass

    class Report(Progress):
        def begin(self, *args: Any) -> None:
            super().begin(*args)
            clock.begin()

        def step(self, *args: Any) -> None:
            super().step(*args)
            clock.end_step()
            if len(clock.steps) == task.steps:
                raise CountedAllError

    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        for completion in sample(*args, **kwargs):
            clock.sampled(time.perf_counter() - start, len(completion.tokens))
            yield completion
            start = time.perf_counter()
        clock.sampled(time.perf_counter() - start, 0)

    engine.sample = timed
    longest = max(len(render_prompt(tiny_tokenizer(), p.messages)) for p in problems) + task.max_tokens
    num_steps = WARMUP + task.steps + 1  # the last one, which would evaluate and save a checkpoint, is not run
    config = ZeroConfig.read({
        "num_steps": num_steps, "prompts_per_step": task.prompts, "rollouts_per_prompt": task.group,
        "model": {"name": task.folder, "threads": task.threads}, "sampling": {"max_tokens": task.max_tokens},
        "problems": {"evaluation": "world", "world": {"train": 1, "heldout": 1}}, "checkpoints": {"every": num_steps},
        "optimizer": {"lr": LR, "betas": BETAS, "micro_tokens": task.rows * longest}, "loss": {"preset": "dapo"},
    })
    with contextlib.suppress(CountedAllError):
        run_zero(config, task.new_folder(), problems=problems, reward=reward, progress=Report(None))
    return clock.result()


# In a subprocess: the model folder, and one batch through both.


def write_model(task: Task) -> dict[str, int]:
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from sanmai.models.tiny import tiny_tokenizer

    tokenizer = tiny_tokenizer()
    vocabulary = len(tokenizer)
    stops = [i for i in tokenizer.all_special_ids if i != tokenizer.pad_token_id]
    if task.lengths == "equal":
        tokenizer.add_special_tokens({"eos_token": "<never>"})  # gets the first id that the model cannot write
        stops = tokenizer.eos_token_id
    shape = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
    config = Qwen3Config(
        **dict(zip(shape, SIZES[task.size], strict=True)), head_dim=32, vocab_size=vocabulary, tie_word_embeddings=True,
        max_position_embeddings=task.max_tokens + 64, eos_token_id=stops, pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(config).float()
    model.save_pretrained(task.folder)
    tokenizer.save_pretrained(task.folder)
    return {"parameters": model.num_parameters(), "vocabulary": vocabulary}


def compare_on_one_batch(task: Task) -> dict[str, Any]:
    """Sanmai samples rollouts; both grade them and take loss and gradient. How much they differ."""
    import torch

    from sanmai.losses import group_advantages
    from sanmai.models.policy import ModelConfig, load_policy
    from sanmai.rewards.rubric import RewardsConfig, Rubric
    from sanmai.rollout.engine import GradingConfig, rollout
    from sanmai.rollout.pack import pack_rollouts
    from sanmai.rollout.sampler import SamplingConfig
    from sanmai.train.components import LossConfig, rl_components
    from sanmai.train.step import accumulate

    found = write_model(task)
    policy = load_policy(ModelConfig(name=task.folder, threads=task.threads))
    groups, _ = rollout(
        policy, task.problems(), Rubric(RewardsConfig(), {"reward": reward}), rollouts_per_prompt=task.group, seed=(0,),
        policy_version=0, sampling=SamplingConfig(max_tokens=task.max_tokens), grading=GradingConfig(),
    )
    rollouts = [r for group in groups for r in group.rollouts]
    for r, advantage in zip(rollouts, [a for g in groups for a in group_advantages(g.rewards)], strict=True):
        r.advantage = advantage
    batch = pack_rollouts(rollouts)
    # Ratios away from 1: otherwise the loss does not depend on the log-probs, and nothing is clipped.
    noise_BT = 0.3 * torch.randn(batch.mask_BT.shape, generator=torch.Generator().manual_seed(0))
    batch = replace(batch, sampling_logp_BT=(batch.sampling_logp_BT + noise_BT) * batch.mask_BT)
    ours = accumulate(policy, batch, rl_components(LossConfig(preset="dapo"), task.max_tokens), 1.0, 8192).metrics

    trainer = make_trl_trainer(task)
    trainer.model.eval()
    trainer._generate_single_turn = lambda *_, **__: ([r.completion_tokens for r in rollouts], None)
    rows = [row for row in trainer.train_dataset for _ in range(task.group)]
    inputs = trainer._generate_and_score_completions(rows)
    old_BC = torch.zeros(inputs["completion_ids"].shape)
    old_BC[inputs["completion_mask"].bool()] = batch.sampling_logp_BT[batch.mask_BT]
    loss = trainer.compute_loss(trainer.model, inputs | {"old_per_token_logps": old_BC})
    loss.backward()

    theirs = {name: p.grad for name, p in trainer.model.named_parameters()}
    length = lambda tensors: torch.stack([t.norm() for t in tensors]).norm().item()  # noqa: E731
    gap = length([theirs[name] - p.grad for name, p in policy.weights.items()])
    prompts = [ids[m.bool()].tolist() for ids, m in zip(inputs["prompt_ids"], inputs["prompt_mask"], strict=True)]
    return found | {
        "same_prompts": prompts == [r.prompt_tokens for r in rollouts],
        "loss": [loss.item(), ours["loss/rl"]], "clip_fraction": ours["policy/clip_fraction"],
        "differences": {
            "loss": abs(loss.item() - ours["loss/rl"]), "gradient / its norm": gap / length(theirs.values()),
            "advantages": (inputs["advantages"] - torch.tensor([r.advantage for r in rollouts])).abs().max().item(),
        },
    }


# In the process that the user starts. It does not import torch: a child's peak starts at its parent's size.


def in_subprocess(task: Task) -> dict[str, Any]:
    """What the task's function returns, computed in a process with task.threads OpenMP threads."""
    result = Path(task.folder).parent / "result.json"
    settings = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": str(task.threads)}
    command = [sys.executable, __file__, "--child", json.dumps(asdict(task)), "--json", str(result)]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"vs_trl: {task} failed:\n{done.stderr[-4000:]}")
    return json.loads(result.read_text())


def measure(task: Task, threads: Sequence[int], rows: Sequence[int], repeats: int) -> list[dict[str, Any]]:
    """Every run in turn, with a line on stderr for each."""
    runs = []
    for repeat in range(repeats):
        for setting in [{"threads": t, "rows": r} for t in threads for r in rows]:
            for contender in CONTENDERS:
                load = os.getloadavg()[0]
                run = in_subprocess(replace(task, contender=contender, **setting))
                runs.append({"contender": contender, **setting, "repeat": repeat, "load_average": load, **run})
                seconds = [round(step["seconds"], 2) for step in run["steps"]]
                print(f"repeat {repeat + 1}/{repeats} {contender} {setting} s per step: {seconds}", file=sys.stderr)
    return runs


def report(runs: Sequence[dict[str, Any]]) -> str:
    """The tables."""
    found: dict[tuple, list[dict[str, float]]] = {}  # (contender, threads, rows) -> per repeat
    for run in runs:
        steps = run["steps"]
        found.setdefault((run["contender"], run["threads"], run["rows"]), []).append({
            "seconds": median(s["seconds"] for s in steps), "sampling": median(s["sampling_seconds"] for s in steps),
            "rate": median(s["tokens"] / s["sampling_seconds"] for s in steps),
            "tokens": mean(s["tokens"] for s in steps), "peak": run["peak_mb"], "start": run["start_mb"],
        })

    def cell(values: list[float], form: str) -> str:
        return f"{median(values):{form}} ({min(values):{form}}..{max(values):{form}})"

    def ratio(name: str, over: tuple, under: tuple) -> str:
        a, b = ([repeat[name] for repeat in found[key]] for key in (over, under))
        within = [x / y for x, y in zip(a, b, strict=True)]
        return f"{median(a) / median(b):.2f} ({min(within):.2f}..{max(within):.2f})".ljust(20)

    columns = {
        "seconds per step": ("seconds", ".2f"), "of it sampling": ("sampling", ".2f"), "sampled tokens/s": ("rate", ",.0f"),
        "tokens per step": ("tokens", ",.0f"), "peak MB": ("peak", ",.0f"), "before step 1": ("start", ",.0f"),
    }
    lines = ["contender  threads  rows/pass  " + "".join(f"{title:24}" for title in columns)]
    for (contender, threads, rows), repeats in found.items():
        cells = [cell([repeat[name] for repeat in repeats], form) for name, form in columns.values()]
        lines.append(f"{contender:9}  {threads:7}  {rows:9}  " + "".join(f"{text:24}" for text in cells))
    settings = list(dict.fromkeys(key[1:] for key in found))
    fastest = [min((c, *s) for s in settings) for c in CONTENDERS]
    fastest = [min(((c, *s) for s in settings), key=lambda k: median(r["seconds"] for r in found[k])) for c in CONTENDERS]
    pairs = [tuple((c, *s) for c in CONTENDERS) for s in settings] + ([tuple(fastest)] if len(settings) > 1 else [])
    lines += ["", "ratio of medians       step                sampling            peak memory"]
    for trl, ours in pairs:
        label = "{1} threads, {2} rows" if trl[1:] == ours[1:] else "TRL {1}, {2}; Sanmai {3}, {4}"
        cells = [ratio("seconds", trl, ours), ratio("rate", ours, trl), ratio("peak", trl, ours)]
        lines.append(f"{label.format('', *trl[1:], *ours[1:]):23}" + "".join(cells))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--size", choices=SIZES, default="small", help="0.8 or 4.8 M parameters")
    add("--lengths", choices=("equal", "mixed"), default="equal", help="whether completions can stop early")
    add("--prompts", type=int, default=16, help="prompts per step")
    add("--group", type=int, default=8, help="completions per prompt")
    add("--max-tokens", type=int, default=128, help="token budget of a completion")
    add("--steps", type=int, default=3, help="counted steps of a run")
    add("--repeats", type=int, default=3, help="runs per contender and setting")
    add("--threads", type=int, nargs="+", default=[1, 2], help="each contender runs with each of these")
    add("--rows", type=int, nargs="+", default=[0], help="rows in one forward and backward pass; 0 is all")
    add("--smoke", action="store_true", help="tiny and short: 4 prompts x 4 completions of 16 tokens, 2 steps, 1 repeat")
    add("--json", type=Path, metavar="FILE", help="write everything that was measured")
    add("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        task = Task(**json.loads(args.child))
        run = {"": compare_on_one_batch, "TRL": run_trl, "Sanmai": run_sanmai}[task.contender]
        args.json.write_text(json.dumps(run(task)))
        return
    if args.smoke:
        small = dict(prompts=4, group=4, max_tokens=16, steps=2, repeats=1, threads=args.threads[:1], rows=[0])
        vars(args).update(small)
    batch = args.prompts * args.group
    rows = [r or batch for r in args.rows]
    if any(batch % r for r in rows):
        parser.error(f"--rows {args.rows}: TRL needs divisors of prompts x group = {batch}")
    with tempfile.TemporaryDirectory(prefix="vs_trl-") as folder:
        task = Task("", f"{folder}/model", args.size, args.lengths, args.prompts, args.group, args.max_tokens, args.steps,
                    args.threads[0], rows[0])
        check = in_subprocess(task)
        gaps = ", ".join(f"{name} {gap:.0e}" for name, gap in check["differences"].items())
        if not check["same_prompts"] or not max(check["differences"].values()) <= TOLERANCE:
            raise SystemExit(f"vs_trl: the contenders do not do the same work: {check}")
        runs = measure(task, args.threads, rows, args.repeats)
    loads = [run["load_average"] for run in runs]
    versions = {name: version(name) for name in ("trl", "sanmai", "torch", "transformers")}
    print(f"{check['parameters'] / 1e6:.2f} M parameters, vocabulary {check['vocabulary']}; {args.prompts} prompts x {args.group} "
          f"completions of up to {args.max_tokens} tokens, {args.lengths} lengths; {args.steps} steps x {args.repeats} repeats")
    print(", ".join(map(" ".join, versions.items())) + f"; {os.cpu_count()} cores, load {min(loads):.1f}..{max(loads):.1f}")
    print("same batch through both: loss {:+.6f} and {:+.6f}; differences: {}; {:.0%} of tokens clipped\n".format(
        *check["loss"], gaps, check["clip_fraction"]))
    print(report(runs))
    if args.json:
        facts = {"settings": {k: v for k, v in vars(args).items() if k not in ("child", "json")}, "versions": versions}
        facts |= {"machine": platform.platform(), "cores": os.cpu_count(), "check": check, "runs": runs}
        args.json.write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
