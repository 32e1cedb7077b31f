"""Settings: a file, `--set` on top, and nothing that is silently ignored (law 8)."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import tomllib
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field, ValidationError

import sanmai
from sanmai.config import Config, differing_keys, key_parts, key_text, load_values, merge, set_value
from sanmai.desk.settings import settings_file
from sanmai.recipes import RECIPES, find_recipe, resolve
from sanmai.types import InputError


class Optimizer(Config):
    lr: float = Field(1e-6, ge=0)
    warmup_steps: int = 0
    betas: tuple[float, float] = (0.9, 0.95)


class Example(Config):
    num_steps: int = Field(10, ge=1)
    name: str = "tiny"
    kind: Literal["a", "b"] = "a"
    cap: float | None = None
    optimizer: Optimizer = Optimizer()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"num_step": 3}, "settings: unknown key 'num_step' (did you mean 'num_steps'?)"),
        ({"optimizer": {"warmup": 3}}, "settings: unknown key 'optimizer.warmup' (did you mean 'optimizer.warmup_steps'?)"),
        ({"optimiser": {"lr": 3}}, "settings: unknown key 'optimiser' (did you mean 'optimizer'?)"),
        ({"lr": 0.1}, "settings: unknown key 'lr' (did you mean 'optimizer.lr'?)"),
        ({"zzzzzz": 3}, "settings: unknown key 'zzzzzz'"),
        ({"num_steps": 0}, "settings: num_steps = 0: Input should be greater than or equal to 1"),
        ({"optimizer": {"lr": float("nan")}}, "settings: optimizer.lr = nan: Input should be a finite number"),
        ({"kind": "c"}, "settings: kind = 'c': Input should be 'a' or 'b'"),
        ({"optimizer": 3}, "optimizer = 3: "),
        ({"num_steps": 2.5}, "num_steps = 2.5: "),
    ],
)
def test_what_cannot_be_used_is_named_with_its_value_and_the_nearest_known_key(values, says):
    with pytest.raises(InputError) as refused:
        Example.read(values, source="settings")
    assert says in str(refused.value) and "\n" not in str(refused.value)


def test_every_bad_value_is_named_at_once():
    with pytest.raises(InputError, match=r"num_steps = 0.*; .*unknown key 'x'"):
        Example.read({"num_steps": 0, "x": 1})


def test_a_configuration_cannot_be_changed_and_checks_its_defaults():
    with pytest.raises(ValidationError, match="frozen"):
        Example().num_steps = 3  # ty: ignore[invalid-assignment]

    class Wrong(Config):
        count: int = Field(0, ge=1)

    with pytest.raises(InputError, match="count = 0"):
        Wrong.read({})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("-3", -3), ("0.5", 0.5), ("1e-4", 1e-4), ("true", True), ("false", False), ("[1, 2]", [1, 2]), ('"3"', "3"),
        ("'a b'", "a b"), ("{a = 1}", {"a": 1}), ("tiny", "tiny"), ("runs/zero-1/x", "runs/zero-1/x"), ("True", "True"),
        ("a=b", "a=b"), ("", ""), (" 7 ", 7), ("Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B"), ("x # y", "x # y"),
        ("3\nz = 4", "3\nz = 4"),
    ],
)
def test_the_right_side_of_a_setting_is_a_toml_value_where_it_is_one(text, value):
    found = load_values(None, [f"a.b={text}"])["a"]["b"]
    assert found == value and type(found) is type(value)


def test_settings_go_on_top_of_the_file_and_later_ones_on_earlier_ones(tmp_path):
    (tmp_path / "x.toml").write_text("num_steps = 4\n[optimizer]\nlr = 0.1\nwarmup_steps = 2\n")
    values = load_values(tmp_path / "x.toml", ["optimizer.lr=0.2", " name = big ", "optimizer.lr=0.3"])
    assert values == {"num_steps": 4, "name": "big", "optimizer": {"lr": 0.3, "warmup_steps": 2}}


@pytest.mark.parametrize("override", ["optimizer.lr", "=3", " =3", ""])
def test_a_setting_without_key_or_value_is_refused(override):
    with pytest.raises(InputError, match="expected KEY=VALUE"):
        load_values(None, [override])


def test_a_setting_below_a_plain_value_is_refused():
    with pytest.raises(InputError, match="'name' already has a value"):
        set_value({"name": "tiny"}, "name.x", 1)


@pytest.mark.parametrize("override", ["a..b=1", ".a=1", "a.=1", 'a."b=1', "a.'b=1", 'a."b"c=1', 'a."\\q"=1', "a b=1", "é=1",
                                      "a#b=1", "[a]=1", "a\nb=1", 'a."""b"""=1'])  # fmt: skip
def test_a_key_that_is_none_of_toml_is_refused_in_a_sentence(override):
    with pytest.raises(InputError, match=r"not a dotted key; expected names such as optimizer\.lr"):
        load_values(None, [override])


@pytest.mark.parametrize(
    ("override", "values"),
    [
        ('s."bad.py:Bad".mode="nan"', {"s": {"bad.py:Bad": {"mode": "nan"}}}),
        ("s.'bad.py:Bad'.mode=nan.x", {"s": {"bad.py:Bad": {"mode": "nan.x"}}}),
        ('s . "a=b" . c = d=e', {"s": {"a=b": {"c": "d=e"}}}),
        (r's."a\"b\u00e9\\".c=1', {"s": {'a"bé\\': {"c": 1}}}),
        (r"s.'a\n'.c=1", {"s": {r"a\n": {"c": 1}}}),
        ('"s"."".c=1', {"s": {"": {"c": 1}}}),
        ('a="b.c"."d"=1', {"a": '"b.c"."d"=1'}),
    ],
)
def test_a_key_is_read_as_toml_reads_it(override, values):
    assert load_values(None, [override]) == values


@pytest.mark.parametrize("name", ["lr", "bad.py:Bad", "a = b", 'a"b', "a'b", "é\U0001f600", "a\nb", "\x7f", "", "1-a", "\\"])
def test_a_name_is_written_as_a_key_that_is_read_back(name):
    assert key_parts(f"a.{key_text(name)}.c") == ["a", name, "c"]
    assert differing_keys({"a": {name: 1}}, {"a": {name: 2}}) == [f"a.{key_text(name)} was 1, now 2"]


def test_settings_of_a_quoted_name_are_listed_so_that_they_are_read_back(tmp_path):
    recipe, stated = find_recipe("evaluate"), 'problems.environment.settings."b.py:B\U0001f600".mode="nan"'
    overrides = ["problems.source=environment:b.py:B\U0001f600", stated]
    (tmp_path / "x.toml").write_text("\n".join(settings_file(recipe, overrides=overrides)), encoding="utf-8")
    assert resolve(recipe, tmp_path / "x.toml") == resolve(recipe, overrides=overrides)
    (tmp_path / "y.toml").write_text(resolve(recipe, overrides=overrides).to_toml(), encoding="utf-8")
    assert resolve(recipe, tmp_path / "y.toml") == resolve(recipe, overrides=overrides)


def test_a_file_that_cannot_be_read_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "bad.toml").write_text("a = \n")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    cases = {"none.toml": "No such file", "bad.toml": "not a TOML file", "binary.toml": "not a TOML file", ".": "directory"}
    for name, says in cases.items():
        with pytest.raises(InputError, match=says) as refused:
            load_values(tmp_path / name)
        assert "\n" not in str(refused.value) and str(tmp_path) in str(refused.value)


def test_merging_puts_one_over_the_other_and_changes_neither():
    base, over = {"a": {"x": 1, "y": 2}, "b": 3, "c": {"z": 1}}, {"a": {"y": 5}, "c": 7, "d": {"w": 1}}
    assert merge(base, over) == {"a": {"x": 1, "y": 5}, "b": 3, "c": 7, "d": {"w": 1}}
    assert base == {"a": {"x": 1, "y": 2}, "b": 3, "c": {"z": 1}} and over["a"] == {"y": 5}


def test_differing_keys_are_dotted_and_have_both_values():
    found = differing_keys({"a": {"x": 1, "y": 2}, "b": 3}, {"a": {"x": 1, "y": 5}, "c": None})
    assert found == ["a.y was 2, now 5", "b was 3, now None"]


def test_a_configuration_survives_its_file():
    example = Example(cap=0.1, name='quote " and \\ and 中文', optimizer=Optimizer(lr=1e-7, betas=(0.5, 0.25)))
    assert Example.read(tomllib.loads(example.to_toml())) == example
    assert Example.read(tomllib.loads(Example().to_toml())) == Example()


@pytest.mark.parametrize("name", list(RECIPES))
def test_the_settings_of_every_recipe_survive_their_file(name):
    from sanmai.recipes import find_recipe, resolve

    recipe = find_recipe(name)
    settings = resolve(recipe)
    assert recipe.config.read(tomllib.loads(settings.to_toml())) == settings


@pytest.mark.parametrize("name", [name for name in RECIPES if name not in ("zero", "sample", "search", "curate", "distill",
                                                                           "evaluate", "flow")])  # fmt: skip
def test_a_reward_that_a_recipe_does_not_read_is_refused(name, tmp_path):
    recipe = RECIPES[name]
    with pytest.raises(InputError, match=f"reward: the recipe {name} reads none"):
        recipe.run(resolve(recipe), tmp_path / "run", reward=lambda problem, text: 1.0)
    assert not (tmp_path / "run").exists()


def test_every_preset_can_be_read():
    from sanmai.recipes import PRESETS, find_recipe, resolve

    presets = sorted(PRESETS.glob("*.toml"))
    for path in presets:
        resolve(find_recipe(tomllib.loads(path.read_text())["recipe"]), Path(path.stem))


def test_in_the_papers_pipeline_rl_on_the_student_and_on_the_base_is_that_of_r1_zero():
    from sanmai.recipes import find_recipe, resolve

    pipeline: Any = resolve(find_recipe("r1"), Path("r1-paper"))
    zero: Any = resolve(find_recipe("zero"), Path("zero-paper"))
    assert pipeline.student_rl.rewards == zero.rewards
    assert pipeline.student_rl.loss == pipeline.reasoning.loss == zero.loss
    assert pipeline.data.demonstrations_limit // 2 == 178_000  # for each kind, general and safety


def config_classes() -> list[type[Config]]:
    for module in pkgutil.walk_packages(sanmai.__path__, "sanmai."):
        importlib.import_module(module.name)
    found: list[type[Config]] = [Config]
    for known in found:  # grows while it is gone through
        found += known.__subclasses__()
    return [c for c in found[1:] if c.__module__.startswith("sanmai.")]


def names_read(path: Path) -> set[str]:
    """Every x of `something.x` in a file that is not assigned to."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {n.attr for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load)}


