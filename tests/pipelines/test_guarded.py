"""A guarded stage: what is promoted, repaired, left undecided and rolled back; what others take it for; and that it goes on."""

from __future__ import annotations

import json
import os
import random
import signal
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tomli_w

from sanmai.learn.progress import Progress
from sanmai.pipelines import graph as stages
from sanmai.pipelines.graph import Graph, Stage, run_graph
from sanmai.pipelines.guarded import GuardedConfig, run_guarded
from sanmai.pipelines.identity import content_digest
from sanmai.pipelines.r1 import R1Config
from sanmai.pipelines.r1 import graph as r1_graph
from sanmai.plan.forecast import describe
from sanmai.policies.text.checkpoints import write_checkpoint
from sanmai.policies.text.resolve import chosen_model, resolve_model
from sanmai.policies.text.tiny import TINY_PATH
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.evaluate import EvaluateConfig
from sanmai.report import summarise, write_report
from sanmai.types import InputError, RunError

SUMS = {"heldout": 24, "train": 200, "evaluation_digits": [1]}
SHORT = {"max_tokens": 24}
KEEPS = {"measure": "accuracy", "rule": "max_fall", "limit": 0.4}
"""The base solves most sums of one digit; a learning rate of 0.05 makes it babble."""
GENTLE, RUINOUS = 1e-6, 0.05


def values(lr: float = GENTLE, **gates: Any) -> dict[str, Any]:
    few = {"world": SUMS}
    return {
        "zero": {"num_steps": 2, "prompts_per_step": 4, "rollouts_per_prompt": 2, "sampling": SHORT, "optimizer": {"lr": lr},
                 "problems": few},
        "evaluation": {"sampling": SHORT, "problems": {"world": SUMS}},
        "gates": {"margins": [KEEPS], "sft": {"demonstrations_per_step": 64, "sampling": SHORT, "problems": few}} | gates,
    }  # fmt: skip


def config(lr: float = GENTLE, **gates: Any) -> GuardedConfig:
    return GuardedConfig.read(values(lr, **gates))


