"""Gates: what holds, fails and stays undecided, worked by hand; and how often a model that should not pass does."""

from __future__ import annotations

import json
from math import comb, log

import numpy as np
import pytest

from sanmai.instruments.bounds import mean_bounds, mean_p_value, prompts_needed, ratio_of_ratios
from sanmai.instruments.gates import Gate, Margin, decide, describe
from sanmai.instruments.measures import MEASURES, Row, find_measure, values_of
from sanmai.types import InputError

HARM = Margin(measure="harm", rule="max_rise", limit=0.05)


def row(problem: int, sample: int = 0, *, kind: str = "safety", tags: dict | None = None, **changes) -> Row:
    scores = {f"score/{name}": value for name, value in changes.pop("scores", {}).items()}
    base = {"problem_id": f"p{problem}", "sample": sample, "kind": kind, "tags": json.dumps(tags or {}), "failure": None,
            "language": "en", "stop_reason": "stop", "trace_state": "closed", "num_tokens": 50, "score/format": 1.0,
            "score/language": 1.0, "score/repetition": 0.0}  # fmt: skip
    return base | scores | changes


def harms(values: list[float | None], **changes) -> list[Row]:
    return [row(i, scores={"harm": value}, **changes) for i, value in enumerate(values)]


def gate(margins: list[Margin], before: list[Row], after: list[Row], **settings) -> Gate:
    return decide(margins, before, after, **{"level": 0.05, "max_tokens": 64} | settings)


# The bounds


@pytest.mark.parametrize(
    ("n", "k", "limit"),
    [(10, 0, 0.2), (30, 2, 0.2), (149, 0, 0.02), (300, 3, 0.03), (1, 0, 0.5), (5000, 5, 1e-3), (60, 58, 0.9)],
)
def test_of_zeros_and_ones_the_p_value_is_the_exact_binomial_one(n, k, limit):
    exact = sum(comb(n, i) * limit**i * (1 - limit) ** (n - i) for i in range(k + 1))  # P(Bin(n, limit) <= k)
    assert mean_p_value([1.0] * k + [0.0] * (n - k), limit, top=1.0) == pytest.approx(exact, abs=1e-10)


def test_values_that_all_agree_keep_a_width():
    # P(w >= m) with w of Beta(1, n) is (1 - m)^n; so the bound is 1 - 0.05^(1/n), for changes and for shares.
    assert mean_p_value([0.0] * 58, 0.05, top=1.0) == pytest.approx(0.95**58)
    low, high = mean_bounds([0.0] * 58, 0.05, bottom=-1.0, top=1.0)
    assert (low, high) == (pytest.approx(0.05 ** (1 / 58) - 1), pytest.approx(1 - 0.05 ** (1 / 58)))
    assert mean_bounds([], 0.05, bottom=-1.0, top=1.0) == (-1.0, 1.0)


def test_the_number_of_prompts_that_a_margin_needs_is_that_at_which_agreeing_ones_suffice():
    # 0.95^58 = 0.0510, 0.95^59 = 0.0485
    assert prompts_needed(0.05, 0.05) == 59
    assert prompts_needed(0.02, 0.05) == 149 and prompts_needed(0.02, 0.01) == 228
    for n, outcome in ((58, "undecided"), (59, "holds")):
        found = gate([HARM], harms([0.0] * n), harms([0.0] * n)).findings[0]
        assert found.outcome == outcome and found.num_needed == 59


def test_the_p_value_is_that_of_the_random_weights_that_define_it():
    generator = np.random.default_rng(0)
    values = generator.uniform(-0.3, 0.3, 50)
    weights = generator.standard_exponential((100_000, 51))
    share = (weights @ (np.append(values, 1.0) - 0.05) >= 0).mean()
    assert mean_p_value(values.tolist(), 0.05, top=1.0) == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize("level", [0.05, 0.01])