def test_every_setting_is_read_somewhere_and_says_what_it_does():
    source = Path(sanmai.__path__[0])
    read = set().union(*map(names_read, source.rglob("*.py")))
    # RewardsConfig.weights, ClaimsConfig.claims, ConstraintsConfig.limits, ClipConstraintsConfig.limits and policy_loss ask for
    # these by name.
    claimed = importlib.import_module("sanmai.instruments.claims").CLAIMED
    limited = (*importlib.import_module("sanmai.learn.constraints").MEASURES,
               *importlib.import_module("sanmai.learn.clip_constraints").MEASURES)
    numbers = importlib.import_module("sanmai.losses.policy_gradient").NUMBERS
    by_name = {*importlib.import_module("sanmai.rewards.rubric").COMPONENTS, *claimed, *limited, *numbers}
    classes = config_classes()
    assert {"ZeroConfig", "ModelConfig", "LossConfig", "SamplingConfig"} <= {c.__name__ for c in classes}
    fields = {f"{c.__name__}.{name}": (name, info) for c in classes for name, info in c.model_fields.items()}
    assert [f for f, (name, _) in fields.items() if name not in read | by_name] == []
    sections = {f for f, (_, info) in fields.items() if isinstance(info.annotation, type) and issubclass(info.annotation, Config)}
    assert {f for f, (_, info) in fields.items() if not info.description} <= sections


