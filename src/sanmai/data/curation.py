"""Which problems are worth training on: what can be graded, is hard enough, is not guessed, and of balanced domains.

    form         no proofs, multiple choice, true or false (data/forms.py)
    difficulty   by the pass rate of n answers at a high temperature
    guess        not answered right without reasoning
    domain       a cap on each (data/domains.py)

The answers that pass rates and guesses come from are somebody else's to sample.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sanmai.data.domains import domain_of
from sanmai.data.filters import Drop
from sanmai.data.forms import ungradable_form
from sanmai.types import Problem


def beyond_cap(problems: Sequence[Problem], domains: Sequence[str], *, cap: int, seed: int) -> list[Drop | None]:
    """For each problem, in order, whether it is one too many of its domain; `cap` of each domain stay.

    Which ones is decided by the seed and their ids alone: what stays under a small cap stays under a larger one, in any order
    of the problems and whatever else is there.

    Raises:
        ValueError: problems and domains differ in number, or cap is below 1.
    """
    if len(problems) != len(domains):
        raise ValueError(f"{len(problems)} problems and {len(domains)} domains: expected one of each")
    if cap < 1:
        raise ValueError(f"cap = {cap}: expected at least 1")
    by_domain: dict[str, list[int]] = {}
    for index, domain in enumerate(domains):
        by_domain.setdefault(domain, []).append(index)
    found: list[Drop | None] = [None] * len(problems)
    for domain, indices in by_domain.items():
        for index in sorted(indices, key=lambda i: _chance(seed, problems[i].id))[cap:]:
            found[index] = Drop("beyond_cap", f"beyond the {cap} of {domain}")
    return found


def _chance(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\n{name}".encode("utf-8", "surrogatepass")).digest()


# Difficulty and guesses: what answers of a model say.

BANDS = ("impossible", "hard", "medium", "easy", "trivial", "unknown")


def difficulty_band(pass_rate: float | None) -> str:
    """impossible (0), hard (below 1/3), medium (below 2/3), easy (below 1), trivial (1); unknown without a pass rate.

    Of n answers: a problem that is solved with probability p is "impossible" with (1 - p)^n and "trivial" with p^n. At n = 10
    a third of those with p = 0.1 look impossible.

    Raises:
        ValueError: a pass rate outside 0..1.
    """
    if pass_rate is None:
        return "unknown"
    if not 0 <= pass_rate <= 1:
        raise ValueError(f"pass_rate = {pass_rate}: expected 0 to 1")
    if pass_rate in (0, 1):
        return "trivial" if pass_rate else "impossible"
    return "hard" if pass_rate < 1 / 3 else "medium" if pass_rate < 2 / 3 else "easy"


def beyond_difficulty(
    pass_rate: float | None, *, trivial_from: float | None = 1.0, impossible_to: float | None = None
) -> Drop | None:
    """Whether a problem is too easy or too hard to learn from; without a pass rate that cannot be told, and it is dropped.

    Args:
        trivial_from: least pass rate that counts as too easy; None: none does.
        impossible_to: largest pass rate that counts as too hard; None: none does. At 0 it also drops what the file answers
            wrongly.

    Raises:
        ValueError: a value outside 0..1.
    """
    for name, value in (("pass_rate", pass_rate), ("trivial_from", trivial_from), ("impossible_to", impossible_to)):
        if value is not None and not 0 <= value <= 1:
            raise ValueError(f"{name} = {value}: expected 0 to 1")
    if trivial_from is None and impossible_to is None:
        return None
    if pass_rate is None:
        return Drop("unknown", "no answer could be graded")
    if trivial_from is not None and pass_rate >= trivial_from:
        return Drop("trivial", f"pass rate {pass_rate:.2f}")
    if impossible_to is not None and pass_rate <= impossible_to:
        return Drop("impossible", f"pass rate {pass_rate:.2f}")
    return None


def guessed(rights: Sequence[bool | None], *, attempts: int = 8) -> Drop | None:
    """Whether one of the first `attempts` answers without reasoning is right: the problem is too easily guessed.

    An answer that could not be graded is not right; where none could, that cannot be told, and the problem is dropped. It
    drops what is guessed and what can be done in the head alike: with p = 0.05 for one answer, a third (`guess_drop_rate`).

    Raises:
        ValueError: attempts below 1, or fewer answers.

    Source:
        Kimi Team 2025 (arXiv:2501.12599) section 2.1, with N = 8.
    """
    if not 1 <= attempts <= len(rights):
        raise ValueError(f"attempts = {attempts} with {len(rights)} answers: expected at least 1, and so many answers")
    first = rights[:attempts]
    if right := sum(bool(answer) for answer in first):
        return Drop("guessed", f"right {right} times in {attempts} without reasoning")
    return Drop("unknown", "no answer without reasoning could be graded") if set(first) == {None} else None


# All of it, with counts for the data card.


@dataclass
class CurationStep:
    """What one rule did."""

    name: str
    meaning: str
    """What it keeps, with its bounds."""
    seen: int
    dropped: Counter[str] = field(default_factory=Counter)
    """Problems by label."""
    examples: list[tuple[Problem, Drop]] = field(default_factory=list)
    """The first ones of every label."""


Rule = Callable[[Sequence[Problem]], list[Drop | None]]
"""Why each problem is dropped; None keeps it."""


@dataclass(frozen=True)
class Curated:
    """The problems that are left, and what every rule did."""

    given: list[Problem]
    kept: list[Problem]
    steps: list[CurationStep]
    domains: Mapping[str, str]
    """By id, of all that were given."""
    pass_rates: Mapping[str, float | None]


def curate(
    problems: Sequence[Problem],
    *,
    seed: int,
    pass_rates: Mapping[str, float | None] | None = None,
    guesses: Mapping[str, Sequence[bool | None]] | None = None,
    by_form: bool = True,
    trivial_from: float | None = 1.0,
    impossible_to: float | None = None,
    attempts: int = 8,
    cap: int | None = None,
    num_examples: int = 2,
) -> Curated:
    """Apply form, difficulty, guess and cap, in this order: the cap counts what is usable.

    The rules are about problems of kind reasoning; the others stay, whatever is known of them.

    Args:
        seed: decides which problems stay under the cap.
        pass_rates: by id; None leaves difficulty out, and an id that is missing is of unknown difficulty.
        guesses: answers without reasoning by id, right or not; None leaves the guess filter out.
        by_form: drop what `ungradable_form` names.
        trivial_from, impossible_to: of `beyond_difficulty`.
        attempts: of `guessed`.
        cap: problems of one domain at most; None: no cap.
        num_examples: of every rule and label, for the card.

    Raises:
        ValueError: as the rules, or too few answers of a problem that the guess filter comes to.
    """
    domains = {problem.id: domain_of(problem) for problem in problems}
    rules: list[tuple[str, str, Rule]] = []
    if by_form:
        rules.append(("form", "no proof, multiple choice, true or false", _each(ungradable_form)))
    if pass_rates is not None and (trivial_from is not None or impossible_to is not None):
        rates, limits = pass_rates, {"trivial_from": trivial_from, "impossible_to": impossible_to}
        sides = [
            f"{side} {limit:g}"
            for side, limit in (("above", impossible_to), ("below", trivial_from))
            if limit is not None
        ]
        difficulty = _each(lambda p: beyond_difficulty(rates.get(p.id), **limits))
        rules.append(("difficulty", f"pass rate {' and '.join(sides)}", difficulty))
    if guesses is not None:
        answers = guesses
        guess = _each(lambda p: guessed(_enough(answers, p, attempts), attempts=attempts))
        rules.append(("guess", f"not right in {attempts} answers without reasoning", guess))
    if cap is not None:
        most = cap
        balance = lambda ps: beyond_cap(ps, [domains[p.id] for p in ps], cap=most, seed=seed)  # noqa: E731
        rules.append(("domain", f"at most {cap} of a domain", balance))
    left, steps = list(problems), []
    for name, meaning, rule in rules:
        judged = [problem for problem in left if problem.kind == "reasoning"]
        steps.append(step := CurationStep(name, meaning, len(left)))
        drops = {p.id: drop for p, drop in zip(judged, rule(judged), strict=True) if drop is not None}
        for problem in left:
            if drop := drops.get(problem.id):
                if step.dropped[drop.label] < num_examples:
                    step.examples.append((problem, drop))
                step.dropped[drop.label] += 1
        left = [problem for problem in left if problem.id not in drops]
    return Curated(list(problems), left, steps, domains, pass_rates or {})


def _each(judge: Callable[[Problem], Drop | None]) -> Rule:
    return lambda problems: [judge(problem) for problem in problems]


def _enough(guesses: Mapping[str, Sequence[bool | None]], problem: Problem, attempts: int) -> Sequence[bool | None]:
    found = guesses.get(problem.id, ())
    if len(found) < attempts:
        raise ValueError(f"guesses: {len(found)} answers of problem {problem.id}, expected {attempts}")
    return found


_EXCERPT = 240


def curation_card(curated: Curated) -> dict[str, Any]:
    """What the data card says of a curation; texts of reasoning problems alone, for others may ask for something harmful."""

    def counts(problems: Sequence[Problem]) -> dict[str, Any]:
        bands = Counter(difficulty_band(curated.pass_rates.get(p.id)) for p in problems)
        return {
            "problems": len(problems),
            "by_domain": dict(sorted(Counter(curated.domains[p.id] for p in problems).items())),
            "by_difficulty": {band: bands[band] for band in BANDS},
        }

    def example(problem: Problem, drop: Drop) -> dict[str, str]:
        text = {"prompt": problem.prompt[:_EXCERPT]} if problem.kind == "reasoning" else {}
        return {"id": problem.id, "label": drop.label, "reason": drop.reason} | text

    return {
        "given": counts(curated.given),
        "rules": [
            {
                "name": step.name,
                "meaning": step.meaning,
                "seen": step.seen,
                "kept": step.seen - step.dropped.total(),
                "dropped": dict(sorted(step.dropped.items())),
                "examples": [example(problem, drop) for problem, drop in step.examples],
            }
            for step in curated.steps
        ],
        "kept": counts(curated.kept),
    }
