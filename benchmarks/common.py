"""What the benchmarks share: the model that both contenders load, Sanmai's and TRL's settings, subprocesses, tables.

A benchmark is a process without torch that starts one child per measurement: `python benchmarks/x.py --child TASK`. A child's
peak memory starts at its parent's size, and OpenMP reads the number of its threads when a process starts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, NoReturn

SIZES = {  # of a Qwen3; "small" is the embedded model's
    "small": dict(
        hidden_size=128, intermediate_size=384, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2
    ),
    "medium": dict(
        hidden_size=256, intermediate_size=768, num_hidden_layers=6, num_attention_heads=8, num_key_value_heads=4
    ),
}
DTYPES = ("float32", "bfloat16")
LR, BETAS = 1e-6, (0.9, 0.95)
WARMUP = 1
Task = argparse.Namespace  # the command line's options, with `folder`, `job`, and one value each of what has several


class Enough(Exception):  # noqa: N818 (nothing is wrong)
    """All steps that are measured are done; the run's last one, which evaluates and saves, is not reached."""


def add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--layers", type=int, default=0, help="layers instead of the size's own")
    parser.add_argument("--width", type=int, default=0, help="hidden size instead of the size's own")


def write_model(task: Task, *, vocabulary: int = 0, max_positions: int = 0) -> int:
    """Write model and tokenizer of a task into task.folder; the number of parameters.

    With task.lengths "equal" the stop token lies outside the model's output, so that every completion has max_tokens.

    Args:
        vocabulary: rows of the embedding; 0 is the tokenizer's own.
        max_positions: longest sequence; 0 is max_tokens and room for a prompt.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from sanmai.policies.text.tiny import tiny_tokenizer

    tokenizer = tiny_tokenizer()
    vocabulary = vocabulary or len(tokenizer)
    stops = [i for i in tokenizer.all_special_ids if i != tokenizer.pad_token_id]
    if task.lengths == "equal":
        if vocabulary > len(tokenizer):
            raise ValueError("equal lengths need a stop token right after the model's vocabulary")
        tokenizer.add_special_tokens({"eos_token": "<never>"})  # gets the first id that the model cannot write
        stops = tokenizer.eos_token_id
    shape = dict(SIZES[task.size])
    if task.layers:
        shape["num_hidden_layers"] = task.layers
    if task.width:
        shape |= {"hidden_size": task.width, "intermediate_size": 3 * task.width}
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(
        Qwen3Config(
            **shape,
            head_dim=32,
            vocab_size=vocabulary,
            tie_word_embeddings=True,
            max_position_embeddings=max_positions or task.max_tokens + 64,
            eos_token_id=stops,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    model.save_pretrained(task.folder)
    tokenizer.save_pretrained(task.folder)
    return sum(p.numel() for p in model.parameters())


def problems_of(task: Task) -> list:
    """Sums of the embedded world, or in words for a model of one's own."""
    if getattr(task, "model", None):
        from sanmai.data.stories import make_stories

        return make_stories(task.prompts, seed=0)
    from sanmai.world import make_problems

    return make_problems(task.prompts, seed=0, digits=(1, 2, 3))


def reward(problem: Any, completion: str) -> float:
    """Digits written, in tens; special tokens, which TRL leaves out of the text and Sanmai does not, hold none."""
    return sum(c.isdigit() for c in completion) / 10


def sanmai_config(task: Task, **replaced: Any) -> Any:
    """run_zero's configuration: task.rows rows in a pass; its last step, which evaluates and saves, is one too many."""
    from transformers import AutoTokenizer

    from sanmai.data.chat import render_prompt
    from sanmai.recipes.zero import ZeroConfig

    tokenizer = AutoTokenizer.from_pretrained(task.folder)
    longest = max(len(render_prompt(tokenizer, p.messages)) for p in problems_of(task)) + task.max_tokens
    num_steps = WARMUP + task.steps + 1
    settings = {
        "num_steps": num_steps,
        "prompts_per_step": task.prompts,
        "rollouts_per_prompt": task.group,
        "model": {"name": task.folder, "threads": task.threads, "dtype": task.dtype},
        "sampling": {"max_tokens": task.max_tokens},
        "problems": {"evaluation": "world", "world": {"train": 1, "heldout": 1}},
        "checkpoints": {"every": num_steps},
        "optimizer": {"lr": LR, "betas": BETAS, "micro_tokens": task.rows * longest},
        "loss": {"preset": "dapo"},
    }
    return ZeroConfig.read(settings | replaced)


