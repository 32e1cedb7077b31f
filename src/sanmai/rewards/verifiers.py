"""The verifiers by name, and accuracy: what the verifier that a problem names says of a trace."""

from __future__ import annotations

from collections.abc import Callable

from sanmai import programs
from sanmai.answers.final import verify_math
from sanmai.data.testbeds import TESTBEDS
from sanmai.types import InputError, Problem, Trace, Verdict


def _verify_by_testbed(problem: Problem, trace: Trace, *, timeout_seconds: float) -> Verdict:
    return TESTBEDS[problem.verifier].verify(problem, trace)


def _verify_code(problem: Problem, trace: Trace, *, timeout_seconds: float) -> Verdict:
    from sanmai.rewards.code import verify_code

    return verify_code(problem, trace, timeout_seconds=timeout_seconds)


def _verify_exact(problem: Problem, trace: Trace, *, timeout_seconds: float) -> Verdict:
    from sanmai.answers.exact import verify_exact

    return verify_exact(problem, trace)


def _verify_number(problem: Problem, trace: Trace, *, timeout_seconds: float) -> Verdict:
    from sanmai.answers.worked import verify_number

    return verify_number(problem, trace, timeout_seconds=timeout_seconds)


def _verify_expression(problem: Problem, trace: Trace, *, timeout_seconds: float) -> Verdict:
    from sanmai.answers.number_puzzle import verify_expression

    return verify_expression(problem, trace)


def _verify_gym(problem: Problem, trace: Trace, *, timeout_seconds: float) -> Verdict:
    from sanmai.rewards.gym import verify_gym

    return verify_gym(problem, trace, timeout_seconds=timeout_seconds)


def _verify_environment(problem: Problem, trace: Trace, *, timeout_seconds: float) -> Verdict:
    from sanmai.rewards.environments import verify_environment

    return verify_environment(problem, trace)


VERIFIERS: dict[str, Callable[..., Verdict]] = {
    **dict.fromkeys(TESTBEDS, _verify_by_testbed),
    "math": verify_math, "code": _verify_code, "exact": _verify_exact, "expression": _verify_expression,
    "number": _verify_number, "gym": _verify_gym, **dict.fromkeys(("verifiers", "environment"), _verify_environment),
}  # fmt: skip
"""By the name that Problem.verifier states; called with (problem, trace, timeout_seconds=...)."""
VERSIONS = {name: 1 for name in VERIFIERS} | {"code": programs.VERSION}
"""Raised by hand when the same completion is graded otherwise: stages that were graded by an older one are then done again."""


def accuracy(problem: Problem, trace: Trace, *, timeout_seconds: float = 5.0) -> Verdict:
    """The verdict of the verifier that the problem names.

    Raises:
        InputError: there is no verifier of that name.
    """
    if problem.verifier not in VERIFIERS:
        known = ", ".join(sorted(VERIFIERS))
        raise InputError(f"problem {problem.id}: verifier = {problem.verifier!r}; expected one of {known}")
    return VERIFIERS[problem.verifier](problem, trace, timeout_seconds=timeout_seconds)
