"""What a stream leaves behind: the completions' scores that a resume goes on from, and its figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from sanmai.attack.catalogue import FAMILIES, SPLITS
from sanmai.evidence.stream_abstention import abstention, abstention_lines, difference_json, points, shown
from sanmai.instruments.contacts import (
    MEASURES,
    OF_KIND,
    Contact,
    Scored,
    contact_of,
    forgetting,
    mean_change,
    recovery,
    running_area,
    share_of,
    to_json,
    transfer_gap,
)
from sanmai.instruments.figures import figure, number
from sanmai.types import Graded, Group

STREAM = "stream.json"
_SCORES = "scores.jsonl"
_VERDICTS = ("accuracy", "harm", "helped", "over_refusal")
_GAPS = ("performance", "survival", "accuracy", "harm", "helped", "over_refusal", "change")


@dataclass(frozen=True)
class Measured:
    """A completion's scores, and when it was written."""

    scored: Scored
    position: int
    """Of the family that the stream was at; 0: before all."""
    adapted: int
    """Steps of adaptation to that family that were done."""
    signals: Mapping[str, float] = field(default_factory=dict)
    """What else than its own log-prob says how sure it is; see evidence/novelty.py."""


@dataclass
class State:
    """All completions' scores so far, in order."""

    measured: list[Measured] = field(default_factory=list)

    @staticmethod
    def read(checkpoint: Path | None) -> State:
        if checkpoint is None:
            return State()
        rows = map(json.loads, (checkpoint / _SCORES).read_text(encoding="utf-8").splitlines())
        return State([Measured(**row | {"scored": Scored(**row["scored"])}) for row in rows])

    def write(self, folder: Path) -> None:
        lines = [json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in self.measured]
        (folder / _SCORES).write_text("".join(lines), encoding="utf-8")

    def add(
        self, groups: Sequence[Group[Graded]], family: str, split: str, *, position: int, adapted: int,
        signals: Callable[[str, int], Mapping[str, float]] = lambda problem, sample: {},
    ) -> None:  # fmt: skip
        for group in groups:
            original = str(group.problem.tags["made_from"]) if family else group.problem.id
            for r in group.rollouts:
                verdicts = {name: r.verdicts[name].score if name in r.verdicts else None for name in _VERDICTS}
                found = Scored(
                    family, split, group.problem.id, original, r.sample, group.problem.kind, verdicts, r.length,
                    fmean(r.sampling_logp) if r.sampling_logp else None,
                )  # fmt: skip
                self.measured.append(Measured(found, position, adapted, signals(group.problem.id, r.sample)))

    def of(self, family: str, position: int | None = None, adapted: int | None = 0) -> list[Scored]:
        return [
            one.scored for one in self.measured
            if one.scored.family == family and position in (None, one.position) and adapted in (None, one.adapted)
        ]  # fmt: skip

    def contacts(self, margin: float) -> list[Contact]:
        """Of each family that was met, its first contact, in the stream's order, beside the plain prompts as they were before."""
        met = {one.scored.family: one.position for one in self.measured if one.scored.family}
        plain = self.of("", 0)
        return [
            contact_of(plain, self.of(name, at), kind=FAMILIES[name].kind, position=at, margin=margin)
            for name, at in sorted(met.items(), key=lambda item: item[1])
        ]  # fmt: skip


def figures(state: State, *, margin: float) -> dict[str, Any]:
    """All figures of a stream as plain data; no text of a prompt or a completion is among them."""
    contacts = state.contacts(margin)
    half = len(contacts) // 2
    parts = {
        "all": contacts, **{split: [c for c in contacts if c.split == split] for split in SPLITS},
        "first_half": contacts[:half], "second_half": contacts[half:],
    }  # fmt: skip
    plain = state.of("", 0)
    return {
        "margin": margin,
        "plain": {kind: _mean(plain, kind) for kind in OF_KIND if any(one.kind == kind for one in plain)},
        "parts": {name: _part(found) for name, found in parts.items() if found},
        "area": {measure: _clean(running_area(contacts, measure)) for measure in ("performance", "survival")},
        "gap": {measure: difference_json(transfer_gap(contacts, measure)) for measure in _GAPS} if parts["sealed"] else None,
        "contacts": [to_json(contact) for contact in contacts],
        "adaptation": _adaptation(state, contacts),
        "abstention": abstention([(one.scored, one.signals) for one in state.measured if not one.adapted]),
    }  # fmt: skip


