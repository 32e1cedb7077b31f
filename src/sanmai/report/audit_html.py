"""`report.html` of an audit: the safety case of audit.json as a page, with the worst samples hidden until they are clicked.

The page holds no text of a prompt or a completion but those of the worst samples, and none at all where the case says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sanmai.report import format as fmt
from sanmai.report.load import as_list, as_mapping, as_number, flatten, is_number, read_checked, read_lines, read_whole
from sanmai.report.page import render_page, resource
from sanmai.report.ungraded import events_of, ungraded_lines

_CASE = "audit.json"
_MAX_TEXT = 4000
_NAMES = {
    "harm": "Harm", "attacked_harm": "Harm under attack", "not_refused": "Dangerous, not refused",
    "lengthened": "Made to think longer",
    "over_refusal": "Over-refusal", "attacked_over_refusal": "Over-refusal under attack", "helped": "Helped",
    "off_language": "Language mixing", "incomplete": "Incomplete", "readable": "Readable", "accuracy": "Accuracy",
    "accuracy_ood": "Accuracy, other forms",
}  # fmt: skip
_WORST = {
    "harm": "Harm on plain requests", "attacked_harm": "Harm under attack", "over_refusal": "Harmless requests refused",
    "off_language": "Words in another language",
}  # fmt: skip
_SAFETY = (
    ("safe_at_1", "Safe@1", "dangerous requests: share of samples that are safe"),
    ("safe_at_k", "Safe@{k}", "dangerous requests: every one of {k} samples is safe"),
    ("consensus_safe_at_k", "ConsSafe@{k}", "dangerous requests: at least half of {k} samples are safe"),
    ("thought_harm", "Harm in the thought", "of completions with a thought"),
    ("hidden_harm", "Hidden harm", "the thought is harmful although the answer is safe"),
    ("inconsistent_prompts", "Inconsistent refusals", "requests whose samples disagree on refusing"),
)
_MONITOR = (
    ("g_mean", "Thoughts tell on answers", "geometric mean of the next two: 0 for a monitor that flags all thoughts, or none"),
    ("caught", "Harmful answers with a harmful thought", "what one who reads thoughts alone would catch"),
    ("spared", "Harmless answers with a harmless thought", "what he would rightly let pass"),
)


def audit_page(folder: Path) -> str:
    """The page of an audit's folder; raises FileNotFoundError where there is none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: expected an audit's folder")
    problems = [f"{told}." for told in ungraded_lines(events_of(folder))]
    case = read_whole(folder / _CASE, json.loads, problems)
    texts = _texts(folder, case, problems) if case.get("texts") is True else {}
    num_done = len(read_lines(folder / "metrics.jsonl", [])) if (folder / "metrics.jsonl").exists() else 0
    return render_audit(folder.resolve().name, case, texts, problems=problems if case else [], num_done=num_done)


def summarise_audit(folder: Path) -> dict[str, Any]:
    """Verdict and claims of an audit as plain data; `lines` are for a terminal, and hold no prompt."""
    case = read_whole(Path(folder) / _CASE, json.loads, [])
    if not case:
        return {"lines": ["The audit is not finished: there is no safety case yet."]}
    claims = [claim for claim in as_list(case.get("claims")) if isinstance(claim, Mapping)]
    rows = [("claim", "found", "verdict", "")]
    rows += [(_limit_text(c), _plain(c), str(c.get("outcome")), _note(c)) for c in claims]
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    table = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=False)) + f"  {row[3]}" for row in rows]
    confidence = f"Together at {100 * (as_number(case.get('confidence')) or 0):.3g} % confidence (Holm)."
    lines = [*(line.rstrip() for line in table), f"{case.get('sentence')} {confidence}"]
    return {"verdict": case.get("verdict"), "claims": claims, "lines": lines}


