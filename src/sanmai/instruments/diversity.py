"""How different prompts are from each other, and how evenly a quantity is spread. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from math import exp, fsum, log

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+|[^\w\s]")
_MAX_ORDER = 4


def words_of(text: str) -> list[str]:
    """Words, and signs as words of their own, without case; a Han, kana or Hangul character is a word."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def self_bleu(texts: Sequence[str]) -> float | None:
    """Mean BLEU of each text against all others: 1 when all are the same, near 0 when they share no words. None below two texts.

        BLEU = min(1, exp(1 - r/c)) (prod_{n=1..N} p_n)^(1/N)
        p_n = sum_g min(count(g), max over the others of count(g)) / (number of n-grams)

    with c the text's words, r the other length nearest to it (the shorter of two equally near), and N = 4, or the text's
    length if that is less. The k-th order without a match counts p_n = 1 / (2^k x number of n-grams). A text without words is
    left out.

    Source:
        Zhu et al. 2018 (arXiv:1802.01886); BLEU of Papineni et al. 2002 with the exponential smoothing of sacrebleu.
    """
    tokens = [words for text in texts if (words := words_of(text))]
    if len(tokens) < 2:
        return None
    grams = [[_grams(words, n) for n in range(1, _MAX_ORDER + 1)] for words in tokens]
    best = [_two_largest([counts[n] for counts in grams]) for n in range(_MAX_ORDER)]
    lengths = Counter(len(words) for words in tokens)
    scores = []
    for words, counts in zip(tokens, grams, strict=True):
        order = min(_MAX_ORDER, len(words))
        precisions, misses = [], 0
        for n in range(order):
            total = counts[n].total()
            matched = sum(min(k, _of_others(best[n][gram], k)) for gram, k in counts[n].items())
            misses += matched == 0
            precisions.append(matched / total if matched else 1 / (2**misses * total))
        others = lengths - Counter([len(words)])
        nearest = min(others, key=lambda length: (abs(length - len(words)), length))
        brevity = min(0.0, 1 - nearest / len(words))
        scores.append(exp(brevity + fsum(map(log, precisions)) / order))
    return fsum(scores) / len(scores)


def evenness(amounts: Sequence[float]) -> float | None:
    """Shannon's evenness H / ln S of amounts over S places, empty ones included: 1 when all are equal, 0 when one has all.

        H = -sum_i p_i ln p_i,   p_i = amount_i / sum

    None where the amounts are all 0, or there is one place.

    Raises:
        ValueError: a negative amount.

    Source:
        Pielou 1966 (J. Theoret. Biol. 13:131).
    """
    shares = _shares(amounts)
    if shares is None or len(amounts) < 2:
        return None
    return -fsum(p * log(p) for p in shares if p) / log(len(amounts)) + 0.0  # + 0.0: no -0.0


def simpson(amounts: Sequence[float]) -> float | None:
    """1 - sum_i p_i^2: the chance that two draws by amount fall into different places. None where the amounts are all 0.

    Raises:
        ValueError: a negative amount.

    Source:
        Simpson 1949 (Nature 163:688).
    """
    shares = _shares(amounts)
    return None if shares is None else 1 - fsum(p * p for p in shares)


def _shares(amounts: Sequence[float]) -> list[float] | None:
    if any(amount < 0 for amount in amounts):
        raise ValueError(f"amounts: expected none below 0, found {min(amounts)}")
    total = fsum(amounts)
    return [amount / total for amount in amounts] if total > 0 else None


def _grams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[k : k + n]) for k in range(len(words) - n + 1))


def _two_largest(texts: Sequence[Counter[tuple[str, ...]]]) -> dict[tuple[str, ...], tuple[int, int]]:
    """Per n-gram its largest count in one text, and the largest in another text."""
    found: dict[tuple[str, ...], tuple[int, int]] = {}
    for counts in texts:
        for gram, k in counts.items():
            first, second = found.get(gram, (0, 0))
            found[gram] = (k, first) if k > first else (first, max(second, k))
    return found


def _of_others(largest: tuple[int, int], own: int) -> int:
    """The largest count in another text: the second one if the first is one's own."""
    return largest[1] if own == largest[0] else largest[0]
