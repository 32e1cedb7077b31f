"""Which reasoning problems a step draws: in epochs, the harder ones more often, or the hard ones from some step on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field
from torch import Tensor

from sanmai.config import Config, OnlyWith
from sanmai.data.priority import SuccessTracker, draw_curriculum, draw_prioritised, draw_uniform
from sanmai.rollout.measure import accuracy
from sanmai.types import Graded, Group, InputError, Metrics, Problem, StopReason

if TYPE_CHECKING:
    from sanmai.data.priority import Mask

_PREFIX = "curriculum/"


class CurriculumConfig(Config):
    order: Literal["epochs", "prioritised", "hard_later"] = "epochs"
    """epochs: each problem as often; prioritised: with P proportional to 1 - its success rate; hard_later: uniformly, and from
    `hard_from` on those whose rate is below `below` (Kimi k1.5)."""
    prior: float = Field(0.5, ge=0, le=1)
    """Success rate of a problem that was never tried."""
    known_tries: float = Field(0.0, ge=0)
    """Tries that the rate in a problem's tag `pass_rate`, as curate writes it, counts for at the start; 0 does not read it."""
    decay: float = Field(1.0, gt=0, le=1)
    """What earlier tries of a problem weigh at each new one: 1 counts all alike."""
    floor: float = Field(0.05, ge=0, le=1)
    """Of prioritised: least 1 - rate, so that a problem that is always solved is seen again."""
    hard_from: float = Field(0.25, ge=0, le=1)
    """Of hard_later: the share of the run after which it begins."""
    below: float = Field(0.75, gt=0, le=1)
    """Of hard_later: success rate from which on a problem is no longer hard."""
    retire_solved: bool = False
    """Leave out problems that every rollout solved the last time, as long as others suffice (history resampling)."""
    return_after: int | None = Field(None, ge=1)
    """Steps after which such a problem comes back; never when not set."""

    only_with = (
        OnlyWith('order = "prioritised" or "hard_later"', lambda c: c.order != "epochs", "known_tries"),
        OnlyWith('order = "prioritised" or "hard_later", or with retire_solved', lambda c: c.tracks, "prior", "decay"),
        OnlyWith('order = "prioritised"', lambda c: c.order == "prioritised", "floor"),
        OnlyWith('order = "hard_later"', lambda c: c.order == "hard_later", "hard_from", "below"),
        OnlyWith("retire_solved = true", lambda c: c.retire_solved, "return_after"),
    )

    @property
    def tracks(self) -> bool:
        return self.order != "epochs" or self.retire_solved


class Curriculum:
    """The success rates of the reasoning problems, and what a step draws by them."""

    def __init__(self, config: CurriculumConfig, problems: Sequence[Problem], num_steps: int, *, seed: int) -> None:
        """Raises InputError where there is no reasoning problem."""
        self.config, self.num_steps, self.seed = config, num_steps, seed
        self.problems = [p for p in problems if p.kind == "reasoning"]
        if not self.problems:
            raise InputError(f"curriculum.order = {config.order!r}: it is about reasoning problems, and there are none")
        self.tracker = SuccessTracker([p.id for p in self.problems], decay=config.decay, prior=config.prior)
        if config.known_tries:
            self.tracker.begin_with(_known_rates(self.problems), config.known_tries)

    def draw(self, step: int, count: int) -> list[Problem]:
        """The problems of a step, counted from 1; a function of seed, step and what was observed before."""
        config = self.config
        named: dict[str, Any] = {"seed": self.seed, "step": step, "retired": self._retired(step)}
        if config.order == "prioritised":
            chosen = draw_prioritised(self.tracker, count, floor=config.floor, **named)
        elif config.order == "hard_later":
            later: dict[str, Any] = {"num_steps": self.num_steps, "hard_from": config.hard_from, "below": config.below}
            chosen = draw_curriculum(self.tracker, count, **later, **named)
        else:
            chosen = draw_uniform(self.tracker, count, **named)
        return [self.problems[i] for i in chosen]

    def further(self, step: int, count: int, taken: set[str]) -> list[Problem]:
        """At most so many more problems for a step, in the order of `draw`, none of those that it has."""
        return [p for p in self.draw(step, len(self.problems)) if p.id not in taken][:count]

    def observe(self, step: int, groups: Sequence[Group[Graded]]) -> Metrics:
        """Count what became of a step's groups; `curriculum/` metrics."""
        found: dict[str, list[bool | None]] = {}
        for group in groups:
            if group.problem.kind == "reasoning":
                # A slow machine, or a grader that broke, says nothing of the problem.
                scores = [None if r.stop_reason is StopReason.TIMEOUT else accuracy(r) for r in group.rollouts]
                # Two groups of one problem may end in one step, where rollouts are written in parts.
                found.setdefault(group.problem.id, []).extend(None if s is None else s >= 1.0 for s in scores)
        self.tracker.update(step, found)
        return self.tracker.metrics(self._retired(step + 1))

    def state(self) -> dict[str, Tensor]:
        """For the run state."""
        return {f"{_PREFIX}{name}": value for name, value in self.tracker.state().items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """The rates as `state` gave them."""
        if own := {name.removeprefix(_PREFIX): value for name, value in state.items() if name.startswith(_PREFIX)}:
            self.tracker.load(own)

    def _retired(self, step: int) -> Mask | None:
        return self.tracker.retired(step, self.config.return_after) if self.config.retire_solved else None


def _known_rates(problems: Sequence[Problem]) -> dict[str, float]:
    """By id, the tag `pass_rate` of those that have one.

    Raises:
        InputError: one that is no share, or none at all.
    """
    found: dict[str, float] = {}
    for problem in problems:
        rate = problem.tags.get("pass_rate")
        if rate is None:
            continue
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
            raise InputError(f"problem {problem.id}: the tag pass_rate is {rate!r}; expected a number from 0 to 1")
        found[problem.id] = float(rate)
    if not found:
        raise InputError("curriculum.known_tries: no problem has the tag pass_rate; `sanmai run curate` writes it")
    return found
