"""Small sums in words: right, distinct, and apart from the held-out ones whatever the seed and the language."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from sanmai.config import Config
from sanmai.data.stories import KINDS, make_stories
from sanmai.data.story_words import WORDS
from sanmai.data.trace import parse_trace
from sanmai.learn.sources import ProblemsConfig, StoriesConfig, load_splits, story_problems
from sanmai.recipes import find_recipe, resolve
from sanmai.rewards.style import prompt_language
from sanmai.rewards.verifiers import accuracy
from sanmai.types import InputError

# What a question asks for, told from its numbers by somebody else than the generator.
BY_HAND = {
    "add": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: a * b, "largest": lambda *n: max(n),
    "gaining": lambda a, b: a + b, "giving": lambda a, b: a - b, "groups": lambda a, b: a * b, "sharing": lambda a, b: a // b,
    "two_steps": lambda a, b, c: a + b - c, "price": lambda n, each, bag: n * each + bag, "older": lambda a, b, c: a + b + c,
    "missing": lambda a, b: b - a,
}  # fmt: skip


@pytest.mark.parametrize("language", WORDS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_answer_is_right_and_its_worked_solution_is_graded_so(kind, language):
    for problem in make_stories(30, seed=7, kinds=[kind], levels=[1, 2, 3], languages=[language]):
        numbers = [int(n) for n in re.findall(r"\d+", problem.prompt)]
        assert problem.answer == str(BY_HAND[kind](*numbers)), problem.prompt
        assert int(problem.answer) >= 0 and problem.tags.keys() == {"kind", "level"}
        assert problem.tags["kind"] == kind and problem.language == language
        assert problem.demonstration is not None
        assert accuracy(problem, parse_trace(problem.demonstration)).score == 1.0
        wrong = WORDS[language].ends.format(answer=int(problem.answer) + 1)
        assert accuracy(problem, parse_trace(wrong)).score == 0.0


def test_no_sum_is_in_both_splits_whatever_the_seed_and_the_story():
    def sums(problems):
        return {(p.tags["kind"], tuple(sorted(re.findall(r"\d+", p.prompt)))) for p in problems}

    train = sums(p for seed in range(3) for p in make_stories(600, seed=seed, levels=(1, 2)))
    held_out = sums(p for seed in range(3) for p in make_stories(120, seed=seed, split="heldout", levels=(1, 2)))
    assert not train & held_out
    # Nor under another kind: 3 + 5 is trained on or held out as a sum, as a gain and as a product.
    assert not {numbers for _, numbers in train} & {numbers for _, numbers in held_out}


def test_the_numbers_decide_the_split_in_every_language_and_a_question_is_told_in_its_own():
    def numbers(problems):
        return {(p.tags["kind"], tuple(sorted(re.findall(r"\d+", p.prompt)))) for p in problems}

    made = {split: make_stories(400, seed=2, split=split, languages=tuple(WORDS)) for split in ("train", "heldout")}
    assert not numbers(made["train"]) & numbers(made["heldout"])
    assert Counter(p.language for p in made["train"]) == dict.fromkeys(WORDS, 100)
    told = [p for p in made["train"] if "thing" in WORDS[p.language].kinds[str(p.tags["kind"])][0]]
    assert all(prompt_language(p.prompt) == p.language for p in told)


def test_the_same_seed_gives_the_same_and_a_longer_list_begins_with_the_shorter():
    first, longer, other = make_stories(50, seed=1), make_stories(80, seed=1), make_stories(50, seed=2)
    assert longer[:50] == first and {p.prompt for p in first} != {p.prompt for p in other}
    assert len({p.prompt for p in longer}) == len({p.id for p in longer}) == 80


@pytest.mark.parametrize(
    ("asked", "says"),
    [({"kinds": ["addition"]}, "kind 'addition': expected some of add"), ({"levels": [4]}, "levels of 1 to 3"),
     ({"kinds": []}, "at least one kind"), ({"languages": ["xx"]}, "language 'xx': expected some of en, fr, es, de"),
     ({"count": 5000, "kinds": ["multiply"]}, "only [0-9]+ such problems")],
)  # fmt: skip
def test_what_cannot_be_made_is_said(asked, says):
    with pytest.raises(ValueError, match=says):
        make_stories(**{"count": 10, "seed": 0, **asked})


def test_kinds_that_are_not_trained_on_are_held_out_whole():
    train, held_out = story_problems(StoriesConfig(), seed=3)
    seen, unseen = ([p for p in held_out if p.tags["trained"] == word] for word in ("yes", "no"))
    assert {p.tags["kind"] for p in train} == {p.tags["kind"] for p in seen} == {*StoriesConfig().kinds}
    assert {p.tags["kind"] for p in unseen} == {*StoriesConfig().unseen} and len(seen) == 120
    assert story_problems(StoriesConfig(), seed=4)[1] == held_out


def test_it_is_a_source_as_the_world_is():
    config = ProblemsConfig.read({"source": "stories", "stories": {"train": 30, "heldout": 16}, "limit": 20})
    train, held_out = load_splits(config, 0, None, on_warning=print)
    assert len(train) == 20 and len(held_out) == 16 + 4
    for values, says in (
        ({"source": "world", "stories": {"train": 5}}, "stories.train = 5 is read only with source or evaluation = .stories"),
        ({"source": "stories", "holdout": 0.3}, "holdout = 0.3 is read only with"),
        ({"source": ["stories", "a.jsonl"]}, "world and stories are sources of their own"),
        ({"source": "stories", "stories": {"unseen": ["add"]}}, "'add' is among the kinds and the unseen ones"),
    ):
        with pytest.raises(InputError, match=says):
            ProblemsConfig.read(values)
    with pytest.raises(InputError, match=r"problems.stories: kind 'sums'"):
        story_problems(StoriesConfig(kinds=("sums",)), 0)


def test_the_presets_for_a_real_model_read():
    config: Config = resolve(find_recipe("zero"), Path("zero-smollm2"))
    assert config.problems.source == "stories" and config.model.name == "smollm2"
    mixing: Config = resolve(find_recipe("zero"), Path("zero-smollm2-languages"))
    assert mixing.problems.stories.languages == tuple(WORDS)
    assert mixing.optimizer == config.optimizer and mixing.sampling == config.sampling
