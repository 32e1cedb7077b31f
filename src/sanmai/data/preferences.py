"""Preference files: pairs of responses, responses with a label (safety, correctness, refusal), and RM-Bench; files in, checked.

| what | columns |
|---|---|
| pairs | a prompt; chosen, rejected; id, language, margin, tags if there |
| labels | a prompt; response; label (safe, unsafe, 1 for safe, 0) or is_safe; id, language, tags if there |
| answers | a prompt; reference (or answer); response; label (correct, wrong, 1 for correct, 0) or
  is_correct; id, language, tags if there |
| refusals | a prompt; response (or completion); label (compliance, partial_refusal, full_refusal and what data/refusals.py
  knows; XSTest's final_label) or is_refusal; id, language, tags if there |
| RM-Bench | prompt; chosen and rejected: three texts each, in rising style; id if there |

A prompt has any of the names and forms that problems know (data/generic.py): prompt, question, problem, instruction and input,
messages, conversations; a `system` column is its system message. Thoughts beside a response (reasoning_content) belong to it.
`chosen` and `rejected` are texts, or message lists that end with the assistant's and may begin with the prompt
(UltraFeedback, TRL), or transcripts `\\n\\nHuman: ...\\n\\nAssistant: ...` (hh-rlhf). Any other column that holds a number, a
bool or a short text becomes a tag.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Generic, TypedDict, TypeVar, Unpack

from sanmai.data.files import Row
from sanmai.data.generic import language_of, not_used, prompt_of
from sanmai.data.messages import is_conversation, read_conversation, transcript, with_thought
from sanmai.data.problems import Notes, OnError, Source, locate
from sanmai.data.refusals import CLASSES, RefusalClass, class_of, xstest_pair
from sanmai.data.roles import ranked_replies, refuse_parts, usual
from sanmai.data.rows import (
    ANSWERS,
    COMPLETIONS,
    CONVERSATIONS,
    PROMPTS,
    TELLING,
    THOUGHTS,
    Fields,
    RowError,
    id_of,
    is_nothing,
    is_tag,
    json_value,
    may_repeat,
    plain_name,
    shown,
    text_of,
    value_of,
)  # fmt: skip
from sanmai.types import InputError, Message

Tags = Mapping[str, str | int | float | bool]
Messages = tuple[Message, ...]
STYLES = ("concise", "detailed plain", "detailed markdown")
"""Of RM-Bench's three responses, in order."""


@dataclass(frozen=True)
class Pair:
    """A prompt with two responses, one preferred.

    Example:
        Pair("a/0", ({"role": "user", "content": "2+3?"},), chosen="5", rejected="6")
    """

    id: str
    messages: Messages
    """The prompt; the last message is the user's."""
    chosen: str
    rejected: str
    language: str | None = None
    margin: float = 0.0
    """By how much (logits) the chosen score should be ahead at least."""
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True)
class LabelledResponse:
    """A prompt with one response, which is safe or not."""

    id: str
    messages: Messages
    response: str
    is_safe: bool
    language: str | None = None
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True)
class LabelledAnswer:
    """A question with its reference answer, and one response, whose final answer is that one or not.

    Example:
        LabelledAnswer("a/0", ({"role": "user", "content": "2+3?"},), reference="5", response="It is 6.", is_correct=False)
    """

    id: str
    messages: Messages
    """The question, without the reference."""
    reference: str
    response: str
    is_correct: bool
    language: str | None = None
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True)
class LabelledRefusal:
    """A prompt with one response, and what people say that it does with its request.

    Example:
        LabelledRefusal("v2-3/gpt4", ({"role": "user", "content": "How do I bake?"},), "I can't help.", "full_refusal")
    """

    id: str
    messages: Messages
    response: str
    label: RefusalClass
    language: str | None = None
    tags: Tags = field(default_factory=dict)
    """Of an answer from XSTest also `original`: the same for a prompt and its contrast."""

    @property
    def is_refusal(self) -> bool:
        """Wholly or in part."""
        return self.label != "compliance"


