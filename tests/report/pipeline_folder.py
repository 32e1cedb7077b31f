"""A small synthetic pipeline's folder by the contract of docs/architecture.md: pipelines/r1.py's graph, without its models."""

from __future__ import annotations

import json
import random
from collections.abc import Collection
from pathlib import Path
from typing import Any

from run_folder import write_lines, write_rows

# name, recipe, inputs, the model whose weights it loads ("tiny" and "stages/..." as configurations name them)
STAGES: list[tuple[str, str, list[str], str | None]] = [
    ("data", "gather", [], None),
    ("score_base", "evaluate", ["data"], "tiny"),
    ("zero", "zero", ["data"], "tiny"),
    ("score_zero", "evaluate", ["zero", "data"], "zero"),
    ("dev1", "sft", ["data"], "tiny"),
    ("score_dev1", "evaluate", ["dev1", "data"], "dev1"),
    ("dev2", "zero", ["dev1", "data"], "dev1"),
    ("score_dev2", "evaluate", ["dev2", "data"], "dev2"),
    ("traces", "sample", ["dev2", "data"], "dev2"),
    ("dev3", "sft", ["traces", "data"], "tiny"),
    ("score_dev3", "evaluate", ["dev3", "data"], "dev3"),
    ("helpfulness", "reward", ["dev1"], "dev1"),
    ("r1", "zero", ["dev3", "data", "helpfulness"], "dev3"),
    ("score_r1", "evaluate", ["r1", "data"], "r1"),
    ("student_base", "pretrain", [], None),
    ("score_student_base", "evaluate", ["student_base", "data"], "student_base"),
    ("lessons", "sample", ["r1", "data"], "r1"),
    ("student", "sft", ["student_base", "lessons", "data"], "student_base"),
    ("score_student", "evaluate", ["student", "data"], "student"),
    ("student_on_policy", "distill", ["student_base", "r1", "data"], "student_base"),
    ("score_student_on_policy", "evaluate", ["student_on_policy", "data"], "student_on_policy"),
    ("student_rl", "zero", ["student_base", "data"], "student_base"),
    ("score_student_rl", "evaluate", ["student_rl", "data"], "student_rl"),
]
# accuracy, thinks, language, helped, harm, over-refusal, tokens
_MODELS: dict[str, tuple[float, float, float, float, float, float, int]] = {
    "base": (0.12, 0.3, 0.8, 0.25, 0.6, 0.05, 40), "zero": (0.55, 0.99, 0.6, 0.25, 0.65, 0.05, 70),
    "dev1": (0.3, 0.97, 0.99, 0.3, 0.5, 0.06, 44), "dev2": (0.62, 0.99, 0.99, 0.28, 0.5, 0.05, 58),
    "dev3": (0.6, 0.99, 0.99, 0.8, 0.08, 0.12, 55), "r1": (0.68, 1.0, 1.0, 0.86, 0.03, 0.07, 61),
    "student_base": (0.08, 0.3, 0.8, 0.2, 0.6, 0.05, 38), "student": (0.5, 1.0, 1.0, 0.8, 0.05, 0.08, 59),
    "student_on_policy": (0.52, 1.0, 1.0, 0.82, 0.05, 0.07, 57), "student_rl": (0.3, 0.9, 0.7, 0.2, 0.6, 0.05, 65),
}
CARD = {
    "samples": 800, "kept": {"samples": 310, "problems": 280, "tokens": 17_000},
    "filters": [
        {"name": "complete", "meaning": "ended by itself", "seen": 800, "kept": 760, "dropped": {"length": 40},
         "examples": [{"id": "p1/0", "label": "length", "text": "an example that stays in the card"}]},
        {"name": "correct", "meaning": "right answers", "seen": 760, "kept": 310, "dropped": {"wrong": 450}, "examples": []},
    ],
}


def scored_row(problem: str, sample: int = 0, kind: str = "reasoning", **changes: Any) -> dict[str, Any]:
    """A row of a scoring stage: right, thinking and readable unless changes say otherwise."""
    set_name = changes.pop("set", kind)
    gold = {
        "score/accuracy": 1.0 if kind == "reasoning" else None, "score/harm": 0.0 if kind == "safety" else None,
        "score/helped": 1.0 if kind == "general" else None, "score/over_refusal": 0.0 if kind == "general" else None,
    }
    return {
        "step": 0, "problem_id": problem, "sample": sample, "kind": kind, "tags": json.dumps({"set": set_name}),
        "prompt": "what?", "text": "<think>a thought</think>so", "language": "en", "failure": None, "stop_reason": "stop",
        "num_tokens": 50, "thinks": True, "trace_state": "closed", "off_language": 0.0, "score/format": 1.0,
        "score/language": 1.0, "score/repetition": 0.0, "reason/harm": "a dangerous recipe is in it",
    } | gold | changes  # fmt: skip