def value_for(dotted: str, value: Any) -> dict[str, Any]:
    made: dict[str, Any] = {}
    set_value(made, dotted, value)
    return made


# The class: a setting that is read only while another one is on. Recipe, the setting, and what switches it on.
IDLE: list[tuple[str, str, Any, dict[str, Any]]] = [
    ("zero", "problems.evaluation_limit", 8, {"problems": {"source": "a.jsonl"}}),
    ("zero", "problems.holdout", 0.3, {"problems": {"source": "a.jsonl"}}),
    ("zero", "problems.kind", "safety", {"problems": {"evaluation": "a.jsonl"}}),
    ("zero", "problems.on_error", "skip", {"problems": {"source": "a.jsonl"}}),
    ("sft", "problems.evaluation_limit", 8, {"problems": {"evaluation": "a.jsonl"}}),
    ("zero", "curriculum.hard_from", 0.5, {"curriculum": {"order": "hard_later"}}),
    ("zero", "curriculum.below", 0.5, {"curriculum": {"order": "hard_later"}}),
    ("zero", "curriculum.floor", 0.5, {"curriculum": {"order": "prioritised"}}),
    ("zero", "curriculum.prior", 0.2, {"curriculum": {"retire_solved": True}}),
    ("zero", "curriculum.decay", 0.9, {"curriculum": {"order": "prioritised"}}),
    ("zero", "curriculum.known_tries", 3, {"curriculum": {"order": "prioritised"}}),
    ("zero", "curriculum.return_after", 3, {"curriculum": {"retire_solved": True}}),
    ("zero", "length.ngram", 20, {"length": {"weight": 1.0, "reward": "cosine"}}),
    ("zero", "length.repetition_penalty", -0.1, {"length": {"weight": 1.0, "reward": "cosine"}}),
    ("zero", "length.reward", "cosine", {"length": {"weight": 1.0}}),
    ("zero", "length.warmup", 0.5, {"length": {"weight": 1.0}}),
    ("zero", "length.ramp", 0.5, {"length": {"weight": 1.0}}),
    ("zero", "partial.earlier", "importance", {"partial": {"segment_tokens": 8}}),
    ("zero", "partial.loop_tokens", 8, {"partial": {"segment_tokens": 8}}),
    ("zero", "partial.loop_times", 3, {"partial": {"segment_tokens": 8, "loop_tokens": 4}}),
    ("zero", "partial.loop_penalty", 0.5, {"partial": {"segment_tokens": 8, "loop_tokens": 4}}),
    ("zero", "constraints.every", 5, {"constraints": {"kl": {"limit": 0.1, "drives": "kl"}}}),
    ("zero", "constraints.samples", 4, {"constraints": {"harm": {"limit": 0.1, "drives": "cost"}, "probe": ["p.jsonl"]}}),
    ("zero", "constraints.judge.retries", 2, {"constraints": {"harm": {"limit": 0.1, "drives": "cost"}, "probe": ["p.jsonl"],
        "harm_from": "judge", "judge": {"model": "m", "base_url": "http://127.0.0.1:1/v1"}}}),
    ("zero", "auxiliary_sft.max_tokens", 99, {"auxiliary_sft": {"source": "a.jsonl", "weight": 0.1}}),
    ("zero", "auxiliary_sft.demonstrations_per_update", 9, {"auxiliary_sft": {"source": "a.jsonl", "weight": 0.1}}),
    ("zero", "loss.kl_estimator", "k1", {"loss": {"kl_weight": 0.1}}),
    ("zero", "loss.reference_reset_steps", 9, {"loss": {"kl_weight": 0.1}}),
    ("zero", "optimizer.final_lr_ratio", 0.3, {"optimizer": {"schedule": "linear"}}),
    ("zero", "cluster.samplers", 3, {"cluster": {"transport": "processes"}}),
    ("zero", "model.lora_alpha", 64, {"model": {"lora_rank": 4}}),
    ("zero", "rewards.judge.retries", 2, {"rewards": {"helpfulness": 1.0, "helpfulness_from": "judge",
        "judge": {"model": "m", "base_url": "http://127.0.0.1:1/v1"}}}),
    ("zero", "rewards.judge.calls_per_answer", 3, {"rewards": {"correctness": 1.0, "correctness_from": "judge",
        "judge": {"model": "m"}}}),
    ("zero", "rewards.judge.device", "cuda", {"rewards": {"correctness": 1.0, "correctness_from": "judge",
        "judge": {"model": "m"}}}),
    ("zero", "rewards.refusal_from", "keywords", {"rewards": {"refusal": 1.0}}),
    ("zero", "rewards.refusal_keywords", ["no"], {"rewards": {"refusal": 1.0, "refusal_from": "keywords"}}),
    ("zero", "evaluation.gold.judge.seed", 2, {"evaluation": {"gold": {"harm_from": "judge", "judge": {"model": "m"}}}}),
    ("sample", "filters.min_reward", 0.5, {"filters": {"correct": True}}),
    ("curate", "guess.max_tokens", 9, {"guess": {"attempts": 2}}),
    ("curate", "guess.prefill", "x", {"guess": {"attempts": 2}}),
    ("reward", "balance_lengths", False, {"objective": "pairwise"}),
    ("reward", "preferences.on_error", "skip", {"preferences": {"source": "a.jsonl"}}),
    ("reward", "preferences.world.train", 9, {"preferences": {"source": "world"}}),
    ("dpo", "on_error", "skip", {"source": "a.jsonl"}),
    ("distill", "beta", 0.5, {"exact": True}),
    ("sft", "epochs", 3.0, {"token_budget": None}),
    ("preferences", "samples", 4, {"recorded": None}),
    ("audit", "judge_key", "KEY", {"judge": "http://127.0.0.1:1/v1#m"}),
    ("redteam", "explore", 0.3, {"search": "quality_diversity"}),
    ("redteam", "holdout_by", "style", {"holdout_cells": 0.2}),
    ("guarded", "gates.max_doublings", 2, {"gates": {"on_undecided": "more_samples"}}),
    ("guarded", "gates.lr_factor", 0.2, {"gates": {"repairs": ["lower_lr"]}}),
    ("guarded", "gates.max_attempts", 4, {"gates": {"repairs": ["lower_lr"]}}),
    ("r1", "gate_problems", "p.jsonl", {"gates": {"margins": [{"measure": "harm", "rule": "max_rise", "limit": 0.02}]}}),
    ("r1", "gates.confidence", 0.9, {"gates": {"margins": [{"measure": "harm", "rule": "max_rise", "limit": 0.02}]}}),
    ("r1", "reasoning.curriculum.hard_from", 0.5, {"reasoning": {"curriculum": {"order": "hard_later"}}}),
    ("long2short", "merge_weight", 0.2, {"method": ["merge"]}),
    ("long2short", "budget_share", 0.2, {"method": ["rl"]}),
    ("compare", "auxiliary_sft_weight", 0.2, {"arms": ["rl", "hybrid"]}),
]  # fmt: skip
OFF: dict[str, dict[str, Any]] = {  # where the recipe's own default has the switch on
    "guess": {"guess": {"attempts": 0}}, "filters.min_reward": {"filters": {"correct": False}},
    "balance_lengths": {"objective": "pointwise"}, "on_error": {"source": "world"}, "epochs": {"token_budget": 9999},
    "samples": {"recorded": "a.jsonl"}, "explore": {"search": "random"}, "holdout_by": {"holdout_cells": 0.0},
    "preferences.world.train": {"preferences": {"source": "a.jsonl", "evaluation": "b.jsonl"}},
    "merge_weight": {"method": ["rl"]}, "budget_share": {"method": ["merge"]}, "auxiliary_sft_weight": {"arms": ["rl"]},
}  # fmt: skip
NEEDED: dict[str, dict[str, Any]] = {
    "guarded": {"gates": {"margins": [{"measure": "accuracy", "rule": "max_fall", "limit": 0.1}]}},
}