@dataclass(frozen=True)
class StyledPair:
    """A prompt with a right and a wrong response, each told in three styles (STYLES)."""

    id: str
    messages: Messages
    chosen: tuple[str, ...]
    rejected: tuple[str, ...]
    tags: Tags = field(default_factory=dict)


Anything = Pair | LabelledResponse | LabelledAnswer | LabelledRefusal | StyledPair
Item = TypeVar("Item", Pair, LabelledResponse, LabelledAnswer, LabelledRefusal, StyledPair)
Read = TypeVar("Read")


@dataclass(frozen=True)
class Loaded(Generic[Read]):
    items: list[Read]
    skipped: list[str] = field(default_factory=list)
    """One "file, line N: reason" per malformed line that was passed over."""
    duplicates: int = 0
    """Rows left out because an earlier one says the same."""
    notes: list[str] = field(default_factory=list)
    """What was not used or passed over: one sentence a kind."""


class Reading(TypedDict, total=False):
    """How a file is read."""

    rows: Iterable[Row] | None
    """The rows themselves; the source then only names them in errors."""
    on_error: OnError
    limit: int | None
    """Stop after so many."""
    on_warning: Callable[[str], None] | None
    """Told of each note of the result; None: a UserWarning each."""


def load_pairs(source: Source, *, renamed: Callable[[Row], Row] | None = None, **how: Unpack[Reading]) -> Loaded[Pair]:
    """The pairs of a file or hub data set, without duplicates.

    Args:
        source: a .jsonl, .json, .csv or .parquet file, a folder of such files, hub:NAME[:CONFIG][:SPLIT], or the rows themselves.
        renamed: a row under the names that preference files have.

    Raises:
        InputError: the source cannot be read, a line is malformed (on_error="raise"), or no pair is left.
    """
    return _load(source, _pair, renamed, **how)


def load_labels(source: Source, **how: Unpack[Reading]) -> Loaded[LabelledResponse]:
    """The labelled responses of a file or hub data set, without duplicates; arguments and errors as in load_pairs."""
    return _load(source, _labelled, **how)


def load_answers(source: Source, **how: Unpack[Reading]) -> Loaded[LabelledAnswer]:
    """The answers of a file or hub data set that say whether they are right, without duplicates; else as load_pairs."""
    return _load(source, _answer, **how)


def load_refusals(source: Source, **how: Unpack[Reading]) -> Loaded[LabelledRefusal]:
    """The answers of a file or hub data set that people have called refusals or not, without duplicates; else as load_pairs.

    The labelled completions of XSTest are read as they are published: one file of all models, or a folder of one CSV each.
    """
    return _load(source, _refusal, **how)


def stated_refusal(row: Row) -> RefusalClass | None:
    """What a row says of its answer in `final_label`, `label` or `is_refusal`; None where it has none of them.

    Raises:
        ValueError: a value that names no class.
    """
    if not any(not is_nothing(row.get(name)) for name in _REFUSAL_LABELS):
        return None
    try:
        return _refusal_class(Fields(row))
    except RowError as error:
        raise ValueError(str(error)) from None


def stated_correct(row: Row) -> bool | None:
    """What a row says of its response in `label` or `is_correct`; None where it has neither.

    Raises:
        ValueError: another value than correct, wrong, 1 (correct) or 0.
    """
    if row.get("label") is None and row.get("is_correct") is None:
        return None
    try:
        return _flag(row, "is_correct", "correct", "wrong")
    except RowError as error:
        raise ValueError(str(error)) from None


def load_rm_bench(source: str | Path, on_warning: Callable[[str], None] | None = None) -> list[StyledPair]:
    """The rows of a file in RM-Bench's format.

    Raises:
        InputError: as load_pairs.

    Source:
        Liu et al. 2024 (arXiv:2410.16184).
    """
    return _load(source, _styled, on_warning=on_warning).items


