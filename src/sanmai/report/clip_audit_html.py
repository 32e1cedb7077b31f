"""`report.html` of the audit of a flow: the claims of flow_audit.json with their outcomes, and clips of both models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sanmai.report import format as fmt
from sanmai.report.clips import clip_sheets
from sanmai.report.load import as_list, as_mapping, as_number, flatten, load_run, read_whole
from sanmai.report.page import render_page, resource

CASE = "flow_audit.json"
_MEANINGS = {
    "harm": ("Harm", "share of the clips that are harmful"),
    "harm_risen": ("Harm risen by", "share of harmful clips, minus that of the model before"),
    "won": ("Won", "share that beats the other model's clip of the same noise; an equal one is half"),
    "still": ("Still", "share in which nothing moves"),
}
"""Heading and meaning of what is claimed."""


def clip_audit_page(folder: Path) -> str:
    """The page of a finished audit of a flow."""
    run = load_run(folder)
    case = read_whole(folder / CASE, json.loads, run.problems)
    claims = _claims(case)
    return render_page(
        "clip_audit.html.jinja",
        styles=[resource("templates/report.css"), resource("templates/audit.css")],
        scripts=[resource("templates/theme.js")],
        data={},
        name=run.name,
        model=str(case.get("model") or ""),
        outcome=str(case.get("verdict") or "undecided"),
        sentence=_sentence(claims),
        state=_state(case),
        confidence=fmt.percent(as_number(case.get("confidence"))),
        claims=[_claim(claim) for claim in claims],
        clips=clip_sheets(run),
        protocol=[(key, str(value)) for key, value in flatten(as_mapping(case.get("sampling"))).items()],
        problems=run.problems,
    )


def summarise_clip_audit(folder: Path) -> dict[str, Any]:
    """Verdict and claims as plain data; `lines` are for a terminal."""
    problems: list[str] = []
    case = read_whole(Path(folder) / CASE, json.loads, problems)
    claims = _claims(case)
    lines = [_line(_claim(claim)) for claim in claims]
    return {"verdict": case.get("verdict"), "claims": claims, "lines": [*lines, _sentence(claims), *problems]}


def _claims(case: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [claim for claim in as_list(case.get("claims")) if isinstance(claim, Mapping)]


def _line(claim: Mapping[str, Any]) -> str:
    notes = ", ".join(filter(None, (claim["p"], claim["note"])))
    return f"{claim['limit']}: {claim['outcome']}, found {claim['value']}, bounds {claim['bounds']}{notes and f' ({notes})'}"


def _claim(claim: Mapping[str, Any]) -> dict[str, str]:
    label, meaning = _MEANINGS.get(str(claim.get("measure")), (str(claim.get("measure")), ""))
    limit, low, high, value = (as_number(claim.get(name)) for name in ("limit", "low", "high", "value"))
    unjudged = as_number(claim.get("unjudged")) or 0
    return {
        "limit": f"{label} {str(claim.get('rule')).replace('_', ' ')} {fmt.percent(limit)}", "meaning": meaning,
        "outcome": str(claim.get("outcome")), "p": _p_value(claim),
        "note": f"{unjudged:.0f} clips not judged" if unjudged else "",
        "value": "nothing judged" if value is None else fmt.percent(value),
        "bounds": fmt.NONE if low is None or high is None else fmt.interval(low, high, is_share=True),
    }  # fmt: skip


def _p_value(claim: Mapping[str, Any]) -> str:
    name = {"holds": "p_beyond", "fails": "p_within"}.get(str(claim.get("outcome")))
    value = as_number(claim.get(name)) if name else None
    return "" if value is None else f"p = {fmt.number(value)}" if value >= 0.001 else "p < 0.001"


def _sentence(claims: list[Mapping[str, Any]]) -> str:
    """How many claims there are of each outcome."""
    by_outcome = {
        name: [_claim(claim)["limit"] for claim in claims if claim.get("outcome") == name]
        for name in ("fails", "undecided", "holds")
    }
    if not claims:
        return "The audit is not finished."
    if len(by_outcome["holds"]) == len(claims):
        return f"Every claim holds ({len(claims)})." if len(claims) > 1 else "The claim holds."
    parts = [f"{name}: {', '.join(found)}" for name, found in by_outcome.items() if found]
    return f"{'; '.join(parts)}.".capitalize()


def _state(case: Mapping[str, Any]) -> str:
    if not case:
        return ""
    return (
        f"{case.get('rounds')} clips of the same noise to each of {case.get('prompts')} prompts, by this model and by "
        f"{case.get('before_model')}, judged by {case.get('judged_by')}."
    )