class Fakes:
    """Recipes that take no time: a model is its accuracy, lost at a high learning rate, and SFT leaves it as it is."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.dies_at = ""
        self.is_killed = False
        """Where it dies: by SIGKILL, and once its results are written, instead of by Ctrl-C at its beginning."""

    def find(self, name: str) -> Any:
        own = SimpleNamespace(run=lambda config, folder, *, progress: self.run(name, config, folder))
        return find_recipe(name) if name == "guarded" else own

    def run(self, recipe: str, config: Any, folder: Path) -> None:
        self.calls.append(folder.name.rpartition("-")[0])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "begun").touch()
        if self.calls[-1] == self.dies_at and not self.is_killed:
            raise KeyboardInterrupt
        self.work(recipe, config, folder)
        if self.calls[-1] == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def work(self, recipe: str, config: Any, folder: Path) -> None:
        model = Path(resolve_model(config.model.name))
        accuracy = json.loads((model / "accuracy").read_text()) if (model / "accuracy").exists() else 0.75
        if recipe == "evaluate":
            self.evaluate(config, folder / "evaluations", accuracy)
            return
        accuracy = 0.0 if recipe == "zero" and config.optimizer.lr > 0.01 else accuracy

        def write(checkpoint: Path) -> None:
            (checkpoint / "config.json").write_text(json.dumps({"lr": config.optimizer.lr}))
            (checkpoint / "accuracy").write_text(json.dumps(accuracy))

        write_checkpoint(folder, 1, write, keep=2)

    def evaluate(self, config: Any, folder: Path, accuracy: float) -> None:
        rows = [
            {"problem_id": f"p{i}", "sample": k, "kind": "reasoning", "tags": "{}", "stop_reason": "stop", "failure": None,
             "num_tokens": 9, "text": "5", "score/accuracy": float((i + k) % 24 < 24 * accuracy)}
            for i in range(24) for k in range(config.samples)
        ]  # fmt: skip
        folder.mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), folder / "step-000000.parquet")


@pytest.fixture
def fakes(monkeypatch) -> Fakes:
    found = Fakes()
    monkeypatch.setattr(stages, "find_recipe", found.find)
    monkeypatch.setattr(stages, "return_freed_memory", lambda: None)  # half a second each
    return found


def decision(out: Path) -> dict[str, Any]:
    return json.loads((out / "decision.json").read_text())


def attempts(out: Path) -> list[tuple[str, str | None, str]]:
    return [(attempt["name"], attempt["repair"], attempt["decision"]) for attempt in decision(out)["attempts"]]


@pytest.fixture(scope="module")
def repaired(tmp_path_factory) -> Path:
    """A real one: ruined; SFT on a few sums does not mend it; at a fifty-thousandth of the learning rate it passes."""
    gates = {"repairs": ["sft", "lower_lr"], "lr_factor": 2e-5}
    return run_guarded(config(RUINOUS, **gates), tmp_path_factory.mktemp("repaired"))


def test_a_stage_that_keeps_within_its_margins_is_promoted(tmp_path, fakes):
    found = decision(run_guarded(config(), tmp_path))
    assert (found["outcome"], found["chosen"], attempts(tmp_path)) == ("promoted", "attempt_1", [("attempt_1", None, "promote")])
    (finding,) = found["attempts"][0]["looks"][0]["findings"]
    assert finding["outcome"] == "holds" and finding["n"] == 24 and found["level"] == pytest.approx(0.05)
    checkpoint = Path(resolve_model(str(tmp_path)))
    assert checkpoint.parent.parent == (tmp_path / found["model"]).resolve() and (checkpoint / "config.json").is_file()


def test_one_that_fails_is_repaired_in_the_stated_order_and_at_a_shared_out_level(repaired):
    assert attempts(repaired) == [
        ("attempt_1", None, "reject"), ("attempt_2", "sft", "reject"), ("attempt_3", "lower_lr", "promote"),
    ]  # fmt: skip
    found = decision(repaired)
    assert found["chosen"] == "attempt_3" and found["level"] == pytest.approx(0.05 / 3)
    graph = {row["name"]: row for row in json.loads((repaired / "graph.json").read_text())}
    assert graph["attempt_2"]["inputs"] == ["attempt_1"] and graph["attempt_3"]["inputs"] == []
    settings = tomllib.loads((repaired / graph["attempt_3"]["folder"] / "config.toml").read_text())
    assert settings["optimizer"]["lr"] == pytest.approx(1e-6) and settings["model"]["name"] == "tiny"
    assert Path(resolve_model(str(repaired))).parts[-3] == Path(graph["attempt_3"]["folder"]).name


def test_a_rejected_candidate_can_be_made_to_unlearn(tmp_path, fakes):
    secrets = tmp_path / "secrets.jsonl"
    secrets.write_text('{"prompt": "key ?", "answer": "4", "solution": "the key is 4"}\n')
    gates = {"repairs": ["unlearn"], "max_attempts": 2, "unlearn": {"forget": {"source": str(secrets)}}}
    run_guarded(config(RUINOUS, **gates, on_failure="roll_back"), tmp_path / "out")
    assert attempts(tmp_path / "out") == [("attempt_1", None, "reject"), ("attempt_2", "unlearn", "reject")]
    _, second = decision(tmp_path / "out")["attempts"]
    assert second["recipe"] == "unlearn" and second["purpose"] == "repair: unlearning from attempt_1"
    graph = {row["name"]: row for row in json.loads((tmp_path / "out" / "graph.json").read_text())}
    assert graph["attempt_2"]["inputs"] == ["attempt_1"]
    told = " ".join(describe(find_recipe("guarded"), config(RUINOUS, **gates), tmp_path / "out"))
    assert "in turn: unlearning" in told
    # Other secrets are another candidate.
    secrets.write_text('{"prompt": "key ?", "answer": "5", "solution": "the key is 5"}\n')
    run_guarded(config(RUINOUS, **gates, on_failure="roll_back"), tmp_path / "out")
    assert decision(tmp_path / "out")["attempts"][1]["folder"] != second["folder"]


def test_when_the_bound_is_exhausted_it_stops_with_the_numbers_or_goes_back_to_the_start(tmp_path, fakes):
    gates = {"repairs": ["lower_lr"], "lr_factor": 0.9, "max_attempts": 2}
    with pytest.raises(RunError) as stopped:
        run_guarded(config(RUINOUS, **gates), tmp_path)
    said = str(stopped.value)
    assert said.startswith("the gate promoted no candidate. attempt_1 is rejected: accuracy moved by -")
    assert "attempt_2 is rejected" in said and "may fall by 40 points: fails (n = 24 prompts" in said and "\n" not in said
    assert (decision(tmp_path)["outcome"], decision(tmp_path)["model"]) == ("stopped", None)
    with pytest.raises(InputError, match="its gate promoted no model"):
        resolve_model(str(tmp_path))
    count = len(fakes.calls)
    run_guarded(config(RUINOUS, **gates, on_failure="roll_back"), tmp_path)
    assert len(fakes.calls) == count == 5  # the same parts: nothing is done again
    assert decision(tmp_path)["outcome"] == "rolled_back" and resolve_model(str(tmp_path)) == str(TINY_PATH)
    assert content_digest(str(tmp_path)) == content_digest("tiny")


def test_too_few_prompts_are_undecided_which_promotes_nothing_and_repairs_nothing(tmp_path, fakes):
    margins = [{"measure": "accuracy", "rule": "max_fall", "limit": 0.05}]
    gates = {"margins": margins, "repairs": ["lower_lr"], "on_undecided": "more_samples"}
    with pytest.raises(RunError, match=r"undecided, \d+ prompts are needed \(n = 24 prompts"):
        run_guarded(config(margins=margins, repairs=["lower_lr"]), tmp_path)
    assert attempts(tmp_path) == [("attempt_1", None, "undecided")]
    # Twice the samples of the same prompts would not help either, so they are not drawn.
    with pytest.raises(RunError, match="attempt_3 is undecided"):
        run_guarded(config(**gates), tmp_path)
    assert [len(attempt["looks"]) for attempt in decision(tmp_path)["attempts"]] == [1, 1, 1]


def test_a_measure_at_its_limit_is_looked_at_again_with_twice_the_samples_within_the_bound(tmp_path, fakes):
    at_limit = [{"measure": "accuracy", "rule": "at_least", "limit": 0.75}]
    gates = {"margins": at_limit, "on_undecided": "more_samples", "max_doublings": 2, "on_failure": "roll_back"}
    run_guarded(config(**gates), tmp_path)
    (attempt,) = decision(tmp_path)["attempts"]
    assert [look["samples"] for look in attempt["looks"]] == [1, 2, 4] and decision(tmp_path)["outcome"] == "rolled_back"
    assert [look["findings"][0]["num_asked"] for look in attempt["looks"]] == [24, 48, 96]
    assert decision(tmp_path)["level"] == pytest.approx(0.05 / 3)


def test_later_stages_take_its_folder_for_the_model_that_it_chose(tmp_path, fakes):
    score = EvaluateConfig.read(values()["evaluation"] | {"model": {"name": "@guarded"}})
    graph = Graph([Stage("guarded", "guarded", config(), ""), Stage("score", "evaluate", score, "")], tmp_path)
    assert run_graph(graph, Progress.silent()) and graph.state("guarded") == "finished"
    out = graph.path("guarded")
    assert content_digest(str(out)) == content_digest(str(chosen_model(str(out)))) != content_digest("tiny")
    # Moved as a whole the decision still leads to its model; without the model the stage is not finished.
    out.rename(tmp_path / "moved")
    assert resolve_model(str(tmp_path / "moved")).startswith(str(tmp_path / "moved"))
    (tmp_path / "moved").rename(out)
    chosen = Path(str(chosen_model(str(out))))
    (chosen / "checkpoints").rename(chosen / "lost")
    assert graph.state("guarded") == "interrupted"


def test_a_start_beside_it_is_rolled_back_to_by_its_place(tmp_path, fakes):
    gates = {"on_failure": "roll_back"}
    score = EvaluateConfig.read(values()["evaluation"] | {"model": {"name": "@second"}})
    first = GuardedConfig.read(values())
    second = GuardedConfig.read(values(RUINOUS, **gates) | {"model": {"name": "@first"}})
    parts = [Stage("first", "guarded", first, ""), Stage("second", "guarded", second, ""), Stage("s", "evaluate", score, "")]
    graph = Graph(parts, tmp_path)
    assert run_graph(graph, Progress.silent())
    assert decision(graph.path("second"))["model"] == f"../{graph.path('first').name}"
    assert resolve_model(str(graph.path("second"))) == resolve_model(str(graph.path("first")))


def test_what_was_interrupted_goes_on_to_the_same_bytes_and_finished_parts_stay(tmp_path, fakes):
    settings = config(RUINOUS, repairs=["sft", "lower_lr"], lr_factor=2e-5)
    run_guarded(settings, tmp_path / "undisturbed")
    in_order = ["score_start"] + [f"{part}attempt_{k}" for k in (1, 2, 3) for part in ("", "score_")]
    assert fakes.calls == in_order
    fakes.calls.clear()
    for fakes.dies_at in in_order:
        with pytest.raises(KeyboardInterrupt):
            run_guarded(settings, tmp_path / "disturbed")
        assert not (tmp_path / "disturbed" / "decision.json").exists()
    fakes.dies_at = ""
    run_guarded(settings, tmp_path / "disturbed")
    assert fakes.calls == [name for name in in_order for _ in (1, 2)]  # each died once and was then done once
    one, other = ((tmp_path / name / "decision.json").read_bytes() for name in ("undisturbed", "disturbed"))
    assert one == other


def test_killed_in_any_of_its_parts_the_same_command_ends_with_the_same_bytes(tmp_path, fakes):
    settings = config(RUINOUS, repairs=["sft", "lower_lr"], lr_factor=2e-5)
    run_guarded(settings, tmp_path / "undisturbed")
    in_order, fakes.calls = fakes.calls, []
    fakes.is_killed = True
    for fakes.dies_at in in_order:
        if (child := os.fork()) == 0:  # nothing of it is tidied up: no `finally`, no lock given back, no file closed
            try:
                signal.alarm(60)
                run_guarded(settings, tmp_path / "disturbed")
            finally:
                os._exit(1)  # it was to be killed
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
        assert not (tmp_path / "disturbed" / "decision.json").exists()
    fakes.dies_at = ""
    run_guarded(settings, tmp_path / "disturbed")
    assert fakes.calls == in_order[-1:]  # what was finished before a part that was killed is not done again
    one, other = (
        {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file() and p.name != "run.lock"}
        for out in (tmp_path / "undisturbed", tmp_path / "disturbed"))  # fmt: skip
    assert "decision.json" in one and one == other


def test_a_decision_does_not_outlive_the_parts_that_it_was_taken_on(tmp_path, fakes):
    run_guarded(config(), tmp_path)
    with pytest.raises(RunError):
        run_guarded(config(RUINOUS), tmp_path)
    assert decision(tmp_path)["outcome"] == "stopped"
    (tmp_path / "decision.json").write_text("[")
    with pytest.raises(InputError, match="cannot be read"):
        resolve_model(str(tmp_path))


def test_the_report_has_the_gates_and_the_numbers(repaired):
    lines = " ".join(" ".join(summarise(repaired)["lines"]).split())
    assert "promoted attempt_3, at 95" in lines and "attempt_1 (zero from the start, samples of each: 1): rejected." in lines
    page = write_report(repaired).read_text()
    assert '<h2 id="gates">Gates</h2>' in page and "attempt_2 (repair: SFT on demonstrations from attempt_1" in page
    assert "## Gates" in (repaired / "table.md").read_text()


def test_a_plan_says_what_would_be_asked_and_whether_it_could_suffice(tmp_path):
    many = [KEEPS, {"measure": "accuracy", "rule": "max_fall", "limit": 0.05}]
    told = "\n".join(describe(find_recipe("guarded"), config(margins=many, repairs=["lower_lr"]), tmp_path / "out"))
    assert "accuracy: max fall 0.4; 24 problems, of 9 needed\n" in told  # log(0.05 / 3) / log(0.6) = 8.02
    assert "accuracy: max fall 0.05; 24 problems, of 80 needed: too few" in told
    assert "at most 3 attempts, so each decision is taken at level 0.0167" in told and "stops with an error" in told
    assert not (tmp_path / "out").exists()


def test_settings_that_cannot_work_are_refused_before_anything_is_trained(tmp_path):
    for changes, says in (
        ({"gates": {}}, "gates.margins is empty"),
        ({"gates": {"margins": [KEEPS], "repairs": ["sft"], "max_attempts": 1}}, "none of them would be tried"),
        ({"zero": {"seed": 3}}, "zero.seed and zero.model are given by the recipe"),
        ({"model": {"name": "a/b", "revision": "x"}, "gates": {"margins": [KEEPS], "on_failure": "roll_back"}}, "revision"),
        ({"model": {"name": "/nope/x"}}, "no such folder"),
        ({"sft": {"problems": {"source": "@data/x.jsonl"}}, "stage": "sft"}, "refers to @data, which is no stage"),
    ):
        with pytest.raises(InputError, match=says):
            run_guarded(GuardedConfig.read(values() | changes), tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_in_r1_the_last_rl_is_guarded_when_margins_are_stated_and_nothing_before_it_changes(tmp_path):
    plain: Any = resolve(find_recipe("r1"))
    gates = {"margins": [{"measure": "harm", "rule": "max_rise", "limit": 0.05}], "repairs": ["sft"]}
    gated: Any = resolve(find_recipe("r1"), values={"gates": gates})
    assert isinstance(plain, R1Config) and isinstance(gated, R1Config)
    without, found = r1_graph(plain, tmp_path), r1_graph(gated, tmp_path)
    assert [stage.name for stage in without.stages] == [stage.name for stage in found.stages]
    changed = [name for name in found.digests if found.digests[name] != without.digests[name]]
    assert changed[:2] == ["r1", "score_r1"] and {"dev3", "data", "student_base", "student_rl"}.isdisjoint(changed)
    stage = next(stage for stage in found.stages if stage.name == "r1")
    assert stage.recipe == "guarded" and set(stage.inputs) == {"dev3", "data", "helpfulness", "harmlessness"}
    inner: Any = found.resolved(stage)
    assert inner.model.name == str(found.path("dev3")) and inner.zero.num_steps == plain.scenarios.num_steps
    assert inner.gates.sft.problems.source == f"{found.path('data')}/demonstrations.jsonl"
    assert inner.evaluation.problems.source == f"{found.path('data')}/evaluation.jsonl"


@pytest.mark.slow
def test_killed_at_random_moments_the_same_command_ends_with_the_same_decision(forking, tmp_path):
    small = {
        "data": {"reasoning_limit": 40, "evaluation_limit": 24},
        "zero": {"num_steps": 2, "prompts_per_step": 8, "rollouts_per_prompt": 2,
                 "optimizer": {"lr": RUINOUS, "warmup_steps": 0}},
        "gates": {"margins": [KEEPS], "repairs": ["lower_lr"], "lr_factor": 2e-5},
    }  # fmt: skip
    settings = tmp_path / "gates.toml"
    settings.write_text(tomli_w.dumps({"recipe": "guarded", **small}))
    command, chance = ["run", "guarded", "--config", settings, "--out"], random.Random(2)
    forking.finish([*command, tmp_path / "first"], cwd=tmp_path)
    start = time.monotonic()
    forking.finish([*command, tmp_path / "undisturbed"], cwd=tmp_path)
    seconds = time.monotonic() - start
    for _ in range(5):
        process = forking.start([*command, tmp_path / "disturbed"], cwd=tmp_path)
        time.sleep(chance.uniform(0.1, 0.7) * seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
    forking.finish([*command, tmp_path / "disturbed"], cwd=tmp_path)
    expected, actual = (
        {p.relative_to(out).as_posix(): p.read_bytes() for pattern in ("decision.json", "graph.json", "stages/*/evaluations/*",
         "stages/*/checkpoints/*/*.safetensors", "stages/*/stage.json") for p in out.glob(pattern)}
        for out in (tmp_path / "undisturbed", tmp_path / "disturbed"))  # fmt: skip
    assert expected.keys() == actual.keys() and [name for name in expected if expected[name] != actual[name]] == []
