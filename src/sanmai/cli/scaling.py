"""The command that plays a run on many machines: sanmai scale."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sanmai.cli.app import Overrides, app
from sanmai.cli.output import OUT, answer, answer_data


@app.command()
def scale(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|MODEL",
            help="A finished run of zero; or a model: a folder, config.json, hub name, or "
            "layers=32,width=4096,heads=32,kv_heads=8,ffn=14336,vocabulary=128256.",
        ),
    ],
    gpu: Annotated[
        str | None,
        typer.Option(help="a100, h100, h200, ...: computed from its data sheet. Without it: machines like the run's own."),
    ] = None,
    gpus: Annotated[list[int] | None, typer.Option("--gpus", min=2, help="Number of GPUs (or machines); several times.")] = None,
    staleness: Annotated[
        list[int] | None, typer.Option(min=0, help="Steps that rollouts are written ahead of training; several times.")
    ] = None,
    price: Annotated[float | None, typer.Option(min=0, help="Of a GPU and hour, in any currency.")] = None,
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="TOML file of settings.")] = None,
    set_: Overrides = None,
    settings: Annotated[bool, typer.Option("--settings", help="List the settings with value and meaning, instead.")] = False,
) -> None:
    """Predict a run on many GPUs: memory, tokens/s, cost. Samplers per trainer, what staleness gains, what a death costs."""
    from sanmai.config import describe_settings, load_values, merge
    from sanmai.plan.scale.settings import ScaleConfig
    from sanmai.plan.scale.table import legend, row_data, scale_of, table_lines

    stated = {"gpus": gpus, "staleness": staleness, "price": price}
    values = {name: value for name, value in stated.items() if value is not None and value != []}
    chosen = ScaleConfig.read(merge(values, load_values(config, set_ or [])), str(config) if config else "settings")
    if settings:
        shown = list(describe_settings(chosen))
        answer((f"{name} = {value!r}\n    {meaning}" for name, value, meaning in shown), settings=[one[:2] for one in shown])
        return
    found = scale_of(what, chosen, gpu)
    if OUT.as_json:
        rows = [row_data(row, chosen) for row in found.rows()]
        answer_data({"assumptions": found.assumptions, **found.data, "settings": chosen.model_dump(mode="json"), "rows": rows})
        return
    answer(found.assumptions)
    answer([""])
    answer(table_lines(found.rows(), found))
    answer(["", legend(chosen, found.unit)])
