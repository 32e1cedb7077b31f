"""Problems of the world: gold answers and thoughts, splits that never touch, an answer check that sells nothing."""

import itertools
import re

import pytest

from sanmai.types import Problem, Trace, TraceState
from sanmai.world import make_problems, verify
from sanmai.world.arithmetic import CHAIN_WORDS, addition_chain, pair_split, subtraction_chain


def numbers_of(problem):
    return [int(number) for number in re.findall(r"\d+", problem.prompt)]


def execute(chain, language):
    """The number that a thought arrives at, every column of it worked again; AssertionError where one is wrong."""
    words = CHAIN_WORDS[language]
    sign = -1 if words.minus in chain.split() else 1
    value, pending = 0, 0
    columns = re.split(f"({'|'.join(words.places)}) ", chain)[1:]
    for power, (place, work) in enumerate(zip(columns[::2], columns[1::2], strict=True)):
        assert place == words.places[power]
        terms, _, result = work.partition(f" {words.equals} ")
        numbers = [int(number) for number in re.findall(r"[0-9]", terms)]
        assert pending == 0 or numbers[-1] == pending
        # What follows "is": the digit, and the carry or borrow if there is one; a last bare carry is its own digit.
        digit, pending = [*map(int, re.findall(r"[0-9]", result or terms)), 0][:2]
        assert numbers[0] + sign * sum(numbers[1:]) == digit + sign * 10 * pending
        value += digit * 10**power
    assert pending == 0
    return value


def every_split(count=240, seed=3):
    return [p for split in ("train", "heldout", "ood") for p in make_problems(count, seed=seed, split=split)]


def test_answers_are_what_python_computes():
    for problem in every_split():
        a, *others = numbers_of(problem)
        expected = a - others[0] if problem.tags["template"] == "subtraction" else a + sum(others)
        assert problem.answer == str(expected)


def test_thoughts_hold_when_every_column_is_worked_again():
    for problem in every_split():
        assert execute(problem.solution, problem.language) == int(problem.answer)


def test_a_thought_goes_column_by_column_from_the_right():
    assert addition_chain([37, 45], "en") == ("ones 7 plus 5 is 2 carry 1 tens 3 plus 4 plus 1 is 8", "82")
    assert addition_chain([95, 5], "zh") == ("个位 5 加 5 得 0 进 1 十位 9 加 0 加 1 得 0 进 1 百位 1", "100")
    assert subtraction_chain(41, 39, "en") == ("ones 1 minus 9 is 2 borrow 1 tens 4 minus 3 minus 1 is 0", "2")


def test_the_answer_follows_a_slip():
    # 7 + 5: the column writes 3 in place of 2; the carry is as it should be.
    assert addition_chain([37, 45], "en", slip=lambda digit: (digit + 1) % 10) == (
        "ones 7 plus 5 is 3 carry 1 tens 3 plus 4 plus 1 is 9", "93")


def test_one_seed_gives_one_list_and_a_longer_list_extends_a_shorter():
    assert make_problems(60, seed=1) == make_problems(120, seed=1)[:60]
    assert make_problems(60, seed=1) != make_problems(60, seed=2)


def test_ids_and_prompts_are_unique():
    for split in ("train", "heldout", "ood"):
        problems = make_problems(1000, seed=0, split=split)
        assert len({p.id for p in problems}) == len({p.prompt for p in problems}) == 1000


def test_training_and_held_out_never_share_a_pair_in_either_order():
    pairs = {
        split: {tuple(sorted(numbers_of(p))) for p in make_problems(2000, seed=0, split=split)}
        for split in ("train", "heldout")
    }
    assert not pairs["train"] & pairs["heldout"]
    assert all(pair_split(a, b) == pair_split(b, a) for a, b in itertools.product(range(40), repeat=2))


def test_held_out_pairs_stay_what_they_are():
    # A changed hash would move held-out pairs into the corpus of a base that has been shipped.
    pairs = itertools.combinations_with_replacement(range(10), 2)
    assert [pair for pair in pairs if pair_split(*pair) == "heldout"] == [
        (0, 0), (0, 2), (0, 6), (0, 7), (1, 1), (1, 4), (1, 5), (2, 3), (3, 3), (3, 5), (4, 7), (7, 7), (7, 8), (7, 9)
    ]  # fmt: skip


def test_the_splits_hold_what_they_say():
    assert {p.tags["template"] for p in make_problems(50, seed=0)} == {"sum"}
    ood = make_problems(400, seed=0, split="ood")
    assert {p.tags["template"] for p in ood} == {"sum", "word_problem", "three_numbers", "subtraction"}
    assert all((p.tags["digits"] == 4) == (p.tags["template"] == "sum") for p in ood)
    assert all(pair_split(*numbers_of(p)) == "heldout" for p in ood if p.tags["template"] == "word_problem")


@pytest.mark.parametrize("arguments", [
    {"count": 1000, "digits": (1,)}, {"count": -1}, {"count": 1, "digits": (4,)}, {"count": 1, "languages": ("fr",)},
    {"count": 1, "split": "test"}, {"count": 1, "templates": ("subtraction",)}, {"count": 1, "digits": ()},
])  # fmt: skip
def test_what_cannot_be_made_is_refused(arguments):
    with pytest.raises(ValueError, match=r"count|split"):
        make_problems(seed=0, **arguments)


def test_there_are_no_thoughts_for_numbers_without_words():
    for chain in (lambda: addition_chain([10_000, 1], "en"), lambda: subtraction_chain(3, 5, "en")):
        with pytest.raises(ValueError, match="expected"):
            chain()


PROBLEM = Problem("p", messages=({"role": "user", "content": "what is 37 plus 45 ?"},), answer="82", verifier="world")


@pytest.mark.parametrize(("answer", "label"), [
    (" 82", "correct"), ("82", "correct"), (" 8 2 \n", "correct"),
    ("83", "wrong"), ("820", "wrong"), ("082", "wrong"), ("28", "wrong"), ("8", "wrong"), ("-82", "wrong"),
    ("82 82", "wrong"), ("81 82 83", "wrong"), ("it is 82", "wrong"), ("82 .", "wrong"), ("82.0", "wrong"),
    ("82 plus 0", "wrong"), ("37 plus 45", "wrong"), ("9" * 100_000, "wrong"), ("8\n2", "wrong"),
    ("<think> 82", "wrong"),
    ("", "no_answer"), ("   ", "no_answer"), ("sorry", "no_answer"), ("８２", "no_answer"), ("八十二", "no_answer"),
])  # fmt: skip
def test_only_the_number_itself_is_correct(answer, label):
    for trace in (
        Trace(answer, TraceState.NONE, "", answer),
        Trace(f"<think> 82 </think>{answer}", TraceState.CLOSED, " 82 ", answer, "<think>", "</think>"),
    ):
        verdict = verify(PROBLEM, trace)
        assert (verdict.label, verdict.score) == (label, float(label == "correct"))


def test_an_unfinished_answer_is_incomplete_even_when_it_is_right_so_far():
    assert verify(PROBLEM, Trace("82", TraceState.NONE, "", "82", is_truncated=True)).label == "incomplete"
    unclosed = Trace("<think> 82", TraceState.UNCLOSED, " 82", "", "<think>")
    assert (verify(PROBLEM, unclosed).score, verify(PROBLEM, unclosed).label) == (0.0, "incomplete")


def test_without_a_reference_there_is_no_grade():
    problem = Problem(id="p", messages=PROBLEM.messages, verifier="world")
    assert verify(problem, Trace("82", TraceState.NONE, "", "82")).score is None
