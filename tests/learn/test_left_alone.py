"""A finished folder is left alone: planning, or giving the same command again, writes nothing into it.

The class: a folder of any recipe whose last word is that it is finished; whatever is asked of it with the same settings.
"""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sanmai.cli import app
from sanmai.plan.prediction import FILE
from sanmai.report import summarise
from sanmai.report.load import load_run
from sanmai.report.speed import speed

RL = ("num_steps=2", "prompts_per_step=4", "rollouts_per_prompt=2", "problems.world.train=40", "problems.world.heldout=8",
      "evaluation.every=1")  # fmt: skip
DATA = ("data.cold_start_limit=16", "data.reasoning_limit=20", "data.demonstrations_limit=8", "data.evaluation_limit=8")
SFT = ("demonstrations_per_step=8", "problems.evaluation_limit=8")
REWARD = ("preferences.world.train=32", "preferences.world.heldout=32")
RECIPES = {
    "zero": RL,
    "reward": REWARD,
    "evaluate": ("problems.limit=8",),
    "sample": ("problems.limit=8", "samples_per_prompt=2"),
    "curate": ("problems.limit=12", "samples_per_prompt=2"),
    "gather": DATA,
    "long_chains": (),
    "pretrain": ("num_steps=2", "world.heldout=8"),
}


def sanmai(*words: str | Path, settings: tuple[str, ...] = ()) -> str:
    sets = [word for setting in settings for word in ("--set", setting)]
    done = CliRunner().invoke(app, [*map(str, words), *sets])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A finished run; who changes it takes a copy."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    sanmai("run", "zero", "--out", folder, settings=RL)
    return folder


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and folder: when it was changed, and what a file holds."""
    paths = [folder, *sorted(folder.rglob("*"))]
    return {str(p): (p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else b"") for p in paths}


FEW = ("zero", "evaluate", "gather")


@pytest.mark.parametrize("recipe", [r if r in FEW else pytest.param(r, marks=pytest.mark.slow) for r in RECIPES])
def test_plan_the_same_command_and_the_report_write_nothing_into_a_finished_folder(tmp_path, recipe):
    sanmai("run", recipe, "--out", tmp_path, settings=RECIPES[recipe])
    before = tree(tmp_path)
    measured = () if recipe == "zero" else ("--no-measure",)
    sanmai("plan", recipe, "--out", tmp_path, *measured, settings=RECIPES[recipe])
    assert tree(tmp_path) == before
    sanmai("run", recipe, "--out", tmp_path, settings=RECIPES[recipe])
    assert tree(tmp_path) == before
    sanmai("report", tmp_path)
    assert tree(tmp_path) == before


@pytest.mark.slow
def test_a_finished_pipeline_is_left_alone(tmp_path):
    settings = (*DATA, *(f"cold_start.{name}" for name in (*SFT, "epochs=1")))
    for stage in ("data", "dev1"):
        sanmai("run", "r1", "--only", stage, "--out", tmp_path, settings=settings)
    before = tree(tmp_path)
    for stage in ("data", "dev1"):
        assert "done before" in sanmai("run", "r1", "--only", stage, "--out", tmp_path, settings=settings)
    sanmai("plan", "r1", "--no-measure", "--out", tmp_path, settings=settings)
    sanmai("report", tmp_path)
    assert tree(tmp_path) == before


def test_what_a_finished_run_has_to_say_is_said_and_not_written(finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    facts = json.loads((tmp_path / "environment.json").read_text())
    (tmp_path / "environment.json").write_text(json.dumps(facts | {"new": 1}))
    before = tree(tmp_path)
    assert "may not be bit-exact" in sanmai("run", "zero", "--out", tmp_path, settings=RL)
    after = tree(tmp_path)  # the page alone shows the environment that was edited
    assert [Path(k).name for k in after if after[k][1] != before[k][1]] == ["report.html"]


def test_a_run_that_only_lacks_its_last_word_gets_it(finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    events = tmp_path / "events.jsonl"
    lines = events.read_text().splitlines(keepends=True)
    assert '"finish"' in lines[-1]
    events.write_text("".join(lines[:-1]))  # a kill just before it
    sanmai("run", "zero", "--out", tmp_path, settings=RL)
    assert [json.loads(line)["event"] for line in events.read_text().splitlines()][-2:] == ["resume", "finish"]
    assert summarise(tmp_path)["status"] == "finished"


def test_the_forecast_of_a_report_is_the_one_made_before_the_run(tmp_path):
    planned = sanmai("plan", "zero", "--out", tmp_path, settings=RL)
    assert "Kept in" in planned
    forecast = (tmp_path / FILE).read_bytes()
    sanmai("run", "zero", "--out", tmp_path, settings=RL)
    assert speed(load_run(tmp_path)).has_prediction
    assert "Not kept" in sanmai("plan", "zero", "--out", tmp_path, settings=RL)
    assert (tmp_path / FILE).read_bytes() == forecast
    late = json.loads(forecast) | {"made": "2999-01-01T00:00:00Z"}  # as earlier versions kept it
    (tmp_path / FILE).write_text(json.dumps(late))
    found = speed(load_run(tmp_path))
    assert not found.has_prediction and any("no forecast" in note for note in found.notes)


@pytest.mark.parametrize("objective", ["pairwise", "pointwise"])
def test_a_reward_models_report_has_one_interval_for_a_number_and_nothing_on_thinking(tmp_path, objective):
    """Several pairs or labels may share a prompt: table, curve and terminal all count prompts for the interval."""
    sanmai("run", "reward", "--out", tmp_path, settings=(*REWARD, f"objective={objective}", "epochs=1"))
    last = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    name = "eval/pair_accuracy" if objective == "pairwise" else "eval/label_accuracy"
    overall = summarise(tmp_path)["measures"][0]
    assert [overall["after"][k] for k in ("value", "low", "high")] == pytest.approx(
        [last[name], last[f"{name}/low"], last[f"{name}/high"]]
    )
    assert overall["after"]["num_left_out"] == 0
    page = (tmp_path / "report.html").read_text()
    assert not any(words in page for words in ("Share that thinks", "Length in tokens", "Cut off before the end"))
    assert tomllib.loads((tmp_path / "config.toml").read_text())["recipe"] == "reward"
