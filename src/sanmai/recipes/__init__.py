"""The recipes by name, and how their settings come together."""

from __future__ import annotations

import difflib
import hashlib
import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sanmai.config import Config, load_values, merge
from sanmai.learn.reward_source import name_of as name_of
from sanmai.types import InputError

RECIPES = {
    "r1": ("sanmai.pipelines.r1", "R1Config", "run_r1"),
    "kimi": ("sanmai.pipelines.kimi", "KimiConfig", "run_kimi"),
    "compare": ("sanmai.pipelines.compare", "CompareConfig", "run_compare"),
    "long2short": ("sanmai.pipelines.long2short", "Long2ShortConfig", "run_long2short"),
    "zero": ("sanmai.recipes.zero", "ZeroConfig", "run_zero"),
    "sft": ("sanmai.recipes.sft", "SftConfig", "run_sft"),
    "guarded": ("sanmai.pipelines.guarded", "GuardedConfig", "run_guarded"),
    "distill": ("sanmai.recipes.distill", "DistillConfig", "run_distill"),
    "preferences": ("sanmai.recipes.preferences", "PreferencesConfig", "run_preferences"),
    "sample": ("sanmai.recipes.sample", "SampleConfig", "run_sample"),
    "reward": ("sanmai.recipes.reward", "RewardConfig", "run_reward"),
    "dpo": ("sanmai.recipes.dpo", "DpoConfig", "run_dpo"),
    "merge": ("sanmai.recipes.merging", "MergeConfig", "run_merge"),
    "long_chains": ("sanmai.recipes.long_chains", "LongChainsConfig", "run_long_chains"),
    "length_pairs": ("sanmai.recipes.length_pairs", "LengthPairsConfig", "run_length_pairs"),
    "gather": ("sanmai.recipes.gather", "GatherConfig", "run_gather"),
    "curate": ("sanmai.recipes.curate", "CurateConfig", "run_curate"),
    "evaluate": ("sanmai.recipes.evaluate", "EvaluateConfig", "run_evaluate"),
    "audit": ("sanmai.evidence.audit", "AuditConfig", "run_audit"),
    "redteam": ("sanmai.evidence.redteam", "RedteamConfig", "run_redteam"),
    "pretrain": ("sanmai.recipes.pretrain", "PretrainConfig", "run_pretrain"),
}
_PIPELINES = ("r1", "kimi", "compare", "long2short")
PRESETS = Path(__file__).parent / "presets"


@dataclass(frozen=True)
class Recipe:
    name: str
    config: type[Config]
    run: Callable[..., Path]

    @property
    def has_stages(self) -> bool:
        """It is a recipe of recipes, whose folder keeps the stages of all its settings; see pipelines/graph.py."""
        return self.name in _PIPELINES


def find_recipe(name: str) -> Recipe:
    """The recipe of that name; InputError names the known ones."""
    if name not in RECIPES:
        near = difflib.get_close_matches(name.lower(), RECIPES, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise InputError(f"recipe {name!r} is not known{hint}; expected one of {', '.join(RECIPES)}")
    module_name, config, run = RECIPES[name]
    module = importlib.import_module(module_name)
    return Recipe(name, getattr(module, config), getattr(module, run))


def resolve(
    recipe: Recipe, file: Path | None = None, overrides: Iterable[str] = (), values: Mapping[str, Any] | None = None,
    *, has_problems: bool = False,
) -> Config:
    """The recipe's configuration: defaults, then the preset for the embedded model if it is used, then file, values, overrides.

    Args:
        file: a TOML file, or the name of a preset in recipes/presets/ such as "zero-paper".
        has_problems: the caller brings problems of its own, in place of those that `problems.source` names.
    """
    chosen = load_values(_preset_or_file(file), overrides)
    if values:
        chosen = merge(chosen, values)
    named = chosen.get("recipe", recipe.name)
    if named != recipe.name:
        raise InputError(f"{file or 'recipe'}: this configuration is for recipe {named!r}, not {recipe.name!r}")
    stated = {name: value for name, value in chosen.items() if not (has_problems and name == "problems")}
    model = chosen.get("model")
    tiny_preset = PRESETS / f"{recipe.name}-tiny.toml"
    if tiny_preset.exists() and (not isinstance(model, Mapping) or model.get("name", "tiny") == "tiny"):
        chosen = merge(load_values(tiny_preset), chosen)
    chosen.pop("recipe", None)
    return recipe.config.read(chosen, source=str(file) if file else "settings", stated=stated)


def default_out(recipe: Recipe, config: Config, salt: str = "") -> Path:
    """runs/<recipe>-<digest of the settings>: the same command finds its run again, and other settings another folder.

    A recipe with stages has one folder for all settings: what did not change is found there.
    """
    if recipe.has_stages:
        return Path("runs") / recipe.name
    digest = hashlib.sha256((config.to_toml() + salt).encode()).hexdigest()[:8]
    return Path("runs") / f"{recipe.name}-{digest}"


def _preset_or_file(file: Path | None) -> Path | None:
    if file is None or file.exists():
        return file
    preset = PRESETS / f"{file.name}.toml"
    if len(file.parts) == 1 and preset.exists():
        return preset
    known = ", ".join(sorted(p.stem for p in PRESETS.glob("*.toml")))
    raise InputError(f"{file}: no such configuration file, and no preset of that name (presets: {known})")
