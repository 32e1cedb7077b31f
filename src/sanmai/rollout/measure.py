"""What is measured of graded groups: the reward/, rollout/ and eval/ metrics of docs/architecture.md."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from statistics import fmean

from sanmai.data.rendering import RENDERED_OF
from sanmai.rewards.judging.agreement import same_answer
from sanmai.rewards.opinions import ENDINGS, OPINIONS, disagreement
from sanmai.stats import rate
from sanmai.types import Graded, Group, Metrics, Problem, StopReason

_INCOMPLETE = (StopReason.LENGTH, StopReason.TIMEOUT, StopReason.REPETITION)


def training_metrics(groups: Sequence[Group[Graded]]) -> Metrics:
    """Metrics of one step's rollouts; none where none have ended."""
    rollouts = [r for group in groups for r in group.rollouts]
    if not rollouts:
        return {}
    metrics = _means("reward/mean", (r.reward for r in rollouts))
    for name in sorted({name for r in rollouts for name in r.verdicts}):
        metrics |= _means(f"reward/{name}", (r.verdicts[name].score for r in rollouts if name in r.verdicts))
    kinds = sorted({group.problem.kind for group in groups})
    for kind in kinds if len(kinds) > 1 else ():
        metrics |= _means(f"reward/mean/{kind}", (r.reward for g in groups if g.problem.kind == kind for r in g.rollouts))
    return metrics | {
        "rollout/length_mean": fmean(r.length for r in rollouts),
        "rollout/length_max": float(max(r.length for r in rollouts)),
        "rollout/thinks": _share(r.trace is not None and r.trace.thinks for r in rollouts),
        **_language_mixing("rollout", rollouts),
        "rollout/truncated": _share(r.stop_reason in _INCOMPLETE for r in rollouts),
        "rollout/ungradable": _share(r.reward is None and r.failure is None for r in rollouts),
        "rollout/failed": _share(r.failure is not None for r in rollouts),
        "rollout/zero_signal_groups": _share(not has_signal(group) for group in groups),
    }


def evaluation_metrics(groups: Sequence[Group[Graded]]) -> Metrics:
    """Metrics of an evaluation, accuracy also by the value of every tag."""
    rollouts = [r for group in groups for r in group.rollouts]
    metrics = {
        **_means("eval/accuracy", map(accuracy, rollouts)),
        "eval/thinks": _share(r.trace is not None and r.trace.thinks for r in rollouts),
        **_language_mixing("eval", rollouts),
        "eval/length_mean": fmean(r.length for r in rollouts),
    }
    for name in ("harm", "thought_harm", "answer_harm", "helped", "over_refusal", "refusal", "helpfulness", "harmlessness"):
        metrics |= _means(f"eval/{name}", (r.verdicts[name].score for r in rollouts if name in r.verdicts))
    metrics |= other_opinions(rollouts)
    by_tag: dict[str, list[float | None]] = defaultdict(list)
    for group in groups:
        for tag, value in sorted((t, v) for t, v in group.problem.tags.items() if t != RENDERED_OF):
            by_tag[f"eval/accuracy/{tag}={value}"] += map(accuracy, group.rollouts)
    num_values = Counter(tag.split("=")[0] for tag in by_tag)
    for tag in sorted(by_tag):
        if num_values[tag.split("=")[0]] <= 20:
            metrics |= _means(tag, by_tag[tag])
    return metrics | rendered_agreement(groups)


TELLING: Mapping[str, tuple[str, ...]] = {
    "reasoning": ("accuracy", "reward"), "safety": ("harm",), "general": ("over_refusal",),
}  # fmt: skip
"""By kind of problem the verdicts that say what is right, or harmful."""
NOT_GRADED = "could not be graded"
_LOST = ("ungradable", "unscored", "")


@dataclass(frozen=True)
class Ungraded:
    """How many of an evaluation's rollouts that a grader was asked about it could say nothing of, and why."""

    asked: int
    lost: int = 0
    reason: str = ""
    """The commonest."""
    times: int = 0
    """Of that reason."""
    what: str = "held-out rollouts"

    @property
    def is_all(self) -> bool:
        return bool(self.asked) and self.lost == self.asked

    @property
    def sentence(self) -> str | None:
        """Count and commonest reason; None where all could be graded."""
        if not self.lost:
            return None
        shown = self.reason if len(self.reason) <= 200 else f"{self.reason[:200]}..."
        of = f"; the commonest reason, of {self.times}" if self.times < self.lost else ""
        return f"{self.lost} of {self.asked} {self.what} {NOT_GRADED}{of}: {shown}"


def ungraded(groups: Sequence[Group[Graded]], telling: Mapping[str, Sequence[str]] = TELLING) -> Ungraded:
    """Of the rollouts that a grader was asked about those that no share counts: it gave None, or never came to it.

    What was cut off has a label of its own ("incomplete") and is not among them.

    Args:
        telling: by kind of problem the verdicts that are asked; where one of them says something it is graded.
    """
    asked, why = 0, Counter[str]()
    for problem, r in ((group.problem, r) for group in groups for r in group.rollouts):
        found = [r.verdicts[name] for name in telling.get(problem.kind, ()) if name in r.verdicts]
        reason = None
        if r.failure is not None:
            reason = r.failure
        elif not r.verdicts and r.stop_reason is StopReason.TIMEOUT:
            reason = "sampling.timeout_seconds cut it off"
        elif not found:
            continue
        elif all(verdict.score is None for verdict in found) and found[0].label in _LOST:
            reason = found[0].reason
        asked += 1
        why.update([] if reason is None else [" ".join(reason.split())])
    return counted(asked, why)


