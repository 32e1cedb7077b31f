"""The recipes by name, and how their settings come together."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import inspect
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tomli_w

from sanmai.config import Config, load_values, merge
from sanmai.learn.reward_source import name_of as name_of
from sanmai.older import as_of
from sanmai.policies.text.tiny import EMBEDDED_MODEL, is_embedded
from sanmai.types import InputError

PRESETS = Path(__file__).parent / "presets"
Makes = Literal["policy", "reward model", "data", "scores", "evidence", "stages"]


@dataclass(frozen=True)
class Recipe:
    """All that Sanmai knows of a recipe beside its file: a new one is that file and one of these.

    Functions and classes are named as "module:name" and imported where they are asked for.
    """

    name: str
    config_name: str
    """Class of its settings."""
    run_name: str
    """Called as run(config, out, progress=...), with problems and reward where it has such parameters; the run folder."""
    plan_name: str
    """Called as plan(config, out, measure=...); sentences that say what a run would do."""
    makes: Makes
    """"stages": it is a recipe of recipes, whose folder keeps the stages of all its settings; see pipelines/graph.py."""
    version: int = 1
    """Raised by hand when the same settings give another result: stages of older versions are then done again."""
    cost_name: str | None = None
    """Called as count(workload, config, sources, done): what is left to do of it as a stage; see plan/workload.py."""
    is_shown: bool = False
    """It trains on what it is shown, not on what it samples: its trained tokens are demonstrations'."""
    chooses: bool = False
    """Its folder stands for one of several models, which a gate chose."""

    @property
    def has_stages(self) -> bool:
        return self.makes == "stages"

    @property
    def keeps_checkpoints(self) -> bool:
        """A finished run of it has a checkpoint with a model in it."""
        return self.makes in ("policy", "reward model") and not self.chooses

    @property
    def config(self) -> type[Config]:
        return named(self.config_name)

    def run(self, config: Config, out: Path, *, problems: Any = None, reward: Any = None, **more: Any) -> Path:
        """Run it, or go on with it, in a run folder; the folder.

        Args:
            problems, reward: the caller's own, in place of those that the settings name.

        Raises:
            InputError: it has no use for one of these.
        """
        function = named(self.run_name)
        given = {name: value for name, value in (("problems", problems), ("reward", reward)) if value is not None}
        if unread := [name for name in given if name not in inspect.signature(function).parameters]:
            raise InputError(f"{unread[0]}: the recipe {self.name} reads none but what its settings name")
        return function(config, out, **given, **more)

    def plan(self, config: Config, out: Path, *, measure: bool) -> Iterator[str]:
        return named(self.plan_name)(config, out, measure=measure)


