"""What each piece of prompt advice does on a model: accuracy, language mixing and length, against the prompt as it is.

Every change is tried on the same problems with the same seeds, so that differences are paired; intervals are 95 %.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from sanmai.attack.families import saying
from sanmai.data.chat import opened_in_prompt, render_prompt
from sanmai.data.languages import language_of
from sanmai.data.problems import load_problems
from sanmai.data.testbeds import find_testbed, own_testbed
from sanmai.data.trace import parse_trace
from sanmai.desk.lint import language_line, says
from sanmai.evidence.audit_sets import thinned
from sanmai.instruments.figures import number
from sanmai.policies.text.config import ModelConfig
from sanmai.policies.text.load import load_policy
from sanmai.policies.text.sampler import Request, SamplingConfig, sample
from sanmai.rewards.style import language_share
from sanmai.rewards.verifiers import accuracy
from sanmai.stats import paired_difference, rate
from sanmai.types import InputError, Problem, StopReason

Change = Callable[[Problem, Sequence[Problem]], str]
NUM_SHOTS = 2


def _few_shot(problem: Problem, others: Sequence[Problem]) -> str:
    shots = [f"Q: {p.prompt}\nA: {p.answer}" for p in others if p.id != problem.id][:NUM_SHOTS]
    return "\n\n".join([*shots, f"Q: {problem.prompt}\nA:"])


def _with(*lines: str) -> Change:
    return lambda problem, _: "\n\n".join([problem.prompt, "\n".join(lines)])


def _language(problem: Problem) -> str:
    return language_line(problem.language or language_of(problem.prompt))


CHANGES: Mapping[str, Change] = {
    "as it is": lambda problem, _: problem.prompt,
    "few-shot (against the advice)": _few_shot,
    "step by step": _with(says("steps")),
    "output format": _with(says("format")),
    "language named": lambda problem, _: f"{problem.prompt}\n\n{_language(problem)}",
    "all advice": lambda problem, _: f"{problem.prompt}\n\n{says('steps')}\n{says('format')}\n{_language(problem)}",
}


def measure(
    model: str, source: str, *, limit: int, samples: int, max_tokens: int, temperature: float, seed: int, device: str,
    say: Callable[[str], None],
) -> dict[str, Any]:  # fmt: skip
    """Each change's accuracy, language mixing and length on a model, and its paired difference to the prompt as it is.

    Args:
        source: a file of problems with answers, or "world".

    Raises:
        InputError: the problems or the model cannot be read, or there are fewer than two.
    """
    problems = _problems(source, limit, seed, say)
    policy = load_policy(ModelConfig(name=model, device=device), for_training=False)
    for note in policy.notes:
        say(note)
    config = SamplingConfig.read({"temperature": temperature, "max_tokens": max_tokens}, source="lint --measure")
    if temperature == 0.0 and samples > 1:
        raise InputError(f"--samples {samples}: at temperature 0 they would all be the same")
    rows: dict[str, list[dict[str, Any]]] = {}
    for name, change in CHANGES.items():
        changed = [saying(problem, change(problem, problems)) for problem in problems]
        rows[name] = _answers(policy, changed, config, samples, seed)
        say(f"{name}: {len(rows[name])} completions")
    base = rows["as it is"]
    return {
        "model": model, "problems": source, "n": len(problems), "samples": samples, "temperature": temperature,
        "max_tokens": max_tokens, "seed": seed, "confidence": 0.95,
        "changes": {name: _figures(found, base if name != "as it is" else None) for name, found in rows.items()},
    }  # fmt: skip


def _problems(source: str, limit: int, seed: int, say: Callable[[str], None]) -> list[Problem]:
    if (bed := find_testbed(source)) is not None:
        drawn = [replace(p, solution=None) for p in bed.held_out(limit, seed=seed)]
    else:
        drawn = load_problems(source, skip_setting=None, on_warning=say).problems
    found = thinned([p for p in drawn if p.kind == "reasoning" and p.answer is not None and not p.images], limit, seed)
    if len(found) < NUM_SHOTS + 1:
        raise InputError(f"{source}: {len(found)} problems with answers; expected {NUM_SHOTS + 1} or more")
    return found


def _answers(
    policy: Any, problems: Sequence[Problem], config: SamplingConfig, samples: int, seed: int
) -> list[dict[str, Any]]:
    prompts = [render_prompt(policy.tokenizer, problem.messages) for problem in problems]
    room = policy.max_positions
    if room is not None and (longest := max(map(len, prompts))) + config.max_tokens > room:
        raise InputError(f"a prompt has {longest} tokens, and with --max-tokens {config.max_tokens} more than the model's {room}")
    requests = [Request(p, [(seed, "lint", q.id, k) for k in range(samples)]) for p, q in zip(prompts, problems, strict=True)]
    rows: list[dict[str, Any]] = []
    for done in sample(policy, requests, config):
        problem = problems[done.request]
        is_whole = done.stop_reason is StopReason.STOP
        tokens = done.tokens[:-1] if is_whole else done.tokens
        text = policy.tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        trace = parse_trace(
            text, opened_in_prompt=opened_in_prompt(policy.tokenizer, prompts[done.request]), is_truncated=not is_whole
        )
        verdict = accuracy(problem, trace)
        language = problem.language or language_of(problem.prompt)
        bed = own_testbed(problem)
        known = bed.words if bed is not None else frozenset()
        share = language_share(trace.text, language, known) if language else None
        rows.append({
            "id": problem.id, "sample": done.sample, "correct": verdict.score, "tokens": len(done.tokens),
            "off_language": None if share is None else 1.0 - share,
        })  # fmt: skip
    return sorted(rows, key=lambda row: (row["id"], row["sample"]))


def _figures(rows: Sequence[Mapping[str, Any]], base: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
    """Means of a change's rows, and their differences to those of the prompt as it is."""
    found: dict[str, Any] = {}
    for name in ("correct", "off_language", "tokens"):
        known = [(row[name], row["id"]) for row in rows if row[name] is not None]
        values, ids = [value for value, _ in known], [id_ for _, id_ in known]
        figure: dict[str, Any] = {"value": number(fmean(values)) if values else None, "n": len(set(ids))}
        if values and name != "tokens":
            share = rate(values, ids)
            figure["interval"] = [number(share.low), number(share.high)]
        if base is not None:
            pairs = [
                (float(old[name]), float(new[name]), new["id"])
                for old, new in zip(base, rows, strict=True)
                if old[name] is not None and new[name] is not None
            ]
            change = paired_difference([a for a, _, _ in pairs], [b for _, b, _ in pairs], [id_ for _, _, id_ in pairs])
            bounds = [number(change.low), number(change.high)]
            figure["change"] = {"value": number(change.value), "interval": bounds, "n": change.n}
        found[name] = figure
    return found


