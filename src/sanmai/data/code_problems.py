"""Programming tasks as problems: the prompt shows the visible tests, the answer holds all."""

from __future__ import annotations

from sanmai.programs.tasks import CodeSpec, CodeTask
from sanmai.types import Problem


def code_problem(task: CodeTask, *, hidden_share: float = 0.0, seed: int = 0) -> Problem:
    """A task as a problem: its prompt shows the visible tests, its answer holds all, its demonstration is the reference.

    Args:
        hidden_share: of its tests, rounded down; at least one stays visible.
        seed: draws which.

    Raises:
        ValueError: hidden_share is not in [0, 1).
    """
    spec = CodeSpec.of(task, hidden_share=hidden_share, seed=seed)
    shown = "\n".join(filter(None, (spec.setup, *spec.tests)))
    prompt = (
        f"{task.prompt.strip()}\n\nThe program must pass these tests:\n\n```python\n{shown}\n```\n\n"
        "Give the whole program in one block that is marked as Python."
    )
    source = task.id.partition("/")[0].lower()
    return Problem(
        task.id, ({"role": "user", "content": prompt},), spec.text, "code", language="en",
        demonstration=f"```python\n{task.solution.strip()}\n```", tags={"source": source, "hidden": len(spec.hidden_tests)},
    )  # fmt: skip
