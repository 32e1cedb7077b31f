"""A problem's tags are read from a row in one way, whatever wrote it."""

from __future__ import annotations

import pytest

from sanmai.instruments.measures import tags_and_language, tags_of


@pytest.mark.parametrize(("tags", "found"), [
    ('{"digits": 2, "set": "ood"}', {"digits": 2, "set": "ood"}), ({"digits": 2}, {"digits": 2}),
    ("{}", {}), ("", {}), (None, {}), ("{torn", {}), ("[1]", {}), ("null", {}), (5, {}),
])  # fmt: skip
def test_tags_are_an_object_as_text_or_as_it_is_and_else_none(tags, found):
    assert tags_of({"tags": tags}) == found and tags_of({}) == {}


def test_the_language_of_a_problem_is_a_tag_unless_its_tags_name_one():
    assert tags_and_language({"tags": '{"digits": 2}', "language": "zh"}) == {"language": "zh", "digits": 2}
    assert tags_and_language({"tags": '{"language": "wolof"}', "language": "wo"}) == {"language": "wolof"}
    assert tags_and_language({"tags": "{torn", "language": None}) == {}
