"""Sanmai post-trains reasoning language models in layers of SFT and RL, and shows what that did to them.

import sanmai
sanmai.run("zero", model="path/to/model", problems="problems.jsonl", reward=lambda problem, completion: ...)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sanmai import search as search
from sanmai.types import Credited, Drawn, Graded, Group, InputError, Problem, RunError, SanmaiError, Trace, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = [
    "Credited", "Drawn", "Graded", "Group", "InputError", "Problem", "RunError", "SanmaiError", "Trace", "Verdict", "run",
    "search", "search_problems",
]  # fmt: skip


def run(
    recipe: str,
    *,
    model: str | Path | Mapping[str, Any] | None = None,
    problems: str | Path | Mapping[str, Any] | Sequence[Problem] | None = None,
    reward: Callable[..., Any] | Mapping[str, Callable[..., Any]] | None = None,
    out: str | Path | None = None,
    config: str | Path | None = None,
    since: str | None = None,
    until: str | None = None,
    only: str | None = None,
    guide: Callable[..., Any] | str | Sequence[str] | None = None,
    **settings: Any,
) -> Path:
    """Run a recipe, or go on with it; the run folder, which holds the checkpoints, the rollouts and report.html.

    Args:
        recipe: "r1", "compare", "zero", "sft", "guarded", "dpo", "sample", "curate", "reward", "preferences", "distill",
            "evaluate", "audit", "redteam", ...: those of `sanmai run`.
        model: what `--set model.name=` takes (a folder, a run folder, a hub name, or "tiny"), or settings by name.
        problems: what `--set problems.source=` takes, or settings by name, or a list of problems.
        reward: any callable (problem, completion) -> float, or None for "cannot be graded"; takes the place of the
            accuracy verifier.
        out: the run folder; by default runs/<recipe>-<digest of the settings>.
        config: a TOML file, or a preset's name.
        since, until, only: stages of a recipe that has them: `since` and all that hangs on it is done again, `until` is the
            last that is done, `only` is done alone.
        guide: of the recipe "search": what its setting takes, or any callable (problem, text so far) -> float or None.
        settings: further settings by section, such as num_steps=50, rewards={"language": 0.3}.

    Raises:
        InputError: a setting, file or value that cannot be used.
        RunError: the run cannot go on; its folder holds the last good state.

    Example:
        folder = sanmai.run("zero", num_steps=20, rewards={"language": 0.3})
    """
    from pathlib import Path

    from sanmai.recipes import default_out, find_recipe, name_of, resolve
    from sanmai.report import write_report

    chosen = find_recipe(recipe)
    stages = {name: value for name, value in (("since", since), ("until", until), ("only", only)) if value is not None}
    if stages and not chosen.has_stages:
        name, value = next(iter(stages.items()))
        raise InputError(f"{name} = {value!r}: the recipe {recipe} has no stages; expected one that has, such as r1")
    values = dict(settings)
    guides = {"guide": guide} if callable(guide) else {}
    if guides and recipe != "search":
        raise InputError(f"guide = {guide!r}: the recipe {recipe} has none; expected the recipe search")
    if guide is not None and not guides:
        values["guide"] = guide
    given = None
    if model is not None:
        values["model"] = dict(model) if isinstance(model, Mapping) else {"name": str(model)}
    if isinstance(problems, str | Path | Mapping):
        values["problems"] = dict(problems) if isinstance(problems, Mapping) else {"source": str(problems)}
    elif problems is not None:
        given = list(problems)
        if not all(isinstance(problem, Problem) for problem in given):
            raise InputError("problems: expected a path, settings by name, or a list of sanmai.Problem")
    functions = list(reward.values()) if isinstance(reward, Mapping) else [] if reward is None else [reward]
    if not all(map(callable, functions)) or (isinstance(reward, Mapping) and not functions):
        raise InputError(f"reward = {reward!r}: expected a callable (problem, completion) -> float or None, or several by name")
    resolved = resolve(chosen, Path(config) if config is not None else None, values=values, has_problems=given is not None)
    named = "".join(f"{name_of(function)}" for function in [*functions, *guides.values()])
    salt = (repr(given) if given is not None else "") + named
    folder = Path(out) if out is not None else default_out(chosen, resolved, salt)
    chosen.run(resolved, folder, problems=given, reward=reward, **stages, **guides)
    write_report(folder, defaults=resolve(chosen).model_dump(mode="json"))
    return folder


def search_problems(
    model: str | Path | Mapping[str, Any], problems: str | Path | Mapping[str, Any] | Sequence[Problem], **settings: Any
) -> Path:
    """Search answers to problems; the run folder, with answers.jsonl, search.json and report.html. Also `sanmai.search(...)`.

    Args:
        model, problems: as `run` takes them.
        settings: those of the recipe "search" (strategy, guide, tokens, width, ...); `reward`, `out` and `config` as of `run`.

    Raises:
        InputError, RunError: as `run`.

    Example:
        folder = sanmai.search("runs/r1", "problems.jsonl", strategy="beam", guide="runs/prm", tokens=4000)
    """
    return run("search", model=model, problems=problems, **settings)
