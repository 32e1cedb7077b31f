"""What is left out of training and why: forms of question, domains, difficulty, guesses, and counts that add up."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from sanmai.data.curation import (
    beyond_cap,
    beyond_difficulty,
    curate,
    curation_card,
    difficulty_band,
    guessed,
)
from sanmai.data.domains import domain_of
from sanmai.data.forms import ungradable_form
from sanmai.types import Problem
from shared_data import shared_path, shared_rows


def ask(prompt: str, answer: str | None = "5", *, name="p", **fields) -> Problem:
    return Problem(name, ({"role": "user", "content": prompt},), answer, **fields)


def label(drop):
    return drop and drop.label


@pytest.mark.parametrize(("prompt", "answer", "expected"), [
    ("Prove that $\\sqrt 2$ is irrational.", None, "proof"),
    ("Show that 7 divides $8^n - 1$.", "", "proof"),
    ("Use induction to prove that the sum is $n(n+1)/2$.", None, "proof"),
    ("Let n be odd. Then show that $n^2 - 1$ is divisible by 8.", None, "proof"),
    ("Explain why the harmonic series diverges.", None, "proof"),
    ("Show that the limit exists and find it.", None, "proof"),
    ("Show that the limit exists and find it.", "2", None),
    ("Show your work. How many apples are left?", "3", None),
    ("Tom wants to prove his strength and lifts 3 bags of 10 kg. How much does he lift?", "30", None),
    ("The show that Ann watches lasts 30 minutes. How long are 3 shows?", "90", None),
    ("证明：根号2是无理数。", None, "proof"),
    ("已知a>0，求证：a+1/a≥2", None, "proof"),
    ("設n為奇數，證明n+1為偶數。", None, "proof"),
    ("设数列收敛，证明其有界，并求极限。", "1", None),
    ("办一张身份证明要 5 元，办 3 张要多少元？", "15", None),
    ("True or false: every prime is odd.", "False", "true_false"),
    ("True or false: every prime is odd.", None, "true_false"),
    ("Is 91 a prime number?", "\\text{No}", "true_false"),
    ("Is the following statement true? All squares are rectangles.", None, "true_false"),
    ("A quiz has 4 true/false questions. How many ways are there to answer it?", "16", None),
    ("判断下列说法的正误：0是正数。", "错误", "true_false"),
    ("17是质数吗？", "是", "true_false"),
    ("三角形内角和是180度，对吗？", None, "true_false"),
    ("Which of the following is prime? 4, 6, 7", "7", "multiple_choice"),
    ("What is 2+2?\nA. 3\nB. 4\nC. 5\nD. 6", "B", "multiple_choice"),
    ("What is 2+2? $\\textbf{(A)}\\ 3\\qquad\\textbf{(B)}\\ 4\\qquad\\textbf{(C)}\\ 5$", "\\text{(B)}", "multiple_choice"),
    ("What is 2+2? (A) 3 (B) 4", "B", "multiple_choice"),
    ("What is 2+2? (A) 3 (B) 4", "4", None),  # two marks may be anything; three are options
    ("What is the hexadecimal digit for ten?", "A", "multiple_choice"),
    ("Which point is closer to the origin, $A$ or $B$?", "A", None),
    ("下列各数中，最小的是（　）A．-1 B．0 C．1 D．2", "A", "multiple_choice"),
    ("下列说法正确的是", "C", "multiple_choice"),
    ("以下哪个数是质数：4、6、7？", "7", "multiple_choice"),
    ("Is n even or odd?", "odd", "multiple_choice"),
    ("n是奇数还是偶数？", "奇数", "multiple_choice"),
    ("Who earns the most: Ann, Bob, or Cid?", "\\text{Bob}", "multiple_choice"),
    ("What colour is the sky?", "blue", None),
    ("A plane flies between A, B, C and D. How far is it from A to D?", "550", None),
    ("[asy] dot(A); dot(B); dot(C); [/asy] In triangle $ABC$ (see figure), find $BC$.", "5", None),
    ("(a) Find x. (b) Find y. (c) Find z.", "3", None),
    ("小明选择了 3 个苹果，还剩多少？", "2", None),
    ("下列数据的平均数是多少：1, 2, 3", "2", None),
    ("Evaluate each of the following and add them: 1, 2", "3", None),
    ("Which is larger, $2^3$ or $3^2$?", "3^2", None),
    ("How many are left if he can only choose one of these 3 jobs?", "2", None),
    ("", None, None),
])  # fmt: skip
def test_the_form_is_told_by_question_and_answer(prompt, answer, expected):
    assert label(ungradable_form(ask(prompt, answer))) == expected


def test_what_no_rule_grades_has_no_form():
    assert ungradable_form(ask("True or false: is this safe?", "no", kind="general")) is None


def test_a_known_false_alarm_options_by_accident():
    problem = ask("Ann beat team A. Bob beat team B. Cid lost to team C. How many won?", "2")
    assert label(ungradable_form(problem)) == "multiple_choice"


@pytest.mark.parametrize("part", [
    "(A", "which ", "show ", "\\text{", "A. ", "下列", "证明", ", or ", "[asy]", "判断", "\n", "a, ", ".", "1", "* ", "(", "$",
    "the ", "give a ", "all of the above ", "write the ", "or even", "A, ", "求", "\\", "- A",
])  # fmt: skip
def test_the_work_is_bounded_by_the_size_of_the_text(part):
    # A rule that tries every pair of places, as one did on line breaks, takes a minute here.
    for text in (part * 100_000, part * 100_000 + "\nis it even or odd", "x" + part * 100_000):
        assert label(ungradable_form(ask(text, "blue"))) in (None, "true_false", "multiple_choice", "proof")
        assert domain_of(ask(text))


def gsm8k(name):
    # A question holds U+2028, at which splitlines() would cut.
    lines = shared_path(f"gsm8k/{name}.jsonl").read_text(encoding="utf-8").strip().split("\n")
    return [ask(r["question"], r["answer"].rpartition("####")[2].strip()) for r in map(json.loads, lines)]


def rendered(rows, style):
    marks = [style.format(letter) for letter in "ABCD"]
    options = ["\n".join(f"{m} {c}" for m, c in zip(marks, r["choices"], strict=True)) for r in rows]
    return [ask(f"{r['question']}\n{o}", "ABCD"[r["answer"]]) for r, o in zip(rows, options, strict=True)]


def flagged(problems) -> Counter:
    return Counter(label(ungradable_form(problem)) for problem in problems)


def test_no_word_problem_of_gsm8k_svamp_or_mgsm_is_taken_for_another_form():
    assert flagged(gsm8k("train")[::6]) == {None: 1246} and flagged(gsm8k("test_dev")) == {None: 950}
    svamp = [ask(f"{r['Body']} {r['Question']}", str(r["Answer"])) for r in shared_rows("svamp/svamp_dev.jsonl")]
    assert flagged(svamp) == {None: 701}
    for language in ("de", "en", "es", "fr", "ja", "ru", "zh"):
        rows = shared_rows(f"mgsm/mgsm_{language}.jsonl")
        assert flagged([ask(r["question"], r["answer"]) for r in rows]) == {None: 200}, language


def test_of_math500_only_what_offers_a_choice_is_flagged():
    rows = shared_rows("math500/math500_dev.jsonl")
    found = {r["unique_id"] for r in rows if ungradable_form(ask(r["problem"], r["answer"]))}
    assert found == {f"test/{name}.json" for name in (
        "precalculus/819", "precalculus/452", "intermediate_algebra/754",  # options by letter
        "prealgebra/105", "intermediate_algebra/128", "intermediate_algebra/860",  # a list in words
    )}  # fmt: skip


@pytest.mark.parametrize("style", ["{}.", "({})", "{})", "{}:", "**{}.**", "- {}.", "{}、", "（{}）", "\\textbf{{({})}}"])
def test_every_question_of_mmlu_with_its_options_is_multiple_choice(style):
    assert flagged(rendered(shared_rows("mmlu_stem/mmlu_stem_dev.jsonl")[::4], style)) == {"multiple_choice": 505}


def test_without_its_options_mmlu_is_mostly_told_by_a_letter_and_seldom_by_words():
    rows = shared_rows("mmlu_stem/mmlu_stem_dev.jsonl")
    by_letter = flagged([ask(r["question"], "ABCD"[r["answer"]]) for r in rows])
    by_number = flagged([ask(r["question"], str(r["answer"])) for r in rows])
    assert by_letter["multiple_choice"] >= 1950 and 500 < by_number["multiple_choice"] < 600


@pytest.mark.parametrize(("prompt", "expected"), [
    ("What is the area of a circle of radius 3?", "geometry"),
    ("How many positive divisors does 196 have?", "number_theory"),
    ("What is the probability that two dice show 7?", "probability"),
    ("In how many ways can a committee of 3 be chosen from 8?", "counting"),
    ("Solve the equation $x^2 = 4$.", "algebra"),
    ("Evaluate $\\int_0^1 x\\,dx$, the integral.", "calculus"),
    ("A force of 3 newtons acts on a mass. What is the acceleration?", "physics"),
    ("Ann has 3 apples and eats 1. How many are left?", "word_problem"),
    ("小明有 3 个苹果，吃了 1 个，还剩多少？", "word_problem"),
    ("求三角形的面积。", "geometry"),
    ("解方程：x+1=2", "algebra"),
    ("What is a haiku?", "other"),
])  # fmt: skip
def test_a_domain_is_told_by_words_of_it(prompt, expected):
    assert domain_of(ask(prompt)) == expected


def test_a_stated_domain_goes_before_the_words():
    problem = ask("What is the area?", tags={"subject": "Prealgebra", "level": 2})
    assert domain_of(problem) == "Prealgebra" and domain_of(problem, tags=()) == "geometry"
    assert domain_of(ask("What is the area?", tags={"subject": " ", "domain": 3})) == "geometry"


def test_domains_agree_with_the_subjects_of_math_where_these_are_clear():
    rows = shared_rows("math500/math500_dev.jsonl")
    same = Counter()
    expected = {
        "Geometry": {"geometry"}, "Number Theory": {"number_theory"},
        "Counting & Probability": {"counting", "probability"}, "Intermediate Algebra": {"algebra"},
    }  # fmt: skip
    for row in rows:
        same[row["subject"]] += domain_of(ask(row["problem"])) in expected.get(row["subject"], set())
    assert [same[name] for name in expected] == [23, 33, 16, 59]  # of 29, 42, 26, 67


def test_a_cap_keeps_what_a_smaller_one_keeps_whatever_the_order_and_the_seed_decides():
    problems = [ask("?", name=f"p{i}") for i in range(40)]
    domains = ["a"] * 30 + ["b"] * 8 + ["c"] * 2

    def kept(cap, seed=0, order=range(40)):
        drops = beyond_cap([problems[i] for i in order], [domains[i] for i in order], cap=cap, seed=seed)
        return {problems[i].id for i, drop in zip(order, drops, strict=True) if drop is None}

    assert [len(kept(cap)) for cap in (1, 5, 8, 30)] == [3, 12, 18, 40]
    assert kept(3) < kept(5) < kept(9) and kept(5) == kept(5, order=random.Random(0).sample(range(40), 40))
    assert kept(5) != kept(5, seed=1)
    # Among 30 each stays with 5/30; over 600 seeds 100 times, standard deviation 9.
    counts = Counter(name for seed in range(600) for name in kept(5, seed=seed))
    assert all(60 < counts[f"p{i}"] < 140 for i in range(30))


def test_bands_and_what_is_beyond_them():
    assert [difficulty_band(p) for p in (None, 0, 0.1, 1 / 3, 0.5, 0.7, 0.99, 1)] == [
        "unknown", "impossible", "hard", "medium", "medium", "easy", "easy", "trivial"]  # fmt: skip
    drop = lambda p, **names: label(beyond_difficulty(p, **names))  # noqa: E731
    assert [drop(p) for p in (0.0, 0.9, 1.0, None)] == [None, None, "trivial", "unknown"]
    assert [drop(p, trivial_from=0.9, impossible_to=0.1) for p in (0.1, 0.11, 0.89, 0.9)] == ["impossible", None, None, "trivial"]
    assert [drop(p, trivial_from=None) for p in (0.0, 1.0, None)] == [None] * 3


def test_one_right_guess_of_eight_drops_a_problem():
    assert label(guessed([False] * 7 + [True])) == "guessed" and guessed([False] * 8) is None
    assert guessed([False] * 8 + [True]) is None and guessed([None] * 7 + [False]) is None
    assert label(guessed([None] * 8)) == "unknown" and label(guessed([None] * 7 + [True])) == "guessed"
    assert guessed([False, True], attempts=1) is None


@pytest.mark.parametrize("p", [0.0, 0.05, 0.25, 0.5, 1.0])
def test_the_guess_filter_drops_one_minus_all_wrong(p):
    # Standard deviation of a share of 4,000 at most 0.0079; 4 of them.
    chance = random.Random(f"{p}")
    found = sum(guessed([chance.random() < p for _ in range(8)]) is not None for _ in range(4000)) / 4000
    assert found == pytest.approx(1 - (1 - p) ** 8, abs=0.032)


def bed():
    return [
        ask("Solve $x = 3 + 4$.", name="a0"), ask("Solve $x = 3 + 5$.", name="a1"), ask("Solve $x = 3 + 6$.", name="a2"),
        ask("What is the area of a square of side 2?", name="g0"), ask("Prove that 1 < 2.", None, name="proof"),
        ask("Is 91 a prime number?", "no", name="tf"), ask("Solve $x = 0$.", name="easy"), ask("Solve $x = y$.", name="odd"),
        ask("a dangerous request", None, name="s0", kind="safety"),
    ]  # fmt: skip


def test_rules_apply_in_turn_and_every_problem_is_counted_once():
    rates = {"a0": 0.5, "a1": 0.2, "a2": 0.8, "g0": 0.4, "easy": 1.0}  # none of "odd"
    guesses = {name: [False] * 8 for name in ("a0", "a1", "a2")} | {"g0": [False, True] * 4}
    found = curate(bed(), seed=0, pass_rates=rates, guesses=guesses, cap=2)
    assert [(s.name, s.seen, dict(s.dropped)) for s in found.steps] == [
        ("form", 9, {"proof": 1, "true_false": 1}), ("difficulty", 7, {"trivial": 1, "unknown": 1}),
        ("guess", 5, {"guessed": 1}), ("domain", 4, {"beyond_cap": 1}),
    ]  # fmt: skip
    kept = [p.id for p in found.kept]
    assert len(kept) == 3 and kept[-1] == "s0" and set(kept) < {"a0", "a1", "a2", "s0"}
    assert kept == sorted(kept), "in the order given"
    for step, following in zip(found.steps, [s.seen for s in found.steps[1:]] + [len(kept)], strict=True):
        assert step.seen - step.dropped.total() == following


def test_the_card_counts_and_shows_what_reasoning_problems_say_and_of_others_ids_alone():
    found = curate([*bed(), ask("Prove that 2 < 3.", None, name="proof2"), ask("Prove that 3 < 4.", None, name="proof3")], seed=0)
    card = json.loads(json.dumps(curation_card(found)))
    assert card["given"]["problems"] == 11 and card["kept"]["problems"] == 7
    assert card["kept"]["by_difficulty"]["unknown"] == 7 and sum(card["given"]["by_domain"].values()) == 11
    [form] = card["rules"]
    assert (form["seen"], form["kept"], form["dropped"]) == (11, 7, {"proof": 3, "true_false": 1})
    assert [e["id"] for e in form["examples"]] == ["proof", "tf", "proof2"]
    assert form["examples"][0]["prompt"] == "Prove that 1 < 2."
    assert "dangerous" not in json.dumps(card)


def test_nothing_asked_for_drops_nothing():
    found = curate(bed(), seed=0, by_form=False)
    assert found.kept == bed() and found.steps == [] and curate([], seed=0, cap=1).kept == []
    assert curate(bed(), seed=0, by_form=False, pass_rates={}, trivial_from=None).steps == []


@pytest.mark.parametrize(("call", "named"), [
    (lambda: beyond_cap([ask("?")], [], cap=1, seed=0), "1 problems and 0 domains"),
    (lambda: beyond_cap([], [], cap=0, seed=0), "cap = 0"),
    (lambda: difficulty_band(1.2), "pass_rate = 1.2"),
    (lambda: beyond_difficulty(0.5, impossible_to=-1), "impossible_to = -1"),
    (lambda: guessed([True] * 7), "attempts = 8 with 7 answers"),
    (lambda: guessed([], attempts=0), "attempts = 0"),
    (lambda: curate(bed(), seed=0, guesses={}), "0 answers of problem a0, expected 8"),
])  # fmt: skip
def test_what_cannot_be_is_refused_by_name(call, named):
    with pytest.raises(ValueError, match=named):
        call()
