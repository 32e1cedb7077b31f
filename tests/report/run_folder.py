"""A small synthetic run folder by the contract of docs/architecture.md."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

CONFIG = """\
recipe = "zero"
seed = 7
num_steps = {num_steps}
prompts_per_step = 4

[model]
name = "world-base"

[problems]
source = "world"

[sampling]
temperature = 1.0
"""
ENVIRONMENT = {
    "python": "3.11.7", "git_commit": "0f3a91c",
    "packages": {"torch": "2.13.0", "transformers": "5.16.1", "peft": None},
    "machine": {"system": "Linux", "processor": "EPYC", "cores": 2, "device": "cpu"},
    "model": {"name": "world-base", "architecture": "Qwen3ForCausalLM", "parameters": 790_000},
}


def row(step: int, problem_id: str, score: float | None, **changes: Any) -> dict[str, Any]:
    """A rollout row; the rest of the schema follows from the score unless changes say otherwise."""
    right = score == 1.0
    return {
        "step": step, "problem_id": problem_id, "sample": 0, "prompt": f"what is {problem_id} plus 5 ?", "answer": "42",
        "language": "en", "tags": '{"digits": 2}', "text": f"<think>3 7 plus 5 , ones</think>{42 if right else 41}",
        "trace_state": "closed", "stop_reason": "stop", "num_tokens": 20, "policy_version": step, "reward": score,
        "advantage": 0.0, "log_ratio": None, "failure": None, "off_language": 0.0,
        "tokens": [1, 2, 3], "sampling_logp": [-0.1, -0.2, -0.3], "score/accuracy": score,
        "label/accuracy": "ungradable" if score is None else "correct" if right else "wrong",
        "reason/accuracy": "no number in the answer" if score is None else "graded",
    } | changes


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in rows), encoding="utf-8")


def make_run_folder(
    path: Path, *, num_steps: int = 40, planned: int | None = None, num_problems: int = 60, rollouts_per_step: int = 16
) -> Path:
    """A run that learns: held-out accuracy rises, thinking grows, English thoughts drift into Chinese.

    Args:
        num_steps: steps on record; 0 is a run that has just begun.
        planned: steps that the configuration asks for, num_steps when None; more than that leaves out the finish event.
    """
    path.mkdir(parents=True, exist_ok=True)
    generator = random.Random(5)
    (path / "config.toml").write_text(CONFIG.format(num_steps=planned or num_steps or 40), encoding="utf-8")
    (path / "environment.json").write_text(json.dumps(ENVIRONMENT), encoding="utf-8")
    metrics: list[dict[str, Any]] = []
    events = [{"time": "2026-11-20T13:40:00.000000Z", "event": "start", "step": 0}]
    for step in range(num_steps + 1):
        share = step / max(num_steps, 1)
        line: dict[str, Any] = {"step": step}
        if num_steps and step % 10 == 0:
            line |= _evaluation(path, step, share, num_problems, generator)
        if step:
            line |= _training(path, step, share, rollouts_per_step, generator)
            clock = f"2026-11-20T13:{40 + step // 20:02d}:{3 * (step % 20):02d}.500000Z"
            seconds = {"sampling": 0.9 + share, "training": 0.7, "saving": 0.02}
            tokens = {"prompt": 160.0, "sampled": line["tokens/sampled"], "trained": line["tokens/sampled"]}
            events.append({"time": clock, "event": "step", "step": step, "seconds": seconds, "tokens": tokens})
        if step == 12:
            overlap = "training and evaluation share 3 8-grams, such as <what is 3 plus>"
            events += [{"time": clock, "event": "warning", "message": overlap}] * 2
        if step == 25:
            events += [{"time": clock, "event": kind, "step": 25} for kind in ("interrupt", "resume")]
        if len(line) > 1:
            metrics.append(line)
    if num_steps and (planned or num_steps) == num_steps:
        events.append({"time": "2026-11-20T13:43:10.000000Z", "event": "finish"})
    if metrics:
        write_lines(path / "metrics.jsonl", metrics)
    write_lines(path / "events.jsonl", events)
    return path


def _evaluation(path: Path, step: int, share: float, num_problems: int, generator: random.Random) -> dict[str, float]:
    rows = [_rollout(step, f"heldout/{i}", 1 + i % 3, share, generator) for i in range(num_problems)]
    write_rows(path / "evaluations" / f"step-{step:06d}.parquet", rows)

    def mean(chosen: list[dict[str, Any]]) -> float:
        scores = [r["score/accuracy"] for r in chosen if r["score/accuracy"] is not None]
        return sum(scores) / len(scores)

    by_digits = {
        f"eval/accuracy/digits={d}": mean([r for r in rows if json.loads(r["tags"])["digits"] == d]) for d in (1, 2, 3)
    }
    thinking = sum(r["trace_state"] == "closed" for r in rows) / len(rows)
    return {"eval/accuracy": mean(rows), "eval/thinks": thinking, "eval/length_mean": 30 + 30 * share, **by_digits}


def _training(path: Path, step: int, share: float, count: int, generator: random.Random) -> dict[str, float]:
    rows = [_rollout(step, f"train/{step}-{i // 4}", 2, share, generator, sample=i % 4) for i in range(count)]
    rows = [r | {"advantage": 0.5 if r["score/accuracy"] else -0.5, "log_ratio": 0.001} for r in rows]
    write_rows(path / "rollouts" / f"step-{step:06d}.parquet", rows)
    scores = [r["score/accuracy"] for r in rows if r["score/accuracy"] is not None]
    languages = [r["off_language"] for r in rows if r["off_language"] is not None]
    return {
        "reward/mean": sum(scores) / len(scores) + 0.1 * share, "reward/accuracy": sum(scores) / len(scores),
        "reward/format": min(1.0, 0.5 + share), "rollout/length_mean": sum(r["num_tokens"] for r in rows) / count,
        "rollout/length_max": 64.0, "rollout/thinks": sum(r["trace_state"] == "closed" for r in rows) / count,
        "rollout/off_language": sum(languages) / max(1, len(languages)), "rollout/truncated": 0.05 * (1 - share),
        "rollout/ungradable": sum(r["score/accuracy"] is None for r in rows) / count, "rollout/failed": 0.0,
        "rollout/zero_signal_groups": 0.2 + 0.5 * share * generator.random(), "policy/entropy": 0.8 - 0.5 * share,
        "policy/clip_fraction": 0.02 * generator.random(), "policy/grad_norm": 0.5 + generator.random(),
        "policy/logp_mismatch_max": 1e-6 * (1 + generator.random()), "loss/rl": 0.01 * (generator.random() - 0.5),
        "optimizer/lr": 3e-4 * min(1.0, step / 5), "tokens/prompt": 160.0, "tokens/trained": 400.0,
        "tokens/sampled": float(sum(r["num_tokens"] for r in rows)),
    }


def _rollout(
    step: int, problem: str, digits: int, share: float, generator: random.Random, sample: int = 0
) -> dict[str, Any]:
    draw = generator.random()
    score = None if draw > 0.98 else float(draw < (0.85 - 0.25 * digits) + (0.3 + 0.12 * digits) * share)
    thinking = generator.random() < 0.55 + 0.45 * share
    mixed = thinking and generator.random() < 0.5 * share
    a, b = generator.randrange(10**digits), generator.randrange(10**digits)
    answer = a + b if score == 1.0 else a + b + 10
    plus, equals = ("加", "等于") if mixed else ("plus", "is")
    steps = f"{a % 10} {plus} {b % 10} {equals} {a % 10 + b % 10}"
    return row(
        step, problem, score, sample=sample, prompt=f"what is {a} plus {b} ?", answer=str(a + b),
        text=f"<think>{steps} , then the tens</think>{answer}" if thinking else str(answer),
        tags=json.dumps({"digits": digits, "template": "plus"}), trace_state="closed" if thinking else "none",
        off_language=(0.6 if mixed else 0.0) if thinking else None, num_tokens=8 + int(30 * thinking * (0.5 + share)),
        stop_reason="length" if generator.random() > 0.97 else "stop",
    )
