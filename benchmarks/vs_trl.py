"""Whole GRPO steps: Sanmai against TRL's GRPOTrainer, on one machine, doing the same work.

    python benchmarks/vs_trl.py --smoke                       # under a minute: does it run, do both do the same work?
    python benchmarks/vs_trl.py                               # 0.8 M parameters, 1 and 2 threads: some minutes
    python benchmarks/vs_trl.py --size medium --json m.json   # 4.8 M parameters, and everything measured as JSON
    python benchmarks/vs_trl.py --lengths mixed --rows 0 32   # uneven completions; training passes of all rows, and of 32

Needs `pip install -e .[dev]` (for TRL) and downloads nothing: model, tokenizer and prompts are made here.

Both get the same random weights, prompts, group size, token budget, reward function, loss (dapo, no KL) and AdamW settings,
in float32, at temperature 1 without top-k or top-p; each step samples all prompts and makes one update. With equal lengths
(default) the stop token lies outside the model's output, so that both sample prompts x group x max_tokens tokens a step;
with mixed ones any of four ordinary tokens stops: of a budget of 128, completions use about 45 on average.

First one batch of rollouts goes through both: prompts, advantages, loss and gradient must agree. Then TRL and Sanmai take
turns, in every repeat once per setting, each time in a subprocess of its own. A step lasts from the end of the one before it
to its own; the first is not counted. Sampling is TRL's `_generate_single_turn` and Sanmai's `sample` (grading runs meanwhile).
TRL neither logs nor saves; Sanmai runs the recipe as a user does: it stores every rollout and grades style besides the reward.

Prints the median over repeats (of the median over steps) with the range over repeats, then ratios of medians with the range
of the ratios within a repeat, at the same setting and at the fastest of each; above 1 is Sanmai's advantage.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median
from typing import Any

SIZES = {  # of a Qwen3; "small" is the embedded model's
    "small": dict(hidden_size=128, intermediate_size=384, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2),
    "medium": dict(hidden_size=256, intermediate_size=768, num_hidden_layers=6, num_attention_heads=8, num_key_value_heads=4),
}
LR, BETAS = 1e-6, (0.9, 0.95)
WARMUP = 1
TOLERANCE = 1e-4
Task = argparse.Namespace  # the command line's options, with contender, folder, and one number each as threads and rows


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
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        return {"steps": self.steps[WARMUP:], "peak_mb": peak}


def reward(problem: Any, completion: str) -> float:
    """Digits written, in tens; special tokens, which TRL leaves out of the text and Sanmai does not, hold none."""
    return sum(c.isdigit() for c in completion) / 10


def problems_of(task: Task) -> list:
    from sanmai.world import make_problems

    return make_problems(task.prompts, seed=0, digits=(1, 2, 3))


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


def make_trl_trainer(task: Task) -> Any:
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer

    torch.set_num_threads(task.threads)
    settings = GRPOConfig(
        output_dir=tempfile.mkdtemp(), max_steps=WARMUP + task.steps, seed=0,
        num_generations=task.group, max_completion_length=task.max_tokens, temperature=1.0, top_k=0, top_p=1.0,
        per_device_train_batch_size=task.rows, gradient_accumulation_steps=task.prompts * task.group // task.rows,
        loss_type="dapo", epsilon=0.2, epsilon_high=0.28, beta=0.0, scale_rewards="group",
        learning_rate=LR, lr_scheduler_type="constant", adam_beta1=BETAS[0], adam_beta2=BETAS[1], weight_decay=0.0,
        max_grad_norm=1.0, use_cpu=True, bf16=False, gradient_checkpointing=False, dataloader_pin_memory=False,
        report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True,
    )
    prompts = Dataset.from_list([{"prompt": [dict(message) for message in p.messages]} for p in problems_of(task)])
    return GRPOTrainer(
        AutoModelForCausalLM.from_pretrained(task.folder, dtype=torch.float32), args=settings, train_dataset=prompts,
        processing_class=AutoTokenizer.from_pretrained(task.folder),
        reward_funcs=lambda completions, **_: [reward(None, turns[0]["content"]) for turns in completions],
    )


def run_sanmai(task: Task) -> dict[str, Any]:
    from sanmai.recipes.progress import Progress
    from sanmai.recipes.zero import run_zero
    from sanmai.rollout import engine

    clock, sample = StepClock(), engine.sample

    class Report(Progress):
        def begin(self, run: Any, num_steps: int) -> None:
            super().begin(run, num_steps)
            self.run = run

        def step(self, *args: Any) -> None:
            super().step(*args)
            clock.end_step()
            self.run.interrupted = len(clock.steps) == WARMUP + task.steps

    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        for completion in sample(*args, **kwargs):
            clock.sampled(time.perf_counter() - start, len(completion.tokens))
            yield completion
            start = time.perf_counter()
        clock.sampled(time.perf_counter() - start, 0)

    engine.sample = timed
    run_zero(sanmai_config(task), Path(tempfile.mkdtemp()), problems=problems_of(task), reward=reward, progress=Report(None))
    return clock.result()


def sanmai_config(task: Task) -> Any:
    from sanmai.data.chat import render_prompt
    from sanmai.models.tiny import tiny_tokenizer
    from sanmai.recipes.zero import ZeroConfig

    longest = max(len(render_prompt(tiny_tokenizer(), p.messages)) for p in problems_of(task)) + task.max_tokens
    num_steps = WARMUP + task.steps + 1  # the last, which would evaluate and save a checkpoint, is not reached
    return ZeroConfig.read({
        "num_steps": num_steps, "prompts_per_step": task.prompts, "rollouts_per_prompt": task.group,
        "model": {"name": task.folder, "threads": task.threads}, "sampling": {"max_tokens": task.max_tokens},
        "problems": {"evaluation": "world", "world": {"train": 1, "heldout": 1}}, "checkpoints": {"every": num_steps},
        "optimizer": {"lr": LR, "betas": BETAS, "micro_tokens": task.rows * longest}, "loss": {"preset": "dapo"},
    })


def write_model(task: Task) -> None:
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from sanmai.models.tiny import tiny_tokenizer

    tokenizer = tiny_tokenizer()
    vocabulary = len(tokenizer)
    stops = [i for i in tokenizer.all_special_ids if i != tokenizer.pad_token_id]
    if task.lengths == "equal":
        tokenizer.add_special_tokens({"eos_token": "<never>"})  # gets the first id that the model cannot write
        stops = tokenizer.eos_token_id
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(Qwen3Config(
        **SIZES[task.size], head_dim=32, vocab_size=vocabulary, tie_word_embeddings=True,
        max_position_embeddings=task.max_tokens + 64, eos_token_id=stops, pad_token_id=tokenizer.pad_token_id,
    ))
    model.save_pretrained(task.folder)
    tokenizer.save_pretrained(task.folder)


def compare_on_one_batch(task: Task) -> dict[str, Any]:
    """Sanmai samples rollouts; both grade them and take loss and gradient. How much they differ."""
    import torch

    from sanmai.losses import group_advantages
    from sanmai.models.policy import load_policy
    from sanmai.rewards.rubric import Rubric
    from sanmai.rollout.engine import rollout
    from sanmai.rollout.pack import pack_rollouts
    from sanmai.train.components import rl_components
    from sanmai.train.step import accumulate

    write_model(task)
    config = sanmai_config(task)
    policy, rubric = load_policy(config.model), Rubric(config.rewards, {"reward": reward})
    groups, _ = rollout(
        policy, problems_of(task), rubric, rollouts_per_prompt=task.group, seed=(0,), policy_version=0,
        sampling=config.sampling, grading=config.grading,
    )
    rollouts = [r for group in groups for r in group.rollouts]
    for r, advantage in zip(rollouts, [a for g in groups for a in group_advantages(g.rewards)], strict=True):
        r.advantage = advantage
    batch = pack_rollouts(rollouts)
    # Ratios away from 1: otherwise the loss does not depend on the log-probs, and nothing is clipped.
    noise_BT = 0.3 * torch.randn(batch.mask_BT.shape, generator=torch.Generator().manual_seed(0))
    batch.sampling_logp_BT = (batch.sampling_logp_BT + noise_BT) * batch.mask_BT
    ours = accumulate(policy, batch, rl_components(config.loss, task.max_tokens), 1.0, config.optimizer.micro_tokens).metrics

    trainer = make_trl_trainer(task)
    trainer.model.eval()
    trainer._generate_single_turn = lambda *_, **__: ([r.completion_tokens for r in rollouts], None)
    inputs = trainer._generate_and_score_completions([row for row in trainer.train_dataset for _ in range(task.group)])
    old_BC = torch.zeros(inputs["completion_ids"].shape)
    old_BC[inputs["completion_mask"].bool()] = batch.sampling_logp_BT[batch.mask_BT]
    loss = trainer.compute_loss(trainer.model, inputs | {"old_per_token_logps": old_BC})
    loss.backward()

    prompts = [token for r in rollouts for token in r.prompt_tokens]
    theirs = {name: p.grad for name, p in trainer.model.named_parameters()}
    norm = lambda tensors: torch.stack([t.norm() for t in tensors]).norm().item()  # noqa: E731
    return {
        "model": {"parameters": policy.num_parameters, "vocabulary": policy.vocabulary},
        "values": {"TRL's loss": loss.item(), "Sanmai's loss": ours["loss/rl"], "clipped": ours["policy/clip_fraction"]},
        "differences": {
            "prompts": float(inputs["prompt_ids"][inputs["prompt_mask"].bool()].tolist() != prompts),
            "advantages": (inputs["advantages"] - torch.tensor([r.advantage for r in rollouts])).abs().max().item(),
            "loss": abs(loss.item() - ours["loss/rl"]),
            "gradient, of its norm": norm([theirs[name] - p.grad for name, p in policy.weights.items()]) / norm(theirs.values()),
        },
    }


CONTENDERS = {"TRL": run_trl, "Sanmai": run_sanmai}

# Below: the process that the user starts. It does not import torch: a child's peak starts at its parent's size.


def in_subprocess(args: Task, **own: Any) -> dict[str, Any]:
    """What the contender's function returns, computed in a process with the given number of OpenMP threads."""
    result = Path(args.folder).with_name("result.json")
    command = [sys.executable, __file__, "--json", str(result), "--child", json.dumps({**vars(args), **own, "json": None})]
    settings = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(own["threads"]), "TMPDIR": str(result.parent)}
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"vs_trl: {own} ended with exit code {done.returncode}:\n{done.stderr[-4000:]}")
    return json.loads(result.read_text())


