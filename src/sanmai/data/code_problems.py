"""Programming tasks as problems: the prompt shows the visible tests, the answer holds all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sanmai.programs.public_tests import public_tests
from sanmai.programs.stdio import python_tests, reads_input
from sanmai.programs.tasks import CodeSpec, CodeTask
from sanmai.types import InputError, Problem

STATEMENTS = ("question", "question_content", "description", "problem", "prompt", "problem_statement")
_PARTS = (("input_format", "Input"), ("output_format", "Output"), ("note", "Note"))


def code_problem(task: CodeTask, *, hidden_share: float = 0.0, seed: int = 0) -> Problem:
    """A task as a problem: its prompt shows the visible tests, its answer holds all, its demonstration is the reference.

    Args:
        hidden_share: of its tests, rounded down; at least one stays visible.
        seed: draws which.

    Raises:
        ValueError: hidden_share is not in [0, 1).
    """
    spec = CodeSpec.of(task, hidden_share=hidden_share, seed=seed)
    shown = "\n".join(filter(None, (spec.setup, *python_tests(spec.tests))))
    prompt = (
        f"{task.prompt.strip()}\n\nThe program must pass these tests:\n\n```python\n{shown}\n```\n\n"
        "Give the whole program in one block that is marked as Python."
    )
    source = task.id.partition("/")[0].lower()
    return Problem(
        task.id, ({"role": "user", "content": prompt},), spec.text, "code", language="en",
        demonstration=f"```python\n{task.solution.strip()}\n```", tags={"source": source, "hidden": len(spec.hidden_tests)},
    )  # fmt: skip


def public_problem(row: Mapping[str, Any], default_id: str) -> tuple[Problem, list[str]]:
    """A task of APPS, TACO, LiveCodeBench, Codeforces or CodeContests as a problem, and what should be said of it.

    The prompt is the statement, Codeforces' own parts and examples, the code to begin with, and how to answer.

    Raises:
        InputError: there is no statement, or no test that can be read.
    """
    found = public_tests(row)
    if not found.tests:
        raise InputError("; ".join(["no tests", *found.notes]))
    statement = next((row[name] for name in STATEMENTS if isinstance(row.get(name), str) and row[name].strip()), None)
    if statement is None:
        raise InputError(f"no statement of the task: expected one of {', '.join(STATEMENTS)}")
    parts = [statement.strip()]
    parts += [f"{title}: {row[name].strip()}" for name, title in _PARTS if isinstance(row.get(name), str) and row[name].strip()]
    if row.get("examples") and reads_input(found.tests):
        parts += [f"Example input:\n{t.input.strip()}\n\nExample output:\n{t.output.strip()}"
                  for t in found.tests if not isinstance(t, str)]  # fmt: skip
    if isinstance(row.get("starter_code"), str) and row["starter_code"].strip():
        parts.append(f"Begin with:\n\n```python\n{row['starter_code'].strip()}\n```")
    how = "It reads standard input and writes standard output. " if reads_input(found.tests) else ""
    parts.append(f"{how}Give the whole program in one block that is marked as Python.")
    spec = CodeSpec(found.tests, found.hidden_tests, found.setup, found.entry_points)
    ids = (row.get(name) for name in ("problem_id", "question_id", "id"))
    stated = next((value for value in ids if isinstance(value, str | int) and value != ""), None)
    tags: dict[str, Any] = {"hidden": len(found.hidden_tests)}
    if isinstance(row.get("difficulty"), str | int):
        tags["difficulty"] = row["difficulty"]
    message = {"role": "user", "content": "\n\n".join(parts)}
    program = _solution(row.get("solutions"))
    problem = Problem(
        default_id if stated is None else str(stated), (message,), spec.text, "code", language="en",
        demonstration=program and f"```python\n{program.strip()}\n```", tags=tags,
    )  # fmt: skip
    return problem, found.notes


def _solution(value: Any) -> str | None:
    """The first of APPS' and TACO's solutions, which are Python."""
    try:
        listed = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return None
    return listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], str) else None