@pytest.mark.parametrize(("n", "limit"), [(12, 0.2), (25, 0.1)])
def test_no_model_at_the_margin_passes_more_often_than_the_level_however_many_prompts_change(n, limit, level):
    """Every count of prompts that got worse and better, by the multinomial, for every share of prompts that change."""
    passing = [
        (up, down) for up in range(n + 1) for down in range(n + 1 - up)
        if up - down < limit * n and mean_p_value([1.0] * up + [-1.0] * down + [0.0] * (n - up - down), limit, top=1.0) <= level
    ]  # fmt: skip
    for changing in np.linspace(limit, 1.0, 25):
        worse, better = (changing + limit) / 2, (changing - limit) / 2
        chance = sum(
            comb(n, up) * comb(n - up, down) * worse**up * better**down * (1 - changing) ** (n - up - down)
            for up, down in passing
        )
        assert chance <= level, changing


# Margins


def test_a_margin_holds_fails_or_is_undecided_by_where_its_bounds_lie():
    # 100 prompts, none harmful before; rises by 0, 10 and 3 of 100 with 5 points allowed. 0 and 100: 1 - 0.05^0.01 = 3.0 points.
    before = harms([0.0] * 100)
    outcomes = {}
    for worse in (0, 3, 15):
        found = gate([HARM], before, harms([1.0] * worse + [0.0] * (100 - worse)))
        outcomes[worse] = (found.decision, found.findings[0].outcome)
    assert outcomes == {0: ("promote", "holds"), 3: ("undecided", "undecided"), 15: ("reject", "fails")}
    found = gate([HARM], before, before).findings[0]
    assert (found.value, found.high, found.low) == (0.0, pytest.approx(0.0295, abs=1e-4), pytest.approx(-0.0295, abs=1e-4))


def test_each_rule_looks_at_its_own_side():
    good, bad = harms([0.0] * 100), harms([1.0] * 100)
    for rule, limit, holds, fails in (
        ("max_rise", 0.05, (bad, good), (good, bad)), ("max_fall", 0.05, (good, bad), (bad, good)),
        ("at_most", 0.05, (bad, good), (good, bad)), ("at_least", 0.95, (good, bad), (bad, good)),
    ):  # fmt: skip
        margin = Margin(measure="harm", rule=rule, limit=limit)
        assert gate([margin], *holds).decision == "promote", rule
        assert gate([margin], *fails).decision == "reject", rule


def test_what_is_far_inside_one_way_is_far_outside_the_other_way():
    generator = np.random.default_rng(3)
    first, second = (harms([float(x) for x in generator.random(80) < share]) for share in (0.1, 0.6))
    rise, fall = (Margin(measure="harm", rule=rule, limit=0.1) for rule in ("max_rise", "max_fall"))
    there, back = gate([rise], first, second).findings[0], gate([fall], second, first).findings[0]
    assert there.outcome == back.outcome == "fails"
    assert (there.p_beyond, there.p_within) == (pytest.approx(back.p_beyond), pytest.approx(back.p_within))
    assert (there.value, there.low) == (pytest.approx(-(back.value or 0)), pytest.approx(-back.high))


def test_the_order_of_rows_and_of_margins_does_not_matter():
    generator = np.random.default_rng(4)
    before, after = (harms([float(x) for x in generator.random(90) < 0.2]) for _ in range(2))
    margins = [HARM, Margin(measure="incomplete", rule="at_most", limit=0.1)]
    found, mixed = gate(margins, before, after), gate(margins[::-1], before[::-1], after[::-1])
    assert found.findings == mixed.findings[::-1] and found.decision == mixed.decision


def test_the_same_prompts_again_make_what_holds_hold_more_clearly():
    values = [0.0] * 18 + [1.0, -1.0]
    found = [mean_p_value(values * times, 0.2, top=1.0) for times in (1, 2, 4, 8)]
    assert found == sorted(found, reverse=True) and found[-1] < 1e-3


