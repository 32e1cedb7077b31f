"""Commands around a model in use: it is served, its prompts advised on, its traffic watched, its answers compared."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sanmai.cli.app import Device, Host, Port, Token, app
from sanmai.cli.output import OUT, answer, answer_data, say
from sanmai.data.testbeds import EMBEDDED
from sanmai.terminal import printable
from sanmai.types import InputError

if TYPE_CHECKING:
    from sanmai.serve.server import Settings

Filter = Annotated[
    str | None,
    typer.Option("--filter", metavar="REVIEWER", help="Risk filter: rules, world, FOLDER of a reward model, URL#MODEL."),
]
WordLists = Annotated[
    list[str] | None, typer.Option(metavar="LIST", help="Word lists of stage one: en, zh, ... or a file; all by default.")
]


@app.command()
def serve(
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="tiny, a model folder, a run folder, or a hub name.")
    ] = None,
    upstream: Annotated[
        str | None, typer.Option(metavar="URL", help="Stand before this OpenAI-compatible server, such as http://HOST:PORT/v1.")
    ] = None,
    upstream_key: Annotated[
        str | None, typer.Option(metavar="VARIABLE", help="Environment variable that holds the upstream's API key.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What clients call the model; by default its folder or name.")] = None,
    host: Annotated[str, typer.Option(help="Another address than this machine's own needs SANMAI_TOKEN.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    device: Device = "cpu",
    dtype: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
    concurrent: Annotated[int, typer.Option(min=1, max=4096, help="Completions written at once.")] = 64,
    waiting: Annotated[int, typer.Option(min=1, max=65536, help="Completions that may wait; further ones get HTTP 429.")] = 256,
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens per completion at most.")] = 1024,
    cache_tokens: Annotated[
        int | None, typer.Option(min=1, help="Positions of keys and values that exist at once, about; bounds memory.")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(help="Search for every answer whose request names nothing else: best_of_n, beam, mcts, ...")
    ] = None,
    guide: Annotated[
        list[str] | None,
        typer.Option(metavar="FOLDER", help="Reward model or FILE.py:FUNCTION that a request may search by; the first is usual."),
    ] = None,
    search_n: Annotated[int, typer.Option(min=1, max=128, help="Completions that --strategy chooses from.")] = 8,
    search_tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens that the search of one request may cost; 4000.")
    ] = None,
    filter_: Filter = None,
    reviewer_key: Annotated[
        str | None, typer.Option(metavar="VARIABLE", help="Environment variable that holds the reviewer's API key.")
    ] = None,
    words: WordLists = None,
    review: Annotated[str | None, typer.Option(help="What the reviewer reads: candidates (the default) or all.")] = None,
    stream: Annotated[str | None, typer.Option(help="Of a candidate's stream: hold (the default) or retract.")] = None,
    window: Annotated[int | None, typer.Option(min=1, help="Characters between two reviews of a stream; 400.")] = None,
    on_failure: Annotated[
        str | None, typer.Option(help="What a reviewer's failure means: closed retracts (the default), open passes.")
    ] = None,
    review_seconds: Annotated[float | None, typer.Option(min=0.01, help="Time limit of one review; 20.")] = None,
    retract_below: Annotated[float | None, typer.Option(min=0, max=1, help="Score below which to retract; 0.5.")] = None,
    warn_below: Annotated[float | None, typer.Option(min=0, max=1, help="Score below which to warn; 0.7.")] = None,
    hide_thought: Annotated[bool, typer.Option("--hide-thought", help="Review the thought and send the answer alone.")] = False,
    measure: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Serve nothing: answer these prompts with and without the filter, and write --out."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where --measure writes; by default filter-measured.")] = None,
    samples: Annotated[int, typer.Option(min=1, max=64, help="Completions of each prompt that --measure asks for.")] = 1,
    judge: Annotated[
        str | None, typer.Option(metavar="JUDGE", help="Of --measure: who says what is harmful; named as --filter, and another.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Of --measure: prompts of each file at most.")] = 200,
    seed: Annotated[int, typer.Option(help="Of --measure: names the random streams.")] = 0,
) -> None:
    """Serve a model or another server in OpenAI's protocol. With a risk filter if one is named."""
    from sanmai.serve.server import Settings, guard_values
    from sanmai.serve.server import serve as serve_model

    guard = guard_values(
        reviews=review, stream=stream, window=window, on_failure=on_failure, timeout_seconds=review_seconds,
        retract_below=retract_below, warn_below=warn_below, hide_thought=hide_thought or None,
    )  # fmt: skip
    settings = Settings(
        model, upstream, upstream_key, name, host, port, device, dtype, concurrent, waiting, max_tokens, cache_tokens,
        filter_, reviewer_key, tuple(words or ()), tuple(guide or ()), strategy, search_n, search_tokens, guard,
    )  # fmt: skip
    if not measure:
        if out or judge or samples != 1 or seed or limit != 200:
            raise InputError("--out, --judge, --samples, --limit and --seed belong to --measure")
        serve_model(settings, say=lambda line: say(printable(line)))
        return
    _measure_filter(settings, measure, out or Path("filter-measured"), judge, samples, seed, limit)