def render_audit(
    name: str,
    case: Mapping[str, Any],
    texts: Mapping[tuple[Any, ...], tuple[str, str]],
    *,
    problems: Sequence[str] = (),
    num_done: int = 0,
) -> str:
    """The page.

    Args:
        case: audit.json; empty where the audit is not finished.
        texts: prompt and completion of the worst samples, by (step, problem, sample).
        problems: what could not be read.
        num_done: sets that were done.
    """
    safety = as_mapping(case.get("safety"))
    return render_page(
        "audit.html.jinja",
        styles=[resource("templates/report.css"), resource("templates/audit.css")],
        scripts=[resource("templates/theme.js")],
        data={},
        name=name,
        model=str(case.get("model") or ""),
        before_name=str(case.get("before_model") or ""),
        verdict=str(case.get("sentence") or "The audit is not finished."),
        outcome=str(case.get("verdict") or "undecided"),
        state=_state(case, num_done),
        notices=list(problems),
        is_finished=bool(case),
        claims=[_claim(claim) for claim in as_list(case.get("claims")) if isinstance(claim, Mapping)],
        confidence=fmt.percent(as_number(case.get("confidence"))),
        pairs=[_pair(pair) for pair in as_list(case.get("two_sided")) if isinstance(pair, Mapping)],
        safety=list(_safety_rows(safety)),
        discrimination=_contrast(safety.get("discrimination"), "harmless_refused", "dangerous_refused"),
        uplift=[
            {"name": str(attack), **_contrast(found, "direct", "attacked")}
            for attack, found in as_mapping(safety.get("uplift")).items()
        ],
        losses=[
            {"name": str(language), "lost": _share(found.get("lost")), "gained": _share(found.get("gained"))}
            for language, found in as_mapping(safety.get("refusal_loss")).items()
            if isinstance(found, Mapping) and as_number(as_mapping(found.get("lost")).get("n"))
        ],
        reasoning=list(_reasoning_rows(as_mapping(case.get("reasoning")))),
        by={str(tag): [_by(row) for row in as_list(rows)] for tag, rows in as_mapping(case.get("by")).items()},
        before=_before(as_mapping(case.get("before"))),
        worst=_worst(case, texts),
        shows_texts=case.get("texts") is True,
        history=[_step(step) for step in as_list(case.get("history")) if isinstance(step, Mapping)],
        gaps=[str(gap) for gap in as_list(case.get("gaps"))],
        sets=[_set(found) for found in as_list(case.get("sets")) if isinstance(found, Mapping)],
        protocol=[(key, _fact(value)) for key, value in flatten(as_mapping(case.get("protocol"))).items()],
    )


def _state(case: Mapping[str, Any], num_done: int) -> str:
    if not case:
        return f"{num_done} of its sets are done; the same command goes on from there."
    sets = [found for found in as_list(case.get("sets")) if isinstance(found, Mapping)]
    prompts, completions = (sum(as_number(s.get(key)) or 0 for s in sets) for key in ("problems", "completions"))
    return f"{prompts:,} prompts in {len(sets)} sets, {completions:,} completions."


def _claim(claim: Mapping[str, Any]) -> dict[str, Any]:
    bounds = claim.get("bounds")
    return {
        "outcome": str(claim.get("outcome")), "limit": _limit_text(claim), "meaning": str(claim.get("meaning") or ""),
        "note": _note(claim), "share": _share(claim),
        "bounds": _interval(bounds), "p": _p_value(claim),
    }  # fmt: skip


def _limit_text(claim: Mapping[str, Any]) -> str:
    """Harm at most 5 %"""
    measure = str(claim.get("measure"))
    limit, rule = as_number(claim.get("limit")), str(claim.get("rule")).replace("_", " ")
    return f"{_NAMES.get(measure, measure)} {rule} {100 * (limit or 0):.3g} %"


def _note(claim: Mapping[str, Any]) -> str:
    """Why a claim is undecided, and what its value is worth."""
    bound = "an upper bound, by refusal rules" if claim.get("upper_bound") is True and as_number(claim.get("n")) else ""
    reason = str(claim.get("reason") or "")
    return "; ".join(part for part in (reason, bound if "refusal rules" not in reason else "") if part)


def _p_value(claim: Mapping[str, Any]) -> str:
    outcome = claim.get("outcome")
    name = {"holds": "p_beyond", "fails": "p_within"}.get(str(outcome))
    value = as_number(claim.get(name)) if name else None
    return "" if value is None else f"p = {fmt.number(value)}" if value >= 0.001 else "p < 0.001"


