"""Which problems a step draws, by how often each was solved: prioritised, uniform then hard, and without what is solved.

A draw is a function of (seed, step) and of what the tracker holds, and the tracker's state goes into the run's: a resumed run
draws what the first would have drawn (law 6).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sanmai.data.curriculum import draw
from sanmai.types import InputError, Metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

_STREAM = 0x5EED
"""Keeps these random numbers apart from those of `curriculum.epoch_order`."""


class SuccessTracker:
    """How often each problem was solved, by the rollouts that trained on it.

        s_i = solved_i / tried_i, or `prior` while nothing of it was graded
        at each visit    tried_i <- decay * tried_i + rollouts graded,    solved_i <- decay * solved_i + rollouts right

    The rate is that of policies past: of a problem that is seldom drawn it is old. decay < 1 forgets, visit by visit and not
    step by step: the last 1 / (1 - decay) visits count.

    Example:
        tracker = SuccessTracker([problem.id for problem in problems])
        tracker.update(step, {"gsm8k/train/0": [True, False, None, True]})   # its rate is now 2/3
    """

    def __init__(self, ids: Sequence[str], *, decay: float = 1.0, prior: float = 0.5) -> None:
        """Args:
            ids: of the problems, each once; their order numbers them.
            decay: of earlier counts, at each visit of a problem; 1 keeps all.
            prior: success rate (0..1) that a problem is taken to have until it was tried. 0 draws every problem as if it were
                hard until it is known.

        Raises:
            ValueError: no id, one twice, a decay outside 0..1 (0 excluded), or a prior outside 0..1.
        """
        if not ids or len(set(ids)) < len(ids):
            raise ValueError(f"ids: {len(ids)} with {len(set(ids))} different ones; expected at least one, each once")
        if not 0 < decay <= 1:
            raise ValueError(f"decay = {decay}: expected above 0, at most 1")
        if not 0 <= prior <= 1:
            raise ValueError(f"prior = {prior}: expected 0 to 1")
        self.decay, self.prior = decay, prior
        self._number = {name: number for number, name in enumerate(ids)}
        self.tried: Floats = np.zeros(len(ids))
        self.solved: Floats = np.zeros(len(ids))
        self.solved_at = np.zeros(len(ids), dtype=np.int64)
        """The step of the last visit, if every rollout of it was right; else 0."""

    def __len__(self) -> int:
        return len(self._number)

    def begin_with(self, rates: Mapping[str, float], tries: float) -> None:
        """Take problems as tried so often before, with these success rates: of another policy, or of this one at the start.

        Raises:
            ValueError: a rate outside 0..1, fewer than 0 tries, or a problem that is not tracked.
        """
        if tries < 0 or not all(0 <= rate <= 1 for rate in rates.values()):
            raise ValueError(f"rates {dict(rates)} of {tries} tries: expected 0 to 1, of at least 0 tries")
        if unknown := [name for name in rates if name not in self._number]:
            raise ValueError(f"problem {unknown[0]} is not among the {len(self)} that are tracked")
        for name, rate in rates.items():
            i = self._number[name]
            self.tried[i], self.solved[i] = tries, tries * rate

    def update(self, step: int, results: Mapping[str, Sequence[bool | None]]) -> None:
        """Count a step's rollouts, problem by problem; None, which could not be graded, is not counted.

        A rollout that could not be graded keeps its problem from being solved by all. A group belongs in one call: where its
        rollouts end in different steps, in that of the last one.

        Raises:
            ValueError: step below 1, or a problem that is not tracked; nothing is counted then.
        """
        if step < 1:
            raise ValueError(f"step = {step}: expected 1 or more")
        if unknown := [name for name in results if name not in self._number]:
            raise ValueError(f"problem {unknown[0]} is not among the {len(self)} that are tracked")
        for name, found in results.items():
            graded = [right for right in found if right is not None]
            if graded:
                i = self._number[name]
                self.tried[i] = self.decay * self.tried[i] + len(graded)
                self.solved[i] = self.decay * self.solved[i] + sum(graded)
                self.solved_at[i] = step if all(found) else 0

    def rates(self) -> Floats:
        """s of each problem, in order."""
        return np.where(self.tried > 0, self.solved / np.where(self.tried > 0, self.tried, 1.0), self.prior)

    def retired(self, step: int, return_after: int | None = None) -> Mask:
        """The problems that every rollout solved when they were last drawn (history resampling).

        Args:
            step: the one that is about to be drawn.
            return_after: steps after which a problem is drawn again, to see whether it still is solved; None: never.

        Raises:
            ValueError: return_after below 1.

        Source:
            SRPO (arXiv:2504.14286): of a group whose rollouts are all right nothing is learned. There problems leave at the
            end of an epoch, here at once.
        """
        if return_after is not None and return_after < 1:
            raise ValueError(f"return_after = {return_after}: expected at least 1 step")
        is_out = self.solved_at > 0
        return is_out if return_after is None else is_out & (step <= self.solved_at + return_after)

    def metrics(self, retired: Mask | None = None) -> Metrics:
        """Shares of problems: `curriculum/untried`, `curriculum/retired`; and `curriculum/tracked_success`, the mean rate of
        those that were tried, absent before any was.
        """
        tried = self.tried > 0
        found = {"curriculum/tracked_success": float(self.rates()[tried].mean())} if tried.any() else {}
        found["curriculum/untried"] = float(1 - tried.mean())
        return found if retired is None else found | {"curriculum/retired": float(retired.mean())}

    def state(self) -> dict[str, Tensor]:
        """What a resume needs, for the run state."""
        import torch

        return {
            "tried": torch.from_numpy(self.tried.copy()),
            "solved": torch.from_numpy(self.solved.copy()),
            "solved_at": torch.from_numpy(self.solved_at.copy()),
            "ids": torch.tensor(list(self._digest()), dtype=torch.uint8),
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state.

        Raises:
            InputError: it is of other problems, or of the same in another order.
        """
        if bytes(state["ids"].tolist()) != self._digest():
            raise InputError(
                f"the tracked success rates are of {len(state['tried'])} problems that are not the {len(self)} of this run, "
                "or stand in another order: expected the problems that the run began with"
            )
        self.tried = state["tried"].cpu().numpy().copy()
        self.solved = state["solved"].cpu().numpy().copy()
        self.solved_at = state["solved_at"].cpu().numpy().copy()

    def _digest(self) -> bytes:
        return hashlib.sha256("\n".join(self._number).encode("utf-8", "surrogatepass")).digest()


