"""Bounds that hold, a bracket that closes by splitting, and counts over edits that are those of brute force."""

import itertools
from collections.abc import Callable, Sequence
from random import Random

import pytest
import torch
from torch import nn

from sanmai.instruments.certify import (
    Bracket,
    edits,
    flipped_edits,
    flipped_volume,
    interval,
    largest_flip,
    num_edits,
)

SYNONYMS = {"make": ["build", "produce", "make"], "tell": ["give", "give"], "bomb": [], "big": ["large", "huge", "vast"]}


def additive_worst(
    words: Sequence[str], synonyms: Callable[[str], Sequence[str]], most: int, weight: Callable[[str], float], bias: float
) -> tuple[float, tuple[str, ...]]:
    """The least score of a head that adds a weight per word, over all edits, without enumerating them; and an edit that has it.

        min over edits of b + sum_k w(word_k) = b + sum_k w(word_k) - sum of the `most` largest falls

    A word's fall is w(word) less the least weight of its synonyms, where that is above 0. Exact for such a head: words do not
    interact, so the largest falls are taken one by one.
    """
    falls = []
    for k, word in enumerate(words):
        others = [other for other in synonyms(word) if other != word]
        if others:
            other = min(others, key=weight)
            falls.append((weight(word) - weight(other), k, other))
    made, score = list(words), bias + sum(map(weight, words))
    for fall, k, other in sorted(falls, key=lambda item: -item[0])[:most]:
        if fall > 0:
            made[k], score = other, score - fall
    return score, tuple(made)


def synonyms(word: str) -> list[str]:
    return SYNONYMS.get(word, [])


def linear(weights: list[list[float]], bias: list[float]) -> nn.Linear:
    found = nn.Linear(len(weights[0]), len(weights))
    with torch.no_grad():
        found.weight.copy_(torch.tensor(weights))
        found.bias.copy_(torch.tensor(bias))
    return found


def test_bounds_of_a_small_head_by_hand():
    # x in [0, 2] x [-1, 1]; hidden x - y in [-1, 3] -> [0, 3] and -x in [-2, 0] -> 0; output 2 h1 - h2 + 1 in [1, 7].
    head = nn.Sequential(linear([[1.0, -1.0], [-1.0, 0.0]], [0.0, 0.0]), nn.ReLU(), linear([[2.0, -1.0]], [1.0]))
    low, high = interval(head, torch.tensor([[0.0, -1.0]]), torch.tensor([[2.0, 1.0]]))
    assert (low.item(), high.item()) == (1.0, 7.0)
    with pytest.raises(ValueError, match="GELU: expected"):
        interval(nn.GELU(), torch.zeros(1, 2), torch.ones(1, 2))
    with pytest.raises(ValueError, match="no value above"):
        interval(head, torch.ones(1, 2), torch.zeros(1, 2))


@pytest.mark.parametrize("act", [nn.ReLU, nn.Tanh, nn.Sigmoid])
def test_no_point_of_a_box_is_outside_its_bounds(act):
    torch.manual_seed(0)
    head = nn.Sequential(nn.Linear(4, 8), act(), nn.Linear(8, 8), act(), nn.Linear(8, 1))
    low_BD = torch.randn(20, 4)
    high_BD = low_BD + torch.rand(20, 4)
    low_BO, high_BO = interval(head, low_BD, high_BD)
    for _ in range(200):
        y_BO = head(low_BD + torch.rand(20, 4) * (high_BD - low_BD))
        assert (y_BO >= low_BO - 1e-5).all() and (y_BO <= high_BO + 1e-5).all()
    assert (head(largest_flip(head, low_BD, high_BD)) >= low_BO - 1e-5).all()


def test_splitting_closes_the_bracket_on_what_the_share_is():
    # Refused where x + y > 0.5 on the unit square, written with ReLUs; the flipped share is the triangle 0.5^2 / 2 = 0.125.
    head = nn.Sequential(linear([[1.0, 1.0], [-1.0, -1.0]], [0.0, 0.0]), nn.ReLU(), linear([[1.0, -1.0]], [-0.5]))
    low_D, high_D = torch.zeros(2), torch.ones(2)
    widths = []
    for boxes in (1, 10, 100, 1000):
        found = flipped_volume(head, low_D, high_D, max_boxes=boxes)
        assert found.low <= 0.125 <= found.high
        widths.append(found.high - found.low)
    assert widths == sorted(widths, reverse=True) and widths[0] == 1.0 and widths[-1] < 0.06
    assert flipped_volume(head, torch.ones(2), 2 * torch.ones(2)) == Bracket(0.0, 0.0)
    assert flipped_volume(head, -torch.ones(2), torch.zeros(2)).decision == "broken"
    assert flipped_volume(head, torch.ones(2), 2 * torch.ones(2)).decision == "certified"
    assert flipped_volume(head, low_D, high_D, max_boxes=1).decision == "open"


def test_the_attack_is_inside_the_bracket():
    torch.manual_seed(1)
    head = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 1))
    for k in range(10):
        low_D = torch.tensor([0.1 * k - 0.5, -0.2])
        found = flipped_volume(head, low_D, low_D + 0.3, max_boxes=400)
        attack = head(largest_flip(head, low_D[None], low_D[None] + 0.3)).item()
        if attack <= 0:
            assert found.decision != "certified"
        if found.low > 0.05:
            assert attack <= 0


@pytest.mark.parametrize("most", [0, 1, 2, 3, 4])
def test_edits_are_those_of_brute_force(most):
    words = ("tell", "me", "make", "a", "big", "big", "bomb")
    choices = [dict.fromkeys((word, *synonyms(word))) for word in words]
    brute = {made for made in itertools.product(*choices) if sum(a != b for a, b in zip(made, words, strict=True)) <= most}
    found = list(edits(words, synonyms, most))
    assert set(found) == brute and len(found) == len(brute) == num_edits(words, synonyms, most) and found[0] == words


def test_counts_and_the_worst_edit_are_those_of_brute_force_and_of_the_additive_bound():
    words, rng = ("tell", "make", "big", "big", "bomb"), Random(3)
    weights = {w: rng.gauss(0, 1) for w in {*words, *itertools.chain.from_iterable(SYNONYMS.values())}}
    for most in range(5):
        score = lambda texts: [0.3 + sum(weights[w] for w in text) for text in texts]  # noqa: E731
        every = list(edits(words, synonyms, most))
        found = flipped_edits(words, synonyms, most, score, at_once=7)
        scores = dict(zip(every, score(every), strict=True))
        assert (found.total, found.flipped) == (len(every), sum(value <= 0 for value in scores.values()))
        assert scores[found.worst] == min(scores.values())
        least, worst = additive_worst(words, synonyms, most, weights.__getitem__, 0.3)
        assert least == pytest.approx(min(scores.values())) and scores[worst] == pytest.approx(least)
    with pytest.raises(ValueError, match="most = -1"):
        next(edits(words, synonyms, -1))