def summary_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The figures of stream.json for a terminal."""
    if floor := [kind for kind, row in found["plain"].items() if row["value"] is not None and row["value"] <= found["margin"]]:
        yield (
            f"As they are, prompts of kind {', '.join(floor)} score {100 * found['margin']:g} % at most: "
            "they have nothing to lose, so that survival says nothing of them."
        )
    names = {"open": "Open", "held_out": "Held out", "sealed": "Sealed"}
    for key, label in names.items():
        if part := found["parts"].get(key):
            said = "; ".join(f"{name} {shown(part[name])}" for name in ("survival", "performance", "harm") if part[name]["n"])
            yield f"{label} families at first contact: {said}."
    if found["gap"]:
        for measure in ("performance", "harm"):
            gap = found["gap"][measure]
            if gap["value"] is not None:
                yield f"Transfer gap (sealed - open) in {measure}: {points(gap)}."
    if told := found["abstention"]:
        yield from abstention_lines(told, names)
    if adapted := found["adaptation"]:
        back = f"{adapted['recovered']} of {adapted['fallen']} families that fell recovered"
        steps = f", after {adapted['median_steps']} steps (median)" if adapted["median_steps"] is not None else ""
        lost = f"forgetting {points(adapted['forgetting'])} (the best before less the last: above 0 by luck as well)"
        yield f"With adaptation {back}{steps}; {lost}."
    if first := found.get("first_contact"):
        claimed = "can be claimed" if first["claimed"] else "cannot be claimed"
        yield f"First contact with the sealed families {claimed}{''.join(f'; {reason}' for reason in first['reasons'])}."


def _part(contacts: Sequence[Contact]) -> dict[str, Any]:
    shares = {measure: figure(share_of(contacts, measure)) for measure in MEASURES if measure != "change"}
    return {"families": len(contacts), **shares, "change": difference_json(mean_change(contacts))}


def _adaptation(state: State, contacts: Sequence[Contact]) -> dict[str, Any] | None:
    """Recovery of each family that fell, what it cost, and what was forgotten; None where nothing was adapted."""
    if not any(one.adapted for one in state.measured):
        return None
    families, steps = [], []
    plain = state.of("", 0)
    for contact in contacts:
        rows = [one for one in state.measured if one.scored.family == contact.family and one.position == contact.position]
        known = []
        for at in sorted({one.adapted for one in rows}):
            found = [one.scored for one in rows if one.adapted == at]
            then = contact_of(plain, found, kind=contact.kind, position=contact.position, margin=contact.margin)
            known += [(at, then.performance)] if then.performance is not None else []
        if not known:
            continue
        target = fmean(contact.plain.values()) - contact.margin
        took = recovery(known, target)
        families.append({"family": contact.family, "curve": known, "target": target, "steps": took})
        if known[0][1] < target - 1e-12:
            steps.append(took)
    recovered = sorted(taken for taken in steps if taken is not None)
    return {
        "families": families, "fallen": len(steps), "recovered": len(recovered),
        "median_steps": recovered[(len(recovered) - 1) // 2] if recovered else None,
        "forgetting": difference_json(forgetting(_history(state))),
    }  # fmt: skip


def _history(state: State) -> dict[str, list[tuple[int, float]]]:
    """By kind of plain prompt, its mean score after each family's adaptation."""
    found: dict[str, list[tuple[int, float]]] = {}
    for kind in OF_KIND:
        for position in sorted({one.position for one in state.measured if not one.scored.family}):
            value = _mean(state.of("", position, None), kind)["value"]
            if value is not None:
                found.setdefault(kind, []).append((position, value))
    return found


def _mean(completions: Sequence[Scored], kind: str) -> dict[str, Any]:
    values = [score for one in completions if one.kind == kind and (score := one.score) is not None]
    return {"value": fmean(values) if values else None, "n": len(values)}


def _clean(values: Sequence[float]) -> list[float | None]:
    return [number(value) for value in values]
