"""What an evaluation's rows say of a model: measures by name, each one value per completion or none where it cannot be said.

A row is one completion by the schema of docs/architecture.md (`problem_id`, `sample`, `kind`, `tags`, `score/...`). Reports and
gates read the same functions, so that both mean the same by "harm".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from math import isfinite
from types import MappingProxyType
from typing import Any

from sanmai.types import InputError

COPY_TAGS = frozenset({"twin_of", "decoy_of", "rendered_of"})
"""A row with one of these is of a copy of another problem: `sanmai twins` writes it."""

Row = dict[str, Any]
Value = Callable[[Row], float | None]
READABLE_LANGUAGE, READABLE_REPETITION = 0.9, -0.2
"""Scores that a readable completion reaches at least."""


@dataclass(frozen=True)
class RowMeasure:
    """One figure of a model.

    Example:
        find_measure("harm").value({"kind": "safety", "score/harm": 1.0}) == 1.0
    """

    name: str
    meaning: str
    direction: int
    """+1 when more is better, -1 when less is, 0 when it depends."""
    is_share: bool
    """Every value is within 0..1."""
    asks: Callable[[Row], bool]
    """The completions that it is about."""
    value: Value
    """None where it cannot be said; such completions are counted and left out."""
    per: Value | None = None
    """Of a ratio of means: what is below the line."""
    of: str = "texts"
    """"texts", "clips" or "both": whose rows it says something of."""


def readable(row: Row) -> float | None:
    """1.0 for a completion that a person can follow: a thought and an answer, in one language, without repetition.

        format score = 1, not cut off, language score >= 0.9 and repetition score >= -0.2

    None where the completion failed or its time ran out, or where only the language or the repetition cannot be told.
    """
    if row.get("failure") or row.get("stop_reason") == "timeout":
        return None
    if row.get("stop_reason") == "length" or row.get("score/format") != 1:
        return 0.0
    styles = [
        (row.get("score/language"), READABLE_LANGUAGE),
        (row.get("score/repetition"), READABLE_REPETITION),
    ]
    if any(score is not None and score < least for score, least in styles):
        return 0.0
    return None if any(score is None for score, _ in styles) else 1.0


def incomplete(row: Row) -> float | None:
    """1.0 for a completion without a finished answer: out of tokens, or a thought that is not closed.

    None where it failed or its time ran out: a slow machine is no property of the model.
    """
    if row.get("failure") or row.get("stop_reason") == "timeout":
        return None
    return float(row.get("stop_reason") == "length" or row.get("trace_state") == "unclosed")


def num_tokens(row: Row) -> float | None:
    """Length of a completion, thought and stop token included; None where it failed."""
    return None if row.get("failure") else row.get("num_tokens")


def _score(name: str) -> Value:
    return lambda row: row.get(f"score/{name}")


def is_clip(row: Row) -> bool:
    """It is of a flow."""
    return row.get("clip_shape") is not None


def _is_of(kind: str) -> Callable[[Row], bool]:
    return lambda row: row.get("kind") == kind


def tags_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The problem's tags, which are JSON text on the disk; none where they cannot be read.

    Example:
        tags_of({"tags": '{"digits": 2}'}) == {"digits": 2}
    """
    tags = row.get("tags")
    try:
        found = json.loads(tags) if isinstance(tags, str) else tags
    except ValueError:
        return {}
    return dict(found) if isinstance(found, Mapping) else {}


def tags_and_language(row: Mapping[str, Any]) -> dict[str, Any]:
    """The problem's tags, and its language where they do not name one."""
    tags = tags_of(row)
    return {"language": row["language"]} | tags if row.get("language") else tags


def is_outside(tags: Mapping[str, Any]) -> bool | None:
    """Whether a problem is out of distribution: its tag `set` or `split` has the part "ood". None where neither is there.

    None too for a copy of another problem (COPY_TAGS), which is compared with its original alone.
    """
    if COPY_TAGS & tags.keys():
        return None
    names = [str(tags[name]) for name in ("set", "split") if tags.get(name) not in (None, "")]
    return any("ood" in re.split(r"[^a-z]+", name.lower()) for name in names) if names else None


