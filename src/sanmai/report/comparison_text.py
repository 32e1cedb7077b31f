"""What a comparison of arms found, in sentences; and its figures, differences, verdicts and costs as text."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from sanmai.instruments.measures import RowMeasure
from sanmai.report import format as fmt
from sanmai.report.budgets import TOLERANCE, LimitCheck, Spent
from sanmai.report.comparison import CONSTRAINED, Comparison
from sanmai.report.findings import Finding

LABELS = {
    "harm": ("Harm", "harm"),
    "harm_ood": ("Harm, unseen kinds", "harm ood"),
    "over_refusal": ("Over-refusal", "over-ref"),
    "over_refusal_ood": ("Over-refusal, unseen kinds", "ref. ood"),
    "helped": ("Helped", "helped"),
    "accuracy": ("Accuracy", "accuracy"),
    "accuracy_ood": ("Accuracy, out of distribution", "acc. ood"),
    "off_language": ("Language mixing", "mixing"),
    "off_language_ood": ("Language mixing, out of distribution", "mix. ood"),
    "incomplete": ("Incomplete", "incompl."),
    "length": ("Tokens per answer", "tokens"),
}
"""Heading of each measure, and its short form, in the order of the columns."""
CLIP_LABELS = {
    "quality": ("Quality", "quality"),
    "visual": ("Visual quality", "visual"),
    "motion": ("Motion", "motion"),
    "alignment": ("Alignment", "align."),
    "reward": ("Reward", "reward"),
}
"""The same of a flow's clips; their harm is called as that of texts."""
LIMITED = {
    "harm": "harm",
    "over_refusal": "over-refusal",
    "unhelped": "unhelped requests",
    "off_language": "language mixing",
    "length": "length",
    "kl": "KL",
}
"""What constraints can limit."""
NOTE = (
    "Values are means over seeds. Brackets are 95 % intervals, at either end the wider of two: over seeds (Student's t: what "
    "another seed would give) and over problems (what other problems would give; requests for one object of the embedded world "
    "count as one); with one seed they are over problems alone "
    "and say nothing of other seeds."
)
VERDICT_NOTE = (
    "Differences are paired on problem and sample within each seed. A verdict is Holm's over its table, with a family-wise error "
    "of 5 %; one in brackets is what the difference would be called if it were the only one. Seeds: those whose own "
    "interval over problems lies on that side of zero."
)
LIMIT_NOTE = (
    "A limit is called kept where the mean of the last quarter of the run's own measurements is not above it (on the probe; of "
    "the KL on what is trained on). Training steers by these, so they promise nothing for held-out problems, which stand beside."
)
COST_NOTE = (
    "Of all stages that an arm's model was made by, mean over seeds. Tokens are completion tokens, each step once: sampled, "
    "trained on (all own completions with a reward, those of groups without signal included, which give the reward's loss no "
    "gradient and need no forward pass for it), demonstrated (SFT, and the SFT part of an update), probed (for constraints). "
    "Operations and seconds are those of training, as paid for, without evaluations; ~ where some are estimated as 2 N per token "
    "read and 6 N per token trained."
)
_NOUNS = {
    "harm": "Harm on held-out requests", "over_refusal": "Over-refusal", "accuracy": "Held-out accuracy",
    "off_language": "Language mixing", "helped": "The share of harmless requests that are answered",
}  # fmt: skip
_BRIEF = {
    "harm": "harm",
    "over_refusal": "over-refusal",
    "helped": "harmless requests answered",
    "accuracy": "accuracy",
}
_HELD_OUT = {"harm": "harm", "over_refusal": "over_refusal", "unhelped": "helped", "off_language": "off_language"}


def sentences(found: Comparison) -> list[str]:
    """What the comparison says of its headline arm, against RL alone and short SFT; then of seeds, the budget and the front.

    Against RL each measure has a sentence, against SFT one sentence has all. Where RL is not scored, or shares no seed with the
    arm, the next of REFERENCES takes its place.
    """
    arm = found.headline
    tables = {name: [f for f in table if f.arm == arm] for name, table in found.tables.items() if name != arm}
    if arm is None or not tables:
        done = f"{found.pipeline.num_finished} of {len(found.pipeline.stages)} stages are finished"
        return [f"No two arms can be compared yet: {done}."]
    reference = next((name for name, table in tables.items() if table), None)
    told = {f.measure.name: f for f in tables[reference]} if reference is not None else {}
    said = [_sentence(noun, told[name], found) for name, noun in _NOUNS.items() if name in told]
    if "harm" in told and "over_refusal" not in told:
        said.append("Over-refusal was not measured: less harm may be no more than more refusing.")
    if reference != "sft" and tables.get("sft"):
        said.append(_brief_sentence(tables["sft"], found))
    if apart := [name for name, table in tables.items() if not table]:
        said.append(f"{arm} has no scored seed in common with {listed(apart)}, so that comparison is missing.")
    if CONSTRAINED in found.titles and arm != CONSTRAINED:
        said.append(f"{CONSTRAINED} has no scores yet: this is of {arm}.")
    if found.has_uneven_seeds:
        said.append(seeds_sentence(found))
    return [*said, budget_sentence(found), front_sentence(found)]


