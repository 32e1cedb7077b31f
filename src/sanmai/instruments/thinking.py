"""What thinking costs: tokens per correct answer, length on ill-posed questions, abstention, what was cut off or repeats."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import exp, log, nan
from statistics import fmean

import regex

from sanmai.rewards.style import repetition_verdict
from sanmai.stats import Rate, clustered_interval, rate
from sanmai.types import Problem, Trace, TraceState

MAX_CHARS = 100_000
"""Of a longer answer the end is looked at."""
TAIL = 4_000
"""Characters at the end of an answer in which a gap in the question counts as its conclusion."""

_ASKS = regex.compile(
    r"\b(?:please|could you|can you|kindly|you (?:could|may|can|need to|would need to))\b[^.?!\n]{0,40}?"
    r"\b(?:provide|clarify|specify|supply|share|confirm|give)\b"
    r"|请(?:您|你)?(?:提供|说明|补充|明确)|(?:提供|教えて|明確に)[^。]{0,12}ください"
    r"|пожалуйста[^.\n]{0,30}(?:уточните|укажите|предоставьте)"
    r"|veuillez (?:préciser|fournir)|bitte [^.\n]{0,40}(?:angeben|geben|präzisieren)"
    r"|por favor[^.\n]{0,30}(?:proporcion|indi|aclar|forne)",
    regex.IGNORECASE,
)
_GAP = regex.compile(
    r"\b(?:without|need|needs|requires?|required|missing|insufficient|lacks?|lacking|absence of|not enough|more"
    r"|additional|further|demands)"
    r" (?!to )(?:[\w-]+ ){0,4}?(?:information|context|details?|data|values?|knowledge|clarification|clarity|input"
    r"|specification|specifics?"
    r"|premises?|conditions?|definitions?)\b"
    r"|\b(?:cannot|can't|can not|could not|impossible to|not possible to|unable to|not feasible) (?:be )?(?:\w+ ){0,3}?"
    r"(?:determined?|evaluated?|computed?|calculated?|solved?|answer(?:ed)?|find|found|provide|deduced?|derived?)\b"
    r"|\b(?:unspecified|under-?specified|under-?determined|ill-(?:posed|defined)|indeterminate|unanswerable"
    r"|unsolvable)\b"
    r"|\bnot (?:fully |well[- ])?(?:specified|provided|given|stated|determined)\b"
    r"|(?:缺少|缺乏|没有给出|未给出|未提供|无法确定|无法计算|条件不足|信息不足)|(?:情報|条件)が(?:不足|足り)"
    r"|求められません|定まりません"
    r"|недостаточно (?:данных|информации)|невозможно (?:определить|вычислить)|manque d'informations?"
    r"|données insuffisantes|impossible de (?:déterminer|calculer)"
    r"|fehl(?:en|ende) \w*(?:angaben|informationen)|nicht (?:bestimmbar|genügend \w+)|no se puede (?:determinar"
    r"|calcular)|falta(?:n)? (?:información|datos)",
    regex.IGNORECASE,
)
_BOXED = regex.compile(r"\\boxed\s*\{([^\n]{0,200})")
_TEXT_COMMAND = regex.compile(r"\\text\w*|[{}\\]")
_NO_VALUE = regex.compile(r"(?i)\b(?:unknown|undetermined|insufficient|not|cannot|none)\b|无法|不能")


def abstains(answer: str) -> bool:
    r"""The answer says that the question lacks something, instead of answering it.

    It asks for what is missing, or it ends on a gap (the last `TAIL` characters) and boxes no value: `\boxed{5}` after
    "assuming that" is an answer, `\boxed{\text{cannot be determined}}` is none. A question that is answered after its gap was
    noted, without a box, is taken for an abstention.

    Example:
        abstains("The price is not given, so the total cannot be determined.")
    """
    answer = answer[-MAX_CHARS:]
    if _ASKS.search(answer):
        return True
    if not _GAP.search(answer[-TAIL:]):
        return False
    boxes = _BOXED.findall(answer)
    if not boxes:
        return True
    inside = _TEXT_COMMAND.sub(" ", boxes[-1])
    return bool(_GAP.search(inside) or _NO_VALUE.search(inside))


@dataclass(frozen=True)
class Ratio:
    """A ratio of means with its 95% interval.

    Example:
        str(Ratio(2.7, 2.1, 3.5, 40, 40)) == "2.70 [2.10, 3.50], n = 40 and 40"
    """

    value: float
    """nan where a side is empty or the lower mean is 0."""
    low: float
    high: float
    n: int
    n_base: int

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}], n = {self.n} and {self.n_base}"


def length_ratio(ill_posed: Sequence[float], well_posed: Sequence[float]) -> Ratio:
    """Mean length of responses to ill-posed questions over that to well-posed ones; the unit cancels.

        log R = log(mean a) - log(mean b)      SE^2 = s_a^2 / (n_a mean_a^2) + s_b^2 / (n_b mean_b^2)

    The interval is exp(log R -/+ 1.96 SE), as of two independent samples: it is too wide where both were asked in pairs.

    Raises:
        ValueError: a negative length.

    Source:
        Fan et al. 2025 (arXiv:2504.06514) for the metric; derived: delta method.
    """
    if any(length < 0 for length in (*ill_posed, *well_posed)):
        raise ValueError("lengths: expected counts")
    n, n_base = len(ill_posed), len(well_posed)
    if not n or not n_base or not sum(ill_posed) or not sum(well_posed):
        return Ratio(nan, 0.0, float("inf"), n, n_base)
    center = log(fmean(ill_posed)) - log(fmean(well_posed))
    if n < 2 or n_base < 2:
        return Ratio(exp(center), 0.0, float("inf"), n, n_base)
    error = (_relative_variance(ill_posed) + _relative_variance(well_posed)) ** 0.5
    return Ratio(exp(center), exp(center - 1.96 * error), exp(center + 1.96 * error), n, n_base)


def tokens_per_correct(tokens: Sequence[int], correct: Sequence[float]) -> float:
    """All generated tokens, those of wrong answers too, over the number of correct answers; inf when none is.

    Raises:
        ValueError: lengths differ.
    """
    if len(tokens) != len(correct):
        raise ValueError(f"{len(tokens)} counts of tokens for {len(correct)} answers: expected one each")
    return sum(tokens) / sum(correct) if sum(correct) else float("inf")


@dataclass(frozen=True)
class Thinking:
    """How a set of completions thinks."""

    thinks: Rate
    """Share with a closed, non-empty thought."""
    incomplete: Rate
    """Share that was cut off or never closed its thought."""
    abstains: Rate
    """Share of the complete ones whose answer says that the question lacks something."""
    repetition: float
    """Mean share of pieces in repeated n-grams (rewards/style.py); nan without completions."""
    thought_words: float
    """Mean words of the thoughts, empty ones included."""
    thought_words_interval: tuple[float, float]


def thinking(traces: Iterable[Trace], clusters: Sequence[Hashable] | None = None) -> Thinking:
    """Shares and means over completions, with 95% intervals clustered by prompt where `clusters` has a key for each."""
    found = list(traces)
    keys: Sequence[Hashable] = range(len(found)) if clusters is None else clusters
    complete = [(trace, key) for trace, key in zip(found, keys, strict=True) if trace.is_complete]
    words = [float(thought_words_of(trace)) for trace in found]
    return Thinking(
        rate([float(has_thought(trace)) for trace in found], keys),
        rate([float(not trace.is_complete) for trace in found], keys),
        rate([float(abstains(trace.answer)) for trace, _ in complete], [key for _, key in complete]),
        fmean(repetition_share(trace) for trace in found) if found else nan,
        fmean(words) if words else nan,
        clustered_interval(words, keys),
    )


def has_thought(trace: Trace) -> bool:
    """A closed thought with something in it, whether its opening tag was in the prompt, in the response or nowhere."""
    return trace.state is not TraceState.UNCLOSED and bool(trace.thought.strip())


def thought_words_of(trace: Trace) -> int:
    """Words of the thought, as blanks separate them."""
    return len(trace.thought.split())


def repetition_share(trace: Trace, *, ngram: int = 20) -> float:
    """Share (0..1) of a completion's pieces that lie in a repeated n-gram."""
    score = repetition_verdict(_NO_PROBLEM, trace, ngram=ngram).score
    return -(score or 0.0)


_NO_PROBLEM = Problem("", ({"role": "user", "content": ""},))


def _relative_variance(values: Sequence[float]) -> float:
    """Variance of the mean over the mean squared."""
    mean = fmean(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values) / mean**2