def priorities(rates: Floats, *, floor: float) -> Floats:
    """The probability of each problem to be drawn first: P(i) proportional to max(1 - s_i, floor).

    Raises:
        ValueError: a floor outside 0..1.

    Source:
        Kimi Team 2025 (arXiv:2501.12599) section 2.3.4, where floor = 0: a problem that was solved every time never comes
        back, whatever the policy forgets.
    """
    if not 0 <= floor <= 1:
        raise ValueError(f"floor = {floor}: expected 0 to 1")
    weights = np.maximum(1.0 - rates, floor)
    total = weights.sum()
    return weights / total if total else np.full(len(rates), 1 / len(rates))


def draw_prioritised(
    tracker: SuccessTracker, count: int, *, seed: int, step: int, floor: float = 0.05, retired: Mask | None = None
) -> list[int]:
    """The numbers of `count` problems, each at most once, drawn one after the other with `priorities`.

    The first is drawn with P(i), each further one with P among those left: so the share of steps in which a problem occurs
    flattens as count nears the number of problems, and only for small counts is it count * P(i). With floor > 0 every problem
    is drawn at least every 1 / P(i) steps on average. Retired ones come only when the others do not suffice.

    Raises:
        ValueError: count outside 1..number of problems, or as priorities.

    Source:
        Drawn by the Gumbel-top-k trick (Kool et al. 2019, arXiv:1903.06059): the largest of log P(i) + Gumbel noise.
    """
    with np.errstate(divide="ignore"):  # log 0 = -inf, which stands behind everything
        score = np.log(priorities(tracker.rates(), floor=floor))
    noise = _noise(len(tracker), seed, step)
    return _first(count, noise, -(score + noise), _mask(tracker, retired))


