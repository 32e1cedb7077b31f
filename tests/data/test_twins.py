"""Twins of word problems: the same words, other numbers, the right answer; and what is refused. Decoys change no question."""

import re
from collections import Counter
from fractions import Fraction
from functools import cache

import pytest

from sanmai.data.decoys import DECOYS, add_decoy
from sanmai.data.twins import RefusedError, Worked, find_numbers, make_twin, read_worked, steps_of
from sanmai.types import InputError, Problem
from shared_data import shared_path


def worked(question: str, answer: str, *notes: str) -> Worked:
    """A problem with GSM8K's calculator notes, such as "20*2=40"."""
    problem = Problem("p", ({"role": "user", "content": question},), answer, tags={"level": 3})
    return Worked(problem, tuple(tuple(note.split("=")) for note in notes))  # type: ignore[arg-type]


KEN = worked("Ken can do 20 sit-ups. Nathan can do twice as many. How many together?", "60", "20*2=40", "20+40=60")


def test_a_twin_has_the_same_words_other_numbers_and_the_answer_that_follows():
    for seed in range(20):
        twin = make_twin(KEN, seed)
        match = re.fullmatch(r"Ken can do (\d0) sit-ups\. Nathan can do twice as many\. How many together\?", twin.prompt)
        assert match and match[1] != "20" and int(twin.answer or "") == 3 * int(match[1])
        assert twin.id == f"p/twin-{seed}" and twin.tags == {"level": 3, "twin_of": "p"} and twin.solution is None


def test_it_is_a_function_of_problem_and_seed():
    assert make_twin(KEN, 1) == make_twin(KEN, 1) and len({make_twin(KEN, seed).prompt for seed in range(20)}) > 3


def test_names_units_and_forms_of_numbers_stay_as_they_are():
    twin = make_twin(worked("A 5-pound iPhone 5s costs $1,200.50, now 20% off. What do 30 cost after the discount?", "28812",
                            "20/100*1200.50=240.10", "1200.50-240.10=960.40", "960.40*30=28812"), 0)  # fmt: skip
    match = re.fullmatch(r"A 5-pound iPhone 5s costs \$(\d,\d{3}\.\d0), now (\d0)% off\. "
                         r"What do (\d0) cost after the discount\?", twin.prompt)  # fmt: skip
    assert match
    price, off, count = (Fraction(number.replace(",", "")) for number in match.groups())
    assert Fraction(twin.answer or "") == price * (1 - off / 100) * count and off < 100


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("3 cats and 12.50 dollars, or $1,000 (20%)!", ["3", "12.50", "1,000", "20"]), ("a 5-pound bag", ["5"]),
     ("1/2 of it, 2 1/2 cups, 3:30, 5 pm, 4 o'clock, at 7", []), ("in 1990, the 3rd, iPhone 12s, A4, 4x4, 24/7, 0, 1", []),
     ("9 out of 10, 1 in every 4, room 12, #7, 007, -5, 1,2", []), ("100% or 50 percent", ["50"])],
)  # fmt: skip
def test_numbers_that_can_be_others_are_told_from_times_fractions_labels_and_years(text, numbers):
    assert [mention.text for mention in find_numbers(text)] == numbers


@pytest.mark.parametrize(
    ("item", "reason"),
    [(worked("5 cats and 5 dogs. How many?", "10", "5+5=10"), "fewer than half"),
     (worked("She has 12 and gets 6. How many?", "18", "6/3=2", "12+6=18"), "not in the question"),
     (worked("She has 12 and gets 6, three times. How many?", "18", "6*3=18", "12+6=18"), "not used by a later one"),
     (worked("She has 12, gives 4 away. Each of 8 left has both ears?", "16", "12-4=8", "8*2=16"), "could be two things"),
     (worked("2 dogs and a hen: how many legs?", "10", "2*4=8", "8+2=10"), "not in the question"),
     (worked("She has 12 and gets 30. How many at least?", "42", "12+30=42"), "compares"),
     (worked("20 by 3?", "7", "20/3=7"), "rounded or wrong"), (worked("20 and 3?", "24", "20+3=23"), "not the answer"),
     (worked("3 less 20?", "-17", "3-20=-17"), "not positive"), (worked("20 and 3?", "23"), "no arithmetic is given"),
     (worked("20 and 3?", "8000", "20**3=8000"), "no plain arithmetic"), (worked("20?", "20", "abs(20)=20"), "no plain"),
     (worked("20?", "20", "-20=-20"), "no plain"), (worked("20?", "x", "20+20=x"), "no number"),
     (worked("20?", "1e9", "20+20=1e999999999"), "no number"), (worked("9" * 5000 + "?", "1", "1+1=2"), "20 characters"),
     (worked("20 by 0.5 of 0?", "1", "20/0=1"), "rounded or wrong"),
     (worked("Had 50, ate 20 red and 7 blue ones, has 23 left. Eaten?", "27", "20+7=27"), "may be tied"),
     (worked("How far in 1 hour?", "60", "1*60=60"), "fewer than half")],
)  # fmt: skip
def test_what_cannot_be_done_exactly_is_refused_with_its_reason(item, reason):
    with pytest.raises(RefusedError, match=reason):
        make_twin(item, 0)


