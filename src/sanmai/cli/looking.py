"""Commands that tell of a run or of this machine and train nothing: plan, doctor, report, cost, init, schema, watch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sanmai.cli.app import (
    ConfigFile,
    Host,
    OfAllSettings,
    Out,
    Overrides,
    Port,
    RecipeName,
    Token,
    app,
    write_report_and_say,
)
from sanmai.cli.output import OUT, answer, answer_console, answer_data, dumped, say
from sanmai.policies.text.tiny import EMBEDDED_MODEL
from sanmai.types import InputError, no_run


@app.command()
def plan(
    recipe: RecipeName,
    config: ConfigFile = None,
    set_: Overrides = None,
    out: Out = None,
    show_settings: Annotated[
        bool, typer.Option("--settings", help="List the settings that would be read, with value and meaning, instead.")
    ] = False,
    show_all: OfAllSettings = False,
    measure: Annotated[
        bool, typer.Option(help="Predict time and memory from some 5 seconds of real work on this machine (zero, r1).")
    ] = True,
) -> None:
    """Say in words what a run would do and take, without doing it."""
    from sanmai.config import settings_in_force
    from sanmai.plan.forecast import describe
    from sanmai.recipes import default_out, find_recipe, resolve

    chosen = find_recipe(recipe)
    settings = resolve(chosen, config, set_ or [])
    if show_settings or show_all:
        shown = list(settings_in_force(settings, show_all=show_all))
        hidden = len(list(settings_in_force(settings, show_all=True))) - len(shown)
        lines = [f"{name} = {value!r}\n    {meaning}" for name, value, meaning in shown]
        note = f"{hidden} settings more are read only under conditions that do not hold here: --all lists them too."
        names = ("name", "value", "meaning")
        answer([*lines, note] if hidden else lines, settings=[dict(zip(names, one, strict=True)) for one in shown])
        return
    folder = out or default_out(chosen, settings)
    answer(describe(chosen, settings, folder, measure=measure), recipe=recipe, folder=str(folder))


@app.command()
def doctor(
    replay: Annotated[
        Path | None,
        typer.Option("--replay", metavar="BUNDLE", help="Compute a failed step again and show where it broke."),
    ] = None,
    show_mask: Annotated[
        Path | None,
        typer.Option("--show-mask", metavar="FILE", help="Show which tokens of a demonstration in this file are trained."),
    ] = None,
    model: Annotated[str, typer.Option(metavar="MODEL", help="Whose tokenizer --show-mask uses.")] = EMBEDDED_MODEL,
    row: Annotated[int, typer.Option(min=0, help="Which demonstration --show-mask shows, counted from 0.")] = 0,
    rewards: Annotated[
        bool, typer.Option("--rewards", help="Try exploits on the reward of recipe zero's settings, before training.")
    ] = False,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Try the samplers of recipe zero's settings: a push, a canary, a kill.")
    ] = False,
    config: ConfigFile = None,
    set_: Overrides = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Where findings are written as JSON; - is standard output.")
    ] = None,
) -> None:
    """Say what works on this machine, or why a step failed. Also what of a demonstration is learned, how a reward is tricked."""
    from sanmai.desk.doctor import examine, replay_lines
    from sanmai.desk.show_mask import print_mask

    if rewards:
        from sanmai.desk.exploits import print_rewards

        if replay or show_mask or cluster:
            raise InputError("--rewards goes with --config, --set and --json alone")
        print_rewards(config, set_ or [], answer_console(), json_file)
        return
    if (config or set_) and not cluster:
        raise InputError("--config and --set belong to --rewards and --cluster")
    if cluster and (replay or show_mask):
        raise InputError("--cluster goes with --config, --set and --json alone")
    if show_mask:
        print_mask(show_mask, model, row, answer_console())
        return
    if cluster:
        from sanmai.desk.cluster import cluster_lines

        lines = cluster_lines(config, set_ or [])
    else:
        lines = replay_lines(replay) if replay else examine()
    if json_file is not None:
        found = dumped({"lines": list(lines)})
        typer.echo(found) if str(json_file) == "-" else json_file.write_text(found + "\n", encoding="utf-8")
        return
    answer(lines)


@app.command()
def report(folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]) -> None:
    """Write a run folder's report.html anew."""
    import tomllib

    if not (folder / "config.toml").is_file():
        raise no_run(folder)
    try:
        recipe = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8")).get("recipe")
    except (OSError, ValueError):  # the report says itself what of the folder cannot be read
        recipe = None
    say(f"Report: {write_report_and_say(folder, recipe)}")


@app.command()
def cost(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a pipeline's.")],
    price_per_hour: Annotated[
        float | None, typer.Option("--price-per-hour", metavar="X", help="What an hour of the machine costs, in any currency.")
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option("--target", metavar="METRIC>=X", help="Cost to reach this, such as eval/accuracy>=0.8; several: all."),
    ] = None,
) -> None:
    """Say what a run cost, and what that bought. Tokens, operations, time, energy and money, of a pipeline too."""
    from sanmai.report.cost_table import CostReport

    found = CostReport(folder, price_per_hour=price_per_hour, targets=target or [])
    if OUT.as_json:
        answer_data(found.to_json())
    else:
        found.print(answer_console())


@app.command()
def init(
    recipe: RecipeName,
    config: ConfigFile = None,
    set_: Overrides = None,
    show_all: OfAllSettings = False,
) -> None:
    """Print a recipe's settings as a commented TOML file. To begin with: sanmai init zero > zero.toml."""
    from sanmai.desk.settings import settings_file
    from sanmai.recipes import find_recipe

    answer(settings_file(find_recipe(recipe), config, set_ or [], show_all=show_all), recipe=recipe)


@app.command()
def schema(recipe: RecipeName) -> None:
    """Print the JSON schema of a recipe's settings, for editors. They complete and explain while a TOML file is written."""
    from sanmai.desk.settings import settings_schema
    from sanmai.recipes import find_recipe

    answer_data(settings_schema(find_recipe(recipe)))


@app.command()
def watch(
    folder: Annotated[
        Path, typer.Argument(metavar="RUN|FOLDER", help="A run folder, a pipeline's, or one with run folders in it.")
    ] = Path("runs"),
    host: Host = "127.0.0.1",
    port: Port = 8484,
    token: Token = None,
) -> None:
    """Serve the report while runs go on, several side by side. Curves, samples, limits and alarms; it only reads."""
    from sanmai.report.watch import watch as serve_pages

    serve_pages(folder, host=host, port=port, token=token, say=lambda line: typer.echo(line, err=OUT.as_json))
