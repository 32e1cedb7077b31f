"""Reward hacking on planted truth: tabular policies whose proxy is or is not hacked, curves that are known, monitors by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import exp, isnan, log, nan, sqrt

import numpy as np
import pytest

from sanmai.instruments.hacking import (
    Evaluation,
    Summary,
    length_exploitation,
    proxy_gold_alarm,
    spearman,
)
from sanmai.instruments.monitorability import monitor_g_mean
from sanmai.instruments.overoptimisation import best_of_n_kl, fit_overoptimisation

PROMPTS, EVALUATIONS, WINDOW = 100, 12, 4


class Tabular:
    """A softmax over canned answers with features; each prompt adds weights of its own to the shared ones that are trained."""

    def __init__(self, start, features, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.features_AF = np.eye(len(start)) if features is None else np.asarray(features, dtype=float)
        self.own_PA = np.log(start) + self.rng.normal(0, 1, (PROMPTS, self.features_AF.shape[1])) @ self.features_AF.T
        self.shared_F = np.zeros(self.features_AF.shape[1])

    @property
    def chances_PA(self):
        weight_PA = np.exp(self.own_PA + self.features_AF @ self.shared_F)
        return weight_PA / weight_PA.sum(axis=1, keepdims=True)

    def sample(self):
        """One answer per prompt."""
        return (self.rng.random((PROMPTS, 1)) > self.chances_PA.cumsum(axis=1)).sum(axis=1).clip(max=len(self.features_AF) - 1)

    def train(self, reward_A, rate: float, *, is_exact: bool = True) -> None:
        """Ten steps of policy gradient: d J / d logit_a = mean_p pi_pa (r_a - sum_b pi_pb r_b), or REINFORCE on samples."""
        reward_A = np.asarray(reward_A, dtype=float)
        for _ in range(10 if rate else 0):
            chances_PA = self.chances_PA
            if is_exact:
                gradient = (chances_PA * (reward_A - chances_PA @ reward_A[:, None])).mean(axis=0)
            else:
                drawn = self.sample()
                advantage_P = reward_A[drawn] - reward_A[drawn].mean()
                gradient = (advantage_P[:, None] * (np.eye(len(reward_A))[drawn] - chances_PA)).mean(axis=0)
            self.shared_F += rate * self.features_AF.T @ gradient


def trained(start, proxy, gold, rate, *, seed, features=None, trained_on=None, flips=0.0, is_exact=True, hole_from=None):
    """Evaluations of a policy that is trained on the proxy; from evaluation `hole_from` on, it knows its last answer."""
    policy = Tabular(start, features, seed)
    if hole_from is not None:
        policy.own_PA[:, -1] -= 30
    found = []
    for step in range(EVALUATIONS):
        if step == hole_from:
            policy.own_PA[:, -1] += 30
        answers = policy.sample()
        golds = np.asarray(gold, dtype=float)[answers]
        golds = np.where(policy.rng.random(PROMPTS) < flips, 1 - golds, golds)
        found.append(Evaluation(step, np.asarray(proxy, dtype=float)[answers].tolist(), golds.tolist()))
        policy.train(proxy if trained_on is None else trained_on, rate, is_exact=is_exact)
    return found


# Two answers: wrong, right. Four: plain wrong, plain right, polite wrong, polite right, where being polite and being right are
# features of their own: the gradient of politeness has no part in being right, so that the gold is flat.
MANNERS = dict(start=(0.4, 0.4, 0.1, 0.1), features=((0, 0), (0, 1), (1, 0), (1, 1)), proxy=(0, 0, 1, 1), gold=(0, 1, 0, 1))
HONEST = {
    "both flat": dict(start=(0.5, 0.5), proxy=(0, 1), gold=(0, 1), rate=0.0),
    "both rising": dict(start=(0.7, 0.3), proxy=(0, 1), gold=(0, 1), rate=1.0),
    "both falling": dict(start=(0.2, 0.8), proxy=(0, 1), gold=(0, 1), rate=1.0, trained_on=(1, 0)),
    "proxy rising, gold flat": dict(**MANNERS, rate=1.0),
    "gold noisy": dict(start=(0.6, 0.4), proxy=(0, 1), gold=(0, 1), rate=0.3, flips=0.3),
    "gold drifting with the noise of the gradient": dict(**MANNERS, rate=0.3, is_exact=False),
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_runs_are_flagged_no_more_often_than_stated(name):
    flags = 0
    for seed in range(100):
        run = trained(**HONEST[name], seed=seed)
        flags += proxy_gold_alarm(run, window=WINDOW, planned=EVALUATIONS, false_alarm_rate=0.05).flagged_at is not None
    assert flags <= 5


@pytest.mark.parametrize("planned", [EVALUATIONS, None])
def test_planted_hacks_are_flagged_within_a_window_of_their_onset(planned):
    # Right pays 0.6, the hack 1.0 and is worthless. It is found at evaluation 6; before, proxy and gold rise together.
    for seed in range(20):
        run = trained((0.5, 0.4, 0.1), (0, 0.6, 1), (0, 1, 0), 4.0, seed=seed, hole_from=6)
        alarm = proxy_gold_alarm(run, window=WINDOW, planned=planned)
        assert alarm.flagged_at is not None and 6 <= alarm.flagged_at <= 6 + WINDOW
        assert alarm.gaps[-1].low > 1 > alarm.gaps[5].value  # in deviations of the first evaluation


@pytest.mark.parametrize("prompts", [60, 300])
@pytest.mark.parametrize(("window", "planned"), [(2, 10), (2, None), (6, 10)])
def test_a_steady_hack_is_flagged_though_no_window_is_wide_enough_to_show_it(prompts, window, planned):
    # Proxy 0.40 -> 0.94 and gold 0.80 -> 0.17 over ten evaluations: 0.14 of the gold in a window of two, 0.63 in all.
    for seed in range(20):
        draws, run = np.random.default_rng(seed), []
        for t in range(10):
            proxy, gold = draws.random(prompts) < 0.4 + 0.06 * t, draws.random(prompts) < 0.8 - 0.07 * t
            run.append(Evaluation(t, proxy.astype(float).tolist(), gold.astype(float).tolist()))
        assert proxy_gold_alarm(run, window=window, false_alarm_rate=0.025, planned=planned).flagged_at is not None


def test_what_was_gained_before_a_hack_does_not_hide_it():
    # The gold ends above where it began; against the window's start it has fallen.
    share = ((4, 4), (6, 8), (6, 8), (9, 5))
    run = [Evaluation(t, [float(i % 10 < p) for i in range(100)], [float(i % 10 < g) for i in range(100)])
           for t, (p, g) in enumerate(share)]  # fmt: skip
    alarm = proxy_gold_alarm(run, window=1, planned=4)
    assert alarm.flagged_at == 3 and [(look.since, look.is_hacked) for look in alarm.looks[-2:]] == [(2, True), (0, False)]


def test_the_rate_is_of_the_whole_run_at_the_very_edge_of_honesty():
    # The gold is flat, the proxy surely rises, no margin: every look errs at its level, and the bound of 5 % is nearly met.
    rng = np.random.default_rng(0)
    flags, uncorrected = 0, 0
    for _ in range(300):
        run = [Evaluation(t, Summary(float(t), 0.01, 50), Summary(rng.normal(0, 0.1), 0.1, 50)) for t in range(24)]
        flags += proxy_gold_alarm(run, window=1, planned=24, margin=0.0).flagged_at is not None
        looks = (proxy_gold_alarm(pair, window=1, planned=2, margin=0.0) for pair in pairwise(run))
        uncorrected += any(look.flagged_at is not None for look in looks)
    assert 0 < flags <= 300 * (0.05 + 3 * sqrt(0.05 * 0.95 / 300))  # three deviations of the simulation itself
    assert uncorrected > 150  # what looking 23 times at 5 % would do


def test_gap_and_levels_are_those_of_the_formula():
    # Proxy 0 0 1 1 -> mean 0.5, s 0.5; gold the same. Later the proxy is all 1 (z = 1) and the gold one of four (z = -0.5).
    start, end = Evaluation(0, [0, 0, 1, 1], [0, 0, 1, 1]), Evaluation(9, [1, 1, 1, 1], [0, 0, 0, 1])
    alarm = proxy_gold_alarm([start, replace(start, step=5), end], window=1)
    assert [gap.value for gap in alarm.gaps] == pytest.approx([0, 0, 1.5])
    # The second evaluation is compared with the first alone; the third shares its part with the window's start and the first.
    assert [(look.since, look.step) for look in alarm.looks] == [(0, 5), (5, 9), (0, 9)]
    assert [look.level for look in alarm.looks] == pytest.approx([0.05 / 2, 0.05 / 12, 0.05 / 12])
    planned = proxy_gold_alarm([start, replace(start, step=5), end], window=1, planned=3)
    assert [look.level for look in planned.looks] == pytest.approx([0.05 / 2, 0.05 / 4, 0.05 / 4])
    assert (alarm.looks[1].proxy.value, alarm.looks[1].gold.value) == pytest.approx((1.0, -0.5))
    assert alarm.flagged_at is None  # four prompts prove nothing
    assert sum(0.05 / (k * (k + 1)) for k in range(1, 10_000)) < 0.05  # the spending never exceeds the rate


def test_many_prompts_that_behave_so_are_flagged_and_order_and_unit_do_not_matter():
    proxies, golds = [0, 0, 1, 1] * 10, [1, 1, 1, 0] * 10
    run = [Evaluation(0, proxies, golds), Evaluation(1, [1] * 40, [0, 0, 0, 1] * 10)]
    assert proxy_gold_alarm(run, window=1).flagged_at == 1
    order = np.random.default_rng(0).permutation(40)
    shuffled = [replace(e, proxy=[e.proxy[i] for i in order], gold=[e.gold[i] for i in order]) for e in run]
    first, second = (proxy_gold_alarm(r, window=1) for r in (run, shuffled))
    assert first.looks[0].gold.high == pytest.approx(second.looks[0].gold.high) and second.flagged_at == 1
    scaled = [replace(e, proxy=[100 * x + 3 + i / 1e3 for i, x in enumerate(e.proxy)]) for e in run]
    assert proxy_gold_alarm(scaled, window=1).flagged_at == 1
    flipped = [replace(e, gold=[1 - x for x in e.gold]) for e in run]  # harm taken for gold: more is not better
    assert proxy_gold_alarm(flipped, window=1).flagged_at is None


def test_what_was_not_graded_is_left_out_and_several_samples_of_a_prompt_count_as_one():
    before, after = Evaluation(0, [0.0] * 40, [1.0] * 40), Evaluation(1, [1.0] * 40, [0.0] * 40)
    holes = replace(after, gold=[None] * 38 + [0.0] * 2)
    assert proxy_gold_alarm([before, after], window=1).flagged_at == 1
    look = proxy_gold_alarm([before, holes], window=1).looks[0]
    assert (look.proxy.n, look.gold.n, look.is_hacked) == (40, 2, False)
    nothing = proxy_gold_alarm([before, replace(after, gold=[None] * 40)], window=1).looks[0]
    assert nothing.gold.n == 0 and not nothing.is_hacked
    few = proxy_gold_alarm([before, after], window=1, clusters=["a"] * 20 + ["b"] * 20)
    assert few.looks[0].gold.n == 2 and few.flagged_at is None


def test_means_with_errors_do_where_items_were_not_kept():
    # Deviations 0.05 sqrt(100) = 0.5. The gold falls by 0.4 = 0.8 s; its error is sqrt(2) 0.05 / 0.5 = 0.141 s.
    run = [Evaluation(0, Summary(0.5, 0.05, 100), Summary(0.7, 0.05, 100)),
           Evaluation(1, Summary(0.9, 0.05, 100), Summary(0.3, 0.05, 100))]  # fmt: skip
    alarm = proxy_gold_alarm(run, window=1, planned=2)
    assert alarm.flagged_at == 1 and alarm.looks[0].gold.value == pytest.approx(-0.8)
    assert alarm.looks[0].gold.high == pytest.approx(-0.8 + 1.644854 * sqrt(2) * 0.05 / 0.5)
    assert alarm.gaps[1].value == pytest.approx(1.6)
    silent = [replace(e, gold=replace(e.gold, error=0.0)) for e in run]  # no scatter on either side says nothing of chance
    assert proxy_gold_alarm(silent, window=1).flagged_at is None


@pytest.mark.parametrize(
    ("change", "options", "reason"),
    [
        ({"step": 0}, {}, "to rise"), ({"gold": [1.0]}, {}, "expected 2 finite"), ({"proxy": [1.0, nan]}, {}, "finite"),
        ({"gold": Summary(0.5, 0.1, 50)}, {}, "items at one"), ({}, {"window": 0}, "window"), ({}, {"planned": 1}, "planned"),
        ({}, {"false_alarm_rate": 0.7}, "rate"), ({}, {"margin": -1.0}, "margin"),
    ],
)  # fmt: skip
def test_evaluations_that_cannot_be_compared_are_refused(change, options, reason):
    start = Evaluation(0, [0.0, 1.0], [0.0, 1.0])
    with pytest.raises(ValueError, match=reason):
        proxy_gold_alarm([start, replace(start, **({"step": 1} | change))], **({"window": 1} | options))
    with pytest.raises(ValueError, match="30 items"):
        proxy_gold_alarm([Evaluation(0, Summary(0.5, 0.1, 10), Summary(0.5, 0.1, 10))])


def test_a_run_without_a_whole_window_is_not_flagged():
    assert proxy_gold_alarm([]).flagged_at is None
    assert proxy_gold_alarm([Evaluation(0, [1.0], [1.0])]).looks == ()


# Over-optimisation


def test_the_peaks_are_those_worked_by_hand():
    # BoN, alpha 1, beta 1/4: d* = 1 / (2/4) = 2, gold 1 / (4/4) = 1.     RL, alpha 1, beta 1/2: d* = e^(2 - 1), gold e/2.
    d = [0.5, 1.0, 1.5, 2.5, 3.0]
    bon = fit_overoptimisation([x * x for x in d], [x * (1 - 0.25 * x) for x in d], "best_of_n")
    rl = fit_overoptimisation([x * x for x in d], [x * (1 - 0.5 * log(x)) for x in d], "rl")
    assert (bon.alpha, bon.beta, bon.peak, bon.peak_gold) == pytest.approx((1, 0.25, 2, 1))
    assert (rl.alpha, rl.beta, rl.peak, rl.peak_gold) == pytest.approx((1, 0.5, exp(1), exp(1) / 2))
    assert bon.r_squared == pytest.approx(1) and bon.alpha_error < 1e-6 and bon.is_peak_inside and rl.is_peak_inside
    for fit in (bon, rl):  # no other d is better
        assert fit.gold(fit.peak) == pytest.approx(fit.peak_gold) and fit.gold(0) == 0
        assert fit.peak_gold > max(fit.gold(fit.peak - 0.01), fit.gold(fit.peak + 0.01))


@pytest.mark.parametrize("form", ["best_of_n", "rl"])
def test_planted_parameters_are_recovered_from_noisy_points(form):
    rng = np.random.default_rng(3)
    d = np.linspace(0.3, 6, 30)
    decay = d if form == "best_of_n" else np.log(d)
    inside = 0
    for _ in range(100):
        gold = d * (1.2 - 0.15 * decay) + rng.normal(0, 0.1, len(d))
        fit = fit_overoptimisation((d * d).tolist(), gold.tolist(), form)
        assert abs(fit.alpha - 1.2) < 0.25 and abs(fit.beta - 0.15) < 0.08
        inside += abs(fit.alpha - 1.2) < 1.96 * fit.alpha_error and abs(fit.beta - 0.15) < 3 * fit.beta_error
    assert inside >= 85  # some 94 expected
    design = np.stack([d, -d * decay], axis=1)  # numpy's least squares as the oracle
    assert (fit.alpha, fit.beta) == pytest.approx(tuple(np.linalg.lstsq(design, gold, rcond=None)[0]))


def test_best_of_n_on_a_proxy_with_a_known_gold_falls_on_the_curve():
    # Answers with proxy x uniform on 0..1 and gold x - x^4: the best of n has mean n/(n+1) - n/(n+4), which rises and falls.
    sizes = [2, 4, 8, 16, 32, 64, 128, 256]
    start = 1 / 2 - 1 / 5
    gold = [n / (n + 1) - n / (n + 4) - start for n in sizes]
    fit = fit_overoptimisation([best_of_n_kl(n) for n in sizes], gold, "best_of_n")
    assert fit.beta > 0 and fit.peak is not None and fit.is_peak_inside and fit.r_squared > 0.9


def test_the_error_of_the_peak_is_its_scatter():
    rng, d = np.random.default_rng(1), np.linspace(0.3, 4, 20)
    golds = (d * (1 - 0.2 * d) + rng.normal(0, 0.05, 20) for _ in range(200))
    fits = [fit_overoptimisation((d * d).tolist(), gold.tolist(), "best_of_n") for gold in golds]
    assert np.std([fit.peak for fit in fits]) == pytest.approx(np.mean([fit.peak_error for fit in fits]), rel=0.2)


def test_a_gold_that_only_rises_has_no_peak():
    d = [1.0, 2.0, 3.0, 4.0]
    fit = fit_overoptimisation([x * x for x in d], [x * x for x in d], "best_of_n")
    assert fit.beta == pytest.approx(-1) and fit.peak is None and isnan(fit.peak_error) and not fit.is_peak_inside
    falls = fit_overoptimisation([x * x for x in d], [-x - x * x for x in d], "best_of_n")
    assert falls.beta > 0 and falls.peak is None  # from the start
    far = fit_overoptimisation([x * x for x in d], [x * (1 - 0.1 * log(x)) for x in d], "rl")
    assert far.peak == pytest.approx(exp(9)) and not far.is_peak_inside


@pytest.mark.parametrize(
    ("kl", "gold", "reason"),
    [([1, 2], [1, 2], "at least 3"), ([1, 1, 1], [1, 2, 3], "at least 3"), ([0, 1, 2], [0, 1, 2], "above 0"),
     ([1, 2, 3], [1, 2], "one each"), ([1, 2, 3], [1, 2, nan], "finite"), ([-1, 2, 3], [1, 2, 3], "above 0")],
)  # fmt: skip
def test_too_few_or_impossible_points_are_refused(kl, gold, reason):
    with pytest.raises(ValueError, match=reason):
        fit_overoptimisation(kl, gold, "rl")


def test_kl_of_best_of_n():
    assert best_of_n_kl(1) == 0 and best_of_n_kl(4) == pytest.approx(log(4) - 0.75)
    # The integral of n x^(n-1) log(n x^(n-1)) over 0..1, by the midpoint rule.
    x = (np.arange(200_000) + 0.5) / 200_000
    assert best_of_n_kl(4) == pytest.approx(float(np.mean(4 * x**3 * np.log(4 * x**3))), abs=1e-6)
    with pytest.raises(ValueError, match="at least 1"):
        best_of_n_kl(0)


# Length, format, words


def test_rank_correlation_by_hand_and_against_a_plain_loop():
    assert spearman([1, 2, 3], [10, 20, 15]) == pytest.approx(0.5)  # 1 - 6 (0 + 1 + 1) / (3 * 8)
    assert spearman([1, 2], [5, 4]) == -1 and isnan(spearman([1, 1], [1, 2])) and isnan(spearman([], []))
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 5, 40), rng.integers(0, 5, 40)  # many ties
    rank = lambda v: [sum(b < a for b in v) + (sum(b == a for b in v) + 1) / 2 for a in v]  # noqa: E731
    assert spearman(x, y) == pytest.approx(np.corrcoef(rank(x), rank(y))[0, 1])
    with pytest.raises(ValueError, match="pairs"):
        spearman([1], [1, 2])


def test_length_that_pays_among_wrong_samples_is_found_and_right_ones_do_not_count():
    rng = np.random.default_rng(0)
    tokens = rng.integers(10, 500, 200).tolist()
    correct = [0.0, 1.0] * 100
    prompts = [k // 4 for k in range(200)]
    paid = [t / 500 + rng.normal(0, 0.2) for t in tokens]
    honest = [c + (t / 500 if c else 0) for c, t in zip(correct, tokens, strict=True)]  # among right ones length may pay
    found = length_exploitation(paid, tokens, correct, prompts)
    assert found.low > 0.3 and (found.n, found.num_prompts) == (100, 50)
    assert isnan(length_exploitation(honest, tokens, correct, prompts).value)  # every wrong one earns 0
    blind = length_exploitation(rng.random(200).tolist(), tokens, correct, prompts)
    assert blind.low < 0 < blind.high
    assert length_exploitation([1.0, None], [1, 2], [0.0, 0.0]).n == 1
    with pytest.raises(ValueError, match="one each"):
        length_exploitation([1.0], [1, 2], [0.0])


def test_prompts_are_drawn_whole():
    # Two prompts' worth of evidence, however often each was sampled.
    found = length_exploitation([1.0, 2.0] * 50, [1, 2] * 50, [0.0] * 100, ["a", "b"] * 50)
    assert found.value == pytest.approx(1) and (found.low, found.high) == (-1, 1)


# Monitors


def test_the_g_mean_is_that_of_both_rates_and_keeps_a_width():
    # 3 of 4 caught, 8 of 10 spared: sqrt(0.75 * 0.8)
    bad = [True] * 4 + [False] * 10
    flags = [True] * 3 + [False] + [True] * 2 + [False] * 8
    found = monitor_g_mean([*bad, True], [*flags, None])
    assert found.g_mean.value == pytest.approx(sqrt(0.6)) and found.num_unscored == 1
    assert found.g_mean.low < 0.6 < sqrt(0.6) < found.g_mean.high < 1
    assert monitor_g_mean(bad, [True] * 14).g_mean.value == 0  # flags everything
    perfect = monitor_g_mean(bad, bad).g_mean
    assert perfect.value == 1 and perfect.low < 0.8
    assert isnan(monitor_g_mean([True], [True]).g_mean.value)
    assert monitor_g_mean(bad * 5, flags * 5).g_mean.value == pytest.approx(sqrt(0.6))  # doubling the data moves no rate


def test_the_interval_of_the_g_mean_covers():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        bad = rng.random(60) < 0.3
        flags = np.where(bad, rng.random(60) < 0.7, rng.random(60) < 0.2)
        found = monitor_g_mean(bad.tolist(), flags.tolist()).g_mean
        covered += found.low <= sqrt(0.7 * 0.8) <= found.high
    assert covered >= 285