def seeds_sentence(found: Comparison) -> str:
    """Which seeds each arm is scored for, and what that means for what is beside each other."""
    arms: dict[tuple[str, ...], list[str]] = {}
    for arm, by_seed in found.scores.items():
        arms.setdefault(tuple(by_seed), []).append(arm)
    each = "; ".join(f"{listed(those)}: {seeds_named(seeds)}" for seeds, those in arms.items())
    return (
        f"Arms have different seeds ({each}): each figure is over its arm's own, a difference over those that both sides have, "
        "the front over those that all have."
    )


def limit_sentences(found: Comparison) -> list[str]:
    """For each arm with constraints and each of its limits: whether every seed kept it, and where its multiplier ended."""
    checks: dict[tuple[str, str], list[LimitCheck]] = {}
    for check in found.limit_checks:
        checks.setdefault((check.arm, check.name), []).append(check)
    order = {arm: i for i, arm in enumerate(found.titles)}
    return [_limit_sentence(those, found) for _, those in sorted(checks.items(), key=lambda item: order[item[0][0]])]


def budget_sentence(found: Comparison) -> str:
    """Whether the arms cost the same, and which were given less by design."""
    check = found.budget
    less = "".join(f" {arm} was given {fmt.percent(share)} of it by design." for arm, share in check.exempt.items())
    if len(check.arms) < 2:
        return f"There are no two arms of the whole budget to compare the cost of.{less}"
    range_ = f"{fmt.number(check.low)} to {fmt.number(check.high)} tokens processed, within a seed at most"
    share = f"{fmt.percent(check.difference)} apart"
    if check.is_by_flops and check.flops is not None:
        range_, share = "operations of an arm, within a seed at most", f"{fmt.percent(check.flops)} apart"
    start = "Equal budgets" if check.is_equal else f"Budgets are not equal (more than {fmt.percent(TOLERANCE)} apart)"
    others = [
        f"by up to {fmt.percent(value)} in {unit}"
        for value, unit in (
            (check.difference, "tokens processed") if check.is_by_flops else (check.flops, "operations"),
            (check.seconds, "seconds"),
        )
        if value is not None
    ]
    also = f" For these {'operations' if check.is_by_flops else 'tokens'} they differ {' and '.join(others)}." if others else ""
    return f"{start}: {', '.join(check.arms)}: {range_} {share}.{also}{less}"


def front_sentence(found: Comparison) -> str:
    """Which arms no other dominates, by their means over the seeds that all have."""
    if not any("harm" in figures and "accuracy" in figures for figures in found.figures.values()):
        return "No arm has both harm and accuracy, so there is no Pareto front."
    if not found.front_seeds:
        return "No seed has harm and accuracy of every arm, so there is no Pareto front."
    over = f" over {seeds_named(found.front_seeds)}" if found.has_uneven_seeds else ""
    start = f"By their means{over} no other arm beats these in held-out harm and accuracy"
    both = ", ".join(found.front)
    if found.front == found.front_with_over_refusal:
        return f"{start}, with or without over-refusal: {both}."
    three = ", ".join(found.front_with_over_refusal) or "none was measured"
    return f"{start}: {both}; with over-refusal as well: {three}."


def left_out_sentence(found: Comparison) -> str:
    """How many completions could not be judged, by measure; nothing where all could."""
    counts = {name: sum(f[name].num_left_out for f in found.figures.values() if name in f) for name in LABELS}
    named = ", ".join(f"{LABELS[name][0]} {count:,}" for name, count in counts.items() if count)
    return f"Completions without a value, which are left out: {named}." if named else ""


def range_of_n(found: Comparison, name: str) -> str:
    """n = 120, or n = 749 to 777: problems with a value."""
    counts = [figures[name].n for figures in found.figures.values() if name in figures]
    return f"n = {_range(counts or [0])}"


def value_text(measure: RowMeasure, value: float | None) -> str:
    """62.5 %, or 21.3."""
    return fmt.percent(value) if measure.is_share else fmt.number(value)


def interval_text(measure: RowMeasure, low: float, high: float) -> str:
    """[41, 53]; nothing where it is unbounded."""
    return fmt.interval(low, high, is_share=measure.is_share)


def change_text(finding: Finding) -> str:
    """+12.3 points; for lengths +3.2."""
    return (fmt.points if finding.measure.is_share else fmt.signed)(finding.value)


def verdict_text(finding: Finding) -> str:
    """better; (better) where it is only so alone; undecided."""
    if finding.verdict == finding.alone:
        return finding.verdict
    return f"({finding.alone})"


def seeds_text(num: int) -> str:
    """3 seeds"""
    return f"{num} seed{'s' * (num != 1)}"


def seeds_named(seeds: Sequence[str]) -> str:
    """seed 0; seeds 0, 1 and 2"""
    return f"seed{'s' * (len(seeds) != 1)} {listed(seeds)}"


