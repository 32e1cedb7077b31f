"""Problems of reasoning-gym: apart from the held-out ones, the same again, and only of generators that can be graded."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import gym_library
from sanmai.data import gym_table
from sanmai.data.gym import check_generators, make_gym_problems, names_of
from sanmai.data.trace import parse_trace
from sanmai.learn.gym_source import GymConfig, gym_problems
from sanmai.learn.sources import ProblemsConfig, load_source, load_splits
from sanmai.rewards.verifiers import accuracy
from sanmai.types import InputError


@pytest.fixture
def library(monkeypatch):
    gym_library.install(monkeypatch)


def make(names, count, **changed):
    values = {"seed": 0, "split": "train", "settings": {}, "ending": "Answer in <answer> tags.", **changed}
    return make_gym_problems(names, count, **values)


def test_generators_are_named_by_one_text_or_by_a_list():
    assert names_of("gym:a") == ("a",) and names_of("gym:a, b,a") == ("a", "b")
    assert names_of(("gym:a", "gym:b,c")) == ("a", "b", "c") and names_of("gym:") == ()
    assert names_of("a.jsonl") is None and names_of(("a.jsonl", "b.jsonl")) is None and names_of(None) is None
    with pytest.raises(ValueError, match=r"'b.jsonl': a list names generators .gym:NAME. or files, not both"):
        names_of(("gym:a", "b.jsonl"))


def test_no_question_is_trained_on_and_held_out_whatever_the_seeds(library):
    train = {p.prompt for seed in range(4) for p in make(["chain_sum"], 200, seed=seed)[0]}
    held_out = {p.prompt for seed in range(4) for p in make(["chain_sum"], 60, seed=seed, split="heldout")[0]}
    assert len(train) > 700 and len(held_out) == 60 and not train & held_out


def test_neighbouring_seeds_share_no_more_than_chance(library):
    # The library's own seeds 1 and 2 have all items but one in common.
    first, second = ({p.prompt for p in make(["leg_counting"], 200, seed=seed)[0]} for seed in (1, 2))
    assert len(first) == len(second) == 200 and len(first & second) < 5


def test_the_same_seed_gives_the_same_in_turn_from_each_generator(library):
    first, longer = make(["chain_sum", "leg_counting"], 20, seed=3)[0], make(["chain_sum", "leg_counting"], 31, seed=3)[0]
    assert longer[:20] == first and [p.tags["kind"] for p in first[:3]] == ["chain_sum", "leg_counting", "chain_sum"]
    assert len({p.id for p in longer}) == 31 and first[0].prompt.endswith("=\n\nAnswer in <answer> tags.")
    for problem in first:
        assert accuracy(problem, parse_trace(problem.demonstration)).score == 1.0


def test_what_a_generator_lacks_is_said(library):
    # Forty questions in all: the digests of some put them among the held-out ones.
    train, notes = make(["coin_flip", "chain_sum"], 100)
    held_out, more = make(["coin_flip"], 40, split="heldout")
    num_train = sum(p.tags["kind"] == "coin_flip" for p in train)
    assert num_train + len(held_out) == 40 and len(train) == 50 + num_train
    assert notes == [f"gym:coin_flip: {num_train} different questions were found of the 50 asked for (split 'train')"]
    assert more == [f"gym:coin_flip: {len(held_out)} different questions were found of the 40 asked for (split 'heldout')"]


@pytest.mark.parametrize(
    ("names", "settings", "says"),
    [(["chainsum"], {}, "gym:chainsum: .* no such generator; did you mean chain_sum?"),
     (["boxnet"], {}, "gym:boxnet is no source here: it has no answer of its own"),
     (["chain_sum"], {"chain_sum": {"max_term": 2}}, "max_term: chain_sum has no such setting; did you mean max_terms?"),
     (["chain_sum"], {"chain_sum": {"seed": 2}}, "chain_sum.seed: the run's `seed` and problems.gym.train"),
     (["chain_sum"], {"chain_sum": {"max_terms": 1}}, "gym:chain_sum with max_terms = 1: max_terms must be above 1"),
     (["gcd"], {}, "gym:gcd: item 0 of seed 1000000 cannot be made: RuntimeError: no such file")],
)  # fmt: skip
def test_what_cannot_be_made_or_graded_is_refused_by_name(library, names, settings, says):
    with pytest.raises(InputError, match=says):
        make(names, 5, settings=settings)


def test_a_generators_own_settings_are_its_own(library):
    (problem,), _ = make(["chain_sum"], 1, settings={"chain_sum": {"max_terms": 5, "digits": [1]}, "leg_counting": {"x": 1}})
    assert problem.prompt.count("+") == 4


def test_without_the_library_the_command_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    with pytest.raises(InputError, match=r'reasoning_gym is missing.*pip install -c constraints.txt "\.\[gym\]"'):
        check_generators(["chain_sum"], {})


def test_it_is_a_source_as_the_others_are(library):
    values = {"source": "gym:chain_sum,countdown", "gym": {"train": 30, "heldout": 16, "held_out": ["leg_counting"]}, "limit": 20}
    config = ProblemsConfig.read(values)
    train, held_out = load_splits(config, 0, None, on_warning=print)
    assert len(train) == 20 and len(held_out) == 16 + 4 and {p.tags["kind"] for p in train} == {"chain_sum", "countdown"}
    assert {p.tags["trained"] for p in held_out if p.tags["kind"] == "leg_counting"} == {"no"}
    assert load_splits(config, 1, None, on_warning=print)[1] == held_out == load_source(config, 1, print) + held_out[20:]
    listed = ProblemsConfig.read(values | {"source": ["gym:chain_sum", "gym:countdown"]})
    assert load_splits(listed, 0, None, on_warning=print) == (train, held_out)


@pytest.mark.parametrize(
    ("values", "says"),
    [({"source": "world", "gym": {"train": 5}}, "gym.train = 5 is read only with source or evaluation = .gym:NAME"),
     ({"source": "gym:gcd", "holdout": 0.3}, "holdout = 0.3 is read only with"),
     ({"source": ["gym:gcd", "a.jsonl"]}, "a list names generators .gym:NAME. or files, not both"),
     ({"source": "gym:chain_sum", "gym": {"settings": {"chainsum": {}}}}, "no generator of this source; did you mean chain_sum?"),
     ({"source": "gym:gcd", "gym": {"trian": 5}}, "gym.trian")],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_when_they_are_read(values, says):
    with pytest.raises(InputError, match=says):
        ProblemsConfig.read(values)


def test_a_generator_is_trained_on_or_held_out(library):
    with pytest.raises(InputError, match=r"gym.held_out: 'chain_sum' is trained on too"):
        gym_problems("gym:chain_sum", GymConfig(held_out=("chain_sum",)), 0)
    with pytest.raises(InputError, match="no generator is named"):
        gym_problems("gym:", GymConfig(), 0)


def test_each_generator_has_one_place_in_the_table_and_what_runs_answers_is_guarded():
    lists = (gym_table.EXACT, gym_table.MATH, gym_table.EXPRESSION, gym_table.SCORED, tuple(gym_table.REFUSED))
    names = [name for names in lists for name in names]
    assert len(names) == len({*names})
    assert {*gym_table.FORMS} <= {*gym_table.SCORED}
    assert gym_table.grading_of("of_tomorrow").by == "refused"


REAL = """
import warnings; warnings.simplefilter("ignore")
from sanmai.data.gym import library, make_gym_problems
print(sorted(library()))
print(make_gym_problems(["chain_sum", "syllogism", "countdown"], 9, seed=1, split="train", settings={}, ending=""))
"""


def test_the_real_library_makes_the_same_in_every_process_and_the_table_knows_all_of_it():
    pytest.importorskip("reasoning_gym")
    made = []
    for seed in "12":
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", REAL], env=environment, capture_output=True, text=True)
        made.append(done.stdout)
    assert made[0] == made[1] and made[0].count("Problem(") == 9
    known = {*gym_table.EXACT, *gym_table.MATH, *gym_table.EXPRESSION, *gym_table.SCORED, *gym_table.REFUSED}
    assert {*eval(made[0].splitlines()[0])} == known