def named(name: str) -> Any:
    """What "module:name" names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _recipe(
    name: str, module: str, config: str, run: str, plan: str, makes: Makes, cost: str | None = None, **more: Any
) -> Recipe:
    """A record whose functions are in `module`, but where another is named before a colon; costs are in plan/workload.py."""
    own = f"sanmai.{module}"
    plan = f"sanmai.{plan}" if ":" in plan else f"{own}:{plan}"
    cost = f"sanmai.plan.workload:{cost}" if cost else None
    return Recipe(name, f"{own}:{config}", f"{own}:{run}", plan, makes, cost_name=cost, **more)


RECIPES = {r.name: r for r in (
    _recipe("r1", "pipelines.r1", "R1Config", "run_r1", "plan.stages:describe_r1", "stages"),
    _recipe("kimi", "pipelines.kimi", "KimiConfig", "run_kimi", "describe_kimi", "stages"),
    _recipe("compare", "pipelines.compare", "CompareConfig", "run_compare", "describe_compare", "stages"),
    _recipe("long2short", "pipelines.long2short", "Long2ShortConfig", "run_long2short", "describe_long2short", "stages"),
    _recipe("expert", "pipelines.expert", "ExpertConfig", "run_expert", "describe_expert", "stages"),
    _recipe("zero", "recipes.zero", "ZeroConfig", "run_zero", "plan.forecast:describe_trained", "policy", "count_zero"),
    _recipe("sft", "recipes.sft", "SftConfig", "run_sft", "plan.forecast:describe_trained", "policy", "count_sft", is_shown=True),
    _recipe("guarded", "pipelines.guarded", "GuardedConfig", "run_guarded", "describe_guarded", "policy", "count_guarded",
            chooses=True),
    _recipe("distill", "recipes.distill", "DistillConfig", "run_distill", "plan.forecast:describe_trained", "policy",
            "count_distill"),
    _recipe("preferences", "recipes.preferences", "PreferencesConfig", "run_preferences",
            "plan.untrained:describe_preferences", "data"),
    _recipe("sample", "recipes.sample", "SampleConfig", "run_sample", "describe_sampling", "data", "count_sample"),
    _recipe("search", "recipes.search", "SearchConfig", "run_search", "describe_search", "data", version=3),
    _recipe("reward", "recipes.reward", "RewardConfig", "run_reward", "describe_reward", "reward model", "count_reward"),
    _recipe("step_labels", "recipes.step_labels", "StepLabelsConfig", "run_step_labels", "describe_step_labels", "data"),
    _recipe("dpo", "recipes.dpo", "DpoConfig", "run_dpo", "describe_dpo", "policy"),
    _recipe("unlearn", "recipes.unlearn", "UnlearnConfig", "run_unlearn", "describe_unlearn", "policy", is_shown=True),
    _recipe("flow", "recipes.flow", "FlowConfig", "run_flow", "plan.flow:describe_flow", "policy", version=3),
    _recipe("flow_evaluate", "recipes.flow_evaluate", "FlowEvaluateConfig", "run_flow_evaluate", "describe_flow_evaluate",
            "scores"),
    _recipe("flow_reward", "recipes.flow_reward", "FlowRewardConfig", "run_flow_reward", "describe_flow_reward", "reward model",
            version=2),
    _recipe("flow_compare", "pipelines.flow_compare", "FlowCompareConfig", "run_flow_compare", "describe_flow_compare", "stages"),
    _recipe("flow_audit", "evidence.clip_audit", "ClipAuditConfig", "run_clip_audit", "describe_clip_audit", "evidence"),
    _recipe("merge", "recipes.merging", "MergeConfig", "run_merge", "describe_merge", "policy"),
    _recipe("long_chains", "recipes.long_chains", "LongChainsConfig", "run_long_chains", "describe_long_chains", "data"),
    _recipe("init", "recipes.init", "InitConfig", "run_init", "describe_init", "data"),
    _recipe("length_pairs", "recipes.length_pairs", "LengthPairsConfig", "run_length_pairs", "describe_length_pairs", "data"),
    _recipe("gather", "recipes.gather", "GatherConfig", "run_gather", "plan.untrained:describe_gather", "data"),
    _recipe("curate", "recipes.curate", "CurateConfig", "run_curate", "describe_curation", "data"),
    _recipe("evaluate", "recipes.evaluate", "EvaluateConfig", "run_evaluate", "plan.untrained:describe_evaluation", "scores",
            "count_evaluate"),
    _recipe("perplexity", "recipes.perplexity", "PerplexityConfig", "run_perplexity", "describe_perplexity", "scores"),
    _recipe("audit", "evidence.audit", "AuditConfig", "run_audit", "describe_audit", "evidence"),
    _recipe("redteam", "evidence.redteam", "RedteamConfig", "run_redteam", "describe_redteam", "evidence"),
    _recipe("certify", "evidence.certify", "CertifyConfig", "run_certify", "describe_certify", "evidence"),
    _recipe("lengthen", "evidence.lengthen", "LengthenConfig", "run_lengthen", "describe_lengthen", "evidence"),
    _recipe("stream", "evidence.stream", "StreamConfig", "run_stream", "describe_stream", "evidence"),
    _recipe("pretrain", "recipes.pretrain", "PretrainConfig", "run_pretrain", "plan.forecast:describe_pretrain", "policy",
            "count_pretrain", is_shown=True),
)}  # fmt: skip


def find_recipe(name: str) -> Recipe:
    """The recipe of that name; InputError names the known ones."""
    if name not in RECIPES:
        near = difflib.get_close_matches(name.lower(), RECIPES, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise InputError(f"recipe {name!r} is not known{hint}; expected one of {', '.join(RECIPES)}")
    return RECIPES[name]


def resolve(
    recipe: Recipe, file: Path | None = None, overrides: Iterable[str] = (), values: Mapping[str, Any] | None = None,
    *, has_problems: bool = False,
) -> Config:
    """The recipe's configuration: defaults, then the preset for the embedded model if it is used, then file, values, overrides.

    Args:
        file: a TOML file, or the name of a preset in recipes/presets/ such as "zero-paper".
        has_problems: the caller brings problems of its own, in place of those that `problems.source` names.
    """
    chosen = load_values(preset_or_file(file), overrides)
    if values:
        chosen = merge(chosen, values)
    named = chosen.get("recipe", recipe.name)
    if named != recipe.name:
        raise InputError(f"{file or 'recipe'}: this configuration is for recipe {named!r}, not {recipe.name!r}")
    stated = {name: value for name, value in chosen.items() if not (has_problems and name == "problems")}
    model = chosen.get("model")
    of_embedded = PRESETS / f"{recipe.name}-{EMBEDDED_MODEL}.toml"
    reads_preset = getattr(recipe.config, "reads_preset", lambda values: True)
    is_of_it = not isinstance(model, Mapping) or is_embedded(model.get("name", EMBEDDED_MODEL))
    if of_embedded.exists() and is_of_it and reads_preset(chosen):
        chosen = merge(load_values(of_embedded), chosen)
    chosen.pop("recipe", None)
    return recipe.config.read(chosen, source=str(file) if file else "settings", stated=stated)


def default_out(recipe: Recipe, config: Config, salt: str = "") -> Path:
    """runs/<recipe>-<digest of the settings>: the same command finds its run again, and other settings another folder.

    A recipe with stages has one folder for all settings: what did not change is found there.
    """
    if recipe.has_stages:
        return Path("runs") / recipe.name
    values = tomllib.loads(config.to_toml())
    folder = Path("runs") / _folder_name(recipe, values, salt)
    return folder if folder.exists() else _made_before(recipe, config, values, salt) or folder


def _made_before(recipe: Recipe, config: Config, values: dict[str, Any], salt: str) -> Path | None:
    """A folder that the same settings had when there were others."""
    for path in sorted(Path("runs").glob(f"{recipe.name}-*/config.toml")):
        try:
            known = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # whoever opens that run says what is wrong with it
        is_same = known.pop("recipe", None) == recipe.name and as_of(config, values, known).values == known
        if is_same and path.parent.name == _folder_name(recipe, known, salt):
            return path.parent
    return None


def _folder_name(recipe: Recipe, values: dict[str, Any], salt: str) -> str:
    """Told apart by the settings, without how many processes train: a run goes on with another number of them."""
    from sanmai.cluster.config import TrainersConfig

    values = dict(values)
    if isinstance(cluster := values.get("cluster"), dict):
        values["cluster"] = {name: value for name, value in cluster.items() if name not in TrainersConfig.without_effect}
        if not values["cluster"]:
            del values["cluster"]
    digest = hashlib.sha256((tomli_w.dumps(values) + salt).encode()).hexdigest()[:8]
    return f"{recipe.name}-{digest}"


def preset_or_file(file: Path | None) -> Path | None:
    """The file, or the preset of that name; InputError where there is neither."""
    if file is None or file.exists():
        return file
    preset = PRESETS / f"{file.name}.toml"
    if len(file.parts) == 1 and preset.exists():
        return preset
    known = ", ".join(sorted(p.stem for p in PRESETS.glob("*.toml")))
    raise InputError(f"{file}: no such configuration file, and no preset of that name (presets: {known})")
