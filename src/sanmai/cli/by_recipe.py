"""Commands that run a recipe: run, sample, search, compare, audit, redteam, lengthen, stream."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from sanmai.cli.app import (
    ConfigFile,
    Model,
    Only,
    Out,
    Overrides,
    Problems,
    ReasoningFiles,
    RecipeName,
    Since,
    Until,
    app,
    given,
    on_problems,
    run_recipe,
    stated_stages,
)
from sanmai.cli.output import answer, say
from sanmai.data.testbeds import EMBEDDED
from sanmai.types import InputError


@app.command()
def run(
    recipe: RecipeName,
    config: ConfigFile = None,
    set_: Overrides = None,
    out: Out = None,
    since: Since = None,
    until: Until = None,
    only: Only = None,
    track: Annotated[
        list[str] | None,
        typer.Option("--track", metavar="NAME", help="Tell a tracker the metrics: tensorboard, wandb, trackio, mlflow."),
    ] = None,
) -> None:
    """Run a recipe. The same command goes on with an interrupted run, or shows a finished one."""
    stages = stated_stages(since=since, until=until, only=only)
    run_recipe(recipe, config, set_, out, stages=stages, tracking=track)


@app.command()
def sample(
    model: Model,
    problems: Problems,
    n: Annotated[int | None, typer.Option("--n", min=1, help="Completions of each problem; 4 by default.")] = None,
    config: ConfigFile = None,
    set_: Overrides = None,
    out: Out = None,
) -> None:
    """Sample, grade and filter completions: data to train on. The recipe "sample", of a file's problems; with a card."""
    run_recipe("sample", config, set_, out, on_problems(model, problems) | given(samples_per_prompt=n))


@app.command()
def search(
    model: Model,
    problems: Problems,
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="best_of_n, beam, dvts, rebase, particles, mcts, revise; several times: compared, paired, with the first.",
        ),
    ] = None,
    guide: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GUIDE",
            help="logp, entropy, agreement, a reward model's folder, FILE.py:FUNCTION; several times: their mean.",
        ),
    ] = None,
    tokens: Annotated[int | None, typer.Option("--tokens", min=1, help="Budget of a problem, all that it costs counted.")] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Completions of best_of_n, places of rebase and particles.")] = None,
    allocate: Annotated[
        int | None,
        typer.Option(min=1, metavar="TOKENS", help="Also say what it is worth to spend so many in the mean, by difficulty."),
    ] = None,
    config: ConfigFile = None,
    set_: Overrides = None,
    out: Out = None,
) -> None:
    """Search answers by many samples or by steps within a budget. Accuracy has intervals, and gold stands beside the guide."""
    stated = given(strategy=strategy, guide=guide, tokens=tokens, width=width, allocate=allocate)
    run_recipe("search", config, set_, out, on_problems(model, problems) | stated)


@app.command()
def compare(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RUN", help="Run folders whose newest evaluations to compare with that of the first."),
    ] = None,
    config: ConfigFile = None,
    set_: Overrides = None,
    out: Out = None,
    since: Since = None,
    until: Until = None,
    only: Only = None,
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE.html", help="Of run folders: write an offline page, with their curves.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Without runs and settings: begin the whole comparison unasked.")] = False,
) -> None:
    """Compare RL, SFT and both at equal cost; or run folders. Over seeds: the recipe "compare"."""
    stages = stated_stages(since=since, until=until, only=only)
    if not runs:
        if page is not None:
            raise InputError("--page goes with run folders; the recipe writes its own report.html")
        if not (yes or config or set_ or stages):
            _ask_before_all(out)
        run_recipe("compare", config, set_, out, stages=stages)
        return
    if config or set_ or out or stages:
        raise InputError("--config, --set, --out, --from, --until and --only belong to the recipe: name no run folders with them")
    from sanmai.report.compare_page import compared_data, write_compare_page
    from sanmai.report.compare_runs import compare_runs

    lines = compare_runs(runs)
    if page is not None:
        lines.append(f"Page: {write_compare_page(runs, page)}")
    answer(lines, findings=compared_data(runs), page=None if page is None else str(page))


def _ask_before_all(out: Path | None) -> None:
    """Say what the bare command would begin, and ask; InputError where nobody can be asked, Exit where the answer is no."""
    import sys

    from sanmai.recipes import default_out, find_recipe, resolve

    recipe = find_recipe("compare")
    settings = resolve(recipe, None, [])
    folder = out or default_out(recipe, settings)
    if folder.exists():  # the same command goes on
        return
    for line in recipe.plan(settings, folder, measure=False):
        say(line)
    say("On two cores it took some 17 minutes (docs/results.md). Runs that there are: sanmai compare RUN RUN.")
    if not sys.stdin.isatty():
        raise InputError("sanmai compare: no run folders are named, and nobody is here to ask; --yes begins the whole comparison")
    if not typer.confirm(f"Begin it, in {folder}?", err=True):
        raise typer.Exit(1)