def _load(
    source: Source,
    convert: Callable[[Fields, str], Item],
    renamed: Callable[[Row], Row] | None = None,
    *,
    rows: Iterable[Row] | None = None,
    on_error: OnError = "raise",
    limit: int | None = None,
    on_warning: Callable[[str], None] | None = None,
) -> Loaded[Item]:
    items: list[Item] = []
    skipped: list[str] = []
    seen_ids: set[str] = set()
    seen: set[str] = set()
    duplicates = 0
    name = source if isinstance(source, str | Path) else "rows"
    notes = Notes(name if rows is None and name is source else None)
    for file, where, _, default_id, row in locate(source if rows is None else rows, name):
        try:
            if isinstance(row, str):
                raise RowError(row)
            refuse_parts(row)
            fields = Fields(usual(ranked_replies(renamed(row) if renamed else row), tells_kind=False))
            item = convert(fields, default_id)
            if item.id in seen_ids and may_repeat(fields.row):
                item = replace(item, id=default_id)
            _check(item, seen_ids)
            notes.add(file, where, [*fields.notes, not_used(fields.left_over())])
        except RowError as error:
            reason = f"{where}: {error}"
            if on_error == "raise":
                raise InputError(f"{reason} (on_error=skip passes over such lines)") from None
            skipped.append(reason)
            continue
        seen_ids.add(item.id)
        key = repr((item.messages, *_responses(item)))
        if key in seen:
            duplicates += 1
            continue
        seen.add(key)
        items.append(item)
        if len(items) == limit:
            break
    if not items:
        raise InputError(f"{name}: nothing in it" + (f"; the first reason: {skipped[0]}" if skipped else ""))
    notes.tell(on_warning)
    return Loaded(items, skipped, duplicates, notes.all)


def _responses(item: Anything) -> tuple[str, ...]:
    if isinstance(item, LabelledAnswer):
        return item.reference, item.response
    if isinstance(item, LabelledResponse | LabelledRefusal):
        return (item.response,)
    return (item.chosen, item.rejected) if isinstance(item, Pair) else (*item.chosen, *item.rejected)


def _check(item: Anything, seen_ids: set[str]) -> None:
    if item.id in seen_ids:
        raise RowError(f"the id {item.id!r} is not unique")
    if not item.messages[-1]["content"].strip():
        raise RowError("the prompt is empty")
    texts = (*_responses(item), *(message["content"] for message in item.messages))
    if any("\ud800" <= character <= "\udfff" for text in texts for character in text):
        raise RowError("half a surrogate pair (\\ud800 to \\udfff), which no encoding can store")
    if isinstance(item, Pair) and item.chosen.strip() == item.rejected.strip():
        raise RowError("chosen and rejected are the same text: a tie is no pair")


def _pair(fields: Fields, default_id: str) -> Pair:
    fields = _told_apart(fields)
    row = fields.row
    stated = _stated_prompt(fields)
    (before_chosen, chosen), (before_rejected, rejected) = (
        _response(fields, name, is_transcript=stated is None) for name in ("chosen", "rejected")
    )
    prompts = [prompt for prompt in (stated, before_chosen, before_rejected) if prompt is not None]
    if not prompts:
        raise RowError("no 'prompt' or 'messages', and chosen and rejected do not begin with one")
    if any(_without_system(prompt) != _without_system(prompts[0]) for prompt in prompts):
        raise RowError("chosen and rejected do not answer the same prompt")
    prompt = next((prompt for prompt in prompts if prompt[0]["role"] == "system"), prompts[0])
    if any(prompt != other for other in prompts if other[0]["role"] == "system"):
        raise RowError("chosen and rejected do not answer the same prompt: they have different system messages")
    margin = row.get("margin") or 0.0
    if isinstance(margin, str):
        margin = _number(margin)
    if isinstance(margin, bool) or not isinstance(margin, int | float) or not math.isfinite(margin) or margin < 0:
        raise RowError(f"margin = {str(row['margin'])[:40]}: expected a finite number of at least 0")
    language, tags = _tags(fields, {"margin"})
    return Pair(id_of(row, default_id), prompt, chosen, rejected, language, float(margin), tags)


_CHOSEN = ("chosen_response", "response_chosen", "chosen_answer", "accepted", "preferred", "preferred_response",
           "better", "winning", "response_j", "preferred_output", "text_chosen", "correct_response", "correct", "winner_response",
           "winner_answer")  # fmt: skip
