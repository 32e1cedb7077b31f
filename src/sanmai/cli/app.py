"""What the commands share: the application, the options that several have, a run with its lines and its report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sanmai.cli.output import OUT, Verbs, console, say
from sanmai.types import InputError

EXIT_CODES = (
    "Exit codes: 0 done; 1 the run cannot go on, the disk or memory is full, or of an evaluation nothing could be graded; "
    "2 bad input, in one sentence; "
    "3 `audit --strict`, and not every claim holds; 130 interrupted, 143 ended by SIGTERM: what was done is saved."
)

app = Verbs(
    help="Post-train reasoning language models in layers of SFT and RL, and see what it did.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _recipes(incomplete: str) -> list[str]:
    from sanmai.recipes import RECIPES

    return [name for name in RECIPES if name.startswith(incomplete)]


def _show_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        typer.echo(f"sanmai {version('sanmai')}")
        raise typer.Exit


@app.callback()
def _app(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


RecipeName = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE", help="r1, kimi, compare, guarded, zero, sft, sample, ... (a wrong name lists all).",
        autocompletion=_recipes,
    ),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="TOML file, or a preset's name such as zero-paper.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One setting on top, such as rewards.language=0.3."),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Run folder; by default runs/RECIPE-<digest of the settings>."),
]

Since = Annotated[
    str | None,
    typer.Option("--from", metavar="STAGE", help="Do this stage again, and all that hangs on it (r1, kimi, compare, ...)."),
]
Until = Annotated[str | None, typer.Option("--until", metavar="STAGE", help="Stop after this stage.")]
Only = Annotated[str | None, typer.Option("--only", metavar="STAGE", help="Do this stage alone.")]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="tiny, a model folder, a run folder, or a hub name.")]
Problems = Annotated[str, typer.Argument(metavar="PROBLEMS", help="world, a file or folder of problems, or hub:NAME.")]
ReasoningFiles = Annotated[
    list[str] | None, typer.Option(metavar="FILE", help="Problems with answers; may be given several times, as those below.")
]
Device = Annotated[str, typer.Option(help="cpu, cuda or mps.")]
OfAllSettings = Annotated[
    bool, typer.Option("--all", help="Also the settings that are read only under conditions that do not hold.")
]
Host = Annotated[str, typer.Option(help="Address to listen on; one that others can reach asks for a token.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")]
Token = Annotated[
    str | None, typer.Option(help="What a browser must give, also on this machine; made up where the address needs one.")
]


def run_recipe(
    recipe: str,
    config: Path | None,
    overrides: list[str] | None,
    out: Path | None,
    values: dict | None = None,
    stages: dict[str, str] | None = None,
    options: dict[str, Any] | None = None,
    tracking: list[str] | None = None,
) -> Path:
    """Run a recipe with its lines on the console, then write its report; the run folder.

    Args:
        values: settings that the command line has names of its own for.
        stages: which of a pipeline's stages to do.
        options: what the recipe takes beside its settings.
        tracking: names of trackers that are told the metrics.
    """
    from sanmai.cluster.trainers import follows
    from sanmai.learn.progress import Progress
    from sanmai.recipes import default_out, find_recipe, resolve
    from sanmai.train.stops import TERMINATED, Terminated, ending_at_sigterm

    chosen = find_recipe(recipe)
    if stages and not chosen.has_stages:
        option = {"since": "from"}.get(name := next(iter(stages)), name)
        raise InputError(f"--{option} {stages[name]}: the recipe {recipe} has no stages; expected one that has, such as r1")
    settings = resolve(chosen, config, overrides or [], values)
    folder = out or default_out(chosen, settings)
    listeners = []
    if tracking:
        from sanmai.desk.trackers import Tracking

        listeners = [Tracking(tracking)]
    if follows():
        raise typer.Exit
    progress = Progress(console(), listeners)
    try:
        with ending_at_sigterm():
            progress.say(f"Run folder: {folder}")
            chosen.run(settings, folder, progress=progress, **(stages or {}), **(options or {}))
    except (KeyboardInterrupt, Terminated) as stop:
        progress.close()
        if not progress.was_interrupted:  # outside a step, or the second signal
            progress.say(_stopped(folder, does_again=bool(stages and "since" in stages)))
        elif isinstance(stop, KeyboardInterrupt):  # who sends SIGTERM waits for no report
            progress.say(f"Report: {write_report_and_say(folder, recipe)}")
        # So that a shell's `&&` does not take it for finished.
        raise typer.Exit(TERMINATED if isinstance(stop, Terminated) else 130) from None
    finally:
        progress.close()
        for listener in listeners:
            listener.close()
    progress.say(f"Report: {write_report_and_say(folder, recipe)}")
    exit_where_nothing_is_graded(folder)
    return folder


def exit_where_nothing_is_graded(folder: Path) -> None:
    """End with 1 where a run's last evaluation could grade nothing of what it asked for: so that a script stops there."""
    from sanmai.report.ungraded import events_of, graded_nothing

    if graded_nothing(events_of(folder)):
        raise typer.Exit(1)


def _stopped(folder: Path, *, does_again: bool) -> str:
    """What an interrupted run leaves behind.

    Args:
        does_again: the command names a stage to do again, which would lose what it has done of it.
    """
    from sanmai.policies.text.checkpoints import newest_good_checkpoint
    from sanmai.report.pipeline import is_pipeline, load_pipeline
    from sanmai.report.pipeline_text import state_sentence

    if is_pipeline(folder):
        command = "The same command without --from" if does_again else "The same command"
        return f"Stopped. {state_sentence(load_pipeline(folder))} {command} goes on from there."
    saved = newest_good_checkpoint(folder)
    return f"Stopped. {f'The newest checkpoint is {saved}.' if saved else 'Nothing was saved yet.'}"


def write_report_and_say(folder: Path, recipe: str | None) -> Path:
    """Write the report and print its headline numbers; the report's path."""
    from sanmai.recipes import RECIPES, find_recipe, resolve
    from sanmai.report import summarise, write_report
    from sanmai.train.runs import storing

    defaults = resolve(find_recipe(recipe)).model_dump(mode="json") if recipe in RECIPES else None
    with storing(folder / "report.html"):
        path = write_report(folder, defaults=defaults)
    found = summarise(folder)
    for line in found["lines"]:
        say(line)
    OUT.answers = {"folder": str(folder), "recipe": recipe, "report": str(path), **found}
    for name in ("redteam.html", "curation.html"):
        if (folder / name).exists():
            say(f"What it decided: {folder / name}")
    return path


def given(**values: Any) -> dict[str, Any]:
    """What the command line states of these settings: those that are neither absent nor empty."""
    return {name: value for name, value in values.items() if value}


def stated_stages(**names: str | None) -> dict[str, str]:
    """Which stages the command line chooses; an empty name is one that there is none of, and not a way to run all."""
    return {option: name for option, name in names.items() if name is not None}


def on_problems(model: str, problems: str) -> dict[str, Any]:
    """The settings of a recipe that asks a model a source's problems."""
    return {"model": {"name": model}, "problems": {"source": problems}}