@app.command()
def audit(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="tiny, a model folder, a run folder, a hub name, or URL#NAME of a served one.")
    ],
    before: Annotated[
        str | None, typer.Option(metavar="MODEL", help="A model to compare with: the one that training began with.")
    ] = None,
    reasoning: ReasoningFiles = None,
    ood: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Problems of other forms than training looked at.")
    ] = None,
    safety: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Dangerous requests, such as HarmBench or MultiJail.")
    ] = None,
    general: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Harmless requests, such as XSTest (with its contrasts).")
    ] = None,
    lengthen: Annotated[
        Path | None, typer.Option(metavar="RUN", help="A run of `sanmai lengthen` on MODEL, to claim of its attack too.")
    ] = None,
    texts: Annotated[
        bool, typer.Option("--texts/--no-texts", help="Show the worst samples' texts in the page, hidden until clicked.")
    ] = True,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 unless every claim holds.")] = False,
    inspect: Annotated[
        Path | None,
        typer.Option("--inspect", metavar="FILE.json", help="Also write it as a log of inspect_ai, with all texts."),
    ] = None,
    config: ConfigFile = None,
    set_: Overrides = None,
    out: Out = None,
) -> None:
    """Measure a model against stated claims: its safety case. It is written as audit.json and report.html."""
    from sanmai.evidence.audit_sets import knows_world
    from sanmai.evidence.clip_audit import is_flow_run
    from sanmai.evidence.inspect_log import check_place, write_inspect_log

    sources = given(reasoning=reasoning, reasoning_ood=ood, safety=safety, general=general)
    if is_flow_run(model):
        if before or sources or lengthen is not None or inspect is not None:
            raise InputError(f"{model}: a run of flow is compared with what it began with, on its own prompts")
        folder = run_recipe("flow_audit", config, set_, out, {"run": model})
        _exit_unless_it_holds(folder / "flow_audit.json", strict)
        return
    if inspect is not None:
        check_place(inspect)
    values = {"model": {"name": model}} | given(before=before, sources=sources, lengthen=lengthen)
    if config is None and knows_world(model):
        config = Path("audit-tiny")
    folder = run_recipe("audit", config, set_, out, values, options={"texts": texts})
    if inspect is not None and (folder / "audit.json").exists():
        say(f"Log of inspect_ai, with all texts: {write_inspect_log(folder, inspect)}")
    _exit_unless_it_holds(folder / "audit.json", strict)


def _exit_unless_it_holds(case: Path, strict: bool) -> None:
    if strict and json.loads(case.read_text(encoding="utf-8"))["verdict"] != "holds":
        raise typer.Exit(3)


_AIMS = {"harm": "redteam", "length": "lengthen"}
"""What the red team looks for, and the recipe that does it."""


@app.command()
def redteam(
    model: Model,
    problems: Annotated[
        str, typer.Argument(metavar="PROBLEMS", help="Dangerous requests: a file or folder, hub:NAME, or world.")
    ] = EMBEDDED,
    aim: Annotated[
        str, typer.Option(metavar="AIM", help="harm, or length: words that make it think longer, of problems with answers.")
    ] = "harm",
    config: ConfigFile = None,
    set_: Overrides = None,
    out: Out = None,
) -> None:
    """Search for prompts that break a model in many ways. Writes an archive, and prompts to train and measure on."""
    if aim not in _AIMS:
        raise InputError(f"--aim {aim}: expected {' or '.join(_AIMS)}")
    run_recipe(_AIMS[aim], config, set_, out, on_problems(model, problems))


@app.command()
def lengthen(
    model: Model,
    problems: Annotated[
        str, typer.Argument(metavar="PROBLEMS", help="Problems with answers: a file or folder, hub:NAME, or world.")
    ] = EMBEDDED,
    transfer: Annotated[
        list[str] | None, typer.Option(metavar="MODEL", help="Put the same texts to another model too; several times for more.")
    ] = None,
    config: ConfigFile = None,
    set_: Overrides = None,
    out: Out = None,
) -> None:
    """Search for words that make a model think longer. Measures what a budget and a detector do about it."""
    run_recipe("lengthen", config, set_, out, on_problems(model, problems) | given(transfer=transfer))


@app.command()
def stream(
    model: Model,
    reasoning: ReasoningFiles = None,
    safety: Annotated[list[str] | None, typer.Option(metavar="FILE", help="Dangerous requests.")] = None,
    general: Annotated[list[str] | None, typer.Option(metavar="FILE", help="Harmless requests.")] = None,
    release: Annotated[
        bool, typer.Option("--release", help="Meet the sealed families too: a look that is recorded, and only the first counts.")
    ] = False,
    config: ConfigFile = None,
    set_: Overrides = None,
    out: Out = None,
) -> None:
    """Meet, one by one, perturbations that nobody trained for. Says what survives first contact."""
    sources = given(reasoning=reasoning, safety=safety, general=general)
    run_recipe("stream", config, set_, out, {"model": {"name": model}} | given(sources=sources, release=release))
