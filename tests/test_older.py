"""What was written when there were other settings."""

import json
import tomllib
from pathlib import Path
from typing import Any, ClassVar

import pytest
import tomli_w

from sanmai import recipes
from sanmai.config import Config
from sanmai.older import AsOf, as_of, words
from sanmai.recipes import default_out, find_recipe, resolve
from sanmai.serve import measure
from sanmai.serve.server import Settings


class Item(Config):
    name: str = "x"
    weight: float = 1.0


class Inner(Config):
    lr: float = 1e-6
    clip: float = 1.0


class Own(Config):
    seed: int = 0
    inner: Inner = Inner(lr=1e-3)
    extra: Inner | None = None
    items: tuple[Item, ...] = ()
    turns: int = 8
    gone: ClassVar = {"budget": {"every": 2, "probe": None}}


def found(config: Own, **known: Any) -> AsOf:
    return as_of(config, config.model_dump(mode="json"), known)


WHOLE = {"seed": 0, "inner": {"lr": 1e-3, "clip": 1.0}, "extra": None, "items": [], "turns": 8}


@pytest.mark.parametrize(("known", "since"), [
    (WHOLE, ()),
    ({"seed": 0}, ("inner", "extra", "items", "turns")),
    (WHOLE | {"inner": {"lr": 1e-3}}, ("inner.clip",)),
])  # fmt: skip
def test_what_came_later_and_has_its_default_is_left_out(known, since):
    assert found(Own(), **known) == AsOf(known, since)


def test_a_value_that_differs_stays_whether_it_was_there_or_not():
    known = {"seed": 1, "inner": {"lr": 1e-3}, "extra": None, "items": []}
    then = found(Own(turns=4, inner=Inner(lr=1e-3, clip=2.0)), **known)
    assert then == AsOf({**known, "seed": 0, "inner": {"lr": 1e-3, "clip": 2.0}, "turns": 4})


def test_the_default_is_that_of_the_section_that_lacks_the_setting():
    # A section that was not there has its owner's default; a setting of a section that was there has the section's own.
    assert found(Own(inner=Inner()), **{k: v for k, v in WHOLE.items() if k != "inner"}).since == ()
    assert found(Own(extra=Inner()), **WHOLE | {"extra": {"lr": 1e-6}}).since == ("extra.clip",)


def test_none_that_is_only_the_owners_default_is_no_setting_that_came_later():
    class Limits(Config):
        harm: float | None = 0.5

    class Run(Config):
        limits: Limits = Limits(harm=None)

    assert Run.read(tomllib.loads(Run().to_toml())) == Run()
    written, now = tomllib.loads(Run().to_toml()), Run(limits=Limits(harm=0.5))
    assert as_of(now, tomllib.loads(now.to_toml()), written).since == ()


def test_settings_of_each_of_several_sections_may_have_come_later():
    known = WHOLE | {"items": [{"name": "a"}, {"name": "b"}]}
    assert found(Own(items=(Item(name="a"), Item(name="b"))), **known) == AsOf(known, ("items.weight", "items.weight"))
    assert found(Own(items=(Item(name="a"), Item(name="b", weight=2.0))), **known).values != known
    assert found(Own(items=(Item(name="a"),)), **known).values != known


def test_what_went_stays_where_it_changed_nothing():
    known = WHOLE | {"budget": {"every": 2}}
    assert found(Own(), **known) == AsOf(known, (), ("budget",))
    assert found(Own(), **WHOLE | {"budget": {"every": 3}}) == AsOf(WHOLE)


def test_a_file_of_a_run_that_says_what_went_can_be_read():
    assert Own.read({"seed": 1, "budget": {"every": 2}}) == Own(seed=1)
    with pytest.raises(Exception, match="unknown key 'budget'"):
        Own.read({"budget": {"every": 3}})


def test_words_name_three_and_count_the_rest():
    assert words([AsOf({}), AsOf({})]) == ""
    assert words([AsOf({}, ("a", "b")), AsOf({}, ("b", "c", "d"))]).startswith("before a, b, c and 1 more were settings, which")


def test_the_same_command_finds_its_run_again_when_there_are_more_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = find_recipe("zero")
    config = resolve(recipe, values={"num_steps": 3})
    values = tomllib.loads(config.to_toml())
    del values["partial"], values["loss"]["kl_estimator"]
    old = Path("runs") / recipes._folder_name(recipe, values, "")
    assert default_out(recipe, config) != old
    old.mkdir(parents=True)
    (old / "config.toml").write_text(tomli_w.dumps({"recipe": "zero", **values}))
    assert default_out(recipe, config) == old
    assert default_out(recipe, config, "a reward of one's own") != old
    assert default_out(recipe, resolve(recipe, values={"num_steps": 3, "seed": 1})) != old
    new = default_out(recipe, resolve(recipe, values={"num_steps": 3, "partial": {"segment_tokens": 9}}))
    assert new != old
    (old / "config.toml").write_text("not toml =")
    assert default_out(recipe, config) != old


def test_a_measured_filter_goes_on_when_there_are_more_settings():
    asked = {**Settings("tiny", reviewer="world").__dict__, "limit": 3}
    kept = json.loads(json.dumps(asked, default=str))
    assert measure._are_same(kept, asked)
    less = {name: value for name, value in kept.items() if name not in ("search_n", "guard", "words")}
    assert measure._are_same(less, asked) and not measure._are_same(less, {**asked, "search_n": 9})
    assert not measure._are_same(kept, {**asked, "limit": 4}) and not measure._are_same({**kept, "gone": 1}, asked)
