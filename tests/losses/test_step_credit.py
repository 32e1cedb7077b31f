"""Credit of steps by hand, against GAE, and by enumeration: what leaves the best policy as it is, and what moves it."""

from __future__ import annotations

import random
from itertools import product
from math import sqrt
from statistics import fmean

import pytest
import torch

from sanmai.losses import credit_of_leaves, credit_of_steps, gae, group_advantages, returns_of_steps, shaped_rewards


def test_a_step_is_worth_what_it_adds_and_an_unknown_value_makes_two_steps_one():
    # V: .25 before, .5 after two tokens, unknown after three, .25 after five, the reward after the sixth: +.25, -.25, +.75.
    found = credit_of_steps(1.0, 0.25, [0.5, None, 0.25], [2, 3, 5], 6)
    assert found == pytest.approx([0.25, 0.25, -0.25, -0.25, -0.25, 0.75])
    # With decay 1 the reward less the value before: 1 - .25, 1 - .5, 1 - .25.
    whole = credit_of_steps(1.0, 0.25, [0.5, None, 0.25], [2, 3, 5], 6, decay=1.0)
    assert whole == pytest.approx([0.75] * 2 + [0.5] * 3 + [0.75])
    assert credit_of_steps(1.0, 0.25, [], [], 3) == [0.75] * 3  # one step: the whole completion's advantage
    assert credit_of_steps(0.0, 0.5, [0.9], [4], 4) == [-0.5] * 4  # what is said of its own end is not read
    for wrong in (([0.1], [2, 3], 4), ([0.1, 0.2], [3, 3], 4), ([0.1], [5], 4), ([float("nan")], [2], 4)):
        with pytest.raises(ValueError, match="expected"):
            credit_of_steps(1.0, 0.0, *wrong)
    with pytest.raises(ValueError, match=r"decay = 1\.5"):
        credit_of_steps(1.0, 0.0, [], [], 4, decay=1.5)


def test_the_sum_over_steps_is_the_whole_completions_advantage_and_any_decay_is_gaes():
    rng = random.Random(0)
    for _ in range(200):
        number = rng.randint(1, 6)
        values = [rng.random() for _ in range(number)]
        reward, start, decay = rng.random(), rng.random(), rng.choice([0.0, 0.3, 0.95, 1.0])
        ends = list(range(1, number + 1))  # steps of one token
        found = credit_of_steps(reward, start, values, ends, number + 1, decay=decay)
        assert found == pytest.approx(gae([0.0] * number + [reward], [start, *values], decay=decay))
        if decay == 0:
            assert sum(found) == pytest.approx(reward - start)


def test_what_a_step_leads_to_is_the_value_after_it_and_with_decay_1_the_reward():
    # V after two tokens .5, unknown after three, .25 after five; the reward after the sixth.
    assert returns_of_steps(1.0, [0.5, None, 0.25], [2, 3, 5], 6) == pytest.approx([0.5] * 2 + [0.25] * 3 + [1.0])
    assert returns_of_steps(1.0, [0.5, None, 0.25], [2, 3, 5], 6, decay=1.0) == pytest.approx([1.0] * 6)
    # Half way, from the end: 1, then (.25 + 1) / 2 = .625, then (.5 + .625) / 2 = .5625.
    half = returns_of_steps(1.0, [0.5, None, 0.25], [2, 3, 5], 6, decay=0.5)
    assert half == pytest.approx([0.5625] * 2 + [0.625] * 3 + [1.0])
    assert returns_of_steps(0.5, [], [], 2) == [0.5, 0.5]
    with pytest.raises(ValueError, match="expected finite numbers"):
        returns_of_steps(float("nan"), [], [], 2)


def test_trees_leaves_by_hand():
    # Two leaves share a segment of two tokens; V: shared 1/2, its leaves 1 and 0, the other 1, the root 2/3.
    paths = [[(1, 2), (2, 3)], [(1, 2), (3, 1)], [(4, 4)]]
    found = credit_of_leaves([1.0, 0.0, 1.0], paths)
    shared = (-1 / 6 - 1 / 6) / sqrt(2)
    assert found[0] == pytest.approx([shared] * 2 + [1 / 3 + 1 / 2] * 3)
    assert found[1] == pytest.approx([shared] * 2 + [-2 / 3 - 1 / 2]) and found[2] == pytest.approx([2 / 3] * 4)
    # One without a reward counts nowhere: the shared segment is worth its other leaf.
    assert credit_of_leaves([1.0, None, 1.0], paths) == [[0.0] * 5, [0.0] * 3, [0.0] * 4]
    assert credit_of_leaves([None, None, None], paths)[2] == [0.0] * 4
    # Without forks it is twice the group's advantage: against the root, and against the root.
    rewards = [1.0, 0.0, 0.0, 1.0, 1.0]
    plain = credit_of_leaves(rewards, [[(k, 1)] for k in range(5)])
    assert [row[0] for row in plain] == pytest.approx([2 * a for a in group_advantages(rewards, "none")])