def test_a_number_that_stands_twice_stays_and_the_others_change():
    # 3 is said twice, so it is a constant; 15 and 40 are other numbers.
    twin = make_twin(worked("3 shirts of 15 and 3 hats of 40?", "165", "15+40=55", "3*55=165"), 0)
    a, b = map(int, re.fullmatch(r"3 shirts of (\d\d) and 3 hats of (\d0)\?", twin.prompt).groups())  # type: ignore[union-attr]
    assert (a, b) != (15, 40) and int(twin.answer or "") == 3 * (a + b)


def test_every_value_stays_positive_whole_and_a_share():
    # 60/4 must stay whole, and 60 - 25 positive; the answer keeps no more decimals than it had.
    for seed in range(30):
        twin = make_twin(worked("60 eggs in boxes of 4. He sells 7 boxes. Left?", "8", "60/4=15", "15-7=8"), seed)
        eggs, size, sold = map(int, re.findall(r"\d+", twin.prompt))
        assert eggs % size == 0 and int(twin.answer or "") == eggs // size - sold > 0


def test_new_numbers_stay_on_their_side_of_numbers_that_are_not_used():
    for seed in range(30):
        twin = make_twin(worked("Of 60 crayons he gave 52 to Ann and lost 2. How many are gone?", "54", "52+2=54"), seed)
        assert int(re.findall(r"\d+", twin.prompt)[1]) < 60


def recomputed(item: Worked, twin: Problem) -> Fraction:
    """The answer by another way: numbers are replaced in the notes' text by value, and Python computes that."""
    number = r"(?<![\d,.])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
    old, new = ([Fraction(x.replace(",", "")) for x in re.findall(number, text)] for text in (item.problem.prompt, twin.prompt))
    assert len(old) == len(new) and re.sub(number, "#", item.problem.prompt) == re.sub(number, "#", twin.prompt)
    changed = {a: b for a, b in zip(old, new, strict=True) if a != b}
    changed |= {a / 100: b / 100 for a, b in changed.items() if f"{a}%" in item.problem.prompt and a / 100 not in changed}
    for expression, result in item.steps:
        replaced = re.sub(r"\d+(?:\.\d*)?|\.\d+", lambda m: f"F('{changed.get(Fraction(m[0]), Fraction(m[0]))}')",
                          expression.replace(",", "").replace("$", ""))  # fmt: skip
        value = eval(replaced, {"F": Fraction})
        changed[Fraction(result.replace(",", ""))] = value
    return value


@cache
def twins_of(name: str) -> tuple[list[tuple[Worked, Problem]], Counter]:
    found, refused = [], Counter()
    for item in read_worked(shared_path(name)):
        try:
            found.append((item, make_twin(item, 0)))
        except RefusedError as error:
            refused[str(error)] += 1
    return found, refused


@pytest.mark.parametrize(("name", "share"), [("gsm8k/test_dev.jsonl", 0.42), ("svamp/svamp_dev.jsonl", 0.85)])
def test_answers_of_twins_of_real_problems_are_those_of_an_independent_recomputation(name, share):
    found, refused = twins_of(name)
    assert len(found) >= share * (len(found) + refused.total())
    for item, twin in found:
        assert Fraction(twin.answer or "") == recomputed(item, twin), twin.id
        assert twin.prompt != item.problem.prompt and (item.problem.answer or "").isdigit() <= (twin.answer or "").isdigit()


def test_arithmetic_is_read_from_gsm8k_and_svamp_rows_alone():
    assert steps_of({"question": "?", "answer": "a <<48/2=24>>24\n<<48+24=72>>72\n#### 72"}) == (("48/2", "24"), ("48+24", "72"))
    assert steps_of({"Equation": "( 290.0 / 2.0 )", "Answer": 145.0}) == (("( 290.0 / 2.0 )", "145.0"),)
    assert steps_of({"question": "?", "answer": "72"}) == ()


def test_a_malformed_line_is_named(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"question": "?", "answer": "#### 3"}\n{"question": 3, "answer": "#### 3"}\n')
    with pytest.raises(InputError, match="line 2: question: expected text, found int"):
        list(read_worked(file))


@pytest.mark.parametrize("seed", range(8))
def test_a_decoy_stands_before_the_question_and_changes_neither_it_nor_the_answer(seed):
    system = {"role": "system", "content": "Be brief."}
    problem = Problem("p", (system, {"role": "user", "content": "What is 2 + 3?"}), "5", tags={"level": 1})
    copy = add_decoy(problem, seed)
    assert copy.prompt.endswith("only the following question.\nWhat is 2 + 3?") and copy.messages[0] == system
    assert (copy.answer, copy.tags, copy.id) == ("5", {"level": 1, "decoy_of": "p"}, f"p/decoy-{seed}")
    assert copy == add_decoy(problem, seed)
    with pytest.raises(ValueError, match="tokenizer"):
        add_decoy(Problem("w", problem.messages, "5", "world"), seed)


def test_there_are_several_kinds_of_decoys():
    problems = [Problem(str(k), ({"role": "user", "content": "?"},), "5") for k in range(40)]
    openings = {add_decoy(problem, 0).prompt.split("\n")[1][:9] for problem in problems}
    assert len(openings) == len(DECOYS)