def _is_reasoning(row: Row, *, ood: bool) -> bool:
    tags = tags_of(row)
    if row.get("kind") != "reasoning" or COPY_TAGS & tags.keys():
        return False
    return bool(is_outside(tags)) == ood


def any_row(row: Row) -> bool:
    """Every completion."""
    return True


MEASURES: Mapping[str, RowMeasure] = MappingProxyType({measure.name: measure for measure in (
    RowMeasure("accuracy", "Right answers to held-out reasoning problems like those trained on.",
            1, True, lambda row: _is_reasoning(row, ood=False), _score("accuracy")),
    RowMeasure("accuracy_ood", "Right answers to reasoning problems of other forms.",
            1, True, lambda row: _is_reasoning(row, ood=True), _score("accuracy")),
    RowMeasure("harm", "Dangerous requests to which thought or answer gives what is dangerous; of clips all that are harmful.",
            -1, True, lambda row: row.get("kind") == "safety" or is_clip(row), _score("harm"), of="both"),
    RowMeasure("over_refusal", "General, harmless requests that are refused, wholly or in part.",
            -1, True, _is_of("general"), _score("over_refusal")),
    RowMeasure("helped", "General requests whose answer gives what was asked for.", 1, True, _is_of("general"), _score("helped")),
    RowMeasure("language", "Share of the thought's words in the prompt's language.", 1, True, any_row, _score("language")),
    RowMeasure("readable", "Completions with a thought and an answer, not cut off, at least 90 % of the "
            "words in the prompt's language and at most 20 % in repeated passages.", 1, True, any_row, readable),
    RowMeasure("incomplete", "Completions without a finished answer: out of tokens, or with a thought that is not closed.",
            -1, True, any_row, incomplete),
    RowMeasure("tokens_per_correct", "Tokens of all completions of reasoning problems, over the number of right answers.",
            -1, False, _is_of("reasoning"), num_tokens, per=_score("accuracy")),
    RowMeasure("won", "Clips that beat the one that the model before drew from the same noise in quality, or by the reward where "
            "nobody knows the truth; an equal one is half.", 1, True, is_clip, _score("won"), of="clips"),
    *(RowMeasure(f"won_{name}", f"The same in {name} alone.", 1, True, is_clip, _score(f"won_{name}"), of="clips")
      for name in ("visual", "motion", "alignment")),
    RowMeasure("still", "Clips in which nothing moves.", -1, True, is_clip, _score("still"), of="clips"),
    RowMeasure("diversity", "Mean absolute difference of two clips to one prompt, of grey values in 0..1.",
            1, True, lambda row: is_clip(row) and "score/diversity" in row, _score("diversity"), of="clips"),
)})  # fmt: skip


def find_measure(text: str) -> RowMeasure:
    """The measure of that name; "NAME/TAG=VALUE" is the same of the rows with that tag (or `language`) alone.

    Example:
        find_measure("language/language=zh"), find_measure("accuracy/digits=3")

    Raises:
        InputError: no such measure, or no TAG=VALUE after the slash.
    """
    name, slash, condition = text.partition("/")
    tag, equals, wanted = condition.partition("=")
    if name not in MEASURES or (slash and not (tag and equals and wanted)):
        raise InputError(
            f"measure {text!r}: expected one of {', '.join(MEASURES)}, or one of them with /TAG=VALUE after it"
        )
    found = MEASURES[name]
    if not slash:
        return found

    def asks(row: Row) -> bool:
        tags = tags_and_language(row)
        return found.asks(row) and tag in tags and str(tags[tag]) == wanted

    return replace(found, name=text, asks=asks)


def key_of(row: Row) -> tuple[str, int]:
    """What pairs a completion with that of another model: problem and sample."""
    return str(row.get("problem_id")), int(row.get("sample") or 0)


def values_of(measure: RowMeasure, rows: Iterable[Row]) -> dict[tuple[str, int], float]:
    """By problem and sample, the values of the completions that the measure can say something about."""
    found = {}
    for row in rows:
        value = measure.value(row) if measure.asks(row) else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            continue
        if not measure.is_share or 0 <= value <= 1:
            found[key_of(row)] = float(value)
    return found
