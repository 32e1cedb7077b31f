"""Strategies against closed forms on a policy that is a table, and against what peers got wrong."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from statistics import fmean

import pytest
from table_policy import Table, answered, noisy, noisy_outcome

from sanmai.search.mcts import Mcts
from sanmai.search.strategies import (
    GUIDE,
    Beam,
    BestOfN,
    Particles,
    Rebase,
    Revise,
    Score,
    Write,
    ranked,
    shares,
    softmax,
    systematic,
    uniform,
)  # fmt: skip
from sanmai.search.tree import Node, Tree
from sanmai.types import StopReason

TREES = 400


def share_right(table: Table, strategy, trees: int = TREES) -> float:
    return fmean(answered(table.run(strategy, seed)[0], strategy) for seed in range(trees))


def near(expected: float, trees: int = TREES):
    return pytest.approx(expected, abs=4 * sqrt(max(expected * (1 - expected), 1e-4) / trees))


@pytest.mark.parametrize(
    ("slip", "columns", "best_of_4", "beam_4"),
    [(0.3, 4, 0.666554, 0.967992), (0.5, 4, 0.227524, 0.772476), (0.1, 3, 0.994606, 0.999700)],
)
def test_best_of_n_and_beam_with_an_exact_guide_are_their_closed_forms(slip, columns, best_of_4, beam_4):
    # BoN 1 - (1 - (1-s)^k)^b, beam (1 - s^b)^k; both draw b k tokens.
    assert best_of_4 == pytest.approx(1 - (1 - (1 - slip) ** columns) ** 4, abs=1e-6)
    assert beam_4 == pytest.approx((1 - slip**4) ** columns, abs=1e-6)
    table = Table(columns, slip)
    assert share_right(table, BestOfN(4)) == near(best_of_4)
    assert share_right(table, Beam(branch=4)) == near(beam_4)
    assert table.run(BestOfN(4), 0)[1] == table.run(Beam(branch=4), 0)[1] == 4 * columns


@pytest.mark.parametrize(("flip", "beam", "best_of"), [(0.1, 0.7959, 0.5625), (0.3, 0.4840, 0.3838), (0.5, 0.2401, 0.2401)])
def test_a_noisy_guide_follows_its_curve_and_a_blind_one_is_one_sample(flip, beam, best_of):
    # Oracle 7: s = .3, k = b = 4; the noise is drawn per node, so ties are broken by path as by chance.
    assert share_right(Table(4, 0.3, noisy(flip)), Beam(branch=4)) == near(beam)
    assert share_right(Table(4, 0.3, noisy_outcome(flip)), BestOfN(4)) == near(best_of)


def test_lookahead_is_scored_and_that_score_decides():
    # search-and-learn generates a lookahead and scores the text before it. Here the guide sees the second column alone.
    asked = []

    def guide(tree, path):
        asked.append(path)
        tokens = tree.tokens(path)
        return float(tokens[1]) if len(tokens) > 1 else None

    table = Table(2, 0.5, guide)
    tree, _ = table.run(Beam(branch=4, lookahead=1), 3)
    ahead = [(k,) for k in range(4)]
    assert [path for path in asked[:4]] == [(*path, -1) for path in ahead]
    best = max(range(4), key=lambda k: (tree.nodes[(k, -1)].scores[GUIDE], -k))
    assert tree.children((best,)) and not any(tree.children((k,)) for k in range(4) if k != best)


def finished(tree: Tree, path, score, ended=StopReason.STOP, tokens=(1,), at=0):
    tree.add(Node(path, tokens, (-0.1,) * len(tokens), ended, scores={GUIDE: score}, at=at))


def test_what_finishes_first_has_no_advantage():
    # search-and-learn returns the first n that are complete: a short wrong one before a long right one.
    tree = Tree("p", ("t",))
    finished(tree, (0,), 0.4)
    finished(tree, (1,), 0.9, StopReason.STEP)
    beam = Beam(branch=2, keep=1)
    assert beam.ask(tree, 1e9) == [Write((1,), 2)]
    both = Beam(branch=1, keep=2)
    assert both.ask(tree, 1e9) == [Write((1,), 1)]
    finished(tree, (1, 0), 0.2)
    assert both.ask(tree, 1e9) == []  # the finished one stayed among the candidates
    assert ranked(tree, [(0,), (1, 0)]) == [(0,), (1, 0)]


def test_what_cannot_be_scored_is_never_taken_for_a_score_of_zero_and_what_was_cut_off_never_wins():
    # openr turns step scores that do not align into 0.0, which ranks above a negative score.
    tree = Tree("p", ("t",))
    finished(tree, (0,), None)
    finished(tree, (1,), -3.0)
    finished(tree, (2,), 5.0, StopReason.LENGTH)
    finished(tree, (3,), 5.0, StopReason.TIMEOUT)
    assert ranked(tree, [(0,), (1,), (2,), (3,)])[0] == (1,)


def test_groups_are_independent_and_more_of_them_leave_the_first_as_it_was():
    table = Table(3, 0.4)
    one, four = (table.run(Beam(branch=3, groups=n), 5)[0] for n in (1, 4))
    assert {p: n.tokens for p, n in four.nodes.items() if p[0] < 3} == {p: n.tokens for p, n in one.nodes.items()}
    assert len({p[0] // 3 for p in four.nodes}) == 4


def test_a_larger_budget_keeps_all_that_a_smaller_one_wrote():
    table = Table(4, 0.4)
    for strategy in (BestOfN(None, chunk=2), Beam(branch=3, repeats=True), Revise(0, repeats=True)):
        small, paid = table.run(strategy, 7, budget=40)
        large, more = table.run(strategy, 7, budget=90)
        assert 40 <= paid < more
        assert all(large.nodes[path].tokens == node.tokens for path, node in small.nodes.items())


def test_balanced_places_sum_to_the_width_equal_scores_share_equally_and_a_cold_one_is_a_beam():
    assert shares([0.5, 0.5, 0.5], 7, 0.1) == [3, 2, 2]
    assert shares([0.9, 0.5, None], 6, 1e-3) == [6, 0, 0]
    assert shares([None, None], 4, 0.1) == [2, 2]
    for scores in ([0.1, 0.7, 0.3, 0.2], [0.0, 1.0], [0.2] * 5):
        for places in range(1, 9):
            assert sum(shares(scores, places, 0.3)) == places
    assert softmax([0.0, 1.0], 1.0) == pytest.approx([0.2689414, 0.7310586])
    table = Table(4, 0.4)
    for seed in range(20):
        tree, _ = table.run(Rebase(width=6, temperature=0.2), seed)
        depths = [sum(len(path) == depth for path in tree.nodes) for depth in range(1, 5)]
        assert depths == [6, 6, 6, 6]  # nothing ends before the last column, so every level has all places


def test_particles_of_constant_weight_are_independent_samples():
    table = Table(4, 0.4, lambda tree, path: 0.5)
    tree, _ = table.run(Particles(width=5), 1)
    assert sorted(tree.nodes) == sorted((k, *[0] * depth) for k in range(5) for depth in range(4))
    assert systematic([0.25] * 4, 4, 0.999) == [1, 1, 1, 1] and systematic([0.25] * 4, 4, 0.0) == [1, 1, 1, 1]
    assert systematic([0.7, 0.0, 0.3], 10, 0.5) == [7, 0, 3]
    # E[count] = count * weight, over many starts.
    counts = [systematic([0.62, 0.38], 5, uniform(("u", k)))[0] for k in range(4000)]
    assert fmean(counts) == pytest.approx(3.1, abs=0.03)


def test_particles_and_balanced_search_with_an_exact_guide_beat_one_sample():
    table = Table(4, 0.3)
    for strategy in (Particles(width=4, temperature=0.05), Rebase(width=4, temperature=0.05)):
        assert share_right(table, strategy, 100) > 0.8 > 0.2401


def test_a_revision_goes_on_from_finished_completions_only():
    tree = Tree("p", ("t",))
    revise = Revise(revisions=2)
    assert revise.ask(tree, 1e9) == [Write((), 1, "end")]
    tree.add(Node((0,), (1, 2), (-1.0, -1.0), StopReason.STOP))
    assert revise.ask(tree, 1e9) == [Write((0,), 1, "end", revises=True)]
    tree.add(Node((0, 0), (3,), (-1.0,), StopReason.LENGTH, prompt=(9, 9)))
    assert revise.ask(tree, 1e9) == [Score(((0,), (0, 0)))]
    assert tree.tokens((0, 0)) == [3] and tree.prompt((0, 0)) == (9, 9) and tree.tokens((0,)) == [1, 2]


def test_a_path_is_its_nodes_one_after_the_other_and_a_tree_takes_no_orphans():
    tree = Tree("p", ("t",))
    tree.add(Node((1,), (5, 6), (-1.0, -2.0), StopReason.STEP, ends=(2,)))
    tree.add(Node((1, 0), (7,), (-3.0,), StopReason.STOP, ends=(3,)))
    assert tree.tokens((1, 0)) == [5, 6, 7] and tree.logp((1, 0)) == [-1, -2, -3] and tree.ends((1, 0)) == [2, 3]
    for wrong in ((1,), (0, 0), (1, 0, 0), ()):
        with pytest.raises(ValueError, match="path"):
            tree.add(Node(wrong, (1,), (-1.0,), StopReason.STOP))


def test_what_a_beam_pruned_is_no_answer_though_a_noisy_guide_likes_it_better_than_what_came():
    tree, beam = Tree("p", ("t",)), Beam(branch=2)
    finished(tree, (0,), 0.8, StopReason.STOP)
    finished(tree, (1,), 0.9, StopReason.STEP)
    finished(tree, (1, 0), 0.1, StopReason.STOP)
    finished(tree, (1, 1), 0.2, StopReason.STOP)
    assert beam.ask(tree, 1e9) == [] and beam.finals(tree) == [(1, 1)] and BestOfN(2).finals(tree) == [(0,), (1, 0), (1, 1)]


def test_what_was_final_at_a_smaller_budget_is_an_answer_there_though_it_was_pruned_later():
    tree, beam = Tree("p", ("t",)), Beam(branch=2, keep=2)
    for number, (score, ended) in enumerate([(0.8, "stop"), (0.9, "step"), (0.1, "step"), (0.2, "step")]):
        finished(tree, (number,), score, StopReason(ended), at=10 + number)
    early = beam.finals(tree)
    for path, score, at in (((1, 0), 0.85, 20), ((1, 1), 0.95, 21)):
        finished(tree, path, score, StopReason.STOP, at=at)
    assert early == [(0,)] and beam.finals(tree) == [(1, 0), (1, 1)]
    assert [beam.finals(tree.within(b)) for b in (9, 13, 20, 21)] == [[], [(0,)], [(0,)], [(1, 0), (1, 1)]]
    # Particles: what has ended is one of them from when it was written, though its place was drawn away later.
    particles = Particles(width=2, temperature=0.01)
    drawn = Tree("p", ("t",))
    finished(drawn, (0,), 0.1, StopReason.STOP, at=5)
    assert particles.finals(drawn) == [(0,)]
    finished(drawn, (1,), 0.9, StopReason.STEP, at=6)
    assert particles.finals(drawn) == [(0,)]
    for k in (0, 1):
        finished(drawn, (1, k), 0.9, StopReason.STOP, at=8 + k)
    assert particles.finals(drawn) == [(1, 0), (1, 1)] and particles.finals(drawn.within(6)) == [(0,)]


@pytest.mark.parametrize("strategy", [Rebase(4, repeats=True), Particles(4, repeats=True), Beam(3, 2, repeats=True)])
def test_a_budget_is_used_up_and_its_beginning_is_the_search_without_one(strategy):
    table = Table(4, 0.4)
    once, _ = table.run(replace(strategy, repeats=False), 7)
    small, paid = table.run(strategy, 7, budget=120)
    large, more = table.run(strategy, 7, budget=300)
    assert 120 <= paid < 120 + 24 and 300 <= more < 324
    for tree, inside in ((once, small), (small, large)):
        assert all(inside.nodes[path].tokens == node.tokens for path, node in tree.nodes.items())
    assert {*strategy.finals(once)} <= {*strategy.finals(large)}


def test_what_has_ended_is_scored_while_lookaheads_are_written():
    # search-and-learn never scored its lookahead; here what has ended beside an open candidate waited for that one's.
    tree = Tree("p", ("t",))
    tree.add(Node((0,), (1,), (-0.1,), StopReason.STOP))
    tree.add(Node((1,), (1,), (-0.1,), StopReason.STEP))
    for strategy in (Beam(branch=2, lookahead=3), Mcts(branch=2, lookahead=3)):
        assert strategy.ask(tree, 1e9) == [Write((1,), 1, 3, is_ahead=True), Score(((0,),))]


@pytest.mark.parametrize(("strategy", "by_20", "by_40"), [
    (Beam(branch=2, repeats=True), [(3,)], [(1,), (3,)]),  # the first pair is not whole before 40
    (Beam(branch=1, groups=2, repeats=True), [(0,), (2,), (3,)], [(0,), (1,), (2,), (3,)]),
    (Particles(width=2, repeats=True), [(0,), (2,), (3,)], [(0,), (1,), (2,), (3,)]),
])  # fmt: skip
def test_within_a_budget_a_later_child_may_be_known_before_an_earlier_one_whose_score_cost_more(strategy, by_20, by_40):
    tree = Tree("p", ("p",))
    for number, at in enumerate((10, 40, 20, 15)):  # the second child was dear to score
        tree.add(Node((number,), (7,), (-0.1,), StopReason.STOP, scores={GUIDE: number / 10}, at=at))
    assert strategy.finals(tree.within(20)) == by_20 and strategy.finals(tree.within(40)) == by_40