def draw_uniform(
    tracker: SuccessTracker, count: int, *, seed: int, step: int, retired: Mask | None = None
) -> list[int]:
    """The numbers of `count` problems in `curriculum.draw`'s order, epoch by epoch; a retired one's place goes to another.

    The substitutes are drawn with equal probability from those that are not retired, and then from the retired ones.

    Raises:
        ValueError: as draw_prioritised.
    """
    _check(count, len(tracker))
    is_out = _mask(tracker, retired)
    kept = [i for i in draw(range(len(tracker)), count, seed=seed, step=step) if not is_out[i]]
    is_taken = np.zeros(len(tracker), dtype=bool)
    is_taken[kept] = True
    noise = _noise(len(tracker), seed, step)
    return kept + (_first(count - len(kept), noise, is_out, is_taken) if len(kept) < count else [])


def draw_hard(
    tracker: SuccessTracker, count: int, *, seed: int, step: int, below: float, retired: Mask | None = None
) -> list[int]:
    """The numbers of `count` problems, with equal probability among those whose success rate is below a bound.

    Where these are too few, the next hardest follow; what was never tried is as hard as the prior says. A problem that was
    drawn often enough to be solved leaves; one that is not drawn any more keeps its rate, and what is forgotten of it is not
    seen.

    Raises:
        ValueError: as draw_prioritised, or a bound outside 0..1 (0 excluded).
    """
    if not 0 < below <= 1:
        raise ValueError(f"below = {below}: expected above 0, at most 1")
    rates = tracker.rates()
    return _first(
        count, _noise(len(tracker), seed, step), np.where(rates < below, -1.0, rates), _mask(tracker, retired)
    )


def draw_curriculum(
    tracker: SuccessTracker,
    count: int,
    *,
    seed: int,
    step: int,
    num_steps: int,
    hard_from: float,
    below: float,
    retired: Mask | None = None,
) -> list[int]:
    """Uniform, then hard: draw_uniform while step <= hard_from * num_steps, draw_hard after that.

    Raises:
        ValueError: as these, or hard_from outside 0..1.

    Source:
        Kimi Team 2025 (arXiv:2501.12599) sections 2.3.4 and 3.5 (switch at iteration 24); the bound is not published.
    """
    if not 0 <= hard_from <= 1:
        raise ValueError(f"hard_from = {hard_from}: expected a share of the run, 0 to 1")
    # 0.29 * 100 is 28.999999999999996, and step 29 is still in the first 29 %.
    if step <= hard_from * num_steps + 1e-9 * num_steps:
        return draw_uniform(tracker, count, seed=seed, step=step, retired=retired)
    return draw_hard(tracker, count, seed=seed, step=step, below=below, retired=retired)


def _noise(size: int, seed: int, step: int) -> Floats:
    """Gumbel noise, named by seed and step."""
    return np.random.default_rng([seed, step, _STREAM]).gumbel(size=size)


def _first(count: int, noise: Floats, *keys: NDArray) -> list[int]:
    """The first `count` numbers, by the last key, then the ones before it, then the noise; smallest first."""
    _check(count, len(noise))
    return np.lexsort((noise, *keys))[:count].tolist()


def _mask(tracker: SuccessTracker, retired: Mask | None) -> Mask:
    if retired is None:
        return np.zeros(len(tracker), dtype=bool)
    if retired.shape != (len(tracker),):
        raise ValueError(
            f"retired has the shape {retired.shape}: expected one value for each of {len(tracker)} problems"
        )
    return retired


def _check(count: int, size: int) -> None:
    if not 1 <= count <= size:
        raise ValueError(f"count = {count}: expected 1 to the number of problems, {size}")