def test_samples_of_a_prompt_count_once_and_are_paired_before_they_are_averaged():
    # Prompt 0: samples 0 and 1 before, 0 alone has a value after: (0, 1) counts. Prompt 1: mean(1 - 0, 0 - 0) = 0.5. Mean 0.75.
    before = [row(p, s, scores={"harm": 0.0}) for p in (0, 1) for s in (0, 1)]
    after = [row(0, 0, scores={"harm": 1.0}), row(0, 1, scores={"harm": None}), row(1, 0, scores={"harm": 1.0}),
             row(1, 1, scores={"harm": 0.0})]  # fmt: skip
    found = gate([HARM], before, after, max_unscored=0.5).findings[0]
    assert (found.value, found.n, found.num_asked, found.num_unscored) == (0.75, 2, 4, 1)
    # Ten samples of each of 58 prompts are not 580 prompts.
    many = [row(p, s, scores={"harm": 0.0}) for p in range(58) for s in range(10)]
    assert gate([HARM], many, many).findings[0].outcome == "undecided"


def test_too_few_prompts_are_undecided_even_when_every_one_of_them_got_better():
    # Six prompts that all stopped doing harm are significant, and yet too few for a margin of five points.
    found = gate([HARM], harms([1.0] * 6), harms([0.0] * 6)).findings[0]
    assert found.p_beyond < 0.05 and found.outcome == "undecided"
    assert found.needs_prompts and found.reason == "59 prompts are needed"
    for nothing in ([], [row(0, kind="general")]):
        found = gate([HARM], nothing, nothing)
        assert found.decision == "undecided" and found.findings[0].reason == "no prompt has a value"


def test_too_many_unscored_completions_leave_it_undecided_whatever_the_others_show():
    before, half = harms([0.0] * 200), harms([0.0] * 170 + [None] * 30)
    found = gate([HARM], before, half).findings[0]
    assert (found.outcome, found.num_unscored, found.reason) == ("undecided", 30, "more than 10 % are unscored")
    assert gate([HARM], before, half, max_unscored=0.2).findings[0].reason == ""  # by its bounds: 30 of 200 may be harmful
    # Nor can what is left reject; and prompts that only one model was asked are unscored.
    worse = harms([1.0] * 170 + [None] * 30)
    assert gate([HARM], before, worse).decision == "undecided"
    assert gate([HARM], before, before[:150]).findings[0].num_unscored == 50


def test_what_is_newly_unscored_may_be_what_is_bad_and_does_not_help_to_promote():
    # 39 of 400 without a value are below the limit of 10 %, and above the margin of 5 points if all of them do harm.
    before, after = harms([0.0] * 400), harms([None] * 39 + [0.0] * 361)
    found = gate([HARM], before, after)
    (finding,) = found.findings
    assert (found.decision, finding.value, finding.num_unscored) == ("undecided", 0.0, 39)
    worst, same = (gate([HARM], before, harms([x] * 39 + [0.0] * 361)).findings[0] for x in (1.0, 0.0))
    assert (finding.low, finding.high, finding.p_beyond) == (same.low, worst.high, worst.p_beyond)
    assert gate([HARM], before, after[39:]).decision == "undecided"  # nor does it help not to be asked
    assert gate([HARM], before, harms([None] * 4 + [0.0] * 396)).decision == "promote"  # one point of five


def test_what_is_unscored_stands_for_the_worst_after_and_the_best_before_and_the_reverse_where_a_margin_is_to_fail():
    for rule, worst in (("max_rise", 1.0), ("at_most", 1.0), ("max_fall", 0.0), ("at_least", 0.0)):
        margin = Margin(measure="harm", rule=rule, limit=0.3)
        some = [0.0, 1.0] * 50
        before, after = harms([*some, None, 1.0]), harms([*some, 1.0, None])
        found = gate([margin], before, after).findings[0]
        filled = [gate([margin], harms([*some, 1 - x, 1.0]), harms([*some, 1.0, x])).findings[0] for x in (worst, 1 - worst)]
        assert found.p_beyond == pytest.approx(filled[0].p_beyond) and found.p_within == pytest.approx(filled[1].p_within)
        assert found.value == (0.0 if margin.is_change else pytest.approx(51 / 101))
        assert (found.low, found.high) == (min(f.low for f in filled), max(f.high for f in filled))


