"""How a final answer is said, hedged, denied and taken back, as data: one file a language in `rows/`, for answers/vocabulary.py.

A "+" goes on with letters, "…" is any text, "#" the answer itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Words:
    """The words of one language. Each field is its alternatives, separated by "|"."""

    named: str
    """Names the answer ("Antwort")."""
    spoils: str
    """Denies, doubts, supposes or attributes it, anywhere in its sentence."""
    either: str
    """Sets another beside it ("or"), where it touches it."""
    turns: str
    """Turns against it behind it ("but")."""
    back: str
    """Takes it back, behind it or in a later sentence."""
    glue: str
    """May stand between the answer and its name: copulas, articles, adjectives, "therefore"."""
    why: str
    """Begins the reason, which may hold other numbers."""
    fine: str = ""
    """Holds a word of the other kinds, and is none ("not a cent more", "each")."""
    known: str = ""
    """Of conclusions, of questions and equations, and adjectives of plain answers, besides the glue: they may stand around it."""
    leads: str = ""
    """Leads up to the name of an answer ("Nach allen Berechnungen ist die Antwort"): before it alone."""
    states: str = ""
    """Of a whole sentence after a colon ("Antwort: Sie kann 18 Äpfel kaufen"): one name more may stand in it."""
    changes: str = ""
    """Makes another number, or none, of the number beside it; see answers/changes.py."""


_CODES = "en de es fr it pt ca ro nl sv no da fi pl cs hu tr vi id ms tl jv sw ru uk bg el ar fa ur he hi mr bn te ta th ko ja zh"
"""Of two languages that name an answer alike, the first is asked first. English has its own marks (answers/marks.py); here it is
read where the answer comes first: "18 is the answer"."""


def _read(code: str) -> Words:
    row = json.loads(files("sanmai.answers").joinpath("rows", f"{code}.json").read_text(encoding="utf-8"))
    return Words(**{field: "|".join(parts) for field, parts in row.items()})


WORDS: dict[str, Words] = {code: _read(code) for code in _CODES.split()}
