"""What a run's steps amount to: lengths drawn from a record, cut into parts, and turned into seconds by a machine's rates."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from sanmai.plan.scale.fleet import Part, StepWork

Item = TypeVar("Item")


class Prompted(NamedTuple):
    """Rollouts of one prompt."""

    prompt: float
    """Tokens, as those of its completions."""
    lengths: tuple[int, ...]
    rewards: tuple[float | None, ...] | None = None
    """Of the same completions; None: not known, and then all are trained on."""

    @property
    def is_trained(self) -> bool:
        """Equal rewards give no gradient."""
        return self.rewards is None or len({r for r in self.rewards if r is not None}) > 1


Groups = tuple[Prompted, ...]


class Rates(Protocol):
    """Seconds that work takes on some machine."""

    def sampling(self, parts: Sequence[tuple[Groups, int]]) -> list[float]:
        """One sampler writes a part, so many rollouts at once; of each part."""
        ...

    def training(self, groups: Groups, *, micro_tokens: int, updates: int, ranks: int, handled: int = 0) -> float:
        """So many ranks together make the updates of a step.

        Args:
            handled: the step's rollouts, those that are not trained on included.
        """
        ...


@dataclass(frozen=True)
class Workload:
    """What a step asks for, whoever does it."""

    prompts: int
    """Of a step."""
    rollouts: int
    """Of a prompt."""
    max_tokens: int
    """Longer completions are cut off here."""
    concurrent: int
    """Rollouts written at once, over all parts."""
    parts: int
    """That a step's rollouts and slots are cut into."""
    micro_tokens: int
    """Of a micro-batch."""
    record: tuple[Groups, ...]
    """Where lengths come from: groups of each step on record, in order; steps behind the last are like the last."""
    num_steps: int
    updates: int = 1
    """Of the optimizer, per step."""
    needs_all: bool = False
    """Rollouts of groups without a signal are trained on, too: by a KL term, for instance."""
    evaluations: tuple[tuple[int, Groups], ...] = ()
    """After which step, 0 before the first, what is written."""
    saving: float = 0.0
    """Seconds of every step."""
    checkpoint: float = 0.0
    """Seconds of one that commits, on top."""
    commit_every: int = 1
    cut_reward: float | None = 0.0
    """Reward of a completion that is cut off at max_tokens and was not on record; None: it cannot be graded."""


def draw_groups(
    record: Groups, prompts: int, rollouts: int, max_tokens: int, rng: random.Random, cut_reward: float | None = 0.0
) -> Groups:
    """A step's rollouts, drawn from those on record: prompts, and of each its completions, as evenly as their numbers allow.

    Without replacement as far as there are some left, so as many as on record are those on record, in another order; completions
    of one prompt stay as alike, in length and in reward, as they were. Lengths above max_tokens are cut off, and such a one
    has cut_reward; what one that was cut off on record would have become is not known.
    """
    drawn = []
    for group in _evenly(record, prompts, rng):
        chosen = _evenly(range(len(group.lengths)), rollouts, rng)
        rewards = group.rewards and tuple(group.rewards[i] if group.lengths[i] <= max_tokens else cut_reward for i in chosen)
        drawn.append(Prompted(group.prompt, tuple(min(group.lengths[i], max_tokens) for i in chosen), rewards))
    return tuple(drawn)


def _evenly(items: Sequence[Item], count: int, rng: random.Random) -> list[Item]:
    """So many of them, each as often as any other or once more, in random order."""
    whole, rest = divmod(count, len(items))
    chosen = [*list(items) * whole, *rng.sample(list(items), rest)]
    rng.shuffle(chosen)
    return chosen


def cut_parts(groups: Groups, concurrent: int, parts: int) -> list[tuple[Groups, int]]:
    """Rollouts and slots in parts, as a call of the sampler is cut: in order, contiguous, slots shared out evenly.

    Example:
        cut_parts((Prompted(5, (1, 2, 3)),), 4, 2) == [((Prompted(5, (1,)),), 2), ((Prompted(5, (2, 3)),), 2)]
    """
    rows = [(index, length) for index, group in enumerate(groups) for length in group.lengths]
    if not rows:
        return []
    parts = min(parts, concurrent, len(rows))
    found = []
    for part in range(parts):
        piece = rows[len(rows) * part // parts : len(rows) * (part + 1) // parts]
        held: dict[int, list[int]] = {}
        for index, length in piece:
            held.setdefault(index, []).append(length)
        found.append((tuple(Prompted(groups[i].prompt, tuple(of)) for i, of in held.items()), concurrent // parts))
    return found


def tokens_of(groups: Groups) -> int:
    """Completion tokens."""
    return sum(sum(group.lengths) for group in groups)


def drawn_steps(work: Workload, seed: int) -> list[Groups]:
    """The rollouts of each step; the same seed has the same ones whoever does the work."""
    found = []
    for step in range(1, work.num_steps + 1):
        record = work.record[min(step, len(work.record)) - 1]
        rng = random.Random(f"{seed}/{step}")
        found.append(draw_groups(record, work.prompts, work.rollouts, work.max_tokens, rng, work.cut_reward))
    return found


def steps_of(work: Workload, drawn: Sequence[Groups], rates: Rates, *, ranks: int) -> list[StepWork]:
    """The steps of a run; where it is evaluated before the first, a step without parts comes before them.

    Args:
        drawn: rollouts of each step.
        ranks: trainers.
    """
    evaluations = dict(work.evaluations)
    steps = [StepWork(evaluation=_parts(evaluations[0], work, rates))] if 0 in evaluations else []
    for step, groups in enumerate(drawn, 1):
        trained = tuple(g for g in groups if work.needs_all or g.is_trained)
        handled = sum(len(group.lengths) for group in groups)
        commits = step % work.commit_every == 0 or step == len(drawn)
        steps.append(
            StepWork(
                _parts(groups, work, rates),
                rates.training(trained, micro_tokens=work.micro_tokens, updates=work.updates, ranks=ranks, handled=handled),
                _parts(evaluations.get(step, ()), work, rates),
                work.saving + work.checkpoint * commits,
                commits,
            )
        )
    return steps


def _parts(groups: Groups, work: Workload, rates: Rates) -> tuple[Part, ...]:
    cut = cut_parts(groups, work.concurrent, work.parts)
    return tuple(Part(took, tokens_of(own)) for took, (own, _) in zip(rates.sampling(cut), cut, strict=True))


def assumed_record(*, prompt: float, mean: float, spread: float, seed: int, prompts: int = 512, rollouts: int = 16) -> Groups:
    """Lengths that nobody recorded: log-normal, half of the variance of the logarithm between prompts and half within.

    Args:
        mean: tokens of a completion, before any is cut off.
        spread: deviation of the logarithm; 0 gives every completion the mean.
    """
    rng, each = random.Random(seed), spread / math.sqrt(2)
    found = []
    for _ in range(prompts):
        centre = math.log(mean) - spread**2 / 2 + rng.gauss(0, 1) * each
        lengths = tuple(max(round(math.exp(centre + rng.gauss(0, 1) * each)), 1) for _ in range(rollouts))
        found.append(Prompted(prompt, lengths))
    return tuple(found)