def _pair(pair: Mapping[str, Any]) -> dict[str, Any]:
    sides = [side for side in as_list(pair.get("sides")) if isinstance(side, Mapping)]
    return {
        "title": str(pair.get("title")),
        "sides": [
            {
                "name": _NAMES.get(str(side.get("measure")), str(side.get("measure"))),
                "meaning": str(side.get("meaning") or ""),
                "better": "less is better" if side.get("direction") == -1 else "more is better",
                "share": _share(side),
            }
            for side in sides
        ],
    }


def _safety_rows(safety: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    k = fmt.number(as_number(safety.get("k")))
    for key, label, meaning in _SAFETY:
        yield {"label": label.format(k=k), "meaning": meaning.format(k=k), "share": _share(safety.get(key))}
    monitor = as_mapping(safety.get("monitor"))
    for key, label, meaning in _MONITOR:
        if monitor:  # audits of older versions have none
            yield {"label": label, "meaning": meaning, "share": _share(monitor.get(key))}


def _reasoning_rows(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for key, label in (
        ("generalisation_gap", "Accuracy like training minus accuracy of other forms"),
        ("perturbation_drop", "Accuracy on problems minus accuracy on their twins"),
    ):
        yield label, *_difference(found.get(key))
    for key, label in (
        ("tokens_per_completion", "Tokens per completion"),
        ("tokens_per_correct", "Tokens per right answer, wrong ones paid for too"),
    ):
        yield label, fmt.number(as_number(found.get(key))), ""
    yield "Finished completions", fmt.percent(as_number(found.get("finished"))), ""


def _by(row: Any) -> dict[str, Any]:
    row = as_mapping(row)
    names = ("harm", "over_refusal", "accuracy", "off_language", "incomplete")
    return {"value": str(row.get("value")), "cells": [_share(row.get(name)) for name in names]}


def _before(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the comparison with another model says; None without one."""
    if not found:
        return None
    kept, tax = as_mapping(found.get("retention")), as_mapping(found.get("safety_tax"))
    transfer, crossover = as_mapping(found.get("transfer")), as_mapping(found.get("crossover"))
    value = fmt.number(as_number(kept.get("value")))
    return {
        "asr": _contrast(kept.get("asr"), "before", "after"),
        "figures": [
            ("Safety retention, plain and attacked requests, 1: kept", value, _interval(kept.get("interval"), is_share=False)),
            ("Change of accuracy", *_difference(found.get("accuracy_change"))),
            ("Change of accuracy on other forms", *_difference(found.get("accuracy_ood_change"))),
            ("The first minus the second", *_difference(found.get("gap_change"))),
            ("Accuracy lost", *_difference(tax.get("accuracy_lost"))),
            ("Harm removed, plain requests", *_difference(tax.get("harm_removed"))),
            ("Over-refusal added, plain requests", *_difference(tax.get("over_refusal_added"))),
        ],
        "transfer": str(transfer.get("finding") or ""),
        "crossover": str(crossover.get("finding") or ""),
        "points": [
            {
                "k": fmt.number(as_number(p.get("k"))), "lead": _difference(p.get("before_ahead_by")),
                **{x: (fmt.percent(as_number(p.get(x))), _interval(p.get(f"{x}_interval"))) for x in ("before", "after")},
            }
            for p in as_list(crossover.get("points")) if isinstance(p, Mapping)
        ],
        "forgetting": [
            (str(f.get("ability")), fmt.percent(as_number(f.get("before"))), fmt.percent(as_number(f.get("after"))),
             *_difference(f.get("loss")))
            for f in as_list(found.get("forgetting")) if isinstance(f, Mapping)
        ],
    }  # fmt: skip


def _worst(case: Mapping[str, Any], texts: Mapping[tuple[Any, ...], tuple[str, str]]) -> list[dict[str, Any]]:
    found = []
    for key, rows in as_mapping(case.get("worst")).items():
        samples = []
        for row in as_list(rows):
            row = as_mapping(row)
            prompt, text = texts.get(_key(row), ("", ""))
            samples.append(
                {
                    "id": str(row.get("problem_id")), "sample": fmt.number(as_number(row.get("sample"))),
                    "set": str(row.get("set") or ""), "language": str(row.get("language") or ""),
                    "value": fmt.number(as_number(row.get("value"))), "prompt": prompt, "text": text,
                    "has_text": _key(row) in texts,
                }
            )  # fmt: skip
        found.append({"title": _WORST.get(str(key), str(key)), "samples": samples})
    return found


def _texts(folder: Path, case: Mapping[str, Any], problems: list[str]) -> dict[tuple[Any, ...], tuple[str, str]]:
    """Prompt and completion of the case's worst samples, cut."""
    wanted = {
        _key(row)
        for rows in as_mapping(case.get("worst")).values()
        for row in as_list(rows)
        if isinstance(row, Mapping)
    }
    found = {}
    for step in sorted({key[0] for key in wanted if isinstance(key[0], int)}):
        path = folder / "evaluations" / f"step-{step:06d}.parquet"
        for row in read_checked(path, problems, ["problem_id", "sample", "prompt", "text"]):
            key = (step, str(row.get("problem_id")), row.get("sample"))
            if key in wanted:
                found[key] = (shown_text(row.get("prompt")), shown_text(row.get("text")))
    return found


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row.get("step"), str(row.get("problem_id")), row.get("sample")


def shown_text(value: Any) -> str:
    """A text for a page: cut, and with a mark in place of control characters, of which HTML has no more than line ends."""
    text = "" if value is None else re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "\ufffd", str(value).replace("\r\n", "\n"))
    left_out = len(text) - _MAX_TEXT
    return text if left_out <= 0 else f"{text[:_MAX_TEXT]}\n[... {left_out:,} characters left out ...]"


def _step(step: Mapping[str, Any]) -> dict[str, Any]:
    facts = [(key, _fact(value)) for key, value in flatten(as_mapping(step.get("facts"))).items()]
    return {
        "name": str(step.get("name")), "recipe": str(step.get("recipe") or "base"), "purpose": str(step.get("purpose") or ""),
        "folder": str(step.get("folder") or ""), "facts": facts,
        "data": [Path(str(name)).name for name in as_list(step.get("data"))],
    }  # fmt: skip


def _set(found: Mapping[str, Any]) -> dict[str, str]:
    kinds = ", ".join(f"{fmt.number(as_number(n))} {kind}" for kind, n in as_mapping(found.get("kinds")).items())
    counts = {
        key: fmt.number(as_number(found.get(key)))
        for key in ("problems", "read", "trained_on", "completions", "failed")
    }
    return {
        "name": str(found.get("name")),
        "kinds": kinds,
        "incomplete": _share(found.get("incomplete"))["value"],
        **counts,
    }


def _contrast(figure: Any, base: str, other: str) -> dict[str, Any]:
    figure = as_mapping(figure)
    change, interval = _difference(figure)
    return {
        "base": _share(figure.get(base)), "other": _share(figure.get(other)), "change": change, "interval": interval,
        "n": fmt.number(as_number(figure.get("n"))),
    }  # fmt: skip


def _difference(figure: Any) -> tuple[str, str]:
    """+4.2 points, [1.1, 7.3]"""
    figure = as_mapping(figure)
    value = as_number(figure.get("value", figure.get("difference")))
    return (fmt.NONE, "") if value is None else (fmt.points(value), _interval(figure.get("interval")))


def _share(figure: Any) -> dict[str, str]:
    """Value, interval, n, and what was not judged, each as text; dashes without data."""
    figure = as_mapping(figure)
    value = as_number(figure.get("value"))
    left_out = [f"{n:,.0f} {key}" for key in ("unscored", "incomplete") if (n := as_number(figure.get(key)))]
    return {
        "value": fmt.percent(value), "interval": _interval(figure.get("interval")) if value is not None else "",
        "n": f"n = {figure['n']:,}" if as_number(figure.get("n")) else "", "left_out": ", ".join(left_out),
    }  # fmt: skip


def _plain(figure: Mapping[str, Any]) -> str:
    """The same for a terminal: "0 % [0, 3.1], n = 120"."""
    shown = _share(figure)
    text = " ".join(part for part in (shown["value"], shown["interval"]) if part)
    return ", ".join(part for part in (text, shown["n"], shown["left_out"]) if part).replace("\u202f", " ")


def _interval(bounds: Any, *, is_share: bool = True) -> str:
    if not isinstance(bounds, list) or len(bounds) != 2 or not all(map(is_number, bounds)):
        return ""
    return fmt.interval(*bounds, is_share=is_share)


def _fact(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return fmt.NONE if value in (None, "", {}) else str(value)
