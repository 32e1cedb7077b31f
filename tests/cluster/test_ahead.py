"""Rollouts written ahead: by which policy, that the bound is kept, and that a run goes on with what waited."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from inline import InlineLink

from sanmai.cluster import samplers
from sanmai.learn.progress import Progress
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.zero import run_zero
from sanmai.report.load import load_run
from sanmai.report.speed import speed
from sanmai.types import InputError

SETTINGS = (
    "num_steps=4", "checkpoints.every=1", "prompts_per_step=3", "rollouts_per_prompt=3", "problems.world.train=60",
    "problems.world.heldout=4", "evaluation.every=3", "model.threads=1", "cluster.transport=processes", "cluster.parts=2",
    "cluster.samplers=2", "loss.importance_cap=2", "optimizer.lr=1e-3",
)  # fmt: skip


@pytest.fixture(autouse=True)
def inline(monkeypatch):
    """Samplers are threads of this process: what is tested is who asks them for what."""
    monkeypatch.setattr(samplers, "links_of", lambda config, *_: [InlineLink(n) for n in range(1, config.samplers + 1)])


def run(out: Path, *settings: str, stop_after: int | None = None) -> Path:
    progress = Progress.silent()
    progress.listeners = [lambda run, step, metrics: step != stop_after]
    return run_zero(resolve(find_recipe("zero"), overrides=[*SETTINGS, *settings]), out, progress=progress)


def versions(out: Path) -> list[set[int]]:
    return [set(pq.read_table(file)["policy_version"].to_pylist()) for file in sorted(out.glob("rollouts/*.parquet"))]


def contents(out: Path) -> dict[str, bytes]:
    names = ("metrics.jsonl", "rollouts/*", "evaluations/*", "checkpoints/step-000004/*.safetensors")
    return {str(p.relative_to(out)): p.read_bytes() for name in names for p in sorted(out.glob(name))}


def test_a_step_is_written_by_the_policy_of_before_the_last_update_and_an_interrupted_run_goes_on_to_the_same_bytes(tmp_path):
    whole = run(tmp_path / "whole", "cluster.staleness=1")
    # Steps 1 and 2 by the starting policy; 3 by that of one update, while step 2 is trained.
    assert versions(whole) == [{0}, {0}, {1}, {2}]
    [note] = [note for note in speed(load_run(whole)).notes if "Rollouts were written ahead" in note]
    assert "at most 1 updates before the newest" in note
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "halves", "cluster.staleness=1", stop_after=2)
    assert len(versions(tmp_path / "halves")) == 2
    run(tmp_path / "halves", "cluster.staleness=1", "cluster.samplers=1")
    assert contents(whole).keys() == contents(tmp_path / "halves").keys()
    assert [name for name, data in contents(whole).items() if contents(tmp_path / "halves")[name] != data] == []


def test_no_row_is_older_than_the_bound(tmp_path):
    assert versions(run(tmp_path / "two", "cluster.staleness=2")) == [{0}, {0}, {0}, {1}]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["loss.importance_cap=none"], "cluster.staleness needs loss.importance_cap"),
        (["partial.segment_tokens=8"], "cluster.staleness and partial.segment_tokens"),
        (["refill.tries=1"], "cluster.staleness and refill.tries"),
        (["curriculum.order=prioritised"], "cluster.staleness and a curriculum that tracks success"),
        (["loss.preset=remax"], "cluster.staleness and loss.baseline 'greedy'"),
        (["credit.by=steps", "loss.preset=dr_grpo"], "cluster.staleness and credit by steps"),
        (["cluster.transport=none", "cluster.samplers=2"], "cluster.staleness = 1 is read only with cluster.transport"),
    ],
)
def test_what_cannot_be_written_ahead_is_refused_when_it_is_read(settings, says):
    with pytest.raises(InputError) as refused:
        resolve(find_recipe("zero"), overrides=[*SETTINGS, "cluster.staleness=1", *settings])
    assert says in str(refused.value) and "\n" not in str(refused.value)