def write_graph(path: Path, stages: list[tuple[str, str, list[str], str | None]]) -> None:
    rows: list[dict[str, Any]] = []
    for name, recipe, inputs, _ in stages:
        facts = {"name": name, "recipe": recipe, "purpose": f"the purpose of {name}", "inputs": inputs}
        facts |= {"folder": f"stages/{name}-0123456789", "digest": "0123456789"}
        rows.append(facts | ({"scores": name.removeprefix("score_")} if recipe == "evaluate" else {}))
    path.mkdir(parents=True, exist_ok=True)
    (path / "graph.json").write_text(json.dumps(rows), encoding="utf-8")


def write_stage(path: Path, stage: tuple[str, str, list[str], str | None], rows: list[dict[str, Any]]) -> Path:
    """The folder of a finished stage."""
    name, recipe, _, model = stage
    folder = path / "stages" / f"{name}-0123456789"
    folder.mkdir(parents=True)
    text = f'recipe = "{recipe}"\n'
    if recipe in ("zero", "sft", "pretrain", "distill"):
        text += "num_steps = 20\n"
    if model is not None:
        reference = model if model == "tiny" else f"/elsewhere/run/stages/{model}-0123456789"
        text += f'[model]\nname = "{reference}"\n'
    (folder / "config.toml").write_text(text, encoding="utf-8")
    steps = [] if recipe in ("evaluate", "gather") else range(1, 21)
    events: list[dict[str, Any]] = [{"event": "start", "step": 0}]
    for step in steps:
        tokens = {"trained": 900.0} if recipe == "sft" else {"sampled": 1000.0, "trained": 800.0}
        seconds = {"training": 1.5, "saving": 0.5}
        events.append({"event": "step", "step": step, "seconds": seconds, "tokens": tokens, "flops": {"training": 2e9}})
    if recipe == "evaluate":
        events.append({"event": "step", "step": 0, "seconds": {"evaluation": 3.0}, "tokens": {}})
        write_rows(folder / "evaluations" / "step-000000.parquet", rows)
    if recipe == "sample":
        (folder / "card.json").write_text(json.dumps(CARD), encoding="utf-8")
    write_lines(folder / "events.jsonl", events)
    (folder / "stage.json").write_text("{}", encoding="utf-8")
    return folder


def make_pipeline_folder(path: Path, *, until: str = "score_student_rl", num: int = 60, without: Collection[str] = ()) -> Path:
    """A pipeline that does what R1's did.

    Args:
        until: the last finished stage; later ones are still to do.
        num: problems of each set.
        without: stages that are not in the graph.
    """
    stages = [stage for stage in STAGES if stage[0] not in without]
    write_graph(path, stages)
    (path / "config.toml").write_text('recipe = "r1"\nseed = 3\n', encoding="utf-8")
    for stage in stages:
        model = stage[0].removeprefix("score_")
        write_stage(path, stage, _rows(model, num) if stage[1] == "evaluate" else [])
        if stage[0] == until:
            break
    return path


def _rows(model: str, num: int) -> list[dict[str, Any]]:
    accuracy, thinking, language, helped, harm, over_refusal, tokens = _MODELS[model]
    generator = random.Random(model)
    difficulty = random.Random(1)
    rows = []
    for set_name, ease in (("reasoning", 1.0), ("reasoning_ood", 0.7), ("general", 1.0), ("safety", 1.0)):
        kind = set_name.partition("_")[0]
        for i in range(num):
            hard = (difficulty.random() + generator.random()) / 2
            thinks = generator.random() < thinking
            is_cut = generator.random() > 0.97
            changes: dict[str, Any] = {
                "thinks": thinks, "num_tokens": tokens + int(20 * generator.random()),
                "stop_reason": "length" if is_cut else "stop", "score/format": None if is_cut else float(thinks),
                "score/language": None if generator.random() > 0.98 else min(1.0, language + 0.2 * generator.random()),
            }
            if kind == "reasoning":
                changes["score/accuracy"] = None if i == 0 else float(hard < accuracy * ease)
            elif kind == "general":
                changes["score/helped"] = float(hard < helped)
                changes["score/over_refusal"] = None if is_cut else float(hard < over_refusal)
            else:
                changes["score/harm"] = float(hard < harm)
            rows.append(scored_row(f"{set_name}/{i}", 0, kind, set=set_name, **changes))
    return rows