def counted(asked: int, why: Counter[str], what: str = "held-out rollouts") -> Ungraded:
    """Of so many, those that could not be graded, by reason."""
    reason, times = next(iter(why.most_common(1)), ("", 0))
    return Ungraded(asked, why.total(), reason, times, what)


def together(parts: Iterable[Ungraded]) -> Ungraded:
    """Of several evaluations as one; of reasons those count that were the commonest of a part."""
    found, why = list(parts), Counter[str]()
    for one in found:
        why[one.reason] += one.times
    (reason, times), *_ = why.most_common(1) or [("", 0)]
    return Ungraded(sum(one.asked for one in found), sum(one.lost for one in found), reason, times)


def other_opinions(rollouts: Sequence[Graded]) -> Metrics:
    """What other judges say of harm, help and over-refusal, and how often they tell it otherwise; see rewards/opinions.py.

    Returns:
        `eval/harm_rules` and the like, the mean of that opinion where it can tell; `eval/harm_rules/disagree`, the share of the
        completions that both can tell which the first opinion (`eval/harm`) tells otherwise, and `eval/harm_rules/both`, their
        number.
    """
    metrics: Metrics = {}
    for name, ending in product(OPINIONS, ENDINGS):
        other = f"{name}{ending}"
        pairs = [(r.verdicts[name].score, r.verdicts[other].score) for r in rollouts if {name, other} <= r.verdicts.keys()]
        found = disagreement(pairs)
        metrics |= _means(f"eval/{other}", (score for _, score in pairs))
        metrics |= {f"eval/{other}/disagree": found.share, f"eval/{other}/both": float(found.n)} if found.n else {}
    return metrics


def rendered_agreement(groups: Sequence[Group[Graded]]) -> Metrics:
    """Whether questions get the same answer as text and as picture (`sanmai twins --kind rendered`); none where none is both.

    Sample k of a problem is compared with sample k of its picture, where both were graded: they agree if both are right, or both
    give the same wrong answer.

    Returns:
        `eval/rendered_agreement`, the share of such pairs that agree, with `..._low` and `..._high`, its 95 % interval clustered
        by problem; `eval/rendered_problems`, problems with a pair; `eval/rendered_ungraded`, pairs left out because a side could
        not be graded; `eval/rendered_accuracy` and `eval/original_accuracy`, of the pictures' side and the texts' side; and
        with several samples `eval/repeated_agreement`, the same of a text's samples k and k + 1: what chance alone leaves.
    """
    texts = {group.problem.id: group for group in groups}
    agree: list[bool] = []
    graded: list[tuple[str, Graded, Graded]] = []
    repeated: list[bool] = []
    num_pairs = 0
    for group in groups:
        original = texts.get(str(group.problem.tags.get(RENDERED_OF)))
        if original is None:
            continue
        for text, picture in zip(original.rollouts, group.rollouts, strict=True):
            num_pairs += 1
            if (found := _agree(group.problem, text, picture)) is not None:
                agree.append(found)
                graded.append((original.problem.id, text, picture))
        again = [_agree(group.problem, *pair) for pair in pairwise(original.rollouts)]
        repeated += [found for found in again if found is not None]
    if not num_pairs:
        return {}
    share = rate(agree, [problem for problem, *_ in graded])
    metrics = {"eval/rendered_problems": float(share.n), "eval/rendered_ungraded": float(num_pairs - len(graded))}
    if not graded:
        return metrics
    return metrics | {
        "eval/rendered_agreement": share.value,
        "eval/rendered_agreement_low": share.low,
        "eval/rendered_agreement_high": share.high,
        **_means("eval/original_accuracy", (accuracy(text) for _, text, _ in graded)),
        **_means("eval/rendered_accuracy", (accuracy(picture) for *_, picture in graded)),
        **_means("eval/repeated_agreement", repeated),
    }


def _agree(problem: Problem, first: Graded, second: Graded) -> bool | None:
    """Whether two rollouts give the same answer; None where one could not be graded."""
    a, b = accuracy(first), accuracy(second)
    if a is None or b is None or first.trace is None or second.trace is None:
        return None
    return same_answer(problem, (a, first.trace), (b, second.trace))


def accuracy(rollout: Graded) -> float | None:
    """The accuracy verdict, or a user's own reward where there is no verifier; None when ungradable."""
    verdict = rollout.verdicts.get("accuracy") or rollout.verdicts.get("reward")
    return None if verdict is None else verdict.score


def has_signal(group: Group[Graded]) -> bool:
    """At least two of the group's rewards differ: only then is there anything to learn from it."""
    return len({r.reward for r in group.rollouts if r.reward is not None}) > 1


def _language_mixing(prefix: str, rollouts: Sequence[Graded]) -> Metrics:
    """Of thoughts; and of answers without one where these are most of what has words: a few beside thoughts say nothing."""
    thoughts, answers = ([v for v in values if v is not None] for values in (
        (r.off_language for r in rollouts), (r.answer_off_language for r in rollouts)))
    found = _means(f"{prefix}/off_language", thoughts)
    return found | (_means(f"{prefix}/answer_off_language", answers) if len(answers) > len(thoughts) else {})


def _means(name: str, values: Iterable[float | None]) -> Metrics:
    known = [v for v in values if v is not None]
    return {name: fmean(known)} if known else {}


def _share(flags: Iterable[bool]) -> float:
    return fmean(map(float, flags))