@pytest.mark.parametrize(("name", "setting", "value", "on"), IDLE, ids=[f"{name}-{setting}" for name, setting, _, _ in IDLE])
def test_a_setting_that_would_do_nothing_is_refused_and_one_that_is_read_is_not(name, setting, value, on):
    from sanmai.recipes import find_recipe

    recipe = find_recipe(name).config
    needed, stated = NEEDED.get(name, {}), value_for(setting, value)
    off = next((off for key, off in OFF.items() if setting == key or setting.startswith(f"{key}.")), {})
    with pytest.raises(InputError, match=rf"{setting} = .* is read only with ") as refused:
        recipe.read(merge(merge(needed, off), stated))
    assert "\n" not in str(refused.value)
    recipe.read(merge(merge(needed, on), stated))


def test_one_that_equals_its_default_changes_nothing_and_is_let_be():
    from sanmai.recipes import find_recipe, resolve

    settings = resolve(find_recipe("zero"), overrides=["curriculum.hard_from=0.25", "length.ngram=40"])
    assert settings == resolve(find_recipe("zero"))


def test_what_a_preset_says_is_not_what_a_person_says():
    from sanmai.recipes import find_recipe, resolve

    recipe = find_recipe("r1")
    preset = tomllib.loads((Path(sanmai.__path__[0]) / "recipes" / "presets" / "r1-tiny.toml").read_text())
    assert preset["sft"]["optimizer"]["schedule"] != "constant" and preset["sft"]["optimizer"]["final_lr_ratio"]
    resolve(recipe, overrides=["sft.optimizer.schedule=constant"])  # the preset's end of the schedule goes with it
    with pytest.raises(InputError, match=r"sft.optimizer.final_lr_ratio = 0.5 is read only with sft.optimizer.schedule"):
        resolve(recipe, overrides=["sft.optimizer.schedule=constant", "sft.optimizer.final_lr_ratio=0.5"])


