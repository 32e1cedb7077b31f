"""What can be proved of a refusal near an input: bounds by intervals, with splitting, and exact counting over token edits. Pure.

    [attack success, 1 - certified share]        the bracket that holds the adversarial rate; splitting closes it

Shape key: B boxes, D inputs, O outputs.

A certificate is of the head and the box, not of a model's text: features in the box need not be those of any prompt.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_MAX_BOXES = 100_000


def interval(module: nn.Module, low_BD: Tensor, high_BD: Tensor) -> tuple[Tensor, Tensor]:
    """Bounds of a module's outputs over boxes of inputs: for every x between low and high, low_BO <= module(x) <= high_BO.

        linear   centre W c + b, radius |W| r          monotone functions (ReLU, Tanh, Sigmoid)   f(low), f(high)

    Raises:
        ValueError: low above high, or a module that is not known.

    Source:
        Gowal et al. 2018 (arXiv:1810.12715) section 3.
    """
    if (low_BD > high_BD).any():
        raise ValueError("low_BD: expected no value above high_BD's")
    if isinstance(module, nn.Sequential):
        for part in module:
            low_BD, high_BD = interval(part, low_BD, high_BD)
        return low_BD, high_BD
    if isinstance(module, nn.Linear):
        centre_BO = module((low_BD + high_BD) / 2)
        radius_BO = ((high_BD - low_BD) / 2) @ module.weight.abs().T
        return centre_BO - radius_BO, centre_BO + radius_BO
    if isinstance(module, (nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Identity)):
        return module(low_BD), module(high_BD)
    raise ValueError(f"{type(module).__name__}: expected Sequential, Linear, ReLU, Tanh, Sigmoid or Identity")


@dataclass(frozen=True)
class Bracket:
    """What share of a box flips the head's decision, as volume: at least `low`, at most `high`."""

    low: float
    high: float

    @property
    def decision(self) -> str:
        """"certified": no input of the box flips it; "broken": all or some do; "open": the bounds do not tell."""
        return "certified" if self.high == 0 else "broken" if self.low > 0 else "open"


def flipped_volume(head: nn.Module, low_D: Tensor, high_D: Tensor, *, max_boxes: int = 1000) -> Bracket:
    """A bracket on the share of a box's volume where the head's one output is not above 0.

    A box whose lower bound is above 0 is proved safe, one whose upper bound is not is proved flipped; any other is halved at its
    widest side, the largest first, until `max_boxes` were looked at. low and high meet as boxes are added.

    Raises:
        ValueError: a head with several outputs, or max_boxes outside 1..100000.

    Source:
        Corsi et al. 2024 (arXiv:2402.05284): the adversarial rate by interval propagation with splitting.
    """
    if not 1 <= max_boxes <= _MAX_BOXES:
        raise ValueError(f"max_boxes = {max_boxes}: expected 1 to {_MAX_BOXES}")
    waiting = [(1.0, low_D.double(), high_D.double())]
    head = _double(head)
    safe = flipped = 0.0
    looked = 0
    with torch.no_grad():
        while waiting and looked < max_boxes:
            share, low_d, high_d = waiting.pop(0)
            looked += 1
            least, most = interval(head, low_d[None], high_d[None])
            if least.numel() != 1:
                raise ValueError(f"head: {least.numel()} outputs; expected one")
            if least.item() > 0:
                safe += share
            elif most.item() <= 0:
                flipped += share
            else:
                side = int((high_d - low_d).argmax())
                below, above = high_d.clone(), low_d.clone()
                below[side] = above[side] = (low_d[side] + high_d[side]) / 2
                waiting += [(share / 2, low_d, below), (share / 2, above, high_d)]
    return Bracket(flipped, 1.0 - safe if waiting else flipped)


def _double(head: nn.Module) -> nn.Module:
    return copy.deepcopy(head).double().eval()


def largest_flip(head: nn.Module, low_BD: Tensor, high_BD: Tensor) -> Tensor:
    """Inputs of the boxes at which 40 signed gradient steps bring the head's output lowest: an attack, x_BD.

    Source:
        Madry et al. 2018 (arXiv:1706.06083): projected gradient descent, from the middle, in steps of an eighth of the width.
    """
    x_BD = ((low_BD + high_BD) / 2).detach()
    best_BD, best_B = x_BD.clone(), head(x_BD).detach().reshape(-1)
    for _ in range(40):
        x_BD = x_BD.detach().requires_grad_(True)
        [slope_BD] = torch.autograd.grad(head(x_BD).sum(), x_BD)
        x_BD = (x_BD - slope_BD.sign() * (high_BD - low_BD) / 8).clamp(low_BD, high_BD).detach()
        value_B = head(x_BD).detach().reshape(-1)
        better_B = value_B < best_B
        best_B = torch.where(better_B, value_B, best_B)
        best_BD = torch.where(better_B[:, None], x_BD, best_BD)
    return best_BD


Words = tuple[str, ...]


def edits(words: Sequence[str], synonyms: Callable[[str], Sequence[str]], most: int) -> Iterator[Words]:
    """Every text with at most `most` words in other words of the same meaning, each once; the text as it is comes first.

    Args:
        synonyms: other words for a word; it itself, and one twice, are passed over.

    Raises:
        ValueError: most below 0.
    """
    if most < 0:
        raise ValueError(f"most = {most}: expected 0 at least")
    choices = [list(dict.fromkeys(other for other in synonyms(word) if other != word)) for word in words]
    open_places = [k for k, found in enumerate(choices) if found]
    for count in range(min(most, len(open_places)) + 1):
        for places in itertools.combinations(open_places, count):
            for chosen in itertools.product(*(choices[k] for k in places)):
                made = list(words)
                for k, other in zip(places, chosen, strict=True):
                    made[k] = other
                yield tuple(made)


def num_edits(words: Sequence[str], synonyms: Callable[[str], Sequence[str]], most: int) -> int:
    """How many texts `edits` gives, counted without making them: the coefficients of prod_k (1 + n_k x) up to x^most, summed."""
    coefficients = [1] + [0] * most
    for word in words:
        size = len(dict.fromkeys(other for other in synonyms(word) if other != word))
        for k in range(most, 0, -1):
            coefficients[k] += size * coefficients[k - 1]
    return sum(coefficients)


@dataclass(frozen=True)
class Counted:
    """Over all edits of a text."""

    flipped: int
    total: int
    worst: Words
    """An edit with the least score; of equal ones the first."""

    @property
    def rate(self) -> float:
        return self.flipped / self.total


def flipped_edits(
    words: Sequence[str],
    synonyms: Callable[[str], Sequence[str]],
    most: int,
    score: Callable[[Sequence[Words]], Sequence[float]],
    *,
    at_once: int = 512,
) -> Counted:
    """How many of all edits the decision flips for: score not above 0. Exact: every edit is scored.

    Args:
        score: of several texts at once; above 0 is a refusal.
    """
    flipped = total = 0
    worst, least = tuple(words), float("inf")
    rest = edits(words, synonyms, most)
    while batch := list(itertools.islice(rest, at_once)):
        for made, value in zip(batch, score(batch), strict=True):
            total += 1
            flipped += value <= 0
            if value < least:
                worst, least = made, value
    return Counted(flipped, total, worst)