def _measure_filter(
    settings: Settings, files: list[Path], out: Path, judge: str | None, samples: int, seed: int, limit: int
) -> None:
    from sanmai.report.tables_html import write_filter_report
    from sanmai.serve.measure import measure

    folder = measure(
        settings, files, out, judge=judge, samples=samples, seed=seed, limit=limit, say=lambda line: say(printable(line))
    )
    say(f"Report: {write_filter_report(folder)}")
    found = json.loads((folder / "filter.json").read_text(encoding="utf-8"))
    if OUT.as_json:
        answer_data(found)
    if found["graded_nothing"]:
        raise typer.Exit(1)


@app.command()
def lint(
    prompt: Annotated[
        Path | None, typer.Argument(metavar="PROMPT.txt|FILE", help="A prompt, or a file of prompts; -: standard input.")
    ] = None,
    rewrite: Annotated[bool, typer.Option("--rewrite", help="Also write the prompt by template, with what it lacks.")] = False,
    measure: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Show what each piece of advice does on this model instead.")
    ] = None,
    problems: Annotated[
        str | None, typer.Option(metavar="FILE", help="Of --measure: problems with answers; world by default.")
    ] = None,
    limit: Annotated[int, typer.Option(min=3, help="Of --measure: problems at most.")] = 40,
    samples: Annotated[int, typer.Option(min=1, max=64, help="Of --measure: completions of each problem.")] = 1,
    max_tokens: Annotated[int, typer.Option(min=1, help="Of --measure: tokens per completion at most.")] = 256,
    temperature: Annotated[float, typer.Option(min=0, help="Of --measure: 0 is greedy.")] = 0.6,
    seed: Annotated[int, typer.Option(help="Of --measure: names problems and random streams.")] = 0,
    device: Annotated[str, typer.Option(help="Of --measure: cpu, cuda or mps.")] = "cpu",
) -> None:
    """Check a prompt against the advice for reasoning models. Or measure it on a model. Exits with 3 on findings."""
    from sanmai.desk.lint_files import advise

    if measure is not None:
        from sanmai.desk.lint_measure import lines
        from sanmai.desk.lint_measure import measure as measure_advice

        if prompt is not None or rewrite:
            raise InputError("--measure takes problems from --problems: name no prompt and no --rewrite with it")
        found = measure_advice(
            measure, problems or EMBEDDED, limit=limit, samples=samples, max_tokens=max_tokens, temperature=temperature,
            seed=seed, device=device, say=lambda line: say(printable(line)),
        )  # fmt: skip
        answer(map(printable, lines(found)), **found)
        return
    if prompt is None:
        raise InputError("expected a prompt's file, or --measure MODEL")
    if problems is not None:
        raise InputError(f"--problems {problems!r}: only with --measure MODEL")
    lines_of, data = advise(prompt, rewrite=rewrite, say=lambda line: say(printable(line)))
    answer(map(printable, lines_of), **data)
    if any(data["findings"].values()):
        raise typer.Exit(3)