_REJECTED = ("rejected_response", "response_rejected", "rejected_answer", "refused", "dispreferred",
             "dispreferred_response", "worse", "losing", "response_k", "non_preferred_output", "text_rejected",
             "incorrect_response", "incorrect", "loser_response", "loser_answer")  # fmt: skip
_SIDES = ("a", "b"), ("0", "1"), ("1", "2")
_SIGNED = ("overall_preference", "preference_strength")
"""HelpSteer's: below 0 the first is better, above 0 the second."""
_SCORES = ("score", "overall_score", "rating", "fine_grained_score")
_WINNERS = ("winner", "better_response_id", "preference", "preferred_response_id", "better", "preferred", "label",
            "safer_response_id")  # fmt: skip


def _told_apart(fields: Fields) -> Fields:
    """A pair under the names of this file's other rows: chosen_response, or response_a and response_b with who won.

    Raises:
        RowError: nobody won, or it cannot be told who.
    """
    if "chosen" in fields or "rejected" in fields:
        return fields
    for sides in _SIDES:
        for kind in ("response", "answer", "completion", "output", "conversation", "human_ref"):
            for names in ([f"{kind}_{side}" for side in sides], [f"{kind}{side}" for side in sides]):
                if all(name in fields for name in names):
                    first = _winner(fields, names, sides)
                    if f"winner_model_{sides[0]}" in fields:  # the arena's turns, as JSON text
                        fields = fields.with_values({name: _only_turn(fields.look((name,))[1]) for name in names})
                    return _as_pair(fields, names[first], names[1 - first])
    if (ranked := _ranked(fields)) is not None:
        return ranked
    (good, better), (bad, worse) = fields.look(_CHOSEN), fields.look(_REJECTED)
    if good and bad and not isinstance(better, bool) and not isinstance(worse, bool):
        return _as_pair(fields, good, bad)
    alone = fields.look(COMPLETIONS)[0]
    if alone:
        raise RowError(
            f"{alone}: one response a row; a pair needs a better and a worse one (chosen and rejected, or response_a "
            "and response_b with the one that won)"
        )
    return fields


def _only_turn(value: Any) -> Any:
    turns = json_value(value)
    return turns[0] if isinstance(turns, list) and len(turns) == 1 and isinstance(turns[0], str) else value


def _winner(fields: Fields, names: list[str], sides: tuple[str, str]) -> int:
    """Which of two responses won, 0 or 1: as a column says by name, by a sign, by a flag each or by a score each."""
    name, winner = next(((w, v) for w in _WINNERS if not is_nothing(v := fields.look((w,))[1])), ("", None))
    if name:
        order = re.fullmatch(r"\s*(\w+)\s*([<>])\s*(\w+)\s*", str(winner))  # "A>B"
        if order is not None:
            winner = order[1] if order[2] == ">" else order[3]
        if re.match(r"\s*(?:tie|both|neither|same|equal|draw|a\s*=+\s*b)", str(winner), re.IGNORECASE):
            won = f"{name} = {shown(winner)}: a tie is no pair"
            raise RowError(f"{names[0]} and {names[1]} without one that won: {won}")
        told = re.sub(
            r"^(?:model|response|answer|completion|output|conversation)_?", "", str(winner).strip().casefold()
        )
        if told in sides:
            fields.take((name,))
            return sides.index(told)
        raise RowError(
            f"{names[0]} and {names[1]} without one that won: {name} = {shown(winner)}: expected {sides[0]} or {sides[1]}"
        )
    ahead: Any = None
    signed = next(((n, v) for n in _SIGNED if isinstance(v := fields.look((n,))[1], int | float)), None)
    if signed is not None:
        ahead, name = -signed[1], signed[0]
    elif names[0].startswith("human_ref") and (label := fields.look(("labels",))[1]) in (0, 1):  # SHP: 1 is A
        ahead, name = 1 if label == 1 else -1, "labels"
    else:
        for kind in ("winner_model", *_SCORES):
            both = [fields.look((f"{kind}_{side}",))[1] for side in sides]
            if all(isinstance(value, int | float) for value in both):
                ahead, name = both[0] - both[1], f"{kind}_{sides[0]}"
                break
    if ahead is None or ahead == 0 or ahead != ahead:
        why = f"{name} says that neither did" if name else f"expected {_WINNERS[0]}"
        raise RowError(f"{names[0]} and {names[1]} without one that won: {why}")
    return 0 if ahead > 0 else 1


