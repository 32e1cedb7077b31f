"""Monte Carlo tree search: formulas, backup, and that it really goes below one level."""

from __future__ import annotations

from math import inf, sqrt
from statistics import fmean

import pytest
from table_policy import Table, answered, noisy

from sanmai.search.mcts import Mcts, Statistics, puct, uct
from sanmai.search.strategies import GUIDE
from sanmai.search.tree import Node, Tree
from sanmai.types import StopReason


def test_formulas():
    assert puct(0.5, 0.3, 16, 3, 1.25) == pytest.approx(0.875)  # .5 + 1.25 * .3 * 4 / 4
    assert uct(0.5, 16, 3, 1.4) == pytest.approx(1.845892, abs=1e-6)
    assert uct(0.5, 16, 3, 0.7 * sqrt(2)) == pytest.approx(1.451689, abs=1e-6)  # ReST-MCTS*, the 2 inside
    assert uct(0.0, 4, 0, 1.0) == inf


def test_backup_is_the_mean_or_the_highest_of_what_lies_below_in_any_order():
    found = [((0, 1), 0.2), ((0, 0), 0.9), ((1,), 0.4), ((0, 0, 2), 0.1)]
    for order in (found, found[::-1]):
        statistics = Statistics()
        for path, value in order:
            statistics.back_up(path, value)
        assert statistics.of(()).q("mean") == pytest.approx(1.6 / 4) and statistics.of(()).visits == 4
        assert statistics.of((0,)).q("mean") == pytest.approx(1.2 / 3) and statistics.of((0,)).q("max") == 0.9
        assert statistics.of((0, 0)).q("mean") == pytest.approx(0.5) and statistics.of((5,)).q("mean") == 0.0


def test_it_goes_below_one_level_and_finds_an_end():
    # optillm's MCTS selects among the root's children for ever.
    tree, _ = Table(4, 0.3).run(Mcts(branch=3, simulations=40), 1)
    assert max(len(path) for path in tree.nodes) == 4 and tree.ended()


def test_without_exploration_it_is_greedy():
    tree, _ = Table(4, 0.5, lambda tree, path: sum(tree.tokens(path)) / 4).run(Mcts(branch=3, c=0.0, simulations=4), 2)
    inner = sorted({path[:-1] for path in tree.nodes})
    assert len(inner) == 4  # four expansions: with c = 0 a level deeper each while the best child's Q is the highest
    first = max(tree.children(()), key=lambda p: (tree.nodes[p].scores[GUIDE], tuple(-n for n in p)))
    assert first in inner


def test_with_much_exploration_it_follows_the_prior():
    # Three copies of one child and one other: P = 3/4 and 1/4; Q is flat, so visits go by the prior.
    tree = Tree("p", ("t",))
    for k, token in enumerate((1, 1, 2, 1)):
        tree.add(Node((k,), (token,), (-0.5,), StopReason.STEP, scores={GUIDE: 0.5}))
    search = Mcts(branch=4, c=100.0)
    assert search.distinct(tree, ()) == [(0,), (2,)] and search.priors(tree, ()) == {(0,): 0.75, (2,): 0.25}
    found = Statistics()
    search.expand(tree, found, ())
    assert search.select(tree, found) == (0,)


def test_a_finished_subtree_costs_no_simulation():
    # Two columns, so that all can be finished: the search ends by itself, every node expanded once.
    tree, drawn = Table(2, 0.5).run(Mcts(branch=2, c=5.0, simulations=None), 0, rounds=500)
    inner = [path for path in tree.nodes if tree.nodes[path].is_open]
    assert drawn <= 2 + 2 * len(inner) and all(tree.children(path) for path in Mcts(branch=2).distinct(tree, ()))


@pytest.mark.parametrize("rule", ["puct", "uct"])
@pytest.mark.parametrize("backup", ["mean", "max"])
def test_with_an_exact_guide_every_variant_is_far_better_than_one_sample(rule, backup):
    table = Table(4, 0.3)
    search = Mcts(branch=4, rule=rule, backup=backup, c=0.3, simulations=8)
    right = fmean(answered(table.run(search, s)[0], search) for s in range(60))
    assert right > 0.5 > 0.2401


def test_values_may_come_from_completions_that_are_played_out():
    asked = []

    def outcome(tree, path):
        asked.append(path)
        return float(all(tree.tokens(path)))

    tree, _ = Table(4, 0.3, outcome).run(Mcts(branch=3, lookahead="end", simulations=5), 4)
    assert all(tree.nodes[path].ended is StopReason.STOP for path in asked)  # what is scored was played out
    assert any(path[-1] < 0 for path in asked)


def test_noise_in_the_guide_hurts_and_honest_rollouts_do_not_care():
    noisy_table, honest = Table(4, 0.3, noisy(0.4)), Table(4, 0.3)
    search = Mcts(branch=4, simulations=6, lookahead="end")
    right = fmean(answered(honest.run(search, s)[0], search) for s in range(60))
    plain = Mcts(branch=4, simulations=6)
    blind = fmean(answered(noisy_table.run(plain, s)[0], plain) for s in range(60))
    assert right > blind + 0.1


def test_a_node_without_a_token_has_no_prior():
    # What has used up its budget is cut off at once: it says nothing of how likely it was.
    tree = Tree("p", ("t",))
    for k, logp in enumerate([(-0.5,), (), (-0.5, -0.5)]):
        tree.add(Node((k,), (k,) * len(logp), logp, StopReason.STEP if logp else StopReason.LENGTH))
    assert Mcts(branch=3, prior="logp").priors(tree, ()) == {(0,): 0.5, (1,): 0.0, (2,): 0.5}
    nothing = Tree("p", ("t",))
    nothing.add(Node((0,), (), (), StopReason.LENGTH))
    assert Mcts(branch=1, prior="logp").priors(nothing, ()) == {(0,): 1.0}
