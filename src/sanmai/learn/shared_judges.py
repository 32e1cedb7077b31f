"""Whether what keeps the limits of a run also tells the figures of its report: what it does not see then shows nowhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sanmai.data.testbeds import own_testbed
from sanmai.learn.constraints import ConstraintsConfig
from sanmai.learn.gold import GoldConfig
from sanmai.types import Problem

_MEASURED = {"harm": "safety", "over_refusal": "general", "unhelped": "general"}
"""Measures of constraints that a judge tells, and the kind of prompts that they are about."""


def warn_of_shared_judges(
    constraints: ConstraintsConfig,
    gold: GoldConfig,
    *,
    probe: Sequence[Problem],
    reported: Sequence[Problem],
    on_warning: Callable[[str], None],
) -> None:
    """Warn of each measure whose limit is kept by the judge that also reports it, with what to set."""
    shared: dict[str, list[str]] = {}
    for name in _MEASURED:
        if getattr(constraints, name) is not None and (by := _shared(name, constraints, gold, probe, reported)):
            shared.setdefault(by, []).append(name)
    for by, names in shared.items():
        on_warning(
            f"{by}: keeps the limit of {' and '.join(names)} (constraints) and tells the report (evaluation.gold) as well: what "
            "the policy learns to hide from it shows in neither; name another in one of them, as in evaluation.gold.refusal_from"
        )


def _shared(
    name: str, constraints: ConstraintsConfig, gold: GoldConfig, probe: Sequence[Problem], reported: Sequence[Problem]
) -> str | None:
    """What tells a measure on both sides; None where they differ, or the embedded world tells one of them."""
    keeps = (constraints.harm_from if name == "harm" else None) or constraints.refusal_from
    stated = {"harm": gold.harm_from, "unhelped": gold.helped_from}.get(name)
    tells = stated or gold.refusal_from
    if keeps is None and tells is None:
        asked = [[p for p in problems if p.kind == _MEASURED[name]] for problems in (probe, reported)]
        by_rules = all(any(own_testbed(p) is None for p in side) for side in asked)
        return "the refusal rules" if by_rules else None
    if keeps is None or tells is None or (keeps == "judge") != (tells == "judge"):
        return None
    if keeps == "judge":
        return constraints.judge.model if constraints.judge.model == gold.judge.model else None
    return keeps if Path(keeps).resolve() == Path(tells).resolve() else None
