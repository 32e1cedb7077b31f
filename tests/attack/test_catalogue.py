"""Families of perturbations: they keep what is asked, are divided by whole kinds, and the sealed ones are given out on record."""

import ast
import base64
from pathlib import Path

import pytest

from sanmai import world
from sanmai.attack.catalogue import (
    ALIASES,
    FAMILIES,
    KINDS,
    ROTATIONS,
    SPLITS,
    families_named,
    names_of,
    split_of,
)
from sanmai.attack.families import ATTACKS
from sanmai.attack.family import dressed
from sanmai.attack.sealed import SealedFamilies, sealed_order
from sanmai.types import Problem

SOURCE = Path(__file__).resolve().parents[2] / "src" / "sanmai"
SUM = world.make_problems(1, seed=0, split="heldout", digits=(2,), languages=("en",))[0]
REQUEST = world.make_requests(1, seed=0, languages=("en",))[0].to_problem()
QUESTION = Problem("q", ({"role": "user", "content": "Where do I find 12 fresh apples?"},), "shop", "integer", language="en")


def test_there_are_thirty_families_and_more_and_every_kind_has_three():
    assert len(FAMILIES) == 54 and all(len(family.settings) >= 1 for family in FAMILIES.values())
    assert all(sum(family.kind == kind for family in FAMILIES.values()) == 3 for kind in KINDS)


@pytest.mark.parametrize("rotation", range(ROTATIONS))
def test_a_rotation_divides_the_families_by_whole_kinds_into_equal_parts(rotation):
    parts = [names_of(split, rotation) for split in SPLITS]
    assert [len(part) for part in parts] == [18, 18, 18] and {name for part in parts for name in part} == set(FAMILIES)
    kinds = [{FAMILIES[name].kind for name in part} for part in parts]
    assert kinds[0].isdisjoint(kinds[1] | kinds[2]) and kinds[1].isdisjoint(kinds[2])


def test_over_the_rotations_every_family_is_each_once():
    assert all({split_of(name, rotation) for rotation in range(ROTATIONS)} == set(SPLITS) for name in FAMILIES)
    with pytest.raises(ValueError, match="expected 0 to 2"):
        split_of("stutter", 3)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_changes_how_a_prompt_comes_and_not_what_is_right(name):
    made = [dressed(problem, FAMILIES[name], seed=1) for problem in (SUM, REQUEST, QUESTION)]
    assert made[0] is not None and made[1] is not None
    for problem, found in zip((SUM, REQUEST, QUESTION), made, strict=True):
        if found is None:
            continue
        assert (found.answer, found.kind, found.verifier) == (problem.answer, problem.kind, problem.verifier)
        assert found.messages != problem.messages and found.id == f"{problem.id}~{name}"
        assert (found.tags["family"], found.tags["made_from"]) == (name, problem.id)
        assert found == dressed(problem, FAMILIES[name], seed=1)
    assert made[1].tags["object"] == REQUEST.tags["object"]


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("text", ["", " ", "?", "37", "a", "\u4f60 \u597d", "x " * 3000, "{0} {x}", "\ud800"])
def test_a_family_takes_any_text(name, text):
    problem = Problem("odd", ({"role": "user", "content": text},), "1", "integer")
    if text == "\ud800" and name in ("base64_text", "hexadecimal"):
        pytest.skip("half a surrogate pair has no bytes; no loader lets it in")
    found = dressed(problem, FAMILIES[name], seed=0)
    assert found is None or found.messages != problem.messages


def test_what_families_write_is_what_they_say():
    def text(name, problem=QUESTION):
        return dressed(problem, FAMILIES[name], seed=0).prompt

    words = QUESTION.prompt
    assert base64.b64decode(text("base64_text").splitlines()[1]).decode() == words
    assert bytes.fromhex(text("hexadecimal").splitlines()[1]).decode() == words
    assert text("backwards").splitlines()[1] == words[::-1] and "12" not in text("digit_words")
    shift = int(text("caesar").split("moved by ")[1].split()[0])
    back = "".join(
        chr((ord(c.lower()) - 97 - shift) % 26 + 97) if c.isascii() and c.isalpha() else c for c in text("caesar").splitlines()[1]
    )
    assert back == words.lower()
    assert text("renamed", REQUEST).count(REQUEST.tags["object"]) == 1 and text("said_again").count(words) >= 2
    kept = [part for part in text("stutter", SUM).split() if part.isdigit()]
    assert kept == [part for part in SUM.prompt.split() if part.isdigit()]


def test_transforms_that_are_families_are_known_by_their_own_names():
    assert families_named("past_tense+base64") == {"base64_text"} and families_named("stutter") == {"stutter"}
    assert families_named("direct") == frozenset()
    assert all(name in ATTACKS or name == "prefix" for name in ALIASES)
    assert all(families <= FAMILIES.keys() for families in ALIASES.values())


def test_sealed_families_are_given_out_on_record_alone():
    def refuse(names):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        SealedFamilies(0, refuse)
    recorded = []
    sealed = SealedFamilies(0, recorded.extend)
    assert tuple(recorded) == sealed.names == names_of("sealed", 0)
    name = sealed_order(sealed.names)[0]
    assert sealed.dressed(SUM, name).tags["family"] == name
    with pytest.raises(ValueError, match="is not sealed"):
        sealed.dressed(SUM, names_of("open", 0)[0])


def test_the_sealed_generator_is_imported_by_the_release_evaluation_alone():
    importing = set()
    for path in (path for path in SOURCE.rglob("*.py") if "attack.sealed" in path.read_text(encoding="utf-8")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            importing |= {path.name for name in names if name == "sanmai.attack.sealed"}
    assert importing == {"stream.py"}


def test_digits_of_another_script_stay_where_ascii_ones_become_words():
    asked = Problem("n", ({"role": "user", "content": "Is ३ more than 2 ?"},), language="en")
    made = dressed(asked, FAMILIES["digit_words"], seed=0)
    assert made is not None and "३" in made.prompt and "2" not in made.prompt
