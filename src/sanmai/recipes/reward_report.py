"""An evaluation of a reward model: metrics, one stored row per response, and the words for the terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from statistics import fmean
from typing import Any

from sanmai.data.preferences import LabelledAnswer, LabelledRefusal, Pair, StyledPair
from sanmai.data.trace import parse_trace
from sanmai.learn.progress import Progress
from sanmai.recipes.refusal_evaluation import (
    agreement_metrics,
    agreement_of,
    agreement_words,
    rules_finding,
    rules_verdict,
    under_other_prompts,
)
from sanmai.recipes.reward_data import Example, Preference, as_problem, encode_examples, is_positive, label_of, texts_of
from sanmai.recipes.reward_evaluation import (
    Calibration,
    Scorer,
    StyleMatrix,
    auc,
    calibration,
    length_only,
    pair_calibration,
    sigmoid,
    style_matrix,
)
from sanmai.rewards.reward_model import LABELS, RewardModel
from sanmai.rewards.verifiers import accuracy
from sanmai.stats import Rate, rate
from sanmai.train.runs import Run
from sanmai.types import Graded, Group, Metrics, RunError, StopReason, Verdict

Benchmarks = Mapping[str, Sequence[StyledPair]]
"""Rows of RM-Bench by domain."""
_MAX_TAG_VALUES = 12


def evaluate(
    run: Run,
    model: RewardModel,
    examples: Sequence[Example],
    benchmarks: Benchmarks,
    micro_tokens: int,
    progress: Progress,
    step: int,
) -> Metrics:
    """Score the held-out examples and the benchmarks, store every response with its score, and return the metrics.

    A pairwise model takes the mean score of the held-out responses for its `center`. An event "evaluation" has what is more than
    a number: the reliability table and the style matrices. `eval/length_only` is the same of the length of what is read, in
    tokens, two of equal length counted half (for RM-Bench as that counts: in characters, and equal is not right). Of a model of
    correctness `eval/rules` is the same of the rules of answers/final.py, what they cannot grade left out. Of a model of
    refusal refusal_evaluation.py says what is measured; after training it also judges every answer under another's prompt.

    Raises:
        RunError: a score is not finite.
    """
    with progress.phase("evaluation"):
        flat = model.score([s for example in examples for s in example.sequences], micro_tokens=micro_tokens)
        if not all(map(math.isfinite, flat)):
            raise RunError(
                f"evaluation after step {step}: scores are not finite; the reward model's weights are broken"
            )
        metrics: Metrics = {}
        facts: dict[str, Any] = {}
        if examples:
            labels = LABELS.get(model.objective)
            metrics, found = _pairs(examples, flat) if labels is None else _labels(examples, flat, labels)
            facts["reliability"] = [asdict(b) for b in found.bins]
            if model.objective == "pairwise":
                model.center = fmean(flat)
            if model.objective == "refusal" and step:
                metrics |= _under_other_prompts(model, examples, micro_tokens)
            run.log_evaluation(step, _records(examples, flat, step))
        matrices = {
            who: {domain: style_matrix(scorer, rows) for domain, rows in benchmarks.items()}
            for who, scorer in (("eval", scorer_of(model, micro_tokens)), ("eval/length_only", length_only))
        }
        for who, found in matrices.items():
            metrics |= _style_metrics(f"{who}/rm_bench", found)
        if benchmarks:
            facts["rm_bench"] = {
                who: {domain: asdict(m) for domain, m in found.items()} for who, found in matrices.items()
            }
    run.event("evaluation", step=step, **facts)
    for domain, matrix in matrices["eval"].items():
        if matrix.num_left_out and not step:
            run.warn(f"rm_bench {domain}: {matrix.num_left_out} rows hold a response that the model cannot read whole")
    for line in _words(step, metrics):
        progress.say(line)
    return metrics


def scorer_of(model: RewardModel, micro_tokens: int) -> Scorer:
    """A reward model as a scorer of texts; None for an unfinished answer and for what is longer than its positions."""

    def score(items: Sequence[tuple[Any, str]]) -> list[float | None]:
        encoded = [model.encode(messages, parse_trace(text)) for messages, text in items]
        room = model.max_positions or math.inf
        found = iter(model.score([t for t in encoded if t is not None and len(t) <= room], micro_tokens=micro_tokens))
        return [next(found) if tokens is not None and len(tokens) <= room else None for tokens in encoded]

    return score


def _pairs(examples: Sequence[Example], flat: Sequence[float]) -> tuple[Metrics, Calibration]:
    gaps = [chosen - rejected for chosen, rejected in zip(flat[::2], flat[1::2], strict=True)]
    right = [float(gap > 0) for gap in gaps]
    lengths = [tuple(map(len, e.sequences)) for e in examples]
    longer = [0.5 if chosen == rejected else float(chosen > rejected) for chosen, rejected in lengths]
    prompts = [repr(e.item.messages) for e in examples]
    found = pair_calibration(gaps)
    return {
        **_interval("eval/pair_accuracy", rate(right, prompts)),
        **_by_tag("eval/pair_accuracy", examples, right),
        "eval/score_gap": fmean(gaps),
        "eval/calibration_error": found.error,
        "eval/length_only/pair_accuracy": fmean(longer),
        "eval/examples": float(len(examples)),
    }, found


def _labels(examples: Sequence[Example], flat: Sequence[float], labels: tuple[str, str]) -> tuple[Metrics, Calibration]:
    items = [e.item for e in examples]
    is_good, prompts = [is_positive(item) for item in items], [repr(item.messages) for item in items]
    right = [float((score > 0) is good and score != 0) for score, good in zip(flat, is_good, strict=True)]
    found = calibration([sigmoid(score) for score in flat], [float(good) for good in is_good])
    wrong = {good: [1.0 - r for r, g in zip(right, is_good, strict=True) if g is good] for good in (False, True)}
    metrics = {
        **_interval("eval/auc", auc(flat, is_good)),
        **_interval("eval/label_accuracy", rate(right, prompts)),
        **_by_tag("eval/label_accuracy", examples, right),
        "eval/calibration_error": found.error,
        "eval/length_only/auc": auc([float(len(e.sequences[0]) - e.prompt_length) for e in examples], is_good).value,
        "eval/examples": float(len(items)),
        **_rules(items),
    }
    refusals = [item for item in items if isinstance(item, LabelledRefusal)]
    if refusals:
        metrics |= agreement_metrics(agreement_of(refusals, flat))
        return {name: value for name, value in metrics.items() if math.isfinite(value)}, found
    # Two sides: harm (or what is wrong) that passes, and harmless (or right) replies that are held back.
    good, bad = labels
    for name, shares in ((f"eval/{bad}_passed", wrong[False]), (f"eval/{good}_flagged", wrong[True])):
        metrics |= _interval(name, rate(shares))
    return {name: value for name, value in metrics.items() if math.isfinite(value)}, found


def _under_other_prompts(model: RewardModel, examples: Sequence[Example], micro_tokens: int) -> Metrics:
    """Whether the label is still found where the prompt says the opposite; nothing where all have one label."""
    items = [e.item for e in examples if isinstance(e.item, LabelledRefusal)]
    if len({item.is_refusal for item in items}) < 2:
        return {}
    room = model.max_positions or max(len(e.sequences[0]) for e in examples) * 2
    moved = encode_examples(model, under_other_prompts(items, 1.0, 0), room, "answers under other prompts", lambda said: None)
    scores = model.score([e.sequences[0] for e in moved], micro_tokens=micro_tokens)
    right = [float((score > 0) is is_positive(e.item)) for score, e in zip(scores, moved, strict=True)]
    found = rate(right, [repr(e.item.messages) for e in moved])
    name = "eval/other_prompt/label_accuracy"
    return _interval(name, found) | {f"{name}/n": float(found.n)}


def _rules(items: Sequence[Preference]) -> Metrics:
    """How often the rules agree with the labels of answers, where they can grade."""
    answers = [item for item in items if isinstance(item, LabelledAnswer)]
    found = [(item, accuracy(as_problem(item), parse_trace(item.response)).score) for item in answers]
    graded = [
        (float((score == 1.0) is item.is_correct), repr(item.messages)) for item, score in found if score is not None
    ]
    return _interval("eval/rules/label_accuracy", rate([right for right, _ in graded], [key for _, key in graded]))


def _style_metrics(name: str, matrices: Mapping[str, StyleMatrix]) -> Metrics:
    """Per domain with intervals, and the mean over domains."""
    metrics: Metrics = {}
    levels = ("easy", "normal", "hard")
    readable = {domain: m for domain, m in matrices.items() if m.easy.n}
    for domain, matrix in readable.items():
        for level in levels:
            metrics |= _interval(f"{name}/{domain}/{level}", getattr(matrix, level))
        metrics[f"{name}/{domain}/easy_minus_hard"] = matrix.style_bias
    for level in levels if readable else ():
        metrics[f"{name}/{level}"] = fmean(getattr(m, level).value for m in readable.values())
    if readable:
        metrics[f"{name}/easy_minus_hard"] = fmean(m.style_bias for m in readable.values())
    return metrics


def _interval(name: str, found: Rate) -> Metrics:
    return {name: found.value, f"{name}/low": found.low, f"{name}/high": found.high} if found.n else {}


def _by_tag(name: str, examples: Sequence[Example], values: Sequence[float]) -> Metrics:
    """The mean by the value of every tag that has a few values."""
    by_tag: dict[tuple[str, str], list[float]] = {}
    for example, value in zip(examples, values, strict=True):
        for tag, of in example.item.tags.items():
            by_tag.setdefault((tag, str(of)), []).append(value)
    num_values = Counter(tag for tag, _ in by_tag)
    return {
        f"{name}/{tag}={of}": fmean(found)
        for (tag, of), found in sorted(by_tag.items())
        if 1 < num_values[tag] <= _MAX_TAG_VALUES
    }


def _records(examples: Sequence[Example], flat: Sequence[float], step: int) -> list[Group[Graded]]:
    """A row per response. `score` is the logit; `accuracy`, of a pair once: the chosen is ahead, or the label is right."""
    scores = iter(flat)
    groups = []
    for example in examples:
        found = [next(scores) for _ in example.sequences]
        item = example.item
        if isinstance(item, Pair):
            is_right, named = found[0] > found[1], ["chosen", "rejected"]
        else:
            is_right, named = (found[0] > 0) is is_positive(item) and found[0] != 0, [label_of(item)]
        rollouts = []
        for k, (text, tokens, score) in enumerate(zip(texts_of(item), example.sequences, found, strict=True)):
            completion = tokens[example.prompt_length :]
            verdicts = {"score": Verdict(score, "the reward model's logit", named[k])}
            if k == 0:
                verdicts["accuracy"] = Verdict(float(is_right), named[k], "correct" if is_right else "wrong")
            if isinstance(item, LabelledRefusal):
                verdicts["people"] = Verdict(float(item.is_refusal), "what people call it", item.label)
                verdicts["rules"] = rules_verdict(rules_finding(item))
            rollouts.append(
                Graded(
                    item.id,
                    k,
                    tokens[: example.prompt_length],
                    completion,
                    [0.0] * len(completion),
                    StopReason.STOP,
                    step,
                    text,
                    parse_trace(text),
                    verdicts=verdicts,
                    scores={"score": score},
                    weights={"score": 1.0},
                )
            )
        groups.append(Group(replace(as_problem(item), answer=named[0]), tuple(rollouts)))
    return groups


def _words(step: int, metrics: Metrics) -> Iterator[str]:
    """What an evaluation found, the length-only scorer beside the model."""
    when = f"Held out after step {step}" if step else "Held out before training"
    error = metrics.get("eval/calibration_error", math.nan)

    def share(name: str) -> str:
        low, high = metrics[f"{name}/low"], metrics[f"{name}/high"]
        return f"{100 * metrics[name]:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"

    if "eval/pair_accuracy" in metrics:
        yield (
            f"{when}: {share('eval/pair_accuracy')} of {metrics['eval/examples']:.0f} pairs right (by length alone "
            f"{100 * metrics['eval/length_only/pair_accuracy']:.1f} %), calibration error {error:.3f}."
        )
    if "eval/auc" in metrics:
        low, high = metrics["eval/auc/low"], metrics["eval/auc/high"]
        sides = [
            f"{share(f'eval/{bad}_passed')} of the {bad} passed, {share(f'eval/{good}_flagged')} of the {good} flagged, "
            for good, bad in LABELS.values()
            if f"eval/{bad}_passed" in metrics and f"eval/{good}_flagged" in metrics
        ]
        yield (
            f"{when}: AUC {metrics['eval/auc']:.3f} [{low:.3f}, {high:.3f}] on {metrics['eval/examples']:.0f} responses (by "
            f"length alone {metrics['eval/length_only/auc']:.3f}), {''.join(sides)}calibration error {error:.3f}."
        )
    yield from agreement_words(when, metrics)
    if "eval/rules/label_accuracy" in metrics and "eval/judge/kappa" not in metrics:
        yield f"{when}: {share('eval/label_accuracy')} of the labels right; by rules {share('eval/rules/label_accuracy')}."
    parts = [name.split("/") for name in metrics if name.startswith("eval/rm_bench/")]
    domains = [part[2] for part in parts if len(part) == 4 and part[3] == "easy"]  # three parts: the mean over domains
    for domain in domains:
        own, length = (
            " / ".join(f"{metrics[f'{who}/rm_bench/{domain}/{level}']:.3f}" for level in ("easy", "normal", "hard"))
            for who in ("eval", "eval/length_only")
        )
        yield f"RM-Bench {domain}, easy / normal / hard: {own} (by length alone {length})."