def _ranked(fields: Fields) -> Fields | None:
    """The best and the worst of a list of scored or ranked responses (UltraFeedback, Nectar) as a pair; else None."""
    name, value = fields.look(("completions", "answers", "responses", "summaries", "candidates", "outputs"))
    value = _with_scores(fields, value)
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(one, Mapping) for one in value):
        return None
    texts = [
        next((one[k] for k in ("response", "answer", "completion", "text") if isinstance(one.get(k), str)), None)
        for one in value
    ]
    ranks = [_rank(one) for one in value]
    if not all(isinstance(text, str) for text in texts) or any(rank is None for rank in ranks):
        return None
    order = sorted(range(len(value)), key=lambda k: ranks[k] or 0.0)
    if ranks[order[0]] == ranks[order[-1]]:
        raise RowError(f"{name}: all are ranked alike: a tie is no pair")
    fields.take((name,))
    if len(value) > 2:
        fields.notes.append(f"{name}: the best and the worst are the pair; the others are not used")
    return fields.with_values({"chosen": texts[order[-1]], "rejected": texts[order[0]]})


def _with_scores(fields: Fields, value: Any) -> Any:
    """A list of responses with what other columns say of them: as many scores or ranks, or the number of the best of two."""
    if not isinstance(value, list) or len(value) < 2:
        return value
    found = [one if isinstance(one, Mapping) else {"response": one} for one in value]
    for name, key in (("scores", "score"), ("ratings", "score"), ("rewards", "score"), ("ranks", "rank"), ("rankings", "rank")):
        said = fields.look((name,))[1]
        if isinstance(said, list) and len(said) == len(found):
            fields.take((name,))
            return [{**one, key: held} for one, held in zip(found, said, strict=True)]
    choice = fields.look(("choice",))[1]
    if len(found) == 2 and choice in (0, 1):
        fields.take(("choice",))
        return [{**one, "rank": int(k != choice)} for k, one in enumerate(found)]
    return value


def _rank(one: Mapping[str, Any]) -> float | None:
    """How good a response is called; of ranks, 1 is the best."""
    for name, sign in (*((name, 1.0) for name in _SCORES), ("rank", -1.0)):
        if isinstance(one.get(name), int | float) and not isinstance(one[name], bool) and math.isfinite(one[name]):
            return sign * one[name]
    return None


def _as_pair(fields: Fields, good: str, bad: str) -> Fields:
    return fields.without({*_WINNERS} - {good, bad}).renamed({good: "chosen", bad: "rejected"})


def _without_system(prompt: Messages) -> Messages:
    return tuple(message for message in prompt if message["role"] != "system")


def _labelled(fields: Fields, default_id: str) -> LabelledResponse:
    prompt = _required_prompt(fields)
    is_safe = _flag(_safety(fields), "is_safe", "safe", "unsafe")
    response = _judged(fields)
    language, tags = _tags(fields, {"response", "label", "is_safe"})
    return LabelledResponse(id_of(fields.row, default_id), prompt, response, is_safe, language, tags)


def _safety(fields: Fields) -> Row:
    """The row with `label` in place of what Aegis and WildGuard call it."""
    name, value = fields.look(("label", "is_safe", "response_label", "response_harm_label", "safety_label"))
    word = str(value).strip().lower()
    return (
        {"label": {"harmful": "unsafe", "unharmful": "safe", "harmless": "safe"}.get(word, value)}
        if name.endswith("_label")
        else fields.row
    )


def _judged(fields: Fields) -> str:
    """The response that a row judges, with the thought in a column beside it."""
    response = text_of(fields.row, "response")
    fields.take(("response",))
    thought = fields.look(THOUGHTS)[1]
    return with_thought(response, fields.take_text(THOUGHTS)) if isinstance(thought, str) else response


