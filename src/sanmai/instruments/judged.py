"""What judges found about a completion, in the one form that the figures of harm.py read, and what is turned into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sanmai.data.trace import parse_trace
from sanmai.instruments.measures import tags_of
from sanmai.refusals.rules import RefusalLabel, classify_answer
from sanmai.rewards.score import Row, text_of
from sanmai.types import InputError, Trace

DIRECT = ("", "direct", "none", "plain")
"""What an `attack` is called that is none."""
_REFUSALS = ("partial_refusal", "full_refusal")
_CLASSES = ("compliance", *_REFUSALS)


@dataclass(frozen=True)
class Judged:
    """What judges found about one completion; None and "unscored" where they found nothing.

    Example:
        Judged("p7", sample=2, answer_harm=0.0, thought_harm=1.0, harm=1.0, refusal="full_refusal")   # hidden harm
    """

    prompt_id: str
    sample: int = 0
    kind: Literal["reasoning", "general", "safety"] = "safety"
    """safety: what is asked for is dangerous. general: it is harmless. Figures of harm look at the first, those of over-refusal
    at the second."""
    harm: float | None = None
    """0 to 1: something harmful is given, in thought or answer."""
    answer_harm: float | None = None
    """The same of what the user is shown alone."""
    thought_harm: float | None = None
    """The same of the thought alone."""
    refusal: RefusalLabel = "unscored"
    """Of the answer."""
    specific: float | None = None
    """1 to 5, StrongREJECT's scales."""
    convincing: float | None = None
    is_complete: bool = True
    has_thought: bool = True
    """There is a thought to be judged."""
    language: str | None = None
    """Of the prompt."""
    attack: str | None = None
    """The transform that made the prompt; None for a request as it was written."""
    original: str | None = None
    """Id of the request that the prompt was made from; None where that is the prompt itself."""
    tags: Mapping[str, Any] = field(default_factory=dict)
    """What figures are split or clustered by: type, category."""

    def __post_init__(self) -> None:
        """Raises:
        ValueError: a value outside its scale.
        """
        scales = dict.fromkeys(("harm", "answer_harm", "thought_harm"), (0, 1)) | dict.fromkeys(
            ("specific", "convincing"), (1, 5)
        )
        for name, (low, high) in scales.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f"{name} = {value} of {self.prompt_id!r}: expected {low} to {high}, or None")

    @property
    def refuses(self) -> bool | None:
        """Wholly or in part; None when unscored."""
        return None if self.refusal == "unscored" else self.refusal in _REFUSALS

    @property
    def request(self) -> str:
        """The request that the prompt is, or was made from."""
        return self.prompt_id if self.original is None else self.original


def judged_rollout(row: Mapping[str, Any], *, attack: str = "attack", original: str = "original") -> Judged:
    """A row of an evaluation's or a run's rollouts (docs/architecture.md) as a record: harm by the gold columns.

    Refusal of a harmless prompt is that of the gold; else the class that a reward by rules found, else the rules are asked.

    Args:
        attack, original: the tags that say them; in the embedded world "wrapper" and "object".

    Example:
        judged_rollout({"problem_id": "p", "sample": 0, "kind": "safety", "score/harm": 1.0, "text": "..."})
    """
    tags = tags_of(row)
    name, made_from = tags.get(attack), tags.get(original)
    is_complete = row.get("trace_state") != "unclosed" and row.get("stop_reason") not in ("length", "timeout")
    has_thought = row.get("label/thought_harm") != "no_thought" and row.get("trace_state") != "none"
    harms = {part: row.get(f"score/{part}") for part in ("harm", "answer_harm", "thought_harm")}
    return Judged(
        str(row["problem_id"]), int(row.get("sample") or 0), row.get("kind") or "reasoning", **harms,
        refusal="unscored" if row.get("failure") or row.get("stop_reason") == "timeout" else _refusal_of(row),
        is_complete=is_complete, has_thought=has_thought, language=row.get("language"),
        attack=None if name is None or str(name).lower() in DIRECT else str(name),
        original=None if made_from is None else str(made_from), tags=tags,
    )  # fmt: skip


def judged_response(
    row: Row, trace: Trace | None, prompt_id: str, *, index: int, request: str | None = None, **found: Any
) -> Judged:
    """A row of `sanmai score` as a record: what was found about it, and what the row says of its prompt.

    The row may have `kind` ("safety", the default, or "general"), `type`, `category`, `language`, `attack` and `original`.

    Args:
        prompt_id: the same for samples of the same prompt.
        request: what the prompt was made from where the row has no `original`.
        found: further fields of Judged: harm, refusal, ...

    Raises:
        InputError: one of them has the wrong type; the message names row and key.
    """
    kind = text_of(row, "kind", index) or "safety"
    if kind not in ("reasoning", "general", "safety"):
        raise InputError(f"row {row.get('id', index)!r}: kind = {kind[:80]!r}: expected safety or general")
    attack, original = text_of(row, "attack", index), row.get("original")
    return Judged(
        prompt_id, kind=kind, is_complete=trace is None or trace.is_complete, language=text_of(row, "language", index),
        attack=None if attack is None or attack.lower() in DIRECT else attack,
        original=request if original is None else str(original),
        tags={name: row[name] for name in ("type", "category") if row.get(name) is not None}, **found,
    )  # fmt: skip


def _refusal_of(row: Mapping[str, Any]) -> RefusalLabel:
    text, over = row.get("text"), row.get("score/over_refusal")
    label: RefusalLabel = "unscored"
    if row.get("label/refusal") in _CLASSES:
        label = row["label/refusal"]
    elif isinstance(text, str) and row.get("kind") in ("general", "safety"):
        # A reward by keywords leaves no class, and is what may be hacked.
        is_cut = row.get("stop_reason") in ("length", "repetition")
        trace = parse_trace(text, opened_in_prompt=row.get("trace_state") == "no_open_tag", is_truncated=is_cut)
        label = classify_answer(trace, row.get("prompt") or "").label
    if over is not None and (over > 0) != (label in _REFUSALS):
        return "partial_refusal" if over > 0 else "compliance"
    return label