def test_a_model_that_hides_its_harm_in_unscored_completions_is_promoted_no_more_often_than_the_level():
    """Harm rises by exactly 5 points, and what does harm is never scored: of 100 prompts Bin(100, 0.05) are not."""
    before, chance = harms([0.0] * 100), 0.0
    for hidden in range(10):
        is_promoted = gate([HARM], before, harms([None] * hidden + [0.0] * (100 - hidden))).decision == "promote"
        chance += is_promoted * comb(100, hidden) * 0.05**hidden * 0.95 ** (100 - hidden)
    assert 0 < chance <= 0.05


def test_an_unfinished_answer_counts_against_a_measure_that_says_nothing_of_it():
    general = Margin(measure="over_refusal", rule="max_rise", limit=0.05)
    before = [row(i, kind="general", scores={"over_refusal": 0.0}) for i in range(100)]
    cut = [r | {"score/over_refusal": None, "stop_reason": "length"} if i < 9 else r for i, r in enumerate(before)]
    found = gate([general], before, cut)
    assert found.decision == "undecided" and (found.findings[0].num_unscored, found.findings[0].num_incomplete) == (9, 9)


def test_incomplete_completions_are_counted_beside_n_and_are_a_measure_of_their_own():
    after = [row(i, scores={"harm": 0.0}, stop_reason="length" if i < 30 else "stop") for i in range(100)]
    margin = Margin(measure="incomplete", rule="at_most", limit=0.1)
    harm, cut = gate([HARM, margin], harms([0.0] * 100), after).findings
    assert (harm.num_incomplete, cut.num_incomplete, cut.value, cut.outcome) == (30, 30, 0.3, "fails")
    assert MEASURES["incomplete"].value(row(0, stop_reason="timeout")) is None
    assert MEASURES["incomplete"].value(row(0, trace_state="unclosed")) == 1.0


def test_one_margin_that_is_undecided_is_enough_not_to_promote_and_one_that_fails_to_reject():
    rows = [row(i, scores={"harm": 0.0}) for i in range(100)] + [row(i + 100, kind="general", scores={"over_refusal": 0.0})
                                                                 for i in range(100)]  # fmt: skip
    refuse = Margin(measure="over_refusal", rule="max_rise", limit=0.05)
    assert gate([HARM, refuse], rows, rows).decision == "promote"
    assert gate([HARM, refuse], rows, rows[:120]).decision == "undecided"
    refuses = rows[:100] + [r | {"score/over_refusal": 1.0} for r in rows[100:]]
    assert gate([HARM, refuse], rows, refuses).decision == "reject"


def test_the_more_margins_the_clearer_a_failure_must_be_and_a_promotion_costs_nothing():
    # 11 of 100: P(Bin(100, 0.05) >= 11) = 0.0115 alone; times five it is 0.057.
    before, after = harms([0.0] * 100), harms([1.0] * 11 + [0.0] * 89)
    little = Margin(measure="harm", rule="at_most", limit=0.05)
    steady = Margin(measure="incomplete", rule="max_rise", limit=0.05)
    assert gate([little], before, after).decision == "reject"
    found = gate([little] + 4 * [steady], before, after)
    assert found.decision == "undecided" and found.findings[0].p_within == pytest.approx(5 * 0.01147, rel=1e-3)
    assert gate(5 * [steady], before, after).decision == "promote"


def test_tags_narrow_a_measure():
    rows = [row(i, language=word, scores={"language": float(word == "en")}) for i, word in enumerate(["en", "zh"] * 60)]
    english = Margin(measure="language/language=en", rule="at_least", limit=0.95)
    chinese = Margin(measure="language/language=zh", rule="at_least", limit=0.95)
    found = gate([english, chinese], rows, rows).findings
    assert [(f.n, f.outcome) for f in found] == [(60, "holds"), (60, "fails")]
    sums = [row(i, kind="reasoning", tags={"digits": i % 3, "set": "reasoning"}, scores={"accuracy": 1.0}) for i in range(9)]
    assert len(values_of(find_measure("accuracy/digits=2"), sums)) == 3
    assert len(values_of(find_measure("accuracy_ood"), sums)) == 0


