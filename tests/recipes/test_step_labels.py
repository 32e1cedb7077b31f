"""`sanmai run step_labels`: labels by continuations, bisection and truth; the same bytes after a kill; read by `run reward`."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import sanmai
from sanmai.data.step_labels import load_steps
from sanmai.data.steps import StepRule
from sanmai.data.trace import parse_trace
from sanmai.plan.forecast import describe
from sanmai.programs.tasks import CodeSpec
from sanmai.recipes import find_recipe, resolve
from sanmai.recipes.step_labellers import (
    Continuations,
    EveryStep,
    FirstErrorByBisection,
    FirstFailedTest,
    Solution,
    Spent,
)
from sanmai.rewards.code_steps import PartialPrograms
from sanmai.search.labels import StepValue
from sanmai.types import Drawn, InputError, Problem, StopReason, Verdict

FAST: dict = {
    "problems": {"world": {"train": 12, "heldout": 4, "digits": [2]}}, "samples_per_prompt": 2, "rollouts": 3,
    "prompts_per_step": 4, "sampling": {"max_tokens": 40},
}  # fmt: skip


def rows_of(run):
    return [json.loads(line) for line in (run / "steps.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_run_that_was_killed_ends_with_the_same_bytes(tmp_path, monkeypatch):
    whole = sanmai.run("step_labels", out=tmp_path / "whole", **FAST)
    from sanmai.train.runs import Run

    save = Run.save

    def dies_before_step_2(self, step, *arguments):
        if step == 2:
            raise KeyboardInterrupt
        save(self, step, *arguments)

    with monkeypatch.context() as m:
        m.setattr(Run, "save", dies_before_step_2)
        with pytest.raises(KeyboardInterrupt):
            sanmai.run("step_labels", out=tmp_path / "parts", **FAST)
    parts = sanmai.run("step_labels", out=tmp_path / "parts", **FAST)
    for name in ("steps.jsonl", "metrics.jsonl", "card.json", "labelled/step-000002.jsonl"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes(), name
    rows = rows_of(whole)
    # Who continued stands with the labels.
    assert {row["labeller"]["completer"] for row in rows} == {rows[0]["labeller"]["wrote"]}
    for row in rows:
        for label, count, interval in zip(row["labels"], row["counts"], row["intervals"], strict=True):
            assert label == count[0] / count[1] and interval[0] <= label <= interval[1]


def test_what_it_writes_is_read_unchanged_by_run_reward(tmp_path):
    labelled = sanmai.run("step_labels", out=tmp_path / "labels", **FAST)
    items = load_steps(str(labelled / "steps.jsonl")).items
    assert items and all(item.counts for item in items)
    preferences = {"source": str(labelled / "steps.jsonl"), "holdout": 0.3}
    for kind in ("soft", "hard"):
        settings = {"objective": "process", "labels": kind, "steps": "world", "examples_per_step": 4, "preferences": preferences}
        run = sanmai.run("reward", out=tmp_path / kind, **settings)
        assert (run / "metrics.jsonl").read_text().count("eval/step_accuracy") >= 2


def test_the_embedded_models_own_command_fits_into_its_positions():
    assert resolve(find_recipe("step_labels")).sampling.max_tokens == 64


def solution(name: str, num_steps: int, first_error: int, *, sample: int = 0) -> Solution:
    """Tokens of one step each; -1: right."""
    tokens = [*range(100, 100 + num_steps), 1]
    problem = Problem(name, ({"role": "user", "content": "q"},), "7")
    drawn = Drawn(name, sample, [5], tokens, [0.0] * len(tokens), StopReason.STOP, 0, "x" * num_steps)
    graded = drawn.graded({"accuracy": Verdict(float(first_error < 0), "")})
    ends = [*range(1, num_steps), num_steps + 1]
    return Solution(problem, graded, ends, ["x"] * num_steps, first_error < 0)


def test_tests_of_partial_programs_label_programs_alone(tmp_path):
    tests = CodeSpec(("assert f(2) == 4", "assert f(3) == 9"), (), "", ("f",)).text
    written = {
        "right": ("def f(x):\n    return x * x\n", [1.0, 1.0, 1.0]),
        "wrong": ("def f(x):\n    y = x + x\n    return y\n", [1.0, 1.0, 1.0, None, 0.0]),
        "broken": ("y = 3\nz = y / 0\ndef f(x):\n    return y\n", [1.0, 1.0, 0.0, None, None, None]),
    }
    for name, (code, expected) in written.items():
        text = f"```python\n{code}```"
        lines = text.splitlines(keepends=True)
        problem = Problem(name, ({"role": "user", "content": "q"},), tests, "code")
        drawn = replace(
            Drawn(name, 0, [5], [7] * len(lines), [0.0] * len(lines), StopReason.STOP, 0, text), trace=parse_trace(text)
        )
        graded = drawn.graded({"accuracy": Verdict(float(name == "right"), "")})
        solution = Solution(problem, graded, [*range(1, len(lines) + 1)], lines, name == "right")
        spent = Spent()
        [found] = FirstFailedTest(PartialPrograms())([solution], spent)
        assert found.labels == (expected if name != "right" else [1.0] * len(lines)), name
        assert spent.counts["programs"] >= 1 and found.counts == [None] * len(lines)
    settings = {**FAST, "method": "programs"}
    settings.pop("rollouts")
    with pytest.raises(InputError, match=r'method = "programs": problem \S+ is graded by \'world\''):
        sanmai.run("step_labels", out=tmp_path / "run", **settings)


class Table(Continuations):
    """A policy of a table: wrong stays wrong, and a good prefix is seen to be good. Counts what it is asked."""

    def __init__(self, errors):
        self.errors = errors

    def values(self, probes, spent):
        spent.counts["probes"] += len(probes)
        return [
            StepValue(5 if not 0 <= self.errors[s.problem.id] < n else 0, 8) for s, n in probes
        ]


def test_on_a_table_policy_bisection_labels_as_the_linear_search_for_a_fraction_of_the_probes():
    errors = {f"p{t}-{e}": e for t in (1, 2, 5, 8) for e in range(-1, t)}
    solutions = [solution(name, int(name[1]), e) for name, e in errors.items()]
    linear, bisected = Spent(), Spent()
    every = EveryStep(Table(errors))(solutions, linear)
    halved = FirstErrorByBisection(Table(errors))(solutions, bisected)
    for s, a, b in zip(solutions, every, halved, strict=True):
        e = errors[s.problem.id]
        assert [label > 0 for label in a.labels if label is not None] == [e < 0 or i < e for i in range(len(s.ends))]
        assert b.labels == [1.0 if e < 0 or i < e else 0.0 if i == e else None for i in range(len(s.ends))]
    assert linear.counts["probes"] == sum(len(s.ends) - 1 for s in solutions)
    assert bisected.counts["probes"] <= sum(3 for s in solutions if len(s.ends) > 1 and not s.is_right)


def test_where_every_continuation_was_cut_off_nobody_knows():
    class Cut(Table):
        def values(self, probes, spent):
            return [StepValue(0, 0, cut_off=8) for _ in probes]

    wrong = solution("p", 4, 2)
    assert FirstErrorByBisection(Cut({}))([wrong], Spent())[0].labels == [None] * 4
    assert EveryStep(Cut({}))([wrong], Spent())[0].labels == [None, None, None, 0.0]


def test_continuations_of_the_world_agree_with_its_truth_where_a_column_is_wrong(tmp_path):
    settings = FAST | {"samples_per_prompt": 4, "problems": {"world": {"train": 24, "heldout": 4, "digits": [3]}}}
    by = {
        method: {row["id"]: row for row in rows_of(sanmai.run("step_labels", out=tmp_path / method, method=method, **chosen))}
        for method, chosen in (("rollouts", settings), ("truth", {k: v for k, v in settings.items() if k != "rollouts"}))
    }
    assert by["rollouts"].keys() == by["truth"].keys()
    after_error = [
        label
        for name, row in by["truth"].items()
        for i, label in enumerate(by["rollouts"][name]["labels"])
        if 0.0 in row["labels"][: i + 1] and len(row["labels"]) > 1
    ]
    assert len(after_error) > 5 and sum(label == 0 for label in after_error) >= 0.9 * len(after_error)  # wrong stays wrong


@pytest.mark.parametrize(("settings", "says"), [
    ({"steps": "words"}, "expected text:SEPARATOR"), ({"method": "judge"}, "judge.model: expected the judge's name"),
    ({"method": "truth", "rollouts": 3}, "rollouts"), ({"sampling": {"temperature": 0.0}}, "temperature"),
])  # fmt: skip
def test_what_cannot_work_is_refused_in_one_sentence(tmp_path, settings, says):
    with pytest.raises(sanmai.InputError, match=says) as error:
        sanmai.run("step_labels", out=tmp_path / "run", **settings)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("method", ["rollouts", "bisection", "truth"])
def test_a_plan_says_what_would_be_labelled(tmp_path, method):
    recipe = find_recipe("step_labels")
    chosen = {k: v for k, v in FAST.items() if k != "rollouts"} | {"method": method}
    text = " ".join(describe(recipe, resolve(recipe, values=chosen), tmp_path / "run", measure=True))
    assert "12 problems, 2 solutions of each (24 in all, 960 tokens at most), cut by world." in text


def test_a_solution_that_was_cut_off_has_only_whole_steps_and_no_outcome():
    class Text:
        class tokenizer:  # noqa: N801
            @staticmethod
            def decode(tokens, **options):
                return "".join("a\nb"[t] for t in tokens if t < 3)

    problem = Problem("p", ({"role": "user", "content": "q"},), "7")
    line = StepRule.parse("line")
    for stop, steps, right in ((StopReason.LENGTH, ["a\n"], None), (StopReason.STOP, ["a\n", "b"], False)):
        drawn = Drawn("p", 0, [5], [0, 1, 2], [0.0] * 3, stop, 0, "a\nb").graded({"accuracy": Verdict(0.0, "")})
        found = Solution.of(problem, drawn, Text(), line)
        assert (found.steps, found.is_right, found.ends) == (steps, right, [2, 3][: len(steps)])
    assert EveryStep(Table({"p": -1}))([Solution.of(problem, drawn, Text(), line)], Spent())[0].counts == [(5, 8), (0, 1)]