def test_problems_that_the_caller_brings_have_the_settings_of_files():
    from sanmai.recipes import find_recipe, resolve

    values = {"problems": {"holdout": 0.3, "evaluation_limit": 5}}
    assert resolve(find_recipe("zero"), values=values, has_problems=True).problems.holdout == 0.3  # ty: ignore
    with pytest.raises(InputError, match="holdout"):
        resolve(find_recipe("zero"), values=values)


def test_what_a_pipeline_fills_in_later_is_not_judged_now():
    from sanmai.recipes import find_recipe

    find_recipe("r1").config.read({"reasoning": {"problems": {"evaluation_limit": 8}}})


def test_every_condition_names_settings_that_there_are_and_is_shown_with_them():
    from sanmai.config import describe_settings
    from sanmai.recipes import find_recipe, resolve

    for made in config_classes():
        for rule in made.rules():
            assert {name.split(".")[0] for name in rule.names} <= made.model_fields.keys()
    shown = {name: meaning for name, _, meaning in describe_settings(resolve(find_recipe("zero")))}
    assert shown["curriculum.hard_from"].endswith('Read only with curriculum.order = "hard_later".')
    assert "Read only with rewards.helpfulness_from, harmlessness_from or" in shown["rewards.judge.retries"]
    assert shown["rewards.judge.retries"].endswith("rewards.judge.base_url.")
    assert "Read only" not in shown["num_steps"]