def listed(names: Sequence[str]) -> str:
    """a, b and c"""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def mean_spent(by_seed: Sequence[Spent]) -> dict[str, str]:
    """What an arm used up, mean over seeds, as text."""

    def mean(name: str) -> float | None:
        known = [value for spent in by_seed if (value := getattr(spent, name)) is not None]
        return fmean(known) if known else None

    flops, seconds = mean("flops"), mean("seconds")
    counts = {name: mean(name) for name in ("sampled", "trained", "demonstrated", "probed", "processed")}
    return {name: fmt.number(None if value is None else round(value)) for name, value in counts.items()} | {
        "flops": ("~" if any(s.is_estimated for s in by_seed) else "") + fmt.scientific(flops) if flops else fmt.NONE,
        "seconds": fmt.duration(seconds) if seconds is not None else fmt.NONE,
    }


def _sentence(noun: str, finding: Finding, found: Comparison) -> str:
    arm, reference = (value_text(finding.measure, side) for side in (finding.after, finding.before))
    bounds = interval_text(finding.measure, finding.low, finding.high)
    verdict = finding.verdict
    if verdict != finding.alone:
        verdict = f"undecided among {len(found.tables[finding.reference])} verdicts, {finding.alone} alone"
    evidence = [change_text(finding), f"95 % interval {bounds}" if bounds else "", seeds_text(len(finding.per_seed))]
    claim = f"{noun}: {arm} for {finding.arm}, {reference} for {finding.reference}; {verdict}"
    return f"{claim} ({', '.join(filter(None, evidence))}, n = {finding.n})."


def _brief_sentence(findings: Sequence[Finding], found: Comparison) -> str:
    """The headline arm against one reference in one sentence: what is worse comes first, and the numbers in brackets."""
    told = {f.measure.name: f for f in findings if f.measure.name in _BRIEF}
    arm, reference = findings[0].arm, findings[0].reference
    if not told:
        return f"{arm} and {reference} share none of {listed(list(_BRIEF.values()))}."
    by_word: dict[str, list[str]] = {}
    for name, finding in sorted(told.items(), key=lambda item: _severity(item[1])):
        word = finding.verdict if finding.verdict == finding.alone else f"undecided, alone {finding.alone},"
        by_word.setdefault(word, []).append(_BRIEF[name])
    claim = "; ".join(f"{word} in {listed(those)}" for word, those in by_word.items())
    share = found.budget.exempt.get(reference)
    given = f", which was given {fmt.percent(share)} of the budget" if share else ""
    numbers = [
        f"{_BRIEF[name]} {value_text(f.measure, f.after)} for {value_text(f.measure, f.before)}, {change_text(f)} "
        f"{interval_text(f.measure, f.low, f.high)}".strip()
        for name in _BRIEF
        if (f := told.get(name)) is not None
    ]
    counts, seeds = [f.n for f in told.values()], [len(f.per_seed) for f in told.values()]
    return (
        f"Against {reference}{given}: {arm} is {claim} ({'; '.join(numbers)}; {_range(seeds)} seed{'s' * (max(seeds) != 1)}, "
        f"n = {_range(counts)})."
    )


def _severity(finding: Finding) -> tuple[bool, bool, bool]:
    return finding.verdict != "worse", finding.alone != "worse", finding.verdict != "undecided"


def _limit_sentence(checks: Sequence[LimitCheck], found: Comparison) -> str:
    arm, name, limit = checks[0].arm, checks[0].name, checks[0].limit
    show = fmt.number if name in ("length", "kl") else fmt.percent
    each = []
    for check in checks:
        ended = "" if check.multiplier is None else f"; its multiplier ended at {fmt.number(check.multiplier)}"
        if check.measured is None:
            each.append(f"never measured in seed {check.seed}{ended.replace(';', ',', 1)}")
            continue
        word = "kept" if check.is_kept else "exceeded"
        evidence = f"mean of the last {check.num_last} of {check.num_measured} measurements{ended}"
        each.append(f"{word} in seed {check.seed} with {show(check.measured)} ({evidence})")
    return (
        f"Limit of {arm} on {LIMITED.get(name, name)}, {show(limit)}: {', '.join(each)}{_held_out(arm, name, found)}."
    )


def _held_out(arm: str, name: str, found: Comparison) -> str:
    """; on held-out problems 7.9 % [4, 13], n = 120: where what is limited is a measure of the table as well."""
    figure = found.figures.get(arm, {}).get(_HELD_OUT.get(name, ""))
    if figure is None:
        return ""
    value, low, high = figure.value, figure.low, figure.high
    if name == "unhelped":
        value, low, high = 1 - value, 1 - high, 1 - low
    return f"; on held-out problems {fmt.percent(value)} {fmt.interval(low, high, is_share=True)}, n = {figure.n:,}"


def _range(counts: Sequence[int]) -> str:
    least, most = min(counts), max(counts)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"
