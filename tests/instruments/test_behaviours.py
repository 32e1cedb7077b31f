"""The rules for behaviours of reasoning, and how far they can be trusted."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from sanmai import world
from sanmai.instruments.behaviour_words import MEASURED, RULES, Errors
from sanmai.instruments.behaviours import BEHAVIOURS, behaviours, error_note
from sanmai.world.behaviours import demonstrate, revision
from shared_data import shared_rows

LABELS = Path(__file__).with_name("behaviour_labels.json")


@pytest.mark.parametrize(("text", "shown"), [
    ("The problem asks for the sum of two ages.", {"analysis"}),
    ("Let's break it down into two parts.", {"decomposition"}),
    ("Therefore, the volume of the cone is 65 cubic units.", {"completion"}),
    ("Alternatively, we can use coordinates.", {"alternative"}),
    ("Let me double-check: 21 + 29 = 50. That's consistent.", {"self_evaluation"}),
    ("That's wrong: 3 times 8 is 24, not 21.", {"self_correction"}),
    ("我们换一种方法。", {"alternative"}), ("检查一下。", {"self_evaluation"}), ("不对，重新计算。", {"self_correction"}),
    ("3 + 4 = 7", set()), ("", set()), ("The weather is fine and the train was late.", set()),
])  # fmt: skip
def test_each_behaviour_is_found_by_its_words(text, shown):
    assert behaviours(text) == shown


def test_a_language_without_rules_says_nothing_rather_than_none():
    assert behaviours("Warte, das stimmt nicht.", "de") is None and behaviours("", "en") == frozenset()


def test_the_rules_find_all_and_only_what_the_world_constructs():
    # 240 texts whose behaviours are known: the rules make no mistake on the world's own words, unlike on people's.
    for k, problem in enumerate(world.make_problems(120, seed=5)):
        for made, shown in (demonstrate(problem, BEHAVIOURS[k % 6 :], 0), revision(problem, 0)):
            assert behaviours(made.demonstration, made.language) == shown, made.demonstration


def test_the_stated_errors_are_those_on_the_labelled_passages():
    counts = {name: Counter() for name in BEHAVIOURS}
    for label in json.loads(LABELS.read_text(encoding="utf-8")):
        row = shared_rows(f"mip_overthinking/responses/{label['file']}")[label["row"]]
        text = next(value for key, value in row.items() if key.endswith("(question)"))
        found = behaviours(text.split("\n\n")[label["paragraph"]])
        for name in BEHAVIOURS:
            counts[name][name in label["shows"], name in found] += 1
    for name, count in counts.items():
        has, lacks = count[True, True] + count[True, False], count[False, True] + count[False, False]
        assert Errors(count[True, True], has, count[False, True], lacks) == MEASURED[name], name


def test_the_errors_stand_in_words():
    assert error_note("self_evaluation") == "rules find 22 of 27, see it in 1 of 73 without"


def test_every_language_has_rules_for_every_behaviour_and_long_texts_are_bounded():
    assert all({*rules} == {*BEHAVIOURS} for rules in RULES.values())
    assert behaviours("a so " * 200_000 + "scratch that") == {"self_correction"}