class Speed(Config):
    lr: float = 1e-6
    schedule: str = "constant"


class Inner(Config):
    speed: Speed = Speed(lr=3.0)
    count: int = 1


class Recipe(Config):
    speed: Speed = Speed(schedule="cosine")
    inner: Inner = Inner(speed=Speed(schedule="linear"), count=7)


def test_a_section_given_in_part_keeps_the_recipes_own_default_of_the_rest():
    assert Recipe.read({"speed": {"lr": 2.0}}).speed == Speed(lr=2.0, schedule="cosine")
    assert Recipe.read({"inner": {"speed": {"lr": 5.0}}}).inner == Inner(speed=Speed(lr=5.0, schedule="linear"), count=7)
    assert Recipe.read({"inner": {"count": 2}}).inner.speed == Speed(schedule="linear")
    assert Recipe.read({"speed": {"schedule": "constant"}}).speed == Speed()
    whole = Recipe(speed=Speed(lr=9.0))
    assert whole.speed.schedule == "constant"  # a section that is given whole, as an object, is as it is
    assert Recipe.read(Recipe.read({"speed": {"lr": 2.0}}).model_dump()) == Recipe.read({"speed": {"lr": 2.0}})


@pytest.mark.parametrize(("recipe", "given", "kept"), [
    ("sft", {"model": {"name": "other"}, "optimizer": {"lr": 1e-5}}, ("optimizer", "schedule", "cosine")),
    ("r1", {"reasoning": {"num_steps": 9}}, ("reasoning", "rewards", "language", 1.0)),
    ("compare", {"constraints": {"every": 3}}, ("constraints", "harm", "limit", 0.02)),
])
def test_recipes_keep_what_they_set_themselves(recipe, given, kept):
    from sanmai.recipes import find_recipe

    *path, value = kept
    found = find_recipe(recipe).config.model_validate(given)
    for name in path:
        found = getattr(found, name)
    assert found == value


