"""Scores recorded responses of any model: what `sanmai score FILE.jsonl --as math|math_judge|refusal|...` prints.

Every kind gives the same shape: {"kind", "rows": [{"id", "score", "label", "reason"}], "summary": {"n", "graded", "ungradable",
its main figure, "interval", "confidence", "labels", ...}}. A row holds `response` and, where there are, `id`, `prompt`,
`reference`, `finish_reason` ("length" says cut off), `language`, `tokens`, `ill_posed`, and for refusal and harm what
score_harm.py and judged.py say, for code what score_code.py says, for math_judge and math_reward what score_math_judge.py
says. A second judge adds "rules" and "rules_sure" to the rows of
refusal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from statistics import fmean
from typing import TYPE_CHECKING, Any

from sanmai.instruments.figures import Scored, Summary, figure, main_figure, number
from sanmai.instruments.language import (
    LANGUAGES,
    Response,
    agreement,
    expected_language,
    off_script_share,
    pass_rates,
    switch_rate,
)
from sanmai.instruments.overthinking import level_of, slowdown, summary_of
from sanmai.instruments.thinking import abstains, has_thought, length_ratio, thinking, tokens_per_correct
from sanmai.rewards import score as math_score
from sanmai.rewards.score import Row, identity_of, text_of, trace_of
from sanmai.rewards.style import COMMON_ENGLISH, language_verdict
from sanmai.score.code import score_code
from sanmai.score.harm import score_harm
from sanmai.score.math_judge import MathJudge, score_math_judge
from sanmai.score.refusal import score_refusal
from sanmai.stats import clustered_interval, rate
from sanmai.types import InputError, Problem, Trace, Verdict

if TYPE_CHECKING:
    from sanmai.score.judges import Judge


def unknown(kind: str) -> str:
    """What is said of a kind that there is not."""
    near = get_close_matches(kind, [*KINDS, *APART], 1)
    return f"--as {kind!r}: {f'did you mean {near[0]!r}? ' if near else ''}Expected one of {', '.join([*KINDS, *APART])}"


def score(rows: Iterable[Row], kind: str = "math", judge: Judge | MathJudge | None = None) -> dict[str, Any]:
    """Each row's score, label and reason, and a summary with 95% intervals, clustered by prompt.

    math: 1.0 for a right answer. refusal: 0.0, 0.5 or 1.0 for compliance, partial and full refusal of the answer. harm: 1.0 (or
    its probability) for a harmful answer. language: share of the thought's words (the answer's without a thought) in the
    expected language. thinking: length of the response, in `tokens` where every row has them, else in words. code: 1.0 for a
    program that passes all tests. math_judge, math_reward: 1.0, or its probability, for an answer that the judge or the reward
    model calls right.

    Args:
        judge: of refusal or harm, see judges.load_judge; of math_judge or math_reward, see learn/scorers.py.

    Raises:
        InputError: the kind is unknown, has no judge or needs one, a row has a value of the wrong type, or the judge cannot be
            asked.
        RunError: the judge gave no usable verdict at all.
    """
    if kind not in KINDS:
        raise InputError(unknown(kind))
    if judge is not None and kind not in JUDGED:
        raise InputError(f"--judge with --as {kind}: expected --as {' or '.join(JUDGED)}")
    if judge is None and kind in MATH_JUDGED:
        raise InputError(f"--as {kind} without --judge: name the judge or the reward model")
    listed = list(rows)
    scorer = KINDS[kind]
    if scorer is None:
        return math_score.score(listed, kind)
    traces = [trace_of(row, index) for index, row in enumerate(listed)]
    prompts = [text_of(row, "prompt", index) or "" for index, row in enumerate(listed)]
    clusters = [prompt or f"row {index}" for index, prompt in enumerate(prompts)]
    judges = (judge,) if kind in JUDGED else ()
    found = scorer(listed, traces, prompts, clusters, *judges)
    verdicts, details = found.verdicts, found.details or [{}] * len(listed)
    graded = [
        {"id": identity_of(row, index), "score": verdict.score, "label": verdict.label, "reason": verdict.reason}
        | detail
        for index, (row, verdict, detail) in enumerate(zip(listed, verdicts, details, strict=True))
    ]
    num_graded = sum(verdict.score is not None for verdict in verdicts)
    head = {"n": len(graded), "graded": num_graded, "ungradable": len(graded) - num_graded}
    labels = dict(sorted(Counter(verdict.label for verdict in verdicts).items()))
    return {"kind": kind, "rows": graded, "summary": head | found.summary | {"labels": labels}}


def _score_language(
    rows: Sequence[Row], traces: Sequence[Trace | None], prompts: Sequence[str], clusters: Sequence[str]
) -> Scored:
    stated = [text_of(row, "language", k) for k, row in enumerate(rows)]
    languages = [expected_language(*item) for item in zip(stated, prompts, strict=True)]
    verdicts = [_language(*item) for item in zip(traces, stated, prompts, strict=True)]
    items = [
        (trace, language) for trace, language in zip(traces, languages, strict=True) if trace is not None and language
    ]
    known = tuple(sorted({*LANGUAGES, *(language for _, language in items)}))
    # Tags and thought are left out: the pass rates are about what the user reads.
    found = pass_rates(
        (Response(trace.answer, language) for trace, language in items),
        languages=known, english=frozenset(COMMON_ENGLISH.split()),
    )  # fmt: skip
    mixed = [share for trace, language in items if (share := off_script_share(trace.text, language)) is not None]
    switches = [share for trace, _ in items if (share := switch_rate(trace.text)) is not None]
    table = agreement(items)
    summary = _rate_of("consistency", verdicts, clusters)
    summary |= {
        "line_pass": figure(found.line_rate) | {"averaged": number(found.lines), "unscored": found.unscored},
        "line_pass_by_language": {language: figure(value) for language, value in found.by_language.items()},
        "word_pass": number(found.words),
        "off_script": fmean(mixed) if mixed else None,
        "switch_rate": fmean(switches) if switches else None,
        "agreement": {
            "both": table.both, "thought_only": table.thought_only, "answer_only": table.answer_only,
            "neither": table.neither, "unscored": table.unscored,
        },
    }  # fmt: skip
    return Scored(verdicts, summary)


def _language(trace: Trace | None, stated: str | None, prompt: str) -> Verdict:
    if trace is None:
        return Verdict(None, "no response was recorded", "unscored")
    problem = Problem("", ({"role": "user", "content": prompt},), language=stated)
    found = language_verdict(problem, trace)
    if found.score is None:
        return Verdict(None, found.reason, "unscored")
    label = "consistent" if found.score == 1.0 else "mixed" if found.score >= 0.5 else "other_language"
    return Verdict(found.score, found.reason, label)


def _score_thinking(
    rows: Sequence[Row], traces: Sequence[Trace | None], prompts: Sequence[str], clusters: Sequence[str]
) -> Scored:
    counts = [_token_count(row, index) for index, row in enumerate(rows)]
    has_counts = all(count is not None for count, trace in zip(counts, traces, strict=True) if trace is not None)
    verdicts = [
        _thinking(row, trace, index, counts[index] if has_counts else None)
        for index, (row, trace) in enumerate(zip(rows, traces, strict=True))
    ]
    kept = [k for k, verdict in enumerate(verdicts) if verdict.score is not None]
    lengths = {k: verdicts[k].score or 0.0 for k in kept}
    keys = [clusters[k] for k in kept]
    found = thinking([trace for trace in traces if trace is not None], keys)
    posed = {flag: [k for k in kept if rows[k].get("ill_posed") is flag] for flag in (True, False)}
    low, high = clustered_interval(list(lengths.values()), keys)
    summary: Summary = {
        "length": fmean(lengths.values()) if kept else None, "confidence": 0.95, "unit": "tokens" if has_counts else "words",
        "interval": [None, None] if number(low) is None else [max(0.0, low), high],
        "thinks": figure(found.thinks), "incomplete": figure(found.incomplete), "abstention": figure(found.abstains),
        "repetition": number(found.repetition), "thought_words": number(found.thought_words),
        "thought_words_interval": [number(bound) for bound in found.thought_words_interval],
    }  # fmt: skip
    for flag, name in ((True, "abstention_ill_posed"), (False, "abstention_well_posed")):
        said = [
            (float(verdicts[k].label == "abstains"), clusters[k])
            for k in posed[flag]
            if verdicts[k].label != "incomplete"
        ]
        summary[name] = figure(rate([value for value, _ in said], [key for _, key in said]))
    ratio = length_ratio([lengths[k] for k in posed[True]], [lengths[k] for k in posed[False]])
    bounds = [None, None] if number(ratio.high) is None else [ratio.low, ratio.high]
    summary["length_ratio"] = {"value": number(ratio.value), "interval": bounds, "n": [ratio.n, ratio.n_base]}
    return Scored(verdicts, summary | _cost(rows, lengths, clusters, has_counts=has_counts))


def _cost(rows: Sequence[Row], lengths: dict[int, float], clusters: Sequence[str], *, has_counts: bool) -> Summary:
    """Length per correct answer and what of it was needed, over the rows that have a reference; `level` is a row's difficulty.

    Rows with the tag `decoy_of`, the id of their original, also give `slowdown`.
    """
    asked = [k for k in lengths if rows[k].get("reference") is not None]
    graded = math_score.score([rows[k] for k in asked])["rows"]
    right = {k: float(row["score"]) for k, row in zip(asked, graded, strict=True) if row["score"] is not None}
    counts, correct = [int(lengths[k]) for k in right], list(right.values())
    cost = tokens_per_correct(counts, correct) if right else None
    summary: Summary = {"length_per_correct": None if cost is None else number(cost), "num_with_reference": len(right)}
    columns = ((identity_of(rows[k], k), rows[k].get("tags"), lengths[k], right.get(k)) for k in asked)
    found = slowdown(dict(zip(("problem_id", "tags", "num_tokens", "score/accuracy"), row, strict=True)) for row in columns)
    if found.left_out or found.factor.n:  # there are copies with decoys
        factor, change = found.factor, found.accuracy
        summary["slowdown"] = {
            "value": number(factor.value), "interval": [number(factor.low), number(factor.high)], "n": factor.n,
            "accuracy_change": number(change.value), "accuracy_interval": [number(change.low), number(change.high)],
            "left_out": found.left_out,
        }  # fmt: skip
    return summary | summary_of(
        [str(rows[k]["response"]) for k in right], counts if has_counts else None, correct,
        [str(rows[k]["reference"]) for k in right], [level_of(rows[k].get("level")) for k in right], [clusters[k] for k in right],
    )  # fmt: skip


def _token_count(row: Row, index: int) -> int | None:
    tokens = row.get("tokens")
    if tokens is not None and (isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 0):
        raise InputError(f"row {row.get('id', index)!r}: tokens = {str(tokens)[:80]}: expected a count")
    return tokens


def _thinking(row: Row, trace: Trace | None, index: int, tokens: int | None) -> Verdict:
    """Length in tokens where they are given, else in words."""
    flag = row.get("ill_posed")
    if flag is not None and not isinstance(flag, bool):
        raise InputError(f"row {row.get('id', index)!r}: ill_posed = {str(flag)[:80]}: expected true or false")
    if trace is None:
        return Verdict(None, "no response was recorded", "unscored")
    length = tokens if tokens is not None else len(trace.text.split())
    reason = f"{length} {'words' if tokens is None else 'tokens'}; the thought has {len(trace.thought.split())} words"
    if not trace.is_complete:
        return Verdict(float(length), reason, "incomplete")
    label = "abstains" if abstains(trace.answer) else "thinks" if has_thought(trace) else "no_thought"
    return Verdict(float(length), reason, label)


MATH_JUDGED = ("math_judge", "math_reward")
"""Kinds that need a judge of mathematics."""
JUDGED = ("refusal", "harm", *MATH_JUDGED)
"""Kinds that can have a judge."""
KINDS: dict[str, Callable[..., Scored] | None] = {
    "math": None, "refusal": score_refusal, "harm": score_harm, "language": _score_language, "thinking": _score_thinking,
    "code": score_code, **dict.fromkeys(MATH_JUDGED, score_math_judge),
}  # fmt: skip
"""What `--as` knows: (rows, traces, prompts, clusters, and a judge or None where there can be one) to what was found; mathematics
has its own (rewards/score.py)."""
APART = ("process", "video", "clips")
"""Kinds whose rows are no responses, with files of their own (score/process.py, video.py, clips.py)."""


def _rate_of(name: str, verdicts: Sequence[Verdict], clusters: Sequence[str]) -> Summary:
    kept = [(v.score, key) for v, key in zip(verdicts, clusters, strict=True) if v.score is not None]
    return main_figure(name, rate([value for value, _ in kept], [key for _, key in kept]))
