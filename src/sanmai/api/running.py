"""Starting and going on with runs from Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sanmai.api.run import Run, own_problems
from sanmai.types import InputError

Callback = Callable[[int, dict[str, float]], bool | None]
"""Called with step and metrics after every step, step 0 (the evaluation before training) among them; False stops the run there,
saved as after Ctrl-C."""


def run(
    recipe: str,
    *,
    model: Any = None,
    problems: Any = None,
    reward: Callable[..., Any] | Mapping[str, Callable[..., Any]] | None = None,
    out: str | Path | None = None,
    config: str | Path | None = None,
    since: str | None = None,
    until: str | None = None,
    only: str | None = None,
    guide: Callable[..., Any] | str | Sequence[str] | None = None,
    quiet: bool = False,
    callbacks: Callback | Sequence[Callback] = (),
    tracking: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Run:
    """Run a recipe, or go on with it; the run, with its report.html written.

    Interrupting the kernel or Ctrl-C ends it after the step at hand, saved; the same call goes on from there.

    Args:
        recipe: "r1", "compare", "zero", "sft", "guarded", "dpo", "sample", "curate", "reward", "preferences", "distill",
            "evaluate", "audit", "redteam", ...: those of `sanmai run`.
        model: what `--set model.name=` takes (a folder, a run, a hub name, or "tiny"), or settings by name.
        problems: what `--set problems.source=` takes, or settings by name; or problems themselves: a list of sanmai.Problem or of
            dictionaries (the columns of docs/data.md), or a `datasets` object.
        reward: any callable (problem, completion) -> float, or None for "cannot be graded"; or several by name. Takes the place
            of the accuracy verifier.
        out: the run folder; by default runs/<recipe>-<digest of the settings>.
        config: a TOML file, or a preset's name.
        since, until, only: stages of a recipe that has them: `since` and all that hangs on it is done again, `until` is the
            last that is done, `only` is done alone.
        guide: of the recipe "search": what its setting takes, or any callable (problem, text so far) -> float or None.
        quiet: show no progress.
        callbacks: called after every step, one or several.
        tracking: trackers that are told the metrics: "tensorboard", "wandb", "trackio", "mlflow"; see docs/watch.md.
        options: what the recipe takes beside its settings, as the verbs of the command line pass it.
        settings: further settings by section, such as num_steps=50, rewards={"language": 0.3}.

    Raises:
        InputError: a setting, file or value that cannot be used.
        RunError: the run cannot go on; its folder holds the last good state.
        KeyboardInterrupt: it was interrupted; what was done is saved.

    Example:
        run = sanmai.run("zero", num_steps=20, rewards={"language": 0.3}, callbacks=lambda step, m: m["reward/mean"] < 0.9)
    """
    from sanmai.cluster.trainers import follows
    from sanmai.recipes import default_out, find_recipe, name_of, resolve

    chosen = find_recipe(recipe)
    stages = {name: value for name, value in (("since", since), ("until", until), ("only", only)) if value is not None}
    if stages and not chosen.has_stages:
        name, value = next(iter(stages.items()))
        raise InputError(f"{name} = {value!r}: the recipe {recipe} has no stages; expected one that has, such as r1")
    guides = {"guide": guide} if callable(guide) else {}
    if guides and recipe != "search":
        raise InputError(f"guide = {guide!r}: the recipe {recipe} has none; expected the recipe search")
    is_own = problems is not None and not isinstance(problems, str | Path | Run | Mapping)
    values = _values(settings, model, None if is_own else problems, None if guides else guide)
    functions = _functions(reward)
    resolved = resolve(chosen, Path(config) if config is not None else None, values=values, has_problems=is_own)
    rewards = getattr(resolved, "rewards", None)
    needs_answer = reward is None and bool(getattr(rewards, "needs_answers", False))
    given = own_problems(problems, needs_answer) if is_own else None
    named = "".join(f"{name_of(function)}" for function in [*functions, *guides.values()])
    salt = (repr(given) if given is not None else "") + named
    folder = Path(out) if out is not None else default_out(chosen, resolved, salt)
    more: dict[str, Any] = {**stages, **guides, **(options or {})}
    if follows():  # another process is the one that goes on with what comes next
        raise SystemExit(0)
    _carry_out(
        lambda progress: chosen.run(resolved, folder, problems=given, reward=reward, progress=progress, **more),
        folder, quiet, callbacks, tracking, resolve(chosen).model_dump(mode="json"),
    )  # fmt: skip
    return Run(folder)


def _carry_out(
    work: Callable[[Any], object], folder: Path, quiet: bool, callbacks: Callback | Sequence[Callback], tracking: Sequence[str],
    defaults: dict[str, Any],
) -> None:
    """Do it, watched by progress, callbacks and trackers; the report is written where it ended and where it was interrupted."""
    from sanmai.api.show import progress_here
    from sanmai.desk.trackers import Tracking
    from sanmai.report import write_report

    told = _Callbacks(callbacks)
    trackers = [Tracking([tracking] if isinstance(tracking, str) else tracking)] if tracking else []
    progress = progress_here(quiet, [*trackers, *([told] if told.functions else [])])
    progress.say(f"Run folder: {folder}")
    try:
        work(progress)
    except KeyboardInterrupt:
        if progress.was_interrupted:
            write_report(folder, defaults=defaults)
        if not told.has_stopped:
            raise
    finally:
        progress.close()
        for tracker in trackers:
            tracker.close()
    write_report(folder, defaults=defaults)


def _values(settings: Mapping[str, Any], model: Any, problems: Any, guide: Any) -> dict[str, Any]:
    """Settings by section, with those that have a place of their own in the call; None is left out."""
    values = dict(settings)
    if guide is not None:
        values["guide"] = guide
    if model is not None:
        values["model"] = dict(model) if isinstance(model, Mapping) else {"name": str(model)}
    if problems is not None:
        values["problems"] = dict(problems) if isinstance(problems, Mapping) else {"source": str(problems)}
    return values


def _functions(reward: Any) -> list[Callable[..., Any]]:
    """The functions of a reward: one, several by name, or none."""
    functions = list(reward.values()) if isinstance(reward, Mapping) else [] if reward is None else [reward]
    if not all(map(callable, functions)) or (isinstance(reward, Mapping) and not functions):
        raise InputError(f"reward = {reward!r}: expected a callable (problem, completion) -> float or None, or several by name")
    return functions


def resume(
    run_folder: str | Path | Run, *, problems: Any = None, reward: Any = None, quiet: bool = False,
    callbacks: Callback | Sequence[Callback] = (), **settings: Any,
) -> Run:
    """Go on with a run where it is: the call that made it, with its own settings; a finished one is left as it is.

    Args:
        problems, reward: again what it was given, where that was no file; a run from something else is refused.
        settings: a length that is to be raised, such as num_steps=200.

    Raises:
        InputError, RunError, KeyboardInterrupt: as `run`.
    """
    from sanmai.config import merge

    begun = Run(run_folder)
    values = {name: value for name, value in merge(begun.config, settings).items() if name != "recipe"}
    files = values.pop("problems", None)
    if isinstance(problems, str | Path):
        raise InputError("problems: a run goes on with the files that it began with; expected problems of your own, or none")
    given = files if problems is None else problems
    return run(begun.recipe, out=begun.folder, problems=given, reward=reward, quiet=quiet, callbacks=callbacks, **values)


class _Callbacks:
    """A listener of train/runs.py that tells functions of the caller."""

    def __init__(self, functions: Any) -> None:
        self.functions: list[Callback] = [functions] if callable(functions) else list(functions)
        self.has_stopped = False
        if not all(map(callable, self.functions)):
            raise InputError(f"callbacks = {functions!r}: expected a function (step, metrics), or a list of such")

    def __call__(self, run: Any, step: int, metrics: Mapping[str, float]) -> bool:
        says = [function(step, dict(metrics)) for function in self.functions]
        self.has_stopped = self.has_stopped or any(said is False for said in says)
        return not self.has_stopped
