"""The command line's verbs as functions, in its words; what they print is what these return."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sanmai.api.run import Run
from sanmai.api.running import run
from sanmai.api.table import Lines
from sanmai.types import InputError

Files = str | Path | Sequence[str | Path] | None
_BETA = 0.05


def audit(
    model: Any,
    *,
    before: Any = None,
    reasoning: Files = None,
    ood: Files = None,
    safety: Files = None,
    general: Files = None,
    texts: bool = True,
    config: str | Path | None = None,
    out: str | Path | None = None,
    quiet: bool = False,
    **settings: Any,
) -> Run:
    """Measure a model against stated claims, and write its safety case; `summary()["verdict"]` of the run is "holds" or not.

    Args:
        model: "tiny", a model folder, a run, or a hub name.
        before: a model to compare with: the one that training began with.
        reasoning, ood: problems with answers; problems of other forms than training looked at. A file or several.
        safety, general: dangerous requests; harmless ones, such as XSTest with its contrasts.
        texts: show the worst samples' texts in the page, hidden until clicked.

    Raises:
        InputError: a file, model or setting that cannot be used.
    """
    from sanmai.evidence.audit_sets import knows_world

    given = {"reasoning": reasoning, "reasoning_ood": ood, "safety": safety, "general": general}
    sources = {role: _listed(files) for role, files in given.items() if files}
    if config is None and knows_world(str(model)):
        config = "audit-tiny"
    values: dict[str, Any] = dict(settings)
    values |= {"before": str(before)} if before is not None else {}
    values |= {"sources": sources} if sources else {}
    return run("audit", model=model, config=config, out=out, quiet=quiet, options={"texts": texts}, **values)


def search_problems(model: Any, problems: Any, *, quiet: bool = False, **settings: Any) -> Run:
    """Search answers to problems; the run, with answers.jsonl, search.json and report.html. Also `sanmai.search(...)`.

    Args:
        model, problems: as `run` takes them.
        settings: those of the recipe "search" (strategy, guide, tokens, width, ...); `reward`, `out` and `config` as of `run`.

    Raises:
        InputError, RunError: as `run`.

    Example:
        found = sanmai.search("runs/r1", "problems.jsonl", strategy="beam", guide="runs/prm", tokens=4000)
    """
    return run("search", model=model, problems=problems, quiet=quiet, **settings)


def score(
    rows: str | Path | Sequence[Mapping[str, Any]],
    as_: str = "math",
    *,
    judge: str | None = None,
    judge_key: str | None = None,
    judge_calls: int = 1,
    threshold: str | float = "0.5",
    reference: str | None = None,
    beta: float = _BETA,
    on_warning: Callable[[str], None] = warnings.warn,
) -> dict[str, Any]:
    """Grade recorded responses of any model: `kind`, `summary`, and a row each with score, label and reason.

    Args:
        rows: dictionaries {"id", "prompt", "response", "reference"}, or a .jsonl file of them; for code with "tests". Of process,
            video and clips: a file.
        as_: math, math_judge, math_reward, process, refusal, harm, language, thinking, code, video or clips.
        judge: a judge's folder, or http://HOST:PORT/v1#NAME; of video a file of scores per clip; of clips "ocr" or a command.
        judge_key: environment variable that holds the server's API key.
        judge_calls: of math_judge: questions per answer; the majority counts.
        threshold: of process: a step below it is wrong; "fit": what is best on the other half.
        reference, beta: of process: `judge` is a policy, and beta times its log-ratio to this one the steps' scores.

    Raises:
        InputError: a row, kind or judge that cannot be used.
    """
    from sanmai.rewards.score import read_rows
    from sanmai.score.recorded import APART, KINDS, MATH_JUDGED, unknown
    from sanmai.score.recorded import score as score_rows

    if as_ not in KINDS and as_ not in APART:
        raise InputError(unknown(as_))
    threshold = str(threshold)
    _check_options(as_, judge, judge_key, judge_calls, threshold, reference, beta)
    if as_ in APART:
        if not isinstance(rows, str | Path):
            raise InputError(f"score of {as_}: expected a file of rows")
        return _score_apart(rows, as_, judge, threshold, reference, beta, on_warning)
    read = read_rows(Path(rows)) if isinstance(rows, str | Path) else [dict(row) for row in rows]
    found: Any = None
    if judge is not None and as_ in MATH_JUDGED:
        from sanmai.learn.scorers import math_judge

        found = math_judge(as_, judge, key_variable=judge_key, calls=judge_calls)
    elif judge is not None:
        from sanmai.score.judges import load_judge

        found = load_judge(judge, key_variable=judge_key)
    return score_rows(read, as_, found)


def _check_options(
    as_: str, judge: str | None, judge_key: str | None, judge_calls: int, threshold: str, reference: str | None, beta: float
) -> None:
    """Refuse what a kind of `score` does not read (law 8)."""
    if judge_calls != 1 and as_ != "math_judge":
        raise InputError(f"--judge-calls {judge_calls}: only with --as math_judge")
    if judge_key is not None and (judge is None or as_ in ("process", "video", "clips", "math_reward")):
        raise InputError(f"--judge-key {judge_key!r}: only with --judge URL#MODEL")
    for name, is_given in (
        ("threshold", threshold != "0.5"), ("reference", reference is not None), ("beta", beta != _BETA),
    ):  # fmt: skip
        if is_given and as_ != "process":
            raise InputError(f"--{name}: only with --as process")
    if beta != _BETA and reference is None:
        raise InputError(f"--beta {beta:g}: only with --reference")


def _score_apart(
    file: str | Path,
    as_: str,
    judge: str | None,
    threshold: str,
    reference: str | None,
    beta: float,
    on_warning: Callable[[str], None],
) -> dict[str, Any]:
    """The kinds whose rows are no responses: solutions step by step, pairs of clips, and clips."""
    if as_ == "clips":
        from sanmai.score.clips import score_clips

        if judge is None:
            raise InputError('--as clips without --judge: expected "ocr", or the command of a scorer')
        return score_clips(Path(file), judge, on_warning=on_warning)
    if as_ == "video":
        from sanmai.score.video import score_video

        return score_video(Path(file), judge)
    from sanmai.learn.scorers import implicit_model, trained_judge
    from sanmai.score.process import score_process

    if reference is not None and judge is None:
        raise InputError(f"--reference {reference}: without --judge, the policy that is compared with it")
    if reference is not None and judge is not None:
        model = implicit_model(judge, reference, beta)
    else:
        model = trained_judge(judge, f"--judge {judge!r}", "process") if judge is not None else None
    return score_process(str(file), model, threshold, on_warning=on_warning)


def compare(*runs: Any) -> Lines:
    """The first run against every other, on the problems and samples that their newest evaluations share.

    The recipe that compares RL, SFT and both over seeds is `sanmai.run("compare")`.

    Raises:
        InputError: fewer than two runs, one without an evaluation, or two that share no problem.
    """
    from sanmai.report.compare_runs import compare_runs

    return Lines(compare_runs([Path(one) for one in runs]))


def plan(
    recipe: str,
    *,
    model: Any = None,
    problems: Any = None,
    config: str | Path | None = None,
    out: str | Path | None = None,
    measure: bool = True,
    **settings: Any,
) -> Lines:
    """What a run would do and take, in words, without doing it.

    Args:
        model, problems, config, out, settings: as `run` takes them; problems from a file.
        measure: predict time and memory from some 5 seconds of real work on this machine (zero, r1).

    Raises:
        InputError: what the run would refuse.
    """
    from sanmai.plan.forecast import describe
    from sanmai.recipes import default_out, find_recipe, resolve

    values = dict(settings)
    if model is not None:
        values["model"] = dict(model) if isinstance(model, Mapping) else {"name": str(model)}
    if problems is not None:
        if not isinstance(problems, str | Path | Mapping):
            raise InputError("problems: a plan reads them from a file; expected a path, or settings by name")
        values["problems"] = dict(problems) if isinstance(problems, Mapping) else {"source": str(problems)}
    chosen = find_recipe(recipe)
    resolved = resolve(chosen, Path(config) if config is not None else None, values=values)
    folder = Path(out) if out is not None else default_out(chosen, resolved)
    return Lines(describe(chosen, resolved, folder, measure=measure))


def scale(what: Any, *, gpu: str | None = None, **settings: Any) -> dict[str, Any]:
    """A run on many GPUs, predicted: `assumptions` (sentences), numbers of model and GPU, and `rows`, the best split of each.

    Args:
        what: a finished run of zero; or a model: a folder, config.json, hub name, or its numbers, as `sanmai scale` takes them.
        gpu: "a100", "h100", ...; None for a run on machines like its own.
        settings: those of `sanmai scale --settings`, such as gpus=[8, 64], staleness=[0, 1], price=2.5,
            work={"max_tokens": 4096}.

    Raises:
        InputError: a run, model, GPU or setting that cannot be used.
    """
    from sanmai.plan.scale.settings import ScaleConfig
    from sanmai.plan.scale.table import row_data, scale_of

    found = scale_of(str(what), config := ScaleConfig.read(settings), gpu)
    rows = [row_data(row, config) for row in found.rows()]
    return {"assumptions": Lines(found.assumptions), **found.data, "rows": rows}


def doctor() -> Lines:
    """What works on this machine, one line per finding."""
    from sanmai.desk.doctor import examine

    return Lines(examine())


def _listed(files: Files) -> list[str]:
    return [str(files)] if isinstance(files, str | Path) else [str(file) for file in files or ()]