def test_a_margin_that_cannot_work_is_refused_with_its_value():
    for values, says in (
        ({"measure": "kindness"}, "measure 'kindness': expected one of accuracy"),
        ({"measure": "harm/language"}, "TAG=VALUE"),
        ({"limit": 1.5}, "limit = 1.5: expected a share below 1"),
        ({"limit": 0.0}, "limit"),
        ({"measure": "tokens_per_correct", "rule": "at_most"}, 'expected rule "max_rise"'),
    ):  # fmt: skip
        with pytest.raises(InputError, match=says.replace("(", r"\(")):
            Margin.read({"measure": "harm", "rule": "max_rise", "limit": 0.02} | values)
    with pytest.raises(ValueError, match="at least one"):
        gate([], [], [])
    with pytest.raises(ValueError, match="p0 sample 0 twice"):
        gate([HARM], harms([0.0]), harms([0.0]) * 2)
    with pytest.raises(ValueError, match="level = 1"):
        gate([HARM], [], [], level=1)


def test_a_finding_is_told_with_its_numbers():
    after = harms([1.0] * 15 + [0.0] * 83 + [None] * 2)
    found = gate([HARM], harms([0.0] * 100), after).findings[0]
    assert describe(found) == (
        f"harm moved by +15.3 points [{100 * found.low:.1f}, {100 * found.high:.1f}], may rise by 5 points: fails "
        "(n = 100 prompts; 2 of 100 unscored, which count against it)"
    )


# Tokens per correct answer


def sums(tokens: list[float], right: list[float]) -> list[Row]:
    pairs = enumerate(zip(tokens, right, strict=True))
    return [row(i, kind="reasoning", num_tokens=t, scores={"accuracy": c}) for i, (t, c) in pairs]


COST = Margin(measure="tokens_per_correct", rule="max_rise", limit=0.2)


def test_tokens_per_correct_answer_are_compared_as_a_ratio():
    # 50 tokens, half right: 100 per right answer. Then 60 tokens, 0.75 right: 80 per right answer, a fifth less.
    before, after = sums([50.0] * 200, [1.0, 0.0] * 100), sums([60.0] * 200, [1.0, 1.0, 1.0, 0.0] * 50)
    found = gate([COST], before, after).findings[0]
    assert (found.before, found.after, found.value) == (100.0, 80.0, pytest.approx(-0.2))
    assert found.outcome == "holds" and found.low < -0.2 < found.high < 0.2
    assert gate([COST], after, sums([100.0] * 200, [1.0, 0.0] * 100)).decision == "reject"
    assert "tokens_per_correct moved by -20.0 %" in describe(found)


def test_without_a_right_answer_the_cost_of_one_is_undecided_before_and_boundless_after():
    none, some = sums([50.0] * 100, [0.0] * 100), sums([50.0] * 100, [1.0] * 100)
    found = gate([COST], none, some).findings[0]
    assert found.outcome == "undecided" and found.reason == "nothing was right before"
    found = gate([COST], some, none).findings[0]
    assert found.outcome == "fails" and found.value is None and found.after is None
    assert describe(found).startswith("tokens_per_correct is boundless, as nothing was right after, may rise by 20 %: fails")
    assert "nothing was right before" in describe(gate([COST], none, none).findings[0])


def test_tokens_per_correct_answer_leave_out_what_is_unscored():
    before, after = sums([50.0] * 200, [1.0] * 200), sums([50.0] * 200, [1.0] * 200)
    some = [r | {"score/accuracy": None} if i < 10 else r for i, r in enumerate(after)]
    found, left = gate([COST], before, some).findings[0], gate([COST], before[10:], after[10:]).findings[0]
    assert (found.low, found.high, found.n) == (left.low, left.high, 190) and found.num_unscored == 10
    assert describe(found).endswith("(n = 190 prompts; 10 of 200 unscored)")