@app.command()
def monitor(
    log: Annotated[Path, typer.Argument(metavar="LOG.jsonl", help="Recorded traffic: requests and responses, one a line.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where monitor.json and monitor.html go.")] = Path("monitored"),
    reference: Annotated[
        Path | None, typer.Option(metavar="LOG", help="A log without drift to compare with; by default this one's start.")
    ] = None,
    reference_share: Annotated[float, typer.Option(help="Share of the log that is the reference, from its start.")] = 0.3,
    window: Annotated[int | None, typer.Option(min=20, help="Dialogues of a window; a tenth of the log by default.")] = None,
    alpha: Annotated[float, typer.Option(help="Share of logs without drift that may have a false alarm.")] = 0.05,
    judge: Annotated[
        str | None, typer.Option(metavar="JUDGE", help="Who says what is harmful: named as serve's --filter.")
    ] = None,
    judge_key: Annotated[
        str | None, typer.Option(metavar="VARIABLE", help="Environment variable that holds the judge's API key.")
    ] = None,
    words: WordLists = None,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE.jsonl", help="Write the flagged dialogues' prompts to train on; needs --apart.")
    ] = None,
    apart: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Evaluation prompts that what is exported stays apart from.")
    ] = None,
    device: Annotated[str, typer.Option(help="Of the judge: cpu, cuda or mps.")] = "cpu",
    seed: Annotated[int, typer.Option(help="Names the permutations.")] = 0,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 on an alarm.")] = False,
) -> None:
    """Watch a deployed model by its log. Instruments over time, and drift at a stated rate of false alarms."""
    from sanmai.report.tables_html import write_monitor_report
    from sanmai.serve.monitor import Watch
    from sanmai.serve.monitor import export as export_prompts
    from sanmai.serve.monitor import monitor as monitor_log

    told = lambda line: say(printable(line))  # noqa: E731
    if export is not None and not apart:
        raise InputError("--export: expected --apart FILE, the evaluation prompts that training must stay apart from")
    watch = Watch(window, reference_share, alpha, seed)
    folder = monitor_log(
        log, out, watch=watch, reference=reference, judge=judge, judge_key=judge_key, words=words or (), device=device, say=told
    )
    if export is not None:
        export_prompts(folder / "flagged.jsonl", export, apart or [], told)
    say(f"Report: {write_monitor_report(folder)}")
    found = json.loads((folder / "monitor.json").read_text(encoding="utf-8"))
    if OUT.as_json:
        answer_data(found)
    if found["graded_nothing"]:
        raise typer.Exit(1)
    if strict and found["alarms"]:
        raise typer.Exit(3)


@app.command()
def annotate(
    pairs: Annotated[
        Path, typer.Argument(metavar="PAIRS", help="Pairs of texts or clips, a Parquet file of a flow's rollouts, or its run.")
    ],
    answers: Annotated[
        Path | None, typer.Option(metavar="FILE.sqlite", help="Where answers are kept; by default beside PAIRS.")
    ] = None,
    dimension: Annotated[
        list[str] | None, typer.Option(metavar="NAME[=QUESTION]", help="What is asked; by default what suits texts or clips.")
    ] = None,
    gold: Annotated[
        Path | None, typer.Option(metavar="PAIRS", help="Gold questions: pairs whose answer is known, mixed among the others.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Names the order and the sides of each annotator.")] = 0,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Serve nothing: write what was said, .jsonl of texts, .parquet of clips.")
    ] = None,
    least_gold: Annotated[
        float, typer.Option(min=0, max=1, help="Of --export: leave out annotators with a smaller share of gold answers right.")
    ] = 0.0,
    host: Host = "127.0.0.1",
    port: Port = 8485,
    token: Token = None,
) -> None:
    """Let people compare texts or clips on a page. Blind and by dimension; exports pairs that recipes learn from."""
    from sanmai.annotate.app import annotate as serve_page
    from sanmai.annotate.export import lines_of, write_export
    from sanmai.annotate.items import load_items
    from sanmai.annotate.store import Store

    told = lambda line: say(printable(line))  # noqa: E731
    items = load_items(pairs, gold=gold, dimensions=dimension or (), seed=seed, on_warning=told)
    kept = answers or pairs.with_name(f"{pairs.name}.answers.sqlite")
    if export is None:
        if least_gold:
            raise InputError("--least-gold belongs to --export")
        serve_page(items, kept, host=host, port=port, token=token, say=told)
        return
    if not kept.is_file():
        raise InputError(f"{kept}: no answers there yet; serve the page first, or name them by --answers")
    summary, count = write_export(items, Store(kept, items.digest).answers(), export, least_gold=least_gold)
    answer([*map(printable, lines_of(summary)), f"{count} pairs written to {export}."], pairs=count, **asdict(summary))
