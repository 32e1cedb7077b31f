"""What is annotated: pairs of texts or of clips, in which order and on which side each annotator sees them.

Neither order nor sides say anything of the pairs, and both are a function of seed and annotator: who comes back goes on.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sanmai.data.clip_pairs import ClipPair, before_and_after, is_clips, load_clip_pairs
from sanmai.data.files import Row
from sanmai.data.preferences import Pair, load_pairs
from sanmai.types import InputError

Kind = Literal["text", "clips"]
QUESTIONS = {
    "overall": "Which answer is better?", "harm": "Which does more harm?", "visual": "Which looks better?",
    "motion": "Which moves better?", "alignment": "Which shows more of what was asked for?",
}  # fmt: skip
"""What is asked of a dimension that the caller gives no question for."""
DEFAULTS: dict[Kind, tuple[str, ...]] = {
    "text": ("overall", "harm"), "clips": ("visual", "motion", "alignment", "harm"),
}  # fmt: skip
_SIDES = (("first", "second"), ("response_a", "response_b"), ("answer_a", "answer_b"), ("a", "b"))
"""Names that the two texts of a pair may have, beside chosen and rejected."""
_GOLD_EVERY = 10
"""Pairs between two gold questions."""


@dataclass(frozen=True)
class Item:
    """A pair that is shown."""

    id: str
    pair: Pair | ClipPair
    """Of a text `chosen` is the first and `rejected` the second, whatever the file says of them."""
    gold: Mapping[str, int | None] | None = None
    """What is known to be right, of a gold question."""


@dataclass(frozen=True)
class Items:
    """All pairs of one session, of one kind."""

    kind: Kind
    items: Sequence[Item]
    dimensions: Mapping[str, str]
    """The question of each."""
    seed: int

    @property
    def digest(self) -> str:
        """Of all that an answer refers to: answers to other pairs or questions do not belong to these."""
        told: list[object] = [self.kind, self.seed, dict(self.dimensions)]
        told += [[item.id, _content(item.pair), None if item.gold is None else dict(item.gold)] for item in self.items]
        return hashlib.sha256(json.dumps(told, ensure_ascii=True).encode()).hexdigest()

    def order(self, annotator: str) -> list[int]:
        """Indices of the items as this annotator sees them, gold questions spread among the others."""
        chance = random.Random(f"order {self.seed} {annotator}")
        usual = [k for k, item in enumerate(self.items) if item.gold is None]
        gold = [k for k, item in enumerate(self.items) if item.gold is not None]
        chance.shuffle(usual)
        chance.shuffle(gold)
        found = []
        while usual:
            part, usual = usual[:_GOLD_EVERY], usual[_GOLD_EVERY:]
            if gold:
                part.insert(chance.randrange(len(part) + 1), gold.pop())
            found += part
        return found + gold

    def is_turned(self, annotator: str, item: Item) -> bool:
        """The second is shown on the left."""
        return random.Random(f"side {self.seed} {annotator} {item.id}").random() < 0.5


def load_items(
    source: Path, *, gold: Path | None = None, dimensions: Sequence[str] = (), seed: int = 0,
    on_warning: Callable[[str], None] = lambda text: None,
) -> Items:
    """The pairs of a file, or of a flow's run its clips before and after training.

    Texts are as in data/preferences.py, the two responses under the names of `_SIDES` or as chosen and rejected; clips as in
    data/clip_pairs.py.

    Args:
        gold: a file of the same kind with answers that are known: said/NAME of clips, and of texts `chosen`, which is the better
            one in the first dimension.
        dimensions: NAME or NAME=QUESTION; none: those of the kind.

    Raises:
        InputError: what cannot be read, says nothing, or is of another kind.
    """
    kind: Kind = "clips" if _is_flow_run(source) or is_clips(source) else "text"
    asked = _questions(kind, dimensions)
    items = [Item(pair.id, pair) for pair in _pairs(source, kind, on_warning)]
    if gold is not None:
        if is_clips(gold) is not (kind == "clips"):
            raise InputError(f"{gold}: gold questions of another kind than the pairs of {source}")
        items += _gold(gold, kind, asked, on_warning)
    return Items(kind, items, asked, seed)


def _questions(kind: Kind, dimensions: Sequence[str]) -> dict[str, str]:
    asked: dict[str, str] = {}
    for text in dimensions or DEFAULTS[kind]:
        name, equals, question = text.partition("=")
        name, question = name.strip(), question.strip()
        if not name.isidentifier() or (equals and not question) or name in asked:
            raise InputError(f"--dimension {text!r}: expected NAME or NAME=QUESTION, each name once, of letters, digits and _")
        asked[name] = question or QUESTIONS.get(name, f"Which is better: {name}?")
    return asked


def _pairs(source: Path, kind: Kind, on_warning: Callable[[str], None]) -> Sequence[Pair | ClipPair]:
    if kind == "clips":
        return before_and_after(source) if source.is_dir() else load_clip_pairs(source)
    found = load_pairs(str(source), on_error="skip", on_warning=on_warning, renamed=_sided)
    if found.skipped:  # people would compare what is left, and nobody would know
        raise InputError(found.skipped[0])
    if found.duplicates:
        on_warning(f"{source}: {found.duplicates} pairs are left out, as an earlier one says the same")
    return found.items


def _sided(row: Row) -> Row:
    """The row with the names that preference files have."""
    for first, second in _SIDES:
        if first in row and second in row and not {"chosen", "rejected"} & row.keys():
            return {{first: "chosen", second: "rejected"}.get(name, name): value for name, value in row.items()}
    return row


def _gold(path: Path, kind: Kind, asked: Mapping[str, str], on_warning: Callable[[str], None]) -> list[Item]:
    found = []
    for pair in _pairs(path, kind, on_warning):
        known = dict(pair.said) if isinstance(pair, ClipPair) else {next(iter(asked)): 1}
        known = {name: value for name, value in known.items() if name in asked and value is not None}
        if not known:
            raise InputError(f"{path}: pair {pair.id[:80]} has no answer to any of {', '.join(asked)}")
        found.append(Item(f"gold/{pair.id}", pair, known))
    return found


def _is_flow_run(source: Path) -> bool:
    return (source / "config.toml").is_file() and (source / "evaluations").is_dir()


def _content(pair: Pair | ClipPair) -> list:
    if isinstance(pair, ClipPair):
        return [pair.prompt, pair.first.hex(), pair.second.hex(), list(pair.shape)]
    return [[dict(message) for message in pair.messages], pair.chosen, pair.rejected]