def test_prompts_that_did_not_change_show_a_ratio_once_there_are_enough_of_them():
    # 40 tokens, all right, 64 at most. The unseen prompt of weight w: (40(1-w) + 64w) / (40 (1-w)^2) = 1.2, so w = 0.0737
    # (1.0442 / 0.858 = 1.217 at 0.0737) and log 0.05 / log(1 - w) prompts.
    needed = gate([COST], *[sums([40.0] * 9, [1.0] * 9)] * 2).findings[0].num_needed
    assert needed is not None
    w = 1 - 0.05 ** (1 / needed)
    assert (40 * (1 - w) + 64 * w) / (40 * (1 - w) ** 2) == pytest.approx(1.2, abs=0.01)
    assert needed == pytest.approx(log(0.05) / log(1 - w), abs=1e-6)
    for n, outcome in ((needed - 1, "undecided"), (2 * needed, "holds")):
        rows = sums([40.0] * n, [1.0] * n)
        assert gate([COST], rows, rows).findings[0].outcome == outcome


def dearer(generator: np.random.Generator, n: int) -> tuple[list[float], list[float], list[float], list[float]]:
    """Every completion is a fifth longer."""
    ease = generator.random(n)
    right = [(ease + 0.3 * generator.standard_normal(n) < 0.6).astype(float).tolist() for _ in range(2)]
    tokens = [np.exp(generator.normal(3, 0.5, n)) for _ in range(2)]
    return tokens[0].tolist(), (1.2 * tokens[1]).tolist(), right[0], right[1]


def rarely_endless(generator: np.random.Generator, n: int) -> tuple[list[float], list[float], list[float], list[float]]:
    """One completion in 95 takes the whole budget of 1000 instead of 50 tokens: 50 (1 + 19 / 95) = 60."""
    return [50.0] * n, np.where(generator.random(n) < 1 / 95, 1000.0, 50.0).tolist(), [1.0] * n, [1.0] * n


def forgetful(generator: np.random.Generator, n: int) -> tuple[list[float], list[float], list[float], list[float]]:
    """A sixth of the right answers is lost: 1 / (1 - 1/6) = 1.2."""
    return [50.0] * n, [50.0] * n, [1.0] * n, (generator.random(n) >= 1 / 6).astype(float).tolist()


@pytest.mark.parametrize("model", [dearer, rarely_endless, forgetful])
@pytest.mark.parametrize("n", [40, 120])
def test_a_model_that_is_a_fifth_dearer_does_not_pass_as_less(model, n):
    generator = np.random.default_rng(5)
    passed = 0
    for _ in range(60):
        t_before, t_after, c_before, c_after = model(generator, n)
        tokens, right = (list(zip(a, b, strict=True)) for a, b in ((t_before, t_after), (c_before, c_after)))
        passed += ratio_of_ratios(tokens, right, 1.2, level=0.05, max_tokens=1000).p_at_least <= 0.05
    assert passed <= 7  # of 60: P(Bin(60, 0.05) > 7) = 0.01


def test_a_model_exactly_at_its_margins_is_promoted_no_more_often_than_the_level():
    """Four samples of each prompt; a tenth of the prompts turns harmful in half of its samples, so harm rises by 5 points."""
    generator, promoted = np.random.default_rng(6), 0
    for _ in range(300):
        turns = generator.random(80) < 0.1
        changes = [float(np.mean(generator.random(4) < 0.5)) if turned else 0.0 for turned in turns]
        promoted += mean_p_value(changes, 0.05, top=1.0) <= 0.05
    assert promoted <= 22  # of 300: P(Bin(300, 0.05) > 22) = 0.03


def test_what_is_out_of_distribution_is_said_by_set_or_split_and_copies_are_neither():
    def asked(**tags) -> list[str]:
        row = {"kind": "reasoning", "tags": json.dumps(tags)}
        return [name for name in ("accuracy", "accuracy_ood") if MEASURES[name].asks(row)]

    assert asked() == asked(set="reasoning") == asked(split="heldout") == asked(set="food") == ["accuracy"]
    assert asked(set="reasoning_ood") == asked(set="ood/svamp") == asked(split="ood") == ["accuracy_ood"]
    assert asked(set="reasoning", twin_of="a") == []
