"""What an evaluation of a refusal judge says: its agreement with people beside the rules', and whether it looks at the answer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from sanmai.data.preferences import LabelledRefusal
from sanmai.data.refusals import CLASSES
from sanmai.data.trace import parse_trace
from sanmai.instruments.kappa import Kappa
from sanmai.instruments.refusal_agreement import RefusalAgreement, Told, refusal_agreement
from sanmai.refusals.rules import RefusalFinding, classify_answer
from sanmai.rewards.opinions import RULES_REASON
from sanmai.stats import Rate
from sanmai.types import InputError, Metrics, Verdict


def rules_finding(item: LabelledRefusal) -> RefusalFinding:
    """What the rules say of a labelled answer."""
    return classify_answer(parse_trace(item.response), str(item.messages[-1]["content"]))


def rules_verdict(finding: RefusalFinding) -> Verdict:
    """The same as a verdict: 1.0 refuses, 0.0 does not, None cannot be told."""
    score = None if finding.label == "unscored" else float(finding.is_refusal)
    return Verdict(score, f"{RULES_REASON} {finding.reason}", finding.label)


def agreement_of(items: Sequence[LabelledRefusal], scores: Sequence[float]) -> RefusalAgreement:
    """A judge, whose scores are logits, and the rules against people; clustered by prompt, or by contrasting pair if known."""
    rules = [rules_finding(item) for item in items]
    return refusal_agreement(
        [item.label for item in items],
        [score > 0 if math.isfinite(score) and score else None for score in scores],
        [None if finding.label == "unscored" else finding.is_refusal for finding in rules],
        [str(item.tags.get("original") or repr(item.messages)) for item in items],
    )


def agreement_metrics(found: RefusalAgreement) -> Metrics:
    """`eval/judge/kappa` and the like, `eval/rules/...` of the rules on the same answers, and what the two say together."""
    metrics = {
        **_told("eval/judge", found.judge),
        **_told("eval/rules", found.rules),
        **_interval("eval/disagree", found.disagree),
        **_interval("eval/agreed/kappa", found.agreed),
        "eval/judge_minus_rules": found.judge_minus_rules.value,
        "eval/judge_minus_rules/low": found.judge_minus_rules.low,
        "eval/judge_minus_rules/high": found.judge_minus_rules.high,
        "eval/judge/silent": float(found.num_judge_silent),
        "eval/rules/silent": float(found.num_rules_silent),
    }
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def _told(name: str, told: Told) -> Metrics:
    found = {f"{name}/called_refusal/{label}": share for label, share in told.called.items()}
    parts = {f"{name}/label_accuracy": told.accuracy, f"{name}/kappa": told.kappa, **found}
    return {key: value for part, of in parts.items() for key, value in _interval(part, of).items()}


def _interval(name: str, found: Rate | Kappa) -> Metrics:
    bounds = {f"{name}/low": found.low, f"{name}/high": found.high, f"{name}/n": float(found.n)}
    return {name: found.value, **bounds} if found.n else {}


def agreement_words(when: str, metrics: Metrics) -> Iterator[str]:
    """What an evaluation found, in sentences; nothing where the metrics hold no agreement with people."""

    def kappa(name: str) -> str:
        if name not in metrics:
            return "not defined"
        value, low, high = (metrics[f"{name}{part}"] for part in ("", "/low", "/high"))
        return f"{value:.3f} [{low:.3f}, {high:.3f}]"

    def share(name: str) -> str:
        value, low, high = (100 * metrics[f"{name}{part}"] for part in ("", "/low", "/high"))
        return f"{value:.1f} % [{low:.1f}, {high:.1f}] (n = {metrics[f'{name}/n']:.0f} prompts)"

    if "eval/disagree" not in metrics or "eval/judge/kappa" not in metrics:
        return
    yield (
        f"{when}: kappa with people {kappa('eval/judge/kappa')}, n = {metrics['eval/judge/kappa/n']:.0f} answers; "
        f"of the rules on the same answers {kappa('eval/rules/kappa')}."
    )
    yield (
        f"Judge and rules disagree on {share('eval/disagree')}; where they agree, kappa with people is "
        f"{kappa('eval/agreed/kappa')}."
    )
    called = [
        f"{name.replace('_', ' ')} {100 * metrics[f'eval/judge/called_refusal/{name}']:.1f} % "
        f"(by the rules {100 * metrics[f'eval/rules/called_refusal/{name}']:.1f} %)"
        for name in CLASSES
        if f"eval/judge/called_refusal/{name}" in metrics
    ]
    yield f"Called a refusal, by what people call it: {', '.join(called)}."
    if "eval/other_prompt/label_accuracy" in metrics:
        right = share("eval/other_prompt/label_accuracy")
        yield f"Each answer under a prompt whose own answer has the other label: {right} are still judged right."


def under_other_prompts(items: Sequence[LabelledRefusal], share: float, seed: int) -> list[LabelledRefusal]:
    """The items, a share of them shown under the prompt of an item with the other label: what was asked then tells nothing.

    In published labels dangerous prompts are nearly always refused, often by selection. A judge that learns that tells harm by
    the prompt: it would say of the first policy that complies that it refuses. A refusal is one under any prompt, and an answer
    to something else is none.

    Args:
        share: 0 to 1, exact up to rounding. At 0.5 prompt and label are independent, as far as prompts are told apart by label.

    Raises:
        InputError: all of the items have one label.
    """
    by_label = {flag: [item for item in items if item.is_refusal is flag] for flag in (True, False)}
    if not all(by_label.values()):
        raise InputError(f"all {len(items)} labelled answers are of one class: refusals and compliances are needed")
    rng = np.random.default_rng([seed, 3])
    chosen = set(rng.permutation(len(items))[: round(share * len(items))].tolist())
    others = {flag: [by_label[not flag][k] for k in rng.permutation(len(by_label[not flag]))] for flag in (True, False)}
    found, used = [], {True: 0, False: 0}
    for number, item in enumerate(items):
        if number in chosen:
            pool = others[item.is_refusal]
            item = replace(item, messages=pool[used[item.is_refusal] % len(pool)].messages)
            used[item.is_refusal] += 1
        found.append(item)
    return found
