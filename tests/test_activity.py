"""Off a terminal, a run that is at work says so: the class is any stretch without a line of its own."""

import io
import json
import time

from rich.console import Console

from sanmai.activity import Activity
from sanmai.learn import progress
from sanmai.learn.progress import Progress
from sanmai.recipes import find_recipe, resolve
from sanmai.train.runs import Run
from sanmai.types import Problem


def test_it_says_what_and_how_much():
    now = Activity()
    assert str(now) == ""
    now.begin("sampling")
    assert str(now) == "sampling"
    for k in now.counted(range(3), 3, "completions"):
        assert str(now) == f"sampling, {k + 1} of 3 completions"
    now.count(1200, "micro-batches")
    now.one_more()
    assert str(now) == "sampling, 1 of 1,200 micro-batches"
    now.begin("saving")
    assert str(now) == "saving"


def lines_of(text: io.StringIO) -> list[str]:
    return [line for line in text.getvalue().splitlines() if line.startswith("... ")]


def test_a_silent_stretch_has_a_line_and_a_talking_one_has_none(monkeypatch):
    monkeypatch.setattr(progress, "HEARTBEAT_SECONDS", 0.3)
    said = io.StringIO()
    shown = Progress(Console(file=said, width=200))
    with shown.phase("judging"):
        time.sleep(1.0)
    assert lines_of(said) and all(line.endswith(": judging") for line in lines_of(said))
    shown.close()
    count = len(lines_of(said))
    time.sleep(0.8)
    assert len(lines_of(said)) == count  # it is over


def test_a_run_says_what_it_samples_evaluates_and_trains(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "HEARTBEAT_SECONDS", 0.02)
    said, recipe = io.StringIO(), find_recipe("zero")
    config = resolve(recipe, values={
        "num_steps": 2, "prompts_per_step": 16, "rollouts_per_prompt": 8, "problems": {"world": {"heldout": 60}}})  # fmt: skip
    shown = Progress(Console(file=said, width=200))
    recipe.run(config, tmp_path / "run", progress=shown)
    shown.close()
    text = "\n".join(lines_of(said))
    assert "of 60 completions" in text and "sampling, " in text and "of 128 completions" in text
    assert "Model: tiny, 617,984 parameters, float32; fast path." in said.getvalue()


def test_what_is_found_out_after_the_last_step_is_said_as_well_and_nothing_twice(tmp_path):
    said = io.StringIO()
    shown = Progress(Console(file=said, width=200))
    config = resolve(find_recipe("zero"), None, ["num_steps=1"])
    with Run(tmp_path / "run", "zero", config) as run:
        run.warn("known at the start")
        shown.begin(run, 1)
        run.warn("known at the end")
        shown.end(run)
    assert [line for line in said.getvalue().splitlines() if "known" in line] == [
        "Warning: known at the start", "Warning: known at the end",
    ]  # fmt: skip


def test_an_initialisation_that_keeps_nothing_says_so(tmp_path):
    said = io.StringIO()
    problems = [Problem("p", ({"role": "user", "content": "2 + 3?"},), "5", verifier="math")]
    writer = {"model": "tiny", "max_tokens": 2}
    values = {"problems": {"source": "p.jsonl"}, "writer": writer, "attempts": 1, "before": 0}
    init, shown = find_recipe("init"), Progress(Console(file=said, width=200))
    folder = init.run(init.config.read(values), tmp_path / "run", problems=problems, progress=shown)
    assert "Warning: no demonstration was kept; card.md says why" in said.getvalue()
    assert json.loads((folder / "card.json").read_text())["outcomes"] == {"cut_off": 1}  # two tokens are no thought


def test_a_warning_of_several_stages_is_told_once_and_kept_in_the_record_of_each(tmp_path):
    said = io.StringIO()
    shown = Progress(Console(file=said, width=200))
    for name in ("first", "second"):
        with Run(tmp_path / name, "sft", find_recipe("sft").config()) as run:
            run.warn("3 problems left out")
            run.warn(f"{name} alone")
            shown.begin(run, 1)
    shown.close()
    told = [line for line in said.getvalue().splitlines() if line.startswith("Warning")]
    assert told == ["Warning: 3 problems left out", "Warning: first alone", "Warning: second alone"]
    for name in ("first", "second"):
        events = [json.loads(line) for line in (tmp_path / name / "events.jsonl").read_text().splitlines()]
        assert [e["message"] for e in events if e["event"] == "warning"] == ["3 problems left out", f"{name} alone"]