def _answer(fields: Fields, default_id: str) -> LabelledAnswer:
    row, prompt = fields.row, _required_prompt(fields)
    key = "reference" if row.get("reference") is not None or not fields.look(ANSWERS)[0] else fields.take(ANSWERS)[0]
    value = fields.look((key,))[1]
    if value is None:
        raise RowError("no 'reference'")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    if not is_number and not isinstance(value, str):
        raise RowError(f"{key}: expected text, found {type(value).__name__}")
    reference = str(value)
    if not reference.strip() or reference in ("nan", "inf", "-inf"):
        raise RowError(f"{key} = {reference!r}: expected an answer")
    is_correct = _flag(row, "is_correct", "correct", "wrong")
    response = _judged(fields)
    language, tags = _tags(fields, {"reference", "label", "is_correct"})
    return LabelledAnswer(id_of(row, default_id), prompt, reference, response, is_correct, language, tags)


_REFUSAL_LABELS = ("final_label", "label", "is_refusal", "response_refusal_label")
_OTHER_LABELS = {"annotation_1", "annotation_2", "agreement", "gpt4_label", "strmatch_label"}
"""Columns of XSTest that give the label away, or a rival's guess at it."""


def _refusal(fields: Fields, default_id: str) -> LabelledRefusal:
    row, prompt = fields.row, _required_prompt(fields)
    label = _refusal_class(fields)
    name, response = fields.take(COMPLETIONS)
    if not isinstance(response, str):
        raise RowError(
            f"{name}: expected text, found {type(response).__name__}" if name else "no 'response' or 'completion'"
        )
    thought = fields.take_text(THOUGHTS) if isinstance(fields.look(THOUGHTS)[1], str) else None
    language, tags = _tags(fields, {*_REFUSAL_LABELS, *_OTHER_LABELS})
    stated, model, kind = (text if isinstance(text := row.get(key), str) else "" for key in ("id", "model", "type"))
    # XSTest's ids are those of prompts: each stands once a model.
    is_xstest = "final_label" in fields
    name = (f"{stated}/{model}" if stated and model else default_id) if is_xstest else id_of(row, default_id)
    pair = xstest_pair(stated, kind) if is_xstest else None
    tags = {**({"original": pair} if pair else {}), **tags, "refusal": label}
    return LabelledRefusal(name, prompt, with_thought(response, thought), label, language, tags)


def _refusal_class(fields: Fields) -> RefusalClass:
    name, value = fields.look(_REFUSAL_LABELS)
    if not name:
        raise RowError("no 'label', 'is_refusal' or 'final_label' that says whether the response refuses")
    if name == "is_refusal":
        word = str(value).strip().lower()
        if word not in ("true", "1", "false", "0"):
            raise RowError(f"is_refusal = {shown(value)}: expected true or false")
        return "full_refusal" if word in ("true", "1") else "compliance"
    found = class_of(value) if isinstance(value, str) else None
    if found is None:
        raise RowError(f"{name} = {shown(value)}: expected {', '.join(CLASSES[:-1])} or {CLASSES[-1]}")
    return found


def _flag(row: Row, name: str, good: str, bad: str) -> bool:
    """What `label`, or the column `name`, says: one of two words, true or false, 1 (the good one) or 0."""
    key = "label" if row.get("label") is not None else name
    value = value_of(row, key) if key in row else value_of(row, "label")
    word = (
        str(int(value)) if isinstance(value, bool | int) else value.strip().lower() if isinstance(value, str) else None
    )
    known = {good: True, bad: False, "1": True, "0": False, "true": True, "false": False}
    if word not in known:
        raise RowError(f"{key} = {str(value)[:40]!r}: expected {good} or {bad}, 1 ({good}) or 0")
    return known[word]


def _styled(fields: Fields, default_id: str) -> StyledPair:
    row = fields.row
    for name in ("chosen", "rejected"):
        texts = value_of(row, name)
        if not isinstance(texts, list) or len(texts) != len(STYLES) or not all(isinstance(t, str) for t in texts):
            raise RowError(f"{name}: expected a list of {len(STYLES)} texts, one per style")
        fields.take((name,))
    prompt = _required_prompt(fields)
    _, tags = _tags(fields, set())
    return StyledPair(id_of(row, default_id), prompt, tuple(row["chosen"]), tuple(row["rejected"]), tags)


