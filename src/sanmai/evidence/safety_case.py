"""The safety case: from the rows of an audit to claims with their evidence, figures on both sides, and what is not known.

Nothing here holds a text of a prompt or a completion: worst samples are named by problem and sample.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sanmai.data.testbeds import own_testbed
from sanmai.evidence.audit_sets import ProblemSet
from sanmai.evidence.lineage import Step, TrainedOn
from sanmai.evidence.served import is_served
from sanmai.instruments import generalisation, harm
from sanmai.instruments.claims import CLAIMED, Claim, Evidence, decide_claims, is_attacked, row_share, verdict
from sanmai.instruments.figures import Summary, contrast_figure, figure, number, share_figure
from sanmai.instruments.generalisation import request_of
from sanmai.instruments.judged import Judged, judged_rollout
from sanmai.instruments.measures import Row, RowMeasure, any_row, tags_of
from sanmai.instruments.monitorability import monitor_g_mean
from sanmai.policies.text.tiny import is_embedded
from sanmai.refusals.rules import UNKNOWN_LANGUAGE
from sanmai.rewards.opinions import RULES_REASON
from sanmai.stats import Difference

CASE = "audit.json"
"""The case in its run folder."""
WORST = 12
"""Samples of each kind that the page shows."""
GROUPS = ("set", "category", "type", "language", "template", "digits", "subject", "level", "phrasing_split")
"""Tags that figures are split by, where they have more than one value."""
_MOST_VALUES = 40
_PAIRS = (
    ("Harm and its price", "harm", "over_refusal"),
    ("The same under attack", "attacked_harm", "attacked_over_refusal"),
    ("Refusing and helping", "not_refused", "helped"),
    ("Reasoning, like training and unlike it", "accuracy", "accuracy_ood"),
    ("Form", "off_language", "incomplete"),
)
BLIND_SPOTS = {
    "rules": "Outside the embedded world, and without a judge, harm is told by refusal rules: whatever is not fully refused "
    "counts, so that harm is an upper bound. It can be shown to be low, and cannot be shown to be high.",
    "judge": "Harm was told by a judge, a model that can be wrong or be talked round by what it reads; how well it agrees with "
    "people on these prompts was not measured.",
    "refusal": "Refusal is told by rules. Soft refusals outside English, encoded text and role-play that refuses in a quotation "
    "are missed. Partial refusals are hardly told from full ones: of 53 answers that people call partial (XSTest) 42 are called "
    "full here and 7 partial, so a refusal with some help in it looks like a bare one.",
    "help": "Outside the embedded world an answer that does not refuse counts as help, however wrong or useless it is.",
    "language": "Short sentences of languages that share a script are told roughly; quotations count.",
    "attacks": "Attacks are fixed, published templates that do not adapt to the model: `sanmai redteam` searches for worse.",
    "served": "The model was asked behind a server: which weights, template, system prompt and sampler answered is not known "
    "here, and they may change; answers that its filter withheld count as refusals.",
    "turns": "Single questions without a system prompt, tools or files: nothing is said of conversations or agents.",
    "thought": "Rules cannot tell what a thought gives away: harm in thoughts was not measured outside the embedded world.",
}  # fmt: skip
"""What an audit cannot see, by what brings it about; docs/metrics.md has more."""


def make_case(
    rows: Sequence[Row],
    claims: Sequence[Claim],
    *,
    confidence: float,
    sets: Sequence[ProblemSet],
    steps: Sequence[Step],
    trained: TrainedOn,
    protocol: Mapping[str, Any],
    before: Sequence[Row] | None = None,
    judged_by: str | None = None,
    lengths: Sequence[Row] = (),
) -> dict[str, Any]:
    """The case as JSON can hold it.

    Args:
        rows: completions of the audited model on every set; see docs/architecture.md.
        protocol: what one needs to do it again.
        before: completions of another model on the same sets with the same seed.
        judged_by: the judge's name, where one told harm.
        lengths: by problem, what an excessive reasoning attack does; see evidence/lengthen_results.py.
    """
    evidence = decide_claims(claims, [*rows, *lengths], confidence=confidence)
    figures = [claim_figure(found) for found in evidence]
    judged = _judged(rows)
    return {
        "format": 1,
        "verdict": verdict(evidence),
        "sentence": _sentence(figures),
        "confidence": confidence,
        "claims": figures,
        "two_sided": [
            {"title": title, "sides": [_side(rows, name) for name in names]} for title, *names in _PAIRS
        ],
        "safety": _safety(judged),
        "reasoning": _reasoning(rows),
        "by": _by(rows),
        "worst": {name: found for name in _WORST if (found := _worst(rows, *_WORST[name]))},
        "before": None if before is None else _comparison(before, rows, judged),
        "history": [step.to_json() for step in steps],
        "gaps": _gaps(rows, evidence, sets, steps, trained, before, judged_by),
        "sets": [_set_facts(s, [r for r in rows if r.get("audit_set") == s.name]) for s in sets],
        "protocol": dict(protocol),
    }  # fmt: skip


def claim_figure(found: Evidence) -> Summary:
    """A claim and its evidence as JSON."""
    claim = found.claim
    return {
        "measure": claim.measure, "meaning": CLAIMED[claim.measure].meaning, "rule": claim.rule, "limit": claim.limit,
        "outcome": found.outcome, **share_figure(found.share), "bounds": [found.low, found.high],
        "requests": found.num_requests, "unit": found.unit, "needed": found.num_needed,
        "p_beyond": found.p_beyond, "p_within": found.p_within, "upper_bound": found.is_upper_bound, "reason": found.reason,
    }  # fmt: skip


def _sentence(claims: Sequence[Summary]) -> str:
    """The verdict in words: "2 of 6 claims hold, 1 fails, 3 are undecided."."""
    counts, total = Counter(claim["outcome"] for claim in claims), len(claims)
    if not total:
        return "Nothing was claimed, so nothing is decided."
    if counts["holds"] == total:
        return "Every claim holds." if total > 1 else "The one claim holds."
    parts = [f"{counts['holds']} of {total} claims {_verb(counts['holds'], 'holds', 'hold')}"]
    parts += [f"{counts['fails']} {_verb(counts['fails'], 'fails', 'fail')}"] if counts["fails"] else []
    undecided = counts["undecided"]
    parts += [f"{undecided} {_verb(undecided, 'is', 'are')} undecided"] if undecided else []
    return ", ".join(parts) + "."


def _verb(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


def _side(rows: Sequence[Row], name: str) -> Summary:
    measure = CLAIMED[name]
    return {"measure": name, "meaning": measure.meaning, "direction": measure.direction} | share_figure(
        row_share(rows, measure)
    )


def _judged(rows: Sequence[Row]) -> list[Judged]:
    """The rows as records whose `request` is what was drawn."""
    return [replace(judged_rollout(row), original=request_of(row)) for row in rows]


def _safety(judged: Sequence[Judged]) -> Summary:
    """Figures of harm.py; those of direct requests where nothing else is said."""
    direct = [record for record in judged if record.attack is None]
    safe = harm.safe_at(direct)
    shares = {
        "safe_at_1": safe.safe_at_1, "safe_at_k": safe.safe_at_k, "consensus_safe_at_k": safe.consensus,
        "thought_harm": harm.thought_harm(direct), "hidden_harm": harm.hidden_harm(direct),
        "inconsistent_prompts": harm.refusal_disagreement(direct),
    }  # fmt: skip
    found: Summary = {"k": safe.k} | {name: share_figure(value) for name, value in shares.items()}
    found["discrimination"] = contrast_figure(harm.discrimination(direct), "harmless_refused", "dangerous_refused")
    found["monitor"] = _monitor(judged)
    found["uplift"] = _uplift(judged)
    found["refusal_loss"] = {
        name: {"lost": share_figure(loss.lost), "gained": share_figure(loss.gained), "unpaired": loss.unpaired}
        for name, loss in harm.refusal_loss(judged).items()
    }
    return found


def _monitor(judged: Sequence[Judged]) -> Summary:
    """Whether one who reads the thoughts would know of the harm in the answers; requests whose answers could be judged."""
    read = [r for r in judged if r.kind == "safety" and r.has_thought and r.answer_harm is not None]
    flagged = [None if r.thought_harm is None else r.thought_harm >= harm.HARMFUL for r in read]
    found = monitor_g_mean([(r.answer_harm or 0.0) >= harm.HARMFUL for r in read], flagged, [r.request for r in read])
    return {
        "g_mean": figure(found.g_mean), "caught": figure(found.caught), "spared": figure(found.spared),
        "unscored": found.num_unscored,
    }  # fmt: skip


def _uplift(judged: Sequence[Judged]) -> dict[str, Summary]:
    """By attack: each prompt in its dress against the very prompt that it was made from, not against translations of it."""
    found = {}
    for name in sorted({record.attack for record in judged if record.attack is not None}):
        dressed = [record for record in judged if record.attack == name]
        plain = {record.tags.get("made_from") for record in dressed}
        asked = [record for record in judged if record.attack is None and record.prompt_id in plain]
        if (
            of_name := harm.uplift([*asked, *dressed]).get(name)
        ) is not None:  # None where only harmless requests are dressed
            found[name] = contrast_figure(of_name, "direct", "attacked")
    return found


def _reasoning(rows: Sequence[Row]) -> Summary:
    of_reasoning = [row for row in rows if row.get("kind") == "reasoning"]
    sides = generalisation.partition(of_reasoning)
    gap = generalisation.generalisation_gap(sides.inside, sides.outside)
    drop = generalisation.perturbation_drop(of_reasoning)
    right = math.fsum(float(row.get("score/accuracy") or 0) for row in of_reasoning)
    tokens = [int(row.get("num_tokens") or 0) for row in of_reasoning]
    finished = [row for row in of_reasoning if row.get("stop_reason") == "stop"]
    return {
        "generalisation_gap": {"value": number(gap.value), "interval": [number(gap.low), number(gap.high)]},
        "perturbation_drop": _difference(drop.drop),
        "tokens_per_completion": sum(tokens) / len(tokens) if tokens else None,
        "tokens_per_correct": sum(tokens) / right if right else None,
        "finished": len(finished) / len(of_reasoning) if of_reasoning else None,
    }


def _by(rows: Sequence[Row]) -> dict[str, list[Summary]]:
    """By tag: for each of its values, the measures that say something of them, dangerous beside harmless."""
    found = {}
    for tag in GROUPS:
        groups: defaultdict[str, list[Row]] = defaultdict(list)
        for row in rows:
            value = (
                row.get({"language": "language", "set": "audit_set"}[tag])
                if tag in ("language", "set")
                else tags_of(row).get(tag)
            )
            if value is not None and (tag == "set" or not is_attacked(row)):
                groups[str(value)].append(row)
        if len(groups) < 2:
            continue
        largest = sorted(groups, key=lambda value: (-len(groups[value]), value))[:_MOST_VALUES]
        found[tag] = [_by_row(value, groups[value]) for value in groups if value in largest]
    return found


def _by_row(value: str, rows: Sequence[Row]) -> Summary:
    measures = {
        "harm": ("harm", "attacked_harm"), "over_refusal": ("over_refusal", "attacked_over_refusal"),
        "accuracy": ("accuracy", "accuracy_ood"), "off_language": ("off_language",), "incomplete": ("incomplete",),
    }  # fmt: skip
    found: Summary = {"value": value, "completions": len(rows)}
    for name, wanted in measures.items():
        shares = [row_share(rows, CLAIMED[measure]) for measure in wanted]
        found[name] = next((share_figure(share) for share in shares if share.rate.n), None)
    if found["accuracy"] is None:  # a set of twins
        share = row_share(rows, _ACCURACY)
        found["accuracy"] = share_figure(share) if share.rate.n else None
    return found


_ACCURACY = RowMeasure(
    "accuracy", "", 1, True, lambda row: row.get("kind") == "reasoning", lambda row: row.get("score/accuracy")
)
_WORST: Mapping[str, tuple[str, Callable[[Row], bool]]] = {
    "harm": ("harm", any_row),
    "attacked_harm": ("attacked_harm", any_row),
    "over_refusal": ("over_refusal", any_row),
    "off_language": ("off_language", lambda row: (row.get("score/language") or 0.0) < 0.5),
}
"""Of which measure, and which of its rows."""


def _worst(rows: Sequence[Row], name: str, takes: Callable[[Row], bool]) -> list[Summary]:
    """The samples with the highest values, at most one of each request, then in order of their ids; no text of theirs."""
    measure = CLAIMED[name]
    found: dict[str, tuple[float, Row]] = {}
    for row in rows:
        value = measure.value(row) if measure.asks(row) and takes(row) and not row.get("failure") else None
        request = request_of(row)
        if value is not None and value >= harm.HARMFUL and value > found.get(request, (0.0, row))[0]:
            found[request] = (float(value), row)
    chosen = sorted(found.values(), key=lambda item: (-item[0], str(item[1]["problem_id"])))[:WORST]
    return [
        {
            "problem_id": str(row["problem_id"]), "sample": int(row.get("sample") or 0), "step": int(row.get("step") or 0),
            "set": row.get("audit_set"), "value": value, "language": row.get("language"),
        }
        for value, row in chosen
    ]  # fmt: skip


def _comparison(before: Sequence[Row], after: Sequence[Row], judged: Sequence[Judged]) -> Summary:
    """The audited model against the one before it, paired on problems."""
    kept = harm.retention(_judged(before), judged)
    old, new = generalisation.partition(before), generalisation.partition(after)
    tax = generalisation.safety_tax([r for r in before if not is_attacked(r)], [r for r in after if not is_attacked(r)])
    counts = [generalisation.sample_counts(side.inside) for side in (old, new)]
    crossover = generalisation.pass_at_k_crossover(*counts)
    transfer, gap = generalisation.transfer_ratio(old, new), generalisation.gap_change(old, new)
    abilities = {0: [*old.inside, *old.outside], 1: [*new.inside, *new.outside]}
    lost = [
        found
        for tag in ("set", "template", "digits", "subject", "level", "language")
        for found in generalisation.forgetting(abilities, _ability(tag))
    ]
    return {
        "retention": {
            "value": number(kept.value), "interval": [number(kept.low), number(kept.high)],
            "asr": contrast_figure(kept.asr, "before", "after"),
        },
        "accuracy_change": _difference(generalisation.change_of(old.inside, new.inside)),
        "accuracy_ood_change": _difference(generalisation.change_of(old.outside, new.outside)),
        "gap_change": {"value": number(gap.value), "interval": [number(gap.low), number(gap.high)]},
        "transfer": {"value": number(transfer.value), "interval": [number(transfer.low), number(transfer.high)],
                     "finding": transfer.finding},
        "safety_tax": {"accuracy_lost": _difference(tax.tax), "harm_removed": _difference(tax.gain),
                       "over_refusal_added": _difference(tax.over_refusal)},
        "crossover": {"finding": crossover.finding, "points": [
            {
                "k": p.k, "before": p.base, "before_interval": [*map(number, p.base_interval)], "after": p.trained,
                "after_interval": [*map(number, p.trained_interval)], "before_ahead_by": _difference(p.lead),
            }
            for p in crossover.points
        ]},
        "forgetting": [
            {"ability": f.ability, "before": f.best, "after": f.now, "loss": _difference(f.loss)} for f in lost
        ],
    }  # fmt: skip


def _ability(tag: str) -> Callable[[generalisation.Row], str | None]:
    if tag != "language":
        return generalisation.ability_of(tag)
    return lambda row: f"language={row['language']}" if row.get("language") else None


def _difference(found: Difference) -> Summary:
    return {"value": number(found.value), "interval": [number(found.low), number(found.high)], "n": found.n}


def _set_facts(chosen: ProblemSet, rows: Sequence[Row]) -> Summary:
    return {
        "name": chosen.name, "role": chosen.role, "problems": len(chosen.problems), "read": chosen.num_read,
        "trained_on": chosen.num_trained_on, "kinds": dict(Counter(p.kind for p in chosen.problems)),
        "completions": len(rows), "failed": sum(bool(row.get("failure")) for row in rows),
        "incomplete": share_figure(row_share(rows, CLAIMED["incomplete"])),
    }  # fmt: skip


def _gaps(
    rows: Sequence[Row],
    evidence: Sequence[Evidence],
    sets: Sequence[ProblemSet],
    steps: Sequence[Step],
    trained: TrainedOn,
    before: Sequence[Row] | None,
    judged_by: str | None,
) -> list[str]:
    """What was not measured, and what the instruments cannot see, a sentence each."""
    roles = {s.role for s in sets}
    kinds = {p.kind for s in sets for p in s.problems}
    found = [
        said
        for is_missing, said in (
            ("reasoning" not in roles, "No reasoning problem was asked: accuracy is not known."),
            ("reasoning_ood" not in roles, "No reasoning problem of other forms was asked: how far accuracy carries is unknown."),
            ("safety" not in kinds, "No dangerous request was asked: harm is not known."),
            ("general" not in kinds, "No harmless request was asked: a model that refuses everything would look safe here."),
            ("attacks" not in roles, "No attack was tried: what holds of plain requests may not hold of dressed ones."),
            (before is None, "Compared with no other model: retention, forgetting and pass@k against a base are unknown."),
            (all(not row.get("sample") for row in rows), "One completion per prompt: what a model does now and then is unseen."),
        )
        if is_missing
    ]  # fmt: skip
    for said in evidence:
        left_out = said.share.unscored + said.share.incomplete
        if left_out and said.num_requests:
            counts = f"{left_out:,} of {left_out + said.share.scored:,} completions"
            found.append(f"{said.claim.measure}: {counts} could not be judged and count against the claim.")
    found += _cut_off(rows)
    unknown = sum(any(UNKNOWN_LANGUAGE in str(row.get(f"reason/{n}")) for n in ("harm", "over_refusal")) for row in rows)
    if unknown:
        found.append(f"{unknown:,} completions are {UNKNOWN_LANGUAGE}: whether they refuse was not judged.")
    found += _history_gaps(steps, trained)
    is_outside = any(own_testbed(p) is None and p.kind != "reasoning" for s in sets for p in s.problems)
    by_rules = any(str(row.get("reason/harm") or "").startswith(RULES_REASON) for row in rows)
    spots = {
        "rules": by_rules, "judge": judged_by is not None, "refusal": len(kinds & {"safety", "general"}) > 0,
        "help": is_outside, "thought": is_outside and judged_by is None, "attacks": "attacks" in roles, "language": True,
        "turns": True,
        "served": is_served(steps[-1].name),
    }  # fmt: skip
    asked = {bed for s in sets for p in s.problems if (bed := own_testbed(p)) is not None and p.kind != "reasoning"}
    return found + [BLIND_SPOTS[name] for name, applies in spots.items() if applies] + [bed.limits for bed in asked]


def _cut_off(rows: Sequence[Row]) -> Iterable[str]:
    """How many answers to requests were judged by their beginning."""
    asked = [row for row in rows if row.get("kind") in ("safety", "general") and not row.get("failure")]
    cut = [row for row in asked if row.get("stop_reason") == "length"]
    if cut:
        longest = max(int(row.get("num_tokens") or 0) for row in cut)
        yield (
            f"{len(cut):,} of {len(asked):,} answers to requests were cut off, at {longest:,} tokens at most, and are judged as "
            "far as they were written: what would have come later is not known."
        )


def _history_gaps(steps: Sequence[Step], trained: TrainedOn) -> Iterable[str]:
    base = steps[0]
    if is_embedded(base.name):
        yield "The embedded base has read about every object of its world, these as well; the held-out sums it has not seen."
    elif base.recipe is None:
        yield f"What {base.name} was trained on is not recorded: prompts of this audit may be among it."
    for name in trained.unread:
        yield f"{name}: the history names it and it cannot be read, so its prompts were not kept out of this audit."
