"""Trackers are told what metrics.jsonl is told, each step once, whatever the run goes through."""

import contextlib
import json
import os
import sys
from types import ModuleType, SimpleNamespace

import pytest

from sanmai.config import Config
from sanmai.desk.trackers import Tracking
from sanmai.train.runs import CheckpointsConfig, Run
from sanmai.types import InputError

EVERY = CheckpointsConfig(every=3)


class Recipe(Config):
    num_steps: int = 12


def train(folder, tracking, last, dies_at=None):
    """A run that logs a number per step, saves every third, and may be killed: what a kill leaves is what was written."""
    with Run(folder, "toy", Recipe()) as run:
        run.listeners = [tracking]
        if run.start_step == 0:
            run.log_step(0, {"eval/accuracy/digits=2": 0.0})
        for step in run.steps(last):
            run.log_step(step, {"reward/mean": float(step), "eval/accuracy/digits=2": step / 10})
            if run.commits(step, last, EVERY):
                run.save(step, lambda path: (path / "model").write_text("x"), EVERY)
            if step == dies_at:
                raise ZeroDivisionError("killed")


@pytest.fixture
def heard(monkeypatch, tmp_path):
    """Stand-ins of the three trackers that are not installed here; what each was told, by name."""
    told: dict[str, list] = {"wandb": [], "trackio": [], "mlflow": [], "begun": [], "ended": []}

    def module(name, **contents):
        made = ModuleType(name)
        made.__spec__ = SimpleNamespace(name=name)
        vars(made).update(contents)
        monkeypatch.setitem(sys.modules, name, made)

    def wandb_init(**options):
        told["begun"].append(options)
        return SimpleNamespace(log=lambda m, step: told["wandb"].append((step, m)), finish=lambda: told["ended"].append("wandb"))

    begun: list = []

    class Client:
        def __init__(self, tracking_uri):
            told["begun"].append(tracking_uri)

        def get_experiment_by_name(self, name):
            return None

        def create_experiment(self, name):
            return "7"

        def search_runs(self, experiments, query, max_results):
            return begun

        def create_run(self, experiment, tags, run_name):
            begun.append(SimpleNamespace(info=SimpleNamespace(run_id="r")))
            return begun[0]

        def log_metric(self, run_id, name, value, step):
            told["mlflow"].append((step, name, value))

        def set_terminated(self, run_id):
            told["ended"].append("mlflow")

    module("wandb", init=wandb_init)
    module("trackio", init=lambda **o: told["begun"].append(o), log=lambda m, step: told["trackio"].append((step, m)),
           finish=lambda: told["ended"].append("trackio"))
    module("trackio.utils", TRACKIO_DIR=tmp_path / "first" / "tracking" / "trackio")
    module("mlflow", MlflowClient=Client)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("TRACKIO_DIR", "unused")
    return told


def test_a_run_that_is_killed_and_resumed_leaves_each_step_once_in_every_tracker(heard, tmp_path):
    names = ["wandb", "trackio", "mlflow"]
    tracking = Tracking(names)
    with pytest.raises(ZeroDivisionError):
        train(tmp_path / "run", tracking, 12, dies_at=8)  # the newest checkpoint is step 6
    tracking = Tracking(names)
    train(tmp_path / "run", tracking, 12)
    tracking.close()
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    expected = [(line.pop("step"), line) for line in lines]
    assert heard["wandb"] == heard["trackio"] == expected and [step for step, _ in expected] == list(range(13))
    points = [(step, name.replace("=", ":"), value) for step, line in expected for name, value in line.items()]
    assert sorted(heard["mlflow"]) == sorted(points)
    assert sorted(heard["ended"]) == ["mlflow", "trackio", "wandb"]
    first = heard["begun"][0]
    assert first["mode"] == "offline" and first["id"].startswith("run-") and first["resume"] == "allow"
    assert first["config"]["recipe"] == "toy"
    assert str(heard["begun"][2]).startswith("sqlite:///") and str(tmp_path) in str(heard["begun"][2])


def test_two_runs_whose_folders_have_the_same_name_are_two_to_a_tracker(heard, tmp_path):
    for place in ("a", "b", "a"):  # the last goes on with the first
        (tmp_path / place).mkdir(exist_ok=True)
        tracking = Tracking(["wandb"])
        train(tmp_path / place / "rl", tracking, 12 if (tmp_path / place / "rl").exists() else 6)
        tracking.close()
    first, other, again = (begun["id"] for begun in heard["begun"])
    assert first == again != other and {first[:3], other[:3]} == {"rl-"}


def test_a_tracker_that_fails_is_left_out_with_a_warning_and_the_run_goes_on(heard, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["trackio"], "log", lambda m, step: 1 / 0)
    tracking = Tracking(["trackio", "wandb"])
    train(tmp_path / "run", tracking, 4)
    tracking.close()
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert [e["message"] for e in events if e["event"] == "warning"] == [
        "tracking with trackio ended at step 0: ZeroDivisionError: division by zero"]  # fmt: skip
    assert len(heard["wandb"]) == 5 and heard["ended"] == ["wandb"]


def test_trackio_is_in_the_first_runs_folder_or_the_pipelines_and_is_said_to_be(heard, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("TRACKIO_DIR")
    monkeypatch.setattr(sys.modules["trackio"], "init", lambda **o: print("* Trackio project initialized"))
    pipeline = tmp_path / "first"
    (pipeline / "stages").mkdir(parents=True)
    (pipeline / "graph.json").write_text("{}")
    for folder, warns in ((pipeline / "stages" / "rl-1", False), (pipeline / "stages" / "sft-2", False), (tmp_path / "b", True)):
        tracking = Tracking(["trackio"])
        train(folder, tracking, 2)
        tracking.close()
        said = [e["message"] for line in (folder / "events.jsonl").read_text().splitlines()
                if (e := json.loads(line))["event"] == "warning"]  # fmt: skip
        assert bool(said) is warns and (not said or str(pipeline / "tracking" / "trackio") in said[0])
    assert "TRACKIO_DIR" not in os.environ and capsys.readouterr().out == ""


def test_the_run_folder_is_the_same_but_for_the_trackers_own(heard, tmp_path):
    for name, listeners in (("plain", Tracking([])), ("tracked", Tracking(["wandb"]))):
        train(tmp_path / name, listeners, 6)
    for file in ("metrics.jsonl", "config.toml", "digests.jsonl"):
        assert (tmp_path / "plain" / file).read_bytes() == (tmp_path / "tracked" / file).read_bytes()


def test_an_unknown_tracker_or_one_that_is_not_installed_is_one_sentence(monkeypatch):
    with pytest.raises(InputError, match="expected one of tensorboard, wandb, trackio, mlflow"):
        Tracking(["tensorbord"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"not installed \(pip install 'trackio>=0.43'\)"):
        Tracking(["trackio"])


def test_tensorboards_files_hold_each_step_once_after_a_resume(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for dies_at in (8, None):
        tracking = Tracking(["tensorboard"])
        with contextlib.suppress(ZeroDivisionError):
            train(tmp_path / "run", tracking, 12, dies_at=dies_at)
        tracking.close()
    events = accumulator.EventAccumulator(str(tmp_path / "run" / "tracking" / "tensorboard"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("reward/mean")] == [(step, float(step)) for step in range(1, 13)]
    assert len(events.Scalars("eval/accuracy/digits=2")) == 13
