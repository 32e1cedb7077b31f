"""What a comparison on a real model gathers: small sums, and prompts of kinds that no stage sees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from sanmai.config import idle_settings
from sanmai.learn.sources import StoriesConfig
from sanmai.recipes.gather import DataConfig, GatherConfig, gathered


def _write(path: Path, prompts: list[str], **columns: str) -> str:
    path.write_text("".join(json.dumps({"prompt": prompt, **columns}) + "\n" for prompt in prompts))
    return str(path)


@pytest.fixture
def data(tmp_path: Path) -> DataConfig:
    return DataConfig(
        cold_start="stories", cold_start_limit=20, reasoning="stories", reasoning_limit=50, evaluation="stories",
        general=_write(tmp_path / "general.jsonl", [f"Tell me about tree number {i}." for i in range(20)]),
        safety=_write(tmp_path / "safety.jsonl", [f"Neutral stand-in for request {i}." for i in range(20)]),
        unseen_general=_write(tmp_path / "general_2.jsonl", [f"Write a line on river {i}." for i in range(10)]),
        unseen_safety=(
            _write(tmp_path / "safety_2.jsonl", [*(f"Other words, {i}." for i in range(6)), "Neutral stand-in for request 3."]),
            _write(tmp_path / "safety_3.jsonl", [f"A third wording of stand-in {i}." for i in range(6)]),
        ),
        evaluation_limit=12,
    )  # fmt: skip


def test_sets_that_no_stage_sees_are_evaluated_alone(data: DataConfig) -> None:
    """By set: sums of kinds that are trained on and others; general and safety prompts held out, and those of other files."""
    warnings: list[str] = []
    files, sources = gathered(GatherConfig(data=data), warnings.append)
    by_set: dict[str, list[str]] = {}
    for problem in files["evaluation"]:
        by_set.setdefault(str(problem.tags["set"]), []).append(problem.id)
    assert {"reasoning", "reasoning_ood", "general", "safety", "general_ood", "safety_ood"} == by_set.keys()
    assert len(by_set["general_ood"]) == 10
    # 13 rows are thinned evenly to 7, so that the second file is there too.
    assert len([i for i in by_set["safety_ood"] if "safety_3" in i]) == 3
    trained = {p.prompt for name, found in files.items() if name != "evaluation" for p in found}
    assert not trained & {p.prompt for p in files["evaluation"]}
    kinds = {p.tags["set"]: p.kind for p in files["evaluation"]}
    assert (kinds["general_ood"], kinds["safety_ood"], kinds["reasoning_ood"]) == ("general", "safety", "reasoning")
    assert set(data.unseen_safety) <= set(sources["evaluation"])


def test_sums_are_shown_in_the_cold_start_and_bare_for_rl(data: DataConfig) -> None:
    files, _ = gathered(GatherConfig(data=data), [].append)
    assert len(files["cold_start"]) == 20 and all(p.demonstration for p in files["cold_start"])
    assert len(files["reasoning"]) == 50 and not any(p.demonstration for p in files["reasoning"])
    assert {p.tags["kind"] for p in files["reasoning"]} == set(data.stories.kinds)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"unseen_safety": "world"}, "unseen_safety: expected files"),
        ({"unseen_general": ("stories",)}, "unseen_general: expected files"),
        ({"safety": "stories"}, "reasoning problems"),
    ],
)
def test_a_source_where_it_means_nothing_is_refused(changed: dict, named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        DataConfig(**changed)


def test_settings_of_sums_without_sums_are_named() -> None:
    config = GatherConfig(data=DataConfig(stories=StoriesConfig(levels=(1,))))
    (idle,) = idle_settings(config, {"data": {"stories": {"levels": [1]}}})
    assert "data.stories.levels" in idle and '"stories"' in idle