def report(runs: list[dict[str, Any]]) -> str:
    """The two tables."""
    found: dict[tuple, dict[str, list[float]]] = {}  # (contender, threads, rows) -> column -> a value per repeat
    for run in runs:
        table = found.setdefault((run["contender"], run["threads"], run["rows"]), {})
        for name, value in {
            "seconds per step": median(step["seconds"] for step in run["steps"]),
            "of it sampling": median(step["sampling"] for step in run["steps"]),
            "sampled tokens/s": median(step["tokens"] / step["sampling"] for step in run["steps"]),
            "tokens per step": mean(step["tokens"] for step in run["steps"]),
            "peak MB": run["peak_mb"],
        }.items():
            table.setdefault(name, []).append(value)

    def cell(middle: float, values: list[float]) -> str:
        form = ".2f" if middle < 100 else ",.0f"
        return f"{middle:{form}} ({min(values):{form}}..{max(values):{form}})".ljust(26)

    def ratio(name: str, over: tuple, under: tuple) -> str:
        a, b = found[over][name], found[under][name]
        return cell(median(a) / median(b), [x / y for x, y in zip(a, b, strict=True)])

    lines = [f"{'':9}{'threads':>8}{'rows':>6}  " + "".join(name.ljust(26) for name in table)]
    for (contender, threads, rows), columns in found.items():
        lines.append(f"{contender:9}{threads:8}{rows:6}  " + "".join(cell(median(c), c) for c in columns.values()))
    lines += ["", f"{'ratios of medians':38}{'step':26}{'sampling':26}peak memory"]
    pairs = {f"both {t} threads, {r} rows": (("TRL", t, r), ("Sanmai", t, r)) for _, t, r in found}
    speed = lambda key: -median(found[key]["seconds per step"])  # noqa: E731
    trl, ours = (max((key for key in found if key[0] == name), key=speed) for name in CONTENDERS)
    pairs[f"fastest of each: {trl[1]} x {trl[2]}, {ours[1]} x {ours[2]}"] = (trl, ours)
    for label, (a, b) in pairs.items():
        lines.append(f"{label:38}{ratio('seconds per step', a, b)}{ratio('sampled tokens/s', b, a)}{ratio('peak MB', a, b)}")
    return "\n".join(line.rstrip() for line in lines)


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
    add("--smoke", action="store_true", help="4 prompts x 4 completions of 16 tokens, 2 steps, 1 repeat")
    add("--json", type=Path, metavar="FILE", help="write everything that was measured")
    add("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        task = Task(**json.loads(args.child))
        args.json.write_text(json.dumps(CONTENDERS.get(task.contender, compare_on_one_batch)(task)))
        return
    if args.smoke:
        args.__dict__.update(prompts=4, group=4, max_tokens=16, steps=2, repeats=1, threads=args.threads[:1], rows=[0])
    args.rows = [rows or args.prompts * args.group for rows in args.rows]
    if any(args.prompts * args.group % rows for rows in args.rows):
        parser.error(f"--rows {args.rows}: TRL needs divisors of prompts x group")

    with tempfile.TemporaryDirectory(prefix="vs_trl-") as folder:
        args.folder = f"{folder}/model"
        check = in_subprocess(args, contender="", threads=args.threads[0], rows=args.rows[0])
        if not all(gap <= TOLERANCE for gap in check["differences"].values()):
            raise SystemExit(f"vs_trl: the contenders do not do the same work: {check}")
        runs: list[dict[str, Any]] = []
        for repeat, threads, rows, contender in itertools.product(range(args.repeats), args.threads, args.rows, CONTENDERS):
            setting = {"contender": contender, "threads": threads, "rows": rows}
            runs.append({**setting, "repeat": repeat, "load": os.getloadavg()[0], **in_subprocess(args, **setting)})
            print(f"repeat {repeat}", setting, [round(step["seconds"], 2) for step in runs[-1]["steps"]], file=sys.stderr)

    if args.lengths == "equal" and len(counts := {step["tokens"] for run in runs for step in run["steps"]}) > 1:
        raise SystemExit(f"vs_trl: the contenders did not sample the same number of tokens: {counts}")
    facts = {name: value for name, value in vars(args).items() if name not in ("child", "json", "folder")}
    facts |= {name: version(name) for name in ("trl", "sanmai", "torch", "transformers")}
    load = sorted(run["load"] for run in runs)  # one-minute average when a run starts: this benchmark's own part is in it
    facts |= check["model"] | {"machine": platform.platform(), "cores": os.cpu_count(), "load": f"{load[0]:.1f}..{load[-1]:.1f}"}
    print(*(f"{name}={value}" for name, value in facts.items()))
    print("one batch through both:", *(f"{name} {value:.3g}" for name, value in check["values"].items()), sep="  ")
    print("differences:", *(f"{name} {gap:.0e}" for name, gap in check["differences"].items()), sep="  ", end="\n\n")
    print(report(runs))
    if args.json:
        args.json.write_text(json.dumps({"facts": facts, "check": check, "runs": runs}, indent=1) + "\n")


if __name__ == "__main__":
    main()
