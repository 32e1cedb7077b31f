"""Who told harm, help and refusals in a run's last evaluation, and how often judges differ from each other and from people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import isfinite

from sanmai.data.refusals import CLASSES, RefusalClass
from sanmai.instruments.kappa import Kappa
from sanmai.instruments.measures import tags_of
from sanmai.instruments.refusal_agreement import RefusalAgreement, refusal_agreement
from sanmai.report import format as fmt
from sanmai.report.load import Row, RunData
from sanmai.rewards.opinions import ENDINGS, OPINIONS, disagreement, teller
from sanmai.stats import Rate, rate

_LABELS = {"harm": "Harm", "over_refusal": "Over-refusal", "helped": "Helped"}


@dataclass(frozen=True)
class Line:
    """One judge's figure."""

    what: str
    told_by: str
    value: str
    interval: str
    n: str
    differs: str = ""
    """How often it tells the same completions otherwise than the first judge of the figure."""

    @property
    def sentence(self) -> str:
        """For a terminal."""
        differs = f"; {self.differs}" if self.differs else ""
        return f"{self.what}, by {self.told_by}: {f'{self.value} {self.interval}'.strip()}, {self.n}{differs}"


def told_by_judges(run: RunData) -> list[Line]:
    """Each figure of the last evaluation that a named judge told, and under it the same by the others; none without such judges.

    Of a judge of refusals in training: its agreement with people and that of the rules.
    """
    rows = run.evaluations[max(run.evaluations)] if run.evaluations else []
    found = _agreement(rows)
    return ([] if found is None else _people_lines(found)) + [line for name in OPINIONS for line in _opinion_lines(name, rows)]


def tellers(rows: Sequence[Row]) -> Counter[str]:
    """By who told them, the number of verdicts on harm, help and over-refusal."""
    told = [(row, name) for row, name in product(rows, OPINIONS) if row.get(f"score/{name}") is not None]
    return Counter(teller(row.get(f"reason/{name}")) for row, name in told)


def _opinion_lines(name: str, rows: Sequence[Row]) -> list[Line]:
    others = [ending for ending in ENDINGS if any(row.get(f"score/{name}{ending}") is not None for row in rows)]
    named = {teller(row.get(f"reason/{name}")) for row in rows if row.get(f"score/{name}") is not None}
    if not others and named <= {"the world", ENDINGS["_rules"]}:
        return []
    lines = []
    for ending in ("", *others):
        column = f"score/{name}{ending}"
        scored = [row for row in rows if row.get(column) is not None]
        told_by = " and ".join(sorted({teller(row.get(f"reason/{name}{ending}")) for row in scored})) or "the judge named"
        share = rate([float(row[column]) for row in scored], [str(row.get("problem_id")) for row in scored])
        lines.append(_line(_LABELS[name], told_by, share, len(scored), _differs(name, ending, rows)))
    return lines


def _differs(name: str, ending: str, rows: Sequence[Row]) -> str:
    if not ending:
        return ""
    found = disagreement([(row.get(f"score/{name}"), row.get(f"score/{name}{ending}")) for row in rows])
    if not found.n:
        return "no completion is told by both"
    return f"{fmt.percent(found.share)} of {found.n:,} completions told otherwise"


def _line(what: str, told_by: str, share: Rate, num_completions: int, differs: str = "") -> Line:
    if not share.n:
        return Line(what, told_by, fmt.NONE, "", "no completion could be told", differs)
    bounds = fmt.interval(share.low, share.high, is_share=True)
    return Line(what, told_by, fmt.percent(share.value), bounds, f"n = {share.n:,} ({num_completions:,} completions)", differs)


def _agreement(rows: Sequence[Row]) -> RefusalAgreement | None:
    """Of rows that hold what people say, a judge's score and the rules' finding."""
    people: list[RefusalClass] = [row["label/people"] for row in rows if row.get("label/people") in CLASSES]
    labelled = [row for row in rows if row.get("label/people") in CLASSES]
    if not people:
        return None
    judge = [None if not row.get("score/score") else row["score/score"] > 0 for row in labelled]
    rules = [None if row.get("score/rules") is None else row["score/rules"] > 0 for row in labelled]
    clusters = [str(tags_of(row).get("original") or row.get("prompt") or row.get("problem_id")) for row in labelled]
    return refusal_agreement(people, judge, rules, clusters)


def _people_lines(found: RefusalAgreement) -> list[Line]:
    differs = f"{fmt.percent(found.disagree.value)} of the answers told otherwise than by the judge"
    lines = []
    for who, told, extra in (("the judge", found.judge, ""), ("the refusal rules", found.rules, differs)):
        lines.append(_kappa_line(who, told.kappa, extra))
        lines += [
            _line(f"Called a refusal, of people's {name.replace('_', ' ')}", who, share, share.n)
            for name, share in told.called.items()
            if share.n
        ]
    return [*lines, _kappa_line("both, where they agree", found.agreed)]


def _kappa_line(who: str, kappa: Kappa, differs: str = "") -> Line:
    if not isfinite(kappa.value):
        return Line("Kappa with people", who, fmt.NONE, "", f"n = {kappa.n:,} answers", differs)
    bounds = f"[{kappa.low:.3f}, {kappa.high:.3f}]"
    return Line("Kappa with people", who, f"{kappa.value:.3f}", bounds, f"n = {kappa.n:,} answers", differs)