class Game:
    """Two or three steps: the first says whether a middle step comes; every state has a policy of two choices by a logit."""

    REWARD = {(0, 0): 0.2, (0, 1): 0.9, (1, 0, 0): 0.4, (1, 0, 1): 0.3, (1, 1, 0): 0.1, (1, 1, 1): 0.8}  # noqa: RUF012
    STATES = ((), (0,), (1,), (1, 0), (1, 1))

    def logp(self, theta: dict, path: tuple) -> list[torch.Tensor]:
        return [torch.nn.functional.logsigmoid(theta[path[:k]] * (1 if choice else -1)) for k, choice in enumerate(path)]

    def expected(self, theta: dict, worth) -> torch.Tensor:
        return sum(torch.stack(self.logp(theta, path)).sum().exp() * worth(path) for path in self.REWARD)

    def value(self, theta: dict, state: tuple) -> float:
        below = [path for path in self.REWARD if path[: len(state)] == state]
        return sum(float(torch.stack(self.logp(theta, p)[len(state) :]).sum().exp().detach()) * self.REWARD[p] for p in below)

    def best(self, worth) -> tuple:
        return max(self.REWARD, key=worth)

    def gradient(self, theta: dict, credit) -> list[float]:
        """E[sum_s A_s grad log pi(s)], over all completions."""
        total = torch.zeros(len(self.STATES))
        for path in self.REWARD:
            logps = self.logp(theta, path)
            chance = float(torch.stack(logps).sum().exp().detach())
            loss = sum(a * logp for a, logp in zip(credit(path), logps, strict=True))
            grads = torch.autograd.grad(loss, [theta[s] for s in self.STATES], allow_unused=True)
            total += chance * torch.stack([torch.zeros(()) if g is None else g for g in grads])
        return total.tolist()


GAME = Game()


def thetas(seed: int) -> dict:
    rng = random.Random(seed)
    return {state: torch.tensor(rng.uniform(-1, 1), requires_grad=True) for state in GAME.STATES}


@pytest.mark.parametrize("seed", range(4))
def test_steps_have_the_exact_policy_gradient_with_exact_values_and_with_any_potential_at_decay_1(seed):
    theta, rng = thetas(seed), random.Random(("phi", seed).__repr__())
    exact = torch.autograd.grad(GAME.expected(theta, GAME.REWARD.get), [theta[s] for s in GAME.STATES])
    exact = torch.stack(exact).tolist()
    potential = {state: rng.uniform(-2, 2) for state in GAME.STATES}

    def credit(path, value, decay):
        ends = list(range(1, len(path)))
        return credit_of_steps(GAME.REWARD[path], value(()), [value(path[:k]) for k in ends], ends, len(path), decay=decay)

    true = lambda state: GAME.value(theta, state)  # noqa: E731
    for value, decay in ((true, 0.0), (true, 0.5), (true, 1.0), (potential.get, 1.0)):
        assert GAME.gradient(theta, lambda p, v=value, d=decay: credit(p, v, d)) == pytest.approx(exact, abs=1e-6)
    moved = GAME.gradient(theta, lambda p: credit(p, potential.get, 0.0))
    assert max(abs(a - b) for a, b in zip(moved, exact, strict=True)) > 1e-2  # below 1 a wrong potential is believed


def test_a_potential_leaves_the_best_policy_and_the_groups_advantages_and_a_bonus_for_steps_moves_both():
    rng = random.Random(7)
    for _ in range(50):
        potential = {state: rng.uniform(-3, 3) for state in GAME.STATES}

        def shaped(path, phi=potential):
            return sum(shaped_rewards([0.0] * (len(path) - 1) + [GAME.REWARD[path]], [phi[path[:k]] for k in range(len(path))]))

        plain = [GAME.REWARD[path] for path in GAME.REWARD]
        assert [shaped(path) for path in GAME.REWARD] == pytest.approx([r - potential[()] for r in plain])
        assert GAME.best(shaped) == GAME.best(GAME.REWARD.get) == (0, 1)
        for scale in ("none", "std"):
            with_it = group_advantages([shaped(path) for path in GAME.REWARD], scale)
            assert with_it == pytest.approx(group_advantages(plain, scale), abs=1e-9)
    # Forgotten at the end, the potential of the last state stays: the best policy goes where it is highest.
    forgets = lambda path: GAME.REWARD[path] + (5.0 if path == (1, 0, 0) else 0.0)  # noqa: E731
    assert GAME.best(forgets) == (1, 0, 0)
    # +0.2 a step is no potential: (1, 1, 1) with three steps passes (0, 1) with two, and long ones have the better advantage.
    paid = lambda path: GAME.REWARD[path] + 0.2 * len(path)  # noqa: E731
    assert GAME.best(paid) == (1, 1, 1)
    long = [len(path) == 3 for path in GAME.REWARD]
    before, after = (group_advantages(rewards, "none") for rewards in (plain, [*map(paid, GAME.REWARD)]))
    gain = [b - a for a, b in zip(before, after, strict=True)]
    assert fmean(g for g, is_long in zip(gain, long, strict=True) if is_long) > 0
    with pytest.raises(ValueError, match="one each per step"):
        shaped_rewards([0.0], [])
    assert all(sum(shaped_rewards(list(r), list(p))) == pytest.approx(sum(r) - p[0]) for r, p in
               product([(0.0, 1.0), (2.0, -1.0)], [(0.3, 0.4), (0.0, 9.0)]))  # fmt: skip