def lines(found: Mapping[str, Any]) -> list[str]:
    """The figures as lines for a terminal; a difference whose interval leaves zero out is marked."""
    shown = [
        f"{found['n']} problems of {found['problems']}, {found['samples']} completions each at temperature "
        f"{found['temperature']:g}; differences are to the prompt as it is, with 95 % intervals; * leaves zero out",
        f"{'change':<32}{'accuracy':>10}{'difference':>24}{'mixing':>14}{'difference':>24}{'tokens':>8}{'difference':>22}",
    ]
    for name, figures in found["changes"].items():
        cells = [f"{name:<32}"]
        for key, width, scale in (("correct", 10, 100), ("off_language", 14, 100), ("tokens", 8, 1)):
            figure = figures[key]
            unit = " %" if scale == 100 else ""
            value = "-" if figure["value"] is None else f"{scale * figure['value']:.1f}{unit}"
            cells.append(f"{value:>{width}}")
            cells.append(f"{_difference(figure.get('change'), scale):>{22 if scale == 1 else 24}}")
        shown.append("".join(cells).rstrip())
    return shown


def _difference(change: Mapping[str, Any] | None, scale: float) -> str:
    if change is None or change["value"] is None:
        return ""
    low, high = change["interval"]
    if low is None or high is None:
        return f"{scale * change['value']:+.1f}"
    mark = "*" if low > 0 or high < 0 else ""
    return f"{scale * change['value']:+.1f} [{scale * low:.1f}, {scale * high:.1f}]{mark}"
