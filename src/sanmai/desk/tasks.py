"""Programming problems with tests (`sanmai tasks`): public tasks with a share of their tests hidden, and tests for tasks without.

A task without tests is a row `{"id", "prompt", "entry_point", "generator", "solutions"}`: `generator` is a program whose
`generate(n)` gives the n-th input as a tuple or list of arguments, `solutions` are programs that are known to be right. Their
votes make the tests (programs/testcases.py, after Kimi k1.5). All of these programs run in the sandbox.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sanmai.data.code_problems import code_problem
from sanmai.data.files import read_rows
from sanmai.programs.mutants import mutants
from sanmai.programs.tasks import CodeTask, task_of
from sanmai.programs.testcases import kill_rate, make_cases, program_inputs
from sanmai.recipes.gather import write_problems
from sanmai.types import InputError, Problem

_MUTANTS = 20
"""Wrong programs that the tests of a task are tried on."""
_FIELDS = ("prompt", "entry_point", "generator", "solutions")


@dataclass(frozen=True)
class Votes:
    """When the votes of right programs make a test, and tests a problem."""

    inputs: int = 50
    """Asked of the generator."""
    agree: float = 0.7
    """Share of the solutions that must agree on a result for a test to be valid."""
    passing: float = 0.9
    """Share of them that must pass all valid tests."""
    least: int = 40
    """Valid tests without which a problem is dropped."""

    def check(self) -> None:
        """InputError where a number is none that can be met."""
        if self.inputs < 1 or not 1 <= self.least <= self.inputs:
            raise InputError(f"--inputs {self.inputs} --least {self.least}: expected 1 or more, and no more tests than inputs")
        for name, share in (("--agree", self.agree), ("--passing", self.passing)):
            if not 0.5 < share <= 1:
                raise InputError(f"{name} {share:g}: expected a share above 0.5, up to 1")


def write_tasks(source: str, out: Path, *, hidden: float = 0.0, seed: int = 0, votes: Votes = Votes()) -> Iterator[str]:
    """Write the tasks of a file as problems for every recipe; lines that say what became of them.

    Args:
        source: rows of HumanEval or MBPP, or of tasks without tests.
        out: ends in .jsonl; must not exist yet.
        hidden: share of each task's tests that the prompt does not show.
        seed: draws the hidden tests, and names the first input of a generator.

    Raises:
        InputError: a row is none of these, no task is left, or out cannot be written.
    """
    votes.check()
    if not 0 <= hidden < 1:
        raise InputError(f"--hidden {hidden:g}: expected a share of at least 0 and below 1")
    if out.suffix != ".jsonl" or out.exists():
        raise InputError(f"{out}: {'is there already' if out.exists() else 'expected a file name that ends in .jsonl'}")
    problems: list[Problem] = []
    dropped = 0
    for number, row in read_rows(source):
        where = f"{source}, line {number}"
        if isinstance(row, str):
            raise InputError(f"{where}: {row}")
        try:
            found, said = _task(row, number, seed, votes)
        except (InputError, ValueError) as error:
            raise InputError(f"{where}: {error}") from None
        if said:
            yield f"{row.get('id', f'line {number}')}: {said}"
        if found is None:
            dropped += 1
            continue
        problems.append(code_problem(found, hidden_share=hidden, seed=seed))
    if not problems:
        raise InputError(f"{source}: no task is left of {dropped}" if dropped else f"{source}: no row in it")
    write_problems(out, problems)
    yield f"{len(problems)} problems in {out}" + (f"; {dropped} tasks dropped" if dropped else "")


def _task(row: Mapping[str, Any], number: int, seed: int, votes: Votes) -> tuple[CodeTask | None, str]:
    """The task of a row with its tests, None where it is dropped; and what should be said of it."""
    if "generator" not in row:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the programs, about their own text
            return task_of(row), ""
    if missing := [name for name in _FIELDS if not row.get(name)]:
        raise InputError(f"no {missing[0]}: a task without tests has {', '.join(_FIELDS)}")
    solutions = row["solutions"]
    if not isinstance(solutions, list) or len(solutions) < 2 or not all(isinstance(one, str) for one in solutions):
        raise InputError("solutions: expected a list of at least two programs")
    if not all(isinstance(row[name], str) for name in ("prompt", "entry_point", "generator")):
        raise InputError("prompt, entry_point and generator: expected texts")
    inputs = program_inputs(row["generator"], votes.inputs, seed=seed)
    if len(inputs) < votes.least:
        return None, f"dropped: its generator gave {len(inputs)} different inputs, at least {votes.least} are needed"
    found = make_cases(
        row["entry_point"], inputs, solutions, setup=str(row.get("setup") or ""), min_cases=votes.least,
        min_agreeing=math.ceil(votes.agree * len(solutions)), min_passing=math.ceil(votes.passing * len(solutions)),
    )  # fmt: skip
    if not found.is_kept:
        return None, f"dropped: {found.reason}"
    right = solutions[found.passing.index(True)]
    task = found.task(str(row.get("id") or f"task/{number}"), row["prompt"], right, row["entry_point"])
    return task, "; ".join([found.reason, *_worth(task, seed)])


def _worth(task: CodeTask, seed: int) -> Iterator[str]:
    """What the tests are worth, on wrong programs: mutants of a solution, some of which may do the same as it."""
    wrong = [mutant.code for mutant in mutants(task.solution, limit=_MUTANTS, seed=seed)]
    if wrong:
        found = kill_rate(task.tests, wrong, setup=task.setup, entry_points=task.entry_points)
        yield f"wrong programs that fail them: {found.rate}"
