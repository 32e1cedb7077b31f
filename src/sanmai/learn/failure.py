"""What a recipe leaves behind when an optimizer step was refused."""

from __future__ import annotations

from typing import Any

from sanmai.policies.contract import Policy
from sanmai.train.forensics import write_bundle
from sanmai.train.runs import Run, storing
from sanmai.train.step import NonFiniteError
from sanmai.types import Batch


def with_bundle(
    run: Run, step: int, error: NonFiniteError, policy: Policy, batch: Batch, *, shows: str = "rollouts", **facts: Any
) -> NonFiniteError:
    """The error with the command that replays the step, whose bundle is written into the run folder.

    Args:
        shows: what the rows of the batch are.
        facts: further arguments of `write_bundle`.
    """
    bundle = run.folder / "failures" / f"step-{step:06d}"
    if facts.get("reference") is not None:
        facts["reference"] = policy.gathered(facts["reference"])
    with storing(bundle):
        write_bundle(bundle, policy, batch, reason=str(error), **facts)
    return NonFiniteError(f"step {step}: {error}; `sanmai doctor --replay {bundle}` shows which {shows}")