def make_trl_trainer(
    task: Task, *, problems: Sequence[Any] | None = None, reward_funcs: Callable | None = None, **replaced: Any
) -> Any:
    """TRL's GRPOTrainer with Sanmai's settings; `replaced` are arguments of GRPOConfig. A row's `problem` is its index."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer

    torch.set_num_threads(task.threads)
    settings = {
        "output_dir": tempfile.mkdtemp(),
        "max_steps": WARMUP + task.steps,
        "seed": 0,
        "num_generations": task.group,
        "max_completion_length": task.max_tokens,
        "temperature": 1.0,
        "top_k": 0,
        "top_p": 1.0,
        "per_device_train_batch_size": task.rows,
        "gradient_accumulation_steps": task.prompts * task.group // task.rows,
        "loss_type": "dapo",
        "epsilon": 0.2,
        "epsilon_high": 0.28,
        "beta": 0.0,
        "scale_rewards": "group",
        "learning_rate": LR,
        "lr_scheduler_type": "constant",
        "adam_beta1": BETAS[0],
        "adam_beta2": BETAS[1],
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "use_cpu": True,
        "bf16": task.dtype == "bfloat16",
        "gradient_checkpointing": False,
        "dataloader_pin_memory": False,
        "report_to": [],
        "save_strategy": "no",
        "logging_strategy": "no",
        "disable_tqdm": True,
    }
    problems = problems_of(task) if problems is None else problems
    rows = [{"prompt": [dict(message) for message in p.messages], "problem": i} for i, p in enumerate(problems)]
    return GRPOTrainer(
        AutoModelForCausalLM.from_pretrained(task.folder, dtype=torch.float32),  # bf16 is autocast, as Sanmai's is
        args=GRPOConfig(**settings | replaced),
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(task.folder),
        reward_funcs=reward_funcs
        or (lambda completions, **_: [reward(None, turns[0]["content"]) for turns in completions]),
    )


def peak_mb() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


# Below: what the process that the user starts needs. Nothing here imports torch.


def make_parser(doc: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, one repeat: does it run?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser


def answer(args: Task, jobs: Mapping[str, Callable[[Task], Any]]) -> None:
    """In a child: do the job of the task and leave its result for the parent."""
    task = Task(**json.loads(args.child))
    args.json.write_text(json.dumps(jobs[task.job](task)))


def in_subprocess(args: Task, job: str, **own: Any) -> Any:
    """What a job of the running script returns, computed in a process with `threads` OpenMP threads."""
    task = {**vars(args), **own, "job": job, "json": None}
    result = Path(tempfile.mkdtemp(prefix="benchmark-")) / "result.json"
    command = [sys.executable, sys.argv[0], "--json", str(result), "--child", json.dumps(task)]
    settings = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(task["threads"]), "TMPDIR": str(result.parent)}
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True)
    if done.returncode:
        fail(f"{job} with {own} ended with exit code {done.returncode}:\n{done.stderr[-4000:]}")
    found = json.loads(result.read_text())
    shutil.rmtree(result.parent, ignore_errors=True)
    return found


def fail(reason: str) -> NoReturn:
    """End the benchmark: what it would print would not be true."""
    raise SystemExit(f"{Path(sys.argv[0]).stem}: {reason}")


def facts_of(args: Task, *packages: str, **more: Any) -> dict[str, Any]:
    """Settings, versions and machine, for the first line and the JSON."""
    facts = {name: value for name, value in vars(args).items() if name not in ("child", "json", "folder")}
    facts |= {name: version(name) for name in ("sanmai", "torch", "transformers", *packages)}
    return facts | more | {"machine": platform.platform(), "cores": num_cores()}


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_range(runs: Sequence[dict[str, Any]]) -> str:
    """One-minute load averages when the runs started; the benchmark's own part is in them."""
    load = sorted(run["load"] for run in runs)
    return f"{load[0]:.1f}..{load[-1]:.1f}"


def cell(values: Sequence[float], middle: float | None = None) -> str:
    """`median (smallest..largest)`, the width of a column."""
    middle = median(values) if middle is None else middle
    form = ".2f" if abs(middle) < 100 else ",.0f"
    return f"{middle:{form}} ({min(values):{form}}..{max(values):{form}})".ljust(26)


def ratio_cell(over: Sequence[float], under: Sequence[float]) -> str:
    """Ratio of medians, with the range of the ratios within a repeat."""
    return cell([a / b for a, b in zip(over, under, strict=True)], median(over) / median(under))


def table(rows: Mapping[str, Mapping[str, Sequence[float]]], first: str = "") -> str:
    """One line per row: its columns' medians and ranges over the repeats."""
    names = list(next(iter(rows.values())))
    width = max(len(name) for name in [*rows, first]) + 2
    lines = [first.ljust(width) + "".join(name.ljust(26) for name in names)]
    lines += [label.ljust(width) + "".join(cell(columns[name]) for name in names) for label, columns in rows.items()]
    return "\n".join(line.rstrip() for line in lines)


def collect(runs: Sequence[dict[str, Any]], label: Callable, columns: Mapping[str, Callable]) -> dict[Any, dict]:
    """Label of a run -> column -> its value in each repeat."""
    found: dict[Any, dict[str, list[float]]] = {}
    for run in runs:
        values = found.setdefault(label(run), {name: [] for name in columns})
        for name, value in columns.items():
            values[name].append(value(run))
    return found


def write_json(args: Task, **content: Any) -> None:
    if args.json:
        args.json.write_text(json.dumps(content, indent=1) + "\n")
