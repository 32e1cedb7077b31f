"""Which behaviours of reasoning a text shows: the six that the roadmap to o1 names. Pure; rules by language, as data.

    problem analysis, decomposition, completion, alternative proposal, self-evaluation, self-correction

Source:
    Zeng et al. 2024 (arXiv:2412.14135) section 3.3 for the behaviours; the rules are ours (behaviour_words.py).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, get_args

import regex

from sanmai.instruments.behaviour_words import MEASURED, RULES, TITLES
from sanmai.types import Behaviour

BEHAVIOURS: tuple[Behaviour, ...] = get_args(Behaviour)
LANGUAGES = tuple(RULES)
"""Those with rules."""
MAX_CHARS = 200_000
"""Of a longer text the beginning and the end are looked at, half each."""


@lru_cache(maxsize=4096)
def behaviours(text: str, language: str | None = None) -> frozenset[Behaviour] | None:
    """Those that the text shows at least once, whatever language of `LANGUAGES` it is in: thoughts stray from the prompt's.

    Args:
        language: ISO 639-1, of the prompt, where it is known.

    Returns:
        None where there are no rules for the language: nothing is known, which is not "none".

    Example:
        behaviours("So 37 + 45 is 72. Wait, that's wrong: 82.")   # {"self_evaluation", "self_correction"}
    """
    if language is not None and language not in RULES:
        return None
    if len(text) > MAX_CHARS:
        text = text[: MAX_CHARS // 2] + "\n" + text[-MAX_CHARS // 2 :]
    text = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return frozenset(name for name, pattern in _patterns().items() if pattern.search(text))


def error_note(behaviour: Behaviour) -> str:
    """How far the rules can be trusted, in a few words.

    Example:
        error_note("self_correction")   # "rules find 2 of 3, see it in 1 of 97 without"
    """
    found, positives, wrongly, negatives = MEASURED[behaviour]
    return f"rules find {found} of {positives}, see it in {wrongly} of {negatives} without"


def title(behaviour: Behaviour) -> str:
    return TITLES[behaviour]


@lru_cache(maxsize=1)
def _patterns() -> dict[Behaviour, Any]:
    return {
        name: regex.compile("|".join(f"(?:{rule})" for rules in RULES.values() for rule in rules[name]), regex.IGNORECASE)
        for name in BEHAVIOURS
    }
