"""Several opinions of one verdict: under which names they are stored, who gave them, and how often they differ. Pure.

The first opinion of `harm` is stored as `harm`; those of less reliable judges as `harm_refusal` (a trained judge of refusals) and
`harm_rules` (the refusal rules). Each verdict's reason begins with who gave it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

OPINIONS = ("harm", "over_refusal", "helped")
"""Verdicts of which there may be several opinions."""
REFUSAL, RULES = "_refusal", "_rules"
ENDINGS = {REFUSAL: "the judge of refusals", RULES: "the refusal rules"}
"""What a name ends with, and whose opinion it then is."""
OTHERS = frozenset(f"{name}{ending}" for name in OPINIONS for ending in ENDINGS)
"""Names under which opinions that are not the first are stored."""
RULES_REASON = "by refusal rules:"
"""How a reason begins where rules stand in for the truth; see rewards/harm.py."""
_SAYS = 0.5


@dataclass(frozen=True)
class Disagreement:
    """How two opinions of the same completions differ."""

    share: float
    """nan where no completion has both."""
    n: int
    """Completions that both can tell."""
    first: float
    """Mean of the first opinion over these, and of the other."""
    other: float


def disagreement(pairs: Sequence[tuple[float | None, float | None]]) -> Disagreement:
    """The share of completions that one opinion calls more and the other less than even (0.5), of those that both can tell.

    Example:
        disagreement([(1.0, 1.0), (0.0, 1.0), (None, 0.0)]) == Disagreement(0.5, 2, 0.5, 1.0)
    """
    both = [(a, b) for a, b in pairs if a is not None and b is not None]
    if not both:
        return Disagreement(nan, 0, nan, nan)
    n = len(both)
    differ = sum((a >= _SAYS) is not (b >= _SAYS) for a, b in both)
    return Disagreement(differ / n, n, sum(a for a, _ in both) / n, sum(b for _, b in both) / n)


def teller(reason: str | None) -> str:
    """Who gave a verdict, by its reason: "by NAME: why". "the world" where it is told exactly.

    Example:
        teller("by runs/judge: probability of refusal 0.98"), teller("by refusal rules: declines"), teller("a refusal is in it")
    """
    text = reason or ""
    if text.startswith(RULES_REASON):
        return "the refusal rules"
    if not text.startswith("by ") or ": " not in text:
        return "the world"
    return text.removeprefix("by ").partition(": ")[0]