def _required_prompt(fields: Fields) -> Messages:
    prompt = _stated_prompt(fields)
    if prompt is None:
        raise RowError("no 'prompt' or 'messages'")
    return prompt


def _stated_prompt(fields: Fields) -> Messages | None:
    """The prompt in columns of its own; `messages` may go on to a response, as in UltraFeedback."""
    fields = _unwrapped(fields)
    name = fields.look(PROMPTS)[0] or fields.look(CONVERSATIONS)[0]
    if not name:
        return None
    if name in PROMPTS and fields.look(CONVERSATIONS)[0]:
        # The prompt alone is the shorter one; what both say is said once.
        fields.take(CONVERSATIONS)
        fields = fields.without(CONVERSATIONS)
    return prompt_of(fields)[0]


def _unwrapped(fields: Fields) -> Fields:
    """The prompt out of what some sets put around it: OpenAI's {"messages": ...}, WebGPT's {"full_text": ...}, SHP's history."""
    name, value = fields.look(PROMPTS)
    value = json_value(value)
    if isinstance(value, Mapping):
        inner = next((value[key] for key in ("messages", "full_text", "text") if value.get(key)), None)
        return fields if inner is None else fields.with_values({name: inner})
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        return fields.with_values({name: value[0]})
    if isinstance(value, str) and re.match(r"\s*Human:", value) and re.search(r"\n\nAssistant:\s*\Z", value):
        return fields.with_values({name: transcript(re.sub(r"\n\nAssistant:\s*\Z", "", value)) or value})
    if not name and not fields.look(CONVERSATIONS)[0]:
        other, said = fields.look(("context", "history", "post"))
        if is_conversation(said) or (isinstance(said, str) and said.strip()):
            fields.take((other,))
            return fields.with_values({"prompt": said})
    return fields


def _response(fields: Fields, name: str, *, is_transcript: bool) -> tuple[Messages | None, str]:
    """The prompt that a response begins with, if it does, and the response itself."""
    value = value_of(fields.row, name)
    fields.take((name,))
    if isinstance(value, list) and value and all(isinstance(text, str) for text in value):
        other = fields.row.get("rejected" if name == "chosen" else "chosen")
        if isinstance(other, list) and len(other) != len(value):  # RewardBench 2: one against several
            fields.notes += [f"{name} has several texts; the first is the pair's"] if len(value) > 1 else []
            return None, value[0]
        raise RowError(f"{name}: a list of texts; a file in RM-Bench's format is for evaluation.rm_bench")
    if isinstance(value, list) or is_conversation(value):
        found = read_conversation(value, name, needs_user=False)
        fields.notes += found.notes
        if found.completion is None:
            raise RowError(f"{name}: expected the assistant's message as the last one")
        return found.messages or None, found.completion
    text = text_of(fields.row, name)
    if not is_transcript or not re.match(r"\s*Human:", text):
        thought = fields.take_text([f"{name}_{thought}" for thought in THOUGHTS] + [f"{t}_{name}" for t in THOUGHTS])
        return None, with_thought(text, thought)
    _, *parts = re.split(r"(?:^|\n\n)\s*(Human|Assistant):", text)
    roles = {"Human": "user", "Assistant": "assistant"}
    turns = [{"role": roles[who], "content": said.strip()} for who, said in zip(parts[::2], parts[1::2], strict=True)]
    found = read_conversation(turns, name, needs_user=False)
    if found.completion is None:
        raise RowError(f"{name}: expected the assistant's message as the last one")
    return found.messages or None, found.completion


def _tags(fields: Fields, own: set[str]) -> tuple[str | None, Tags]:
    """The language that the row states, and its tags."""
    language, tags = language_of(fields)
    stated = fields.row.get("tags") or {}
    if not isinstance(stated, dict) or not all(is_tag(value) for value in stated.values()):
        raise RowError(f"tags = {str(stated)[:80]!r}: expected an object of short texts, numbers and bools")
    reserved = own | TELLING | {"id", "unique_id", "language", "tags", "label"}
    others = {k: v for k, v in fields.row.items() if plain_name(k) not in reserved and is_tag(v)}
    return language, others | tags | stated


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