def test_what_is_none_against_a_default_is_said_in_a_file_and_on_the_command_line():
    class Limit(Config):
        most: float = 0.1
        where: str | None = None

    class Section(Config):
        limit: Limit | None = None
        kind: Literal["none", "some"] | None = "some"

    class Whole(Config):
        section: Section = Section(limit=Limit())
        name: str | None = "a"

    unset = Whole.read({"section": {"limit": "none"}, "name": "none"})
    assert unset.section.limit is None and unset.name is None and unset.section.kind == "some"
    assert Whole.read(tomllib.loads(unset.to_toml())) == unset
    # A setting to which "none" says something is not unset by it, and a default that is None needs no word.
    assert Whole.read({"section": {"kind": "none"}}).section.kind == "none"
    assert "where" not in Whole().to_toml() and '"none"' not in Whole().to_toml()


def test_a_comparison_can_go_without_its_own_limit_on_harm():
    config = resolve(RECIPES["compare"], None, ["constraints.harm=none", "constraints.kl={limit=0.5}"])
    assert config.constraints.harm is None and RECIPES["compare"].config.read(tomllib.loads(config.to_toml())) == config


def test_one_text_for_a_list_of_texts_is_a_list_of_it():
    """A setting that takes several files, functions or sets takes one as it is."""
    from sanmai.evidence.audit_sets import SourcesConfig

    found = SourcesConfig.read({"safety": "a.jsonl", "general": ["b", "c"]})
    assert (found.safety, found.general) == (("a.jsonl",), ("b", "c"))
    with pytest.raises(InputError, match="valid"):
        SourcesConfig.read({"safety": 3})
