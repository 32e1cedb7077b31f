"""The record of what a model was shown, beside files and tags that are other people's."""

import json

import pytest

from sanmai.attack.catalogue import ALIASES, FAMILIES
from sanmai.recipes.sample_files import DataWriter
from sanmai.train.seen import FILE, WRITER, Seen, carried, dress_of
from sanmai.types import Problem


def tagged(**tags):
    return Problem("p", ({"role": "user", "content": "p"},), tags=tags)


def test_names_of_families_are_kept_once_and_texts_that_tags_hold_are_not():
    shown = [tagged(family="rank"), tagged(attack="role_play+base64"), tagged(style="as Ann, ann@example.org", family="x" * 5000)]
    generations = frozenset()
    for _ in range(30):  # each writes the next one's rows
        generations = dress_of([*shown, tagged(**{WRITER: "+".join(sorted(generations))})])
    assert generations == {"rank", "role_play", "base64"}
    assert dress_of([tagged(family="+".join([*FAMILIES, *ALIASES]))]) == {*FAMILIES, *ALIASES}


def test_rows_tell_families_alone(tmp_path):
    writer = DataWriter(tmp_path / "data.parquet", "m", Seen(frozenset({"plain", "role_play", "smith"}), frozenset({"rank"})))
    assert writer._more == {WRITER: "rank+role"}


@pytest.mark.parametrize("text", ['["a"]', '{"0": "an image"}', "3"])
def test_somebody_elses_file_of_that_name_is_none_of_ours(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    assert carried(str(tmp_path)) == Seen()


@pytest.mark.parametrize("text", ['{"dress": 3}', '{"dress": [], "looked', json.dumps({"looked": {}})])
def test_one_that_was_damaged_is_told(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ValueError, match=r"seen\.json cannot be read"):
        carried(str(tmp_path))
