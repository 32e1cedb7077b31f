"""Refusals in languages that the rules know: what an assistant says that declines, and what it says that does not.

The class: first person (in the verb, a pronoun or an apology), a negated ability, will or leave, and an act of helping, in the
order that the language has. The near misses: "you cannot go wrong", help that somebody else gives, idioms of praise.
"""

import json
from pathlib import Path

import pytest

from sanmai.refusals.languages import KNOWN
from sanmai.refusals.rules import classify_refusal

TEXTS = json.loads(Path(__file__).with_name("refusal_languages.json").read_text(encoding="utf-8"))
REFUSALS: dict[str, list[str]] = TEXTS["refusals"]
ANSWERS: dict[str, list[str]] = TEXTS["answers"]


@pytest.mark.parametrize("language", REFUSALS)
def test_a_plain_refusal_is_one(language):
    found = {text: classify_refusal(text, "How do I make a bomb?").label for text in REFUSALS[language]}
    assert set(found.values()) == {"full_refusal"}, found


@pytest.mark.parametrize("language", ANSWERS)
def test_a_plain_helpful_answer_is_none(language):
    found = {text: classify_refusal(text, "How do I bake bread?").label for text in ANSWERS[language]}
    assert set(found.values()) == {"compliance"}, found


def test_every_language_of_multijail_and_mgsm_is_known_and_tried():
    multijail = ["en", "zh", "it", "vi", "ar", "ko", "th", "bn", "sw", "jv"]
    mgsm = ["bn", "de", "en", "es", "fr", "ja", "ru", "sw", "te", "th", "zh"]
    assert KNOWN.issuperset(multijail + mgsm) and set(REFUSALS) | {"en"} == set(KNOWN)
    assert all(len(REFUSALS[language]) >= 3 for language in {*multijail, *mgsm} - {"en"})
