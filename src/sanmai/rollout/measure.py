"""What is measured of graded groups: the reward/, rollout/ and eval/ metrics of docs/architecture.md."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean

from sanmai.types import Group, Metrics, Rollout, StopReason

_INCOMPLETE = (StopReason.LENGTH, StopReason.TIMEOUT, StopReason.REPETITION)


def training_metrics(groups: Sequence[Group]) -> Metrics:
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
        "rollout/length_mean": fmean(len(r.completion_tokens) for r in rollouts),
        "rollout/length_max": float(max(len(r.completion_tokens) for r in rollouts)),
        "rollout/thinks": _share(r.trace is not None and r.trace.thinks for r in rollouts),
        **_means("rollout/off_language", (r.off_language for r in rollouts)),
        "rollout/truncated": _share(r.stop_reason in _INCOMPLETE for r in rollouts),
        "rollout/ungradable": _share(r.reward is None and r.failure is None for r in rollouts),
        "rollout/failed": _share(r.failure is not None for r in rollouts),
        "rollout/zero_signal_groups": _share(not has_signal(group) for group in groups),
    }


def evaluation_metrics(groups: Sequence[Group]) -> Metrics:
    """Metrics of an evaluation, accuracy also by the value of every tag."""
    rollouts = [r for group in groups for r in group.rollouts]
    metrics = {
        **_means("eval/accuracy", map(accuracy, rollouts)),
        "eval/thinks": _share(r.trace is not None and r.trace.thinks for r in rollouts),
        **_means("eval/off_language", (r.off_language for r in rollouts)),
        "eval/length_mean": fmean(len(r.completion_tokens) for r in rollouts),
    }
    for name in ("harm", "thought_harm", "answer_harm", "helped", "over_refusal", "refusal", "helpfulness", "harmlessness"):
        metrics |= _means(f"eval/{name}", (r.verdicts[name].score for r in rollouts if name in r.verdicts))
    by_tag: dict[str, list[float | None]] = defaultdict(list)
    for group in groups:
        for tag, value in sorted(group.problem.tags.items()):
            by_tag[f"eval/accuracy/{tag}={value}"] += map(accuracy, group.rollouts)
    num_values = Counter(tag.split("=")[0] for tag in by_tag)
    for tag in sorted(by_tag):
        if num_values[tag.split("=")[0]] <= 20:
            metrics |= _means(tag, by_tag[tag])
    return metrics


def accuracy(rollout: Rollout) -> float | None:
    """The accuracy verdict, or a user's own reward where there is no verifier; None when ungradable."""
    verdict = rollout.verdicts.get("accuracy") or rollout.verdicts.get("reward")
    return None if verdict is None else verdict.score


def has_signal(group: Group) -> bool:
    """At least two of the group's rewards differ: only then is there anything to learn from it."""
    return len({r.reward for r in group.rollouts if r.reward is not None}) > 1


def _means(name: str, values: Iterable[float | None]) -> Metrics:
    known = [v for v in values if v is not None]
    return {name: fmean(known)} if known else {}


def _share(flags: Iterable[bool]) -> float:
    return fmean(map(float, flags))
